//! The cube asked by visit: a stage in a period of the timeline.

use polars_core::prelude::*;

use super::super::add_up::add_up;
use super::super::header::{Cube, damaged};
use super::super::key::NO_STAGE;
use super::super::table::{MINUTES, TableSpec};
use super::arm::Arm;
use super::view::View;
use crate::error::Result;

/// Minutes at the beginning of a visit in which what began before may still end.
const SETTLING_MINUTES: i64 = 10;

/// The records of a stage in a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// From 1.
    pub period: usize,
    pub stage: usize,
    /// First and last minute in which a record ended, since 1970-01-01T00:00Z.
    pub minutes: (i64, i64),
    pub records: u64,
    pub treated: u64,
    pub treated_failures: u64,
    /// Records, and treated ones, that ended later than ten minutes after the first.
    pub settled: (u64, u64),
}

/// Records of a minute that are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOutMinute {
    /// Since 1970-01-01T00:00Z.
    pub minute: i64,
    pub treated: bool,
    pub records: u64,
    pub failures: u64,
}

impl Cube {
    /// All visits with records, by period and first minute.
    pub fn visits(&self) -> Result<Vec<Visit>> {
        self.visits_inner().map_err(damaged)
    }

    fn visits_inner(&self) -> PolarsResult<Vec<Visit>> {
        let view = View::whole(&self.tables[MINUTES]);
        let (periods, stages, kinds) =
            (view.numbers("period")?, view.numbers("stage")?, view.numbers("execution_type")?);
        let (records, successes) = (view.counts("n")?, view.counts("successes")?);
        let mut visits: Vec<Visit> = Vec::new();
        // Rows are sorted by minute.
        for (row, minute) in view.times("minute")?.into_iter().enumerate() {
            let (period, stage) = (usize::from(periods[row]), usize::from(stages[row]));
            let known = visits.iter().position(|visit| (visit.period, visit.stage) == (period, stage));
            let index = known.unwrap_or(visits.len());
            if known.is_none() {
                let minutes = (minute, minute);
                visits.push(Visit {
                    period,
                    stage,
                    minutes,
                    records: 0,
                    treated: 0,
                    treated_failures: 0,
                    settled: (0, 0),
                });
            }
            let visit = &mut visits[index];
            let treated = if Arm::Treated.holds(kinds[row]) { records[row] } else { 0 };
            visit.minutes.1 = minute;
            visit.records += records[row];
            visit.treated += treated;
            visit.treated_failures += if treated > 0 { records[row] - successes[row] } else { 0 };
            if minute > visit.minutes.0 + SETTLING_MINUTES {
                visit.settled = (visit.settled.0 + records[row], visit.settled.1 + treated);
            }
        }
        visits.sort_by_key(|visit| (visit.period, visit.minutes.0));
        Ok(visits)
    }

    /// The cube without what is left out, and the cube in which it counts like all else.
    pub fn without_and_with_left_out(&self) -> Result<(Self, Self)> {
        let stages = self.header.rules.stages.len();
        let mut header = self.header.clone();
        header.rules.exclude.clear();
        let of = |tables: PolarsResult<Vec<DataFrame>>| {
            let tables = tables.map_err(damaged)?.try_into().expect("as many tables as there are");
            Ok(Self { header: header.clone(), tables, ..self.clone() })
        };
        let is_of_records = |table: &DataFrame| table.schema().contains("period");
        let without = |table: &DataFrame| -> PolarsResult<DataFrame> {
            if !is_of_records(table) {
                return Ok(table.clone());
            }
            let numbers = View::whole(table).numbers("stage")?;
            let counts = numbers.into_iter().map(|number| usize::from(number) < stages || number == NO_STAGE);
            let mut table = table.filter(&BooleanChunked::new("kept".into(), counts.collect::<Vec<_>>()))?;
            table.rechunk_mut();
            Ok(table)
        };
        let of_stages = u8::try_from(stages).unwrap_or(NO_STAGE);
        let with = |(spec, table): (&TableSpec, &DataFrame)| -> PolarsResult<DataFrame> {
            if !is_of_records(table) {
                return Ok(table.clone());
            }
            let stage = |number: u8| if number == NO_STAGE { number } else { number % of_stages };
            let numbers: Vec<u8> = View::whole(table).numbers("stage")?.into_iter().map(stage).collect();
            let mut table = table.clone();
            table.with_column(UInt8Chunked::from_vec("stage".into(), numbers).into_series().into())?;
            let mut table = add_up(spec, vec![table])?;
            table.rechunk_mut();
            Ok(table)
        };
        Ok((
            of(self.tables.iter().map(without).collect())?,
            of(self.specs().iter().zip(&self.tables).map(with).collect())?,
        ))
    }

    /// Records that are left out, by the minute in which they ended: rising.
    pub fn left_out(&self) -> Result<Vec<LeftOutMinute>> {
        let stages = self.header.rules.stages.len();
        let read = || -> PolarsResult<Vec<LeftOutMinute>> {
            let view = View::whole(&self.tables[MINUTES]);
            let (numbers, kinds) = (view.numbers("stage")?, view.numbers("execution_type")?);
            let (records, successes) = (view.counts("n")?, view.counts("successes")?);
            let rows = view.times("minute")?.into_iter().enumerate();
            let left_out = rows.filter(|(row, _)| usize::from(numbers[*row]) >= stages && numbers[*row] != NO_STAGE);
            Ok(left_out
                .map(|(row, minute)| LeftOutMinute {
                    minute,
                    treated: Arm::Treated.holds(kinds[row]),
                    records: records[row],
                    failures: records[row] - successes[row],
                })
                .collect())
        };
        read().map_err(damaged)
    }

    /// The cube without the records and samples of other visits than these, each a period and a stage.
    pub fn of_visits(&self, visits: &[(usize, usize)]) -> Result<Self> {
        let kept = |table: &DataFrame| -> PolarsResult<DataFrame> {
            if !table.schema().contains("period") {
                return Ok(table.clone());
            }
            let view = View::whole(table);
            let rows = view.numbers("period")?.into_iter().zip(view.numbers("stage")?);
            let is_kept = |(period, stage)| visits.contains(&(usize::from(period), usize::from(stage)));
            let mask: Vec<bool> = rows.map(is_kept).collect();
            let mut table = table.filter(&BooleanChunked::new("kept".into(), mask))?;
            table.rechunk_mut();
            Ok(table)
        };
        let kept: PolarsResult<Vec<DataFrame>> = self.tables.iter().map(kept).collect();
        let tables = kept.map_err(damaged)?.try_into().expect("as many tables as there are");
        Ok(Self { tables, ..self.clone() })
    }
}
