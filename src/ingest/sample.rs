//! The first rows of a source, each beside what it became: what `inspect` shows.

use super::mapped::Mapped;
use super::native::{self, EventKind, Line};
use super::record::{ExecutionType, Record};
use super::reject::Reject;
use super::rows::{self, Became, Found};
use super::source::{self, Source};
use super::timestamp::IsoReader;
use crate::config::EpochNanos;
use crate::format;
use crate::schema::mapping::{Form, Mapping};
use crate::schema::record::Schema;

/// A row and what became of it.
#[derive(Debug)]
pub struct Shown {
    /// The line or record as it stands in the file.
    pub row: String,
    pub became: String,
}

/// The first `count` rows of a source; of another format those that are meant, then others where there are too few.
pub fn sample(source: &Source, count: usize) -> Vec<Shown> {
    let head = source::head(source);
    let text = String::from_utf8_lossy(&head);
    let lines = super::recognise::whole_lines(&text, head.len());
    let mut shown = Vec::new();
    match source.mapping.as_deref() {
        None => {
            for line in lines.iter().take(count) {
                shown.push(Shown { row: (*line).to_owned(), became: native_row(line) });
            }
        }
        Some(mapping) => {
            if let Form::Csv { .. } = mapping.form {
                let columns = rows::columns_of(&mapping.form, &head);
                rows::records(
                    (&mapping.form, mapping.dropped()),
                    (&columns, None),
                    &source.name,
                    head.as_slice(),
                    |record, found| {
                        let became = mapped_row(mapping, found);
                        shown.push(Shown { row: record.text.to_owned(), became });
                    },
                );
            } else {
                for line in lines {
                    rows::each_row(mapping, &source.name, line, |found| {
                        let became = mapped_row(mapping, found);
                        shown.push(Shown { row: line.to_owned(), became });
                    });
                    if shown.len() > 100 * count {
                        break;
                    }
                }
            }
            // Headers and rows of other kinds would hide what is asked for.
            let (mut rows, others): (Vec<Shown>, Vec<Shown>) =
                shown.into_iter().partition(|shown| shown.became != OTHER && shown.became != NOTHING);
            rows.extend(others);
            shown = rows;
        }
    }
    shown.truncate(count);
    shown
}

const OTHER: &str = "another row: the source's conditions leave it out";
const NOTHING: &str = "no row: a header, a comment or an empty line";

fn native_row(line: &str) -> String {
    match native::parse_line(line) {
        Ok(Line::Record(found)) => record(&Schema::default(), &found),
        Ok(Line::Event(event)) => event_text(&event),
        Err(reject) => rejected(&reject),
    }
}

fn mapped_row(mapping: &Mapping, found: Found<'_>) -> String {
    match found.read(mapping, &mut IsoReader::default()) {
        Ok(Became::Nothing) => NOTHING.into(),
        Ok(Became::Mapped(Mapped::Record(found))) => record(&mapping.schema, &found),
        Ok(Became::Mapped(Mapped::Event(event))) => event_text(&event),
        Ok(Became::Mapped(Mapped::Other)) => OTHER.into(),
        Err(reject) => rejected(&reject),
    }
}

fn rejected(reject: &Reject) -> String {
    format!("rejected ({}): {}", reject.reason.word(), reject.message)
}

fn event_text(event: &native::Event) -> String {
    let at = event.timestamp.map_or_else(|| "no time".to_owned(), moment);
    match event.kind {
        EventKind::MemorySample { rss_mb } => format!("a memory sample: {} MB at {at}", format::plain(rss_mb)),
        _ => format!("the event {} at {at}", event.event_type),
    }
}

/// To the millisecond.
fn moment(at: EpochNanos) -> String {
    chrono::DateTime::from_timestamp_nanos(at).to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

fn arm(execution_type: ExecutionType) -> &'static str {
    match execution_type {
        ExecutionType::Sync => "control",
        ExecutionType::Async => "treated",
        ExecutionType::SyncFallback => "fallback",
    }
}

fn record(schema: &Schema, record: &Record<'_>) -> String {
    let mut parts = vec![
        moment(record.timestamp),
        arm(record.execution_type).to_owned(),
        if record.success { "success".to_owned() } else { "failure".to_owned() },
        record
            .duration_ms
            .map_or_else(|| "no duration".to_owned(), |duration| format!("{} ms", format::plain(duration))),
    ];
    let mut named = |name: &str, value: Option<&str>| {
        parts.extend(value.map(|value| format!("{name} {value}")));
    };
    named("error", record.error_type.as_deref());
    named("stage", record.stage.as_deref());
    for (index, dimension) in schema.dimensions.iter().enumerate() {
        named(&dimension.name, record.name(index));
    }
    named("id", record.request_id.as_deref());
    let mut quantity = |name: &str, unit: &str, value: Option<f64>| {
        parts.extend(value.map(|value| format!("{name} {} {unit}", format::plain(value)).trim_end().to_owned()));
    };
    for (index, dimension) in schema.dimensions.iter().enumerate() {
        quantity(&dimension.name, &dimension.unit, record.number(index));
    }
    for (measure, value) in schema.measures.iter().zip(record.measures) {
        quantity(&measure.name, &measure.unit, value);
    }
    parts.join(" · ")
}
