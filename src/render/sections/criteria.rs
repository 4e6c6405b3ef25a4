//! Did each stage reach what was asked of it?

use serde::Serialize;

use super::super::anchors::anchor;
use super::super::marks::{self, Mark};
use crate::format;
use crate::report::claims::criterion_id;
use crate::report::model::{Criterion, Direction, Report, StageState, Status};
use crate::report::words::criterion_at_every_look;

#[derive(Serialize)]
pub(crate) struct CriterionView {
    anchor: String,
    stage: String,
    label: String,
    scope: String,
    value: Option<String>,
    interval: Option<String>,
    n: String,
    needs: String,
    status: Mark,
    note: Option<String>,
    about: String,
}

pub(crate) fn criterion(report: &Report, criterion: &Criterion) -> CriterionView {
    let unit = &criterion.unit;
    let shown = criterion.value.map(|value| format::figure(value, criterion.ci, unit));
    let threshold = format::threshold(criterion.threshold, unit);
    let sign = match criterion.direction {
        Direction::AtLeast => "≥",
        Direction::AtMost => "≤",
    };
    let runs = report.stages.iter().any(|stage| stage.name == criterion.stage && stage.state == StageState::Running);
    let more = match (criterion.status, criterion.more_needed) {
        (Status::Open, Some(more)) if runs => {
            Some(format!("about {} like these would settle it", report.words.counted_as(more, "more")))
        }
        _ => None,
    };
    let detectable = criterion.smallest_detectable.map(|least| {
        format!("a distance of {} from the threshold would have been seen (power 80 %)", format::value(least, unit))
    });
    let about: Vec<String> =
        [Some(criterion.definition.clone()), Some(format!("n = {}", format::count(criterion.n))), detectable]
            .into_iter()
            .flatten()
            .collect();
    let told = history(criterion);
    // The standing of an open criterion says it already.
    let every_look = match &told {
        Some(told) if told.contains("at every look") => None,
        _ => criterion_at_every_look(criterion),
    };
    let warnings = marks::warnings(&criterion.warnings);
    let notes: Vec<String> =
        [criterion.reason.clone(), told, every_look, more, warnings].into_iter().flatten().collect();
    CriterionView {
        about: about.join(" · "),
        anchor: anchor(&criterion_id(criterion)),
        stage: criterion.stage.clone(),
        label: criterion.label.clone(),
        scope: criterion.scope.clone(),
        interval: shown.as_ref().and_then(|(_, interval)| interval.clone()),
        value: shown.map(|(value, _)| value),
        n: format::count(criterion.n),
        needs: format!("{sign} {threshold}"),
        status: marks::status(criterion.status),
        note: (!notes.is_empty()).then(|| notes.join("; ")),
    }
}

/// What the evidence since then says of a stage that is over; its value stands beside it.
fn history(criterion: &Criterion) -> Option<String> {
    let standing = criterion.standing.as_ref()?;
    (standing.level.is_none() && criterion.status != Status::Met).then(|| standing.text.clone())
}
