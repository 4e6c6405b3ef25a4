//! A Parquet file -> its rows as lines of JSON, so that whatever reads lines reads it, too. One row group is held at a
//! time, of the columns that somebody wants.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};

use polars_arrow::array::{Array, BinaryViewArray, Utf8ViewArray};
use polars_arrow::datatypes::Field;
use polars_buffer::Buffer;
use polars_core::prelude::{PolarsError, PolarsResult, polars_bail};
use polars_parquet::parquet::page::CompressedPage;
use polars_parquet::read::{
    self, BasicDecompressor, ColumnChunkMetadata, FileMetadata, PageReader, PrimitiveConvertedType,
    PrimitiveLogicalType, RowGroupMetadata,
};

use self::values::write_value;
use crate::quiet::without_panic;

mod values;

/// What a Parquet file begins and ends with.
pub const MAGIC: &[u8; 4] = b"PAR1";
/// Most rows of a row group.
const MAX_ROWS: usize = 1 << 26;
/// Most bytes of a row group, unpacked, of the columns that are read.
const MAX_BYTES: u64 = 4 << 30;
/// Levels of structs and lists, of which each takes a part of the stack.
const MAX_DEPTH: usize = 48;
/// Lines that are made at once, in bytes.
const LINES: usize = 1 << 18;

/// The rows of a file as lines of JSON: an object each, with the columns in the file's order and without those that
/// are null. Times are texts of ISO 8601, with `Z` where the column is in UTC and bare where it has no zone; a duration
/// is a number with its unit; a number has the fewest digits that mean it.
pub struct Lines {
    file: File,
    metadata: FileMetadata,
    /// The columns that are read.
    fields: Vec<Field>,
    next_group: usize,
    rows: Rows,
    lines: Vec<u8>,
    given: usize,
}

/// The rows of a row group.
#[derive(Default)]
struct Rows {
    columns: Vec<Column>,
    count: usize,
    next: usize,
}

struct Column {
    /// `"name":`
    key: Vec<u8>,
    values: Box<dyn Array>,
    /// Whether its texts are JSON.
    holds_json: bool,
}

impl Lines {
    /// Opens a file, to read the columns that `wants` names.
    ///
    /// # Errors
    /// It is no Parquet file, or one whose columns cannot be told apart.
    pub fn open(mut file: File, wants: impl Fn(&str) -> bool) -> io::Result<Self> {
        let opened = guarded(|| {
            let metadata = read::read_metadata(&mut file)?;
            let deepest = metadata.schema_descr.columns().iter().map(|column| column.path_in_schema.len()).max();
            if deepest.is_some_and(|depth| depth > MAX_DEPTH) {
                polars_bail!(ComputeError: "its columns are nested more than {MAX_DEPTH} deep");
            }
            let schema = read::infer_schema(&metadata)?;
            Ok((metadata, schema))
        });
        let (metadata, schema) = opened?;
        let fields: Vec<Field> = schema.iter_values().filter(|field| wants(&field.name)).cloned().collect();
        Ok(Self { file, metadata, fields, next_group: 0, rows: Rows::default(), lines: Vec::new(), given: 0 })
    }

    /// Makes more lines; none at the end.
    fn make(&mut self) -> io::Result<()> {
        self.lines.clear();
        self.given = 0;
        while self.lines.is_empty() {
            if self.rows.next < self.rows.count {
                let (rows, lines) = (&mut self.rows, &mut self.lines);
                guarded(|| rows.write(lines)).map_err(|error| of_group(self.next_group, &error))?;
                continue;
            }
            let Some(group) = self.metadata.row_groups.get(self.next_group) else { break };
            // What was read before is given up first: two groups are never held.
            self.rows = Rows::default();
            self.next_group += 1;
            self.rows = guarded(|| Rows::read(&mut self.file, group, &self.fields))
                .map_err(|error| of_group(self.next_group, &error))?;
        }
        Ok(())
    }
}

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == self.lines.len() {
            self.make()?;
        }
        let count = buffer.len().min(self.lines.len() - self.given);
        buffer[..count].copy_from_slice(&self.lines[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}

/// What polars gives, where it neither fails nor panics.
fn guarded<T>(work: impl FnOnce() -> PolarsResult<T>) -> io::Result<T> {
    let damaged = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    match without_panic(work) {
        None => Err(damaged("its content is not what its header says".into())),
        Some(Err(PolarsError::IO { error, .. })) => Err(io::Error::new(error.kind(), error.to_string())),
        Some(Err(error)) => Err(damaged(error.to_string())),
        Some(Ok(value)) => Ok(value),
    }
}

/// `group` from 1.
fn of_group(group: usize, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("row group {group}: {error}"))
}

impl Rows {
    fn read(file: &mut File, group: &RowGroupMetadata, fields: &[Field]) -> PolarsResult<Self> {
        let count = group.num_rows();
        if count > MAX_ROWS {
            polars_bail!(ComputeError: "{count} rows, where at most {MAX_ROWS} are read: write smaller row groups");
        }
        let mut left = MAX_BYTES;
        let columns = fields
            .iter()
            .map(|field| {
                let mut key = serde_json::to_vec(field.name.as_str()).expect("texts are JSON");
                key.push(b':');
                Ok(Column { key, values: column(file, group, field, &mut left)?, holds_json: holds_json(group, field) })
            })
            .collect::<PolarsResult<Vec<_>>>()?;
        if let Some(other) = columns.iter().position(|column| column.values.len() != count) {
            let name = &fields[other].name;
            let of_it = columns[other].values.len();
            polars_bail!(ComputeError: "{of_it} values of {name}, where the row group has {count} rows");
        }
        Ok(Self { columns, count, next: 0 })
    }

    /// Writes some of the rows that are left.
    fn write(&mut self, lines: &mut Vec<u8>) -> PolarsResult<()> {
        while self.next < self.count && lines.len() < LINES {
            lines.push(b'{');
            let begun = lines.len();
            for column in &self.columns {
                if column.values.is_null(self.next) {
                    continue;
                }
                if lines.len() > begun {
                    lines.push(b',');
                }
                lines.extend_from_slice(&column.key);
                match column.text(self.next) {
                    Some(json) => lines.extend_from_slice(json.as_bytes()),
                    None => write_value(&*column.values, self.next, lines)?,
                }
            }
            lines.extend_from_slice(b"}\n");
            self.next += 1;
        }
        Ok(())
    }
}

impl Column {
    /// The value of a column of JSON, where it is one and stands in a line.
    fn text(&self, row: usize) -> Option<&str> {
        if !self.holds_json {
            return None;
        }
        let values = self.values.as_any();
        let text = match values.downcast_ref::<BinaryViewArray>() {
            Some(texts) => std::str::from_utf8(texts.value(row)).ok()?,
            None => values.downcast_ref::<Utf8ViewArray>()?.value(row),
        };
        let is_json = !text.contains('\n') && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        is_json.then_some(text)
    }
}

fn holds_json(group: &RowGroupMetadata, field: &Field) -> bool {
    let mut chunks = group.columns_under_root_iter(&field.name).into_iter().flatten();
    chunks.any(|chunk| {
        let declared = &chunk.descriptor().descriptor.primitive_type;
        declared.logical_type == Some(PrimitiveLogicalType::Json)
            || declared.converted_type == Some(PrimitiveConvertedType::Json)
    })
}

/// Reads one column of a row group, of which `left` bytes may still be unpacked.
fn column(file: &mut File, group: &RowGroupMetadata, field: &Field, left: &mut u64) -> PolarsResult<Box<dyn Array>> {
    let Some(chunks) = group.columns_under_root_iter(&field.name) else {
        polars_bail!(ComputeError: "the column {} is missing", field.name);
    };
    let (mut pages, mut types) = (Vec::new(), Vec::new());
    for chunk in chunks {
        let range = chunk.byte_range();
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(range.start))?;
        Read::by_ref(file).take(range.end.saturating_sub(range.start)).read_to_end(&mut bytes)?;
        let bytes = Buffer::from(bytes);
        let reader = || PageReader::new(Cursor::new(bytes.clone()), chunk, Vec::new(), usize::MAX);
        bounded(reader(), chunk, left)?;
        pages.push(BasicDecompressor::new(reader(), Vec::new()));
        types.push(&chunk.descriptor().descriptor.primitive_type);
    }
    let (mut arrays, _) = read::column_iter_to_arrays(pages, types, field.clone(), None)?;
    match (arrays.pop(), arrays.is_empty()) {
        (Some(array), true) => Ok(array),
        _ => polars_bail!(ComputeError: "the column {} cannot be read whole", field.name),
    }
}

/// Takes what the pages of a column say of themselves from what may be unpacked: a header of a few bytes can claim
/// gigabytes.
fn bounded(pages: PageReader, chunk: &ColumnChunkMetadata, left: &mut u64) -> PolarsResult<()> {
    for page in pages {
        let CompressedPage::Data(page) = page? else { continue };
        // A run of one value takes no bytes, but room for each.
        let bytes = page.uncompressed_size() as u64 + page.num_values() as u64;
        let Some(rest) = left.checked_sub(bytes) else {
            let name = chunk.descriptor().path_in_schema.join(".");
            polars_bail!(ComputeError: "more than {} GiB with {name}: write smaller row groups", MAX_BYTES >> 30);
        };
        *left = rest;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::damage::for_each_damage;

    fn fixture(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/tests/it/formats/parquet/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    fn lines(file: &[u8], wants: impl Fn(&str) -> bool) -> io::Result<String> {
        let mut on_disk = tempfile::tempfile()?;
        on_disk.write_all(file)?;
        let mut text = String::new();
        Lines::open(on_disk, wants)?.read_to_string(&mut text)?;
        Ok(text)
    }

    fn values(text: &str) -> Vec<serde_json::Value> {
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The rows that the file was made of stand beside it (tests/reference/parquet_logs.py).
    #[test]
    fn rows_are_what_was_written() {
        let expected = values(&String::from_utf8(fixture("rows.jsonl")).unwrap());
        let read = values(&lines(&fixture("pyarrow.parquet"), |_| true).unwrap());
        assert_eq!(read.len(), expected.len());
        for (read, expected) in read.iter().zip(&expected) {
            for (key, expected) in expected.as_object().unwrap() {
                let read = &read[key];
                let same = match key.as_str() {
                    // Python leaves out the digits of a whole second.
                    "at" => read.as_str().unwrap()[..19] == expected.as_str().unwrap()[..19],
                    "cost" => read.as_f64() == expected.as_f64(),
                    _ => read == expected,
                };
                assert!(same, "{key}: {read} {expected}");
            }
        }
        let some = values(&lines(&fixture("pyarrow.parquet"), |name| name == "ok").unwrap());
        assert!(some.iter().all(|row| row.as_object().unwrap().len() == 1 && row["ok"].is_boolean()));
    }

    #[test]
    fn whatever_a_file_holds_it_is_read_or_refused() {
        for name in ["pyarrow.parquet", "duckdb.parquet"] {
            for_each_damage(&fixture(name), |damaged| {
                if let Ok(text) = lines(damaged, |_| true) {
                    assert!(text.is_empty() || text.ends_with("}\n"));
                }
            });
        }
    }
}
