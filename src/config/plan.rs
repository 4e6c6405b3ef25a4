//! The plan of a rollout: the validated sections of its config, and where they came from.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::accept::AcceptSection;
use super::asked::{HEADLINE_LATENCY, Improvement, THROUGHPUT};
use super::by_day::ByDay;
use super::exclude::ExcludeSection;
use super::report::NotesSection;
use super::sections::{
    AnalysisSection, BundleSection, CompletionSection, CoverageSection, InputSection, Stage, StartSection,
    TestPhaseSection, ValidationSection, VariantsSection,
};
use super::triggers::TriggersSection;
use super::values::{EpochNanos, Glob};
use crate::metric::{Estimator, Metric};
use crate::schema::mapping::Mapping;
use crate::schema::metrics::Metrics;
use crate::schema::record::{Dimension, Schema, Values};
use crate::schema::source::TimestampMarks;
use crate::schema::tries::Tries;

/// A validated rollout.
#[derive(Debug, Clone)]
pub struct Plan {
    pub title: String,
    /// What a record of the log is.
    pub schema: Schema,
    /// What is computed of it.
    pub metrics: Metrics,
    /// Globs of the log, or the command line's FILES.
    pub input: InputSection,
    /// How files of other formats are read: the first that names a file.
    pub sources: Vec<Source>,
    /// Formats that are read as they are recognised, by the names of their presets: `[record]` says where the arm stands.
    pub presets: BTreeMap<&'static str, Arc<Mapping>>,
    /// When stages began, beside the events of the log.
    pub starts: Vec<StartSection>,
    /// In rollout order, at most 64, each with the criteria that are asked of it.
    pub stages: Vec<Stage>,
    pub analysis: AnalysisSection,
    /// What is measured from the baseline to the final stage; those with a target are judged.
    pub improvements: Vec<Improvement>,
    pub triggers: TriggersSection,
    /// Reasons that people accepted.
    pub accept: Vec<AcceptSection>,
    /// What people leave out of the figures, in the order of time.
    pub exclude: Vec<ExcludeSection>,
    pub tests: Vec<TestPhaseSection>,
    pub coverage: CoverageSection,
    pub variants: VariantsSection,
    pub completion: CompletionSection,
    pub notes: NotesSection,
    pub validation: ValidationSection,
    pub bundle: BundleSection,
    /// The folder that relative paths start from; empty for the working directory.
    pub base: PathBuf,
    /// The config file; `None` for the built-in rollout.
    pub file: Option<PathBuf>,
    /// Whether it was found in a folder above the working directory.
    pub file_found_above: bool,
    /// Whether `input.files` came from the command line (then relative to the working directory).
    pub files_from_command_line: bool,
    /// How standard input is read.
    pub stream: Stream,
    /// Of a daily plan: how uploads find its stages.
    pub by_day: Option<ByDay>,
    /// The stage up to which is asked; what came after it is left out.
    pub up_to: Option<usize>,
    /// Of a plan that ends with that stage: all stages of the rollout, which place a record.
    pub rollout_stages: Option<Vec<Stage>>,
}

/// How standard input is read.
#[derive(Debug, Clone, Default)]
pub struct Stream {
    /// What the log is called; `-` without one.
    pub name: Option<String>,
    /// How many bytes it must have.
    pub bytes: Option<u64>,
    /// Whether it is read as it comes: all stage events that place its records are known, or stand before them.
    pub once: bool,
}

/// How files of another format are read.
#[derive(Debug, Clone)]
pub struct Source {
    /// The files that it reads; without any it reads all.
    pub files: Vec<Glob>,
    pub mapping: Arc<Mapping>,
}

/// The parts of a plan that decide how an upload is folded. Two cubes can be merged,
/// and a cube can be read under a plan, only where these agree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoldingRules {
    pub timestamp_marks: TimestampMarks,
    pub dimensions: Vec<DimensionRule>,
    /// Names of the measures.
    pub measures: Vec<String>,
    pub critical_errors: Vec<String>,
    #[serde(default, skip_serializing_if = "Tries::is_all")]
    pub tries: Tries,
    pub stages: Vec<StageRule>,
    /// First and last moment of what is left out: the last is no part of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<(EpochNanos, EpochNanos)>,
}

impl FoldingRules {
    /// Numbers of stages: behind those of the stages stand those of what is left out of each, in the same order.
    pub fn stage_numbers(&self) -> usize {
        self.stages.len() * if self.exclude.is_empty() { 1 } else { 2 }
    }
}

/// What a dimension's values are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DimensionRule {
    pub name: String,
    /// Of a number: its unit, and where its buckets end.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bounds: Vec<f64>,
}

impl DimensionRule {
    fn of(dimension: &Dimension) -> Self {
        let bounds = match &dimension.values {
            Values::Names => Vec::new(),
            Values::Bounds(bounds) => bounds.clone(),
        };
        Self { name: dimension.name.clone(), unit: dimension.unit.clone(), bounds }
    }
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

/// The metric that a word of the config asks for: its id, `latency` (the headline latency) or `throughput`; the unit of
/// latency and memory may be left out (`latency_p95`).
pub(super) fn metric_of<'m>(metrics: &'m Metrics, analysis: &AnalysisSection, word: &str) -> Option<&'m Metric> {
    match word {
        HEADLINE_LATENCY => metrics.by(analysis.latency_statistic.estimator()),
        THROUGHPUT => metrics.by(Estimator::RecordThroughput),
        id => metrics.find(id).or_else(|| with_unit(metrics, id)),
    }
}

/// The metric whose id is this one with a unit behind it.
pub(super) fn with_unit<'m>(metrics: &'m Metrics, id: &str) -> Option<&'m Metric> {
    ["mb", "ms"].iter().find_map(|unit| metrics.find(&format!("{id}_{unit}")))
}

impl Plan {
    /// Index of the baseline: the first stage with percentage 0.
    pub fn baseline(&self) -> Option<usize> {
        self.stages.iter().position(|stage| stage.percentage == 0.0)
    }

    /// Whether something of an interval is left out.
    pub fn leaves_out(&self, from: EpochNanos, to: EpochNanos) -> bool {
        self.exclude.iter().any(|interval| interval.from.0 < to && from < interval.to.0)
    }

    /// Index of the final stage: the last one of the plan.
    pub fn final_stage(&self) -> usize {
        self.stages.len() - 1
    }

    /// The stages that place an upload: those of the plan, or of the rollout that a daily plan is a day of.
    pub fn placing_stages(&self) -> &[Stage] {
        let whole = self.rollout_stages.as_ref().unwrap_or(&self.stages);
        self.by_day.as_ref().map_or(whole, |by_day| &by_day.stages)
    }

    /// Index among [`Self::placing_stages`] of the one that a `rollout_stage` event with this percentage starts.
    pub fn stage_at_percentage(&self, percentage: f64) -> Option<usize> {
        self.placing_stages().iter().position(|stage| stage.percentage == percentage)
    }

    /// Index among [`Self::placing_stages`] of the one with this name.
    pub fn stage_named(&self, name: &str) -> Option<usize> {
        self.placing_stages().iter().position(|stage| stage.name == name)
    }

    /// The metric that a word of the config asks for, as `metric_of` says.
    pub fn metric(&self, word: &str) -> Option<&Metric> {
        metric_of(&self.metrics, &self.analysis, word)
    }

    /// The headline latency.
    pub fn headline_latency(&self) -> &Metric {
        self.metrics.by(self.analysis.latency_statistic.estimator()).expect("the headline latencies are metrics")
    }

    /// The metric of an estimator that every log has.
    pub fn metric_by(&self, estimator: Estimator) -> &Metric {
        self.metrics.by(estimator).expect("every log has rates, latencies and throughput")
    }

    /// The parts that a cube depends on.
    pub fn folding_rules(&self) -> FoldingRules {
        let rule = |stage: &Stage| StageRule {
            name: stage.name.clone(),
            percentage: stage.percentage,
            files: stage.files.iter().map(|pattern| pattern.as_str().to_owned()).collect(),
            from: stage.from.map(|from| from.0),
            to: stage.to.map(|to| to.0),
        };
        FoldingRules {
            timestamp_marks: self.input.timestamp_marks,
            dimensions: self.schema.dimensions.iter().map(DimensionRule::of).collect(),
            measures: self.schema.measures.iter().map(|measure| measure.name.clone()).collect(),
            critical_errors: self.analysis.critical_errors.clone(),
            tries: self.schema.tries,
            stages: self.stages.iter().map(rule).collect(),
            exclude: self.exclude.iter().map(|interval| (interval.from.0, interval.to.0)).collect(),
        }
    }
}
