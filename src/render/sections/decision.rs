//! Go on or not, why, and what to do next.

use serde::Serialize;

use super::super::anchors::{Link, anchor};
use super::super::marks;
use crate::report::claims::improvement_id;
use crate::report::model::{CompletionStatus, Report, Status};
use crate::report::words::{accepted_text, decision_meaning, decision_words};

#[derive(Serialize)]
pub(crate) struct DecisionView {
    class: &'static str,
    word: &'static str,
    meaning: String,
    reasons: Vec<ReasonView>,
    /// What people took upon themselves.
    accepted: Vec<Link>,
}

#[derive(Serialize)]
struct ReasonView {
    class: &'static str,
    level: &'static str,
    anchor: String,
    text: String,
}

pub(crate) fn decision(report: &Report) -> DecisionView {
    let (word, meaning) = (decision_words(report.decision.value).0, decision_meaning(report));
    let reasons: Vec<ReasonView> = report
        .decision
        .reasons
        .iter()
        .map(|reason| ReasonView {
            class: marks::level(reason.level),
            level: decision_words(reason.level).0,
            anchor: anchor(&reason.finding),
            text: reason.text.clone(),
        })
        .collect();
    let of_people = report.decision.accepted.iter();
    let accepted =
        of_people.map(|accepted| Link::new(&accepted.reason.finding, accepted_text(accepted, &report.words))).collect();
    DecisionView { class: marks::level(report.decision.value), word, meaning, reasons, accepted }
}

/// What would settle what is open, the most urgent first.
pub(crate) fn next_steps(report: &Report) -> Vec<Link> {
    report.next_steps.iter().map(|step| Link::new(&step.finding, &step.text)).collect()
}

/// Improvements, criteria and completion that nothing in the log speaks for.
pub(crate) fn not_measured(report: &Report) -> Vec<Link> {
    let improvements = report.improvements.iter().filter(|improvement| improvement.status == Status::NotMeasured);
    let mut list: Vec<Link> =
        improvements.map(|improvement| Link::new(&improvement_id(improvement), &improvement.label)).collect();
    let mut stages: Vec<&str> = Vec::new();
    for criterion in report.criteria.iter().filter(|criterion| criterion.status == Status::NotMeasured) {
        if !stages.contains(&criterion.stage.as_str()) {
            stages.push(&criterion.stage);
            list.push(Link::new(&format!("stages.{}", criterion.stage), format!("Stage {}", criterion.stage)));
        }
    }
    let open = report.completion.iter().filter(|item| {
        item.status == CompletionStatus::NotEvidenced
            && (item.id == "tests" || item.id == "validation" && report.validation.is_none())
    });
    list.extend(open.map(|item| Link::new(&format!("completion.{}", item.id), &item.label)));
    list
}
