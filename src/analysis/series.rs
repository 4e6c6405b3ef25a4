//! How did latency and volume go over time? Buckets of whole hours, few enough to draw.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::group::{GroupData, NANO_PER_UNIT, StageData};
use crate::config::Plan;
use crate::cube::histogram::{Grid, Histogram};
use crate::cube::slice::Arm;
use crate::format::rfc3339;
use crate::metric::{Distribution, Estimator};
use crate::report::model::{MeasureSource, Series, SeriesArm, SeriesPoint};

/// Widths a bucket may have, in hours: they divide the day, so that buckets start at midnight.
const BUCKET_HOURS: [i64; 8] = [1, 2, 3, 6, 12, 24, 168, 1344];
/// Buckets that a chart can carry.
const MOST_BUCKETS: i64 = 250;
/// Fewest successful uploads of a bucket whose median is shown.
const FEWEST_FOR_P50: u64 = 5;
/// Fewest of which the 95 % quantile is shown: with fewer it is just the longest.
const FEWEST_FOR_P95: u64 = 20;

/// Hours without an upload that no rollout has, half a year: what lies beyond them comes of a wrong clock.
pub(super) const CLOCK_HOURS: i64 = 183 * 24;

/// First and last of the hours that the clock of most uploads tells: a line of 2099 stretches no axis.
fn ordinary_clocks(mut uploads_by_hour: Vec<(i64, u64)>) -> Option<(i64, i64)> {
    uploads_by_hour.sort_unstable();
    let runs = uploads_by_hour.chunk_by(|(one, _), (next, _)| next - one <= CLOCK_HOURS);
    let most = runs.max_by_key(|run| run.iter().map(|(_, uploads)| uploads).sum::<u64>())?;
    Some((most.first()?.0, most.last()?.0))
}

/// The series of a rollout.
pub(super) fn series(plan: &Plan, data: &[StageData]) -> Series {
    let hours = data.iter().flat_map(|stage| &stage.arm(Arm::All).hours).filter(|hour| hour.uploads > 0);
    let (first, last) = ordinary_clocks(hours.map(|hour| (hour.hour, hour.uploads)).collect()).unwrap_or((0, -1));
    let shown = first..=last;
    let span = last - first + 1;
    let width = BUCKET_HOURS.into_iter().find(|width| span / width <= MOST_BUCKETS).unwrap_or(BUCKET_HOURS[7]);
    let measures = measures(plan);
    let mut points = Vec::new();
    for (stage, data) in plan.stages.iter().zip(data) {
        let of = |arm| buckets(data.arm(arm), &shown, width, &measures);
        let [all, mut treated, mut control] = [Arm::All, Arm::Treated, Arm::Control].map(of);
        points.extend(all.into_iter().map(|(at, bucket)| SeriesPoint {
            at: rfc3339(at * width * 3600 * 1_000_000_000),
            stage: stage.name.clone(),
            n: bucket.uploads,
            successes: bucket.successes,
            latency_p50_ms: bucket.quantile(0.5, FEWEST_FOR_P50),
            latency_p95_ms: bucket.quantile(0.95, FEWEST_FOR_P95),
            treated: treated.remove(&at).map(|bucket| bucket.arm(plan, &measures)),
            control: control.remove(&at).map(|bucket| bucket.arm(plan, &measures)),
        }));
    }
    points.sort_by(|a, b| a.at.cmp(&b.at));
    Series { bucket_hours: width as u64, points }
}

/// The measures whose mean the plan wants improved.
pub(super) fn measures(plan: &Plan) -> Vec<usize> {
    let mut measures = Vec::new();
    for metric in plan.improvements.iter().filter_map(|asked| plan.metric(&asked.metric)) {
        if let Estimator::Mean(Distribution::Measure(index)) = metric.estimator
            && !measures.contains(&index)
        {
            measures.push(index);
        }
    }
    measures
}

/// The records of a group by bucket.
fn buckets(group: &GroupData, shown: &RangeInclusive<i64>, width: i64, measures: &[usize]) -> BTreeMap<i64, Bucket> {
    let mut buckets: BTreeMap<i64, Bucket> = BTreeMap::new();
    for hour in group.hours.iter().filter(|hour| hour.uploads > 0 && shown.contains(&hour.hour)) {
        let bucket = buckets.entry(hour.hour.div_euclid(width)).or_default();
        bucket.uploads += hour.uploads;
        bucket.successes += hour.successes;
        bucket.longest_ms = bucket.longest_ms.max(hour.success_duration_max_ms);
    }
    for (hour, histogram) in &group.latency.hours {
        if let Some(bucket) = buckets.get_mut(&hour.div_euclid(width)) {
            bucket.latency.add(histogram);
        }
    }
    for (place, index) in measures.iter().enumerate() {
        // Samples of the process belong to no record.
        let of_records = group.measure(*index).filter(|measure| measure.source == MeasureSource::Records);
        for hour in of_records.into_iter().flat_map(|measure| &measure.sums) {
            if let Some(bucket) = buckets.get_mut(&hour.hour.div_euclid(width)) {
                bucket.sums.resize(measures.len(), (0, 0));
                let (nano, n) = &mut bucket.sums[place];
                (*nano, *n) = (*nano + hour.sum.nano, *n + hour.sum.n);
            }
        }
    }
    buckets
}

/// The uploads of one bucket.
#[derive(Default)]
struct Bucket {
    uploads: u64,
    successes: u64,
    latency: Histogram,
    longest_ms: f64,
    /// Of each measure that is shown: its sum in 10^-9 of its unit, and how many carry it.
    sums: Vec<(i128, u64)>,
}

impl Bucket {
    fn quantile(&self, q: f64, fewest: u64) -> Option<f64> {
        let value = (self.latency.total() >= fewest).then(|| self.latency.quantile(Grid::FINE, q)).flatten();
        value.map(|value| value.min(self.longest_ms))
    }

    fn arm(&self, plan: &Plan, measures: &[usize]) -> SeriesArm {
        let known = measures.iter().zip(&self.sums).filter(|(_, (_, n))| *n >= FEWEST_FOR_P50);
        let mean = |(index, (nano, n)): (&usize, &(i128, u64))| {
            let metric = plan.metrics.by(Estimator::Mean(Distribution::Measure(*index)))?;
            Some((metric.id.clone(), *nano as f64 / NANO_PER_UNIT / *n as f64))
        };
        SeriesArm {
            n: self.uploads,
            successes: self.successes,
            latency_p50_ms: self.quantile(0.5, FEWEST_FOR_P50),
            latency_p95_ms: self.quantile(0.95, FEWEST_FOR_P95),
            means: known.filter_map(mean).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_clock_stretches_no_axis() {
        let (host, wrong) = (490_000, 1_130_000);
        let around = |hour: i64| [(hour + 30, 4), (hour, 5), (hour + 2, 1)];
        let hours = |more: &[(i64, u64)]| ordinary_clocks([&around(host), more].concat());
        assert_eq!(hours(&[]), Some((host, host + 30)));
        assert_eq!(hours(&[(wrong, 1), (0, 9)]), Some((host, host + 30)));
        assert_eq!(
            hours(&[(host + CLOCK_HOURS, 1)]),
            Some((host, host + CLOCK_HOURS)),
            "half a year is no wrong clock"
        );
        assert_eq!(ordinary_clocks(Vec::new()), None);
    }
}
