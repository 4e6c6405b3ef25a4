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
    /// The gravest first; what has a summary is folded.
    tables: Vec<SegmentsView>,
}

#[derive(Serialize)]
struct SegmentsView {
    label: &'static str,
    summary: Option<String>,
    /// Whether these are settled, and nobody is worse off.
    within: bool,
    rows: Vec<SegmentView>,
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

/// Segments that are worse, of which the page shows each without being asked; the chart above has them all.
const SHOWN: usize = 3;

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
    let of = |wanted: &dyn Fn(Option<RegressionVerdict>) -> bool| -> Vec<SegmentView> {
        segments.iter().filter(|found| wanted(found.verdict)).map(|found| segment(report, found)).collect()
    };
    let mut worse = of(&|verdict| verdict == Some(RegressionVerdict::Regression));
    let mut others = worse.split_off(worse.len().min(SHOWN));
    others.extend(of(&|verdict| verdict == Some(RegressionVerdict::Open)));
    others.extend(of(&|verdict| verdict.is_none()));
    let within = of(&|verdict| verdict == Some(RegressionVerdict::WithinMargin));
    let counted = |what: &str, rows: &[SegmentView]| Some(format!("{what}: {}", format::count(rows.len() as u64)));
    let what = if regressions.found.len() > SHOWN { "Worse, too, or not settled" } else { "Not settled" };
    let table = |label, summary, within, rows| SegmentsView { label, summary, within, rows };
    let tables = [
        table("Segments that are worse", None, false, worse),
        table("Segments that are worse, too, or not settled", counted(what, &others), false, others),
        table("Segments within the margin", counted("Surely within the margin", &within), true, within),
    ];
    RegressionsView { text, tables: tables.into_iter().filter(|table| !table.rows.is_empty()).collect() }
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
