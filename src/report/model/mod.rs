//! The types of report.json. Leaves without logic: what the fields mean is the contract, how they are computed is
//! `analysis`, how they look is `render`.

mod evidence;
mod headlines;
mod judged;
mod measured;

pub use evidence::*;
pub use headlines::*;
pub use judged::*;
pub use measured::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metric::{Estimator, Metric};
use crate::schema::metrics::Metrics;
use crate::schema::record::{Schema, Words};

/// Version of the contract; a change of meaning raises it.
pub const SCHEMA_VERSION: u32 = 2;

/// report.json. Rates are fractions, times RFC 3339 UTC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    pub schema_version: u32,
    pub generator: Generator,
    pub title: String,
    pub generated_at: String,
    /// What records and the two ways are called.
    #[serde(default)]
    pub words: Words,
    /// Everything that is measured of a group, in the order in which it is shown.
    #[serde(default = "usual_metrics")]
    pub metrics: Vec<Metric>,
    /// Of a daily report: the day that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<ReportedDay>,
    /// What the log says of its simulation; `null` for a log that was measured.
    pub simulated: Option<String>,
    pub decision: Decision,
    /// What people left out of all figures; `null` where nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<LeftOut>,
    /// Plain sentences; each figure is one of `claims`.
    pub summary: Vec<String>,
    /// What would settle what speaks against going on, the most urgent first. Derived, not written by people.
    pub next_steps: Vec<NextStep>,
    pub inputs: Vec<Input>,
    pub data_quality: DataQuality,
    /// The attempts of the log, the last one that of this report; one of them in most logs.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
    pub stages: Vec<Stage>,
    /// What changed, at a glance.
    #[serde(default)]
    pub headlines: Vec<Headline>,
    /// How latency, and the measures that the plan wants improved, are spread before and now.
    #[serde(default)]
    pub spreads: Vec<Spread>,
    /// Failures by type, those that rose first, then those with most failures now.
    #[serde(default)]
    pub error_types: Vec<ErrorType>,
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
    /// What the treated path carried, by the combinations of `variant_dimensions`.
    pub variants: Vec<Variant>,
    #[serde(default = "VariantDimension::of_before")]
    pub variant_dimensions: Vec<VariantDimension>,
    /// What can go wrong with a record, and whether the log shows that it was lived through.
    pub error_scenarios: Vec<ErrorScenario>,
    pub completion: Vec<Completion>,
    pub validation: Option<Validation>,
    pub claims: Vec<Claim>,
}

/// What reports measured that do not say so.
fn usual_metrics() -> Vec<Metric> {
    Metrics::of(&Schema::default()).to_vec()
}

impl Report {
    /// The metric with this id.
    pub fn metric(&self, id: &str) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.id == id)
    }

    /// The metric that an estimator computes.
    pub fn metric_by(&self, estimator: Estimator) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.estimator == estimator)
    }

    /// How headings call the metric with this id.
    pub fn label(&self, id: &str) -> String {
        self.metric(id).map_or_else(|| id.to_owned(), |metric| metric.label.clone())
    }
}

/// The day of a daily report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReportedDay {
    /// `2025-11-12`, in the zone of the report.
    pub date: String,
    /// The rollout's stage on that day.
    pub stage: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Generator {
    pub name: String,
    pub version: String,
}
