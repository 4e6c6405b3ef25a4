//! What every reader hands over: one record, borrowed from its row.

use std::borrow::Cow;

use crate::config::EpochNanos;
use crate::schema::record::{FILE_TYPE, MAX_DIMENSIONS, MAX_MEASURES, MEMORY, PROVIDER, SIZE};

/// 30 days: the longest duration that is believed.
pub const MAX_DURATION_MS: f64 = 30.0 * 86_400_000.0;
/// One petabyte: the largest size or memory that is believed, in MB.
pub const MAX_MB: f64 = 1e9;

/// How an upload was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ExecutionType {
    Sync,
    Async,
    SyncFallback,
}

impl ExecutionType {
    pub const ALL: [Self; 3] = [Self::Sync, Self::Async, Self::SyncFallback];

    /// The word of the log.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Async => "async",
            Self::SyncFallback => "sync_fallback",
        }
    }

    #[inline(always)]
    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// A value of a dimension.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value<'a> {
    #[default]
    Absent,
    Name(Cow<'a, str>),
    /// Positive.
    Number(f64),
}

impl<'a> Value<'a> {
    /// A name, where there is one.
    #[inline(always)]
    pub fn name(name: Option<Cow<'a, str>>) -> Self {
        name.map_or(Self::Absent, Self::Name)
    }

    /// A number, where it is known: 0 is not.
    #[inline(always)]
    pub fn number(number: Option<f64>) -> Self {
        number.filter(|number| *number > 0.0).map_or(Self::Absent, Self::Number)
    }
}

/// One record: what every reader hands over. Strings borrow from the row unless they held escapes.
#[derive(Debug, Clone, PartialEq)]
pub struct Record<'a> {
    pub execution_type: ExecutionType,
    pub success: bool,
    /// 0 to 30 days; a failure may have none.
    pub duration_ms: Option<f64>,
    /// What the logger's timestamp says; whether it is start or end is the plan's.
    pub timestamp: EpochNanos,
    pub error_type: Option<Cow<'a, str>>,
    /// By their positions in the schema.
    pub dimensions: [Value<'a>; MAX_DIMENSIONS],
    /// By their positions in the schema; 0 to 1e9.
    pub measures: [Option<f64>; MAX_MEASURES],
    pub request_id: Option<Cow<'a, str>>,
    pub stage: Option<Cow<'a, str>>,
    /// How many rows of the traffic it stands for, at least 1, where the log is a sample.
    pub weight: Option<f64>,
    /// Byte offset of `stage` in the line, for the message when no stage has that name.
    pub stage_offset: usize,
}

impl Record<'_> {
    /// The name in a dimension.
    pub fn name(&self, dimension: usize) -> Option<&str> {
        match &self.dimensions[dimension] {
            Value::Name(name) => Some(name),
            _ => None,
        }
    }

    /// The number in a dimension.
    pub fn number(&self, dimension: usize) -> Option<f64> {
        match self.dimensions[dimension] {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }
}

/// The dimensions of stagegate's own format; 0 is no size.
#[inline(always)]
pub(super) fn own_dimensions<'a>(
    provider: Option<Cow<'a, str>>,
    file_type: Option<Cow<'a, str>>,
    size_mb: Option<f64>,
) -> [Value<'a>; MAX_DIMENSIONS] {
    let mut dimensions = [const { Value::Absent }; MAX_DIMENSIONS];
    dimensions[PROVIDER] = Value::name(provider);
    dimensions[FILE_TYPE] = Value::name(file_type);
    dimensions[SIZE] = Value::number(size_mb);
    dimensions
}

/// The measures of stagegate's own format.
#[inline(always)]
pub(super) fn own_measures(memory_mb: Option<f64>) -> [Option<f64>; MAX_MEASURES] {
    let mut measures = [None; MAX_MEASURES];
    measures[MEMORY] = memory_mb;
    measures
}
