//! Go on or not (methodology 11): the worst of all reasons, each with the finding it comes from.

use super::figure::rate;
use super::group::StageData;
use super::validation::is_open;
use crate::config::Plan;
use crate::cube::slice::Arm;
use crate::format;
use crate::metric::{Share, Unit};
use crate::report::claims::{criterion_id, improvement_id};
use crate::report::model::{
    Answer, Comparison, Completion, CompletionStatus, Criterion, DataQuality, Decision, DecisionValue, Gate,
    Improvement, IntentionToTreat, Reason, Regressions, Severity, SplitStatus, Stage, Status, Trigger, TriggerSeverity,
    Validation,
};
use crate::report::words::{answer_text, status_word};

/// Completion criteria whose missing evidence makes the rollout incomplete; the others are judged by
/// what they are read off.
const EVIDENCE: [&str; 6] = ["deployment", "tests", "file_types", "providers", "file_sizes", "validation"];

/// What the decision is made of.
pub(super) struct Judged<'a> {
    pub plan: &'a Plan,
    pub data: &'a [StageData],
    pub stages: &'a [Stage],
    pub criteria: &'a [Criterion],
    pub improvements: &'a [Improvement],
    pub comparisons: &'a [Comparison],
    pub regressions: &'a Regressions,
    pub intention_to_treat: &'a [IntentionToTreat],
    pub triggers: &'a [Trigger],
    pub quality: &'a DataQuality,
    pub completion: &'a [Completion],
    pub validation: Option<&'a Validation>,
}

/// The decision and every reason that speaks against `go`, the worst first.
pub(super) fn decide(judged: &Judged<'_>) -> Decision {
    let mut reasons: Vec<Reason> = judged.last_stage().into_iter().collect();
    reasons.extend(judged.rollback_incidents());
    reasons.extend(judged.criteria());
    reasons.extend(judged.improvements());
    reasons.extend(judged.review_incidents());
    reasons.extend(judged.splits_and_quality());
    reasons.extend(judged.regressions());
    reasons.extend(judged.fallbacks());
    reasons.extend(judged.evidence());
    // Stable: within a level the order above stays.
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.level));
    let value = reasons.first().map_or(DecisionValue::Go, |reason| reason.level);
    Decision { value, reasons }
}

fn reason(level: DecisionValue, finding: impl Into<String>, text: impl Into<String>) -> Reason {
    Reason { level, finding: finding.into(), text: text.into() }
}

impl Judged<'_> {
    /// The last stage that carried treated traffic.
    fn last_index(&self) -> Option<usize> {
        let reached =
            |stage: &usize| self.plan.stages[*stage].percentage > 0.0 && self.data[*stage].arm(Arm::All).uploads() > 0;
        (0..self.data.len()).rev().find(reached)
    }

    fn last_stage(&self) -> Option<Reason> {
        let stage = self.last_index()?;
        // The last stage must not surely lie below what asks for a rollback minute by minute.
        let lowest = self.plan.triggers.success_rate_low.on()?;
        let level = self.plan.analysis.level();
        let arms = [Arm::Treated, Arm::All].into_iter();
        let low = arms
            .filter_map(|arm| Some((arm, rate(self.data[stage].arm(arm), Share::Successes, level).ok()?)))
            .find(|(_, rate)| rate.interval().is_some_and(|ends| ends.high < lowest));
        let (arm, rate) = low?;
        let name = &self.plan.stages[stage].name;
        Some(reason(
            DecisionValue::Rollback,
            format!("stages.{name}.{}.success_rate", arm.name()),
            format!(
                "success rate of the last stage {name} ({}) is {}, surely below {}",
                arm.name(),
                format::value(rate.value(), Unit::Fraction),
                format::share(lowest)
            ),
        ))
    }

    /// One reason for each stretch of time in a stage, however many triggers and scopes saw it.
    fn rollback_incidents(&self) -> Vec<Reason> {
        let last = self.last_index().map(|stage| self.plan.stages[stage].name.as_str());
        let mut incidents: Vec<(&Trigger, DecisionValue)> = Vec::new();
        for trigger in self.fired(TriggerSeverity::Rollback) {
            let level = match trigger.answer {
                Some(Answer::InTime) => DecisionValue::Review,
                Some(Answer::Late) => DecisionValue::NoGo,
                _ if Some(trigger.stage.as_str()) == last => DecisionValue::Rollback,
                _ => DecisionValue::NoGo,
            };
            let same = incidents.iter_mut().find(|(known, _)| same_time(known, trigger));
            match same {
                Some(known) if known.1 < level => *known = (trigger, level),
                Some(_) => {}
                None => incidents.push((trigger, level)),
            }
        }
        incidents.into_iter().map(|(trigger, level)| reason(level, &trigger.id, incident_text(trigger))).collect()
    }

    fn fired(&self, severity: TriggerSeverity) -> impl Iterator<Item = &Trigger> {
        self.triggers.iter().filter(move |trigger| trigger.fired && trigger.severity == severity)
    }

    /// Review incidents beside a rollback incident of the same time and stage say nothing new.
    fn review_incidents(&self) -> Vec<Reason> {
        let new = |trigger: &&Trigger| !self.fired(TriggerSeverity::Rollback).any(|worse| same_time(worse, trigger));
        let fired = self.fired(TriggerSeverity::Review).filter(new);
        fired.map(|trigger| reason(DecisionValue::Review, &trigger.id, incident_text(trigger))).collect()
    }

    fn criteria(&self) -> Vec<Reason> {
        let of = |criterion: &Criterion| {
            let level = level(criterion.status)?;
            let value = criterion.value.map_or_else(
                || criterion.reason.clone().unwrap_or_else(|| format::NOT_MEASURED.into()),
                |value| format::estimate(value, criterion.ci, criterion.unit),
            );
            Some(reason(
                level,
                criterion_id(criterion),
                format!(
                    "{} of stage {} {} {}: {value}",
                    criterion.label.to_lowercase(),
                    criterion.stage,
                    // Of uploads there are many, of a rate there is one.
                    format::are(if criterion.unit == Unit::Uploads { 2 } else { 1 }),
                    status_word(criterion.status)
                ),
            ))
        };
        self.criteria.iter().filter_map(of).collect()
    }

    fn improvements(&self) -> Vec<Reason> {
        let mut reasons = Vec::new();
        for improvement in self.improvements.iter().filter(|improvement| improvement.target.is_some()) {
            let finding = improvement_id(improvement);
            if let Some(level) = level(improvement.status) {
                let value = improvement.value.map_or_else(
                    || improvement.reason.clone().unwrap_or_else(|| format::NOT_MEASURED.into()),
                    |value| format::estimate(value, improvement.ci, improvement.unit),
                );
                let label = improvement.label.to_lowercase();
                reasons.push(reason(
                    level,
                    &finding,
                    format!("{label} is {}: {value}", status_word(improvement.status)),
                ));
            }
            if let (true, Some(adjusted), Some(value)) =
                (improvement.mix_changed, &improvement.adjusted, improvement.value)
            {
                let show = |value| format::value(value, improvement.unit);
                let told = format!(
                    "the mix of files changed {}: {} as measured, {} with the baseline's mix",
                    improvement.label.to_lowercase(),
                    show(value),
                    show(adjusted.value)
                );
                reasons.push(reason(DecisionValue::Review, finding, told));
            }
        }
        reasons
    }

    fn splits_and_quality(&self) -> Vec<Reason> {
        let mut reasons = Vec::new();
        for stage in self.stages.iter().filter(|stage| stage.split.status == SplitStatus::Mismatch) {
            let show = |share: Option<f64>| format::value(share.unwrap_or_default(), Unit::Fraction);
            reasons.push(reason(
                DecisionValue::Review,
                format!("data_quality.split.{}", stage.name),
                format!(
                    "the traffic split of stage {} is not what was set: {} treated, {} set; sync against async is unsafe there",
                    stage.name,
                    show(stage.split.observed_share),
                    show(stage.split.expected_share)
                ),
            ));
        }
        if self.quality.gate == Gate::Failed {
            let errors = self.quality.findings.iter().filter(|finding| finding.severity == Severity::Error);
            reasons.extend(errors.map(|finding| reason(DecisionValue::Review, &finding.id, &finding.text)));
        }
        reasons
    }

    fn regressions(&self) -> Vec<Reason> {
        let found = self.comparisons.iter().filter(|comparison| comparison.regression);
        let told: Vec<(&Comparison, String)> = found
            .map(|comparison| {
                let segment: Vec<String> = comparison
                    .segment
                    .iter()
                    .map(|(dimension, name)| format!("{} {name}", dimension.replace('_', " ")))
                    .collect();
                (comparison, format!("{} ({})", segment.join(", "), comparison.metric))
            })
            .collect();
        let Some((first, _)) = told.first() else { return Vec::new() };
        let names: Vec<&str> = told.iter().map(|(_, name)| name.as_str()).collect();
        let text = format!(
            "{} worse by more than {}: {}",
            format::counted(self.regressions.found.len() as u64, "segment figure"),
            format::share(self.regressions.margin),
            names.join(", ")
        );
        vec![reason(DecisionValue::Review, format!("comparisons.{}", first.id), text)]
    }

    fn fallbacks(&self) -> Vec<Reason> {
        let above = self.intention_to_treat.iter().filter(|stage| stage.above_limit);
        above
            .map(|stage| {
                let text = format!(
                    "{} of the treated uploads of stage {} fell back; more than {} ask for a review",
                    format::value(stage.fallback_rate.unwrap_or_default(), Unit::Fraction),
                    stage.stage,
                    format::share(stage.max_fallback_rate)
                );
                reason(DecisionValue::Review, format!("fallbacks.{}", stage.stage), text)
            })
            .collect()
    }

    fn evidence(&self) -> Vec<Reason> {
        let asked = self.completion.iter().filter(|item| EVIDENCE.contains(&item.id.as_str()));
        asked
            .filter_map(|item| {
                let level = match item.status {
                    CompletionStatus::Met => return None,
                    CompletionStatus::NotMet => DecisionValue::NoGo,
                    CompletionStatus::NotEvidenced => DecisionValue::Incomplete,
                };
                // A reviewer who objects is a matter for people, not a gap.
                let objects = self.validation.is_some_and(|review| review.current && is_open(review));
                let level = match level {
                    DecisionValue::Incomplete if item.id == "validation" && objects => DecisionValue::Review,
                    level => level,
                };
                let text = format!("{}: {}", item.label.to_lowercase(), item.evidence);
                Some(reason(level, format!("completion.{}", item.id), text))
            })
            .collect()
    }
}

/// Whether two incidents of one stage touch in time.
fn same_time(a: &Trigger, b: &Trigger) -> bool {
    a.stage == b.stage && a.from <= b.to && b.from <= a.to
}

/// What a status means for the decision; `None` for what is met.
fn level(status: Status) -> Option<DecisionValue> {
    match status {
        Status::Met | Status::Exceeded | Status::NotJudged => None,
        Status::NotMet => Some(DecisionValue::NoGo),
        Status::Open => Some(DecisionValue::Review),
        Status::NotMeasured => Some(DecisionValue::Incomplete),
    }
}

/// An incident in one sentence.
fn incident_text(trigger: &Trigger) -> String {
    let answer = answer_text(trigger).map_or_else(String::new, |answer| format!("; {answer}"));
    format!(
        "{} in stage {} ({}), {}: {}{answer}",
        trigger.trigger.replace('_', " "),
        trigger.stage,
        trigger.scope,
        format::period(&trigger.from, &trigger.to),
        trigger.text
    )
}
