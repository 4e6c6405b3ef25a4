//! What people left out, and the figures with it beside those without.

use serde::Serialize;

use crate::metric::Unit;
use crate::report::changes::before_and_now;
use crate::report::model::{Headline, Report};
use crate::report::words::{decision_words, left_out_interval_text};

#[derive(Serialize)]
pub(crate) struct LeftOutView {
    intervals: Vec<String>,
    decision: &'static str,
    decision_with: &'static str,
    lines: Vec<LeftOutLine>,
}

/// A headline before and now, without and with what is left out.
#[derive(Serialize)]
struct LeftOutLine {
    label: String,
    before: String,
    now: String,
    before_with: String,
    now_with: String,
}

pub(crate) fn left_out(report: &Report) -> Option<LeftOutView> {
    let left_out = report.left_out.as_ref()?;
    let texts = |line: &Headline| {
        let unit = report.metric(&line.metric).map_or(&Unit::Count, |metric| &metric.unit);
        before_and_now(line, unit).map(|text| text.unwrap_or_else(|| "–".into()))
    };
    let line = |with: &Headline| {
        let without = report.headlines.iter().find(|line| line.metric == with.metric);
        let [before, now] = without.map_or_else(|| [const { String::new() }; 2], texts);
        let [before_with, now_with] = texts(with);
        LeftOutLine { label: with.label.clone(), before, now, before_with, now_with }
    };
    Some(LeftOutView {
        intervals: left_out.intervals.iter().map(|of| left_out_interval_text(of, &report.words)).collect(),
        decision: decision_words(report.decision.value).0,
        decision_with: decision_words(left_out.decision.value).0,
        lines: left_out.headlines.iter().map(line).collect(),
    })
}
