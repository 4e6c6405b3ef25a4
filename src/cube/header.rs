//! What a cube is: its header, its tables in memory, and the rules that it was folded by.

use polars_core::prelude::{DataFrame, PolarsError};
use serde::{Deserialize, Serialize};

use super::dimension::{Listed, NameList};
use super::request_ids::RequestIds;
use super::segments::Tuple;
use super::table::{self, TABLE_COUNT, TableSpec};
use crate::config::{EpochNanos, FoldingRules, Plan};
use crate::error::{Error, Result};
use crate::ingest::ledger::FileLedger;
use crate::ingest::parts;
use crate::ingest::timeline::Timeline;
use crate::schema::record::Values;

/// Version of the cube's tables and header; a change of meaning raises it.
pub const CUBE_VERSION: u32 = 3;

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
    /// First and last start of the lines that tell their stage, and of which the timeline decided the period.
    #[serde(default)]
    pub numbered_span: Option<(EpochNanos, EpochNanos)>,
    /// By dimension of the rules; those of buckets have no names.
    pub dimensions: Vec<NameList>,
    /// Dimensions, from the last, whose values are all one: there were too many combinations.
    pub absorbed_dimensions: usize,
    pub error_types: NameList,
    /// Every line of every file, accounted for; sorted by path.
    pub files: Vec<FileLedger>,
    /// What folded it, each version once, sorted.
    #[serde(default)]
    pub made_by: Vec<String>,
    /// Of plans that it was folded by, the parts that it holds; sorted by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<PartsOfPlan>,
}

/// Parts of a plan (`stagegate plan`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartsOfPlan {
    pub id: String,
    /// How many parts it has.
    pub of: usize,
    /// Their numbers from 0, rising.
    pub parts: Vec<usize>,
}

impl PartsOfPlan {
    /// Which are not here, as the beginning of a sentence: `part 3 of 16 of the plan is`.
    pub fn missing(&self) -> Option<String> {
        let missing: Vec<usize> = (0..self.of).filter(|part| self.parts.binary_search(part).is_err()).collect();
        let told = || format!("{} of {} of the plan {}", counted_numbers("part", &missing), self.of, are(&missing));
        (!missing.is_empty()).then(told)
    }
}

/// This program, as headers name it.
pub fn this_program() -> String {
    format!("stagegate {}", env!("CARGO_PKG_VERSION"))
}

/// A table each, in the order of [`table::specs`].
pub(super) type Tables = [DataFrame; TABLE_COUNT];

/// A cube in memory. Ask it through [`slice`].
#[derive(Debug, Clone)]
pub struct Cube {
    pub header: Header,
    pub(super) tables: Tables,
    /// Sorted; a segment's number is its position.
    pub segments: Vec<Tuple>,
    pub request_ids: RequestIds,
}

impl Cube {
    /// The tables and their columns.
    pub(super) fn specs(&self) -> [TableSpec; TABLE_COUNT] {
        table::specs(&self.header.rules.measures)
    }

    /// Refuses what is not the whole of its files, or of a plan: its figures would be those of a part.
    ///
    /// # Errors
    /// The first that is missing.
    pub fn whole(&self) -> Result<()> {
        if let Some(missing) = self.header.plans.iter().find_map(PartsOfPlan::missing) {
            return Err(Error::new(format!("{missing} not there"))
                .help("fold what is missing with `stagegate cube --plan PLAN --part NUMBER`, and give all cubes"));
        }
        parts::whole(&self.header.files)
    }

    /// Whether a line of any of its files was an upload.
    pub fn has_uploads(&self) -> bool {
        self.header.files.iter().any(|file| file.uploads > 0)
    }

    /// Rewrites every text that a person or a logger wrote (event texts, examples of rejected lines, file names), and
    /// every hash of a request id.
    pub fn rewrite(&mut self, text: impl Fn(&str) -> String, id: impl Fn(u64) -> u64) -> Result<()> {
        for file in &mut self.header.files {
            file.rewrite(&text);
        }
        let events = &mut self.tables[table::EVENTS];
        table::rewrite_text(events, &text).map_err(damaged)?;
        self.request_ids = self.request_ids.rehashed(id);
        Ok(())
    }
}

/// `part 3`, or `parts 3, 7 and 9`; of many the first ones.
pub fn counted_numbers(what: &str, numbers: &[usize]) -> String {
    const SHOWN: usize = 12;
    match numbers {
        [one] => format!("{what} {one}"),
        many => {
            let shown: Vec<String> = many.iter().take(SHOWN).map(usize::to_string).collect();
            let more = if many.len() > SHOWN { format!(" and {} more", many.len() - SHOWN) } else { String::new() };
            format!("{what}s {}{more}", shown.join(", "))
        }
    }
}

pub(super) fn are(numbers: &[usize]) -> &'static str {
    if numbers.len() == 1 { "is" } else { "are" }
}

/// The config's names that a dimension never absorbs; `None` where its values are buckets.
pub(super) fn listed_names(plan: &Plan) -> Vec<Option<Listed>> {
    let dimensions = plan.schema.dimensions.iter();
    dimensions.map(|dimension| (dimension.values == Values::Names).then(|| Listed::new(&dimension.expected))).collect()
}

/// The error types that are never absorbed.
pub(super) fn listed_errors(plan: &Plan) -> Listed {
    Listed::new(plan.analysis.timeout_errors.iter().chain(&plan.analysis.critical_errors))
}

/// A failure of polars on a table that stagegate itself made is a bug or a damaged cube.
pub(super) fn damaged(error: PolarsError) -> Error {
    Error::new(format!("the cube's tables cannot be read: {error}"))
        .help("make the cube again from the logs with `stagegate cube`")
}

/// The span of both.
pub(super) fn join_spans(a: Option<(i64, i64)>, b: Option<(i64, i64)>) -> Option<(i64, i64)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

/// What to look at where the dimensions differ.
fn other_dimension(made_with: &FoldingRules, wanted: &FoldingRules) -> Option<&'static str> {
    if made_with.dimensions == wanted.dimensions {
        return None;
    }
    let of = |rules: &FoldingRules| rules.dimensions.iter().map(|rule| rule.name.clone()).collect::<Vec<_>>();
    let apart = made_with.dimensions.iter().zip(&wanted.dimensions).find(|(made, wanted)| made != wanted);
    match apart {
        Some((made, _)) if made.name == "size" && of(made_with) == of(wanted) => Some("[analysis] size_bounds_mb"),
        _ => Some("[[record.dimensions]]"),
    }
}

/// Refuses cubes, or a cube and a plan, that place or bucket uploads differently.
pub(super) fn same_rules(made_with: &FoldingRules, wanted: &FoldingRules) -> Result<()> {
    let differs = if let Some(what) = other_dimension(made_with, wanted) {
        what
    } else if made_with.timestamp_marks != wanted.timestamp_marks {
        "[input] timestamp_marks"
    } else if made_with.measures != wanted.measures {
        "[[record.measures]]"
    } else if made_with.critical_errors != wanted.critical_errors {
        "[analysis] critical_errors"
    } else if made_with.tries != wanted.tries {
        "[record] tries"
    } else if made_with.stages != wanted.stages {
        "[[stages]] (names, percentages, files, from or to)"
    } else if made_with.exclude != wanted.exclude {
        "[[exclude]]"
    } else {
        return Ok(());
    };
    Err(Error::new(format!("the cube was made with another {differs}"))
        .help("use the config that it was made with, or make it again from the logs"))
}
