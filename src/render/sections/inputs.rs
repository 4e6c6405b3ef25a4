//! What was read, and what it told beside records.

use serde::Serialize;

use crate::format;
use crate::report::model::{Event, Input, Report};
use crate::report::words::read_as;
use crate::schema::record::Words;

#[derive(Serialize)]
pub(crate) struct InputView {
    path: String,
    size: String,
    lines: String,
    records: String,
    events: String,
    rejected: String,
    blank: String,
    /// How it was read, where it is not stagegate's own format.
    read_as: Option<String>,
    digest: String,
}

#[derive(Serialize)]
pub(crate) struct EventView {
    at: String,
    event_type: String,
    text: String,
}

pub(crate) fn input(input: &Input) -> InputView {
    InputView {
        path: input.path.clone(),
        size: format::bytes(input.bytes),
        lines: format::count(input.lines),
        records: format::count(input.records),
        events: format::count(input.events),
        rejected: format::count(input.rejected),
        blank: format::count(input.blank),
        read_as: read_as(input),
        digest: input.digest.clone(),
    }
}

pub(crate) fn event(words: &Words, event: &Event) -> EventView {
    EventView { at: words.date_time(&event.at), event_type: event.event_type.clone(), text: event.text.clone() }
}

/// Where figures come from: the file, or how many.
pub(crate) fn sources(report: &Report) -> String {
    match report.inputs.as_slice() {
        [only] => format!("from {}", only.path.chars().take(60).collect::<String>()),
        many => format!("from {}, listed under Inputs", format::counted(many.len() as u64, "file")),
    }
}
