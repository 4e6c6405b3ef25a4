//! How did latency and volume go over time? Buckets of whole hours, few enough to draw.

use super::group::StageData;
use std::collections::BTreeMap;

use crate::config::Plan;
use crate::cube::histogram::{Grid, Histogram};
use crate::cube::slice::Arm;
use crate::format::rfc3339;
use crate::report::model::{Series, SeriesPoint};

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
    let mut points = Vec::new();
    for (stage, data) in plan.stages.iter().zip(data) {
        let group = data.arm(Arm::All);
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
        points.extend(buckets.into_iter().map(|(at, bucket)| SeriesPoint {
            at: rfc3339(at * width * 3600 * 1_000_000_000),
            stage: stage.name.clone(),
            n: bucket.uploads,
            successes: bucket.successes,
            latency_p50_ms: bucket.quantile(0.5, FEWEST_FOR_P50),
            latency_p95_ms: bucket.quantile(0.95, FEWEST_FOR_P95),
        }));
    }
    points.sort_by(|a, b| a.at.cmp(&b.at));
    Series { bucket_hours: width as u64, points }
}

/// The uploads of one bucket.
#[derive(Default)]
struct Bucket {
    uploads: u64,
    successes: u64,
    latency: Histogram,
    longest_ms: f64,
}

impl Bucket {
    fn quantile(&self, q: f64, fewest: u64) -> Option<f64> {
        let value = (self.latency.total() >= fewest).then(|| self.latency.quantile(Grid::FINE, q)).flatten();
        value.map(|value| value.min(self.longest_ms))
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
