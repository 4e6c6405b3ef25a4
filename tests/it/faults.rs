//! Kinds of fault that people met, each with the small log on which it showed.

use serde_json::Value;

use super::{Place, repository};

impl Place {
    /// A copy of a small log and its config.
    pub fn case(name: &str) -> Self {
        let place = Self::new();
        for (path, bytes) in super::files_below(&repository(&format!("tests/it/cases/{name}"))) {
            std::fs::write(place.0.path().join(path), bytes).expect("a file in the temporary folder");
        }
        place
    }
}

/// Every interval of a report, with the estimate that it must hold.
fn intervals<'r>(value: &'r Value, place: String, found: &mut Vec<(String, f64, &'r Value)>) {
    match value {
        Value::Object(fields) => {
            let estimate = fields.get("value").or_else(|| fields.get("ratio")).and_then(Value::as_f64);
            if let (Some(estimate), Some(ci)) = (estimate, fields.get("ci").filter(|ci| !ci.is_null())) {
                found.push((place.clone(), estimate, ci));
            }
            fields.iter().for_each(|(key, value)| intervals(value, format!("{place}.{key}"), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| intervals(value, format!("{place}[{index}]"), found));
        }
        _ => {}
    }
}

/// Low end <= estimate <= high end, everywhere.
#[track_caller]
fn assert_intervals_hold_their_estimates(report: &Value) {
    let mut found = Vec::new();
    intervals(report, String::new(), &mut found);
    assert!(found.len() > 50, "{} intervals", found.len());
    for (place, estimate, ci) in found {
        let (low, high) = (ci[0].as_f64().unwrap_or(f64::NEG_INFINITY), ci[1].as_f64().unwrap_or(f64::INFINITY));
        assert!(low <= estimate && estimate <= high, "{place}: {estimate} in {ci}");
        // No ratio of a log can be told to a hundred orders of magnitude.
        assert!(low.abs() < 1e12 && (ci[1].is_null() || high.abs() < 1e12), "{place}: {estimate} in {ci}");
    }
}

#[test]
fn no_interval_runs_away() {
    let healthy = Place::case("interval-runs-away");
    assert_intervals_hold_their_estimates(&healthy.report("out", &[]));
    for scenario in ["good", "fallback-storm", "mix-shift", "no-memory"] {
        let place = Place::new();
        place.generate("log.jsonl", scenario, 4000);
        assert_intervals_hold_their_estimates(&place.report("out", &["log.jsonl"]));
    }
}

#[test]
fn a_rate_a_hair_from_one_is_no_regression() {
    let report = Place::case("false-regression-p-zero").report("out", &[]);
    assert_intervals_hold_their_estimates(&report);
    assert_eq!(report["regressions"]["found"], serde_json::json!([]));
    let comparisons = report["comparisons"].as_array().expect("a list");
    let id = "50%/control..50%/treated.file_type=md.success_rate";
    let segment = comparisons.iter().find(|comparison| comparison["id"] == id).expect("a comparison");
    assert!(segment["p_adjusted"].as_f64().expect("a number") > 0.9, "{segment}");
    // The ends of Koopman's score for 9.1095 of 9.6972 against 22 of 22, with 60 digits (mpmath 1.3.0).
    let [low, high] = [0, 1].map(|end| segment["adjusted"]["ci"][end].as_f64().expect("an end"));
    assert!((low - 0.636_682_726).abs() < 1e-6 && (high - 1.110_768_155).abs() < 1e-6, "{low} {high}");
}

#[test]
fn no_quantile_is_above_the_longest() {
    let report = Place::case("p99-above-the-longest").report("out", &[]);
    for stage in report["stages"].as_array().expect("a list") {
        for metric in ["latency_p50_ms", "latency_p90_ms", "latency_p95_ms", "latency_p99_ms", "latency_max_ms"] {
            let figure = &stage["groups"]["all"][metric];
            assert_eq!(
                (&figure["value"], &figure["ci"]),
                (&661.0.into(), &serde_json::json!([661.0, 661.0])),
                "{metric}"
            );
        }
    }
    // Of a log with ever other durations: no more than the exact maximum, in any group and interval.
    let place = Place::new();
    place.generate("log.jsonl", "good", 3000);
    for stage in place.report("out", &["log.jsonl"])["stages"].as_array().expect("a list") {
        for (arm, group) in stage["groups"].as_object().expect("groups") {
            let Some(longest) = group["latency_max_ms"]["value"].as_f64() else { continue };
            for metric in ["latency_p50_ms", "latency_p95_ms", "latency_p99_ms"] {
                let figure = &group[metric];
                let highest = figure["ci"][1].as_f64().or(figure["value"].as_f64()).unwrap_or(0.0);
                assert!(highest <= longest, "{arm} {metric}: {figure} above {longest}");
            }
        }
    }
}
