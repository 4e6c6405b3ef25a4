//! Did each stage reach what was asked of it?

use serde::Serialize;

use super::super::anchors::anchor;
use super::super::marks::{self, Mark};
use crate::format;
use crate::report::model::{Criterion, CriterionMetric, Direction, Status};
use crate::report::words::criterion_text;

#[derive(Serialize)]
pub struct CriterionView {
    anchor: String,
    stage: String,
    label: &'static str,
    scope: String,
    value: Option<String>,
    interval: Option<String>,
    n: String,
    needs: String,
    status: Mark,
    note: Option<String>,
    about: String,
}

pub fn criterion(criterion: &Criterion) -> CriterionView {
    let (word, label, unit, definition) = criterion_text(criterion.metric);
    let shown = criterion.value.map(|value| format::figure(value, criterion.ci, unit));
    let threshold = match criterion.metric {
        CriterionMetric::Uploads => format::count(criterion.threshold as u64),
        CriterionMetric::LatencyVsBaseline => format!("{}×", format::plain(criterion.threshold)),
        CriterionMetric::SuccessRate | CriterionMetric::ErrorRate => format::share(criterion.threshold),
    };
    let sign = match criterion.direction {
        Direction::AtLeast => "≥",
        Direction::AtMost => "≤",
    };
    let more = match (criterion.status, criterion.more_uploads_needed) {
        (Status::Inconclusive, Some(more)) => {
            Some(format!("about {} like these would settle it", format::counted(more, "more upload")))
        }
        _ => None,
    };
    let detectable = criterion.smallest_detectable.map(|least| {
        format!("a distance of {} from the threshold would have been seen (power 80 %)", format::value(least, unit))
    });
    let about: Vec<String> =
        [Some(definition.to_owned()), Some(format!("n = {}", format::count(criterion.n))), detectable]
            .into_iter()
            .flatten()
            .collect();
    let notes: Vec<String> =
        [criterion.reason.clone(), more, marks::warnings(&criterion.warnings)].into_iter().flatten().collect();
    CriterionView {
        about: about.join(" · "),
        anchor: anchor(&format!("criteria.{}.{word}", criterion.stage)),
        stage: criterion.stage.clone(),
        label,
        scope: criterion.scope.clone(),
        interval: shown.as_ref().and_then(|(_, interval)| interval.clone()),
        value: shown.map(|(value, _)| value),
        n: format::count(criterion.n),
        needs: format!("{sign} {threshold}"),
        status: marks::status(criterion.status),
        note: (!notes.is_empty()).then(|| notes.join("; ")),
    }
}
