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

/// The series of a rollout.
pub(super) fn series(plan: &Plan, data: &[StageData]) -> Series {
    let with_uploads = |stage: &StageData| {
        let hours = stage.arm(Arm::All).hours.iter().filter(|hour| hour.uploads > 0).map(|hour| hour.hour);
        hours.collect::<Vec<_>>()
    };
    let hours: Vec<i64> = data.iter().flat_map(with_uploads).collect();
    let span = hours.iter().max().zip(hours.iter().min()).map_or(0, |(last, first)| last - first + 1);
    let width = BUCKET_HOURS.into_iter().find(|width| span / width <= MOST_BUCKETS).unwrap_or(BUCKET_HOURS[7]);
    let mut points = Vec::new();
    for (stage, data) in plan.stages.iter().zip(data) {
        let group = data.arm(Arm::All);
        let mut buckets: BTreeMap<i64, Bucket> = BTreeMap::new();
        for hour in group.hours.iter().filter(|hour| hour.uploads > 0) {
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
