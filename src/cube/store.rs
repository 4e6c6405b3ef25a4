//! A cube on disk: `header.json` and one Parquet file per table, described in docs/cube.md, in a folder or in one file.
//! Written beside its place and renamed, so that a reader sees all of it or none.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Seek;
use std::path::{Path, PathBuf};

use polars_core::prelude::*;
use polars_io::prelude::*;
use rayon::prelude::*;
use sha2::Sha256;

use super::header::{Cube, Header};
use super::place;
use super::segments;
use super::table::count_column;
use crate::error::{Error, Position, Result};
use crate::files;
use crate::ingest::source::CUBE_HEADER;
use crate::packing::{self, Hashed};
use crate::staging::{self, Staging};

/// The tables of request ids and of the names of segments, beside those of [`table::specs`].
pub(super) const REQUEST_IDS: &str = "request_ids";
pub(super) const SEGMENT_NAMES: &str = "segment_names";

fn cannot(what: &str, path: &Path, error: impl std::fmt::Display) -> Error {
    Error::new(format!("cannot {what}: {error}")).at(Position::file(path.display().to_string()))
}

/// Writes the cube to `path`, replacing a cube that stands there: as a folder, or, where the name ends in `.tar`, as one
/// file.
///
/// # Errors
/// Something else stands at `path`, or the disk refuses.
pub fn write(cube: &mut Cube, path: &Path) -> Result<()> {
    let as_file = place::is_named_file(path);
    if path.symlink_metadata().is_ok() && !place::is_cube(path) {
        return Err(Error::new("something that is not a cube stands there")
            .at(Position::file(path.display().to_string()))
            .help("give another name, or remove it"));
    }
    let parent = files::folder_of(path);
    let staging = Staging::new(parent).map_err(|error| cannot("write", parent, error))?;
    let fresh = write_folder(cube, &staging)?;
    let fail = |error| cannot("write", path, error);
    if !as_file {
        return staging::replace_folder(&fresh, path).map_err(fail);
    }
    let packed = staging.path().join("packed");
    let file = File::create(&packed).map_err(fail)?;
    place::pack(&fresh, &file).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&packed, path)).map_err(fail)
}

/// The cube as one file, which nobody else knows.
///
/// # Errors
/// The disk that it is made on refuses.
pub fn packed(cube: &mut Cube) -> Result<File> {
    let folder = std::env::temp_dir();
    let fail = |error| cannot("write", &folder, error);
    let staging = Staging::new(&folder).map_err(fail)?;
    let fresh = write_folder(cube, &staging)?;
    let mut file = tempfile::tempfile().map_err(fail)?;
    place::pack(&fresh, &file).and_then(|()| file.rewind()).map_err(fail)?;
    Ok(file)
}

fn write_folder(cube: &mut Cube, staging: &Staging) -> Result<PathBuf> {
    let fresh = staging.path().join("new");
    fs::create_dir(&fresh).map_err(|error| cannot("write", &fresh, error))?;
    write_tables(cube, &fresh)?;
    Ok(fresh)
}

fn write_tables(cube: &mut Cube, folder: &Path) -> Result<()> {
    let specs = cube.specs();
    let Cube { header, tables, segments, request_ids } = cube;
    let (hashes, repeats, truncated) = request_ids.parts();
    let names = segments::names_table(&header.rules.dimensions, &header.dimensions, segments);
    let mut names = names.map_err(|error| cannot("write", folder, error))?;
    let write_ids = || write_request_ids(hashes, repeats, &table_file(folder, REQUEST_IDS));
    let write_rest = || {
        write_table(&mut names, &table_file(folder, SEGMENT_NAMES), ParquetCompression::Zstd(None))?;
        specs.par_iter().zip(tables.par_iter_mut()).try_for_each(|(spec, table)| {
            write_table(table, &table_file(folder, spec.name), ParquetCompression::Zstd(None))
        })
    };
    let (ids, rest) = rayon::join(write_ids, write_rest);
    ids.and(rest)?;
    let heights = specs.iter().zip(tables.iter()).map(|(spec, table)| (spec.name, table.height()));
    let heights = heights.chain([(SEGMENT_NAMES, segments.len()), (REQUEST_IDS, hashes.len())]);
    let stored_tables =
        heights.map(|(name, rows)| StoredTable::of(folder, name, rows as u64)).collect::<Result<_>>()?;
    let stored = StoredHeader { header: header.clone(), request_ids_truncated: truncated, tables: stored_tables };
    let mut value = serde_json::to_value(&stored).map_err(|error| cannot("write", folder, error))?;
    value["sha256"] = packing::sha256(value.to_string()).into();
    let path = folder.join(CUBE_HEADER);
    fs::write(&path, format!("{value:#}\n")).map_err(|error| cannot("write", &path, error))
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

/// `header.json`; beside these fields `sha256` is the digest of all of them, as compact JSON in their order.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct StoredHeader {
    #[serde(flatten)]
    pub header: Header,
    /// Whether `request_ids` holds only the smallest hashes.
    pub request_ids_truncated: bool,
    pub tables: Vec<StoredTable>,
}

/// A table as it lies on disk.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct StoredTable {
    pub name: String,
    pub rows: u64,
    pub sha256: String,
}

impl StoredTable {
    fn of(folder: &Path, name: &str, rows: u64) -> Result<Self> {
        let path = table_file(folder, name);
        let file = File::open(&path).map_err(|error| cannot("read", &path, error))?;
        let sha256 = Hashed::new(file, Sha256::default()).finish().map_err(|error| cannot("read", &path, error))?;
        Ok(Self { name: name.into(), rows, sha256 })
    }
}

fn table_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(place::table_file(name))
}
