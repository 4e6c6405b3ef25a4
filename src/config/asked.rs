//! What is asked of a rollout: criteria and improvements, each a metric, a direction and a bound; and their short
//! forms, `[stages.criteria]` as a table and `[targets]`.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::values::Setting;

/// The word by which a criterion or improvement asks for the headline latency.
pub const HEADLINE_LATENCY: &str = "latency";
/// The word by which an improvement asks for the throughput in records.
pub const THROUGHPUT: &str = "throughput";
/// The word by which a criterion asks for a number of records.
pub const RECORDS: &str = "n";

/// Which records of a stage a criterion looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    All,
    Treated,
}

/// Whether what is asked decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    #[default]
    Decides,
    /// On trial: judged and shown, and without a say in the decision.
    Trial,
}

impl Mode {
    fn decides(&self) -> bool {
        *self == Self::Decides
    }
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

impl Bound {
    /// The one that is given; `None` where none or several are.
    pub(super) fn only<const N: usize>(given: [Option<Self>; N]) -> Option<Self> {
        let mut bounds = given.into_iter().flatten();
        bounds.next().filter(|_| bounds.next().is_none())
    }
}

/// A metric and the one bound that it must keep: `[[criteria]]`, or `[[stages.criteria]]`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a criterion: a metric and a bound")]
pub struct Criterion {
    /// An id of the metrics in docs/methodology.md, `latency` (the headline latency), `throughput`, or `n` (how many records).
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
    /// Which records count: `treated` (default) or `all` (default at percentage 0).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// `decides` (default), or `trial`: judged and shown, and without a say in the decision.
    #[serde(default, skip_serializing_if = "Mode::decides")]
    pub mode: Mode,
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
        let (metric, mode) = (metric.into(), Mode::Decides);
        Self { metric, at_least, at_most, at_least_times_baseline, at_most_times_baseline, scope, mode }
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
        Bound::only(given)
    }
}

/// `[stages.criteria]`, the short form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a table of criteria")]
pub struct CriteriaTable {
    /// At least, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    success_rate: Option<Setting<f64>>,
    /// At most, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_rate: Option<Setting<f64>>,
    /// At most, times the baseline's headline latency.
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_vs_baseline: Option<Setting<f64>>,
    /// At least.
    #[serde(skip_serializing_if = "Option::is_none")]
    uploads: Option<Setting<f64>>,
    /// Which records count: `treated` (default) or `all` (default at percentage 0).
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<Scope>,
}

/// What a stage must reach: a table of the usual ones, where what is not written keeps the default of the stage's
/// percentage and `false` asks for nothing; or a list of all that is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Criteria {
    Table(CriteriaTable),
    List(Vec<Criterion>),
}

impl CriteriaTable {
    /// The defaults of a percentage: those of the largest one that is not above it. Nothing is asked of a baseline.
    fn of_percentage(percentage: f64) -> Self {
        /// Percentage, success rate, error rate, latency against the baseline, uploads.
        const DEFAULTS: [(f64, f64, f64, f64, f64); 4] = [
            (1.0, 0.995, 0.005, 1.10, 100.0),
            (10.0, 0.99, 0.01, 1.05, 500.0),
            (50.0, 0.985, 0.015, 1.02, 2000.0),
            (100.0, 0.98, 0.02, 1.00, 5000.0),
        ];
        if percentage == 0.0 {
            return Self::default();
        }
        let row = DEFAULTS.iter().rev().find(|row| row.0 <= percentage).unwrap_or(&DEFAULTS[0]);
        let on = |value| Some(Setting::On(value));
        Self {
            success_rate: on(row.1),
            error_rate: on(row.2),
            latency_vs_baseline: on(row.3),
            uploads: on(row.4),
            scope: None,
        }
    }

    fn list(&self, percentage: f64) -> Vec<Criterion> {
        let default = Self::of_percentage(percentage);
        let of = |own: Option<Setting<f64>>, default: Option<Setting<f64>>, metric, bound: fn(f64) -> Bound| {
            let value = own.or(default).and_then(Setting::on)?;
            Some(Criterion::new(metric, bound(value), self.scope))
        };
        let list = [
            of(self.success_rate, default.success_rate, "success_rate", Bound::AtLeast),
            of(self.error_rate, default.error_rate, "error_rate", Bound::AtMost),
            of(self.latency_vs_baseline, default.latency_vs_baseline, HEADLINE_LATENCY, Bound::AtMostTimesBaseline),
            of(self.uploads, default.uploads, RECORDS, Bound::AtLeast),
        ];
        list.into_iter().flatten().collect()
    }
}

impl Criteria {
    /// All that is asked of a stage of this percentage.
    pub fn list(self, percentage: f64) -> Vec<Criterion> {
        match self {
            Self::Table(table) => table.list(percentage),
            Self::List(list) => list,
        }
    }
}

impl Default for Criteria {
    fn default() -> Self {
        Self::Table(CriteriaTable::default())
    }
}

struct CriteriaVisitor;

impl<'de> Visitor<'de> for CriteriaVisitor {
    type Value = Criteria;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a table of criteria, or a list of them")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Criteria, A::Error> {
        CriteriaTable::deserialize(MapAccessDeserializer::new(map)).map(Criteria::Table)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Criteria, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(Criteria::List)
    }
}

impl<'de> Deserialize<'de> for Criteria {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CriteriaVisitor)
    }
}

impl Serialize for Criteria {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Table(table) => table.serialize(serializer),
            Self::List(list) => list.serialize(serializer),
        }
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
    /// An id of the metrics in docs/methodology.md, `latency` (the headline latency) or `throughput`.
    pub metric: String,
    #[serde(rename = "as")]
    pub form: Form,
    /// Lower end of the target band.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Upper end of the target band.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// `decides` (default), or `trial`: judged and shown, and without a say in the decision.
    #[serde(default, skip_serializing_if = "Mode::decides")]
    pub mode: Mode,
}

impl Improvement {
    /// Its id in the report; those of `[targets]` keep the names that they have there.
    pub fn id(&self) -> String {
        match (self.metric.as_str(), self.form) {
            ("memory_mean" | "memory_mean_mb", Form::Reduction) => "memory_reduction".into(),
            (THROUGHPUT | "throughput_uploads_per_s", Form::Ratio) => "throughput_ratio".into(),
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
            ("throughput_ratio", self.throughput_ratio, THROUGHPUT, Form::Ratio),
            ("latency_reduction", self.latency_reduction, HEADLINE_LATENCY, Form::Reduction),
            ("timeout_reduction", self.timeout_reduction, "timeout_rate", Form::Reduction),
        ];
        let improvement = |(key, setting, metric, form): (_, Option<Setting<Band>>, &str, _)| {
            let band = match setting {
                Some(Setting::Off) => return None,
                Some(Setting::On(band)) => band,
                None => Band { min: None, max: None },
            };
            let (metric, mode) = (metric.into(), Mode::Decides);
            Some((key, Improvement { metric, form, min: band.min, max: band.max, mode }))
        };
        list.into_iter().filter_map(improvement).collect()
    }
}
