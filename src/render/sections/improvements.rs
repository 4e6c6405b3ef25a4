//! What did the rollout improve, against what was promised?

use serde::Serialize;

use super::super::anchors::anchor;
use super::super::charts::improvement_target;
use super::super::marks::{self, Mark};
use crate::format;
use crate::metric::Unit;
use crate::report::claims::improvement_id;
use crate::report::model::{ComparisonKind, Improvement};
use crate::report::words::{improvement_at_every_look, join};

#[derive(Serialize)]
pub(crate) struct ImprovementView {
    anchor: String,
    label: String,
    definition: String,
    value: Option<String>,
    interval: Option<String>,
    target: String,
    status: Mark,
    kind: &'static str,
    n: Option<String>,
    note: Option<String>,
    /// Where the value comes from, in one line.
    about: String,
    adjusted: Option<String>,
    adjusted_interval: Option<String>,
    mix_covered: Option<String>,
    mix_changed: bool,
    /// What the split explains of it.
    same_hours: Option<String>,
    detectable: Option<String>,
}

pub(crate) fn improvement(improvement: &Improvement) -> ImprovementView {
    let ends = improvement.ci;
    let shown = improvement.value.map(|value| format::figure(value, ends, &improvement.unit));
    let kind = match improvement.kind {
        ComparisonKind::BeforeAfter => "Before and after: other things may have changed, too",
        ComparisonKind::Concurrent => "Concurrent: split at random",
        ComparisonKind::Observational => "At the same time, but not split at random",
    };
    let n = improvement.n.map(|[reference, candidate]| {
        format!(
            "n = {} ({}) and {} ({})",
            format::count(reference),
            improvement.reference,
            format::count(candidate),
            improvement.candidate
        )
    });
    let method = improvement.interval_method.map(|used| format!("interval: {}", marks::method(used)));
    let about: Vec<String> = [Some(improvement.definition.clone()), n.clone(), method, Some(kind.to_owned())]
        .into_iter()
        .flatten()
        .collect();
    let same_hours = improvement.same_hours.as_ref().map(|same| {
        let estimate = format::estimate(same.value, same.ci, &improvement.unit);
        format!("in the same hours {estimate}")
    });
    let split = improvement.same_hours.as_ref().map(|same| format!("same hours: {}", join(&same.stages, "and")));
    let every_look = improvement_at_every_look(improvement);
    let warnings = marks::warnings(&improvement.warnings);
    let trial = improvement.trial.then(|| "on trial: it does not decide".to_owned());
    let notes: Vec<String> =
        [trial, improvement.reason.clone(), split, every_look, warnings].into_iter().flatten().collect();
    let adjusted =
        improvement.adjusted.as_ref().map(|adjusted| format::figure(adjusted.value, adjusted.ci, &improvement.unit));
    ImprovementView {
        about: about.join(" · "),
        adjusted: adjusted.as_ref().map(|(value, _)| value.clone()),
        adjusted_interval: adjusted.and_then(|(_, interval)| interval),
        mix_covered: improvement.adjusted.as_ref().map(|adjusted| format::value(adjusted.mix_covered, &Unit::Fraction)),
        mix_changed: improvement.mix_changed,
        detectable: improvement
            .smallest_detectable
            .map(|least| format!("a change of {} would have been seen", format::value(least, &improvement.unit))),
        anchor: anchor(&improvement_id(improvement)),
        label: improvement.label.clone(),
        definition: improvement.definition.clone(),
        interval: shown.as_ref().and_then(|(_, interval)| interval.clone()),
        value: shown.map(|(value, _)| value),
        target: improvement_target(improvement),
        status: marks::status(improvement.status),
        kind,
        n,
        same_hours,
        note: (!notes.is_empty()).then(|| notes.join("; ")),
    }
}
