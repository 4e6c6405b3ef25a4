//! What changed, at a glance: the old way before the rollout beside the new one now.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stagegate_stats::Interval;

use super::judged::{Decision, SameHours, Status};
use crate::metric::Unit;

/// One thing that was measured, before and now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Headline {
    /// The metric's id, which names its unit, too.
    pub metric: String,
    /// As the table calls it.
    pub label: String,
    /// All records of the baseline.
    pub before: Option<Reading>,
    /// The treated records of the last stage that has some.
    pub now: Option<Reading>,
    /// now / before
    pub change: Option<Change>,
    /// The change as a ratio between records of the same hours that were split at random.
    pub same_hours: Option<SameHours>,
    /// Records in flight before and now, where the figure depends on them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<[f64; 2]>,
    /// Of the same hours where there are such, else since the baseline.
    pub direction: Option<ChangeDirection>,
    /// Against the plan; `not_judged` where it asks for nothing, or not yet.
    pub status: Status,
    /// Id of the claim, improvement or criterion that says more.
    pub finding: String,
    /// What stands against reading it as it is.
    pub reason: Option<String>,
}

/// A figure of a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reading {
    /// `stage/arm`
    pub group: String,
    pub value: f64,
    pub ci: Option<Interval>,
    pub n: u64,
}

/// One group over another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    pub ratio: f64,
    pub ci: Option<Interval>,
    /// The plan's target as a ratio: the least and the largest; `null` where it is open.
    pub target: Option<[Option<f64>; 2]>,
}

/// What a change is for those who live with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeDirection {
    Better,
    Worse,
    /// The interval holds no change, or there is none.
    Unsure,
}

/// How the values of one thing are spread, in the groups that are held against each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    /// `latency`, or the measure's name.
    pub of: String,
    pub unit: Unit,
    /// Before, then now.
    pub groups: Vec<SpreadGroup>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpreadGroup {
    /// `stage/arm`
    pub group: String,
    pub treated: bool,
    /// Records that carry it; of latency the successful ones.
    pub n: u64,
    /// [share of the records at or below, value], rising; only shares with at least 5 records beyond them.
    pub quantiles: Vec<[f64; 2]>,
    /// Quantiles that have an interval: [share, low, high].
    pub intervals: Vec<[f64; 3]>,
}

/// Failures of one type, before and now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorType {
    pub error_type: String,
    /// Failures of this type, and records, of the baseline; `null` without one.
    pub before: Option<[u64; 2]>,
    /// The same of the treated of the last stage that has some.
    pub now: Option<[u64; 2]>,
    /// Failures of this type in all stages and arms.
    pub failures: u64,
    /// Whether the share rose by more than chance would (1 %).
    pub rose: bool,
    /// The beginning of the first hour in which one was logged, in any stage and arm.
    #[serde(default)]
    pub first_seen: Option<String>,
    /// The end of the last such hour.
    #[serde(default)]
    pub last_seen: Option<String>,
}

/// What people left out of all figures, and what the report would say with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LeftOut {
    /// In the order of time.
    pub intervals: Vec<LeftOutInterval>,
    /// The decision with it.
    pub decision: Decision,
    /// What changed, with it.
    pub headlines: Vec<Headline>,
}

/// An interval that is left out, by the times at which its records began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftOutInterval {
    pub from: String,
    /// Not part of it any more.
    pub to: String,
    /// In the person's words.
    pub because: String,
    /// Records.
    pub n: u64,
    pub failures: u64,
    pub treated: u64,
    pub treated_failures: u64,
}
