//! Which segments got worse.

use serde::Serialize;

use super::super::anchors::anchor;
use super::super::marks::{self, Mark};
use super::comparisons::shown;
use crate::format;
use crate::report::model::{Comparison, RegressionVerdict, Report};
use crate::report::words::{dimensions, join};

#[derive(Serialize)]
pub(crate) struct RegressionsView {
    text: String,
    /// Regressions and what is not settled first.
    open: Vec<SegmentView>,
    within: Vec<SegmentView>,
}

#[derive(Serialize)]
struct SegmentView {
    anchor: String,
    segment: String,
    pair: String,
    label: String,
    ratio: String,
    interval: String,
    p_adjusted: String,
    status: Mark,
    note: String,
}

pub(crate) fn regressions(report: &Report, segments: &[&Comparison]) -> RegressionsView {
    let regressions = &report.regressions;
    let margin = format::share(regressions.margin);
    let text = format!(
        "{} of {} {} tested for being worse by more than {margin} (success rate and headline latency, with the reference's mix where half of it can be compared), corrected for testing many (Benjamini-Hochberg, false discovery rate {}): {} worse, {} surely within the margin, {} open, {} not measured.",
        format::counted(regressions.tested, "segment figure"),
        join(&dimensions(&report.comparisons), "and"),
        format::were(regressions.tested),
        format::share(regressions.false_discovery_rate),
        format::count(regressions.found.len() as u64),
        format::count(regressions.within_margin),
        format::count(regressions.open),
        format::count(regressions.not_measured)
    );
    let mut order: Vec<&&Comparison> = segments.iter().collect();
    order.sort_by_key(|comparison| match comparison.verdict {
        Some(RegressionVerdict::Regression) => 0,
        Some(RegressionVerdict::Open) => 1,
        None => 2,
        Some(RegressionVerdict::WithinMargin) => 3,
    });
    let (within, open): (Vec<&Comparison>, Vec<&Comparison>) =
        order.into_iter().partition(|comparison| comparison.verdict == Some(RegressionVerdict::WithinMargin));
    RegressionsView {
        text,
        open: open.into_iter().map(|found| segment(report, found)).collect(),
        within: within.into_iter().map(|found| segment(report, found)).collect(),
    }
}

fn segment(report: &Report, comparison: &Comparison) -> SegmentView {
    let judged = comparison.judged().map(|(ratio, ci)| shown(ratio, ci));
    let (ratio, interval) = judged.unwrap_or_else(|| (format::NOT_MEASURED.into(), None));
    let mut notes: Vec<String> = comparison.reason.iter().cloned().collect();
    notes.extend(marks::warnings(&comparison.warnings));
    SegmentView {
        anchor: anchor(&format!("comparisons.{}", comparison.id)),
        segment: comparison.segment_text(),
        pair: format!("{} to {}", comparison.reference, comparison.candidate),
        label: report.label(&comparison.metric),
        ratio,
        interval: interval.unwrap_or_else(|| "no interval".into()),
        p_adjusted: comparison.p_adjusted.map_or_else(|| "–".into(), format::p_value),
        status: marks::verdict(comparison.verdict),
        note: notes.join("; "),
    }
}
