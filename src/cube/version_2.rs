//! A cube of version 2 -> one of version 3: three columns become a segment, and memory a measure like others.

use std::collections::BTreeSet;

use polars_core::prelude::*;
use serde_json::{Value, json};

use super::dimension::NameList;
use super::header::{CUBE_VERSION, Header};
use super::segments::Tuple;
use super::table::{Bins, TableSpec};
use crate::schema::record::{FILE_TYPE, PROVIDER, SIZE};

/// Names of the measures and dimensions of that version.
const MEMORY: &str = "memory";
const COLUMNS: [(&str, usize); 3] = [("provider", PROVIDER), ("file_type", FILE_TYPE), ("size_bucket", SIZE)];
/// Value columns and what they are called now.
const RENAMED: [(&str, &str); 4] =
    [("uploads", "n"), ("memory_uploads", "memory_n"), ("memory_mb", "memory_sum"), ("memory_max_mb", "memory_max")];

/// The header in the words of version 3; it lists no tables, as there were no digests.
pub(super) fn header(mut value: Value) -> Value {
    let mut taken = |key: &str| value.as_object_mut().and_then(|fields| fields.remove(key)).unwrap_or_default();
    let names = [taken("providers"), taken("file_types"), json!({"names": [], "overflowed": false})];
    value["dimensions"] = names.to_vec().into();
    value["absorbed_dimensions"] = 0.into();
    value["version"] = CUBE_VERSION.into();
    value["tables"] = json!([]);
    if let Some(rules) = value["rules"].as_object_mut() {
        let bounds = rules.remove("size_bounds_mb").unwrap_or_default();
        rules.insert(
            "dimensions".into(),
            json!([{"name": "provider"}, {"name": "file_type"}, {"name": "size", "unit": "MB", "bounds": bounds}]),
        );
        rules.insert("measures".into(), json!([MEMORY]));
    }
    value
}

/// The segments of tables of that version, sorted.
///
/// # Errors
/// A column is missing or of another type, or a number is none of the header's.
pub(super) fn segments(header: &Header, tables: &[DataFrame]) -> PolarsResult<Vec<Tuple>> {
    let mut all = BTreeSet::new();
    for table in tables.iter().filter(|table| table.schema().contains(COLUMNS[0].0)) {
        all.extend(tuples(table)?);
    }
    let bounds = header.rules.dimensions.get(SIZE).map_or(0, |rule| rule.bounds.len());
    let known = |index: usize| match index {
        SIZE => bounds + 2,
        _ => header.dimensions.get(index).map_or(0, |list: &NameList| list.names.len()),
    };
    for tuple in &all {
        let inside = COLUMNS.iter().all(|(_, index)| usize::from(tuple[*index]) < known(*index));
        polars_ensure!(inside, ComputeError: "a provider, file type or size is none of the header's");
    }
    Ok(all.into_iter().collect())
}

/// A table of that version in the columns of version 3.
///
/// # Errors
/// A column is missing or of another type.
pub(super) fn table(spec: &TableSpec, mut table: DataFrame, segments: &[Tuple]) -> PolarsResult<DataFrame> {
    if table.schema().contains(COLUMNS[0].0) {
        let number = |tuple: Tuple| segments.binary_search(&tuple).ok().and_then(|at| u32::try_from(at).ok());
        let numbers: Option<Vec<u32>> = tuples(&table)?.into_iter().map(number).collect();
        let numbers = numbers.ok_or_else(|| polars_err!(ComputeError: "a segment that is not listed"))?;
        for (column, _) in COLUMNS {
            table.drop_in_place(column)?;
        }
        table.with_column(UInt32Chunked::from_vec("segment".into(), numbers).into_series().into())?;
    }
    if table.schema().contains(RENAMED[0].0) {
        for (old, new) in RENAMED {
            table.rename(old, new.into())?;
        }
    }
    if table.schema().contains("metric") {
        // Memory of records and memory samples have changed places.
        let numbers = table.column("metric")?.u8()?.apply_values(|metric| match metric {
            1 => 2,
            2 => 1,
            other => other,
        });
        table.with_column(numbers.into_series().into())?;
    }
    if spec.keys.contains(&"period") {
        // Stages that were visited twice were one.
        table.with_column(UInt8Chunked::from_vec("period".into(), vec![1; table.height()]).into_series().into())?;
    }
    let histograms: &[&str] = if spec.bins == Bins::Listed { &["bins", "counts"] } else { &[] };
    let names = spec.keys.iter().copied().chain(spec.values.iter().map(|value| value.name.as_ref()));
    table.select(names.chain(histograms.iter().copied()))
}

fn tuples(table: &DataFrame) -> PolarsResult<Vec<Tuple>> {
    let mut tuples = vec![Tuple::default(); table.height()];
    for (column, index) in COLUMNS {
        let column = table.column(column)?;
        polars_ensure!(column.null_count() == 0, ComputeError: "column {} has nulls", column.name());
        let numbers: Vec<u16> = match index {
            SIZE => column.u8()?.no_null_iter().map(u16::from).collect(),
            _ => column.u16()?.no_null_iter().collect(),
        };
        tuples.iter_mut().zip(numbers).for_each(|(tuple, number)| tuple[index] = number);
    }
    Ok(tuples)
}
