//! The one way to add tables up: rows of equal keys become one, in the order of the keys. Tables stay where they are, and
//! each row is read once.

use polars_core::prelude::*;

use super::histogram::Totals;
use super::table::{Add, Bins, HistogramColumns, HistogramRows, TableSpec, count_column, max_column, sum_column};

/// A row: its key, packed so that keys compare as their columns do; its table, and its number there.
type Row = (u128, u32, u32);

/// The sum of tables with the columns of `spec`: sorted by key, each key once.
///
/// # Errors
/// A column is missing or of another type.
pub(super) fn add_up(spec: &TableSpec, mut tables: Vec<DataFrame>) -> PolarsResult<DataFrame> {
    tables.iter_mut().for_each(|table| {
        table.rechunk_mut();
    });
    if spec.keys.contains(&"text") {
        return add_up_texts(spec, tables);
    }
    let keys = tables.iter().map(|table| keys(spec, table)).collect::<PolarsResult<Vec<_>>>()?;
    if let ([one], [keys]) = (tables.as_slice(), keys.as_slice())
        && keys.is_sorted_by(|a, b| a < b)
    {
        return Ok(one.clone());
    }
    let rows = in_order(keys);
    let starts: Vec<usize> =
        (0..rows.len()).filter(|at| *at == 0 || rows[*at].0 != rows[*at - 1].0).chain([rows.len()]).collect();
    let groups = Groups { rows: &rows, starts: &starts };
    let mut columns = Vec::new();
    let mut bits_behind = spec.keys.iter().map(|key| key_bits(&tables, key)).sum::<PolarsResult<u32>>()?;
    for key in spec.keys {
        let bits = key_bits(&tables, key)?;
        bits_behind -= bits;
        columns.push(key_column(key, &tables, &groups, (bits, bits_behind))?);
    }
    for value in &spec.values {
        columns.push(value_column(&value.name, value.add, &tables, &groups)?);
    }
    if spec.bins == Bins::Listed {
        columns.extend(histograms(&tables, &groups)?);
    }
    DataFrame::new_infer_height(columns)
}

/// Tables are sorted as a rule: what comes in order is merged, not sorted.
#[expect(clippy::cast_possible_truncation, reason = "tables and rows of what is in memory, each fewer than 2^32")]
fn in_order(keys: Vec<Vec<u128>>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::with_capacity(keys.iter().map(Vec::len).sum());
    for (table, keys) in keys.into_iter().enumerate() {
        rows.extend(keys.into_iter().enumerate().map(|(row, key)| (key, table as u32, row as u32)));
    }
    // The standard library's stable sort finds runs and merges them.
    rows.sort();
    rows
}

/// Rows of equal keys: each group from one start to the next.
struct Groups<'r> {
    rows: &'r [Row],
    starts: &'r [usize],
}

impl Groups<'_> {
    fn iter(&self) -> impl Iterator<Item = &[Row]> {
        self.starts.windows(2).map(|pair| &self.rows[pair[0]..pair[1]])
    }

    /// A value of each group: of its rows' values in a column, which each table has a part of.
    fn each<T: Copy, R>(&self, parts: &[impl AsRef<[T]>], all: impl Fn(&mut dyn Iterator<Item = T>) -> R) -> Vec<R> {
        let value = |(_, table, row): &Row| parts[*table as usize].as_ref()[*row as usize];
        self.iter().map(|group| all(&mut group.iter().map(value))).collect()
    }
}

/// Bits of a key column.
fn key_bits(tables: &[DataFrame], key: &str) -> PolarsResult<u32> {
    let Some(table) = tables.first() else { return Ok(0) };
    match table.column(key)?.dtype() {
        DataType::UInt8 => Ok(8),
        DataType::UInt16 => Ok(16),
        DataType::UInt32 | DataType::Int32 => Ok(32),
        other => Err(polars_err!(ComputeError: "{} is {}, which is no key", key, other)),
    }
}

/// What makes negative numbers compare as they should.
const SIGN: u32 = 1 << 31;

/// The keys of a table's rows, packed.
#[expect(clippy::cast_sign_loss, reason = "turned over so that the order stays")]
fn keys(spec: &TableSpec, table: &DataFrame) -> PolarsResult<Vec<u128>> {
    let mut keys = vec![0_u128; table.height()];
    let mut push = |bits: u32, values: &mut dyn Iterator<Item = u128>| {
        keys.iter_mut().zip(values).for_each(|(key, value)| *key = (*key << bits) | value);
    };
    for name in spec.keys {
        let column = table.column(name)?;
        match column.dtype() {
            DataType::UInt8 => push(8, &mut column.u8()?.cont_slice()?.iter().map(|value| u128::from(*value))),
            DataType::UInt16 => push(16, &mut column.u16()?.cont_slice()?.iter().map(|value| u128::from(*value))),
            DataType::UInt32 => push(32, &mut column.u32()?.cont_slice()?.iter().map(|value| u128::from(*value))),
            _ => push(32, &mut column.i32()?.cont_slice()?.iter().map(|value| u128::from(*value as u32 ^ SIGN))),
        }
    }
    Ok(keys)
}

/// A key column of the groups: `bits` of the packed key, with so many behind them.
#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "a column is as wide as it was packed")]
fn key_column(
    name: &str,
    tables: &[DataFrame],
    groups: &Groups<'_>,
    (bits, behind): (u32, u32),
) -> PolarsResult<Column> {
    let packed = groups.iter().map(|group| (group[0].0 >> behind) as u32);
    let is_signed = tables.first().map(|table| table.column(name).map(|column| *column.dtype() == DataType::Int32));
    Ok(match (bits, is_signed.transpose()?) {
        (8, _) => UInt8Chunked::from_vec(name.into(), packed.map(|value| value as u8).collect()).into_series().into(),
        (16, _) => {
            UInt16Chunked::from_vec(name.into(), packed.map(|value| value as u16).collect()).into_series().into()
        }
        (_, Some(true)) => Int32Chunked::from_vec(name.into(), packed.map(|value| (value ^ SIGN) as i32).collect())
            .into_series()
            .into(),
        _ => UInt32Chunked::from_vec(name.into(), packed.collect()).into_series().into(),
    })
}

fn value_column(name: &str, add: Add, tables: &[DataFrame], groups: &Groups<'_>) -> PolarsResult<Column> {
    let columns = tables.iter().map(|table| table.column(name)).collect::<PolarsResult<Vec<_>>>()?;
    Ok(match add {
        Add::Count => {
            let parts = columns.iter().map(|column| column.u64()?.cont_slice()).collect::<PolarsResult<Vec<_>>>()?;
            count_column(name, groups.each(&parts, |values| values.sum()))
        }
        Add::Sum { scale } => {
            let physical = columns.iter().map(|column| Ok(column.decimal()?.physical()));
            let parts =
                physical.map(|part| part.and_then(|part| part.cont_slice())).collect::<PolarsResult<Vec<_>>>()?;
            sum_column(name, groups.each(&parts, |values| values.sum()), scale)
        }
        Add::Max => {
            let parts = columns.iter().map(|column| column.f64()?.cont_slice()).collect::<PolarsResult<Vec<_>>>()?;
            let largest = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, f64::max);
            max_column(name, groups.each(&parts, largest))
        }
        Add::Bits => {
            let bytes = |column: &&Column| Ok(column.binary()?.clone());
            let parts = columns.iter().map(bytes).collect::<PolarsResult<Vec<_>>>()?;
            let parts: Vec<Vec<&[u8]>> = parts.iter().map(|part| part.no_null_iter().collect()).collect();
            let or = |values: &mut dyn Iterator<Item = &[u8]>| {
                let mut bits = values.next().unwrap_or_default().to_vec();
                values.for_each(|more| bits.iter_mut().zip(more).for_each(|(bit, more)| *bit |= more));
                bits
            };
            Series::new(name.into(), groups.each(&parts, or)).into()
        }
    })
}

fn histograms(tables: &[DataFrame], groups: &Groups<'_>) -> PolarsResult<[Column; 2]> {
    let parts = tables.iter().map(HistogramRows::new).collect::<PolarsResult<Vec<_>>>()?;
    let entries = parts.iter().map(HistogramRows::entries).max().unwrap_or(0);
    let mut columns = HistogramColumns::with_capacity(groups.starts.len(), entries);
    let mut totals = Totals::default();
    for group in groups.iter() {
        let row = |(_, table, row): &Row| parts[*table as usize].row(*row as usize);
        if let [one] = group {
            columns.push_row(row(one)?);
            continue;
        }
        group.iter().try_for_each(|one| row(one).map(|histogram| totals.add(histogram)))?;
        columns.push_row(totals.take().columns());
    }
    Ok(columns.finish())
}

/// Events, whose keys are texts: few rows, each with a count.
fn add_up_texts(spec: &TableSpec, tables: Vec<DataFrame>) -> PolarsResult<DataFrame> {
    let mut tables = tables.into_iter();
    let mut whole = tables.next().unwrap_or_default();
    for table in tables {
        whole.vstack_mut(&table)?;
    }
    let options = SortMultipleOptions::default().with_maintain_order(true);
    let mut sorted = whole.sort(spec.keys.iter().copied(), options)?;
    sorted.rechunk_mut();
    let rows = sorted.height();
    let mut changes = vec![true; rows.min(1)];
    changes.resize(rows, false);
    for key in spec.keys {
        let column = sorted.column(key)?.as_materialized_series();
        let differs = column.slice(1, rows).not_equal_missing(&column.slice(0, rows.saturating_sub(1)))?;
        changes.iter_mut().skip(1).zip(differs.iter()).for_each(|(change, differs)| *change |= differs == Some(true));
    }
    let starts: Vec<usize> = (0..rows).filter(|row| changes[*row]).chain([rows]).collect();
    if starts.len() == rows + 1 {
        return Ok(sorted);
    }
    let first = starts.iter().take(starts.len() - 1).map(|start| IdxSize::try_from(*start).unwrap_or(IdxSize::MAX));
    let first = IdxCa::from_vec("first".into(), first.collect());
    let mut columns = spec.keys.iter().map(|key| sorted.column(key)?.take(&first)).collect::<PolarsResult<Vec<_>>>()?;
    for value in &spec.values {
        let counts = sorted.column(&value.name)?.u64()?.cont_slice()?;
        let sums = starts.windows(2).map(|pair| counts[pair[0]..pair[1]].iter().sum()).collect();
        columns.push(count_column(&value.name, sums));
    }
    DataFrame::new_infer_height(columns)
}
