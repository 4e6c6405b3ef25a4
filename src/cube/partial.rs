//! What one worker keeps while it folds: cells, busy seconds, events.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::busy::{BusySeconds, split_by_hour};
use super::cells::{Cells, MeasureSums, RecordSums};
use super::histogram::{Grid, fine_bin};
use super::key::{
    EXECUTION_TYPE_BITS, FINE_BIN_BITS, METRIC_DURATION, METRIC_MEASURES, METRIC_MEMORY_SAMPLE, MINUTE_BIN_BITS,
    NAME_BITS, NO_STAGE, SEGMENT_BIN_BITS, SEGMENT_BITS, VISIT_BITS, join,
};
use crate::config::EpochNanos;
use crate::ingest::record::Record;
use crate::ingest::timestamp::{NANOS_PER_MINUTE, NANOS_PER_SECOND};
use crate::schema::record::SIZE;

const NANOS_PER_HOUR: i64 = 3600 * NANOS_PER_SECOND;
/// Of a size or a measure.
const NANO_PER_UNIT: f64 = 1e9;
/// Distinct events that are kept; a log with more keeps the earliest.
pub(super) const MAX_EVENTS: usize = 100_000;

/// Time, type, stage, bits of the value, text.
pub(super) type EventKey = (EpochNanos, String, u8, u64, String);
/// Count, sum (10^-9 MB) and maximum (MB) of memory samples.
pub(super) type SampleSums = (u64, u128, f64);

/// Where and when an upload counts, in numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub stage: u8,
    /// The stage in its period, as [`super::key::Visits`] numbers them.
    pub visit: u8,
    pub segment: u32,
    /// Of a failed record.
    pub error_type: Option<u16>,
    pub start: EpochNanos,
    pub end: EpochNanos,
}

/// What one worker has folded, of records with at most `M` measures: they and what else has a histogram make `L` lists.
#[derive(Default)]
pub(super) struct Partial<const M: usize, const L: usize> {
    pub minutes: Cells<RecordSums<M>, 1, MINUTE_BIN_BITS>,
    pub segments: Cells<RecordSums<M>, 1, SEGMENT_BIN_BITS>,
    pub errors: Cells<u64, 0, 0>,
    pub fine: Cells<(), L, FINE_BIN_BITS>,
    pub fine_segments: Cells<(), L, FINE_BIN_BITS>,
    pub busy: FxHashMap<u64, BusySeconds>,
    pub memory_samples: BTreeMap<(i64, u8), SampleSums>,
    pub events: BTreeMap<EventKey, u64>,
    pub placed_span: Option<(EpochNanos, EpochNanos)>,
    pub numbered_span: Option<(EpochNanos, EpochNanos)>,
}

impl<const M: usize, const L: usize> Partial<M, L> {
    const LISTS_FIT: () = assert!(L == M + METRIC_MEASURES);

    /// Counts a record where it ended, and its busy seconds where they fell.
    #[inline]
    pub(super) fn record(&mut self, record: &Record<'_>, place: &Place) {
        let () = Self::LISTS_FIT;
        let execution_type = record.execution_type as u64;
        let stage_key =
            |time| join(join(time, VISIT_BITS, u64::from(place.visit)), EXECUTION_TYPE_BITS, execution_type);
        let segment_of = |key| join(key, SEGMENT_BITS, u64::from(place.segment));
        let minute_key = stage_key((place.end / NANOS_PER_MINUTE) as u64);
        let hour_key = stage_key((place.end / NANOS_PER_HOUR) as u64);
        let (segment_key, whole_segment_key) = (segment_of(hour_key), segment_of(stage_key(0)));
        let sums = record_sums(record, place.end - place.start);
        let duration = record.duration_ms.filter(|_| record.success).map(fine_bin);
        self.minutes.add(minute_key, &sums, [duration.map(|bin| Grid::MINUTE.coarsen(bin))]);
        self.segments.add(segment_key, &sums, [duration.map(|bin| Grid::SEGMENT.coarsen(bin))]);
        let mut metrics = [None; L];
        metrics[METRIC_DURATION] = duration;
        for (metric, measure) in metrics[METRIC_MEASURES..].iter_mut().zip(&record.measures) {
            *metric = measure.map(fine_bin);
        }
        self.fine.add(hour_key, &(), metrics);
        self.fine_segments.add(whole_segment_key, &(), metrics);
        if let Some(error) = place.error_type {
            self.errors.add(join(segment_key, NAME_BITS, u64::from(error)), &1, []);
        }
        // Without a duration nobody knows which seconds it took.
        if record.duration_ms.is_none() {
            return;
        }
        let second = |at: EpochNanos| at.div_euclid(NANOS_PER_SECOND);
        for (hour, first, last) in split_by_hour(second(place.start), second(place.end)) {
            self.busy.entry(stage_key(hour as u64)).or_default().mark(first, last);
        }
    }

    /// Counts a `memory_sample` event.
    #[expect(clippy::cast_possible_truncation, reason = "sizes in bytes fit 64 bits, and metrics are three")]
    pub(super) fn memory_sample(&mut self, at: EpochNanos, visit: u8, rss_mb: f64) {
        let sample = self.memory_samples.entry((at / NANOS_PER_MINUTE, visit)).or_default();
        sample.0 += 1;
        sample.1 += (rss_mb * NANO_PER_UNIT).round() as u128;
        sample.2 = sample.2.max(rss_mb);
        if visit != NO_STAGE {
            let key = join(join((at / NANOS_PER_HOUR) as u64, VISIT_BITS, u64::from(visit)), EXECUTION_TYPE_BITS, 0);
            let mut metrics = [None; L];
            metrics[METRIC_MEMORY_SAMPLE] = Some(fine_bin(rss_mb));
            self.fine.add(key, &(), metrics);
        }
    }

    /// Counts any other event.
    pub(super) fn event(&mut self, key: EventKey) {
        *self.events.entry(key).or_default() += 1;
        if self.events.len() > MAX_EVENTS {
            self.events.pop_last();
        }
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "sizes in bytes fit 64 bits")]
fn record_sums<const M: usize>(record: &Record<'_>, duration_ns: i64) -> RecordSums<M> {
    let nano = |value: Option<f64>| value.map_or(0, |value| (value * NANO_PER_UNIT).round() as u64);
    let if_success = |value: u64| if record.success { value } else { 0 };
    let mut measures = [MeasureSums::default(); M];
    for (sums, value) in measures.iter_mut().zip(record.measures) {
        *sums = MeasureSums { n: u64::from(value.is_some()), nano: nano(value), max: value.unwrap_or(0.0) };
    }
    RecordSums {
        n: 1,
        successes: u64::from(record.success),
        success_size_nano_mb: if_success(nano(record.number(SIZE))),
        duration_ns: duration_ns as u64,
        success_duration_ns: if_success(duration_ns as u64),
        success_duration_max_ms: record.duration_ms.filter(|_| record.success).unwrap_or(0.0),
        measures,
    }
}
