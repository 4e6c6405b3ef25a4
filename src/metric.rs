//! What a metric is: what it is of, how it is computed, in which unit, and which way it gets better. The list of a
//! log's metrics is `schema/metrics`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// In which direction a metric gets better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    Higher,
    Lower,
    /// A fact, not a merit.
    Neither,
}

/// The unit of a figure; as JSON the word of [`Unit::word`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unit {
    /// 0 to 1.
    Fraction,
    Milliseconds,
    /// One value over another.
    Ratio,
    /// A count of records.
    Count,
    /// Any other, by its word: `MB`, `USD`, `uploads/s`.
    Of(String),
}

impl Unit {
    /// The word of the report contract.
    pub fn word(&self) -> &str {
        match self {
            Self::Fraction => "fraction",
            Self::Milliseconds => "ms",
            Self::Ratio => "ratio",
            Self::Count => "count",
            Self::Of(word) => word,
        }
    }

    /// The unit of a word.
    pub fn parse(word: &str) -> Self {
        match word {
            "fraction" => Self::Fraction,
            "ms" => Self::Milliseconds,
            "ratio" => Self::Ratio,
            // Reports of schema version 1 wrote the noun.
            "count" | "uploads" => Self::Count,
            other => Self::Of(other.to_owned()),
        }
    }
}

impl Serialize for Unit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.word().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Unit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer).map(|word| Self::parse(&word))
    }
}

impl JsonSchema for Unit {
    fn schema_name() -> Cow<'static, str> {
        "Unit".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "`fraction` (0 to 1), `ms`, `ratio`, `count`, or any other: MB, USD, uploads/s"
        })
    }
}

/// What share of the records a rate counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Share {
    Successes,
    Failures,
    Timeouts,
    /// Of the treated records.
    Fallbacks,
}

/// Of what a mean or quantile is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Durations of successful records.
    Latency,
    /// A measure of the records that carry it, else of its samples; by its position in the schema.
    Measure(usize),
}

/// How a metric is computed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Estimator {
    Rate(Share),
    Mean(Distribution),
    /// The nearest-rank quantile.
    Quantile(Distribution, f64),
    /// The longest latency.
    Maximum,
    /// Sum of a measure over all records, those without it included.
    SumPerRecord(usize),
    /// Successful records per busy second.
    RecordThroughput,
    /// Successful volume (megabytes) per busy second.
    VolumeThroughput,
    /// Sum of durations per busy second (Little 1961).
    Concurrency,
}

impl Estimator {
    /// The measure that it is of.
    pub fn measure(self) -> Option<usize> {
        match self {
            Self::Mean(Distribution::Measure(measure))
            | Self::Quantile(Distribution::Measure(measure), _)
            | Self::SumPerRecord(measure) => Some(measure),
            _ => None,
        }
    }
}

/// One metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metric {
    pub id: String,
    /// As headings show it.
    pub label: String,
    pub unit: Unit,
    pub better: Better,
    pub definition: String,
    pub estimator: Estimator,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_written_as_their_words() {
        for unit in [Unit::Fraction, Unit::Milliseconds, Unit::Ratio, Unit::Count, Unit::Of("USD".into())] {
            let json = serde_json::to_value(&unit).unwrap();
            assert_eq!(json, unit.word());
            assert_eq!(serde_json::from_value::<Unit>(json).unwrap(), unit);
        }
        assert_eq!(Unit::parse("uploads"), Unit::Count, "reports of schema version 1");
    }
}
