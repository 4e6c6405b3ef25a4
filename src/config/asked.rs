//! What is asked of a rollout: criteria, improvements and triggers, each a metric, a direction and a bound; and
//! their short forms, `[stages.criteria]` as a table and `[targets]`.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::values::Setting;

/// The word by which a criterion or improvement asks for the headline latency.
pub const HEADLINE_LATENCY: &str = "latency";
/// The word by which a criterion asks for a number of uploads.
pub const UPLOADS: &str = "uploads";

/// Which uploads of a stage a criterion looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    All,
    Treated,
}

/// What a value is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    AtLeast(f64),
    AtMost(f64),
    /// Times the value of the baseline.
    AtLeastTimesBaseline(f64),
    AtMostTimesBaseline(f64),
}

/// A metric and the one bound that it must keep: `[[criteria]]`, or `[[stages.criteria]]`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a criterion: a metric and a bound")]
pub struct Criterion {
    /// An id of the metrics in docs/methodology.md, `latency` (the headline latency), or `uploads`.
    pub metric: String,
    /// At least so much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// At most so much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
    /// At least so many times the baseline's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least_times_baseline: Option<f64>,
    /// At most so many times the baseline's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most_times_baseline: Option<f64>,
    /// Which uploads count: `treated` (default) or `all` (default at percentage 0).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
}

impl Criterion {
    fn new(metric: &str, bound: Bound, scope: Option<Scope>) -> Self {
        let [mut at_least, mut at_most, mut at_least_times_baseline, mut at_most_times_baseline] = [None; 4];
        match bound {
            Bound::AtLeast(value) => at_least = Some(value),
            Bound::AtMost(value) => at_most = Some(value),
            Bound::AtLeastTimesBaseline(value) => at_least_times_baseline = Some(value),
            Bound::AtMostTimesBaseline(value) => at_most_times_baseline = Some(value),
        }
        Self { metric: metric.into(), at_least, at_most, at_least_times_baseline, at_most_times_baseline, scope }
    }

    /// What it is called in the report's ids: the metric, `…_vs_baseline` where the bound is relative.
    pub fn word(&self) -> String {
        match self.bound() {
            Some(Bound::AtLeastTimesBaseline(_) | Bound::AtMostTimesBaseline(_)) => {
                format!("{}_vs_baseline", self.metric)
            }
            _ => self.metric.clone(),
        }
    }

    /// Its one bound; `None` where none or several are given, which the config's validation refuses.
    pub fn bound(&self) -> Option<Bound> {
        let given = [
            self.at_least.map(Bound::AtLeast),
            self.at_most.map(Bound::AtMost),
            self.at_least_times_baseline.map(Bound::AtLeastTimesBaseline),
            self.at_most_times_baseline.map(Bound::AtMostTimesBaseline),
        ];
        let mut bounds = given.into_iter().flatten();
        bounds.next().filter(|_| bounds.next().is_none())
    }
}

/// `[stages.criteria]`, the short form.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a table of criteria")]
struct CriteriaTable {
    /// At least, 0 to 1.
    success_rate: Option<Setting<f64>>,
    /// At most, 0 to 1.
    error_rate: Option<Setting<f64>>,
    /// At most, times the baseline's headline latency.
    latency_vs_baseline: Option<Setting<f64>>,
    /// At least.
    uploads: Option<Setting<f64>>,
    /// Which uploads count: `treated` (default) or `all` (default at percentage 0).
    scope: Option<Scope>,
}

/// What a stage must reach, in this order. Written as a list, or as a table of the usual ones; what is not written is
/// not asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Criteria(pub Vec<Criterion>);

impl From<CriteriaTable> for Criteria {
    fn from(table: CriteriaTable) -> Self {
        let of = |setting: Option<Setting<f64>>, metric, bound: fn(f64) -> Bound| {
            setting.and_then(Setting::on).map(|value| Criterion::new(metric, bound(value), table.scope))
        };
        let list = [
            of(table.success_rate, "success_rate", Bound::AtLeast),
            of(table.error_rate, "error_rate", Bound::AtMost),
            of(table.latency_vs_baseline, HEADLINE_LATENCY, Bound::AtMostTimesBaseline),
            of(table.uploads, UPLOADS, Bound::AtLeast),
        ];
        Self(list.into_iter().flatten().collect())
    }
}

impl Criteria {
    /// The criteria of a stage whose config names none, by its percentage: those of the largest percentage of the
    /// table that is not above it. Nothing is asked of a baseline.
    pub fn by_percentage(percentage: f64) -> Self {
        /// Percentage, success rate, error rate, latency against the baseline, uploads.
        const TABLE: [(f64, f64, f64, f64, f64); 4] = [
            (1.0, 0.995, 0.005, 1.10, 100.0),
            (10.0, 0.99, 0.01, 1.05, 500.0),
            (50.0, 0.985, 0.015, 1.02, 2000.0),
            (100.0, 0.98, 0.02, 1.00, 5000.0),
        ];
        if percentage == 0.0 {
            return Self(Vec::new());
        }
        let row = TABLE.iter().rev().find(|row| row.0 <= percentage).unwrap_or(&TABLE[0]);
        let on = |value| Some(Setting::On(value));
        CriteriaTable {
            success_rate: on(row.1),
            error_rate: on(row.2),
            latency_vs_baseline: on(row.3),
            uploads: on(row.4),
            scope: None,
        }
        .into()
    }
}

struct CriteriaVisitor;

impl<'de> Visitor<'de> for CriteriaVisitor {
    type Value = Criteria;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a table of criteria, or a list of them")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Criteria, A::Error> {
        CriteriaTable::deserialize(MapAccessDeserializer::new(map)).map(Criteria::from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Criteria, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(Criteria)
    }
}

impl<'de> Deserialize<'de> for Criteria {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CriteriaVisitor)
    }
}

impl Serialize for Criteria {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl JsonSchema for Criteria {
    fn schema_name() -> Cow<'static, str> {
        "Criteria".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (table, list) = (generator.subschema_for::<CriteriaTable>(), generator.subschema_for::<Vec<Criterion>>());
        json_schema!({"anyOf": [table, list]})
    }
}

/// How the change of a metric is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// 1 - final / baseline
    Reduction,
    /// final / baseline
    Ratio,
}

/// `[[improvements]]`: what the rollout was meant to change, baseline against the final stage.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an improvement: a metric, how it is told, and a target")]
pub struct Improvement {
    /// An id of the metrics in docs/methodology.md, or `latency` (the headline latency).
    pub metric: String,
    #[serde(rename = "as")]
    pub form: Form,
    /// Lower end of the target band.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Upper end of the target band.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

impl Improvement {
    /// Its id in the report; those of `[targets]` keep the names that they have there.
    pub fn id(&self) -> String {
        match (self.metric.as_str(), self.form) {
            ("memory_mean_mb", Form::Reduction) => "memory_reduction".into(),
            ("throughput_uploads_per_s", Form::Ratio) => "throughput_ratio".into(),
            (HEADLINE_LATENCY, Form::Reduction) => "latency_reduction".into(),
            ("timeout_rate", Form::Reduction) => "timeout_reduction".into(),
            (metric, Form::Reduction) => format!("{metric}_reduction"),
            (metric, Form::Ratio) => format!("{metric}_ratio"),
        }
    }

    /// Whether there is a target to hold it against.
    pub fn is_judged(&self) -> bool {
        self.min.is_some() || self.max.is_some()
    }
}

/// A target band, open where an end is missing.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a target: { min = … }, { max = … } or both")]
pub struct Band {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

/// `[targets]`, the short form of the four usual improvements: a band, or false where the improvement is not even to
/// be measured. What is not written is measured and not judged.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a table of targets")]
pub struct TargetsSection {
    /// 1 - memory(final) / memory(baseline)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_reduction: Option<Setting<Band>>,
    /// throughput(final) / throughput(baseline)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throughput_ratio: Option<Setting<Band>>,
    /// 1 - latency(final) / latency(baseline)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_reduction: Option<Setting<Band>>,
    /// 1 - timeout rate(final) / timeout rate(baseline)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_reduction: Option<Setting<Band>>,
}

impl TargetsSection {
    /// The improvements that it stands for, each with its key.
    pub fn improvements(&self) -> Vec<(&'static str, Improvement)> {
        let list = [
            ("memory_reduction", self.memory_reduction, "memory_mean_mb", Form::Reduction),
            ("throughput_ratio", self.throughput_ratio, "throughput_uploads_per_s", Form::Ratio),
            ("latency_reduction", self.latency_reduction, HEADLINE_LATENCY, Form::Reduction),
            ("timeout_reduction", self.timeout_reduction, "timeout_rate", Form::Reduction),
        ];
        let improvement = |(key, setting, metric, form): (_, Option<Setting<Band>>, &str, _)| {
            let band = match setting {
                Some(Setting::Off) => return None,
                Some(Setting::On(band)) => band,
                None => Band { min: None, max: None },
            };
            Some((key, Improvement { metric: metric.into(), form, min: band.min, max: band.max }))
        };
        list.into_iter().filter_map(improvement).collect()
    }
}

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
    /// `success_rate`, `error_rate`, `latency` (the headline latency) or one of the latency quantiles.
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
        let mut bounds = given.into_iter().flatten();
        bounds.next().filter(|_| bounds.next().is_none())
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

impl TriggersSection {
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
