//! A cube on disk: a folder with `header.json` and one Parquet file per table, described in
//! docs/cube.md. Written beside its place and renamed, so that a reader sees all of it or none.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use polars_core::prelude::*;
use polars_io::prelude::*;
use rayon::prelude::*;
use sha2::Sha256;

use super::check::{check_header, check_table};
use super::header::{CUBE_VERSION, Cube, Header, same_rules};
use super::key::METRIC_MEASURES;
use super::request_ids::RequestIds;
use super::segments;
use super::table::{self, Add, TableSpec, count_column, normalise};
use super::version_2;
use crate::config::{FoldingRules, Plan};
use crate::error::{Error, Position, Result};
use crate::files;
use crate::ingest::source::CUBE_HEADER;
use crate::packing::{self, Hashed};
use crate::quiet::without_panic;
use crate::staging::{self, Staging};

/// The tables of request ids and of the names of segments, beside those of [`table::specs`].
const REQUEST_IDS: &str = "request_ids";
const SEGMENT_NAMES: &str = "segment_names";
/// Largest table that is read, in bytes as it lies on disk.
const MAX_TABLE_BYTES: u64 = 16 << 30;
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
    let staging = Staging::new(parent).map_err(|error| cannot("write", parent, error))?;
    let fresh = staging.path().join("new");
    fs::create_dir(&fresh).map_err(|error| cannot("write", &fresh, error))?;
    write_tables(cube, &fresh)?;
    staging::replace_folder(&fresh, path).map_err(|error| cannot("write", path, error))
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
struct StoredHeader {
    #[serde(flatten)]
    header: Header,
    /// Whether `request_ids` holds only the smallest hashes.
    request_ids_truncated: bool,
    tables: Vec<StoredTable>,
}

/// A table as it lies on disk.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct StoredTable {
    name: String,
    rows: u64,
    sha256: String,
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
    folder.join(format!("{name}.parquet"))
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
    let mut value: serde_json::Value = serde_json::from_slice(&text).map_err(bad_header)?;
    let version = value["version"].as_u64().filter(|_| value["format"] == "stagegate-cube");
    let stored: StoredHeader = if version == Some(2) {
        serde_json::from_value(version_2::header(value)).map_err(bad_header)?
    } else if version == Some(u64::from(CUBE_VERSION)) {
        let digest = value.as_object_mut().and_then(|fields| fields.remove("sha256"));
        let fields = value.to_string();
        if digest != Some(packing::sha256(&fields).into()) {
            return Err(damaged_file(&header_path, "its content is not what its sha256 says"));
        }
        serde_json::from_str(&fields).map_err(bad_header)?
    } else {
        let message =
            format!("a cube of version {}; this stagegate reads version {CUBE_VERSION} and 2", value["version"]);
        return Err(place(Error::new(message)).help("make it again from the logs"));
    };
    let digests = version != Some(2);
    let wanted = plan.folding_rules();
    // A measure that a cube does not have was not measured there.
    let fewer = stored.header.rules.measures.iter().all(|measure| wanted.measures.contains(measure));
    let measures = &if fewer { wanted.measures.clone() } else { stored.header.rules.measures.clone() };
    same_rules(&FoldingRules { measures: measures.clone(), ..stored.header.rules.clone() }, &wanted).map_err(place)?;
    check_header(&stored.header).map_err(|message| damaged_file(&header_path, message))?;
    let specs = table::specs(&stored.header.rules.measures);
    let read_ids = || {
        let path = table_file(path, REQUEST_IDS);
        read_request_ids(&path, stored.expected(digests, REQUEST_IDS, &path)?, stored.request_ids_truncated)
    };
    let read_one = |spec: &TableSpec| {
        let path = table_file(path, spec.name);
        read_table(&path, stored.expected(digests, spec.name, &path)?)
    };
    let (raw, request_ids) =
        rayon::join(|| specs.par_iter().map(read_one).collect::<Vec<Result<DataFrame>>>(), read_ids);
    let raw = raw.into_iter().collect::<Result<Vec<_>>>()?;
    let (segments, raw) = if digests {
        let names_path = table_file(path, SEGMENT_NAMES);
        let names = read_table(&names_path, Some(stored.table(SEGMENT_NAMES, &names_path)?))?;
        let segments = segments::read_names(&stored.header.rules.dimensions, &stored.header.dimensions, &names);
        (segments.map_err(|error| damaged_file(&names_path, error))?, raw)
    } else {
        let converted = version_2::segments(&stored.header, &raw).and_then(|segments| {
            let tables = specs.iter().zip(raw).map(|(spec, table)| version_2::table(spec, table, &segments));
            let tables = tables.collect::<PolarsResult<_>>()?;
            Ok((segments, tables))
        });
        converted.map_err(|error| damaged_file(path, error))?
    };
    let check_one = |(spec, table): (&TableSpec, DataFrame)| {
        check_table(spec, &table, &stored.header, segments.len())
            .and_then(|()| with_measures(table, &stored.header.rules.measures, measures))
            .and_then(|table| normalise(spec, table))
            .map_err(|error| damaged_file(&table_file(path, spec.name), error))
    };
    let tables: Vec<Result<DataFrame>> = specs.par_iter().zip(raw).map(check_one).collect();
    // Of several errors the first is told, whichever came first.
    let tables = tables.into_iter().collect::<Result<Vec<_>>>()?.try_into().expect("as many tables as there are");
    let request_ids = request_ids?;
    let mut header = stored.header;
    header.rules.measures.clone_from(measures);
    Ok(Cube { header, tables, segments, request_ids })
}

/// A table with the columns of all `measures`; those that it does not have hold nothing.
fn with_measures(mut table: DataFrame, own: &[String], measures: &[String]) -> PolarsResult<DataFrame> {
    if own == measures {
        return Ok(table);
    }
    let height = table.height();
    if table.schema().contains("n") {
        for spec_value in table::specs(measures)[table::MINUTES].values.iter() {
            if table.schema().contains(&spec_value.name) {
                continue;
            }
            let name = &spec_value.name;
            table.with_column(match spec_value.add {
                Add::Count => table::count_column(name, vec![0; height]),
                Add::Sum { scale } => table::sum_column(name, vec![0; height], scale),
                Add::Max => table::max_column(name, vec![0.0; height]),
                Add::Bits => continue,
            })?;
        }
        // In the order of the measures, as a cube that has them all.
        let spec =
            &table::specs(measures)[if table.schema().contains("minute") { table::MINUTES } else { table::SEGMENTS }];
        let names = spec.keys.iter().copied().chain(spec.values.iter().map(|value| value.name.as_ref()));
        return table.select(names.chain(["bins", "counts"]));
    }
    if table.schema().contains("metric") {
        let position = |name: &String| measures.iter().position(|known| known == name);
        let number = |metric: u8| match usize::from(metric).checked_sub(METRIC_MEASURES) {
            None => metric,
            Some(measure) => {
                let new = own.get(measure).and_then(position).unwrap_or(measure);
                u8::try_from(new + METRIC_MEASURES).unwrap_or(metric)
            }
        };
        let numbers = table.column("metric")?.u8()?.apply_values(number);
        table.with_column(numbers.into_series().into())?;
    }
    Ok(table)
}

fn damaged_file(path: &Path, error: impl std::fmt::Display) -> Error {
    cannot("use", path, error).help("make the cube again from the logs with `stagegate cube`")
}

impl StoredHeader {
    /// What is known of a table, where the cube has digests.
    fn expected(&self, digests: bool, name: &str, path: &Path) -> Result<Option<&StoredTable>> {
        if digests { self.table(name, path).map(Some) } else { Ok(None) }
    }

    /// What is known of a table.
    fn table(&self, name: &str, path: &Path) -> Result<&StoredTable> {
        let table = self.tables.iter().find(|table| table.name == name);
        table.ok_or_else(|| damaged_file(path, "the header does not list this table"))
    }
}

/// The table in a file, which must be the one that was written.
fn read_table(path: &Path, expected: Option<&StoredTable>) -> Result<DataFrame> {
    let bytes = files::read(path, &path.display().to_string(), MAX_TABLE_BYTES)?;
    if expected.is_some_and(|expected| packing::sha256(&bytes) != expected.sha256) {
        return Err(damaged_file(path, "its content is not what the header's sha256 says"));
    }
    // What is no Parquet file can make polars panic.
    let read = without_panic(|| ParquetReader::new(std::io::Cursor::new(bytes)).finish());
    let mut table =
        read.ok_or_else(|| damaged_file(path, "it is no Parquet file"))?.map_err(|error| damaged_file(path, error))?;
    if let Some(expected) = expected
        && table.height() as u64 != expected.rows
    {
        return Err(damaged_file(path, format!("{} rows, where the header says {}", table.height(), expected.rows)));
    }
    table.rechunk_mut();
    Ok(table)
}

fn read_request_ids(path: &Path, expected: Option<&StoredTable>, truncated: bool) -> Result<RequestIds> {
    let table = read_table(path, expected)?;
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
