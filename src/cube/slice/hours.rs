//! The cube asked by hour: sums, histograms, failures by name, events.

use std::collections::BTreeMap;

use polars_core::prelude::*;

use super::super::busy::BusySeconds;
use super::super::header::{Cube, damaged};
use super::super::histogram::Histogram;
use super::super::key::NO_STAGE;
use super::super::table::{BUSY, ERRORS, EVENTS, FINE, MINUTES, SEGMENTS};
use super::answers::{HourMeasure, HourSums, LoggedEvent, MeasureSum, Measured, MinuteCounts};
use super::arm::Arm;
use super::view::View;
use crate::error::Result;
use crate::ingest::record::ExecutionType;
use crate::zone::Zone;

impl Cube {
    /// Sums by hour of a stage's arm, rising; hours without an upload or a busy second are left out.
    pub fn hours(&self, stage: usize, arm: Arm, timeout_errors: &[String]) -> Result<Vec<HourSums>> {
        self.hours_inner(stage, arm, timeout_errors).map_err(damaged)
    }

    fn hours_inner(&self, stage: usize, arm: Arm, timeout_errors: &[String]) -> PolarsResult<Vec<HourSums>> {
        let mut hours: BTreeMap<i64, HourSums> = BTreeMap::new();
        let view = View::of(&self.tables[SEGMENTS], stage, arm)?;
        let kinds = view.numbers("execution_type")?;
        let (uploads, successes) = (view.counts("n")?, view.counts("successes")?);
        let sizes = view.sums("success_size_mb")?;
        let (durations, success_durations) = (view.sums("duration_ms")?, view.sums("success_duration_ms")?);
        let longest = view.floats("success_duration_max_ms")?;
        let measures = view.measures(&self.header.rules.measures)?;
        for (row, hour) in view.times("hour")?.into_iter().enumerate() {
            let sum = hours.entry(hour).or_default();
            sum.uploads += uploads[row];
            sum.successes += successes[row];
            if Arm::Treated.holds(kinds[row]) {
                sum.treated += uploads[row];
            }
            if kinds[row] == ExecutionType::SyncFallback as u8 {
                sum.fallbacks += uploads[row];
            }
            sum.success_size_nano_mb += sizes[row];
            sum.duration_ns += durations[row];
            sum.success_duration_ns += success_durations[row];
            sum.success_duration_max_ms = sum.success_duration_max_ms.max(longest[row]);
            for (sum, of_rows) in sum.measures.iter_mut().zip(&measures) {
                sum.add(&of_rows[row]);
            }
        }
        for (hour, timeouts) in self.failures_by_hour(stage, arm, timeout_errors)? {
            hours.entry(hour).or_default().timeouts = timeouts;
        }
        for (hour, busy) in self.busy_inner(stage, arm)? {
            hours.entry(hour).or_default().busy_seconds = busy.count();
        }
        Ok(hours.into_iter().map(|(hour, sums)| HourSums { hour, ..sums }).collect())
    }

    fn failures_by_hour(&self, stage: usize, arm: Arm, names: &[String]) -> PolarsResult<BTreeMap<i64, u64>> {
        let wanted: Vec<u16> = names.iter().filter_map(|name| self.header.error_types.number(name)).collect();
        let view = View::of(&self.tables[ERRORS], stage, arm)?;
        let (kinds, failures) = (view.names("error_type")?, view.counts("failures")?);
        let mut hours = BTreeMap::new();
        for (row, hour) in view.times("hour")?.into_iter().enumerate() {
            if wanted.contains(&kinds[row]) {
                *hours.entry(hour).or_default() += failures[row];
            }
        }
        Ok(hours)
    }

    /// Failures by error type of a stage's arm.
    pub fn errors(&self, stage: usize, arm: Arm) -> Result<BTreeMap<String, u64>> {
        let read = || -> PolarsResult<_> {
            let view = View::of(&self.tables[ERRORS], stage, arm)?;
            let mut errors = BTreeMap::new();
            for (kind, failures) in view.names("error_type")?.into_iter().zip(view.counts("failures")?) {
                *errors.entry(self.header.error_types.names[usize::from(kind)].clone()).or_default() += failures;
            }
            Ok(errors)
        };
        read().map_err(damaged)
    }

    fn busy_inner(&self, stage: usize, arm: Arm) -> PolarsResult<BTreeMap<i64, BusySeconds>> {
        let view = View::of(&self.tables[BUSY], stage, arm)?;
        let mut hours: BTreeMap<i64, BusySeconds> = BTreeMap::new();
        for (hour, seconds) in view.times("hour")?.into_iter().zip(view.bytes("seconds")?) {
            let known = BusySeconds::from_bytes(seconds);
            let known = known.ok_or_else(|| polars_err!(ComputeError: "an hour of busy seconds is not 450 bytes"))?;
            hours.entry(hour).or_default().union(&known.0[..]);
        }
        Ok(hours)
    }

    /// The stage in which most uploads of each day of a zone (since 1970-01-01) ended.
    pub fn stages_by_day(&self, zone: Zone) -> Result<BTreeMap<i64, usize>> {
        let read = || -> PolarsResult<_> {
            let view = View::whole(&self.tables[MINUTES]);
            let (stages, uploads) = (view.numbers("stage")?, view.counts("n")?);
            let mut sums: BTreeMap<(i64, usize), u64> = BTreeMap::new();
            for (row, minute) in view.times("minute")?.into_iter().enumerate() {
                let day = zone.day(minute * 60 * 1_000_000_000);
                *sums.entry((day, usize::from(stages[row]))).or_default() += uploads[row];
            }
            let mut most: BTreeMap<i64, (usize, u64)> = BTreeMap::new();
            for ((day, stage), uploads) in sums {
                let known = most.entry(day).or_insert((stage, uploads));
                if uploads > known.1 {
                    *known = (stage, uploads);
                }
            }
            Ok(most.into_iter().map(|(day, (stage, _))| (day, stage)).collect())
        };
        read().map_err(damaged)
    }

    /// Minutes of a stage in which an upload ended, rising.
    pub fn minutes_with_uploads(&self, stage: usize) -> Result<Vec<i64>> {
        let read = || -> PolarsResult<_> {
            // Rows are sorted by minute; each holds the uploads of one execution type.
            let mut minutes = View::of(&self.tables[MINUTES], stage, Arm::All)?.times("minute")?;
            minutes.dedup();
            Ok(minutes)
        };
        read().map_err(damaged)
    }

    /// Uploads, successes and busy seconds by minute of a stage's arm, rising.
    pub fn minutes(&self, stage: usize, arm: Arm) -> Result<BTreeMap<i64, MinuteCounts>> {
        let read = || -> PolarsResult<_> {
            let view = View::of(&self.tables[MINUTES], stage, arm)?;
            let mut minutes: BTreeMap<i64, MinuteCounts> = BTreeMap::new();
            let (uploads, successes) = (view.counts("n")?, view.counts("successes")?);
            let sizes = view.sums("success_size_mb")?;
            for (row, minute) in view.times("minute")?.into_iter().enumerate() {
                let counts = minutes.entry(minute).or_default();
                counts.uploads += uploads[row];
                counts.successes += successes[row];
                counts.success_size_nano_mb += sizes[row];
            }
            for (hour, busy) in self.busy_inner(stage, arm)? {
                for minute in 0..60 {
                    let seconds = busy.count_in_minute(minute);
                    if seconds > 0 {
                        minutes.entry(hour * 60 + minute as i64).or_default().busy_seconds = seconds;
                    }
                }
            }
            Ok(minutes)
        };
        read().map_err(damaged)
    }

    /// Fine histograms by hour of a stage's arm, rising. Memory samples belong to no arm: they
    /// are the process's.
    pub fn histograms(&self, stage: usize, arm: Arm, measured: Measured) -> Result<Vec<(i64, Histogram)>> {
        let arm = if measured == Measured::MemorySample { Arm::All } else { arm };
        let view = View::of(&self.tables[FINE], stage, arm).and_then(|view| view.only("metric", measured.number()));
        view.and_then(|view| view.histograms_by("hour")).map_err(damaged)
    }

    /// Memory samples of a stage by hour, rising.
    pub fn memory_samples(&self, stage: usize) -> Result<Vec<HourMeasure>> {
        let mut hours: Vec<HourMeasure> = Vec::new();
        for minute in self.memory_samples_by_minute(stage)? {
            let hour = minute.minute.div_euclid(60);
            let sum = MeasureSum { n: minute.count, nano: minute.nano_mb, max: minute.max_mb };
            match hours.last_mut().filter(|last| last.hour == hour) {
                Some(known) => known.sum.add(&sum),
                None => hours.push(HourMeasure { hour, sum }),
            }
        }
        Ok(hours)
    }

    /// The events of the log in time order, identical ones once.
    pub fn events(&self) -> Result<Vec<LoggedEvent>> {
        let read = || -> PolarsResult<_> {
            let table = &self.tables[EVENTS];
            let (kinds, texts) = (table.column("event_type")?.str()?, table.column("text")?.str()?);
            let (stages, values) = (table.column("stage")?.u8()?, table.column("value")?);
            let values: Vec<f64> = values.f64()?.no_null_iter().collect();
            let counts = View::whole(table).counts("count")?;
            let at = table.column("at_ns")?.i64()?;
            let names = kinds.no_null_iter().zip(texts.no_null_iter());
            let rows = at.no_null_iter().zip(stages.no_null_iter()).zip(names).zip(values.into_iter().zip(counts));
            Ok(rows
                .map(|(((at, stage), (kind, text)), (value, count))| LoggedEvent {
                    at,
                    event_type: kind.into(),
                    stage: (stage != NO_STAGE).then_some(usize::from(stage)),
                    value,
                    count,
                    text: text.into(),
                })
                .collect())
        };
        read().map_err(damaged)
    }
}
