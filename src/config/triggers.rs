//! When somebody must look, or roll back: triggers, each a metric, a direction and a bound.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::asked::{Bound, HEADLINE_LATENCY};
use super::values::Setting;

/// What an incident asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Rollback,
    Review,
}

/// `[[triggers.watch]]`: a metric that is watched minute by minute.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a trigger: a name, a metric, a bound and a severity")]
pub struct Watch {
    /// What the trigger is called: small letters, digits and `_`.
    pub name: String,
    /// `success_rate`, `error_rate`, `latency` (the headline latency), one of the latency quantiles, or the mean of a
    /// measure.
    pub metric: String,
    /// Fires below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// Fires above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
    /// Fires above so many times the baseline's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most_times_baseline: Option<f64>,
    pub severity: Severity,
}

impl Watch {
    fn new(name: &str, metric: &str, bound: Bound, severity: Severity) -> Self {
        let bare = Self {
            name: name.into(),
            metric: metric.into(),
            at_least: None,
            at_most: None,
            at_most_times_baseline: None,
            severity,
        };
        match bound {
            Bound::AtLeast(value) | Bound::AtLeastTimesBaseline(value) => Self { at_least: Some(value), ..bare },
            Bound::AtMost(value) => Self { at_most: Some(value), ..bare },
            Bound::AtMostTimesBaseline(value) => Self { at_most_times_baseline: Some(value), ..bare },
        }
    }

    /// Its one bound; `None` where none or several are given, which the config's validation refuses.
    pub fn bound(&self) -> Option<Bound> {
        let given = [
            self.at_least.map(Bound::AtLeast),
            self.at_most.map(Bound::AtMost),
            self.at_most_times_baseline.map(Bound::AtMostTimesBaseline),
        ];
        Bound::only(given)
    }
}

/// `[triggers]`: when somebody must look, or roll back. `false` turns one off.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a table of triggers")]
pub struct TriggersSection {
    /// Rollback: success rate surely below.
    pub success_rate_low: Setting<f64>,
    /// Rollback: error rate surely above.
    pub error_rate_high: Setting<f64>,
    /// Review: success rate surely below.
    pub success_rate_degraded: Setting<f64>,
    /// Review: headline latency surely above so many times the baseline's.
    pub latency_degraded: Setting<f64>,
    /// Review: more failures of the treated within an hour than they had so far would explain.
    pub failure_burst: bool,
    /// Rollback: memory above so many times that of the hour before.
    pub memory_spike: Setting<f64>,
    /// Review: complaints of a day above so many times the baseline's.
    pub complaints_rising: Setting<f64>,
    /// Rollback: `critical_error` events, and failures of `[analysis] critical_errors`.
    pub critical_error: bool,
    /// Minutes of a rollback window, of a review window, and within which a rollback answers an incident.
    pub rollback_minutes: u32,
    pub review_minutes: u32,
    pub answer_minutes: u32,
    /// Further metrics to watch.
    pub watch: Vec<Watch>,
}

impl Default for TriggersSection {
    fn default() -> Self {
        Self {
            success_rate_low: Setting::On(0.95),
            error_rate_high: Setting::On(0.05),
            success_rate_degraded: Setting::On(0.97),
            latency_degraded: Setting::On(1.20),
            failure_burst: true,
            memory_spike: Setting::On(1.20),
            complaints_rising: Setting::On(2.0),
            critical_error: true,
            rollback_minutes: 5,
            review_minutes: 30,
            answer_minutes: 5,
            watch: Vec::new(),
        }
    }
}

/// Most times the baseline's value that a trigger may wait for.
const MOST_TIMES: f64 = 1e6;

impl TriggersSection {
    /// The numbers that are given: key, value, the least and the most that it may be.
    pub(super) fn ranges(&self) -> Vec<(&'static str, f64, f64, f64)> {
        let bounds = [
            ("success_rate_low", self.success_rate_low, 1.0),
            ("error_rate_high", self.error_rate_high, 1.0),
            ("success_rate_degraded", self.success_rate_degraded, 1.0),
            ("latency_degraded", self.latency_degraded, MOST_TIMES),
            ("memory_spike", self.memory_spike, MOST_TIMES),
            ("complaints_rising", self.complaints_rising, MOST_TIMES),
        ];
        let minutes = [
            ("rollback_minutes", self.rollback_minutes),
            ("review_minutes", self.review_minutes),
            ("answer_minutes", self.answer_minutes),
        ];
        let bounds = bounds.into_iter().filter_map(|(key, bound, most)| Some((key, bound.on()?, 0.0, most)));
        bounds.chain(minutes.map(|(key, value)| (key, f64::from(value), 1.0, 60.0))).collect()
    }

    /// Everything that is watched in windows, those with keys of their own first.
    pub fn watched(&self) -> Vec<Watch> {
        use Severity::{Review, Rollback};
        let of = |setting: Setting<f64>, name, metric, bound: fn(f64) -> Bound, severity| {
            setting.on().map(|value| Watch::new(name, metric, bound(value), severity))
        };
        let named = [
            of(self.success_rate_low, "success_rate_low", "success_rate", Bound::AtLeast, Rollback),
            of(self.error_rate_high, "error_rate_high", "error_rate", Bound::AtMost, Rollback),
            of(self.success_rate_degraded, "success_rate_degraded", "success_rate", Bound::AtLeast, Review),
            of(self.latency_degraded, "latency_degraded", HEADLINE_LATENCY, Bound::AtMostTimesBaseline, Review),
        ];
        named.into_iter().flatten().chain(self.watch.iter().cloned()).collect()
    }
}
