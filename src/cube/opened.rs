//! A cube as it lies on disk: its header, which says what to expect, and its tables one by one. So many cubes are merged
//! without all of them in memory.

use std::path::{Path, PathBuf};

use polars_core::prelude::*;
use polars_io::prelude::*;
use rayon::prelude::*;

use super::add_up::add_up;
use super::check::{check_header, check_table, with_own_integers};
use super::header::{CUBE_VERSION, Cube, Header, Tables, same_rules};
use super::key::METRIC_MEASURES;
use super::place::{Place, table_file};
use super::request_ids::RequestIds;
use super::segments::{self, Tuple};
use super::store::{REQUEST_IDS, SEGMENT_NAMES, StoredHeader, StoredTable};
use super::table::{self, Add, TABLE_COUNT, TableSpec};
use super::version_2;
use crate::config::{FoldingRules, Plan};
use crate::error::{Error, Position, Result};
use crate::ingest::source::CUBE_HEADER;
use crate::packing;
use crate::quiet::without_panic;

/// Largest table that is read, in bytes as it lies on disk.
const MAX_TABLE_BYTES: u64 = 16 << 30;
/// Largest header that is read, in bytes.
const MAX_HEADER_BYTES: u64 = 256 << 20;

/// A cube whose header is read.
#[derive(Debug)]
pub struct Opened {
    place: Place,
    /// With the measures of the plan: those that it lacks were not measured there.
    pub header: Header,
    own_measures: Vec<String>,
    stored: Vec<StoredTable>,
    request_ids_truncated: bool,
    pub(super) segments: Vec<Tuple>,
    /// Of version 2, whose segments stand in its tables: they are read by then.
    held: Option<Box<Tables>>,
}

fn cannot_use(path: &Path, error: impl std::fmt::Display) -> Error {
    Error::new(format!("cannot use: {error}"))
        .at(Position::file(path.display().to_string()))
        .help("make the cube again from the logs with `stagegate cube`")
}

/// The columns of a Parquet file, or one of them.
fn read_columns(path: &Path, bytes: Vec<u8>, rows: Option<u64>, one: Option<&str>) -> Result<DataFrame> {
    let columns = one.map(|name| vec![name.to_owned()]);
    // What is no Parquet file can make polars panic.
    let read = without_panic(|| ParquetReader::new(std::io::Cursor::new(bytes)).with_columns(columns).finish());
    let read = read.ok_or_else(|| cannot_use(path, "it is no Parquet file"))?;
    let table = read.map_err(|error| cannot_use(path, error))?;
    match rows.filter(|rows| *rows != table.height() as u64) {
        Some(rows) => Err(cannot_use(path, format!("{} rows, where the header says {rows}", table.height()))),
        None => Ok(table),
    }
}

/// The header in the words of version 3, and whether the cube has digests.
fn read_header(name: &str, place: &Place) -> Result<(StoredHeader, bool)> {
    let path = place.name(CUBE_HEADER);
    let text = place.read(CUBE_HEADER, MAX_HEADER_BYTES)?;
    let bad_header = |error: serde_json::Error| {
        let at = Position::at(path.display().to_string(), error.line() as u64, error.column() as u64);
        Error::new(format!("not the header of a cube: {error}")).at(at)
    };
    let mut value: serde_json::Value = serde_json::from_slice(&text).map_err(bad_header)?;
    let version = value["version"].as_u64().filter(|_| value["format"] == "stagegate-cube");
    if version == Some(2) {
        return Ok((serde_json::from_value(version_2::header(value)).map_err(bad_header)?, false));
    }
    if version != Some(u64::from(CUBE_VERSION)) {
        let message =
            format!("a cube of version {}; this stagegate reads version {CUBE_VERSION} and 2", value["version"]);
        return Err(Error::new(message).at(Position::file(name)).help("make it again from the logs"));
    }
    let digest = value.as_object_mut().and_then(|fields| fields.remove("sha256"));
    let fields = value.to_string();
    if digest != Some(packing::sha256(&fields).into()) {
        return Err(cannot_use(&path, "its content is not what its sha256 says"));
    }
    Ok((serde_json::from_str(&fields).map_err(bad_header)?, true))
}

/// The header alone of the cube at `path`, which messages call `name`: whatever rules it was made by.
///
/// # Errors
/// It is no cube, of another version, or its header is damaged.
pub fn header(name: &str, path: &Path) -> Result<Header> {
    let place = Place::open(path)?;
    let header = read_header(name, &place)?.0.header;
    check_header(&header).map_err(|message| cannot_use(&place.name(CUBE_HEADER), message))?;
    Ok(header)
}

impl Opened {
    /// Reads the header of the cube at `path`, which messages call `name`.
    ///
    /// # Errors
    /// It is no cube, of another version, made by other rules than the plan's, or its header is damaged.
    pub fn open(name: &str, path: &Path, plan: &Plan) -> Result<Self> {
        let place = Place::open(path)?;
        let (stored, digests) = read_header(name, &place)?;
        let StoredHeader { mut header, request_ids_truncated, tables: stored } = stored;
        if digests && stored.is_empty() {
            return Err(cannot_use(&place.name(CUBE_HEADER), "the header lists no tables"));
        }
        let wanted = plan.folding_rules();
        // A measure that a cube does not have was not measured there.
        let fewer = header.rules.measures.iter().all(|measure| wanted.measures.contains(measure));
        let measures = if fewer { wanted.measures.clone() } else { header.rules.measures.clone() };
        same_rules(&FoldingRules { measures: measures.clone(), ..header.rules.clone() }, &wanted)
            .map_err(|error| error.at(Position::file(name)))?;
        check_header(&header).map_err(|message| cannot_use(&place.name(CUBE_HEADER), message))?;
        let own_measures = std::mem::replace(&mut header.rules.measures, measures);
        let mut opened =
            Self { place, header, own_measures, stored, request_ids_truncated, segments: Vec::new(), held: None };
        if digests {
            let path = opened.place.name(&table_file(SEGMENT_NAMES));
            let names = opened.read_table(SEGMENT_NAMES)?;
            let Header { rules, dimensions, .. } = &opened.header;
            let read = segments::read_names(&rules.dimensions, dimensions, &names);
            opened.segments = read.map_err(|error| cannot_use(&path, error))?;
        } else {
            opened.hold()?;
        }
        Ok(opened)
    }

    /// Reads the tables of version 2.
    fn hold(&mut self) -> Result<()> {
        let specs = table::specs(&self.own_measures);
        let raw: Vec<Result<DataFrame>> = specs.par_iter().map(|spec| self.read_table(spec.name)).collect();
        let raw = raw.into_iter().collect::<Result<Vec<_>>>()?;
        let converted = version_2::segments(&self.header, &raw).and_then(|segments| {
            let tables = specs.iter().zip(raw).map(|(spec, table)| version_2::table(spec, table, &segments));
            let tables = tables.collect::<PolarsResult<Vec<_>>>()?;
            Ok((segments, tables))
        });
        let (segments, tables) = converted.map_err(|error| cannot_use(&self.place.name(CUBE_HEADER), error))?;
        self.segments = segments;
        let checked = specs.iter().zip(tables).map(|(spec, table)| self.checked(spec, table));
        let checked: [DataFrame; TABLE_COUNT] =
            checked.collect::<Result<Vec<_>>>()?.try_into().expect("as many tables as there are");
        self.held = Some(Box::new(checked));
        Ok(())
    }

    /// A table that can be added up, sorted, with the columns of all measures.
    fn checked(&self, spec: &TableSpec, table: DataFrame) -> Result<DataFrame> {
        let rules = FoldingRules { measures: self.own_measures.clone(), ..self.header.rules.clone() };
        with_own_integers(spec, table)
            .and_then(|table| {
                check_table(spec, &table, (&rules, self.header.error_types.names.len(), self.segments.len()))?;
                Ok(table)
            })
            .and_then(|table| with_measures(table, &self.own_measures, &self.header.rules.measures))
            .and_then(|table| add_up(spec, vec![table]))
            .map_err(|error| cannot_use(&self.place.name(&table_file(spec.name)), error))
    }

    /// A table, by its number.
    ///
    /// # Errors
    /// It is damaged.
    pub(super) fn table(&self, number: usize) -> Result<DataFrame> {
        if let Some(held) = &self.held {
            return Ok(held[number].clone());
        }
        let spec = &table::specs(&self.own_measures)[number];
        let mut table = self.read_table(spec.name)?;
        table.rechunk_mut();
        self.checked(spec, table)
    }

    /// The table in a file, which must be the one that was written.
    fn read_table(&self, name: &str) -> Result<DataFrame> {
        let (path, bytes, expected) = self.read_file(name)?;
        read_columns(&path, bytes, expected, None)
    }

    /// The bytes of a table, which must be those that were written; with how many rows they have.
    fn read_file(&self, name: &str) -> Result<(PathBuf, Vec<u8>, Option<u64>)> {
        let file = table_file(name);
        let path = self.place.name(&file);
        let expected = self.stored.iter().find(|table| table.name == name);
        // Version 2 lists no tables.
        if expected.is_none() && !self.stored.is_empty() {
            return Err(cannot_use(&path, "the header does not list this table"));
        }
        let bytes = self.place.read(&file, MAX_TABLE_BYTES)?;
        if expected.is_some_and(|expected| packing::sha256(&bytes) != expected.sha256) {
            return Err(cannot_use(&path, "its content is not what the header's sha256 says"));
        }
        Ok((path, bytes, expected.map(|table| table.rows)))
    }

    /// Its request ids.
    ///
    /// # Errors
    /// They are damaged.
    pub(super) fn request_ids(&self) -> Result<RequestIds> {
        let (path, bytes, rows) = self.read_file(REQUEST_IDS)?;
        // One column at a time: they are the largest that a cube has.
        let read = |bytes: Vec<u8>, name: &'static str| {
            let table = read_columns(&path, bytes, rows, Some(name))?;
            let values = || -> PolarsResult<Vec<u64>> {
                let column = table.column(name)?;
                polars_ensure!(column.null_count() == 0, ComputeError: "{} has nulls", name);
                let own = column.as_materialized_series().strict_cast(&DataType::UInt64)?;
                Ok(own.u64()?.no_null_iter().collect())
            };
            values().map_err(|error| cannot_use(&path, error))
        };
        let repeats = read(bytes.clone(), "repeats")?;
        let more: Vec<(usize, u64)> = repeats.into_iter().enumerate().filter(|(_, repeats)| *repeats > 0).collect();
        let hashes = read(bytes, "hash")?;
        if !hashes.is_sorted_by(|a, b| a < b) {
            return Err(cannot_use(&path, "the hashes are not sorted"));
        }
        let repeats = more.into_iter().filter_map(|(row, repeats)| Some((*hashes.get(row)?, repeats))).collect();
        Ok(RequestIds::from_parts(hashes, repeats, self.request_ids_truncated))
    }

    /// All of it in memory.
    ///
    /// # Errors
    /// A table is damaged.
    pub fn into_cube(self) -> Result<Cube> {
        let read_tables = || {
            let tables: Vec<Result<DataFrame>> =
                (0..TABLE_COUNT).into_par_iter().map(|number| self.table(number)).collect();
            // Of several errors the first is told, whichever came first.
            tables.into_iter().collect::<Result<Vec<_>>>()
        };
        let (tables, request_ids) = rayon::join(read_tables, || self.request_ids());
        let tables = tables?.try_into().expect("as many tables as there are");
        Ok(Cube { header: self.header, tables, segments: self.segments, request_ids: request_ids? })
    }
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
