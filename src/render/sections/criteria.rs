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

/// The criteria as a table of their own: what is asked, by stage.
#[derive(Serialize)]
pub(crate) struct MatrixView {
    stages: Vec<String>,
    rows: Vec<MatrixRow>,
}

#[derive(Serialize)]
struct MatrixRow {
    label: String,
    /// By stage; `None` where the stage does not ask for it.
    cells: Vec<Option<MatrixCell>>,
}

#[derive(Serialize)]
struct MatrixCell {
    status: Mark,
    value: String,
    needs: String,
    trial: bool,
}

pub(crate) fn matrix(report: &Report) -> MatrixView {
    let mut stages: Vec<&str> = Vec::new();
    let mut labels: Vec<&str> = Vec::new();
    for criterion in &report.criteria {
        for (known, name) in [(&mut stages, &criterion.stage), (&mut labels, &criterion.label)] {
            if !known.contains(&name.as_str()) {
                known.push(name);
            }
        }
    }
    let cell = |label: &str, stage: &str| {
        let criterion = report.criteria.iter().find(|known| known.label == label && known.stage == stage)?;
        let value = criterion.value.map(|value| format::figure(value, criterion.ci, &criterion.unit).0);
        Some(MatrixCell {
            status: marks::status(criterion.status),
            value: value.unwrap_or_default(),
            needs: needs(criterion),
            trial: criterion.trial,
        })
    };
    let row = |label: &&str| MatrixRow {
        label: (*label).to_owned(),
        cells: stages.iter().map(|stage| cell(label, stage)).collect(),
    };
    MatrixView {
        rows: labels.iter().map(row).collect(),
        stages: stages.iter().map(|&stage| stage.to_owned()).collect(),
    }
}

/// `≥ 99.5 %`
fn needs(criterion: &Criterion) -> String {
    let sign = match criterion.direction {
        Direction::AtLeast => "≥",
        Direction::AtMost => "≤",
    };
    format!("{sign} {}", format::threshold(criterion.threshold, &criterion.unit))
}

pub(crate) fn criterion(report: &Report, criterion: &Criterion) -> CriterionView {
    let unit = &criterion.unit;
    let shown = criterion.value.map(|value| format::figure(value, criterion.ci, unit));
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
        needs: needs(criterion),
        status: marks::status(criterion.status),
        note: (!notes.is_empty()).then(|| notes.join("; ")),
    }
}

/// What the evidence since then says of a stage that is over; its value stands beside it.
fn history(criterion: &Criterion) -> Option<String> {
    let standing = criterion.standing.as_ref()?;
    (standing.level.is_none() && criterion.status != Status::Met).then(|| standing.text.clone())
}
