//! What the cube answers with: plain values.

use super::super::key::{METRIC_DURATION, METRIC_MEMORY, METRIC_MEMORY_SAMPLE};
use crate::config::EpochNanos;

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
    pub memory_uploads: u64,
    /// 10^-9 MB
    pub memory_nano_mb: i128,
    pub success_duration_max_ms: f64,
    pub memory_max_mb: f64,
    pub busy_seconds: u64,
}

/// Memory of one hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HourMemory {
    /// Hours since 1970-01-01T00:00Z.
    pub hour: i64,
    /// Uploads or samples.
    pub count: u64,
    /// Their sum, 10^-9 MB.
    pub nano_mb: i128,
    pub max_mb: f64,
}

/// What a histogram is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// `duration_ms` of successful uploads.
    SuccessDuration,
    /// `memory_mb` of the uploads that carry it.
    UploadMemory,
    /// `rss_mb` of `memory_sample` events.
    MemorySample,
}

impl Measured {
    /// The number of the fine tables.
    #[expect(clippy::cast_possible_truncation, reason = "three metrics")]
    pub(super) fn number(self) -> u8 {
        match self {
            Self::SuccessDuration => METRIC_DURATION as u8,
            Self::UploadMemory => METRIC_MEMORY as u8,
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

/// A cell of the mix: provider, file type and size bucket, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment {
    pub provider: u16,
    pub file_type: u16,
    /// The first bound not below the size; then "above the last", then "unknown".
    pub size_bucket: u8,
}
