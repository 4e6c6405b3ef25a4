//! REQUEST.md: what the external reviewer is asked, in the reviewer's terms.

use serde::Serialize;

use super::templates::render;
use crate::format;
use crate::report::claims::{criterion_id, improvement_id};
use crate::report::model::{CompletionStatus, Criterion, Direction, Improvement, Report, Status};
use crate::report::words::{decision_meaning, decision_words, status_word};

/// What the bundle knows beside the report.
#[derive(Debug, Serialize)]
pub struct Facts {
    pub consultation_id: Option<String>,
    /// `sha256:…`
    pub bundle: String,
    /// Commit of the code; `None` where there is no code.
    pub commit: Option<String>,
    pub code_files: usize,
    pub left_out: usize,
    pub raw_logs: bool,
    pub redacted_fields: Vec<String>,
}

/// A claim that the reviewer is asked about.
#[derive(Debug, Clone, Serialize)]
pub struct AskedClaim {
    pub id: String,
    pub label: String,
    /// As the report shows it; `not measured` where it was not.
    pub value: String,
    pub interval: Option<String>,
    pub n: u64,
    /// What the plan wanted.
    pub wanted: String,
    pub status: &'static str,
    pub definition: String,
    /// Files of the bundle that it can be checked with.
    pub evidence: String,
}

/// A question that asks for judgement.
#[derive(Debug, Clone, Serialize)]
pub struct Question {
    pub id: String,
    pub text: String,
}

/// The claims to answer: the headline improvements and the stage criteria that were measured.
pub fn claims(report: &Report) -> Vec<AskedClaim> {
    let improvements = report.improvements.iter().filter_map(improvement);
    improvements.chain(report.criteria.iter().filter_map(criterion)).collect()
}

/// The tables of the cube that a metric comes from.
fn evidence(metric: &str) -> String {
    let table = match metric {
        id if id.contains("latency") => "fine",
        id if id.contains("memory") => "segments",
        id if id.contains("timeout") => "errors",
        id if id.contains("throughput") => "busy",
        _ => "segments",
    };
    format!("metrics/cube/{table}.parquet")
}

fn improvement(improvement: &Improvement) -> Option<AskedClaim> {
    let unit = &improvement.unit;
    let (value, interval) = format::figure(improvement.value?, improvement.ci, unit);
    let bound = |value: f64| format::value(value, unit);
    Some(AskedClaim {
        id: improvement_id(improvement),
        label: improvement.label.clone(),
        value,
        interval,
        n: improvement.n.map_or(0, |n| n.iter().sum()),
        wanted: match improvement.target.map(|target| (target.min, target.max)) {
            Some((Some(min), Some(max))) => format!("{} to {}", bound(min), bound(max)),
            Some((Some(min), None)) => format!("at least {}", bound(min)),
            Some((None, Some(max))) => format!("at most {}", bound(max)),
            Some((None, None)) | None => "no target was set".into(),
        },
        status: status_word(improvement.status),
        definition: improvement.definition.clone(),
        evidence: evidence(&improvement.id),
    })
}

fn criterion(criterion: &Criterion) -> Option<AskedClaim> {
    if criterion.status == Status::NotMeasured {
        return None;
    }
    let (value, interval) = format::figure(criterion.value?, criterion.ci, &criterion.unit);
    let threshold = format::value(criterion.threshold, &criterion.unit);
    let direction = match criterion.direction {
        Direction::AtLeast => "at least",
        Direction::AtMost => "at most",
    };
    Some(AskedClaim {
        id: criterion_id(criterion),
        label: format!("{}, stage {}", criterion.label, criterion.stage),
        value,
        interval,
        n: criterion.n,
        wanted: format!("{direction} {threshold}"),
        status: status_word(criterion.status),
        definition: criterion.definition.clone(),
        evidence: evidence(&criterion.metric),
    })
}

/// What was asked for and not measured.
pub fn not_measured(report: &Report) -> Vec<String> {
    let reason = |reason: &Option<String>| reason.clone().map_or_else(String::new, |reason| format!(": {reason}"));
    let improvements = report.improvements.iter().filter(|item| item.status == Status::NotMeasured);
    let criteria = report.criteria.iter().filter(|item| item.status == Status::NotMeasured);
    let completion = report
        .completion
        .iter()
        .filter(|item| item.status == CompletionStatus::NotEvidenced && item.id != "validation");
    improvements
        .map(|item| format!("{}{}", item.label, reason(&item.reason)))
        .chain(criteria.map(|item| format!("{} of stage {}{}", item.label, item.stage, reason(&item.reason))))
        .chain(completion.map(|item| format!("{}: {}", item.label, item.evidence)))
        .collect()
}

/// The questions, the same for every rollout but for what the report itself leaves open.
pub fn questions(report: &Report) -> Vec<Question> {
    let (word, _) = decision_words(report.decision.value);
    let mut texts = vec![
        format!("Does the decision \"{word}\" follow from the figures and the plan's criteria?"),
        "Baseline and final stage were measured at different times. Is there a cause other than the rollout that could explain an improvement?".to_owned(),
        format!(
            "Does the code do what the claims rest on: are fallbacks logged as such, is every {one} logged once, does its duration span the whole of it?",
            one = report.words.one
        ),
        "Do the tests exercise what the rollout changed? What is missing?".to_owned(),
    ];
    if !not_measured(report).is_empty() {
        texts.push("Is anything of what was not measured needed before the rollout can be called complete?".to_owned());
    }
    if report.triggers.iter().any(|trigger| trigger.fired) {
        texts.push("Were the incidents in the log answered as the plan demands?".to_owned());
    }
    if report.simulated.is_some() {
        texts.push("The log says that it is simulated. Is it used for anything but a demonstration?".to_owned());
    }
    texts.into_iter().zip(1..).map(|(text, number)| Question { id: format!("Q{number}"), text }).collect()
}

#[derive(Serialize)]
struct View<'a> {
    title: &'a str,
    simulated: &'a Option<String>,
    decision: (&'static str, String),
    summary: &'a [String],
    claims: &'a [AskedClaim],
    other_claims: usize,
    not_measured: Vec<String>,
    questions: &'a [Question],
    facts: &'a Facts,
}

/// The request.
pub fn markdown(report: &Report, facts: &Facts, claims: &[AskedClaim], questions: &[Question]) -> String {
    render(
        "request.md",
        &View {
            title: &report.title,
            simulated: &report.simulated,
            decision: (decision_words(report.decision.value).0, decision_meaning(report)),
            summary: &report.summary,
            claims,
            other_claims: report.claims.len().saturating_sub(claims.len()),
            not_measured: not_measured(report),
            questions,
            facts,
        },
    )
}
