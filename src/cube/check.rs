//! Does a table that was read hold what it must? A cube may come from another program, or from nobody's friend:
//! whatever passes here is safe to add up.

use polars_core::prelude::*;

use super::busy::BYTES;
use super::header::Header;
use super::histogram::{Grid, MAX_FINE_BIN};
use super::key::{METRIC_MEASURES, NO_STAGE};
use super::table::{Add, Bins, Field, HistogramRows, TableSpec, Value};
use crate::config::FoldingRules;
use crate::ingest::ledger::FileLedger;
use crate::schema::record::{MAX_DIMENSIONS, MAX_MEASURES};

/// Minutes since 1970-01-01 that a table may speak of, either way: three hundred years.
const MOST_MINUTES: i64 = 300 * 366 * 24 * 60;
/// Names of a dimension: nine bits hold their numbers.
const MAX_NAMES: usize = 512;
/// Largest count: no sum of a table's rows leaves 64 bits.
const MOST_COUNT: u64 = 1 << 40;
/// Largest number of bytes or lines of one file.
const MOST_OF_FILE: u64 = 1 << 50;
/// Largest sum, in units of its last digit.
const MOST_SUM: i128 = 1 << 100;

fn key_type(name: &str) -> DataType {
    match name {
        "minute" | "hour" => DataType::Int32,
        "at_ns" => DataType::Int64,
        "error_type" => DataType::UInt16,
        "segment" => DataType::UInt32,
        "event_type" | "text" => DataType::String,
        "value" => DataType::Float64,
        _ => DataType::UInt8,
    }
}

fn value_type(add: Add) -> DataType {
    match add {
        Add::Count => DataType::UInt64,
        Add::Sum { scale } => DataType::Decimal(38, scale),
        Add::Max => DataType::Float64,
        Add::Bits => DataType::Binary,
    }
}

/// A table with integers of the types that stagegate writes: other engines have no unsigned ones, or write wider ones.
///
/// # Errors
/// A number does not fit.
pub(super) fn with_own_integers(spec: &TableSpec, mut table: DataFrame) -> PolarsResult<DataFrame> {
    let lists = [("bins", DataType::UInt16), ("counts", DataType::UInt32)];
    let lists = lists.map(|(name, inner)| (name, DataType::List(Box::new(inner))));
    let keys = spec.keys.iter().map(|key| (*key, key_type(key)));
    let values = spec.values.iter().map(|value| (value.name.as_ref(), value_type(value.add)));
    for (name, wanted) in keys.chain(values).chain(lists) {
        let Ok(column) = table.column(name) else { continue };
        let is_whole = |dtype: &DataType| dtype.is_integer() || matches!(dtype, DataType::Decimal(_, 0));
        let turns = match (column.dtype(), &wanted) {
            (DataType::List(is), DataType::List(_)) => is.is_integer(),
            (is, wanted) => is_whole(is) && wanted.is_integer(),
        };
        if turns && *column.dtype() != wanted {
            let own = column.as_materialized_series().strict_cast(&wanted)?;
            table.with_column(own.into())?;
        }
    }
    Ok(table)
}

/// Columns, types, no nulls, and numbers that stand for something: a cube may come from
/// another program, or from nobody's friend.
///
/// Beside the rules the numbers of error types and of segments that there are.
pub(super) fn check_table(
    spec: &TableSpec,
    table: &DataFrame,
    (rules, error_types, segments): (&FoldingRules, usize, usize),
) -> PolarsResult<()> {
    let below = |name: &str| match name {
        "stage" if spec.name != "events" && spec.name != "memory_samples" => Some(rules.stage_numbers()),
        "period" if spec.name != "memory_samples" => Some(usize::from(NO_STAGE)),
        "execution_type" => Some(3),
        "metric" => Some(METRIC_MEASURES + rules.measures.len()),
        "segment" => Some(segments),
        "error_type" => Some(error_types),
        _ => None,
    };
    for key in spec.keys {
        check_type(table, key, &key_type(key))?;
        let limit = below(key).map_or(f64::INFINITY, |limit| limit as f64);
        let largest = if table.height() == 0 || limit.is_infinite() {
            -1.0
        } else {
            table.column(key)?.cast(&DataType::Float64)?.f64()?.max().unwrap_or(-1.0)
        };
        polars_ensure!(largest < limit, ComputeError: "{} {} is none of the header's", key, largest);
    }
    for Value { name, add, .. } in &spec.values {
        check_type(table, name, &value_type(*add))?;
    }
    check_values(spec, table)?;
    if spec.bins == Bins::Listed {
        check_type(table, "bins", &DataType::List(Box::new(DataType::UInt16)))?;
        check_type(table, "counts", &DataType::List(Box::new(DataType::UInt32)))?;
        let lengths = |name: &str| -> PolarsResult<Vec<usize>> {
            let lists = table.column(name)?.list()?;
            Ok(lists.downcast_iter().flat_map(|chunk| chunk.offsets().lengths()).collect())
        };
        let same = lengths("bins")? == lengths("counts")?;
        polars_ensure!(same, ComputeError: "bins and counts differ in length");
        check_histograms(table, grid(spec))?;
    }
    Ok(())
}

fn check_type(table: &DataFrame, name: &str, wanted: &DataType) -> PolarsResult<()> {
    let column = table.column(name)?;
    polars_ensure!(column.dtype() == wanted, ComputeError: "column {} is {}, not {}", name, column.dtype(), wanted);
    polars_ensure!(column.null_count() == 0, ComputeError: "column {} has nulls", name);
    Ok(())
}

/// Lists that are searched by halves are sorted, and numbers are such that they can be added up.
pub(super) fn check_header(header: &Header) -> Result<(), String> {
    let dimensions = header.rules.dimensions.iter().map(|rule| rule.name.as_str()).zip(&header.dimensions);
    if header.dimensions.len() != header.rules.dimensions.len()
        || header.dimensions.len() > MAX_DIMENSIONS
        || header.rules.measures.len() > MAX_MEASURES
        || header.absorbed_dimensions > header.dimensions.len()
    {
        return Err("dimensions or measures are not those of the rules".into());
    }
    for (what, list) in dimensions.chain([("error_types", &header.error_types)]) {
        if !list.names.is_sorted_by(|a, b| a < b) || list.names.len() > MAX_NAMES {
            return Err(format!("the names of {what} are not sorted, or too many"));
        }
    }
    // Sorted it is, as it was read.
    if !header.timeline.percentages().all(|percentage| (0.0..=100.0).contains(&percentage)) {
        return Err("the timeline starts what is no percentage".into());
    }
    let counts = |file: &FileLedger| {
        let rejected = file.rejected.values().chain(file.event_types.values()).copied();
        let rows = [file.lines, file.uploads, file.events, file.blank, file.other_rows, file.other_tries];
        let weighed = file.weighed.iter().map(|of| of.rows);
        let of_part = file.part.iter().flat_map(|part| [part.size, part.range.end]);
        rows.into_iter()
            .chain([file.bytes, file.out_of_order])
            .chain(weighed)
            .chain(rejected)
            .chain(of_part)
            .all(|count| count <= MOST_OF_FILE)
            && file.part.as_ref().is_none_or(|part| part.range.start <= part.range.end && part.range.end <= part.size)
    };
    match header.files.iter().find(|file| !counts(file)) {
        Some(file) => Err(format!("{} has more lines than a file can have", file.path)),
        None => Ok(()),
    }
}

/// The grid of a table's histograms.
fn grid(spec: &TableSpec) -> Grid {
    match spec.name {
        "minutes" => Grid::MINUTE,
        "segments" => Grid::SEGMENT,
        _ => Grid::FINE,
    }
}

/// Bins rise and lie on the grid; one stands twice only where its count was full.
fn check_histograms(table: &DataFrame, grid: Grid) -> PolarsResult<()> {
    let rows = HistogramRows::new(table)?;
    let last = grid.coarsen(MAX_FINE_BIN);
    for row in 0..table.height() {
        let (bins, counts) = rows.row(row)?;
        let rises = bins
            .windows(2)
            .zip(counts)
            .all(|(pair, count)| pair[0] < pair[1] || (pair[0] == pair[1] && *count == u32::MAX));
        polars_ensure!(rises, ComputeError: "the bins of row {} do not rise", row);
        polars_ensure!(bins.last().is_none_or(|bin| *bin <= last), ComputeError: "row {} has a bin above {}", row, last);
        polars_ensure!(counts.iter().all(|count| *count > 0), ComputeError: "row {} has an empty bin", row);
    }
    Ok(())
}

/// Times within centuries, counts and sums that can be added up, maxima that are numbers, whole hours of seconds.
fn check_values(spec: &TableSpec, table: &DataFrame) -> PolarsResult<()> {
    for (key, minutes) in [("minute", 1), ("hour", 60)] {
        if spec.keys.contains(&key) {
            let times = table.column(key)?.i32()?;
            let inside = times.no_null_iter().all(|time| (i64::from(time) * minutes).abs() <= MOST_MINUTES);
            polars_ensure!(inside, ComputeError: "{} lies centuries away", key);
        }
    }
    if spec.keys.contains(&"at_ns") {
        let most = MOST_MINUTES.saturating_mul(60_000_000_000);
        let inside = table.column("at_ns")?.i64()?.no_null_iter().all(|at| (-most..=most).contains(&at));
        polars_ensure!(inside, ComputeError: "at_ns lies centuries away");
        let finite = table.column("value")?.f64()?.no_null_iter().all(|value| value.is_finite() && value.abs() < 1e15);
        polars_ensure!(finite, ComputeError: "value is no number that an event can have");
    }
    for Value { name, add, .. } in &spec.values {
        let column = table.column(name)?;
        let good = match add {
            Add::Count => column.u64()?.no_null_iter().all(|count| count <= MOST_COUNT),
            Add::Sum { .. } => column.decimal()?.physical().no_null_iter().all(|sum| (0..=MOST_SUM).contains(&sum)),
            Add::Max => column.f64()?.no_null_iter().all(|largest| (0.0..4_294_967_296.0).contains(&largest)),
            Add::Bits => column.binary()?.no_null_iter().all(|bits| bits.len() == BYTES),
        };
        polars_ensure!(good, ComputeError: "column {} holds what it cannot", name);
    }
    if spec.values.iter().any(|value| value.field == Field::N) {
        let counts = |name: &str| -> PolarsResult<Vec<u64>> { Ok(table.column(name)?.u64()?.no_null_iter().collect()) };
        let records = counts("n")?;
        for part in spec.values.iter().filter(|value| matches!(value.field, Field::Successes | Field::MeasureN(_))) {
            let fits = counts(&part.name)?.iter().zip(&records).all(|(part, all)| part <= all);
            polars_ensure!(fits, ComputeError: "more {} than records", part.name);
        }
    }
    Ok(())
}
