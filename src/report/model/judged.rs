//! What was judged: the decision, improvements, criteria, comparisons, triggers, change points.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stagegate_stats::Interval;

use super::measured::{FigureWarning, IntervalMethod};
use crate::metric::Unit;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    pub value: DecisionValue,
    pub reasons: Vec<Reason>,
    /// Reasons that people took upon themselves: they do not decide.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<Accepted>,
}

/// A reason that a person accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Accepted {
    #[serde(flatten)]
    pub reason: Reason,
    /// In the person's words.
    pub because: String,
    pub by: String,
    /// From when on it decides again; `null` for ever.
    pub until: Option<String>,
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

/// One of the headline improvements.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Improvement {
    pub id: String,
    /// As headings show it.
    pub label: String,
    /// Of value, interval and target.
    pub unit: Unit,
    pub definition: String,
    /// The metric whose change it is.
    pub metric: String,
    pub kind: ComparisonKind,
    /// `stage/arm`
    pub reference: String,
    pub candidate: String,
    pub value: Option<f64>,
    /// Of one look.
    pub ci: Option<Interval>,
    /// That holds at every look while the stage grows, where it plans a number of records: then the status follows it.
    /// Of `same_hours`, where these decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ci_every_look: Option<Interval>,
    /// Records over those that the plan asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub information: Option<f64>,
    pub interval_method: Option<IntervalMethod>,
    /// Records (or samples) of reference and candidate.
    pub n: Option<[u64; 2]>,
    /// `null` where none was set: measured, and not judged.
    pub target: Option<Target>,
    /// The same with the reference's mix of files.
    pub adjusted: Option<Adjusted>,
    /// Whether `value` and `adjusted` tell different stories, beyond chance.
    pub mix_changed: bool,
    /// The smallest improvement that this log would have told from none (95 %, power 80 %).
    pub smallest_detectable: Option<f64>,
    pub status: Status,
    /// The change between records of the same hours that were split at random, where there are such: then the status
    /// follows it.
    #[serde(default)]
    pub same_hours: Option<SameHours>,
    /// Why it was not measured.
    pub reason: Option<String>,
    /// Judged and shown, and without a say in the decision.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub trial: bool,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub warnings: Vec<FigureWarning>,
}

impl Improvement {
    /// Whether the plan holds the rollout to it: it has a target, and is not on trial.
    pub fn decides(&self) -> bool {
        self.target.is_some() && !self.trial
    }
}

/// The change within stages, pooled over them by the inverse of their variances.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SameHours {
    pub value: f64,
    pub ci: Option<Interval>,
    /// The stages that it is made of: one alone where they contradict each other.
    pub stages: Vec<String>,
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
    /// `null`: open below.
    pub min: Option<f64>,
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
    /// Improvements only: the whole interval lies beyond the target band, on its better side.
    Exceeded,
    NotMet,
    /// The interval holds the threshold.
    Open,
    NotMeasured,
    /// Improvements only: no target was set.
    NotJudged,
}

/// One stage criterion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Criterion {
    pub stage: String,
    /// The metric's id, `n`, or `…_vs_baseline` where the threshold is times the baseline.
    pub metric: String,
    /// As headings show it.
    pub label: String,
    /// Of value, interval and threshold.
    pub unit: Unit,
    pub definition: String,
    pub scope: String,
    pub value: Option<f64>,
    /// Of one look.
    pub ci: Option<Interval>,
    /// That holds at every look while the stage grows, where it plans a number of records: then the status follows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ci_every_look: Option<Interval>,
    /// Records of the stage over those that the plan asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub information: Option<f64>,
    pub n: u64,
    pub threshold: f64,
    pub direction: Direction,
    pub status: Status,
    /// How many more records would settle an open criterion, if nothing changed.
    #[serde(alias = "more_uploads_needed")]
    pub more_needed: Option<u64>,
    /// The smallest distance from the threshold that this log would have seen (95 %, power 80 %).
    pub smallest_detectable: Option<f64>,
    /// Why it was not measured.
    pub reason: Option<String>,
    /// What it means for the decision; `null` where there is nothing to say.
    #[serde(default)]
    pub standing: Option<Standing>,
    /// Judged and shown, and without a say in the decision.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub trial: bool,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub warnings: Vec<FigureWarning>,
}

/// What a criterion means for the decision, where its stage runs or is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Standing {
    /// What it alone would decide; `null` for a note that does not decide.
    pub level: Option<DecisionValue>,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    AtLeast,
    AtMost,
}

/// One metric of one group against another, as candidate / reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// `reference..candidate[.dimension=name].metric`
    pub id: String,
    pub kind: ComparisonKind,
    /// `stage/arm`; between providers `stage/arm[provider]`.
    pub reference: String,
    pub candidate: String,
    /// The records that were compared, where not all: for example `{"provider": "kimi"}`.
    pub segment: BTreeMap<String, String>,
    pub metric: String,
    /// Observations of reference and candidate.
    pub n: Option<[u64; 2]>,
    /// As measured.
    pub crude: Option<RatioFigure>,
    /// With the reference's mix of the dimensions.
    pub adjusted: Option<AdjustedRatio>,
    /// Whether the two tell different stories (direction, or more than a quarter of the effect), beyond chance.
    pub mix_changed: bool,
    /// Of a segment that was tested for a regression: Benjamini-Hochberg over all of them.
    pub p_adjusted: Option<f64>,
    pub regression: bool,
    /// What the test for a regression says; `null` where none was made.
    pub verdict: Option<RegressionVerdict>,
    /// The smallest ratio above 1 (or 1 over it) that this log would have told from 1 (95 %, power 80 %).
    pub smallest_detectable: Option<f64>,
    /// Why it was not measured.
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub warnings: Vec<FigureWarning>,
}

/// Share of the mix that must be comparable for the adjusted ratio to stand for the crude one.
pub const LEAST_COVERED: f64 = 0.5;

impl Comparison {
    /// The ratio that is judged: with the reference's mix where half of it can be compared, else as measured.
    pub fn judged(&self) -> Option<(f64, Option<Interval>)> {
        let adjusted = self.adjusted.as_ref().filter(|adjusted| adjusted.mix_covered >= LEAST_COVERED);
        let crude = || self.crude.as_ref().map(|crude| (crude.ratio, crude.ci));
        adjusted.map(|adjusted| (adjusted.ratio, adjusted.ci)).or_else(crude)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RegressionVerdict {
    /// Worse than the reference by more than the margin, beyond chance.
    Regression,
    /// Surely not worse by more than the margin: the whole interval lies within it.
    WithinMargin,
    /// The interval holds the margin: this log cannot tell.
    Open,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RatioFigure {
    pub ratio: f64,
    pub ci: Option<Interval>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AdjustedRatio {
    pub ratio: f64,
    pub ci: Option<Interval>,
    /// Share of the reference's records that lie in strata which both groups have.
    pub mix_covered: f64,
}

/// The answer to "verify no regressions".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Regressions {
    /// How much worse a segment may be.
    pub margin: f64,
    /// Expected share of false ones among the regressions named.
    pub false_discovery_rate: f64,
    pub tested: u64,
    /// Ids of the comparisons.
    pub found: Vec<String>,
    pub within_margin: u64,
    pub open: u64,
    /// Segments that one of the two groups does not have.
    pub not_measured: u64,
}

/// What leaving the fallbacks out would have claimed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IntentionToTreat {
    pub stage: String,
    /// Records that fell back, which the treated arm holds and per protocol leaves out.
    pub fallbacks: u64,
    pub fallback_rate: Option<f64>,
    /// Whether the fallback rate is surely above `max_fallback_rate`.
    pub above_limit: bool,
    pub max_fallback_rate: f64,
    pub figures: Vec<IntentionToTreatFigure>,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IntentionToTreatFigure {
    pub metric: String,
    pub intention_to_treat: f64,
    pub per_protocol: f64,
}

/// A run of windows in which a trigger's threshold was crossed: an incident where `fired`, else all
/// crossings of the stage that chance explains, together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Trigger {
    /// `triggers.stage.scope.trigger.from`; without `from` where it did not fire.
    pub id: String,
    pub trigger: String,
    pub severity: TriggerSeverity,
    pub fired: bool,
    pub stage: String,
    pub scope: String,
    /// First minute of the first window.
    pub from: String,
    /// End of the last window.
    pub to: String,
    /// End of the first window that fired: when it could have been known.
    pub first_fired_at: Option<String>,
    /// Windows that crossed the threshold.
    pub windows: u64,
    /// The worst value that a window showed.
    pub worst: f64,
    pub threshold: f64,
    /// Records from `from` to `to`; where nothing fired, of the worst window.
    #[serde(alias = "uploads")]
    pub n: u64,
    /// The smallest one-sided p-value of a window against the threshold.
    pub p_value: Option<f64>,
    /// What a rollback trigger was answered by; `null` for reviews and what did not fire.
    pub answer: Option<Answer>,
    /// From `first_fired_at` to the rollback; 0 where people were faster.
    pub answered_after_seconds: Option<f64>,
    /// Whether the treated records of the same time kept the bound: the control lived through it alone, and it decides
    /// nothing.
    #[serde(default)]
    pub control_only: bool,
    /// Whether the control lived through the same at the same time: the environment's, and nothing that a rollback mends.
    #[serde(default)]
    pub both_arms: bool,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// A rollback followed within the 5 minutes that the plan allows.
    InTime,
    Late,
    /// No rollback followed.
    None,
}

/// A shift of the level inside a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChangePoint {
    pub id: String,
    pub stage: String,
    pub scope: String,
    pub metric: String,
    /// Start of the first bucket of the new level.
    pub at: String,
    /// Level before and after, up to the neighbouring change points.
    pub before: f64,
    pub after: f64,
    /// What else happened then.
    pub coincidences: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChangePointSearch {
    pub stage: String,
    pub scope: String,
    pub metric: String,
    pub bucket_hours: Option<u64>,
    pub buckets: u64,
    pub found: u64,
    /// Why it was not searched.
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TriggerSeverity {
    Rollback,
    Review,
}
