//! The cube: a few tables whose size is bounded by minutes, hours, segments and bins, from which
//! every figure of the report comes. The cube of a whole log equals the merge of the cubes of
//! its parts, exactly, in any order and any split.

pub mod busy;
mod cells;
pub mod dimension;
mod fold;
pub mod histogram;
mod request_ids;
mod runs;
pub mod slice;
pub mod store;
mod table;

use polars::prelude::{DataFrame, PolarsError};
use serde::{Deserialize, Serialize};

use crate::config::{EpochNanos, FoldingRules, Plan};
use crate::error::{Boundary, Error, Result};
use crate::ingest::ledger::FileLedger;
use crate::ingest::timeline::Timeline;
use dimension::{Dimension, Listed};
pub use fold::fold;
pub use request_ids::{MAX_DISTINCT_IDS, RequestIds};
use table::TABLES;

/// Version of the cube's tables and header; a change of meaning raises it.
pub const CUBE_VERSION: u32 = 1;

/// Everything of a cube but its tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// `stagegate-cube`.
    pub format: String,
    pub version: u32,
    /// The parts of the plan that decided how uploads were folded.
    pub rules: FoldingRules,
    pub timeline: Timeline,
    /// First and last start of the lines whose stage the timeline decided.
    pub placed_span: Option<(EpochNanos, EpochNanos)>,
    pub providers: Dimension,
    pub file_types: Dimension,
    pub error_types: Dimension,
    /// Every line of every file, accounted for; sorted by path.
    pub files: Vec<FileLedger>,
}

/// A cube in memory. Ask it through [`slice`].
#[derive(Debug, Clone)]
pub struct Cube {
    pub header: Header,
    tables: [DataFrame; TABLES.len()],
    pub request_ids: RequestIds,
}

/// The config's names that a dimension never absorbs.
pub(crate) struct ListedNames {
    providers: Listed,
    file_types: Listed,
    error_types: Listed,
}

impl ListedNames {
    fn of(plan: &Plan) -> Self {
        Self {
            providers: Listed::new(&plan.variants.providers),
            file_types: Listed::new(&plan.variants.file_types),
            error_types: Listed::new(plan.analysis.timeout_errors.iter().chain(&plan.analysis.critical_errors)),
        }
    }
}

/// Column names of the dimensions.
pub(crate) const DIMENSION_COLUMNS: [&str; 3] = ["provider", "file_type", "error_type"];

/// A failure of polars on a table that stagegate itself made is a bug or a damaged cube.
fn damaged(error: PolarsError) -> Error {
    Error::new(Boundary::Cube, format!("the cube's tables cannot be read: {error}"))
        .help("make the cube again from the logs with `stagegate cube`")
}

impl Cube {
    /// The cube of both. Associative and commutative.
    ///
    /// # Errors
    /// The cubes were folded by different rules, share a file, or one was made without the
    /// `rollout_stage` events that the other saw.
    pub fn merge(self, other: Self, plan: &Plan) -> Result<Self> {
        same_rules(&self.header.rules, &other.header.rules)?;
        no_shared_file(&self.header, &other.header)?;
        let timeline = self.header.timeline.union(&other.header.timeline);
        agree(&self.header, &timeline)?;
        agree(&other.header, &timeline)?;
        let listed = ListedNames::of(plan);
        let merge = |left: &Dimension, right: &Dimension, listed| left.merge(right, listed, plan.max_distinct);
        let (providers, left_providers, right_providers) =
            merge(&self.header.providers, &other.header.providers, &listed.providers);
        let (file_types, left_types, right_types) =
            merge(&self.header.file_types, &other.header.file_types, &listed.file_types);
        let (error_types, left_errors, right_errors) =
            merge(&self.header.error_types, &other.header.error_types, &listed.error_types);
        let mut files = self.header.files;
        files.extend(other.header.files);
        files.sort_by(|a, b| a.path.cmp(&b.path).then_with(|| a.sha256.cmp(&b.sha256)));
        let header = Header {
            timeline,
            placed_span: join_spans(self.header.placed_span, other.header.placed_span),
            providers,
            file_types,
            error_types,
            files,
            ..self.header
        };
        let left = [left_providers, left_types, left_errors];
        let right = [right_providers, right_types, right_errors];
        let tables = merge_tables(self.tables, &left, other.tables, &right).map_err(damaged)?;
        Ok(Self { header, tables, request_ids: self.request_ids.merge(&other.request_ids) })
    }
}

type Tables = [DataFrame; TABLES.len()];

fn merge_tables(
    left: Tables,
    left_numbers: &[dimension::Renumbering; 3],
    right: Tables,
    right_numbers: &[dimension::Renumbering; 3],
) -> Result<Tables, PolarsError> {
    let mut merged = left;
    for ((spec, table), other) in TABLES.iter().zip(&mut merged).zip(right) {
        renumber_all(table, left_numbers)?;
        let mut other = other;
        renumber_all(&mut other, right_numbers)?;
        *table = table::normalise(spec, &table.vstack(&other)?)?;
    }
    Ok(merged)
}

fn renumber_all(
    table: &mut DataFrame,
    numbers: &[dimension::Renumbering; 3],
) -> Result<(), PolarsError> {
    for (column, renumbering) in DIMENSION_COLUMNS.iter().zip(numbers) {
        table::renumber(table, column, renumbering)?;
    }
    Ok(())
}

fn join_spans(a: Option<(i64, i64)>, b: Option<(i64, i64)>) -> Option<(i64, i64)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

/// Refuses cubes, or a cube and a plan, that place or bucket uploads differently.
pub fn same_rules(made_with: &FoldingRules, wanted: &FoldingRules) -> Result<()> {
    let differs = if made_with.timestamp_marks != wanted.timestamp_marks {
        "[input] timestamp_marks"
    } else if made_with.size_bounds_mb != wanted.size_bounds_mb {
        "[analysis] size_bounds_mb"
    } else if made_with.stages != wanted.stages {
        "[[stages]] (names, percentages, files, from or to)"
    } else {
        return Ok(());
    };
    Err(Error::new(Boundary::Cube, format!("the cube was made with another {differs}"))
        .help("use the config that it was made with, or make it again from the logs"))
}

fn no_shared_file(a: &Header, b: &Header) -> Result<()> {
    let shared = a.files.iter().find(|file| {
        file.bytes > 0 && b.files.iter().any(|other| other.sha256 == file.sha256 && other.path == file.path)
    });
    match shared {
        None => Ok(()),
        Some(file) => Err(Error::new(Boundary::Cube, format!("{} is in two of the inputs", file.path))
            .help("its uploads would count twice: leave one of the inputs out")),
    }
}

/// Refuses a cube that would have placed its uploads elsewhere, had it known the whole timeline.
fn agree(header: &Header, whole: &Timeline) -> Result<()> {
    let Some((from, to)) = header.placed_span else { return Ok(()) };
    let Some(at) = header.timeline.first_disagreement(whole, from, to) else { return Ok(()) };
    let at = chrono::DateTime::from_timestamp_nanos(at).format("%Y-%m-%dT%H:%M:%SZ");
    let file = header.files.first().map_or("a cube", |file| file.path.as_str());
    let message =
        format!("the cube of {file} was made without rollout_stage events that another input holds (they differ from {at})");
    Err(Error::new(Boundary::Cube, message)
        .help("make it again with the other files as --timeline: `stagegate cube FILES --timeline OTHERS -o x.cube`"))
}
