//! The cube asked by segment: provider x file type x size bucket.

use polars::prelude::*;

use super::super::histogram::Histogram;
use super::super::table::{ERRORS, FINE_SEGMENTS, HistogramRows, SEGMENTS};
use super::super::{Cube, damaged};
use super::{Arm, Measured, counts, rows_of, sums, take, times};
use crate::error::Result;

/// A cell of the mix: provider, file type and size bucket, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment {
    pub provider: u16,
    pub file_type: u16,
    /// The first bound not below the size; then "above the last", then "unknown".
    pub size_bucket: u8,
}

/// Sums over the uploads of one segment that ended in one hour.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentHour {
    pub segment: Segment,
    /// Hours since 1970-01-01T00:00Z.
    pub hour: i64,
    pub uploads: u64,
    pub successes: u64,
    /// Failures whose error type is one of the asked.
    pub timeouts: u64,
    pub success_duration_ns: i128,
    pub memory_uploads: u64,
    /// 10^-9 MB
    pub memory_nano_mb: i128,
    /// `duration_ms` of the successful uploads, 8 bins per octave.
    pub durations: Histogram,
}

fn segments_of(table: &DataFrame) -> PolarsResult<Vec<Segment>> {
    let (providers, types) = (table.column("provider")?.u16()?, table.column("file_type")?.u16()?);
    let sizes = table.column("size_bucket")?.u8()?;
    let names = providers.no_null_iter().zip(types.no_null_iter());
    Ok(names
        .zip(sizes.no_null_iter())
        .map(|((provider, file_type), size_bucket)| Segment { provider, file_type, size_bucket })
        .collect())
}

impl Cube {
    /// Sums of a stage's arm by segment and hour, sorted by both.
    pub fn segment_hours(&self, stage: usize, arm: Arm, timeout_errors: &[String]) -> Result<Vec<SegmentHour>> {
        self.segment_hours_inner(stage, arm, timeout_errors).map_err(damaged)
    }

    fn segment_hours_inner(&self, stage: usize, arm: Arm, timeouts: &[String]) -> PolarsResult<Vec<SegmentHour>> {
        let table = &self.tables[SEGMENTS];
        let table = take(table, &rows_of(table, stage, arm)?)?;
        let (uploads, successes) = (counts(&table, "uploads")?, counts(&table, "successes")?);
        let memory_uploads = counts(&table, "memory_uploads")?;
        let (durations, memory) = (sums(&table, "success_duration_ms")?, sums(&table, "memory_mb")?);
        let (segments, hours) = (segments_of(&table)?, times(&table, "hour")?);
        let histograms = HistogramRows::new(&table)?;
        let mut rows = Vec::with_capacity(hours.len());
        for (row, (segment, hour)) in segments.into_iter().zip(hours).enumerate() {
            rows.push(SegmentHour {
                segment,
                hour,
                uploads: uploads[row],
                successes: successes[row],
                timeouts: 0,
                success_duration_ns: durations[row],
                memory_uploads: memory_uploads[row],
                memory_nano_mb: memory[row],
                durations: histograms.histogram(row)?,
            });
        }
        rows.sort_by_key(|row| (row.segment, row.hour));
        // The execution types of an arm become one row.
        rows.dedup_by(|next, kept| {
            let same = (next.segment, next.hour) == (kept.segment, kept.hour);
            if same {
                kept.uploads += next.uploads;
                kept.successes += next.successes;
                kept.success_duration_ns += next.success_duration_ns;
                kept.memory_uploads += next.memory_uploads;
                kept.memory_nano_mb += next.memory_nano_mb;
                kept.durations.add(&next.durations);
            }
            same
        });
        for ((segment, hour), failures) in self.timeouts_by_segment(stage, arm, timeouts)? {
            if let Ok(row) = rows.binary_search_by_key(&(segment, hour), |row| (row.segment, row.hour)) {
                rows[row].timeouts += failures;
            }
        }
        Ok(rows)
    }

    fn timeouts_by_segment(
        &self,
        stage: usize,
        arm: Arm,
        names: &[String],
    ) -> PolarsResult<Vec<((Segment, i64), u64)>> {
        let wanted: Vec<u16> = names.iter().filter_map(|name| self.header.error_types.number(name)).collect();
        let table = &self.tables[ERRORS];
        let table = take(table, &rows_of(table, stage, arm)?)?;
        let kinds = table.column("error_type")?.u16()?;
        let rows = segments_of(&table)?.into_iter().zip(times(&table, "hour")?).zip(counts(&table, "failures")?);
        Ok(rows.zip(kinds.no_null_iter()).filter(|(_, kind)| wanted.contains(kind)).map(|(row, _)| row).collect())
    }

    /// Fine histograms of a stage's arm by segment, sorted.
    pub fn segment_histograms(&self, stage: usize, arm: Arm, measured: Measured) -> Result<Vec<(Segment, Histogram)>> {
        let read = || -> PolarsResult<_> {
            let table = &self.tables[FINE_SEGMENTS];
            let metrics: Vec<u8> = table.column("metric")?.u8()?.no_null_iter().collect();
            let mut rows = rows_of(table, stage, arm)?;
            rows.retain(|row| metrics[*row] == measured.number());
            let table = take(table, &rows)?;
            let histograms = HistogramRows::new(&table)?;
            let mut known: Vec<(Segment, Histogram)> = Vec::new();
            for (row, segment) in segments_of(&table)?.into_iter().enumerate() {
                known.push((segment, histograms.histogram(row)?));
            }
            known.sort_by_key(|(segment, _)| *segment);
            known.dedup_by(|next, kept| {
                let same = next.0 == kept.0;
                if same {
                    kept.1.add(&next.1);
                }
                same
            });
            Ok(known)
        };
        read().map_err(damaged)
    }
}
