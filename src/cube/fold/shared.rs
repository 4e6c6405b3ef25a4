//! What the workers of a fold share: names, segments, ledgers, request ids; and what they folded.

use std::sync::{Mutex, OnceLock};

use polars_core::prelude::PolarsResult;

use super::super::assemble::{Interned, Parts, assemble};
use super::super::dimension::{Interner, Listed, NameList, OTHER};
use super::super::header::{CUBE_VERSION, Cube, Header, damaged, listed_errors, listed_names, this_program};
use super::super::request_ids::RequestIds;
use super::super::segments::SegmentInterner;
use super::super::tries::Counting;
use crate::config::Plan;
use crate::error::Result;
use crate::ingest::chunks::{Outcome, Outcomes};
use crate::ingest::ledger::{FileFacts, FileLedgerBuilder};
use crate::ingest::rows::Columns;
use crate::ingest::source::Source;
use crate::ingest::timeline::Timeline;
use crate::schema::record::{Dimension, Values};

/// What the workers folded, not yet one cube.
pub struct Folded(Box<dyn FnOnce() -> PolarsResult<Cube> + Send>);

impl Folded {
    /// Merges the workers' parts into tables.
    ///
    /// # Errors
    /// None that a log can cause.
    pub fn into_cube(self) -> Result<Cube> {
        (self.0)().map_err(damaged)
    }
}

/// What the workers share.
pub(crate) struct Shared<'p> {
    pub(super) plan: &'p Plan,
    pub sources: &'p [Source],
    /// By dimension; `None` where its values are buckets.
    pub(super) names: Vec<Option<Interner>>,
    pub(super) segments: SegmentInterner,
    pub(super) error_types: Interner,
    pub(super) ledgers: Vec<Mutex<FileLedgerBuilder>>,
    /// The names of the columns of each source, where it is CSV.
    pub(super) columns: Vec<OnceLock<Columns>>,
    pub(super) request_ids: Mutex<RequestIds>,
    /// Which rows count of the requests that were tried several times, where not each of them does.
    pub counting: Counting,
}

impl<'p> Shared<'p> {
    pub(crate) fn new(plan: &'p Plan, sources: &'p [Source]) -> Self {
        let interner = |listed: Listed| Interner::new(listed, usize::from(plan.input.max_distinct));
        let names: Vec<Option<Interner>> = listed_names(plan).into_iter().map(|listed| listed.map(interner)).collect();
        let absorbing =
            plan.schema.dimensions.iter().zip(&names).map(|(dimension, names)| match (names, &dimension.values) {
                (Some(names), _) => names.number(OTHER),
                (None, Values::Bounds(bounds)) => bucket(bounds, None),
                (None, Values::Names) => 0,
            });
        Self {
            plan,
            sources,
            segments: SegmentInterner::new(absorbing.collect()),
            names,
            error_types: interner(listed_errors(plan)),
            ledgers: sources.iter().map(|_| Mutex::default()).collect(),
            columns: sources.iter().map(|_| OnceLock::new()).collect(),
            request_ids: Mutex::default(),
            counting: Counting::default(),
        }
    }

    /// Forgets the lines of a source, which is to be read again.
    pub(crate) fn forget_lines(&self, source: usize) {
        *self.ledgers[source].lock().expect("no worker panicked") = FileLedgerBuilder::default();
    }

    /// What was folded of all sources, under the whole timeline.
    pub(crate) fn folded<const M: usize>(self, whole: &Timeline, parts: Vec<Parts<M>>, outcomes: Outcomes) -> Folded {
        let mut by_source = vec![Outcome::default(); self.sources.len()];
        outcomes.into_iter().for_each(|(index, outcome)| by_source[index] = outcome);
        let builders = self.ledgers.into_iter().map(|ledger| ledger.into_inner().expect("no worker panicked"));
        let files = builders
            .zip(self.sources)
            .zip(by_source)
            .map(|((builder, source), outcome)| {
                let loss = outcome.loss.or_else(|| source.loss.clone());
                let format = source.format().to_owned();
                let Outcome { digest, bytes, subtrees, .. } = outcome;
                let part = source.range.clone().zip(subtrees).map(|(range, subtrees)| (range, source.bytes, subtrees));
                builder.finish(FileFacts { path: source.name.clone(), format, bytes, digest, loss, part })
            })
            .collect();
        let mut request_ids = self.request_ids.into_inner().expect("no worker panicked");
        request_ids.settle();
        let header = Header {
            format: "stagegate-cube".into(),
            version: CUBE_VERSION,
            rules: self.plan.folding_rules(),
            timeline: whole.clone(),
            placed_span: None,
            numbered_span: None,
            dimensions: Vec::new(),
            absorbed_dimensions: 0,
            error_types: NameList::default(),
            files,
            made_by: vec![this_program()],
            plans: Vec::new(),
        };
        let dimensions = self.plan.schema.dimensions.clone();
        let interned =
            Interned { dimensions, names: self.names, segments: self.segments, error_types: self.error_types };
        Folded(Box::new(|| assemble(header, parts, interned, request_ids)))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "at most 16 buckets")]
pub(super) fn bucket(bounds: &[f64], value: Option<f64>) -> u16 {
    Dimension::bucket(bounds, value) as u16
}
