//! The sections of rollout.toml: every key optional, every default filled in. Validated they are the plan.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stagegate_stats::Level;

use super::accept::AcceptSection;
use super::asked::{Criteria, Criterion, Improvement, TargetsSection};
use super::exclude::ExcludeSection;
use super::report::{NotesSection, ReportSection};
use super::triggers::TriggersSection;
use super::values::{Glob, Moment};
use crate::metric::{Distribution, Estimator};
use crate::schema::record::RecordSection;
use crate::schema::source::{SourceSection, TimestampMarks};

/// rollout.toml: one file describes one rollout.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "the tables of a rollout.toml")]
pub struct RolloutFile {
    /// Title of the report; else it is made of the record's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Where the metrics log is and how it is read.
    pub input: InputSection,
    /// What a row of the log is.
    pub record: RecordSection,
    /// How the rows of other formats are read.
    pub sources: Vec<SourceSection>,
    /// When stages began, for logs without `rollout_stage` events.
    pub starts: Vec<StartSection>,
    /// The stages in rollout order; the first with percentage 0 is the baseline.
    pub stages: Vec<Stage>,
    /// Criteria of every stage above 0 %, beside its own.
    pub criteria: Vec<Criterion>,
    /// How figures are computed.
    pub analysis: AnalysisSection,
    /// What the rollout was meant to improve, in short.
    pub targets: TargetsSection,
    /// What the rollout was meant to improve, as a list; an empty one asks for nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub improvements: Option<Vec<Improvement>>,
    /// When somebody must look, or roll back.
    pub triggers: TriggersSection,
    /// What people take upon themselves.
    pub accept: Vec<AcceptSection>,
    /// What people leave out of the figures.
    pub exclude: Vec<ExcludeSection>,
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
    /// How the report tells what it found.
    pub report: ReportSection,
}

impl Default for RolloutFile {
    fn default() -> Self {
        let stage = |name: &str, percentage: f64| Stage { name: name.into(), percentage, ..Default::default() };
        Self {
            title: None,
            input: InputSection::default(),
            record: RecordSection::default(),
            sources: Vec::new(),
            starts: Vec::new(),
            stages: vec![
                stage("baseline", 0.0),
                stage("1%", 1.0),
                stage("10%", 10.0),
                stage("50%", 50.0),
                stage("100%", 100.0),
            ],
            criteria: Vec::new(),
            analysis: AnalysisSection::default(),
            targets: TargetsSection::default(),
            improvements: None,
            triggers: TriggersSection::default(),
            accept: Vec::new(),
            exclude: Vec::new(),
            tests: Vec::new(),
            coverage: CoverageSection::default(),
            variants: VariantsSection::default(),
            completion: CompletionSection::default(),
            notes: NotesSection::default(),
            validation: ValidationSection::default(),
            bundle: BundleSection::default(),
            report: ReportSection::default(),
        }
    }
}

/// `[input]`
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a table of the input")]
pub struct InputSection {
    /// Globs, relative to this file. `.gz` and `.zst` are read as they are; `-` is standard input.
    pub files: Vec<String>,
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
            timestamp_marks: TimestampMarks::End,
            max_rejected_share: 0.01,
            max_distinct: 200,
        }
    }
}

/// `[[starts]]`: when a stage began, for logs without `rollout_stage` events.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a start: at and percentage")]
pub struct StartSection {
    /// RFC 3339.
    pub at: Moment,
    /// 0 to 100; the stage with this percentage begins.
    pub percentage: f64,
}

/// `[[stages]]`: one stage of the rollout.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a stage: a table with name and percentage")]
pub struct Stage {
    /// Unique name.
    pub name: String,
    /// Share of the traffic that goes to async, 0 to 100.
    pub percentage: f64,
    /// Globs: every upload of a matching file belongs to this stage.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<Glob>,
    /// Start of the stage, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Moment>,
    /// End of the stage, exclusive, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Moment>,
    /// What the stage must reach.
    pub criteria: Criteria,
}

impl Stage {
    /// What the stage of a validated plan must reach.
    pub fn criteria(&self) -> &[Criterion] {
        match &self.criteria {
            Criteria::List(list) => list,
            Criteria::Table(_) => &[],
        }
    }
}

/// `[analysis]`
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a table of the analysis")]
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
    /// Whether statuses hold however often one looks while a stage grows, or at this one look.
    pub looks: Looks,
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
            looks: Looks::Every,
            replicates: 2000,
            seed: 20_251_118,
        }
    }
}

impl AnalysisSection {
    /// How sure intervals are.
    pub fn level(&self) -> Level {
        Level::P95
    }
}

/// How often a stage is looked at while it grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Looks {
    /// Again and again: a status holds at all of them together.
    #[default]
    Every,
    /// This once: the final report of a rollout that nobody looked at before.
    Once,
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

impl LatencyStatistic {
    /// How it is computed.
    pub fn estimator(self) -> Estimator {
        let quantile = |q| Estimator::Quantile(Distribution::Latency, q);
        match self {
            Self::P50 => quantile(0.5),
            Self::P90 => quantile(0.9),
            Self::P95 => quantile(0.95),
            Self::P99 => quantile(0.99),
            Self::Mean => Estimator::Mean(Distribution::Latency),
        }
    }
}

/// `[[tests]]`
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a phase of tests: name, expected and files")]
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
#[serde(default, deny_unknown_fields, expecting = "a table with file")]
pub struct CoverageSection {
    /// Cobertura XML or LCOV.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// `[variants]`
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a table of variants")]
pub struct VariantsSection {
    pub file_types: Vec<String>,
    pub providers: Vec<String>,
    pub sizes_mb: Vec<f64>,
    /// Fewest uploads that count as exercised; fewer than one count as one.
    pub min_uploads: u64,
}

/// `[completion]`
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a table with criteria")]
pub struct CompletionSection {
    /// The criteria that the plan asks for; what is left out is not asked for, and the report does not show it.
    pub criteria: Vec<CompletionCriterion>,
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
    Dimensions,
    Performance,
    Report,
    Validation,
}

impl CompletionCriterion {
    /// In the order of the plan.
    pub const ALL: [Self; 11] = [
        Self::Deployment,
        Self::SuccessRate,
        Self::Uploads,
        Self::Tests,
        Self::FileTypes,
        Self::Providers,
        Self::FileSizes,
        Self::Dimensions,
        Self::Performance,
        Self::Report,
        Self::Validation,
    ];
}

/// `[validation]`
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a table of the validation")]
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
#[serde(default, deny_unknown_fields, expecting = "a table of the bundle")]
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
#[serde(default, deny_unknown_fields, expecting = "a table of a provider")]
pub struct ProviderSection {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_part_mb: Option<u64>,
}

/// `[[bundle.allow]]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a fingerprint with its reason")]
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
