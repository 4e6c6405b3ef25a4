//! What to do next: for each thing that speaks against going on, the step that would settle it. Derived
//! from findings, and marked as such beside what people wrote.

use super::decision::Judged;
use super::figure::NOTHING;
use crate::config::Plan;
use crate::format;
use crate::report::claims::criterion_id;
use crate::report::model::{
    CompletionStatus, Criterion, Decision, DecisionValue, Finding, NextStep, Severity, SplitStatus, StageState, Status,
    TriggerSeverity,
};
use crate::schema::record::{MEMORY, Words};

/// Steps that are told; further ones stand with their findings.
const MOST_STEPS: usize = 8;
/// Criteria that one step names.
const NAMES_TOLD: usize = 3;

/// The steps, the most urgent first.
pub(super) fn next_steps(plan: &Plan, judged: &Judged<'_>, decision: &Decision) -> Vec<NextStep> {
    let words = &plan.schema.words;
    let mut steps = Vec::new();
    if decision.value == DecisionValue::Rollback {
        let finding = decision.reasons.first().map_or("decision", |reason| reason.finding.as_str());
        steps.push(step(finding, "Roll the last stage back, and find the cause before it starts again."));
    }
    steps.extend(log_errors(words, judged));
    steps.extend(incidents(judged));
    steps.extend(splits(words, judged));
    // Causes before what follows from them.
    steps.extend(fallbacks(words, judged));
    steps.extend(missed(judged));
    steps.extend(regressions(judged));
    steps.extend(mix(words, judged));
    steps.extend(unsettled(words, judged));
    steps.extend(unmeasured(plan, judged));
    steps.extend(evidence(plan, judged));
    if steps.is_empty() && decision.value == DecisionValue::Go {
        steps.push(step("decision", "Nothing is open. Keep the log running: the next report compares with this one."));
    }
    steps.truncate(MOST_STEPS);
    steps
}

fn step(finding: &str, text: impl Into<String>) -> NextStep {
    NextStep { finding: finding.into(), text: text.into() }
}

/// No figure is better than its log: what fails the data-quality gate comes first.
fn log_errors(words: &Words, judged: &Judged<'_>) -> Vec<NextStep> {
    let errors = judged.quality.findings.iter().filter(|finding| finding.severity == Severity::Error);
    let of = |finding: &Finding| {
        let (kind, about) = {
            let id = finding.id.trim_start_matches("data_quality.");
            id.split_once('.').unwrap_or((id, ""))
        };
        let text = match kind {
            "treated_baseline" => format!(
                "Find out why stage {about} holds {} of {}: an earlier attempt, or a stage event that is missing?",
                words.many, words.treated
            ),
            "unnamed_timeouts" => {
                "Add the names that look like timeouts to [analysis] timeout_errors, and report again.".into()
            }
            "durations_beyond_the_log" | "other_unit" => {
                "Find out in which unit duration_ms is written: until then no latency and no throughput can be used."
                    .into()
            }
            "outage" => "Ask whether the service was down or its log was lost, and say so in a note.".into(),
            "two_rollouts" => "Read the lines of one rollout alone: --keep 'service == \"…\"'.".into(),
            "contradictions" => "Ask whether what names an error succeeded, and let the logger say so.".into(),
            "rejected_events" => "Mend the line of the lost stage event, or place its stage with from and to.".into(),
            "unknown_stage" => format!("Add a stage of {about} % to [[stages]], or correct the event."),
            "read_twice" => "Give each log once: take one of the two names out of [input] files.".into(),
            "loss" => format!("Get {about} again, whole."),
            "rejected_share" => "Mend the lines that were rejected: they are named under data quality.".into(),
            _ => return None,
        };
        Some(step(&finding.id, text))
    };
    errors.filter_map(of).collect()
}

fn incidents(judged: &Judged<'_>) -> Option<NextStep> {
    let fired = |severity| judged.triggers.iter().find(|trigger| trigger.fired && trigger.severity == severity);
    let trigger = fired(TriggerSeverity::Rollback).or(fired(TriggerSeverity::Review))?;
    let text = format!(
        "Explain the incident in stage {} of {}.",
        trigger.stage,
        judged.plan.schema.words.period(&trigger.from, &trigger.to)
    );
    Some(step(&trigger.id, text))
}

fn splits(words: &Words, judged: &Judged<'_>) -> Option<NextStep> {
    let stage = judged.stages.iter().find(|stage| stage.split.status == SplitStatus::Mismatch)?;
    let text = format!(
        "Find out why stage {} was not split as set: until then {} against {} proves nothing there.",
        stage.name, words.control, words.treated
    );
    Some(step(&format!("data_quality.split.{}", stage.name), text))
}

fn missed(judged: &Judged<'_>) -> Vec<NextStep> {
    let decides = |criterion: &&Criterion| {
        criterion.standing.as_ref().is_some_and(|standing| standing.level == Some(DecisionValue::NoGo))
    };
    let criteria = judged.criteria.iter().filter(|criterion| criterion.status == Status::NotMet).filter(decides);
    let names: Vec<String> = criteria
        .clone()
        .map(|criterion| format!("{} at {}", criterion.label.to_lowercase(), criterion.stage))
        .collect();
    let mut steps = Vec::new();
    if let Some(first) = criteria.clone().next() {
        let finding = criterion_id(first);
        let more = match names.len().saturating_sub(NAMES_TOLD) as u64 {
            0 => String::new(),
            more => format!(" and {} more", format::count(more)),
        };
        let told = names[..names.len().min(NAMES_TOLD)].join(", ");
        steps.push(step(&finding, format!("Mend what missed its criterion: {told}{more}.")));
    }
    let improvements: Vec<&str> = judged
        .improvements
        .iter()
        .filter(|improvement| improvement.decides() && improvement.status == Status::NotMet)
        .map(|improvement| improvement.id.as_str())
        .collect();
    if let Some(first) = improvements.first() {
        let names = improvements.join(", ").replace('_', " ");
        let text = format!("Decide whether the rollout is worth it without its target: {names}.");
        steps.push(step(&format!("improvements.{first}"), text));
    }
    steps
}

fn regressions(judged: &Judged<'_>) -> Option<NextStep> {
    let comparison = judged.comparisons.iter().find(|comparison| comparison.regression)?;
    let (dimension, name) = comparison.segment.iter().next()?;
    let text = format!("Look at {} {name} first: it got worse while others did not.", dimension.replace('_', " "));
    Some(step(&format!("comparisons.{}", comparison.id), text))
}

fn fallbacks(words: &Words, judged: &Judged<'_>) -> Option<NextStep> {
    let stage =
        judged.intention_to_treat.iter().filter(|stage| stage.above_limit).max_by_key(|stage| stage.fallbacks)?;
    let text = format!(
        "Find out why {} of stage {} fell back to {}.",
        words.counted(stage.fallbacks),
        stage.stage,
        words.control
    );
    Some(step(&format!("fallbacks.{}", stage.stage), text))
}

fn mix(words: &Words, judged: &Judged<'_>) -> Option<NextStep> {
    let improvement =
        judged.improvements.iter().find(|improvement| improvement.mix_changed && improvement.decides())?;
    let text = format!(
        "Read the mix-adjusted figures: the {} of the final stage are not like those of the baseline.",
        words.many
    );
    Some(step(&format!("improvements.{}", improvement.id), text))
}

/// Open criteria: the largest number of further uploads settles all of them.
fn unsettled(words: &Words, judged: &Judged<'_>) -> Option<NextStep> {
    // A stage that is over collects no more.
    let runs = |criterion: &&Criterion| {
        judged.stages.iter().any(|stage| stage.name == criterion.stage && stage.state == StageState::Running)
    };
    let open =
        judged.criteria.iter().filter(|criterion| criterion.status == Status::Open && !criterion.trial).filter(runs);
    let (criterion, more) = open
        .filter_map(|criterion| criterion.more_needed.map(|more| (criterion, more)))
        .max_by_key(|(_, more)| *more)?;
    let text = format!(
        "Collect about {} in stage {}: {} is open after {}.",
        words.counted_as(more, "more"),
        criterion.stage,
        criterion.label.to_lowercase(),
        format::count(criterion.n)
    );
    Some(step(&criterion_id(criterion), text))
}

fn unmeasured(plan: &Plan, judged: &Judged<'_>) -> Vec<NextStep> {
    let mut steps = Vec::new();
    let memory = judged.improvements.iter().find(|improvement| {
        plan.metrics.find(&improvement.metric).is_some_and(|metric| metric.estimator.measure() == Some(MEMORY))
            && improvement.decides()
            && improvement.status == Status::NotMeasured
    });
    if let Some(memory) = memory {
        let text = format!(
            "Log memory_mb with every {} (or memory_sample events): without it the memory target cannot be judged.",
            plan.schema.words.one
        );
        steps.push(step(&format!("improvements.{}", memory.id), text));
    }
    let empty = judged.criteria.iter().find(|criterion| {
        !criterion.trial && criterion.status == Status::NotMeasured && criterion.reason.as_deref() == Some(NOTHING)
    });
    if let Some(criterion) = empty {
        let text = format!(
            "Stage {} has no {} in this log: add its files, or run it.",
            criterion.stage, plan.schema.words.many
        );
        steps.push(step(&criterion_id(criterion), text));
    }
    steps
}

fn evidence(plan: &Plan, judged: &Judged<'_>) -> Vec<NextStep> {
    let missing = judged.completion.iter().filter(|item| item.status != CompletionStatus::Met);
    missing
        .filter_map(|item| {
            let text = match item.id.as_str() {
                "tests" => "Bring the test results: completion asks for them.".to_owned(),
                "file_types" | "providers" | "file_sizes" | "dimensions" => format!("Run end-to-end {}: {}.", plan.schema.words.many, item.evidence),
                "validation" => match judged.validation {
                    Some(review) if !review.current => "Bundle again and ask the reviewer again: the figures have changed.".to_owned(),
                    Some(_) => "Settle what the external reviewer objects to.".to_owned(),
                    None => format!(
                        "Send `stagegate bundle` to the external reviewer{} and record the answer with `stagegate validation record`.",
                        plan.validation.consultation_id.as_ref().map(|id| format!(" (consultation {id})")).unwrap_or_default()
                    ),
                },
                _ => return None,
            };
            Some(step(&format!("completion.{}", item.id), text))
        })
        .collect()
}
