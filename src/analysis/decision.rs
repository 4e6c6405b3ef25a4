//! Go on or not (methodology 11): the worst of all reasons, each with the finding it comes from.

use super::gates::Progress;
use super::validation::is_open;
use crate::config::Plan;
use crate::cube::slice::Arm;
use crate::format;
use crate::metric::{Better, Unit};
use crate::report::claims::improvement_id;
use crate::report::model::{
    Answer, Attempt, AttemptEnd, Comparison, Completion, CompletionStatus, Criterion, DataQuality, Decision,
    DecisionValue, ErrorType, Gate, Headline, Improvement, IntentionToTreat, Reason, Regressions, SameHours, Severity,
    SplitStatus, Stage, Status, Trigger, TriggerSeverity, Validation,
};
use crate::report::words::{answer_text, attempt_text, improvement_at_every_look, join, status_word};
use crate::schema::record::Words;
use stagegate_stats::Interval;

/// Completion criteria that may speak against going on by themselves; the others are judged by what they are read off.
const EVIDENCE: [&str; 7] =
    ["deployment", "tests", "file_types", "providers", "file_sizes", "dimensions", "validation"];

/// What the decision is made of.
pub(super) struct Judged<'a> {
    pub plan: &'a Plan,
    pub progress: Progress,
    pub attempts: &'a [Attempt],
    pub stages: &'a [Stage],
    pub criteria: &'a [Criterion],
    pub improvements: &'a [Improvement],
    pub comparisons: &'a [Comparison],
    pub regressions: &'a Regressions,
    /// Those that rose first.
    pub error_types: &'a [ErrorType],
    pub headlines: &'a [Headline],
    pub intention_to_treat: &'a [IntentionToTreat],
    pub triggers: &'a [Trigger],
    /// RFC 3339; what came before it is history.
    pub last_rollback_at: Option<&'a str>,
    pub quality: &'a DataQuality,
    pub completion: &'a [Completion],
    pub validation: Option<&'a Validation>,
}

/// The decision and every reason that speaks against `go`, the worst first.
pub(super) fn decide(judged: &Judged<'_>) -> Decision {
    // Causes before what follows from them.
    let mut reasons: Vec<Reason> = judged.last_stage().into_iter().collect();
    reasons.extend(judged.rollback_incidents());
    reasons.extend(judged.quality());
    reasons.extend(judged.splits());
    reasons.extend(judged.fallbacks());
    reasons.extend(judged.criteria());
    reasons.extend(judged.improvements());
    reasons.extend(judged.review_incidents());
    reasons.extend(judged.unasked());
    reasons.extend(judged.regressions());
    reasons.extend(judged.to_come());
    reasons.extend(judged.evidence());
    if let Some(taken_back) = judged.taken_back() {
        // Nothing is left to take back, and why it was is the rest.
        reasons.iter_mut().for_each(|reason| reason.level = reason.level.min(DecisionValue::NoGo));
        reasons.insert(0, taken_back);
    }
    // Stable: within a level the order above stays.
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.level));
    let value = reasons.first().map_or(DecisionValue::Go, |reason| reason.level);
    Decision { value, reasons, accepted: Vec::new() }
}

pub(super) fn reason(level: DecisionValue, finding: impl Into<String>, text: impl Into<String>) -> Reason {
    Reason { level, finding: finding.into(), text: text.into() }
}

impl Judged<'_> {
    /// The last stage above 0 % that carried traffic.
    pub(super) fn last(&self) -> Option<&Stage> {
        self.stages.iter().rfind(|stage| stage.percentage > 0.0 && stage.groups.all.n > 0)
    }

    /// The attempt that is judged was taken back, and none has begun since.
    fn taken_back(&self) -> Option<Reason> {
        let attempt = self.attempts.last().filter(|attempt| attempt.end != AttemptEnd::Open)?;
        let text = format!("{}, and nothing has begun since", attempt_text(attempt, &self.plan.schema.words));
        Some(reason(DecisionValue::NoGo, format!("attempts.{}", attempt.number), text))
    }

    fn last_stage(&self) -> Option<Reason> {
        let stage = self.last()?;
        // What was treated must not surely lie below what asks for a rollback minute by minute. The old way may fail as
        // it always did: going back to it would mend nothing.
        let lowest = self.plan.triggers.success_rate_low.on()?;
        let figure = stage.groups.treated.figure("success_rate")?;
        figure.ci.filter(|ends| ends.high < lowest)?;
        let name = &stage.name;
        let baseline = self.plan.baseline().map(|baseline| &self.stages[baseline].groups.all);
        let before = baseline.and_then(|group| Some(group.figure("success_rate")?.value));
        Some(reason(
            DecisionValue::Rollback,
            format!("stages.{name}.treated.success_rate"),
            format!(
                "success rate of the last stage {name} (treated) is {}{}, surely below {}",
                format::value(figure.value, &Unit::Fraction),
                before
                    .map_or_else(String::new, |before| format!(" ({} before)", format::value(before, &Unit::Fraction))),
                format::share(lowest)
            ),
        ))
    }

    /// One reason for each stretch of time in a stage, however many triggers and scopes saw it. What was answered, and
    /// went well afterwards, is history; and so is what the control alone lived through.
    fn rollback_incidents(&self) -> Vec<Reason> {
        let last = self.last().map(|stage| stage.name.as_str());
        let mut incidents: Vec<(&Trigger, DecisionValue)> = Vec::new();
        for trigger in self.fired(TriggerSeverity::Rollback).filter(|trigger| !trigger.control_only) {
            let is_last = Some(trigger.stage.as_str()) == last;
            let level = match trigger.answer {
                // What both ways lived through alike no rollback would have mended: a person looks whether it is over.
                _ if trigger.both_arms => DecisionValue::Review,
                Some(Answer::InTime) if !is_last => continue,
                Some(Answer::InTime) => DecisionValue::Review,
                Some(Answer::Late) if !is_last => DecisionValue::Review,
                Some(Answer::Late) => DecisionValue::NoGo,
                _ if is_last => DecisionValue::Rollback,
                _ => DecisionValue::NoGo,
            };
            let same = incidents.iter_mut().find(|(known, _)| same_time(known, trigger));
            match same {
                Some(known) if known.1 < level => *known = (trigger, level),
                Some(_) => {}
                None => incidents.push((trigger, level)),
            }
        }
        incidents
            .into_iter()
            .map(|(trigger, level)| reason(level, &trigger.id, incident_text(&self.plan.schema.words, trigger)))
            .collect()
    }

    fn fired(&self, severity: TriggerSeverity) -> impl Iterator<Item = &Trigger> {
        self.triggers.iter().filter(move |trigger| trigger.fired && trigger.severity == severity)
    }

    /// Review incidents of the stage that runs, and of what was treated before it and not rolled back; beside a rollback
    /// incident of the same time they say nothing new.
    fn review_incidents(&self) -> Vec<Reason> {
        let last = self.last().map(|stage| stage.name.as_str());
        let new = |trigger: &&Trigger| !self.fired(TriggerSeverity::Rollback).any(|worse| same_time(worse, trigger));
        let history = |trigger: &Trigger| {
            trigger.answer.is_some() || self.last_rollback_at.is_some_and(|at| trigger.from.as_str() <= at)
        };
        let counts = |trigger: &&Trigger| {
            let is_last = Some(trigger.stage.as_str()) == last;
            !trigger.control_only && (is_last || trigger.scope == Arm::Treated.name() && !history(trigger))
        };
        let fired = self.fired(TriggerSeverity::Review).filter(counts).filter(new);
        fired
            .map(|trigger| reason(DecisionValue::Review, &trigger.id, incident_text(&self.plan.schema.words, trigger)))
            .collect()
    }

    /// Stages that are still to come.
    fn to_come(&self) -> Option<Reason> {
        let current = self.progress.current?;
        let names: Vec<String> = self
            .stages
            .iter()
            .skip(current + 1)
            .map(|stage| stage.name.clone())
            .filter(|_| !self.progress.finished)
            .collect();
        let first = names.first()?;
        let text = format!(
            "{} {} not begun",
            if names.len() == 1 { format!("stage {first}") } else { format!("stages {}", join(&names, "and")) },
            if names.len() == 1 { "has" } else { "have" }
        );
        Some(reason(DecisionValue::Incomplete, format!("stages.{first}"), text))
    }

    fn improvements(&self) -> Vec<Reason> {
        let mut reasons = Vec::new();
        // What no target asks for is not judged; but fewer timeouts that are other failures now are nobody's gain.
        let renamed = |improvement: &Improvement| improvement.metric == "timeout_rate" && improvement.value.is_some();
        for improvement in self.improvements.iter().filter(|improvement| improvement.target.is_none()) {
            if let Some(doubt) = improvement.reason.as_ref().filter(|_| renamed(improvement)) {
                let text = format!("timeouts fell, but {doubt}");
                reasons.push(reason(DecisionValue::Review, improvement_id(improvement), text));
            }
        }
        for improvement in self.improvements.iter().filter(|improvement| improvement.decides()) {
            let finding = improvement_id(improvement);
            if let Some(level) = self.level(improvement) {
                let value = improvement.value.map_or_else(
                    || improvement.reason.clone().unwrap_or_else(|| format::NOT_MEASURED.into()),
                    |value| format::estimate(value, improvement.ci, &improvement.unit),
                );
                let label = improvement.label.to_lowercase();
                let apart = |same: &&SameHours| same.ci.zip(improvement.ci).is_some_and(|(a, b)| a.is_apart_from(b));
                let text = match improvement.same_hours.as_ref().filter(apart) {
                    Some(same) => {
                        let explained = format::estimate(same.value, same.ci, &improvement.unit);
                        let word = status_word(improvement.status);
                        // A share of it where it is less of the same, else another story.
                        let is_part = improvement.value.is_some_and(|value| same.value < value);
                        let and = if is_part { "of which the same hours explain" } else { "and in the same hours" };
                        format!("{label} is {word}: {value} since the baseline, {and} {explained}")
                    }
                    None => {
                        let looks = improvement_at_every_look(improvement);
                        let looks = looks.map_or_else(String::new, |told| format!(", {told}"));
                        format!("{label} is {}: {value}{looks}", status_word(improvement.status))
                    }
                };
                let text = if improvement.mix_changed { format!("{text}; the mix changed, too") } else { text };
                let last = self.last().map(|stage| &stage.name);
                let fell_back =
                    self.intention_to_treat.iter().find(|told| told.above_limit && Some(&told.stage) == last);
                let text = match fell_back.and_then(|told| told.fallback_rate) {
                    Some(rate) => {
                        format!("{} of the treated fell back, and {text}", format::value(rate, &Unit::Fraction))
                    }
                    None => text,
                };
                let text = match improvement.reason.as_ref().filter(|_| improvement.value.is_some()) {
                    Some(doubt) => format!("{text}, but {doubt}"),
                    None => text,
                };
                reasons.push(reason(level, &finding, text));
            }
            if let (true, Some(adjusted), Some(value)) =
                (improvement.mix_changed && improvement.same_hours.is_none(), &improvement.adjusted, improvement.value)
            {
                let show = |value| format::value(value, &improvement.unit);
                let told = format!(
                    "the mix changed {}: {} as measured, {} with the baseline's mix",
                    improvement.label.to_lowercase(),
                    show(value),
                    show(adjusted.value)
                );
                reasons.push(reason(DecisionValue::Review, finding, told));
            }
        }
        reasons
    }

    /// Whether an improvement whose status is open, and of which nothing is in doubt, is sure to be one, and reaches its
    /// target but for chance.
    fn is_on_the_right_side(&self, improvement: &Improvement) -> bool {
        let is_ratio = improvement.unit == Unit::Ratio;
        let (Some(value), Some(target)) = (improvement.value, improvement.target) else { return false };
        let Some(ends) = improvement.ci else { return false };
        let metric = self.plan.metrics.find(&improvement.metric);
        let is_lower = is_ratio && metric.is_some_and(|metric| metric.better == Better::Lower);
        let reaches = |value: f64| match is_lower {
            true => target.max.is_some_and(|max| value <= max),
            false => target.min.is_some_and(|min| value >= min),
        };
        let sure = if is_lower { ends.high < 1.0 } else { ends.low > if is_ratio { 1.0 } else { 0.0 } };
        // What the same hours say must not surely be another story.
        let best = |ends: Interval| if is_lower { ends.low } else { ends.high };
        let within = improvement.same_hours.as_ref().and_then(|same| same.ci).is_none_or(|ends| reaches(best(ends)));
        improvement.reason.is_none() && sure && reaches(value) && within
    }

    /// What an improvement with a target decides; `None` where nothing speaks against going on.
    fn level(&self, improvement: &Improvement) -> Option<DecisionValue> {
        match improvement.status {
            Status::Met | Status::Exceeded | Status::NotJudged => None,
            // While the rollout runs its last stage has not shown all.
            Status::NotMet if !self.progress.finished => Some(DecisionValue::Review),
            Status::NotMet => Some(DecisionValue::NoGo),
            Status::NotMeasured => Some(DecisionValue::Incomplete),
            Status::Open if !self.progress.finished => Some(DecisionValue::Incomplete),
            // Surely a gain, and by the best that is known enough of one.
            Status::Open if self.is_on_the_right_side(improvement) => None,
            Status::Open => Some(DecisionValue::Review),
        }
    }

    /// What the log itself cannot be: no figure is better than its log.
    fn quality(&self) -> Vec<Reason> {
        if self.quality.gate != Gate::Failed {
            return Vec::new();
        }
        let errors = self.quality.findings.iter().filter(|finding| finding.severity == Severity::Error);
        errors.map(|finding| reason(DecisionValue::Review, &finding.id, &finding.text)).collect()
    }

    fn splits(&self) -> Vec<Reason> {
        let words = &self.plan.schema.words;
        let show = |share: Option<f64>| format::value(share.unwrap_or_default(), &Unit::Fraction);
        let told = |stage: &Stage| {
            let text = format!(
                "the traffic split of stage {} is not what was set: {} treated, {} set; {} against {} is unsafe there",
                stage.name,
                show(stage.split.observed_share),
                show(stage.split.expected_share),
                words.control,
                words.treated
            );
            reason(DecisionValue::Review, format!("data_quality.split.{}", stage.name), text)
        };
        self.stages.iter().filter(|stage| stage.split.status == SplitStatus::Mismatch).map(told).collect()
    }

    fn fallbacks(&self) -> Vec<Reason> {
        let above = self.intention_to_treat.iter().filter(|stage| stage.above_limit);
        above
            .map(|stage| {
                let text = format!(
                    "{} of the treated {} of stage {} fell back; more than {} ask for a review",
                    format::value(stage.fallback_rate.unwrap_or_default(), &Unit::Fraction),
                    self.plan.schema.words.many,
                    stage.stage,
                    format::share(stage.max_fallback_rate)
                );
                reason(DecisionValue::Review, format!("fallbacks.{}", stage.stage), text)
            })
            .collect()
    }

    /// What evidence speaks against; what is missing is a matter of completeness, told beside the decision.
    fn evidence(&self) -> Vec<Reason> {
        let asked = self.completion.iter().filter(|item| EVIDENCE.contains(&item.id.as_str()));
        // A reviewer who objects is a matter for people, not a gap.
        let objects = self.validation.is_some_and(|review| review.current && is_open(review));
        let level = |item: &Completion| match item.status {
            CompletionStatus::NotMet => Some(DecisionValue::NoGo),
            CompletionStatus::NotEvidenced if item.id == "validation" && objects => Some(DecisionValue::Review),
            CompletionStatus::Met | CompletionStatus::NotEvidenced => None,
        };
        let told = |item: &Completion| {
            let text = format!("{}: {}", item.label.to_lowercase(), item.evidence);
            Some(reason(level(item)?, format!("completion.{}", item.id), text))
        };
        asked.filter_map(told).collect()
    }
}

/// Whether two incidents of one stage touch in time.
fn same_time(a: &Trigger, b: &Trigger) -> bool {
    a.stage == b.stage && a.from <= b.to && b.from <= a.to
}

/// An incident in one sentence.
fn incident_text(words: &Words, trigger: &Trigger) -> String {
    let answer = match trigger.both_arms {
        true => format!("; {} alike: not the rollout's", words.control),
        false => answer_text(trigger).map_or_else(String::new, |answer| format!("; {answer}")),
    };
    format!(
        "{} in stage {} ({}), {}: {}{answer}",
        trigger.trigger.replace('_', " "),
        trigger.stage,
        trigger.scope,
        words.period(&trigger.from, &trigger.to),
        trigger.text
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::model::{Event, Finding, Report, Split, Standing};
    use crate::run::Run;
    use serde_json::json;

    /// The report of a small log, with nothing in it that speaks against going on.
    struct Case {
        plan: Plan,
        report: Report,
        progress: Progress,
    }

    impl Case {
        fn new() -> Self {
            let line = |second: u32| {
                let (kind, time) = (["sync", "async"][(second >= 600) as usize], 1_762_905_600 + second);
                format!(
                    "{{\"execution_type\": \"{kind}\", \"success\": true, \"duration_ms\": 200, \"timestamp\": {time}, \"memory_mb\": 9, \"provider\": \"kimi\"}}\n"
                )
            };
            let event = |percentage: u32| {
                let at = 1_762_905_600 + 600 + 4 * (percentage - 50);
                format!("{{\"event_type\": \"rollout_stage\", \"timestamp\": {at}, \"percentage\": {percentage}}}\n")
            };
            let lines: String = (0..100).map(|index| line(index * 10)).collect();
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), event(50) + &event(100) + &lines).unwrap();
            let config = "[[stages]]\nname = 'baseline'\npercentage = 0\n[[stages]]\nname = '50%'\npercentage = 50\n[[stages]]\nname = '100%'\npercentage = 100\n[targets]\nlatency_reduction = { min = 0.1 }\n[completion]\ncriteria = ['deployment', 'performance', 'validation']\n";
            let mut plan = crate::config::parse("rollout.toml", config, Default::default()).unwrap();
            plan.input.files = vec![file.path().to_str().unwrap().to_owned()];
            plan.files_from_command_line = true;
            let mut report = crate::report(&plan, "2025-11-18T12:00:00Z".into(), &Run::new(1)).unwrap();
            report.criteria.iter_mut().for_each(|criterion| criterion.standing = None);
            for improvement in &mut report.improvements {
                improvement.status = improvement.target.map_or(Status::NotJudged, |_| Status::Met);
                (improvement.mix_changed, improvement.reason) = (false, None);
            }
            report.triggers.clear();
            report.comparisons.iter_mut().for_each(|comparison| comparison.regression = false);
            report.completion.iter_mut().for_each(|item| item.status = CompletionStatus::Met);
            report.data_quality.gate = Gate::Passed;
            report.stages.iter_mut().for_each(|stage| stage.split.status = SplitStatus::Ok);
            Self { plan, report, progress: Progress { current: Some(2), finished: true } }
        }

        fn decide(&self) -> Decision {
            let Self { plan, report, progress } = self;
            decide(&Judged {
                headlines: &report.headlines,
                plan,
                attempts: &report.attempts,
                progress: *progress,
                stages: &report.stages,
                criteria: &report.criteria,
                improvements: &report.improvements,
                comparisons: &report.comparisons,
                regressions: &report.regressions,
                error_types: &report.error_types,
                intention_to_treat: &report.intention_to_treat,
                triggers: &report.triggers,
                last_rollback_at: report
                    .events
                    .iter()
                    .rfind(|event| event.event_type == "rollback")
                    .map(|event| event.at.as_str()),
                quality: &report.data_quality,
                completion: &report.completion,
                validation: report.validation.as_ref(),
            })
        }

        /// The one reason, as `level finding: text`.
        #[track_caller]
        fn only(&self) -> String {
            let Decision { value, reasons, .. } = self.decide();
            assert_eq!(reasons.len(), 1, "{reasons:?}");
            assert_eq!(value, reasons[0].level);
            format!("{:?} {}: {}", value, reasons[0].finding, reasons[0].text.replace('\u{202f}', " "))
        }

        fn fire(&mut self, severity: TriggerSeverity, stage: &str, minutes: [u32; 2], answer: Option<Answer>) {
            let at = |minute: u32| format!("2025-11-12T08:{minute:02}:00Z");
            self.report.triggers.push(Trigger {
                id: format!("triggers.{stage}.{}", self.report.triggers.len()),
                trigger: "success_rate_low".into(),
                severity,
                fired: true,
                stage: stage.into(),
                scope: "all".into(),
                from: at(minutes[0]),
                to: at(minutes[1]),
                first_fired_at: Some(at(minutes[1])),
                windows: 1,
                worst: 0.5,
                threshold: 0.95,
                n: 40,
                p_value: Some(1e-9),
                answer,
                answered_after_seconds: Some(60.0),
                control_only: false,
                both_arms: false,
                text: "down to 50 %".into(),
            });
        }

        fn levels(&self) -> Vec<DecisionValue> {
            self.decide().reasons.iter().map(|reason| reason.level).collect()
        }
    }

    use DecisionValue::{Incomplete, NoGo, Review, Rollback};

    #[test]
    fn nothing_against_it_is_a_go() {
        assert_eq!(
            Case::new().decide(),
            Decision { value: DecisionValue::Go, reasons: Vec::new(), accepted: Vec::new() }
        );
    }

    #[test]
    fn a_last_stage_surely_below_the_rollback_threshold_is_rolled_back() {
        let mut case = Case::new();
        let set = |case: &mut Case, stage: usize, treated: bool, high: f64| {
            let groups = &mut case.report.stages[stage].groups;
            let group = if treated { &mut groups.treated } else { &mut groups.all };
            let figure = group.figures.get_mut("success_rate").unwrap().as_mut().unwrap();
            (figure.value, figure.ci) = (0.9, Interval::new(0.8, high));
        };
        // Of an earlier stage it is history; at the threshold it is not sure.
        set(&mut case, 0, false, 0.94);
        set(&mut case, 1, true, 0.94);
        set(&mut case, 2, true, 0.95);
        assert_eq!(case.levels(), []);
        // The old way may fail as it always did.
        set(&mut case, 2, false, 0.949);
        assert_eq!(case.levels(), []);
        set(&mut case, 2, true, 0.949);
        assert_eq!(
            case.only(),
            "Rollback stages.100%.treated.success_rate: success rate of the last stage 100% (treated) is 90.00 % (90.00 % before), surely below 95 %"
        );
        case.report.stages[2].groups.all.n = 0;
        assert!(case.only().starts_with("Rollback stages.50%.treated"));
        case.report.stages[1].groups.all.n = 0;
        assert_eq!(case.levels(), [], "the baseline is no stage to roll back");
        let mut off = Case::new();
        set(&mut off, 2, true, 0.5);
        let config = "[triggers]\nsuccess_rate_low = false\n";
        off.plan = crate::config::parse("rollout.toml", config, Default::default()).unwrap();
        assert_eq!(off.levels(), []);
    }

    #[test]
    fn an_incident_weighs_by_its_answer_and_its_stage() {
        let of = |stage: &str, answer| {
            let mut case = Case::new();
            case.fire(TriggerSeverity::Rollback, stage, [10, 15], Some(answer));
            case.only()
        };
        assert!(
            of("100%", Answer::InTime).starts_with("Review triggers.100%.0: success rate low in stage 100% (all), ")
        );
        assert!(of("100%", Answer::InTime).ends_with(": down to 50 %; rolled back after 1 min, in time"));
        assert!(of("100%", Answer::Late).starts_with("NoGo "));
        assert!(of("100%", Answer::None).starts_with("Rollback "));
        assert!(of("50%", Answer::None).starts_with("NoGo "));
        assert!(of("50%", Answer::Late).starts_with("Review "));
        // What was answered, and went on well, is history; and so is what the control alone lived through.
        let mut case = Case::new();
        case.fire(TriggerSeverity::Rollback, "50%", [10, 15], Some(Answer::InTime));
        case.fire(TriggerSeverity::Review, "50%", [30, 35], None);
        case.fire(TriggerSeverity::Rollback, "100%", [10, 15], Some(Answer::None));
        case.report.triggers[2].control_only = true;
        assert_eq!(case.levels(), []);
        // What was treated and never rolled back is looked at, wherever it was.
        case.report.triggers[1].scope = "treated".into();
        assert_eq!(case.levels(), [Review]);
        let at = case.report.triggers[1].from.clone();
        case.report.events.push(Event { at, event_type: "rollback".into(), text: String::new() });
        assert_eq!(case.levels(), []);
    }

    #[test]
    fn what_touches_in_time_and_stage_is_one_incident_as_bad_as_its_worst() {
        let mut case = Case::new();
        case.fire(TriggerSeverity::Rollback, "100%", [10, 15], Some(Answer::InTime));
        case.fire(TriggerSeverity::Rollback, "100%", [15, 20], Some(Answer::Late));
        case.fire(TriggerSeverity::Rollback, "100%", [16, 18], Some(Answer::InTime));
        case.fire(TriggerSeverity::Review, "100%", [12, 30], None);
        assert!(case.only().starts_with("NoGo triggers.100%.1"));
        // Apart in time, or in another stage, it is another; reviews stand behind.
        case.fire(TriggerSeverity::Review, "100%", [40, 50], None);
        case.fire(TriggerSeverity::Rollback, "100%", [30, 35], Some(Answer::InTime));
        case.fire(TriggerSeverity::Rollback, "50%", [10, 15], Some(Answer::Late));
        assert_eq!(case.levels(), [NoGo, Review, Review, Review]);
        // Equally bad: the first is told.
        let mut equal = Case::new();
        equal.fire(TriggerSeverity::Rollback, "100%", [10, 15], Some(Answer::Late));
        equal.fire(TriggerSeverity::Rollback, "100%", [10, 15], Some(Answer::Late));
        assert!(equal.only().starts_with("NoGo triggers.100%.0"));
        case.report.triggers.iter_mut().for_each(|trigger| trigger.fired = false);
        assert_eq!(case.levels(), []);
    }

    #[test]
    fn criteria_and_improvements_weigh_by_their_status() {
        for (status, level) in [(Status::NotMet, NoGo), (Status::Open, Review), (Status::NotMeasured, Incomplete)] {
            let mut case = Case::new();
            let latency = case.report.improvements.iter_mut().find(|improvement| improvement.target.is_some()).unwrap();
            latency.status = status;
            assert!(
                case.only().starts_with(&format!("{level:?} improvements.latency_reduction: latency reduction is "))
            );
        }
        let mut case = Case::new();
        let stand = |case: &mut Case, level| {
            case.report.criteria[0].standing = Some(Standing { level, text: "told".into() });
        };
        stand(&mut case, None);
        assert_eq!(case.levels(), [], "a note does not decide");
        stand(&mut case, Some(NoGo));
        assert_eq!(case.only(), "NoGo criteria.50%.success_rate: told");
        stand(&mut case, None);
        // While the rollout runs, its last stage has not shown all.
        case.progress.finished = false;
        let latency = case.report.improvements.iter_mut().find(|improvement| improvement.target.is_some()).unwrap();
        latency.status = Status::Open;
        assert!(case.only().starts_with("Incomplete improvements.latency_reduction"));
        let mut case = Case::new();
        case.progress = Progress { current: Some(1), finished: false };
        assert_eq!(case.only(), "Incomplete stages.100%: stage 100% has not begun");
        let mut case = Case::new();
        // What has no target is not judged, whatever its status.
        let untold = case.report.improvements.iter_mut().find(|improvement| improvement.target.is_none()).unwrap();
        (untold.status, untold.mix_changed) = (Status::NotMet, true);
        assert_eq!(case.levels(), []);
        untold_timeouts(&mut case);
        assert_eq!(case.only(), "Review improvements.timeout_reduction: timeouts fell, but others rose");
    }

    fn untold_timeouts(case: &mut Case) {
        let timeouts = case.report.improvements.iter_mut().find(|improvement| improvement.metric == "timeout_rate");
        let timeouts = timeouts.unwrap();
        (timeouts.value, timeouts.reason) = (Some(1.0), Some("others rose".into()));
    }

    #[test]
    fn a_headline_that_the_mix_moved_asks_for_a_review() {
        let mut case = Case::new();
        let latency = case.report.improvements.iter_mut().find(|improvement| improvement.target.is_some()).unwrap();
        latency.value = Some(0.5);
        latency.adjusted = serde_json::from_value(json!({"value": 0.2, "ci": null, "mix_covered": 1.0})).unwrap();
        latency.mix_changed = true;
        assert_eq!(
            case.only(),
            "Review improvements.latency_reduction: the mix changed latency reduction: 50.00 % as measured, 20.00 % with the baseline's mix"
        );
    }

    #[test]
    fn a_wrong_split_and_a_failed_gate_ask_for_a_review() {
        let mut case = Case::new();
        case.report.stages[1].split = Split {
            expected_share: Some(0.5),
            observed_share: Some(0.6),
            p_value: Some(1e-9),
            status: SplitStatus::Mismatch,
        };
        assert!(case.only().starts_with(
            "Review data_quality.split.50%: the traffic split of stage 50% is not what was set: 60.00 % treated, 50.00 % set"
        ));
        let mut case = Case::new();
        let finding = |severity, id: &str| Finding { id: id.into(), severity, text: "told".into() };
        case.report.data_quality.findings = vec![finding(Severity::Warning, "a"), finding(Severity::Error, "b")];
        assert_eq!(case.levels(), [], "the gate has passed");
        case.report.data_quality.gate = Gate::Failed;
        assert_eq!(case.only(), "Review b: told");
    }

    #[test]
    fn regressions_are_one_reason_and_fallbacks_one_a_stage() {
        let mut case = Case::new();
        let mut worse = case.report.comparisons[0].clone();
        (worse.id, worse.regression) = ("x".into(), true);
        worse.segment = [("file_type".to_owned(), "csv".to_owned())].into();
        worse.metric = "success_rate".into();
        case.report.comparisons.extend([worse.clone(), worse]);
        case.report.regressions.found = vec!["x".into(), "x".into()];
        assert_eq!(
            case.only(),
            "Review comparisons.x: 2 segment figures worse by more than 5 %: file type csv, success rate 1.00× (0.84 to 1.06) (baseline/all to 50%/treated), file type csv, success rate 1.00× (0.84 to 1.06) (baseline/all to 50%/treated)"
        );
        let mut case = Case::new();
        let stage = |above_limit: bool| json!({"stage": "50%", "fallbacks": 5, "fallback_rate": 0.25, "above_limit": above_limit, "max_fallback_rate": 0.05, "figures": [], "text": ""});
        case.report.intention_to_treat = serde_json::from_value(json!([stage(false), stage(true)])).unwrap();
        assert_eq!(
            case.only(),
            "Review fallbacks.50%: 25.00 % of the treated uploads of stage 50% fell back; more than 5 % ask for a review"
        );
    }

    #[test]
    fn missing_evidence_decides_nothing_and_an_objection_asks_for_a_review() {
        let mut case = Case::new();
        let item = |case: &mut Case, id: &str, status| {
            let item = case.report.completion.iter_mut().find(|item| item.id == id).unwrap();
            (item.status, item.label, item.evidence) = (status, "Label".into(), "why".into());
        };
        // Improvements speak for themselves.
        item(&mut case, "performance", CompletionStatus::NotMet);
        assert_eq!(case.levels(), []);
        item(&mut case, "deployment", CompletionStatus::NotMet);
        assert_eq!(case.only(), "NoGo completion.deployment: label: why");
        item(&mut case, "deployment", CompletionStatus::NotEvidenced);
        assert_eq!(case.levels(), []);
        item(&mut case, "validation", CompletionStatus::NotEvidenced);
        let review = |verdict: &str, current: bool| {
            json!({"consultation_id": null, "verdict": verdict, "bundle": "sha256:ab", "recorded_at": "2025-11-18T12:00:00Z", "current": current,
                "agreed": 1, "disagreed": 0, "cannot_tell": 0, "not_answered": 0, "claims": [], "questions": [], "objections": [], "file": "r.md"})
        };
        for (verdict, current, levels) in [
            ("approved_with_objections", true, &[Review][..]),
            ("approved_with_objections", false, &[]),
            ("approved", true, &[]),
        ] {
            case.report.validation = serde_json::from_value(review(verdict, current)).unwrap();
            assert_eq!(case.levels(), levels, "{verdict}");
        }
    }

    #[test]
    fn the_worst_reason_decides_and_comes_first() {
        let mut case = Case::new();
        let standing = |level| Some(Standing { level: Some(level), text: "told".into() });
        (case.report.criteria[0].standing, case.report.criteria[1].standing) = (standing(Review), standing(NoGo));
        case.fire(TriggerSeverity::Rollback, "100%", [10, 15], Some(Answer::None));
        assert_eq!(case.levels(), [Rollback, NoGo, Review]);
        assert_eq!(case.decide().value, Rollback);
    }
}
