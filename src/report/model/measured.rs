//! What was measured: inputs, stages, figures, series.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stagegate_stats::Interval;

use crate::packing::digest_with_algorithm;

/// One file of the log: records + events + rejected + other_rows + other_tries + blank = lines, where a line is one row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    pub path: String,
    pub bytes: u64,
    /// Of the file as it lies on disk, with the algorithm in front: `blake3:…`; `sha256:…` in reports of before.
    #[serde(alias = "sha256", deserialize_with = "digest_with_algorithm")]
    pub digest: String,
    pub lines: u64,
    #[serde(alias = "uploads")]
    pub records: u64,
    pub events: u64,
    pub rejected: u64,
    pub blank: u64,
    /// Rows that the source's conditions leave out.
    #[serde(default)]
    pub other_rows: u64,
    /// Rows of requests of which another try counts.
    #[serde(default)]
    pub other_tries: u64,
    /// How it was read: `native`, a preset, or `mapping`.
    #[serde(default = "native")]
    pub format: String,
}

fn native() -> String {
    "native".into()
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DataQuality {
    pub gate: Gate,
    pub rejected_total: u64,
    /// Rejected lines / lines.
    pub rejected_share: f64,
    /// Share above which the gate fails.
    pub max_rejected_share: f64,
    pub rejected: Vec<Rejected>,
    pub duplicate_request_ids: u64,
    /// Whether there are more duplicates than were counted.
    pub duplicate_request_ids_at_least: bool,
    /// Records whose timestamp is earlier than that of the record before them in the file.
    pub out_of_order: u64,
    pub gaps: Vec<Gap>,
    pub findings: Vec<Finding>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    Passed,
    Failed,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rejected {
    #[schemars(extend("enum" = ["not_json", "not_an_object", "malformed", "missing_field", "bad_value", "unknown_execution_type", "no_stage", "invalid_utf8", "line_too_long"]))]
    pub reason: String,
    pub count: u64,
    pub examples: Vec<RejectedExample>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RejectedExample {
    pub path: String,
    /// From 1.
    pub line: u64,
    /// In characters from 1, where there is one.
    pub column: Option<u64>,
    pub text: String,
    pub message: String,
}

/// Minutes of a stage without any record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    pub stage: String,
    pub from: String,
    pub to: String,
    pub minutes: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    pub id: String,
    pub severity: Severity,
    pub text: String,
}

impl Finding {
    /// A finding of the data quality.
    pub fn of_quality(id: impl std::fmt::Display, severity: Severity, text: impl Into<String>) -> Self {
        Self { id: format!("data_quality.{id}"), severity, text: text.into() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Info,
    Warning,
    Error,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stage {
    pub name: String,
    /// 0 to 100.
    pub percentage: f64,
    /// First minute with a record; `null` without records.
    pub from: Option<String>,
    /// End of the last minute with a record.
    pub to: Option<String>,
    /// How far it is.
    #[serde(default)]
    pub state: StageState,
    pub groups: Groups,
    pub split: Split,
}

/// A rollout that was begun, and went on, or was taken back. The report is about the last one with records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    /// From 1.
    pub number: usize,
    /// The stages above 0 % that had records, in their order.
    pub stages: Vec<String>,
    /// First minute with a record of these stages.
    pub from: String,
    /// End of the last one.
    pub to: String,
    /// Records of these stages.
    pub n: u64,
    pub treated: u64,
    pub treated_failures: u64,
    pub end: AttemptEnd,
    /// When it was taken back; `null` where it was not.
    pub ended_at: Option<String>,
    /// Records after its end and before the next start: they belong to no stage.
    pub n_after: u64,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttemptEnd {
    /// Nothing took it back.
    Open,
    /// By a `rollback` event.
    RolledBack,
    /// By a start of a smaller percentage, without a rollback event.
    SteppedBack,
}

/// How far a stage is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StageState {
    NotBegun,
    /// The last one with traffic, of a rollout that goes on.
    Running,
    #[default]
    Over,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Groups {
    pub all: Group,
    pub treated: Group,
    pub control: Group,
    pub per_protocol: Group,
}

impl Groups {
    /// Each with the word by which ids name it.
    pub fn named(&self) -> [(&'static str, &Group); 4] {
        let Self { all, treated, control, per_protocol } = self;
        [("all", all), ("treated", treated), ("control", control), ("per_protocol", per_protocol)]
    }
}

/// The records of one arm of a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// How many records.
    #[serde(alias = "uploads")]
    pub n: u64,
    /// Distinct seconds with a record in flight.
    pub busy_seconds: u64,
    /// Failures by error type.
    pub errors: BTreeMap<String, u64>,
    /// Why a metric is `null`.
    pub not_measured: BTreeMap<String, String>,
    /// Where memory figures come from.
    pub memory_source: Option<MeasureSource>,
    /// Every metric of the methodology by id; `null` where it was not measured.
    #[serde(flatten)]
    pub figures: BTreeMap<String, Option<Figure>>,
}

impl Group {
    /// The metric with this id; `None` where it was not measured.
    pub fn figure(&self, metric: &str) -> Option<&Figure> {
        self.figures.get(metric)?.as_ref()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MeasureSource {
    /// The records that carry it.
    #[serde(alias = "uploads")]
    Records,
    /// `memory_sample` events of the process.
    MemorySamples,
}

/// A measured figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Figure {
    pub value: f64,
    /// 95 % interval; `null` where none is defined.
    pub ci: Option<Interval>,
    /// How many records (or samples) it was computed from.
    pub n: u64,
    pub interval_method: Option<IntervalMethod>,
    /// Hours that were resampled or taken as clusters.
    pub hours: u64,
    /// Of a rate: variance from hour clusters / binomial variance, at least 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub design_effect: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub warnings: Vec<FigureWarning>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IntervalMethod {
    /// Wilson score on effective counts.
    Wilson,
    /// Koopman score on effective counts.
    Koopman,
    /// Clock hours resampled, each replicate in units of its own standard error.
    StudentisedBootstrap,
    /// The Wilson interval of the share at or below a quantile, turned over on the distribution.
    Woodruff,
    /// Clock hours resampled.
    BlockBootstrap,
    /// Minutes resampled: fewer than 8 hours.
    MinuteBootstrap,
    /// Single records resampled: fewer than 8 hours.
    #[serde(alias = "upload_bootstrap")]
    RecordBootstrap,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FigureWarning {
    /// Fewer than 8 hours: nothing is known of how alike records of the same hour are.
    FewHours,
    /// An hour resembles the one before: the interval is that of their long-run variance.
    HoursCorrelated,
    /// Days differ by more than their hours explain: the interval is that of days as clusters.
    DaysDiffer,
    /// Too few for an interval.
    #[serde(alias = "too_few_uploads")]
    TooFew,
    /// The mix of files changed between the two groups, and the figure with it.
    MixChanged,
    /// The split of the stage is not what was set: the arms may differ in more than the treatment.
    SplitMismatch,
}

/// Does the traffic split fit what was set?
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Split {
    pub expected_share: Option<f64>,
    pub observed_share: Option<f64>,
    pub p_value: Option<f64>,
    pub status: SplitStatus,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SplitStatus {
    Ok,
    Mismatch,
    NotApplicable,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    pub at: String,
    pub event_type: String,
    pub text: String,
}

/// The rollout over time, in buckets of whole hours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Series {
    pub bucket_hours: u64,
    pub points: Vec<SeriesPoint>,
}

/// The records of one stage that ended in one bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeriesPoint {
    /// Start of the bucket.
    pub at: String,
    pub stage: String,
    #[serde(alias = "uploads")]
    pub n: u64,
    pub successes: u64,
    /// `null` below 5 successful records.
    pub latency_p50_ms: Option<f64>,
    /// `null` below 20 successful records: it would just be the longest.
    pub latency_p95_ms: Option<f64>,
    /// The arms of it; `null` without a record.
    #[serde(default)]
    pub treated: Option<SeriesArm>,
    #[serde(default)]
    pub control: Option<SeriesArm>,
}

/// The records of one arm in one bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeriesArm {
    pub n: u64,
    pub successes: u64,
    /// `null` below 5 successful records.
    pub latency_p50_ms: Option<f64>,
    /// `null` below 20 successful records.
    pub latency_p95_ms: Option<f64>,
    /// Means of the measures that the plan wants improved, by metric, where at least 5 records carry them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub means: BTreeMap<String, f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Variant {
    /// The value of each dimension that is crossed, by its name.
    #[serde(flatten)]
    pub values: BTreeMap<String, String>,
    #[serde(alias = "uploads")]
    pub n: u64,
    pub success_rate: Option<Figure>,
}

/// A dimension of the variants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VariantDimension {
    pub name: String,
    /// Of its numbers; empty for names, and for numbers without one.
    pub unit: String,
    /// Whether its values are ranges of a number.
    pub is_number: bool,
}

impl VariantDimension {
    /// Those of reports that do not say them.
    pub(super) fn of_before() -> Vec<Self> {
        let names = |name: &str| Self { name: name.into(), unit: String::new(), is_number: false };
        let size = Self { name: "size".into(), unit: "MB".into(), is_number: true };
        vec![names("file_type"), size, names("provider")]
    }
}

/// Failures of one kind, over all stages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorScenario {
    /// `file_not_found`, `permission`, `timeout`, `network`, `provider` or `other`.
    pub scenario: String,
    pub failures: u64,
    /// Those of the treated arm.
    pub treated_failures: u64,
    /// Failures by error type.
    pub error_types: BTreeMap<String, u64>,
}

/// A figure that a sentence or a reader may point at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Claim {
    /// For example `stages.100%.treated.success_rate`.
    pub id: String,
    pub value: f64,
    pub ci: Option<Interval>,
    pub unit: String,
    pub n: u64,
    pub definition: String,
    /// The digest of each input; of more than 16, one over theirs, sorted, as `blake3-list:…`.
    pub inputs: Vec<String>,
}
