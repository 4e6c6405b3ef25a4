//! The shape of rollout.toml, as written by a person: every key optional, every
//! default filled in. `validate` turns it into a [`Plan`](super::Plan).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// rollout.toml: one file describes one rollout.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RolloutFile {
    /// Title of the report.
    pub title: String,
    /// Where the metrics log is and how it is read.
    pub input: InputSection,
    /// The stages in rollout order; the first with percentage 0 is the baseline.
    pub stages: Vec<StageSection>,
    /// How figures are computed.
    pub analysis: AnalysisSection,
    /// What the rollout was meant to achieve.
    pub targets: TargetsSection,
    /// JUnit XML per phase.
    pub tests: Vec<TestPhaseSection>,
    /// Line coverage of the tests.
    pub coverage: CoverageSection,
    /// What end-to-end testing must have covered.
    pub variants: VariantsSection,
    /// What the rollout is complete with.
    pub completion: CompletionSection,
    /// Markdown written by people.
    pub notes: NotesSection,
    /// The external review.
    pub validation: ValidationSection,
    /// What is sent to the external reviewer.
    pub bundle: BundleSection,
}

impl Default for RolloutFile {
    fn default() -> Self {
        let stage = |name: &str, percentage: f64| StageSection { name: name.into(), percentage, ..Default::default() };
        Self {
            title: "Async upload rollout, final report".into(),
            input: InputSection::default(),
            stages: vec![
                stage("baseline", 0.0),
                stage("1%", 1.0),
                stage("10%", 10.0),
                stage("50%", 50.0),
                stage("100%", 100.0),
            ],
            analysis: AnalysisSection::default(),
            targets: TargetsSection::default(),
            tests: Vec::new(),
            coverage: CoverageSection::default(),
            variants: VariantsSection::default(),
            completion: CompletionSection::default(),
            notes: NotesSection::default(),
            validation: ValidationSection::default(),
            bundle: BundleSection::default(),
        }
    }
}

/// `[input]`
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InputSection {
    /// Globs, relative to this file. `.gz` and `.zst` are read as they are; `-` is standard input.
    pub files: Vec<String>,
    /// Format of the lines.
    pub format: InputFormat,
    /// Whether `timestamp` marks the start or the end of an upload.
    pub timestamp_marks: TimestampMarks,
    /// Share of rejected lines above which the data-quality gate fails, 0 to 1.
    pub max_rejected_share: f64,
    /// Distinct names of a dimension (provider, file type, error type) beyond those named
    /// here, above which all the others become `other`; 1 to 200.
    pub max_distinct: u16,
}

impl Default for InputSection {
    fn default() -> Self {
        Self {
            files: ["data/*.jsonl", "data/**/*.jsonl.gz", "data/**/*.jsonl.zst"].map(String::from).to_vec(),
            format: InputFormat::Auto,
            timestamp_marks: TimestampMarks::End,
            max_rejected_share: 0.01,
            max_distinct: 200,
        }
    }
}

/// Formats of a metrics log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InputFormat {
    Auto,
    Native,
}

/// What the logger's timestamp marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimestampMarks {
    Start,
    End,
}

/// `[[stages]]`
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StageSection {
    /// Unique name.
    pub name: String,
    /// Share of the traffic that goes to async, 0 to 100.
    pub percentage: f64,
    /// Globs: every upload of a matching file belongs to this stage.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Start of the stage, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// End of the stage, exclusive, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// What the stage must reach; defaults by percentage.
    pub criteria: CriteriaSection,
}

/// `[stages.criteria]`
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CriteriaSection {
    /// At least, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success_rate: Option<f64>,
    /// At most, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_rate: Option<f64>,
    /// At most, times the baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_vs_baseline: Option<f64>,
    /// At least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uploads: Option<u64>,
    /// Which uploads count: `treated` (default) or `all` (default at percentage 0).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
}

/// Which uploads of a stage a criterion looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    All,
    Treated,
}

/// `[analysis]`
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AnalysisSection {
    /// The headline latency statistic.
    pub latency_statistic: LatencyStatistic,
    /// Error types that count as a timeout.
    pub timeout_errors: Vec<String>,
    /// Error types that are critical by themselves.
    pub critical_errors: Vec<String>,
    /// Upper bounds of the size buckets in MB, rising; at most 14.
    pub size_bounds_mb: Vec<f64>,
    /// Fewest uploads of a trigger window.
    pub min_window_uploads: u64,
    /// How much worse a segment may be before it is called a regression.
    pub regression_margin: f64,
    /// Share of the treated uploads that may fall back before the decision asks for a review, 0 to 1.
    pub max_fallback_rate: f64,
    /// Bootstrap replicates, 100 to 100000.
    pub replicates: u32,
    /// Seed of the bootstrap.
    pub seed: u64,
}

impl Default for AnalysisSection {
    fn default() -> Self {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
        Self {
            latency_statistic: LatencyStatistic::P50,
            timeout_errors: names(&[
                "TimeoutError",
                "asyncio.TimeoutError",
                "ReadTimeout",
                "ConnectTimeout",
                "WriteTimeout",
                "PoolTimeout",
                "APITimeoutError",
                "Timeout",
            ]),
            critical_errors: names(&["MemoryError", "SystemError"]),
            size_bounds_mb: vec![1.0, 10.0, 50.0, 100.0],
            min_window_uploads: 20,
            regression_margin: 0.05,
            max_fallback_rate: 0.05,
            replicates: 2000,
            seed: 20_251_118,
        }
    }
}

/// The latency statistics that can carry the headline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LatencyStatistic {
    P50,
    P90,
    P95,
    P99,
    Mean,
}

/// `[targets]`
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TargetsSection {
    /// 1 - memory(final) / memory(baseline)
    pub memory_reduction: TargetSection,
    /// throughput(final) / throughput(baseline)
    pub throughput_ratio: TargetSection,
    /// 1 - latency(final) / latency(baseline)
    pub latency_reduction: TargetSection,
    /// 1 - timeout rate(final) / timeout rate(baseline)
    pub timeout_reduction: TargetSection,
}

impl Default for TargetsSection {
    fn default() -> Self {
        let band = |min, max| TargetSection { min, max };
        Self {
            memory_reduction: band(0.80, Some(0.90)),
            throughput_ratio: band(5.0, Some(10.0)),
            latency_reduction: band(0.30, Some(0.50)),
            timeout_reduction: band(0.95, None),
        }
    }
}

/// A target band; without `max` it is open above.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetSection {
    pub min: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

/// `[[tests]]`
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TestPhaseSection {
    pub name: String,
    /// How many tests the phase must have.
    pub expected: u64,
    /// JUnit XML files (globs).
    pub files: Vec<String>,
    /// JUnit XML files of the run before (globs): tests that turned are named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub previous: Vec<String>,
}

/// `[coverage]`
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CoverageSection {
    /// Cobertura XML or LCOV.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// `[variants]`
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VariantsSection {
    pub file_types: Vec<String>,
    pub providers: Vec<String>,
    pub sizes_mb: Vec<f64>,
    /// Fewest uploads that count as exercised.
    pub min_uploads: u64,
}

impl Default for VariantsSection {
    fn default() -> Self {
        Self {
            file_types: ["text", "json", "csv", "md", "python", "binary"].map(String::from).to_vec(),
            providers: ["kimi", "glm"].map(String::from).to_vec(),
            sizes_mb: vec![1.0, 10.0, 50.0, 100.0],
            min_uploads: 1,
        }
    }
}

/// `[completion]`
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CompletionSection {
    /// The criteria that the plan asks for; what is left out is not asked for, and the report does not show it.
    pub criteria: Vec<CompletionCriterion>,
}

impl Default for CompletionSection {
    fn default() -> Self {
        Self { criteria: CompletionCriterion::ALL.to_vec() }
    }
}

/// What a rollout can be asked to be complete with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CompletionCriterion {
    Deployment,
    SuccessRate,
    Uploads,
    Tests,
    FileTypes,
    Providers,
    FileSizes,
    Performance,
    Report,
    Validation,
}

impl CompletionCriterion {
    /// In the order of the plan.
    pub const ALL: [Self; 10] = [
        Self::Deployment,
        Self::SuccessRate,
        Self::Uploads,
        Self::Tests,
        Self::FileTypes,
        Self::Providers,
        Self::FileSizes,
        Self::Performance,
        Self::Report,
        Self::Validation,
    ];
}

/// `[notes]`
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NotesSection {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub findings: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lessons_learned: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recommendations: Option<String>,
}

/// `[validation]`
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ValidationSection {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consultation_id: Option<String>,
    /// Where the reviewer's answer is kept once it was recorded; `NAME.record.json` beside it says what was checked.
    pub response: String,
}

impl Default for ValidationSection {
    fn default() -> Self {
        Self { consultation_id: None, response: "data/validation/response.md".into() }
    }
}

/// `[bundle]`
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BundleSection {
    /// A folder of the git repository whose tracked files are the code.
    pub code: String,
    /// Patterns of .gitignore for tracked files that stay out.
    pub exclude: Vec<String>,
    /// Most tokens of a part of the context.
    pub max_tokens: u64,
    /// Largest part of the context, in MB.
    pub max_part_mb: u64,
    /// What each provider takes in one upload; parts keep to the strictest.
    pub providers: BTreeMap<String, ProviderSection>,
    /// Findings of the secret scan that are none.
    pub allow: Vec<AllowSection>,
}

impl Default for BundleSection {
    fn default() -> Self {
        Self {
            code: ".".into(),
            exclude: Vec::new(),
            max_tokens: 100_000,
            max_part_mb: 20,
            providers: BTreeMap::new(),
            allow: Vec::new(),
        }
    }
}

/// `[bundle.providers.NAME]`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProviderSection {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_part_mb: Option<u64>,
}

/// `[[bundle.allow]]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AllowSection {
    /// As the scan printed it.
    pub fingerprint: String,
    /// Why it is no secret.
    pub reason: String,
}

/// The JSON Schema of rollout.toml.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(RolloutFile).to_value()
}
