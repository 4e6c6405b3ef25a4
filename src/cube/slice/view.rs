//! Some rows of a table, read column by column: nothing is copied but what is asked.

use polars_core::prelude::*;

use super::super::histogram::Histogram;
use super::super::table::HistogramRows;
use super::answers::{MeasureSum, Segment};
use super::arm::Arm;

/// Rows of a table, in its order.
pub(super) struct View<'t> {
    table: &'t DataFrame,
    rows: Vec<usize>,
}

impl<'t> View<'t> {
    /// The rows of a stage and arm.
    pub(super) fn of(table: &'t DataFrame, stage: usize, arm: Arm) -> PolarsResult<Self> {
        let (stages, kinds) = (table.column("stage")?.u8()?.rechunk(), table.column("execution_type")?.u8()?.rechunk());
        let pairs = stages.cont_slice()?.iter().zip(kinds.cont_slice()?).enumerate();
        let inside = |(of, kind): (&u8, &u8)| usize::from(*of) == stage && arm.holds(*kind);
        Ok(Self { table, rows: pairs.filter(|(_, pair)| inside(*pair)).map(|(row, _)| row).collect() })
    }

    /// All rows.
    pub(super) fn whole(table: &'t DataFrame) -> Self {
        Self { table, rows: (0..table.height()).collect() }
    }

    /// Of these rows those whose `column` is `value`.
    pub(super) fn only(mut self, column: &str, value: u8) -> PolarsResult<Self> {
        let values = self.table.column(column)?.u8()?.rechunk();
        let values = values.cont_slice()?;
        self.rows.retain(|row| values[*row] == value);
        Ok(self)
    }

    fn pick<T: Copy>(&self, values: &[T]) -> Vec<T> {
        self.rows.iter().map(|row| values[*row]).collect()
    }

    /// A `UInt64` column.
    pub(super) fn counts(&self, column: &str) -> PolarsResult<Vec<u64>> {
        Ok(self.pick(self.table.column(column)?.u64()?.rechunk().cont_slice()?))
    }

    /// A `Decimal` column, in units of its last digit.
    pub(super) fn sums(&self, column: &str) -> PolarsResult<Vec<i128>> {
        Ok(self.pick(self.table.column(column)?.decimal()?.physical().rechunk().cont_slice()?))
    }

    /// A `Float64` column.
    pub(super) fn floats(&self, column: &str) -> PolarsResult<Vec<f64>> {
        Ok(self.pick(self.table.column(column)?.f64()?.rechunk().cont_slice()?))
    }

    /// The column `minute` or `hour`, since 1970-01-01T00:00Z.
    pub(super) fn times(&self, column: &str) -> PolarsResult<Vec<i64>> {
        let times = self.table.column(column)?.i32()?.rechunk();
        let times = times.cont_slice()?;
        Ok(self.rows.iter().map(|row| i64::from(times[*row])).collect())
    }

    /// The numbers of names.
    pub(super) fn names(&self, column: &str) -> PolarsResult<Vec<u16>> {
        Ok(self.pick(self.table.column(column)?.u16()?.rechunk().cont_slice()?))
    }

    /// A `UInt8` column.
    pub(super) fn numbers(&self, column: &str) -> PolarsResult<Vec<u8>> {
        Ok(self.pick(self.table.column(column)?.u8()?.rechunk().cont_slice()?))
    }

    /// A `Binary` column.
    pub(super) fn bytes(&self, column: &str) -> PolarsResult<Vec<&'t [u8]>> {
        let column = self.table.column(column)?.binary()?;
        Ok(self.rows.iter().filter_map(|row| column.get(*row)).collect())
    }

    /// The segment of each row.
    pub(super) fn segments(&self) -> PolarsResult<Vec<Segment>> {
        let segments = self.pick(self.table.column("segment")?.u32()?.rechunk().cont_slice()?);
        Ok(segments.into_iter().map(Segment).collect())
    }

    /// For each of these measures its sums in every row.
    pub(super) fn measures(&self, names: &[String]) -> PolarsResult<Vec<Vec<MeasureSum>>> {
        let of_measure = |name: &String| {
            let column = |what: &str| format!("{name}_{what}");
            let (n, nano) = (self.counts(&column("n"))?, self.sums(&column("sum"))?);
            let rows = n.into_iter().zip(nano).zip(self.floats(&column("max"))?);
            Ok(rows.map(|((n, nano), max)| MeasureSum { n, nano, max }).collect())
        };
        names.iter().map(of_measure).collect()
    }

    /// The histogram of each row.
    pub(super) fn histograms(&self) -> PolarsResult<Vec<Histogram>> {
        let histograms = HistogramRows::new(self.table)?;
        self.rows.iter().map(|row| histograms.histogram(*row)).collect()
    }

    /// The sums of the histograms of rows that share a time: rows are sorted by it.
    pub(super) fn histograms_by(&self, column: &str) -> PolarsResult<Vec<(i64, Histogram)>> {
        let histograms = HistogramRows::new(self.table)?;
        let times = self.times(column)?;
        let mut rows = self.rows.as_slice();
        let mut sums = Vec::new();
        for same in times.chunk_by(|a, b| a == b) {
            let (these, rest) = rows.split_at(same.len());
            sums.push((same[0], histograms.sum(these.iter().copied())?));
            rows = rest;
        }
        Ok(sums)
    }
}
