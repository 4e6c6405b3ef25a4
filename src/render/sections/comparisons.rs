//! What changed from one group to another.

use serde::Serialize;

use super::super::anchors::anchor;
use super::super::marks;
use crate::format;
use crate::metric::Unit;
use crate::report::model::{Comparison, ComparisonKind, Report};
use stagegate_stats::Interval;

/// One group against another: a table of metrics.
#[derive(Serialize)]
pub(crate) struct PairView {
    reference: String,
    candidate: String,
    kind: &'static str,
    /// The headline pair, and the concurrent one with most traffic.
    open: bool,
    rows: Vec<RatioView>,
}

#[derive(Serialize)]
struct RatioView {
    anchor: String,
    label: String,
    crude: Option<String>,
    crude_interval: Option<String>,
    adjusted: Option<String>,
    adjusted_interval: Option<String>,
    mix_covered: Option<String>,
    n: String,
    mix_changed: bool,
    note: String,
}

fn kind(kind: ComparisonKind) -> &'static str {
    match kind {
        ComparisonKind::BeforeAfter => "before and after: other things changed, too",
        ComparisonKind::Concurrent => "concurrent: split at random, the difference is the effect",
        ComparisonKind::Observational => "at the same time, but not split at random",
    }
}

pub(crate) fn pairs(report: &Report, comparisons: &[&Comparison]) -> Vec<PairView> {
    let mut pairs: Vec<PairView> = Vec::new();
    for comparison in comparisons {
        let row = ratio(report, comparison);
        match pairs.last_mut() {
            Some(pair) if pair.reference == comparison.reference && pair.candidate == comparison.candidate => {
                pair.rows.push(row);
            }
            _ => pairs.push(PairView {
                reference: comparison.reference.clone(),
                candidate: comparison.candidate.clone(),
                kind: kind(comparison.kind),
                open: false,
                rows: vec![row],
            }),
        }
    }
    for wanted in [ComparisonKind::BeforeAfter, ComparisonKind::Concurrent] {
        let words = kind(wanted);
        let first = pairs.iter().find(|pair| pair.kind == words).map(|pair| pair.reference.clone());
        // Baseline to the final stage; control against treated where the stage is last.
        let of_kind = |pair: &&mut PairView| {
            pair.kind == words && (wanted == ComparisonKind::Concurrent || Some(&pair.reference) == first.as_ref())
        };
        if let Some(pair) = pairs.iter_mut().rfind(of_kind) {
            pair.open = true;
        }
    }
    pairs
}

/// A ratio and its interval as text.
pub(crate) fn shown(ratio: f64, ci: Option<Interval>) -> (String, Option<String>) {
    format::figure(ratio, ci, &Unit::Ratio)
}

fn ratio(report: &Report, comparison: &Comparison) -> RatioView {
    let crude = comparison.crude.as_ref().map(|crude| shown(crude.ratio, crude.ci));
    let adjusted = comparison.adjusted.as_ref().map(|adjusted| shown(adjusted.ratio, adjusted.ci));
    let mut notes: Vec<String> = comparison.reason.iter().cloned().collect();
    notes.extend(power(report, comparison));
    notes.extend(marks::warnings(&comparison.warnings));
    RatioView {
        anchor: anchor(&format!("comparisons.{}", comparison.id)),
        label: report.label(&comparison.metric),
        crude: crude.as_ref().map(|(value, _)| value.clone()),
        crude_interval: crude.and_then(|(_, interval)| interval),
        adjusted: adjusted.as_ref().map(|(value, _)| value.clone()),
        adjusted_interval: adjusted.and_then(|(_, interval)| interval),
        mix_covered: comparison.adjusted.as_ref().map(|adjusted| format::value(adjusted.mix_covered, &Unit::Fraction)),
        n: comparison.n.map_or_else(String::new, |[reference, candidate]| {
            format!("{} and {}", format::count(reference), format::count(candidate))
        }),
        mix_changed: comparison.mix_changed,
        note: notes.join("; "),
    }
}

/// Where no difference is shown: how large one would have had to be.
fn power(report: &Report, comparison: &Comparison) -> Option<String> {
    let interval = comparison.crude.as_ref()?.ci?;
    let detectable = comparison.smallest_detectable?;
    interval.holds(1.0).then(|| {
        if detectable > 1.5 {
            format!(
                "too few {} to see less than a factor of {}",
                report.words.many,
                format::value(detectable, &Unit::Ratio)
            )
        } else {
            let share = format::value(detectable - 1.0, &Unit::Fraction);
            format!("no difference shown; one of {share} would have been seen")
        }
    })
}
