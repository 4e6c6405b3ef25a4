//! What changed, at a glance: the old way before the rollout beside the new one now.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stagegate_stats::Interval;

use super::judged::{SameHours, Status};

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
