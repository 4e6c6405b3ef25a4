//! What the cube answers with: plain values.

use super::super::key::{METRIC_DURATION, METRIC_MEASURES, METRIC_MEMORY_SAMPLE};
use crate::config::EpochNanos;
use crate::schema::record::MAX_MEASURES;

/// Sums over the uploads of a group that ended in one hour; busy seconds fell in it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct HourSums {
    /// Hours since 1970-01-01T00:00Z.
    pub hour: i64,
    pub uploads: u64,
    pub successes: u64,
    /// `async` and `sync_fallback` uploads.
    pub treated: u64,
    /// `sync_fallback` uploads.
    pub fallbacks: u64,
    /// Failures whose error type is one of the asked.
    pub timeouts: u64,
    /// 10^-9 MB, successful uploads of known size.
    pub success_size_nano_mb: i128,
    pub duration_ns: i128,
    pub success_duration_ns: i128,
    pub success_duration_max_ms: f64,
    pub busy_seconds: u64,
    /// By the schema's positions.
    pub measures: [MeasureSum; MAX_MEASURES],
}

/// A measure of the records that carry it, or of samples.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct MeasureSum {
    pub n: u64,
    /// 10^-9 of its unit.
    pub nano: i128,
    pub max: f64,
}

impl MeasureSum {
    pub fn add(&mut self, other: &Self) {
        *self = Self { n: self.n + other.n, nano: self.nano + other.nano, max: self.max.max(other.max) };
    }
}

/// A measure in one hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HourMeasure {
    /// Hours since 1970-01-01T00:00Z.
    pub hour: i64,
    pub sum: MeasureSum,
}

/// What a histogram is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// `duration_ms` of successful uploads.
    SuccessDuration,
    /// A measure of the records that carry it.
    Measure(usize),
    /// `rss_mb` of `memory_sample` events.
    MemorySample,
}

impl Measured {
    /// The number of the fine tables.
    #[expect(clippy::cast_possible_truncation, reason = "at most ten metrics")]
    pub(super) fn number(self) -> u8 {
        match self {
            Self::SuccessDuration => METRIC_DURATION as u8,
            Self::Measure(measure) => (METRIC_MEASURES + measure) as u8,
            Self::MemorySample => METRIC_MEMORY_SAMPLE as u8,
        }
    }
}

/// Uploads, successes and busy seconds of one minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MinuteCounts {
    pub uploads: u64,
    pub successes: u64,
    /// 10^-9 MB, successful uploads of known size.
    pub success_size_nano_mb: i128,
    pub busy_seconds: u64,
}

/// The event that stands for the uploads of one minute that failed with an error type of
/// `critical_errors`: its text is the error type, its value the execution type.
pub const CRITICAL_UPLOAD: &str = "stagegate.critical_upload";

/// An event as the log told it.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedEvent {
    pub at: EpochNanos,
    pub event_type: String,
    /// Position of the stage; `None` where none places it.
    pub stage: Option<usize>,
    /// The percentage of a rollout_stage, the count of a complaint, the execution type of a [`CRITICAL_UPLOAD`].
    pub value: f64,
    /// How many of the same there were.
    pub count: u64,
    pub text: String,
}

impl LoggedEvent {
    pub fn is_rollback(&self) -> bool {
        self.event_type == "rollback"
    }
}

/// A cell of the mix: a combination of dimension values, by its number in the cube.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment(pub u32);
