//! A cube on disk: a folder with `header.json` and one Parquet file per table, described in
//! docs/cube.md. Written beside its place and renamed, so that a reader sees all of it or none.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use polars::prelude::*;
use rayon::prelude::*;

use super::header::{CUBE_VERSION, Cube, Header, same_rules};
use super::request_ids::RequestIds;
use super::table::{Add, Bins, TABLES, TableSpec, count_column, normalise};
use crate::config::Plan;
use crate::error::{Error, Position, Result};
use crate::files;
use crate::ingest::source::CUBE_HEADER;

const REQUEST_IDS: &str = "request_ids.parquet";
/// Largest header that is read, in bytes.
const MAX_HEADER_BYTES: u64 = 256 << 20;

fn cannot(what: &str, path: &Path, error: impl std::fmt::Display) -> Error {
    Error::new(format!("cannot {what}: {error}")).at(Position::file(path.display().to_string()))
}

/// Writes the cube to the folder `path`, replacing a cube that stands there.
///
/// # Errors
/// Something else stands at `path`, or the disk refuses.
pub fn write(cube: &mut Cube, path: &Path) -> Result<()> {
    if path.symlink_metadata().is_ok() && !path.join(CUBE_HEADER).is_file() {
        return Err(Error::new("something that is not a cube stands there")
            .at(Position::file(path.display().to_string()))
            .help("give another name, or remove it"));
    }
    let parent = files::folder_of(path);
    fs::create_dir_all(parent).map_err(|error| cannot("write", parent, error))?;
    let staging =
        tempfile::Builder::new().prefix(".cube-").tempdir_in(parent).map_err(|error| cannot("write", parent, error))?;
    let fresh = staging.path().join("new");
    fs::create_dir(&fresh).map_err(|error| cannot("write", &fresh, error))?;
    write_tables(cube, &fresh)?;
    files::replace_folder(&fresh, path, &staging.path().join("old"))
}

fn write_tables(cube: &mut Cube, folder: &Path) -> Result<()> {
    let Cube { header, tables, request_ids } = cube;
    let (hashes, repeats, truncated) = request_ids.parts();
    let write_ids = || write_request_ids(hashes, repeats, &folder.join(REQUEST_IDS));
    let write_rest = || {
        TABLES.par_iter().zip(tables).try_for_each(|(spec, table)| {
            write_table(table, &folder.join(format!("{}.parquet", spec.name)), ParquetCompression::Zstd(None))
        })
    };
    let (ids, rest) = rayon::join(write_ids, write_rest);
    ids.and(rest)?;
    let stored = StoredHeader { header: header.clone(), request_ids_truncated: truncated };
    let json = serde_json::to_vec_pretty(&stored).map_err(|error| cannot("write", folder, error))?;
    let path = folder.join(CUBE_HEADER);
    fs::write(&path, json).map_err(|error| cannot("write", &path, error))
}

fn writer(path: &Path, compression: ParquetCompression) -> Result<ParquetWriter<File>> {
    let file = File::create(path).map_err(|error| cannot("write", path, error))?;
    // Nobody filters these tables by value.
    Ok(ParquetWriter::new(file).with_compression(compression).with_statistics(StatisticsOptions::empty()))
}

fn write_table(table: &mut DataFrame, path: &Path, compression: ParquetCompression) -> Result<()> {
    writer(path, compression)?.finish(table).map(|_| ()).map_err(|error| cannot("write", path, error))
}

/// Rows of request ids that are written at once: all 5 million would stand three times in memory.
const IDS_AT_ONCE: usize = 1 << 18;

fn write_request_ids(hashes: &[u64], repeats: &BTreeMap<u64, u64>, path: &Path) -> Result<()> {
    let rows = |hashes: &[u64]| {
        let more = hashes.iter().map(|hash| repeats.get(hash).copied().unwrap_or(0)).collect();
        DataFrame::new_infer_height(vec![count_column("hash", hashes.to_vec()), count_column("repeats", more)])
    };
    // Hashes are random: packing them takes time and no byte off.
    let writer = writer(path, ParquetCompression::Uncompressed)?;
    let write = || {
        let mut writer = writer.batched(rows(&[])?.schema())?;
        hashes.chunks(IDS_AT_ONCE).try_for_each(|hashes| writer.write_batch(&rows(hashes)?))?;
        writer.finish()
    };
    write().map(|_| ()).map_err(|error| cannot("write", path, error))
}

/// `header.json`
#[derive(serde::Serialize, serde::Deserialize)]
struct StoredHeader {
    #[serde(flatten)]
    header: Header,
    /// Whether `request_ids` holds only the smallest hashes.
    request_ids_truncated: bool,
}

/// Reads the cube in the folder `path`, which messages call `name`.
///
/// # Errors
/// It is no cube, of another version, made by other rules than the plan's, or damaged.
pub fn read(name: &str, path: &Path, plan: &Plan) -> Result<Cube> {
    let place = |error: Error| error.at(Position::file(name));
    let header_path = path.join(CUBE_HEADER);
    let text = files::read(&header_path, &header_path.display().to_string(), MAX_HEADER_BYTES)?;
    let bad_header = |error: serde_json::Error| {
        let at = Position::at(header_path.display().to_string(), error.line() as u64, error.column() as u64);
        Error::new(format!("not the header of a cube: {error}")).at(at)
    };
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(bad_header)?;
    if value["format"] != "stagegate-cube" || value["version"] != CUBE_VERSION {
        let message = format!("a cube of version {}; this stagegate reads version {CUBE_VERSION}", value["version"]);
        return Err(place(Error::new(message)).help("make it again from the logs"));
    }
    let stored: StoredHeader = serde_json::from_value(value).map_err(bad_header)?;
    same_rules(&stored.header.rules, &plan.folding_rules()).map_err(place)?;
    let read_one = |spec: &TableSpec| {
        let path = path.join(format!("{}.parquet", spec.name));
        let table = read_table(&path)?;
        check_table(spec, &table, &stored.header)
            .and_then(|()| normalise(spec, table))
            .map_err(|error| cannot("use", &path, error))
    };
    let (tables, request_ids) = rayon::join(
        || TABLES.par_iter().map(read_one).collect::<Vec<_>>(),
        || read_request_ids(&path.join(REQUEST_IDS), stored.request_ids_truncated),
    );
    // Of several errors the first is told, whichever came first.
    let tables = tables.into_iter().collect::<Result<Vec<_>>>()?.try_into().expect("as many tables as there are");
    let request_ids = request_ids?;
    Ok(Cube { header: stored.header, tables, request_ids })
}

fn read_table(path: &Path) -> Result<DataFrame> {
    let file = File::open(path).map_err(|error| cannot("read", path, error))?;
    let mut table = ParquetReader::new(file).finish().map_err(|error| cannot("read", path, error))?;
    table.rechunk_mut();
    Ok(table)
}

fn read_request_ids(path: &Path, truncated: bool) -> Result<RequestIds> {
    let table = read_table(path)?;
    let column = |name: &str| -> PolarsResult<&UInt64Chunked> {
        let column = table.column(name)?;
        polars_ensure!(column.null_count() == 0, ComputeError: "{} has nulls", name);
        column.u64()
    };
    let (hashes, repeats) = column("hash")
        .and_then(|hashes| Ok((hashes, column("repeats")?)))
        .map_err(|error| cannot("use", path, error))?;
    let hashes: Vec<u64> = hashes.no_null_iter().collect();
    if !hashes.is_sorted_by(|a, b| a < b) {
        return Err(cannot("use", path, "the hashes are not sorted"));
    }
    let repeats = hashes.iter().copied().zip(repeats.no_null_iter()).filter(|(_, repeats)| *repeats > 0).collect();
    Ok(RequestIds::from_parts(hashes, repeats, truncated))
}

/// Columns, types, no nulls, and numbers that stand for something: a cube may come from
/// another program, or from nobody's friend.
fn check_table(spec: &TableSpec, table: &DataFrame, header: &Header) -> PolarsResult<()> {
    let want = |name: &str| match name {
        "minute" | "hour" => DataType::Int32,
        "at_ns" => DataType::Int64,
        "provider" | "file_type" | "error_type" => DataType::UInt16,
        "event_type" | "text" => DataType::String,
        "value" => DataType::Float64,
        _ => DataType::UInt8,
    };
    let below = |name: &str| match name {
        "stage" if spec.name != "events" && spec.name != "memory_samples" => Some(header.rules.stages.len()),
        "execution_type" | "metric" => Some(3),
        "provider" => Some(header.providers.names.len()),
        "file_type" => Some(header.file_types.names.len()),
        "error_type" => Some(header.error_types.names.len()),
        "size_bucket" => Some(header.rules.size_bounds_mb.len() + 2),
        _ => None,
    };
    for key in spec.keys {
        check_type(table, key, &want(key))?;
        let limit = below(key).map_or(f64::INFINITY, |limit| limit as f64);
        let largest = if table.height() == 0 || limit.is_infinite() {
            -1.0
        } else {
            table.column(key)?.cast(&DataType::Float64)?.f64()?.max().unwrap_or(-1.0)
        };
        polars_ensure!(largest < limit, ComputeError: "{} {} is none of the header's", key, largest);
    }
    for (name, add) in spec.values {
        let wanted = match add {
            Add::Count => DataType::UInt64,
            Add::Sum { scale } => DataType::Decimal(38, *scale),
            Add::Max => DataType::Float64,
            Add::Bits => DataType::Binary,
        };
        check_type(table, name, &wanted)?;
    }
    if spec.bins == Bins::Listed {
        check_type(table, "bins", &DataType::List(Box::new(DataType::UInt16)))?;
        check_type(table, "counts", &DataType::List(Box::new(DataType::UInt32)))?;
        let lengths = |name: &str| -> PolarsResult<IdxCa> { Ok(table.column(name)?.list()?.lst_lengths()) };
        let same = lengths("bins")?.iter().eq(lengths("counts")?.iter());
        polars_ensure!(same, ComputeError: "bins and counts differ in length");
    }
    Ok(())
}

fn check_type(table: &DataFrame, name: &str, wanted: &DataType) -> PolarsResult<()> {
    let column = table.column(name)?;
    polars_ensure!(column.dtype() == wanted, ComputeError: "column {} is {}, not {}", name, column.dtype(), wanted);
    polars_ensure!(column.null_count() == 0, ComputeError: "column {} has nulls", name);
    Ok(())
}
