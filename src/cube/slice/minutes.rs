//! The cube asked by minute, for what slides over it: trigger windows.

use polars_core::prelude::*;

use super::super::header::{Cube, damaged};
use super::super::histogram::Histogram;
use super::super::key::NO_STAGE;
use super::super::table::{ERRORS, MEMORY_SAMPLES, MINUTES};
use super::answers::MeasureSum;
use super::arm::Arm;
use super::view::View;
use crate::error::Result;
use crate::schema::record::MAX_MEASURES;

/// The uploads of a group that ended in one minute.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MinuteSums {
    /// Minutes since 1970-01-01T00:00Z.
    pub minute: i64,
    pub uploads: u64,
    pub successes: u64,
    /// By the schema's positions.
    pub measures: [MeasureSum; MAX_MEASURES],
    /// `duration_ms` of the successful uploads, 16 bins per octave.
    pub durations: Histogram,
}

/// Memory samples of one minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MinuteMemory {
    /// Minutes since 1970-01-01T00:00Z.
    pub minute: i64,
    pub count: u64,
    /// 10^-9 MB
    pub nano_mb: i128,
    pub max_mb: f64,
}

impl Cube {
    /// Sums by minute of a stage's arm, rising; minutes without an upload are left out.
    pub fn minute_sums(&self, stage: usize, arm: Arm) -> Result<Vec<MinuteSums>> {
        let read = || -> PolarsResult<_> {
            let view = View::of(&self.tables[MINUTES], stage, arm)?;
            let (uploads, successes) = (view.counts("n")?, view.counts("successes")?);
            let measures = view.measures(&self.header.rules.measures)?;
            let histograms = view.histograms()?;
            let mut minutes: Vec<MinuteSums> = Vec::new();
            // Rows are sorted by minute; each holds the uploads of one execution type.
            for (row, minute) in view.times("minute")?.into_iter().enumerate() {
                if minutes.last().is_none_or(|last| last.minute != minute) {
                    minutes.push(MinuteSums { minute, ..MinuteSums::default() });
                }
                let Some(sum) = minutes.last_mut() else { continue };
                sum.uploads += uploads[row];
                sum.successes += successes[row];
                for (sum, of_rows) in sum.measures.iter_mut().zip(&measures) {
                    sum.add(&of_rows[row]);
                }
                sum.durations.add(&histograms[row]);
            }
            Ok(minutes)
        };
        read().map_err(damaged)
    }

    /// Memory samples of a stage by minute, rising.
    pub fn memory_samples_by_minute(&self, stage: usize) -> Result<Vec<MinuteMemory>> {
        let read = || -> PolarsResult<_> {
            // No stage has a number that does not fit.
            let stage = u8::try_from(stage).unwrap_or(NO_STAGE);
            let view = View::whole(&self.tables[MEMORY_SAMPLES]).only("stage", stage)?;
            let (counts, sums, largest) =
                (view.counts("samples")?, view.sums("memory_mb")?, view.floats("memory_max_mb")?);
            let minute =
                |(row, minute)| MinuteMemory { minute, count: counts[row], nano_mb: sums[row], max_mb: largest[row] };
            Ok(view.times("minute")?.into_iter().enumerate().map(minute).collect())
        };
        read().map_err(damaged)
    }

    /// Failures of a stage's arm as (hour, error type, failures), sorted.
    pub fn errors_by_hour(&self, stage: usize, arm: Arm) -> Result<Vec<(i64, String, u64)>> {
        let read = || -> PolarsResult<_> {
            let view = View::of(&self.tables[ERRORS], stage, arm)?;
            let rows = view.times("hour")?.into_iter().zip(view.names("error_type")?).zip(view.counts("failures")?);
            let named = rows.map(|((hour, kind), failures)| {
                (hour, self.header.error_types.names[usize::from(kind)].clone(), failures)
            });
            let mut rows: Vec<_> = named.collect();
            rows.sort();
            Ok(rows)
        };
        read().map_err(damaged)
    }
}
