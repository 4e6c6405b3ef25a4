//! The metrics of a group of uploads (methodology 4): the one list. What it does not name is not
//! computed, and what it names is computed, shown and documented everywhere.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// In which direction a metric gets better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    Higher,
    Lower,
    /// A fact, not a merit.
    Neither,
}

/// The unit of a figure; as JSON the word of [`Unit::word`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Unit {
    /// 0 to 1.
    #[serde(rename = "fraction")]
    Fraction,
    #[serde(rename = "ms")]
    Milliseconds,
    #[serde(rename = "MB")]
    Megabytes,
    #[serde(rename = "uploads/s")]
    UploadsPerSecond,
    #[serde(rename = "MB/s")]
    MegabytesPerSecond,
    /// One value over another.
    #[serde(rename = "ratio")]
    Ratio,
    /// A mean number of uploads in flight.
    #[serde(rename = "uploads in flight")]
    UploadsInFlight,
    /// A count of uploads.
    #[serde(rename = "uploads")]
    Uploads,
}

impl Unit {
    /// The word of the report contract.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fraction => "fraction",
            Self::Milliseconds => "ms",
            Self::Megabytes => "MB",
            Self::UploadsPerSecond => "uploads/s",
            Self::MegabytesPerSecond => "MB/s",
            Self::Ratio => "ratio",
            Self::UploadsInFlight => "uploads in flight",
            Self::Uploads => "uploads",
        }
    }
}

/// What share of the uploads a rate counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    Successes,
    Failures,
    Timeouts,
    /// Of the treated uploads.
    Fallbacks,
}

/// Of what a mean or quantile is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distribution {
    /// `duration_ms` of successful uploads.
    Latency,
    /// `memory_mb` of uploads, else `rss_mb` of memory samples.
    Memory,
}

/// How a metric is computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Estimator {
    Rate(Share),
    Mean(Distribution),
    /// The nearest-rank quantile.
    Quantile(Distribution, f64),
    /// The longest latency.
    Maximum,
    /// Successful uploads per busy second.
    UploadThroughput,
    /// Successful megabytes per busy second.
    MegabyteThroughput,
    /// Sum of durations per busy second (Little 1961).
    Concurrency,
}

/// One metric.
#[derive(Debug)]
pub struct Metric {
    pub id: &'static str,
    /// As headings show it.
    pub label: &'static str,
    pub unit: Unit,
    pub better: Better,
    pub definition: &'static str,
    pub estimator: Estimator,
}

/// All metrics, in the order in which they are shown.
pub const METRICS: &[Metric] = &[
    metric(
        "success_rate",
        "Success rate",
        Unit::Fraction,
        Better::Higher,
        "successes / uploads",
        Estimator::Rate(Share::Successes),
    ),
    metric(
        "error_rate",
        "Error rate",
        Unit::Fraction,
        Better::Lower,
        "failures / uploads",
        Estimator::Rate(Share::Failures),
    ),
    metric(
        "timeout_rate",
        "Timeout rate",
        Unit::Fraction,
        Better::Lower,
        "failures with a timeout error type / uploads",
        Estimator::Rate(Share::Timeouts),
    ),
    metric(
        "fallback_rate",
        "Fallback rate",
        Unit::Fraction,
        Better::Lower,
        "sync_fallback uploads / treated uploads",
        Estimator::Rate(Share::Fallbacks),
    ),
    metric(
        "latency_mean_ms",
        "Latency, mean",
        Unit::Milliseconds,
        Better::Lower,
        "mean duration of successful uploads",
        Estimator::Mean(Distribution::Latency),
    ),
    metric(
        "latency_p50_ms",
        "Latency, p50",
        Unit::Milliseconds,
        Better::Lower,
        "nearest-rank median duration of successful uploads",
        Estimator::Quantile(Distribution::Latency, 0.5),
    ),
    metric(
        "latency_p90_ms",
        "Latency, p90",
        Unit::Milliseconds,
        Better::Lower,
        "nearest-rank 90 % quantile of the duration of successful uploads",
        Estimator::Quantile(Distribution::Latency, 0.9),
    ),
    metric(
        "latency_p95_ms",
        "Latency, p95",
        Unit::Milliseconds,
        Better::Lower,
        "nearest-rank 95 % quantile of the duration of successful uploads",
        Estimator::Quantile(Distribution::Latency, 0.95),
    ),
    metric(
        "latency_p99_ms",
        "Latency, p99",
        Unit::Milliseconds,
        Better::Lower,
        "nearest-rank 99 % quantile of the duration of successful uploads",
        Estimator::Quantile(Distribution::Latency, 0.99),
    ),
    metric(
        "latency_max_ms",
        "Latency, longest",
        Unit::Milliseconds,
        Better::Lower,
        "longest duration of a successful upload",
        Estimator::Maximum,
    ),
    metric(
        "throughput_uploads_per_s",
        "Throughput, uploads",
        Unit::UploadsPerSecond,
        Better::Higher,
        "successful uploads / busy seconds",
        Estimator::UploadThroughput,
    ),
    metric(
        "throughput_mb_per_s",
        "Throughput, volume",
        Unit::MegabytesPerSecond,
        Better::Higher,
        "successful MB of known size / busy seconds",
        Estimator::MegabyteThroughput,
    ),
    metric(
        "concurrency",
        "Uploads in flight",
        Unit::UploadsInFlight,
        Better::Neither,
        "sum of durations / busy seconds",
        Estimator::Concurrency,
    ),
    metric(
        "memory_mean_mb",
        "Memory, mean",
        Unit::Megabytes,
        Better::Lower,
        "mean memory of the uploads that carry it, else of the stage's memory samples",
        Estimator::Mean(Distribution::Memory),
    ),
    metric(
        "memory_p50_mb",
        "Memory, p50",
        Unit::Megabytes,
        Better::Lower,
        "nearest-rank median memory of the uploads that carry it, else of the stage's memory samples",
        Estimator::Quantile(Distribution::Memory, 0.5),
    ),
    metric(
        "memory_p95_mb",
        "Memory, p95",
        Unit::Megabytes,
        Better::Lower,
        "nearest-rank 95 % quantile of the memory of the uploads that carry it, else of the stage's memory samples",
        Estimator::Quantile(Distribution::Memory, 0.95),
    ),
];

/// The metric with this id.
pub fn find(id: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.id == id)
}

/// The metric that an estimator computes.
pub fn of(estimator: Estimator) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.estimator == estimator)
}

/// How headings call the metric with this id.
pub fn label(id: &str) -> String {
    find(id).map_or_else(|| id.to_owned(), |metric| metric.label.to_owned())
}

const fn metric(
    id: &'static str,
    label: &'static str,
    unit: Unit,
    better: Better,
    definition: &'static str,
    estimator: Estimator,
) -> Metric {
    Metric { id, label, unit, better, definition, estimator }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_carry_their_unit() {
        for (index, metric) in METRICS.iter().enumerate() {
            assert!(METRICS[..index].iter().all(|earlier| earlier.id != metric.id), "{}", metric.id);
            let suffix = match metric.unit {
                Unit::Fraction => "_rate",
                Unit::Milliseconds => "_ms",
                Unit::Megabytes => "_mb",
                Unit::UploadsPerSecond | Unit::MegabytesPerSecond => "_per_s",
                Unit::Ratio | Unit::UploadsInFlight | Unit::Uploads => "",
            };
            assert!(metric.id.ends_with(suffix), "{}", metric.id);
        }
    }

    #[test]
    fn units_are_written_as_their_words() {
        for unit in METRICS.iter().map(|metric| metric.unit).chain([Unit::Ratio, Unit::Uploads]) {
            assert_eq!(serde_json::to_value(unit).unwrap(), unit.word());
        }
    }

    /// Which way each metric gets better, written a second time: no report may praise a rise of what should fall.
    #[test]
    fn one_direction_turned_over_is_noticed() {
        let of = |better| METRICS.iter().filter(move |metric| metric.better == better).map(|metric| metric.id);
        let higher: Vec<_> = of(Better::Higher).collect();
        assert_eq!(higher, ["success_rate", "throughput_uploads_per_s", "throughput_mb_per_s"]);
        assert_eq!(of(Better::Neither).collect::<Vec<_>>(), ["concurrency"]);
        let costs = ["error_rate", "timeout_rate", "fallback_rate", "latency_", "memory_"];
        assert!(of(Better::Lower).all(|id| costs.iter().any(|cost| id.starts_with(cost))));
    }

    /// How an estimator's interval is made.
    fn interval(estimator: Estimator) -> &'static str {
        match estimator {
            Estimator::Rate(_) => "Wilson on effective counts",
            Estimator::Mean(_) | Estimator::UploadThroughput | Estimator::MegabyteThroughput => {
                "studentised bootstrap of hours"
            }
            Estimator::Quantile(..) => "Woodruff",
            Estimator::Maximum => "percentiles of a bootstrap",
            Estimator::Concurrency => "none",
        }
    }

    /// The table of docs/methodology.md.
    fn table() -> String {
        let mut table =
            "| id | name | unit | better | definition | interval |\n| --- | --- | --- | --- | --- | --- |\n".to_owned();
        for Metric { id, label, unit, better, definition, estimator } in METRICS {
            let better = match better {
                Better::Higher => "higher",
                Better::Lower => "lower",
                Better::Neither => "neither",
            };
            let (unit, interval) = (unit.word(), interval(*estimator));
            table.push_str(&format!("| `{id}` | {label} | {unit} | {better} | {definition} | {interval} |\n"));
        }
        table
    }

    #[test]
    fn the_documented_table_is_the_registry() {
        let methodology = include_str!("../docs/methodology.md");
        let heading = "## Figures of a group\n\n";
        let section = methodology.split_once(heading).expect("the heading").1;
        let documented = section.split_once("\n\n").expect("a table").0;
        let table = table();
        assert_eq!(documented, table.trim_end(), "put this into docs/methodology.md:\n{table}");
    }
}
