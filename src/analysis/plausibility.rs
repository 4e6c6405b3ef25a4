//! Can it be as the log says? What a careful reader would ask about before any figure: records in the wrong arm,
//! durations in another unit, timeouts under another name.

use std::collections::BTreeMap;

use super::group::StageData;
use crate::config::Plan;
use crate::cube::histogram::{Grid, Histogram};
use crate::cube::slice::{Arm, Visit};
use crate::format;
use crate::metric::{Distribution, Estimator, Unit};
use crate::report::model::{Finding, Group, Severity, Stage};
use crate::schema::record::UNKNOWN;
use crate::schema::rule::{Role, Rule};

/// A share of a stage in the wrong arm from which on its figures are those of a mixture.
const MIXED_SHARE: f64 = 0.01;
/// Medians of two arms so many times apart, and without any overlap, are no effect but another unit.
const OTHER_UNIT: f64 = 100.0;
/// The longest of the faster arm lies so many times below the other's median.
const APART: f64 = 10.0;
const MS_PER_SECOND: f64 = 1e3;
/// Of a shorter log, or of fewer records, most may have begun before it did.
const SURE_SPAN_S: f64 = 24.0 * 3600.0;
const SURE_RECORDS: u64 = 20;

/// What cannot be, or is not what it is called.
pub(super) fn findings(plan: &Plan, stages: &[Stage]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = stages.iter().filter_map(|stage| treated_baseline(plan, stage)).collect();
    findings.extend(unnamed_timeouts(plan, stages));
    findings.extend(stages.iter().filter_map(durations_beyond_the_log(stages)));
    findings.extend(other_unit(plan, stages));
    findings.extend(never_seen(plan, stages));
    findings
}

/// What the config says where it stands, and no row has: a path that was written wrong looks like this.
fn never_seen(plan: &Plan, stages: &[Stage]) -> Vec<Finding> {
    let groups = || stages.iter().map(|stage| &stage.groups.all);
    let of_rule = |role: Role| {
        let mappings = plan.sources.iter().map(|source| &source.mapping).filter(|mapping| mapping.preset().is_none());
        let rules = mappings.filter_map(move |mapping| mapping.rule(role));
        rules.flat_map(Rule::paths).map(|path| path.text.clone()).next()
    };
    let told = |id: &str, path: String, what: &str| {
        let text = format!("no row has {path:?}, where the config says that {what} stands: is the path right?");
        Finding::of_quality(format!("never_seen.{id}"), Severity::Warning, text)
    };
    let mut findings = Vec::new();
    for (index, measure) in plan.schema.measures.iter().enumerate() {
        let metric = plan.metrics.by(Estimator::Mean(Distribution::Measure(index)));
        let measured = metric.is_some_and(|metric| groups().any(|group| group.figure(&metric.id).is_some()));
        let path = if measured { None } else { of_rule(Role::Measure(index)) };
        findings.extend(path.map(|path| told(&measure.name, path, &measure.text())));
    }
    let failures: u64 = groups().flat_map(|group| group.errors.values()).sum();
    let named = groups().flat_map(|group| group.errors.keys()).any(|name| name != UNKNOWN);
    let path = if failures == 0 || named { None } else { of_rule(Role::Error) };
    findings.extend(path.map(|path| told("error", path, "the error of a failure")));
    findings
}

/// Treated uploads in a stage in which nothing should be treated.
fn treated_baseline(plan: &Plan, stage: &Stage) -> Option<Finding> {
    let (treated, all) = (stage.groups.treated.n, stage.groups.all.n);
    if stage.percentage > 0.0 || treated == 0 {
        return None;
    }
    let share = treated as f64 / all as f64;
    let severity = if share > MIXED_SHARE { Severity::Error } else { Severity::Warning };
    let text = format!(
        "stage {} holds {} of {}, {}, where 0 % were set: what is compared with it is diluted",
        stage.name,
        plan.schema.words.counted(treated),
        plan.schema.words.treated,
        format::value(share, &Unit::Fraction)
    );
    Some(Finding::of_quality(format!("treated_baseline.{}", stage.name), severity, text))
}

/// Error types that are called like timeouts and are in no list.
fn unnamed_timeouts(plan: &Plan, stages: &[Stage]) -> Option<Finding> {
    let mut errors: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, count) in stages.iter().flat_map(|stage| &stage.groups.all.errors) {
        *errors.entry(name).or_default() += count;
    }
    let listed = |name: &str| plan.analysis.timeout_errors.iter().any(|known| known == name);
    let alike: Vec<(&str, u64)> = errors
        .iter()
        .filter(|(name, _)| !listed(name) && sounds_like_timeout(name))
        .map(|(name, count)| (*name, *count))
        .collect();
    if alike.is_empty() {
        return None;
    }
    // Where none of the log's errors is listed, the timeout rate is 0 and says nothing.
    let none_listed = !errors.keys().any(|name| listed(name));
    let told: Vec<String> = alike.iter().map(|(name, count)| format!("{name} ({})", format::count(*count))).collect();
    let add: Vec<String> = alike.iter().map(|(name, _)| format!("{name:?}")).collect();
    let text = format!(
        "{}these look like timeouts and are not in [analysis] timeout_errors: {}; add {} to it",
        if none_listed { "no error type of the log is listed as a timeout; " } else { "" },
        told.join(", "),
        add.join(", ")
    );
    let severity = if none_listed { Severity::Error } else { Severity::Warning };
    Some(Finding::of_quality("unnamed_timeouts", severity, text))
}

fn sounds_like_timeout(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    ["timeout", "timedout", "deadlineexceeded"].iter().any(|word| plain.contains(word))
}

fn value(group: &Group, metric: &str) -> Option<f64> {
    group.figure(metric).map(|figure| figure.value)
}

/// Durations of which most are longer than the whole log: then no record is where it belongs, and no figure is one.
pub(super) fn in_another_unit(data: &[StageData], visits: &[Visit]) -> Option<Finding> {
    let first = visits.iter().map(|visit| visit.minutes.0).min();
    let last = visits.iter().map(|visit| visit.minutes.1 + 1).max();
    let span_s = first.zip(last).map(|(first, last)| (last - first) as f64 * 60.0)?;
    let pooled = Histogram::sum(data.iter().map(|stage| stage.arm(Arm::All).latency.pooled.columns()));
    let median_s = Grid::FINE.middle(pooled.quantile_bin(0.5)?) / MS_PER_SECOND;
    let units = [("nanoseconds", 1e6), ("microseconds", 1e3)];
    // The first that makes of it what a request may take.
    let unit = units.iter().find(|(_, factor)| median_s / factor >= 1e-3).map_or("another unit", |(unit, _)| unit);
    let is_sure = span_s >= SURE_SPAN_S && pooled.total() >= SURE_RECORDS;
    (is_sure && median_s > span_s).then(|| {
        let text = format!(
            "the median duration ({}) is longer than the log ({}): is duration_ms in {unit}? No figure is shown until its unit is right",
            format::seconds(median_s),
            format::seconds(span_s)
        );
        Finding::of_quality("durations_beyond_the_log", Severity::Error, text)
    })
}

/// A duration that is longer than the whole log is in another unit.
fn durations_beyond_the_log(stages: &[Stage]) -> impl Fn(&Stage) -> Option<Finding> {
    let ends = || stages.iter().flat_map(|stage| stage.from.iter().chain(&stage.to));
    let time = |text: &String| chrono::DateTime::parse_from_rfc3339(text).ok();
    let (first, last) = (ends().filter_map(time).min(), ends().filter_map(time).max());
    let span_s = first.zip(last).map(|(first, last)| (last - first).num_seconds() as f64);
    move |stage| {
        let (median_s, span_s) = (value(&stage.groups.all, "latency_p50_ms")? / MS_PER_SECOND, span_s?);
        (median_s > span_s).then(|| {
            let text = format!(
                "the median duration of stage {} ({}) is longer than the log ({}): is duration_ms in another unit?",
                stage.name,
                format::seconds(median_s),
                format::seconds(span_s)
            );
            Finding::of_quality(format!("durations_beyond_the_log.{}", stage.name), Severity::Error, text)
        })
    }
}

/// The arms of the log whose durations lie apart as no effect does: one of them is in another unit.
fn other_unit(plan: &Plan, stages: &[Stage]) -> Option<Finding> {
    let treated = || stages.iter().filter(|stage| stage.percentage > 0.0).map(|stage| &stage.groups.treated);
    let control = || stages.iter().map(|stage| &stage.groups.control);
    let apart = |low: &Group, high: &Group| {
        let (low_median, high_median) = (value(low, "latency_p50_ms")?, value(high, "latency_p50_ms")?);
        let longest = value(low, "latency_max_ms")?;
        let is_apart = low_median > 0.0 && high_median > OTHER_UNIT * low_median && high_median > APART * longest;
        is_apart.then_some((low_median, high_median))
    };
    let pairs = || treated().flat_map(|treated| control().map(move |control| (treated, control)));
    let found = pairs()
        .find_map(|(treated, control)| apart(treated, control).map(|medians| (&plan.schema.words.treated, medians)))
        .or_else(|| {
            pairs().find_map(|(treated, control)| {
                apart(control, treated).map(|medians| (&plan.schema.words.control, medians))
            })
        });
    let (arm, (low, high)) = found?;
    let text = format!(
        "duration_ms of {arm} looks like seconds: its median is {}, {} times below the other arm's {}, and the two do not overlap",
        format::value(low, &Unit::Milliseconds),
        format::count((high / low).round() as u64),
        format::value(high, &Unit::Milliseconds)
    );
    Some(Finding::of_quality("other_unit", Severity::Error, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_timeouts_are_known_by_their_sound() {
        for name in
            ["ETIMEDOUT", "DEADLINE_EXCEEDED", "context deadline exceeded", "read time-out", "GatewayTimeout504"]
        {
            assert!(sounds_like_timeout(name), "{name}");
        }
        for name in ["ConnectionError", "OutOfTime", "deadline_missed", ""] {
            assert!(!sounds_like_timeout(name), "{name}");
        }
    }
}
