//! Where did the level of a headline metric shift inside a stage, and what else happened then?

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::figure::{NOTHING, point};
use super::group::{GroupData, NANO_PER_UNIT, StageData};
use super::pair::metric_id;
use crate::config::Plan;
use crate::cube::Cube;
use crate::cube::histogram::{Grid, Histogram};
use crate::cube::slice::{Arm, HourMeasure, HourSums, LoggedEvent};
use crate::error::Result;
use crate::format::{self, rfc3339};
use crate::metric::{Distribution, Estimator, Share};
use crate::report::model::{ChangePoint, ChangePointSearch, Trigger};
use crate::schema::record::Words;
use stagegate_stats::change_point::{FEWEST_VALUES, shifts};
use stagegate_stats::distributions::binomial_upper_tail;
use stagegate_stats::median::median;

const NANOS_PER_HOUR: i64 = 3600 * 1_000_000_000;
/// Widths of a bucket: they divide the day.
const BUCKET_HOURS: [i64; 7] = [1, 2, 3, 4, 6, 12, 24];
/// Uploads that a bucket should hold on average.
const UPLOADS_PER_BUCKET: u64 = 20;
/// Level at which an error type has risen: told only where a shift was found.
const ROSE_LEVEL: f64 = 0.001;
/// Coincidences that are told of one shift.
const MOST_COINCIDENCES: usize = 8;
/// Days that must have shown an hour of the day before its usual height is taken off.
const FEWEST_DAYS: usize = 3;

/// The change points of every stage and headline metric, in time order, and what was searched.
///
/// # Errors
/// The cube is damaged.
pub(super) fn change_points(
    plan: &Plan,
    cube: &Cube,
    data: &[StageData],
    events: &[LoggedEvent],
    triggers: &[Trigger],
) -> Result<(Vec<ChangePoint>, Vec<ChangePointSearch>)> {
    let scopes: Vec<(usize, Arm)> = (0..data.len())
        .map(|stage| (stage, if plan.stages[stage].percentage > 0.0 { Arm::Treated } else { Arm::All }))
        .collect();
    let metrics = [
        Estimator::Rate(Share::Successes),
        Estimator::Rate(Share::Timeouts),
        plan.headline_latency().estimator,
        Estimator::RecordThroughput,
    ];
    let measures = (0..plan.schema.measures.len()).map(|index| Estimator::Mean(Distribution::Measure(index)));
    let metrics: Vec<Estimator> = metrics.into_iter().chain(measures).collect();
    let groups = || scopes.iter().map(|(stage, arm)| data[*stage].arm(*arm));
    let searched: Vec<Vec<(Series<'_>, Vec<usize>)>> = metrics
        .into_par_iter()
        .map(|metric| {
            let series: Vec<Series<'_>> = groups().map(|group| Series::new(group, metric)).collect();
            let found: Vec<Vec<usize>> = (0..series.len()).map(|index| search(&series, index)).collect();
            series.into_iter().zip(found).collect()
        })
        .collect();
    let around = Around { plan, events, triggers };
    let (mut points, mut searches) = (Vec::new(), Vec::new());
    for (series, found) in searched.into_iter().flatten() {
        searches.push(around.told(&series, &found));
        if !found.is_empty() {
            let errors = cube.errors_by_hour(series.group.stage, series.group.arm)?;
            points.extend(around.points(&series, &found, &errors));
        }
    }
    points.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.id.cmp(&b.id)));
    Ok((points, searches))
}

/// One metric of one group by bucket.
struct Series<'a> {
    group: &'a GroupData,
    metric: Estimator,
    width_hours: i64,
    /// Start (hours since 1970) and value, rising; buckets without the metric are left out.
    values: Vec<(i64, f64)>,
}

impl<'a> Series<'a> {
    fn new(group: &'a GroupData, metric: Estimator) -> Self {
        let hours = || group.hours.iter().filter(|hour| hour.uploads > 0).map(|hour| hour.hour);
        let span = hours().max().zip(hours().min()).map_or(0, |(last, first)| last - first + 1);
        let enough = |width: &i64| {
            let buckets: std::collections::BTreeSet<i64> = hours().map(|hour| hour.div_euclid(*width)).collect();
            span >= *width && group.uploads() >= UPLOADS_PER_BUCKET * buckets.len() as u64
        };
        let width_hours = BUCKET_HOURS.into_iter().find(enough).unwrap_or(24);
        let values = values(group, metric, width_hours);
        Self { group, metric, width_hours, values }
    }

    /// Values on the scale on which a shift adds: rates as they are, all else as logarithms.
    fn scaled(&self) -> Vec<f64> {
        let scale = |value: f64| if matches!(self.metric, Estimator::Rate(_)) { value } else { value.max(1e-9).ln() };
        self.values.iter().map(|(_, value)| scale(*value)).collect()
    }

    /// Deviations from the series' own median, by the hour of the day.
    fn by_hour_of_day(&self) -> Vec<(i64, f64)> {
        let scaled = self.scaled();
        let middle = median(scaled.clone()).unwrap_or(0.0);
        self.values.iter().zip(scaled).map(|((hour, _), value)| (hour.rem_euclid(24), value - middle)).collect()
    }
}

/// The metric of each bucket that has it.
fn values(group: &GroupData, metric: Estimator, width_hours: i64) -> Vec<(i64, f64)> {
    let start = |hour: i64| hour.div_euclid(width_hours) * width_hours;
    match metric {
        Estimator::Quantile(Distribution::Latency, q) => {
            let mut buckets: BTreeMap<i64, Histogram> = BTreeMap::new();
            for (hour, histogram) in &group.latency.hours {
                buckets.entry(start(*hour)).or_default().add(histogram);
            }
            buckets.into_iter().filter_map(|(at, pooled)| Some((at, pooled.quantile(Grid::FINE, q)?))).collect()
        }
        Estimator::Mean(Distribution::Measure(index)) => {
            let mut buckets: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
            for HourMeasure { hour, sum } in group.measures[index].iter().flat_map(|data| &data.sums) {
                let sums = buckets.entry(start(*hour)).or_default();
                *sums = (sums.0 + sum.nano as f64 / NANO_PER_UNIT, sums.1 + sum.n as f64);
            }
            buckets.into_iter().map(|(at, (sum, count))| (at, sum / count)).collect()
        }
        _ => {
            let of = |hour: &HourSums| match metric {
                Estimator::Rate(Share::Timeouts) => (hour.timeouts as f64, hour.uploads as f64),
                Estimator::RecordThroughput => (hour.successes as f64, hour.busy_seconds as f64),
                Estimator::Mean(_) => (hour.success_duration_ns as f64 / 1e6, hour.successes as f64),
                _ => (hour.successes as f64, hour.uploads as f64),
            };
            let mut buckets: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
            for hour in &group.hours {
                let (top, bottom) = of(hour);
                let sums = buckets.entry(start(hour.hour)).or_default();
                *sums = (sums.0 + top, sums.1 + bottom);
            }
            buckets.retain(|_, (_, bottom)| *bottom > 0.0);
            buckets.into_iter().map(|(at, (top, bottom))| (at, top / bottom)).collect()
        }
    }
}

/// Looks for shifts in one of the series; the others tell what is usual at an hour of the day.
fn search(series: &[Series<'_>], index: usize) -> Vec<usize> {
    let own = &series[index];
    let mut usual: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    let others = series.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, series)| series);
    for other in others.filter(|other| other.width_hours == own.width_hours) {
        for (hour, deviation) in other.by_hour_of_day() {
            usual.entry(hour).or_default().push(deviation);
        }
    }
    let height = |hour: i64| {
        usual.get(&hour).filter(|seen| seen.len() >= FEWEST_DAYS).and_then(|seen| median(seen.clone())).unwrap_or(0.0)
    };
    let scaled = own.scaled();
    let level: Vec<f64> =
        own.values.iter().zip(scaled).map(|((hour, _), value)| value - height(hour.rem_euclid(24))).collect();
    shifts(&level, (24 / own.width_hours) as usize)
}

/// What else the log knows of the time of a shift.
struct Around<'a> {
    plan: &'a Plan,
    events: &'a [LoggedEvent],
    triggers: &'a [Trigger],
}

impl Around<'_> {
    fn told(&self, series: &Series<'_>, found: &[usize]) -> ChangePointSearch {
        let buckets = series.values.len();
        let reason = if series.group.uploads() == 0 {
            Some(NOTHING.to_owned())
        } else if buckets == 0 {
            Some("not measured".to_owned())
        } else if buckets < FEWEST_VALUES {
            let width = format::counted(series.width_hours as u64, "hour");
            Some(format!("{buckets} buckets of {width}; a shift needs {FEWEST_VALUES}"))
        } else {
            None
        };
        ChangePointSearch {
            stage: self.plan.stages[series.group.stage].name.clone(),
            scope: series.group.arm.name().into(),
            metric: metric_id(self.plan, series.metric).into(),
            bucket_hours: (buckets > 0).then_some(series.width_hours as u64),
            buckets: buckets as u64,
            found: found.len() as u64,
            reason,
        }
    }

    fn points(&self, series: &Series<'_>, found: &[usize], errors: &[(i64, String, u64)]) -> Vec<ChangePoint> {
        let hour_of = |index: usize| series.values[index].0;
        let end = series.values.last().map_or(0, |(hour, _)| hour + series.width_hours);
        let edges: Vec<i64> =
            [hour_of(0)].into_iter().chain(found.iter().map(|at| hour_of(*at))).chain([end]).collect();
        let stage = &self.plan.stages[series.group.stage].name;
        let scope = series.group.arm.name();
        let metric = metric_id(self.plan, series.metric);
        let mut points = Vec::new();
        for edge in edges.windows(3) {
            let level = |from, to| point(&series.group.between(from, to), series.metric).map(|(value, _)| value);
            let (Ok(before), Ok(after)) = (level(edge[0], edge[1]), level(edge[1], edge[2])) else { continue };
            let at = rfc3339(edge[1] * NANOS_PER_HOUR);
            points.push(ChangePoint {
                id: format!("change_points.{stage}.{scope}.{metric}.{at}"),
                stage: stage.clone(),
                scope: scope.into(),
                metric: metric.into(),
                at,
                before,
                after,
                coincidences: self.coincidences(series, edge, errors),
            });
        }
        points
    }

    /// Events and incidents within a bucket of the shift, and error types that rose with it.
    fn coincidences(&self, series: &Series<'_>, edge: &[i64], errors: &[(i64, String, u64)]) -> Vec<String> {
        let (from, to) =
            ((edge[1] - series.width_hours) * NANOS_PER_HOUR, (edge[1] + series.width_hours) * NANOS_PER_HOUR);
        let mut told = Vec::new();
        let kinds =
            [("rollout_stage", "a stage starts"), ("rollback", "rollback"), ("critical_error", "critical error")];
        for event in self.events.iter().filter(|event| (from..=to).contains(&event.at)) {
            let Some((_, words)) = kinds.iter().find(|(kind, _)| *kind == event.event_type) else { continue };
            let at = self.plan.schema.words.date_time(&rfc3339(event.at));
            let text = if event.text.is_empty() { String::new() } else { format!(": {}", event.text) };
            told.push(format!("{words} at {at}{text}"));
        }
        let (from, to) = (rfc3339(from), rfc3339(to));
        for trigger in self.triggers.iter().filter(|trigger| trigger.fired && trigger.from <= to && from <= trigger.to)
        {
            told.push(format!("incident {} ({})", trigger.trigger, trigger.text));
        }
        told.extend(risen(&self.plan.schema.words, series.group, edge, errors));
        told.sort();
        told.dedup();
        told.truncate(MOST_COINCIDENCES);
        told
    }
}

/// Error types whose share of the uploads is surely higher after the shift than before.
fn risen(words: &Words, group: &GroupData, edge: &[i64], errors: &[(i64, String, u64)]) -> Vec<String> {
    let uploads = |from: i64, to: i64| -> u64 {
        group.hours.iter().filter(|hour| (from..to).contains(&hour.hour)).map(|hour| hour.uploads).sum()
    };
    let (before, after) = (uploads(edge[0], edge[1]), uploads(edge[1], edge[2]));
    let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (hour, name, failures) in errors {
        let count = counts.entry(name).or_default();
        if (edge[0]..edge[1]).contains(hour) {
            count.0 += failures;
        } else if (edge[1]..edge[2]).contains(hour) {
            count.1 += failures;
        }
    }
    let share = after as f64 / (before + after).max(1) as f64;
    let rose =
        |(_, (earlier, later)): &(&str, (u64, u64))| binomial_upper_tail(*later, earlier + later, share) <= ROSE_LEVEL;
    let mut found: Vec<(&str, (u64, u64))> = counts.into_iter().filter(rose).collect();
    found.sort_by_key(|(_, (_, later))| std::cmp::Reverse(*later));
    let told = |(name, (earlier, later)): (&str, (u64, u64))| {
        format!(
            "{name} rose from {} of {} to {} of {}",
            format::count(earlier),
            words.counted(before),
            format::count(later),
            words.counted(after)
        )
    };
    found.into_iter().take(3).map(told).collect()
}
