//! The types of report.json. A leaf without logic: what the fields mean is the contract, how
//! they are computed is `analysis`, how they look is `render`.

mod judgement;

use std::collections::BTreeMap;

pub use judgement::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stagegate_stats::Interval;

/// Version of the contract; a change of meaning raises it.
pub const SCHEMA_VERSION: u32 = 1;

/// report.json. Rates are fractions, times RFC 3339 UTC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    pub schema_version: u32,
    pub generator: Generator,
    pub title: String,
    pub generated_at: String,
    /// What the log says of its simulation; `null` for a log that was measured.
    pub simulated: Option<String>,
    pub decision: Decision,
    /// Plain sentences; each figure is one of `claims`.
    pub summary: Vec<String>,
    /// What would settle what speaks against going on, the most urgent first. Derived, not written by people.
    pub next_steps: Vec<NextStep>,
    pub inputs: Vec<Input>,
    pub data_quality: DataQuality,
    pub stages: Vec<Stage>,
    pub improvements: Vec<Improvement>,
    pub criteria: Vec<Criterion>,
    pub comparisons: Vec<Comparison>,
    pub regressions: Regressions,
    pub intention_to_treat: Vec<IntentionToTreat>,
    pub triggers: Vec<Trigger>,
    pub change_points: Vec<ChangePoint>,
    /// Where change points were looked for, and where there was too little to look.
    pub change_point_searches: Vec<ChangePointSearch>,
    pub events: Vec<Event>,
    pub series: Series,
    pub tests: Tests,
    /// What people wrote, as they wrote it.
    pub notes: Vec<Note>,
    pub variants: Vec<Variant>,
    /// What can go wrong with an upload, and whether the log shows that it was lived through.
    pub error_scenarios: Vec<ErrorScenario>,
    pub completion: Vec<Completion>,
    pub validation: Option<Validation>,
    pub claims: Vec<Claim>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Generator {
    pub name: String,
    pub version: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    pub value: DecisionValue,
    pub reasons: Vec<Reason>,
}

/// From good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecisionValue {
    Go,
    /// Nothing bad, but evidence is missing.
    Incomplete,
    /// A person must look.
    Review,
    NoGo,
    Rollback,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// What this reason alone would decide.
    pub level: DecisionValue,
    /// Id of the claim, trigger, comparison, data-quality finding or completion criterion.
    pub finding: String,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NextStep {
    /// Id of the finding that it follows from.
    pub finding: String,
    pub text: String,
}

/// One file of the log: uploads + events + rejected + blank = lines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    pub path: String,
    pub bytes: u64,
    pub sha256: String,
    pub lines: u64,
    pub uploads: u64,
    pub events: u64,
    pub rejected: u64,
    pub blank: u64,
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
    /// Uploads whose timestamp is earlier than that of the upload before them in the file.
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
    #[schemars(extend("enum" = ["not_json", "not_an_object", "missing_field", "bad_value", "unknown_execution_type", "no_stage", "invalid_utf8", "line_too_long"]))]
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

/// Minutes of a stage without any upload.
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
    /// First minute with an upload; `null` without uploads.
    pub from: Option<String>,
    /// End of the last minute with an upload.
    pub to: Option<String>,
    pub groups: Groups,
    pub split: Split,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Groups {
    pub all: Group,
    pub treated: Group,
    pub control: Group,
    pub per_protocol: Group,
}

/// The uploads of one arm of a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    pub uploads: u64,
    /// Distinct seconds with an upload in flight.
    pub busy_seconds: u64,
    /// Failures by error type.
    pub errors: BTreeMap<String, u64>,
    /// Why a metric is `null`.
    pub not_measured: BTreeMap<String, String>,
    /// Where memory figures come from.
    pub memory_source: Option<MemorySource>,
    /// Every metric of the methodology by id; `null` where it was not measured.
    #[serde(flatten)]
    pub figures: BTreeMap<String, Option<Figure>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MemorySource {
    /// `memory_mb` of the uploads.
    Uploads,
    /// `memory_sample` events of the process.
    MemorySamples,
}

/// A measured figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Figure {
    pub value: f64,
    /// 95 % interval; `null` where none is defined.
    pub ci: Option<Interval>,
    /// How many uploads (or samples) it was computed from.
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
    /// Single uploads resampled: fewer than 8 hours.
    UploadBootstrap,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FigureWarning {
    /// Fewer than 8 hours: nothing is known of how alike uploads of the same hour are.
    FewHours,
    /// Too few uploads for an interval.
    TooFewUploads,
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

/// One of the headline improvements.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Improvement {
    pub id: String,
    pub kind: ComparisonKind,
    /// `stage/arm`
    pub reference: String,
    pub candidate: String,
    pub value: Option<f64>,
    pub ci: Option<Interval>,
    pub interval_method: Option<IntervalMethod>,
    /// Uploads (or samples) of reference and candidate.
    pub n: Option<[u64; 2]>,
    pub target: Target,
    /// The same with the reference's mix of files.
    pub adjusted: Option<Adjusted>,
    /// Whether `value` and `adjusted` tell different stories, beyond chance.
    pub mix_changed: bool,
    /// The smallest improvement that this log would have told from none (95 %, power 80 %).
    pub smallest_detectable: Option<f64>,
    pub status: Status,
    /// Why it was not measured.
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub warnings: Vec<FigureWarning>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ComparisonKind {
    /// Different times: other things changed too.
    BeforeAfter,
    /// The same stage and time, split at random.
    Concurrent,
    /// The same stage and time, but not split at random: who uses which provider is no accident.
    Observational,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    pub min: f64,
    /// `null`: open above.
    pub max: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Adjusted {
    pub value: f64,
    pub ci: Option<Interval>,
    /// Share of the mix that could be compared.
    pub mix_covered: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Met,
    /// Improvements only: the whole interval lies above the target band.
    Exceeded,
    NotMet,
    Inconclusive,
    NotMeasured,
}

/// One stage criterion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Criterion {
    pub stage: String,
    pub metric: CriterionMetric,
    pub scope: String,
    pub value: Option<f64>,
    pub ci: Option<Interval>,
    pub n: u64,
    pub threshold: f64,
    pub direction: Direction,
    pub status: Status,
    /// How many more uploads would settle an inconclusive criterion, if nothing changed.
    pub more_uploads_needed: Option<u64>,
    /// The smallest distance from the threshold that this log would have seen (95 %, power 80 %).
    pub smallest_detectable: Option<f64>,
    /// Why it was not measured.
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub warnings: Vec<FigureWarning>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CriterionMetric {
    SuccessRate,
    ErrorRate,
    LatencyVsBaseline,
    Uploads,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    AtLeast,
    AtMost,
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

/// The uploads of one stage that ended in one bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeriesPoint {
    /// Start of the bucket.
    pub at: String,
    pub stage: String,
    pub uploads: u64,
    pub successes: u64,
    /// `null` below 5 successful uploads.
    pub latency_p50_ms: Option<f64>,
    /// `null` below 20 successful uploads: it would just be the longest.
    pub latency_p95_ms: Option<f64>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tests {
    pub phases: Vec<TestPhase>,
    pub coverage: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TestPhase {
    pub name: String,
    pub expected: u64,
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
    pub errors: u64,
    /// Expected tests that no result speaks of.
    pub missing: u64,
    pub files: Vec<String>,
    /// Failed and errored tests: the first 100.
    pub failing: Vec<FailingTest>,
    /// Tests that both failed and passed in this run.
    pub flaky: Vec<String>,
    /// Passed in the run before, and not in this one; `null` without a run before.
    pub regressed: Option<Vec<String>>,
    /// Failed in the run before, and passed in this one.
    pub fixed: Option<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FailingTest {
    pub name: String,
    pub message: String,
}

/// Markdown that people wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    #[schemars(extend("enum" = ["findings", "lessons_learned", "recommendations"]))]
    pub kind: String,
    pub file: String,
    pub markdown: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Variant {
    pub file_type: String,
    pub size: String,
    pub provider: String,
    pub uploads: u64,
    pub success_rate: Option<Figure>,
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

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Completion {
    pub id: String,
    pub label: String,
    pub status: CompletionStatus,
    pub evidence: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CompletionStatus {
    Met,
    NotMet,
    NotEvidenced,
}

/// The external review, as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Validation {
    pub consultation_id: Option<String>,
    /// `approved`, `approved_with_objections` or `rejected`.
    pub verdict: String,
    /// The bundle that was answered, `sha256:…`.
    pub bundle: String,
    pub recorded_at: String,
    /// Whether the figures that were answered are those of this report.
    pub current: bool,
    /// Claims by answer.
    pub agreed: u64,
    pub disagreed: u64,
    pub cannot_tell: u64,
    pub not_answered: u64,
    /// Every claim that the reviewer was asked about.
    pub claims: Vec<ClaimReview>,
    pub questions: Vec<QuestionReview>,
    /// Open, in the reviewer's words.
    pub objections: Vec<String>,
    /// The answer's file, relative to the config.
    pub file: String,
}

/// What the reviewer said of a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClaimReview {
    pub id: String,
    /// `agree`, `disagree` or `cannot_tell`; `null` where the answer leaves it out.
    pub answer: Option<String>,
    pub comment: String,
}

/// What the reviewer said to a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuestionReview {
    pub id: String,
    pub answer: String,
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
    /// `sha256:…` of each input; of more than 16, one digest over theirs, sorted, as `sha256-list:…`.
    pub inputs: Vec<String>,
}
