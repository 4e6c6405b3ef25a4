//! What findings are called. A leaf beside the model: whoever judges and whoever shows use the same words.

use super::model::{
    Accepted, Answer, Attempt, AttemptEnd, Comparison, CompletionStatus, Criterion, DecisionValue, Improvement, Input,
    LeftOutInterval, Report, Status, Trigger,
};
use crate::format;
use crate::metric::Unit;
use crate::schema::record::Words;
use stagegate_stats::Interval;

/// The one word of a status.
pub fn status_word(status: Status) -> &'static str {
    match status {
        Status::Met => "met",
        Status::Exceeded => "exceeded",
        Status::NotMet => "not met",
        Status::Open => "open",
        Status::NotMeasured => format::NOT_MEASURED,
        Status::NotJudged => "no target",
    }
}

/// The dimensions along which segments were compared, as a sentence calls them.
pub fn dimensions(comparisons: &[Comparison]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in comparisons.iter().flat_map(|comparison| comparison.segment.keys()) {
        let name = name.replace('_', " ");
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// `a, b and c`, or with another last word.
pub fn join(words: &[String], last_word: &str) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [head @ .., last] => format!("{} {last_word} {last}", head.join(", ")),
    }
}

/// The one word of a completion criterion's status.
pub fn completion_word(status: CompletionStatus) -> &'static str {
    match status {
        CompletionStatus::Met => "met",
        CompletionStatus::NotMet => "not met",
        CompletionStatus::NotEvidenced => "no evidence",
    }
}

/// What a decision means, in words.
pub fn decision_words(value: DecisionValue) -> (&'static str, &'static str) {
    match value {
        DecisionValue::Go => ("Go", "nothing speaks against going on"),
        DecisionValue::Incomplete => ("Incomplete", "nothing bad was seen, and not all is in yet"),
        DecisionValue::Review => ("Review", "a person must look before the rollout goes on"),
        DecisionValue::NoGo => ("No go", "the rollout must not go on as it is"),
        DecisionValue::Rollback => ("Roll back", "the last stage must be taken back"),
    }
}

/// What the decision means for a rollout that is where this one is.
pub fn decision_meaning(report: &Report) -> String {
    if let Some(day) = &report.day {
        return match report.decision.value {
            DecisionValue::Go => format!("nothing on this day speaks against going on, at stage {}", day.stage),
            DecisionValue::Incomplete => "nothing bad was seen on this day, and not all could be measured".into(),
            DecisionValue::Review => "a person must look at this day".into(),
            DecisionValue::NoGo => "the rollout must not go on as it was on this day".into(),
            DecisionValue::Rollback => format!("stage {} must be taken back", day.stage),
        };
    }
    let treated = report.stages.iter().rposition(|stage| stage.percentage > 0.0 && stage.groups.treated.n > 0);
    let (Some(now), DecisionValue::Go | DecisionValue::Review | DecisionValue::NoGo) = (treated, report.decision.value)
    else {
        return decision_words(report.decision.value).1.into();
    };
    // Of a rollout that was asked about as it stood at a stage, later stages are left out.
    let is_all = report.stages[now].percentage >= 100.0;
    match (report.decision.value, report.stages.get(now + 1)) {
        (DecisionValue::Go, Some(next)) => format!("go on to stage {}", next.name),
        (DecisionValue::Go, None) if is_all => format!("keep it at {}", format::share(1.0)),
        (DecisionValue::Go, None) => format!("go on from stage {}", report.stages[now].name),
        (DecisionValue::Review, None) if is_all => "a person must look before it is kept".into(),
        (DecisionValue::NoGo, None) if is_all => "the rollout must not be kept as it is".into(),
        (value, _) => decision_words(value).1.into(),
    }
}

/// A ratio as a change, with its interval: `−41.7 %`, `−44.1 to −38.6`; what more than doubled as a multiple.
pub fn change_text(ratio: f64, ci: Option<Interval>) -> (String, Option<String>) {
    if ratio > 2.0 {
        return format::figure(ratio, ci, &Unit::Ratio);
    }
    let (value, interval) = format::figure(ratio - 1.0, ci.map(|ends| ends.scaled(|end| end - 1.0)), &Unit::Fraction);
    let sign = if ratio > 1.0 && value.chars().any(|c| c.is_ascii_digit() && c != '0') { "+" } else { "" };
    (format!("{sign}{value}"), interval)
}

/// `−90 to −80 %`, `at most −95 %`, `at least 5×`
pub fn target_text([least, most]: [Option<f64>; 2]) -> Option<String> {
    // What is to become a multiple is told as one.
    let multiple = least.or(most).is_some_and(|end| end >= 2.0);
    let sign = if multiple { "×" } else { "\u{202f}%" };
    let show = |ratio: f64| {
        if multiple { format::plain(ratio) } else { format::plain((ratio - 1.0) * 100.0) }
    };
    Some(match (least, most) {
        (Some(least), Some(most)) => format!("{} to {}{sign}", show(least), show(most)),
        (Some(least), None) => format!("at least {}{sign}", show(least)),
        (None, Some(most)) => format!("at most {}{sign}", show(most)),
        (None, None) => return None,
    })
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

/// `attempt 1 was rolled back at 10% on 3 Nov 2025, 00:00 UTC (41 of 205 treated uploads had failed)`
pub fn attempt_text(attempt: &Attempt, words: &Words) -> String {
    let last = attempt.stages.last().map_or("no stage", String::as_str);
    let at = attempt.ended_at.as_deref().map_or_else(String::new, |at| format!(" on {}", words.date_time(at)));
    let end = match attempt.end {
        AttemptEnd::Open => format!("reached {last}"),
        AttemptEnd::RolledBack => format!("was rolled back at {last}{at}"),
        AttemptEnd::SteppedBack => format!("stepped back from {last}{at}"),
    };
    let failed = format::count(attempt.treated_failures);
    let of = words.counted_as(attempt.treated, "treated");
    format!("attempt {} {end} ({failed} of {of} had failed)", attempt.number)
}

/// `38 uploads of 12 Nov 2025, 05:10 to 05:55 UTC, 31 of them failed ("deploy of the proxy")`
pub fn left_out_interval_text(interval: &LeftOutInterval, words: &Words) -> String {
    let when = words.period(&interval.from, &interval.to);
    let failed = match interval.failures {
        0 => String::new(),
        failures => format!(", {} of them failed", format::count(failures)),
    };
    format!("{} of {when}{failed} ({:?})", words.counted(interval.n), interval.because)
}

/// `a gate that was not met: accepted by Ada until 1 Feb 2026, 00:00 UTC, because "known"`
pub fn accepted_text(accepted: &Accepted, words: &Words) -> String {
    let until = accepted.until.as_deref().map_or_else(String::new, |at| format!(" until {}", words.date_time(at)));
    format!(
        "{}: accepted by {}{until}, because {:?}",
        accepted.reason.text.trim_end_matches('.'),
        accepted.by,
        accepted.because
    )
}

/// Where a status is open that one look would have settled: the interval that it follows, `at every look 97.1 to 99.4 %`.
fn every_look_text(
    value: Option<f64>,
    [once, every]: [Option<Interval>; 2],
    bounds: [Option<f64>; 2],
    unit: &Unit,
) -> Option<String> {
    let (value, ends) = value.zip(every)?;
    once.filter(|once| !bounds.into_iter().flatten().any(|bound| once.holds(bound)))?;
    let (shown, interval) = format::figure(value, Some(ends), unit);
    let suffix = if shown.ends_with('%') { "\u{202f}%" } else { "" };
    interval.map(|interval| format!("at every look {interval}{suffix}"))
}

/// Of a criterion that is open, and that one look would have settled: the interval that its status follows,
/// `at every look 97.1 to 99.4 %`.
pub fn criterion_at_every_look(criterion: &Criterion) -> Option<String> {
    let Criterion { status, value, ci, ci_every_look, threshold, unit, .. } = criterion;
    (*status == Status::Open)
        .then(|| every_look_text(*value, [*ci, *ci_every_look], [Some(*threshold), None], unit))
        .flatten()
}

/// The same of an improvement.
pub fn improvement_at_every_look(improvement: &Improvement) -> Option<String> {
    let Improvement { status, value, ci, ci_every_look, target, unit, .. } = improvement;
    let bounds = target.map_or([None, None], |target| [target.min, target.max]);
    (*status == Status::Open).then(|| every_look_text(*value, [*ci, *ci_every_look], bounds, unit)).flatten()
}

impl Comparison {
    /// Whose records were compared: `provider glm`; empty where all were.
    pub fn segment_text(&self) -> String {
        let parts = self.segment.iter().map(|(dimension, name)| format!("{} {name}", dimension.replace('_', " ")));
        parts.collect::<Vec<_>>().join(", ")
    }
}

/// How a file of another format was read, and what its source leaves out.
pub fn read_as(input: &Input) -> Option<String> {
    let left_out = [(input.other_rows, "other row"), (input.other_tries, "retried row")];
    let others: String = left_out
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!(", {} left out", format::counted(count, what)))
        .collect();
    match input.format.as_str() {
        "native" if others.is_empty() => None,
        "native" => Some(others.trim_start_matches(", ").to_owned()),
        "mapping" => Some(format!("read by a mapping{others}")),
        preset => Some(format!("read as {preset}{others}")),
    }
}
