//! The metrics of a log: the one list, made of its schema. What it does not name is not computed, and what it names
//! is computed, shown and documented everywhere (methodology 4).

use std::ops::Deref;

use super::record::{MEMORY, Measure, SIZE, Schema};
use crate::metric::{Better, Distribution, Estimator, Metric, Share, Unit};

/// All metrics of a log, in the order in which they are shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Metrics(Vec<Metric>);

impl Deref for Metrics {
    type Target = [Metric];

    fn deref(&self) -> &[Metric] {
        &self.0
    }
}

impl Metrics {
    /// The metrics of a schema.
    pub fn of(schema: &Schema) -> Self {
        let (one, many) = (&schema.words.one, &schema.words.many);
        let mut list = Vec::new();
        let mut add =
            |id: String, label: String, unit: Unit, better: Better, definition: String, estimator: Estimator| {
                list.push(Metric { id, label, unit, better, definition, estimator });
            };
        for (id, label, better, of, share) in [
            ("success_rate", "Success rate", Better::Higher, format!("successes / {many}"), Share::Successes),
            ("error_rate", "Error rate", Better::Lower, format!("failures / {many}"), Share::Failures),
            (
                "timeout_rate",
                "Timeout rate",
                Better::Lower,
                format!("failures with a timeout error type / {many}"),
                Share::Timeouts,
            ),
            (
                "fallback_rate",
                "Fallback rate",
                Better::Lower,
                format!("treated {many} that fell back / treated {many}"),
                Share::Fallbacks,
            ),
        ] {
            add(id.into(), label.into(), Unit::Fraction, better, of, Estimator::Rate(share));
        }
        for (word, label, of, estimator) in statistics(Distribution::Latency, &[0.5, 0.9, 0.95, 0.99]) {
            let definition = match estimator {
                Estimator::Mean(_) => format!("mean duration of successful {many}"),
                _ if word == "p50" => format!("nearest-rank median duration of successful {many}"),
                _ => format!("{of} of the duration of successful {many}"),
            };
            let id = format!("latency_{word}_ms");
            add(id, format!("Latency, {label}"), Unit::Milliseconds, Better::Lower, definition, estimator);
        }
        add(
            "latency_max_ms".into(),
            "Latency, longest".into(),
            Unit::Milliseconds,
            Better::Lower,
            format!("longest duration of a successful {one}"),
            Estimator::Maximum,
        );
        add(
            format!("throughput_{}_per_s", word_of(many)),
            format!("Throughput, {many}"),
            Unit::Of(format!("{many}/s")),
            Better::Higher,
            format!("successful {many} / busy seconds"),
            Estimator::RecordThroughput,
        );
        let volume = &schema.dimensions[SIZE].unit;
        add(
            format!("throughput_{}_per_s", volume.to_lowercase()),
            "Throughput, volume".into(),
            Unit::Of(format!("{volume}/s")),
            Better::Higher,
            format!("successful {volume} of known size / busy seconds"),
            Estimator::VolumeThroughput,
        );
        add(
            "concurrency".into(),
            format!("{} in flight", schema.words.heading()),
            Unit::Of(format!("{many} in flight")),
            Better::Neither,
            "sum of durations / busy seconds".into(),
            Estimator::Concurrency,
        );
        for (index, measure) in schema.measures.iter().enumerate() {
            list.extend(of_measure(index, measure, many));
        }
        Self(list)
    }

    /// The metric with this id.
    pub fn find(&self, id: &str) -> Option<&Metric> {
        self.0.iter().find(|metric| metric.id == id)
    }

    /// The metric that an estimator computes.
    pub fn by(&self, estimator: Estimator) -> Option<&Metric> {
        self.0.iter().find(|metric| metric.estimator == estimator)
    }

    /// The mean of memory.
    pub fn memory_mean(&self) -> Option<&Metric> {
        self.by(Estimator::Mean(Distribution::Measure(MEMORY)))
    }
}

/// Word, label, description and estimator of a mean and some quantiles.
fn statistics(of: Distribution, quantiles: &[f64]) -> Vec<(String, String, String, Estimator)> {
    let mut list = vec![("mean".into(), "mean".into(), "mean".into(), Estimator::Mean(of))];
    for q in quantiles {
        let percent = (q * 100.0).round();
        let of_median =
            if *q == 0.5 { "nearest-rank median".into() } else { format!("nearest-rank {percent} % quantile") };
        list.push((format!("p{percent}"), format!("p{percent}"), of_median, Estimator::Quantile(of, *q)));
    }
    list
}

/// Mean, p50 and p95 of a measure, and its sum over all records.
fn of_measure(index: usize, measure: &Measure, many: &str) -> Vec<Metric> {
    let is_memory = index == MEMORY;
    // The own format's ids carry the unit.
    let suffix = if is_memory { "_mb" } else { "" };
    let (name, text, label) = (&measure.name, measure.text(), measure.label());
    let carried = if is_memory {
        format!("of the {many} that carry it, else of the stage's memory samples")
    } else {
        format!("of the {many} that carry it")
    };
    let metric = |id: String, label: String, unit: String, definition: String, estimator: Estimator| Metric {
        id,
        label,
        unit: Unit::Of(unit),
        better: measure.better,
        definition,
        estimator,
    };
    let mut list: Vec<Metric> = statistics(Distribution::Measure(index), &[0.5, 0.95])
        .into_iter()
        .map(|(word, statistic, of, estimator)| {
            let of = if matches!(estimator, Estimator::Mean(_)) || word == "p50" { of } else { format!("{of} of the") };
            metric(
                format!("{name}_{word}{suffix}"),
                format!("{label}, {statistic}"),
                measure.unit.clone(),
                format!("{of} {text} {carried}"),
                estimator,
            )
        })
        .collect();
    if !is_memory {
        list.push(metric(
            format!("{name}_sum_per_record"),
            format!("{label}, in all"),
            measure.unit.clone(),
            format!("sum of {text} / {many}, those without it counted as 0"),
            Estimator::SumPerRecord(index),
        ));
    }
    list
}

/// A noun as a part of an id.
fn word_of(noun: &str) -> String {
    let word: String =
        noun.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    word.trim_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::record::{MeasureSection, RecordSection};
    use super::*;

    fn usual() -> Metrics {
        Metrics::of(&Schema::default())
    }

    fn with_cost() -> Metrics {
        let cost = MeasureSection { name: "cost".into(), unit: "USD".into(), ..MeasureSection::default() };
        let record =
            RecordSection { noun: ("job".into(), "jobs".into()), measures: vec![cost], ..RecordSection::default() };
        Metrics::of(&Schema::new(&record, &[], &[], &[1.0]).unwrap())
    }

    /// Reports, configs and scripts name them: no id may change.
    #[test]
    fn the_usual_ids_stay() {
        let ids: Vec<String> = usual().iter().map(|metric| metric.id.clone()).collect();
        assert_eq!(
            ids,
            [
                "success_rate",
                "error_rate",
                "timeout_rate",
                "fallback_rate",
                "latency_mean_ms",
                "latency_p50_ms",
                "latency_p90_ms",
                "latency_p95_ms",
                "latency_p99_ms",
                "latency_max_ms",
                "throughput_uploads_per_s",
                "throughput_mb_per_s",
                "concurrency",
                "memory_mean_mb",
                "memory_p50_mb",
                "memory_p95_mb",
            ]
        );
    }

    #[test]
    fn a_measure_of_the_config_brings_its_metrics() {
        let metrics = with_cost();
        let of_cost: Vec<&Metric> = metrics.iter().filter(|metric| metric.id.starts_with("cost")).collect();
        let told: Vec<(&str, &str, &str, &str)> = of_cost
            .iter()
            .map(|metric| (metric.id.as_str(), metric.label.as_str(), metric.unit.word(), metric.definition.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("cost_mean", "Cost, mean", "USD", "mean cost of the jobs that carry it"),
                ("cost_p50", "Cost, p50", "USD", "nearest-rank median cost of the jobs that carry it"),
                ("cost_p95", "Cost, p95", "USD", "nearest-rank 95 % quantile of the cost of the jobs that carry it"),
                ("cost_sum_per_record", "Cost, in all", "USD", "sum of cost / jobs, those without it counted as 0"),
            ]
        );
        assert!(metrics.find("throughput_jobs_per_s").is_some());
        assert!(metrics.iter().all(|metric| !format!("{metric:?}").contains("upload")));
    }

    #[test]
    fn ids_are_unique_and_carry_their_unit() {
        for metrics in [usual(), with_cost()] {
            for (index, metric) in metrics.iter().enumerate() {
                assert!(metrics[..index].iter().all(|earlier| earlier.id != metric.id), "{}", metric.id);
            }
        }
        for metric in usual().iter() {
            let suffix = match metric.unit.word() {
                "fraction" => "_rate",
                "ms" => "_ms",
                "MB" => "_mb",
                "uploads/s" | "MB/s" => "_per_s",
                _ => "",
            };
            assert!(metric.id.ends_with(suffix), "{}", metric.id);
        }
    }

    /// Which way each metric gets better, written a second time: no report may praise a rise of what should fall.
    #[test]
    fn one_direction_turned_over_is_noticed() {
        let metrics = usual();
        let of = |better| metrics.iter().filter(move |metric| metric.better == better).map(|metric| &metric.id);
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
            Estimator::Mean(_)
            | Estimator::SumPerRecord(_)
            | Estimator::RecordThroughput
            | Estimator::VolumeThroughput => "studentised bootstrap of hours",
            Estimator::Quantile(..) => "Woodruff",
            Estimator::Maximum => "percentiles of a bootstrap",
            Estimator::Concurrency => "none",
        }
    }

    fn row(metric: &Metric) -> String {
        let Metric { id, label, unit, better, definition, estimator } = metric;
        let better = match better {
            Better::Higher => "higher",
            Better::Lower => "lower",
            Better::Neither => "neither",
        };
        format!("| `{id}` | {label} | {} | {better} | {definition} | {} |\n", unit.word(), interval(*estimator))
    }

    /// The table of docs/methodology.md; the last rows are those of a measure of the config.
    fn table() -> String {
        let mut table =
            "| id | name | unit | better | definition | interval |\n| --- | --- | --- | --- | --- | --- |\n".to_owned();
        usual().iter().for_each(|metric| table.push_str(&row(metric)));
        let record = RecordSection {
            measures: vec![MeasureSection { name: "cost".into(), unit: "USD".into(), ..MeasureSection::default() }],
            ..RecordSection::default()
        };
        let with_cost = Metrics::of(&Schema::new(&record, &[], &[], &[1.0]).unwrap());
        with_cost.iter().filter(|metric| metric.id.starts_with("cost")).for_each(|metric| table.push_str(&row(metric)));
        table
    }

    #[test]
    fn the_documented_table_is_the_registry() {
        let methodology = include_str!("../../docs/methodology.md");
        let heading = "## Figures of a group\n\n";
        let section = methodology.split_once(heading).expect("the heading").1;
        let documented = section.split_once("\n\n").expect("a table").0;
        let table = table();
        assert_eq!(documented, table.trim_end(), "put this into docs/methodology.md:\n{table}");
    }
}
