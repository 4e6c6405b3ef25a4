//! What changed, in sentences: from the baseline, so far, and within the same hours. A figure enters a sentence only as
//! a claim.

use stagegate_stats::Interval;

use super::claims::improvement_id;
use super::model::{Claim, Headline, Improvement, Reading, Report, Status};
use super::words::{change_text, join, status_word, target_text};
use crate::format;
use crate::metric::{Estimator, Metric, Share, Unit};

/// Why no improvement can be claimed where all failed.
pub const NOTHING_SUCCEEDED: &str = "nothing succeeded in the final stage";

/// Whether a sentence tells intervals, or a table beside it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digits {
    /// Neither the targets.
    ValueAlone,
    Value,
    Interval,
}

impl Digits {
    fn estimate(self, value: f64, ci: Option<Interval>, unit: &Unit) -> String {
        match self {
            Self::Value | Self::ValueAlone => format::figure(value, ci, unit).0,
            Self::Interval => format::estimate(value, ci, unit),
        }
    }

    /// A ratio, or a reduction, as the change that the table has; see [`change_text`].
    fn change(self, value: f64, ci: Option<Interval>, unit: &Unit) -> (String, Option<String>) {
        let (ratio, ends) = match unit {
            Unit::Ratio => (value, ci),
            _ => (1.0 - value, ci.map(|ends| ends.turned(|end| 1.0 - end))),
        };
        let (shown, interval) = change_text(ratio, ends);
        (shown, interval.filter(|_| self == Self::Interval))
    }
}

/// What changed from the baseline, how that stands against the targets, and what was not measured.
pub(super) fn changed(report: &Report, digits: Digits) -> Option<String> {
    let Report { claims, improvements, .. } = report;
    if improvements.iter().any(|improvement| improvement.reason.as_deref() == Some(NOTHING_SUCCEEDED)) {
        return Some("Nothing succeeded in the final stage: what fell since the baseline is no saving.".into());
    }
    let now = report.headlines.iter().find_map(|line| line.now.as_ref());
    let stage = now.and_then(|now| now.group.rsplit_once('/')).map(|(stage, _)| stage);
    if let Some(stage) = stage.filter(|stage| report.stages.last().is_some_and(|last| last.name != *stage)) {
        return so_far(report, stage, digits);
    }
    let told: Vec<String> =
        improvements.iter().filter_map(|improvement| change(report, claims, improvement, digits)).collect();
    let missing: Vec<String> = improvements
        .iter()
        .filter(|improvement| improvement.status == Status::NotMeasured)
        .map(|improvement| {
            let reason = improvement.reason.as_deref().unwrap_or("an ingredient is missing");
            format!("{} ({reason})", noun(report, improvement))
        })
        .collect();
    let measured = improvements.iter().filter(|improvement| improvement.status != Status::NotMeasured);
    let told: Vec<String> = failures(report).into_iter().chain(told).collect();
    if told.is_empty() {
        return (!missing.is_empty()).then(|| format!("Not measured: the change of {}.", join(&missing, "and")));
    }
    let mut parts = vec![format!("Compared with the baseline, {}", join(&told, "and"))];
    if digits != Digits::ValueAlone {
        parts.extend(against_targets(report, measured));
    }
    if !missing.is_empty() {
        parts.push(format!("not measured: {}", join(&missing, "and")));
    }
    Some(format!("{}.", parts.join("; ")))
}

/// How many fail, before and now.
fn failures(report: &Report) -> Option<String> {
    let metric = report.metric_by(Estimator::Rate(Share::Failures))?;
    let line = report.headlines.iter().find(|line| line.metric == metric.id)?;
    fell_or_rose(metric, line)
}

/// The values of a line in one unit, with the digits that each carries; see [`format::beside`].
pub fn before_and_now(line: &Headline, unit: &Unit) -> [Option<String>; 2] {
    let figure = |reading: &Reading| (reading.value, reading.ci);
    match (&line.before, &line.now) {
        (Some(before), Some(now)) => format::beside([figure(before), figure(now)], unit).map(Some),
        (before, now) => [before, now].map(|reading| {
            let (value, ci) = figure(reading.as_ref()?);
            Some(format::figure(value, ci, unit).0)
        }),
    }
}

/// A line of what changed without its label: `5.1 % → 0.13 %, −97.5 % (−98.5 to −96.0), in the same hours −95 %`.
pub fn line_text(metric: Option<&Metric>, line: &Headline) -> String {
    let unit = metric.map_or(&Unit::Count, |metric| &metric.unit);
    let values = match before_and_now(line, unit) {
        [Some(before), Some(now)] => format!("{before} → {now}"),
        [Some(before), None] => format!("{before} before"),
        [None, Some(now)] => format!("{now} now"),
        [None, None] => return line.reason.clone().unwrap_or_else(|| format::NOT_MEASURED.into()),
    };
    let mut parts = vec![values];
    if let Some(change) = &line.change {
        parts.push(match change_text(change.ratio, change.ci) {
            (value, Some(interval)) => format!("{value} ({interval})"),
            (value, None) => value,
        });
        parts.extend(change.target.and_then(target_text).map(|target| format!("target {target}")));
    }
    if let Some(same) = &line.same_hours {
        parts.push(format!("in the same hours {}", change_text(same.value, same.ci).0));
    }
    parts.join(", ")
}

/// `failed uploads fell from 5.1 % to 0.13 %`
fn fell_or_rose(metric: &Metric, line: &Headline) -> Option<String> {
    let [Some(then), Some(since)] = before_and_now(line, &metric.unit) else { return None };
    let label = line.label.to_lowercase();
    Some(match line.change.as_ref().and_then(|change| change.ci) {
        Some(ends) if ends.low > 1.0 => format!("{label} rose from {then} to {since}"),
        Some(ends) if ends.high < 1.0 => format!("{label} fell from {then} to {since}"),
        _ => format!("{label} show no sure change ({then}, now {since})"),
    })
}

/// Before the final stage: what the stage that was reached shows.
fn so_far(report: &Report, stage: &str, digits: Digits) -> Option<String> {
    let told = report.headlines.iter().filter_map(|line| {
        let metric = report.metric(&line.metric)?;
        if metric.estimator == Estimator::Rate(Share::Failures) {
            return fell_or_rose(metric, line);
        }
        // What is not sure yet stands in the table.
        let change = line.change.as_ref().filter(|change| change.ci.is_some_and(|ends| !ends.holds(1.0)))?;
        let label = line.label.replace(", mean", "");
        let mut letters = label.chars();
        let label: String = letters.next()?.to_lowercase().chain(letters).collect();
        let (shown, interval) = change_text(change.ratio, change.ci);
        let interval = interval.filter(|_| digits == Digits::Interval);
        Some(format!("{label} {shown}{}", interval.map_or_else(String::new, |ends| format!(" ({ends})"))))
    });
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| format!("So far, at stage {stage}, compared with the baseline: {}.", join(&told, "and")))
}

/// Whether the split explains what changed: said where it explains all of it.
pub(super) fn within_the_hours(report: &Report, digits: Digits) -> Option<String> {
    let same = |line: &&Headline| {
        let (within, since) = (line.same_hours.as_ref()?.ci?, line.change.as_ref()?.ci?);
        Some((within.is_apart_from(since), within.holds(1.0)))
    };
    let known: Vec<&Headline> = report.headlines.iter().filter(|line| same(line).is_some()).collect();
    let explains = |line: &&Headline| same(line) == Some((false, false));
    // One line that the hours do not explain is a sentence of its own, where it is told.
    if known.is_empty() || known.iter().any(|line| same(line).is_some_and(|(apart, _)| apart)) {
        return None;
    }
    // What fell or rose since the baseline, and not surely within the hours.
    let label = |line: &Headline| line.label.to_lowercase().replace(", mean", "").replace(',', "");
    let since =
        |line: &Headline| line.change.as_ref().and_then(|change| change.ci).is_some_and(|ends| !ends.holds(1.0));
    let unsure: Vec<String> =
        known.iter().filter(|line| same(line) == Some((false, true)) && since(line)).map(|line| label(line)).collect();
    let not_shown =
        (!unsure.is_empty()).then(|| format!("for {} the same hours alone do not show it", join(&unsure, "and")));
    let told: Vec<String> = known
        .into_iter()
        .filter(explains)
        .filter_map(|line| {
            let within = line.same_hours.as_ref()?;
            Some(format!("{} {}", label(line), change_text(within.value, within.ci).0))
        })
        .collect();
    if told.is_empty() {
        return not_shown.map(|text| format!("{}.", format::capitalised(&text)));
    }
    let but = not_shown.map_or_else(String::new, |text| format!("; {text}"));
    let figures = match digits {
        Digits::Value | Digits::ValueAlone => String::new(),
        Digits::Interval => format!(" ({})", join(&told, "and")),
    };
    Some(format!(
        "Side by side in the same hours the difference is the same{figures}: it is {} that made it, not the weeks{but}.",
        report.words.treated
    ))
}

/// What changed, as a sentence calls it.
fn noun(report: &Report, improvement: &Improvement) -> String {
    match improvement.id.as_str() {
        "memory_reduction" => "memory".into(),
        "throughput_ratio" => "throughput".into(),
        "latency_reduction" => "latency".into(),
        "timeout_reduction" => "timeouts".into(),
        _ => report.label(&improvement.metric).to_lowercase().replace(", mean", "").replace(',', ""),
    }
}

/// `memory fell by 85.1 % (84.0 to 86.0)`
fn change(report: &Report, claims: &[Claim], improvement: &Improvement, digits: Digits) -> Option<String> {
    let told = change_alone(report, claims, improvement, digits)?;
    if let Some(doubt) = &improvement.reason {
        return Some(format!("{told}, but {doubt}"));
    }
    // Where the hours themselves explain it, the rollout does not.
    match improvement
        .same_hours
        .as_ref()
        .filter(|same| same.ci.zip(improvement.ci).is_some_and(|(a, b)| a.is_apart_from(b)))
    {
        Some(same) => {
            let (shown, interval) = digits.change(same.value, same.ci, &improvement.unit);
            let ends = interval.map_or_else(String::new, |ends| format!(" ({ends})"));
            Some(format!("{told}, and in the same hours {shown}{ends}"))
        }
        None => Some(told),
    }
}

fn change_alone(report: &Report, claims: &[Claim], improvement: &Improvement, digits: Digits) -> Option<String> {
    let id = improvement_id(improvement);
    let claim = claims.iter().find(|claim| claim.id == id)?;
    let unit = &improvement.unit;
    let noun = noun(report, improvement);
    let is_ratio = *unit == Unit::Ratio;
    let same = if is_ratio { 1.0 } else { 0.0 };
    if claim.ci.is_some_and(|ends| ends.holds(same)) {
        let (shown, interval) = digits.change(claim.value, claim.ci, unit);
        let verb = if noun.ends_with('s') { "show" } else { "shows" };
        let ends = interval.map_or_else(String::new, |ends| format!(", {ends}"));
        return Some(format!("{noun} {verb} no sure change ({shown}{ends})"));
    }
    if is_ratio {
        let direction = if claim.value >= 1.0 { "rose" } else { "fell" };
        return Some(format!("{noun} {direction} to {} its old level", digits.estimate(claim.value, claim.ci, unit)));
    }
    if claim.value >= 0.0 {
        return Some(format!("{noun} fell by {}", digits.estimate(claim.value, claim.ci, unit)));
    }
    // A negative reduction is a rise: the interval turns over with it.
    let turned = claim.ci.map(|ends| ends.turned(|end| -end));
    Some(format!("{noun} rose by {}", digits.estimate(-claim.value, turned, unit)))
}

/// How the judged ones stand; nothing where no target was set.
fn against_targets<'a>(report: &Report, measured: impl Iterator<Item = &'a Improvement>) -> Option<String> {
    let judged: Vec<&Improvement> = measured.filter(|improvement| improvement.decides()).collect();
    let of = |wanted: &[Status]| -> Vec<String> {
        judged
            .iter()
            .filter(|improvement| wanted.contains(&improvement.status))
            .map(|known| noun(report, known))
            .collect()
    };
    let (met, not_met, open) = (of(&[Status::Met, Status::Exceeded]), of(&[Status::NotMet]), of(&[Status::Open]));
    match judged.len() {
        0 => return None,
        1 if met.len() == 1 => return Some("the target is met".into()),
        count if met.len() == count => return Some(format!("all {count} targets are met")),
        _ => {}
    }
    let mut parts = Vec::new();
    for (names, status) in [(not_met, Status::NotMet), (open, Status::Open), (met, Status::Met)] {
        let words = status_word(status);
        match names.len() {
            0 => {}
            1 => parts.push(format!("the target of {} is {words}", names[0])),
            _ => parts.push(format!("the targets of {} are {words}", join(&names, "and"))),
        }
    }
    Some(parts.join(", "))
}
