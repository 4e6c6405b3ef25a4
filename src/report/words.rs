//! What findings are called. A leaf beside the model: whoever judges and whoever shows use the same words.

use super::model::{Answer, CriterionMetric, DecisionValue, Trigger};
use crate::format;
use crate::metric::Unit;

/// What a headline improvement is called and how it is defined.
pub struct ImprovementText {
    pub label: &'static str,
    pub definition: &'static str,
    pub unit: Unit,
}

/// The words of an improvement.
pub fn improvement_text(id: &str) -> ImprovementText {
    let (label, definition, unit) = match id {
        "memory_reduction" => ("Memory reduction", "1 - mean memory(final) / mean memory(baseline)", Unit::Fraction),
        "throughput_ratio" => {
            ("Throughput ratio", "throughput_uploads_per_s(final) / throughput_uploads_per_s(baseline)", Unit::Ratio)
        }
        "latency_reduction" => {
            ("Latency reduction", "1 - headline latency(final) / headline latency(baseline)", Unit::Fraction)
        }
        "timeout_reduction" => {
            ("Timeout reduction", "1 - timeout_rate(final) / timeout_rate(baseline)", Unit::Fraction)
        }
        other => unreachable!("{other} is not a headline improvement"),
    };
    ImprovementText { label, definition, unit }
}

/// The word, label, unit and definition of a criterion's metric.
pub fn criterion_text(metric: CriterionMetric) -> (&'static str, &'static str, Unit, &'static str) {
    match metric {
        CriterionMetric::SuccessRate => ("success_rate", "Success rate", Unit::Fraction, "successes / uploads"),
        CriterionMetric::ErrorRate => ("error_rate", "Error rate", Unit::Fraction, "failures / uploads"),
        CriterionMetric::LatencyVsBaseline => {
            ("latency_vs_baseline", "Latency vs baseline", Unit::Ratio, "headline latency / that of the baseline")
        }
        CriterionMetric::Uploads => ("uploads", "Uploads", Unit::Uploads, "number of uploads"),
    }
}

/// What a decision means, in words.
pub fn decision_words(value: DecisionValue) -> (&'static str, &'static str) {
    match value {
        DecisionValue::Go => ("Go", "every target and criterion is met, and nothing speaks against going on"),
        DecisionValue::Incomplete => ("Incomplete", "nothing bad was seen, but evidence is missing"),
        DecisionValue::Review => ("Review", "a person must look before the rollout goes on"),
        DecisionValue::NoGo => ("No go", "the rollout must not go on as it is"),
        DecisionValue::Rollback => ("Roll back", "the last stage must be taken back"),
    }
}

/// How a rollback incident was answered; `None` for what needs no answer.
pub fn answer_text(trigger: &Trigger) -> Option<String> {
    let after = || trigger.answered_after_seconds.unwrap_or_default();
    Some(match trigger.answer? {
        Answer::InTime if after() == 0.0 => "rolled back before the trigger could fire".into(),
        Answer::InTime => format!("rolled back after {}, in time", format::seconds(after())),
        Answer::Late => format!("rolled back after {}, 5 minutes are allowed", format::seconds(after())),
        Answer::None => "no rollback followed".into(),
    })
}
