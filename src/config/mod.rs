//! rollout.toml -> [`Plan`]: validated, defaults filled in, with the fingerprint of
//! the parts that a cube depends on. It never looks at the log.

pub mod daily;
mod file;
mod init;
mod locate;
mod validate;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use file::{
    AllowSection, BundleSection, CompletionCriterion, InputFormat, LatencyStatistic, NotesSection, ProviderSection,
    RolloutFile, Scope, TargetSection, TestPhaseSection, TimestampMarks, schema,
};
pub use init::commented_rollout_file;

use crate::error::Result;
use crate::files;
use locate::Located;
use stagegate_stats::Level;

/// Nanoseconds since 1970-01-01T00:00:00Z. Years 1999 to 2101 fit.
pub type EpochNanos = i64;

/// A validated rollout.
#[derive(Debug, Clone)]
pub struct Plan {
    pub title: String,
    /// The folder that relative paths start from; empty for the working directory.
    pub base: PathBuf,
    /// Globs of the log, or the command line's FILES.
    pub files: Vec<String>,
    /// Whether `files` came from the command line (then relative to the working directory).
    pub files_from_command_line: bool,
    pub timestamp_marks: TimestampMarks,
    pub max_rejected_share: f64,
    pub max_distinct: usize,
    /// In rollout order, at most 64.
    pub stages: Vec<Stage>,
    /// Of a daily plan: how uploads find its stages.
    pub by_day: Option<daily::ByDay>,
    pub analysis: Analysis,
    pub targets: Targets,
    pub variants: file::VariantsSection,
    /// The completion criteria that are asked for.
    pub completion: Vec<CompletionCriterion>,
    /// Of the external review.
    pub consultation_id: Option<String>,
    pub tests: Vec<TestPhaseSection>,
    /// Cobertura XML or LCOV, relative to `base`.
    pub coverage: Option<String>,
    pub notes: NotesSection,
    /// Where the external review is kept, relative to `base`.
    pub response: String,
    pub bundle: BundleSection,
    /// The config file; `None` for the built-in rollout.
    pub file: Option<PathBuf>,
}

/// One stage of the rollout.
#[derive(Debug, Clone)]
pub struct Stage {
    pub name: String,
    /// 0 to 100.
    pub percentage: f64,
    pub files: Vec<glob::Pattern>,
    pub from: Option<EpochNanos>,
    /// Exclusive.
    pub to: Option<EpochNanos>,
    /// `None` where neither the config nor the defaults (percentage 0) ask for anything.
    pub criteria: Criteria,
}

/// What a stage must reach; `None`: not asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Criteria {
    pub success_rate: Option<f64>,
    pub error_rate: Option<f64>,
    pub latency_vs_baseline: Option<f64>,
    pub uploads: Option<u64>,
    pub scope: Scope,
}

/// How figures are computed.
#[derive(Debug, Clone)]
pub struct Analysis {
    pub latency_statistic: LatencyStatistic,
    pub timeout_errors: Vec<String>,
    pub critical_errors: Vec<String>,
    /// Rising, positive, at most 14.
    pub size_bounds_mb: Vec<f64>,
    /// Fewest uploads of a trigger window.
    pub min_window_uploads: u64,
    /// How much worse a segment may be before it is a regression, 0 to 1.
    pub regression_margin: f64,
    /// Share of the treated uploads that may fall back before the decision asks for a review.
    pub max_fallback_rate: f64,
    pub replicates: u32,
    pub seed: u64,
}

impl Analysis {
    /// How sure intervals are.
    pub fn level(&self) -> Level {
        Level::P95
    }
}

/// The target bands of the headline improvements.
#[derive(Debug, Clone, Copy)]
pub struct Targets {
    pub memory_reduction: TargetSection,
    pub throughput_ratio: TargetSection,
    pub latency_reduction: TargetSection,
    pub timeout_reduction: TargetSection,
}

/// The parts of a plan that decide how an upload is folded. Two cubes can be merged,
/// and a cube can be read under a plan, only where these agree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoldingRules {
    pub timestamp_marks: TimestampMarks,
    pub size_bounds_mb: Vec<f64>,
    pub critical_errors: Vec<String>,
    pub stages: Vec<StageRule>,
}

/// How uploads find a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageRule {
    pub name: String,
    pub percentage: f64,
    pub files: Vec<String>,
    pub from: Option<EpochNanos>,
    pub to: Option<EpochNanos>,
}

impl Plan {
    /// Index of the baseline: the first stage with percentage 0.
    pub fn baseline(&self) -> Option<usize> {
        self.stages.iter().position(|stage| stage.percentage == 0.0)
    }

    /// Index of the final stage: the last one of the plan.
    pub fn final_stage(&self) -> usize {
        self.stages.len() - 1
    }

    /// The stages that place an upload: those of the plan, or of the rollout that a daily plan is a day of.
    pub fn placing_stages(&self) -> &[Stage] {
        self.by_day.as_ref().map_or(&self.stages, |by_day| &by_day.stages)
    }

    /// Index among [`Self::placing_stages`] of the one that a `rollout_stage` event with this percentage starts.
    pub fn stage_at_percentage(&self, percentage: f64) -> Option<usize> {
        self.placing_stages().iter().position(|stage| stage.percentage == percentage)
    }

    /// Index among [`Self::placing_stages`] of the one with this name.
    pub fn stage_named(&self, name: &str) -> Option<usize> {
        self.placing_stages().iter().position(|stage| stage.name == name)
    }

    /// The parts that a cube depends on.
    pub fn folding_rules(&self) -> FoldingRules {
        let rule = |stage: &Stage| StageRule {
            name: stage.name.clone(),
            percentage: stage.percentage,
            files: stage.files.iter().map(|pattern| pattern.as_str().to_owned()).collect(),
            from: stage.from,
            to: stage.to,
        };
        FoldingRules {
            timestamp_marks: self.timestamp_marks,
            size_bounds_mb: self.analysis.size_bounds_mb.clone(),
            critical_errors: self.analysis.critical_errors.clone(),
            stages: self.stages.iter().map(rule).collect(),
        }
    }
}

/// Loads the plan: `config` if given, else `rollout.toml` of the working directory, else
/// the built-in rollout. `files` replace `[input] files` unless empty.
pub fn load(config: Option<&Path>, files: &[String]) -> Result<Plan> {
    let default = Path::new("rollout.toml");
    let path = match config {
        Some(path) => Some(path),
        None => default.is_file().then_some(default),
    };
    let mut plan = match path {
        Some(path) => {
            let name = path.display().to_string();
            let text = read_config(path, &name)?;
            let base = path.parent().map(Path::to_path_buf).unwrap_or_default();
            Plan { file: Some(path.to_path_buf()), ..parse(&name, &text, base)? }
        }
        None => parse("built-in rollout", "", PathBuf::new())?,
    };
    if !files.is_empty() {
        plan.files = files.to_vec();
        plan.files_from_command_line = true;
    }
    Ok(plan)
}

/// Largest config file that is read, in bytes.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

fn read_config(path: &Path, name: &str) -> Result<String> {
    files::read_text(path, name, MAX_CONFIG_BYTES)
        .map_err(|error| error.help("stagegate init writes a config with every key"))
}

/// Parses and validates the text of a config file called `name`.
pub fn parse(name: &str, text: &str, base: PathBuf) -> Result<Plan> {
    let located = Located::parse(name, text)?;
    located.refuse_unknown_keys(&schema())?;
    let file: RolloutFile = toml::from_str(text).map_err(|error| locate::syntax_error(name, text, &error))?;
    validate::plan(file, &located, base)
}
