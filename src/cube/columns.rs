//! A small table of another part of the house as Parquet: polars stays here.

use polars_core::prelude::*;
use polars_io::parquet::write::{ParquetCompression, ParquetWriter};

use super::table::count_column;
use crate::error::{Error, Result};

/// The values of a column, one a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    Text(Vec<String>),
    /// `None` is null.
    Number(Vec<Option<f64>>),
    Count(Vec<u64>),
}

/// The bytes of a Parquet file of named columns, all as long as each other.
///
/// # Errors
/// Columns differ in length, or a name stands twice.
pub fn parquet(columns: Vec<(&str, Values)>) -> Result<Vec<u8>> {
    let columns = columns.into_iter().map(|(name, values)| match values {
        Values::Text(texts) => StringChunked::from_iter_values(name.into(), texts.into_iter()).into_series().into(),
        Values::Number(numbers) => {
            Float64Chunked::from_iter_options(name.into(), numbers.into_iter()).into_series().into()
        }
        Values::Count(counts) => count_column(name, counts),
    });
    let write = || {
        let mut table = DataFrame::new_infer_height(columns.collect())?;
        let mut bytes = Vec::new();
        ParquetWriter::new(&mut bytes).with_compression(ParquetCompression::Zstd(None)).finish(&mut table)?;
        Ok::<_, PolarsError>(bytes)
    };
    write().map_err(|error| Error::new(format!("cannot make a Parquet table: {error}")))
}
