//! The tables of the cube: their columns, and the one way to add two tables up. A table is a
//! polars `DataFrame` sorted by its key, each key once; every value column says how it is added.

use std::borrow::Cow;

use polars_core::prelude::*;

use super::dimension::Renumbering;
use super::histogram::Histogram;

/// How the values of equal keys become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Add {
    /// `UInt64`, summed.
    Count,
    /// `Decimal(38, scale)`, summed: exact, whatever the order.
    Sum { scale: usize },
    /// `Float64`, the larger one.
    Max,
    /// `Binary`, bitwise or.
    Bits,
}

/// Whether a table carries a histogram: the columns `bins` (`List(UInt16)`) and `counts`
/// (`List(UInt32)`). Bins rise; a bin whose count would overflow stands twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bins {
    None,
    Listed,
}

/// What a value column holds of the sums of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    N,
    Successes,
    SuccessSize,
    Duration,
    SuccessDuration,
    SuccessDurationMax,
    MeasureN(usize),
    MeasureSum(usize),
    MeasureMax(usize),
    /// Of a table that is not made of records' sums.
    Other,
}

/// A value column.
#[derive(Debug, Clone)]
pub(super) struct Value {
    pub name: Cow<'static, str>,
    pub add: Add,
    pub field: Field,
}

const fn value(name: &'static str, add: Add, field: Field) -> Value {
    Value { name: Cow::Borrowed(name), add, field }
}

/// One table.
#[derive(Debug, Clone)]
pub(super) struct TableSpec {
    pub name: &'static str,
    pub keys: &'static [&'static str],
    pub values: Vec<Value>,
    pub bins: Bins,
}

/// Decimals of a duration in ms: nanoseconds.
pub(super) const DURATION_SCALE: usize = 6;
/// Decimals of a size in MB, and of a measure.
pub(super) const UNIT_SCALE: usize = 9;

/// Sums of records, and of each measure count, sum and maximum.
fn record_values(measures: &[String]) -> Vec<Value> {
    let duration = Add::Sum { scale: DURATION_SCALE };
    let mut values = vec![
        value("n", Add::Count, Field::N),
        value("successes", Add::Count, Field::Successes),
        value("success_size_mb", Add::Sum { scale: UNIT_SCALE }, Field::SuccessSize),
        value("duration_ms", duration, Field::Duration),
        value("success_duration_ms", duration, Field::SuccessDuration),
        value("success_duration_max_ms", Add::Max, Field::SuccessDurationMax),
    ];
    for (index, measure) in measures.iter().enumerate() {
        let named = |what: &str, add, field| Value { name: format!("{measure}_{what}").into(), add, field };
        values.push(named("n", Add::Count, Field::MeasureN(index)));
        values.push(named("sum", Add::Sum { scale: UNIT_SCALE }, Field::MeasureSum(index)));
        values.push(named("max", Add::Max, Field::MeasureMax(index)));
    }
    values
}

/// How many tables there are.
pub(super) const TABLE_COUNT: usize = 8;

/// The tables, by number, of records with these measures. `docs/cube.md` describes them for other programs.
pub(super) fn specs(measures: &[String]) -> [TableSpec; TABLE_COUNT] {
    let table = |name, keys, values, bins| TableSpec { name, keys, values, bins };
    let of_records = || record_values(measures);
    [
        table("minutes", &["minute", "period", "stage", "execution_type"], of_records(), Bins::Listed),
        table("segments", &["hour", "period", "stage", "execution_type", "segment"], of_records(), Bins::Listed),
        table("fine", &["hour", "period", "stage", "execution_type", "metric"], Vec::new(), Bins::Listed),
        table("fine_segments", &["period", "stage", "execution_type", "segment", "metric"], Vec::new(), Bins::Listed),
        table(
            "errors",
            &["hour", "period", "stage", "execution_type", "segment", "error_type"],
            vec![value("failures", Add::Count, Field::Other)],
            Bins::None,
        ),
        table(
            "busy",
            &["hour", "period", "stage", "execution_type"],
            vec![value("seconds", Add::Bits, Field::Other)],
            Bins::None,
        ),
        table(
            "memory_samples",
            &["minute", "period", "stage"],
            vec![
                value("samples", Add::Count, Field::Other),
                value("memory_mb", Add::Sum { scale: UNIT_SCALE }, Field::Other),
                value("memory_max_mb", Add::Max, Field::Other),
            ],
            Bins::None,
        ),
        table(
            "events",
            &["at_ns", "event_type", "stage", "value", "text"],
            vec![value("count", Add::Count, Field::Other)],
            Bins::None,
        ),
    ]
}

pub(super) const MINUTES: usize = 0;
pub(super) const SEGMENTS: usize = 1;
pub(super) const FINE: usize = 2;
pub(super) const FINE_SEGMENTS: usize = 3;
pub(super) const ERRORS: usize = 4;
pub(super) const BUSY: usize = 5;
pub(super) const MEMORY_SAMPLES: usize = 6;
pub(super) const EVENTS: usize = 7;

/// A column of unsigned 64-bit counts.
pub(super) fn count_column(name: &str, values: Vec<u64>) -> Column {
    UInt64Chunked::from_vec(name.into(), values).into_series().into()
}

/// A column of exact sums: `values` times 10^-`scale`.
pub(super) fn sum_column(name: &str, values: Vec<i128>, scale: usize) -> Column {
    Int128Chunked::from_vec(name.into(), values).into_decimal_unchecked(38, scale).into_series().into()
}

/// A column of maxima.
pub(super) fn max_column(name: &str, values: Vec<f64>) -> Column {
    Float64Chunked::from_vec(name.into(), values).into_series().into()
}

/// Rewrites the column `text` of a table.
pub(super) fn rewrite_text(table: &mut DataFrame, text: impl Fn(&str) -> String) -> PolarsResult<()> {
    let rewritten: Vec<String> = table.column("text")?.str()?.no_null_iter().map(text).collect();
    table.with_column(Series::new("text".into(), rewritten).into())?;
    Ok(())
}

/// Histograms -> the columns `bins` and `counts`.
pub(super) struct HistogramColumns {
    bins: ListPrimitiveChunkedBuilder<UInt16Type>,
    counts: ListPrimitiveChunkedBuilder<UInt32Type>,
}

impl HistogramColumns {
    /// Room for so many rows and entries: growing by doubling would cost as much again.
    pub(super) fn with_capacity(rows: usize, entries: usize) -> Self {
        Self {
            bins: ListPrimitiveChunkedBuilder::new("bins".into(), rows, entries, DataType::UInt16),
            counts: ListPrimitiveChunkedBuilder::new("counts".into(), rows, entries, DataType::UInt32),
        }
    }

    /// Adds a row: bins, rising, and their counts.
    pub(super) fn push_row(&mut self, (bins, counts): (&[u16], &[u32])) {
        self.bins.append_slice(bins);
        self.counts.append_slice(counts);
    }

    pub(super) fn finish(mut self) -> [Column; 2] {
        [self.bins.finish().into_series().into(), self.counts.finish().into_series().into()]
    }
}

/// Read access to the histograms of a table, row by row.
pub(super) struct HistogramRows {
    offsets: Vec<usize>,
    bins: UInt16Chunked,
    counts: UInt32Chunked,
}

impl HistogramRows {
    #[expect(clippy::cast_possible_truncation, reason = "offsets of a table that is in memory")]
    pub(super) fn new(table: &DataFrame) -> PolarsResult<Self> {
        let bins = table.column("bins")?.list()?.rechunk().into_owned();
        let counts = table.column("counts")?.list()?.rechunk().into_owned();
        let offsets: Vec<usize> = bins.offsets()?.iter().map(|offset| *offset as usize).collect();
        let first = offsets.first().copied().unwrap_or(0);
        Ok(Self {
            offsets: offsets.iter().map(|offset| offset - first).collect(),
            bins: bins.get_inner().u16()?.rechunk().into_owned(),
            counts: counts.get_inner().u32()?.rechunk().into_owned(),
        })
    }

    /// Bins of all rows.
    pub(super) fn entries(&self) -> usize {
        self.bins.len()
    }

    /// Bins and counts of a row.
    pub(super) fn row(&self, row: usize) -> PolarsResult<(&[u16], &[u32])> {
        let range = self.offsets[row]..self.offsets[row + 1];
        Ok((&self.bins.cont_slice()?[range.clone()], &self.counts.cont_slice()?[range]))
    }

    /// The sum of some rows.
    pub(super) fn sum(&self, rows: impl Iterator<Item = usize>) -> PolarsResult<Histogram> {
        let rows = rows.map(|row| self.row(row)).collect::<PolarsResult<Vec<_>>>()?;
        Ok(Histogram::sum(rows.iter().copied()))
    }

    /// A row as a histogram.
    pub(super) fn histogram(&self, row: usize) -> PolarsResult<Histogram> {
        let (bins, counts) = self.row(row)?;
        let mut histogram = Histogram::with_capacity(bins.len());
        bins.iter().zip(counts).for_each(|(bin, count)| histogram.push(*bin, u64::from(*count)));
        Ok(histogram)
    }
}

/// Replaces the numbers of a dimension column.
pub(super) fn renumber(table: &mut DataFrame, column: &str, renumbering: &Renumbering) -> PolarsResult<()> {
    let identity = renumbering.iter().enumerate().all(|(old, new)| old == usize::from(*new));
    if identity || !table.schema().contains(column) {
        return Ok(());
    }
    let numbers = table.column(column)?.u16()?.apply_values(|old| renumbering[usize::from(old)]);
    table.with_column(numbers.into_series().into())?;
    Ok(())
}

/// Replaces the numbers of the segments.
pub(super) fn renumber_segments(table: &mut DataFrame, numbers: &[u32]) -> PolarsResult<()> {
    let identity = (0..).zip(numbers).all(|(old, new): (u32, &u32)| old == *new);
    if identity || !table.schema().contains("segment") {
        return Ok(());
    }
    let segments = table.column("segment")?.u32()?.apply_values(|old| numbers[old as usize]);
    table.with_column(segments.into_series().into())?;
    Ok(())
}
