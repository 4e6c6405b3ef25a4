//! The cube asked by segment: provider x file type x size bucket.

use polars_core::prelude::*;

use super::super::header::{Cube, damaged};
use super::super::histogram::Histogram;
use super::super::table::{ERRORS, FINE_SEGMENTS, SEGMENTS};
use super::answers::{MeasureSum, Measured, Segment};
use super::arm::Arm;
use super::view::View;
use crate::error::Result;
use crate::ingest::record::ExecutionType;

/// Sums over the uploads of one segment that ended in one hour.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentHour {
    pub segment: Segment,
    /// Hours since 1970-01-01T00:00Z.
    pub hour: i64,
    pub uploads: u64,
    pub successes: u64,
    /// `async` and `sync_fallback` uploads.
    pub treated: u64,
    /// `sync_fallback` uploads.
    pub fallbacks: u64,
    /// Failures whose error type is one of the asked.
    pub timeouts: u64,
    pub success_duration_ns: i128,
    pub success_duration_max_ms: f64,
    /// By the schema's positions.
    pub measures: Vec<MeasureSum>,
    /// `duration_ms` of the successful uploads, 8 bins per octave.
    pub durations: Histogram,
}

impl Cube {
    /// Sums of a stage's arm by segment and hour, sorted by both.
    pub fn segment_hours(&self, stage: usize, arm: Arm, timeout_errors: &[String]) -> Result<Vec<SegmentHour>> {
        self.segment_hours_inner(stage, arm, timeout_errors).map_err(damaged)
    }

    fn segment_hours_inner(&self, stage: usize, arm: Arm, timeouts: &[String]) -> PolarsResult<Vec<SegmentHour>> {
        let view = View::of(&self.tables[SEGMENTS], stage, arm)?;
        let (uploads, successes) = (view.counts("n")?, view.counts("successes")?);
        let durations = view.sums("success_duration_ms")?;
        let measures = view.measures(&self.header.rules.measures)?;
        let kinds = view.numbers("execution_type")?;
        let longest = view.floats("success_duration_max_ms")?;
        let (segments, hours) = (view.segments()?, view.times("hour")?);
        let mut rows = Vec::with_capacity(hours.len());
        for (row, ((segment, hour), durations_by_bin)) in
            segments.into_iter().zip(hours).zip(view.histograms()?).enumerate()
        {
            rows.push(SegmentHour {
                segment,
                hour,
                uploads: uploads[row],
                successes: successes[row],
                treated: if Arm::Treated.holds(kinds[row]) { uploads[row] } else { 0 },
                fallbacks: if kinds[row] == ExecutionType::SyncFallback as u8 { uploads[row] } else { 0 },
                timeouts: 0,
                success_duration_ns: durations[row],
                success_duration_max_ms: longest[row],
                measures: measures.iter().map(|of_rows| of_rows[row]).collect(),
                durations: durations_by_bin,
            });
        }
        rows.sort_by_key(|row| (row.segment, row.hour));
        // The execution types of an arm become one row.
        rows.dedup_by(|next, kept| {
            let same = (next.segment, next.hour) == (kept.segment, kept.hour);
            if same {
                kept.uploads += next.uploads;
                kept.successes += next.successes;
                kept.treated += next.treated;
                kept.fallbacks += next.fallbacks;
                kept.success_duration_ns += next.success_duration_ns;
                kept.success_duration_max_ms = kept.success_duration_max_ms.max(next.success_duration_max_ms);
                kept.measures.iter_mut().zip(&next.measures).for_each(|(sum, next)| sum.add(next));
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
        let view = View::of(&self.tables[ERRORS], stage, arm)?;
        let rows = view.segments()?.into_iter().zip(view.times("hour")?).zip(view.counts("failures")?);
        Ok(rows.zip(view.names("error_type")?).filter(|(_, kind)| wanted.contains(kind)).map(|(row, _)| row).collect())
    }

    /// Fine histograms of a stage's arm by segment, sorted.
    pub fn segment_histograms(&self, stage: usize, arm: Arm, measured: Measured) -> Result<Vec<(Segment, Histogram)>> {
        let read = || -> PolarsResult<_> {
            let view = View::of(&self.tables[FINE_SEGMENTS], stage, arm)?.only("metric", measured.number())?;
            let mut known: Vec<(Segment, Histogram)> = view.segments()?.into_iter().zip(view.histograms()?).collect();
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
