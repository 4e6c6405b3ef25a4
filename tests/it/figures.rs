//! Figures against an independent computation: cases/make_small.py made log and expectation.

use super::{Place, repository};

const EXACT: f64 = 1e-9;
/// Quantiles come from bins.
const WITHIN_BIN: f64 = 1e-3;
/// Two bootstraps of different random numbers: ends agree to a part of the interval's width.
const OF_WIDTH: f64 = 0.10;

fn report() -> serde_json::Value {
    let place = Place::new();
    let config = repository("tests/it/cases/small/rollout.toml");
    place.report("out", &["--config", config.to_str().unwrap()])
}

#[test]
fn every_figure_agrees_with_numpy() {
    let expected = std::fs::read_to_string(repository("tests/it/cases/small/expected.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&expected).unwrap();
    let report = report();
    let mut compared = 0;
    for (place, want) in expected.as_object().unwrap() {
        let (stage, arm) = place.split_once('/').unwrap();
        let stage = report["stages"].as_array().unwrap().iter().find(|shown| shown["name"] == stage).unwrap();
        let group = &stage["groups"][arm];
        assert_eq!(group["n"], want["uploads"], "{place}");
        assert_eq!(group["busy_seconds"], want["busy_seconds"], "{place}");
        for (metric, want) in want.as_object().unwrap() {
            let Some(want) = want.as_f64().filter(|_| !["uploads", "busy_seconds"].contains(&metric.as_str())) else {
                continue;
            };
            let got = group[metric]["value"].as_f64().unwrap_or_else(|| panic!("{place} {metric} is not measured"));
            let tolerance = if metric.contains("_p") && !metric.ends_with("_per_s") { WITHIN_BIN } else { EXACT };
            assert!((got - want).abs() <= want.abs() * tolerance, "{place} {metric}: {got} for {want}");
            compared += 1;
        }
        for end in 0..2 {
            let (got, want) =
                (group["success_rate"]["ci"][end].as_f64().unwrap(), want["success_rate_ci"][end].as_f64().unwrap());
            assert!((got - want).abs() < 1e-9, "{place} success_rate ci: {got} for {want}");
        }
        for (metric, want) in want["woodruff"].as_object().unwrap() {
            for end in 0..2 {
                let (got, want) = (group[metric]["ci"][end].as_f64().unwrap(), want[end].as_f64().unwrap());
                assert!((got / want - 1.0).abs() < WITHIN_BIN, "{place} {metric} ci: {got} for {want}");
            }
            compared += 1;
        }
        for (metric, want) in want["bootstrap"].as_object().unwrap() {
            let [low, high] = [0, 1].map(|end| want[end].as_f64().unwrap());
            let [got_low, got_high] = [0, 1].map(|end| group[metric]["ci"][end].as_f64().unwrap());
            let slack = (high - low) * OF_WIDTH;
            assert!(
                (got_low - low).abs() < slack && (got_high - high).abs() < slack,
                "{place} {metric}: {got_low} to {got_high} for {low} to {high}"
            );
            compared += 1;
        }
    }
    assert!(compared > 100, "only {compared} figures compared");
}

#[test]
fn a_figure_has_its_n_and_interval_or_a_reason() {
    let report = report();
    for stage in report["stages"].as_array().unwrap() {
        for (arm, group) in stage["groups"].as_object().unwrap() {
            for metric in report["metrics"].as_array().unwrap() {
                let id = metric["id"].as_str().unwrap();
                let figure = &group[id];
                if figure.is_null() {
                    assert!(group["not_measured"][id].is_string(), "{} {arm} {id}", stage["name"]);
                } else {
                    assert!(figure["n"].as_u64().unwrap() > 0);
                    assert!(
                        figure["ci"].is_array() || id == "concurrency" || figure["warnings"].is_array(),
                        "{figure}"
                    );
                }
            }
        }
    }
}

#[test]
fn every_claim_stands_in_the_page() {
    let place = Place::new();
    let config = repository("tests/it/cases/small/rollout.toml");
    let report = place.report("out", &["--config", config.to_str().unwrap()]);
    let html = place.read("out/report.html");
    let claims = report["claims"].as_array().unwrap();
    assert!(claims.len() > 100);
    for claim in claims {
        let anchor = claim["id"].as_str().unwrap().replace('%', "~25");
        assert!(html.contains(&format!("id=\"claims.{anchor}\"")), "{anchor}");
    }
}

#[test]
fn the_markdown_reads_well() {
    let place = Place::new();
    let config = repository("tests/it/cases/small/rollout.toml");
    place.report("out", &["--config", config.to_str().unwrap()]);
    insta::assert_snapshot!("small_report_md", place.read("out/report.md"));
}

/// The worked example of docs/methodology.md.
#[test]
fn all_or_nothing_hours_are_worth_a_tenth_of_their_uploads() {
    let place = Place::new();
    let mut log = String::new();
    for hour in 0..20 {
        for upload in 0..10 {
            let time = format!("2025-11-{:02}T{:02}:00:{:02}", 12 + hour / 24, hour % 24, upload);
            let success = hour % 2 == 0;
            log.push_str(&format!("{{\"execution_type\": \"sync\", \"success\": {success}, \"duration_ms\": 100, \"timestamp\": \"{time}\"}}\n"));
        }
    }
    place.write("log.jsonl", log);
    let report = place.report("out", &["log.jsonl"]);
    let rate = &report["stages"][0]["groups"]["all"]["success_rate"];
    assert_eq!(rate["value"], 0.5);
    assert!((rate["design_effect"].as_f64().unwrap() - 10.0 * 20.0 / 19.0).abs() < 1e-9);
    // scipy 1.17.1 and statsmodels 0.15.0: m = 19 / (t.ppf(0.975, 19) / norm.ppf(0.975))**2,
    // proportion_confint(m / 2, m, method="wilson")
    assert!((rate["ci"][0].as_f64().unwrap() - 0.2835712218417356).abs() < 1e-6, "{rate}");
}

#[test]
fn no_interval_of_the_longest_latency_reaches_above_it() {
    let report = report();
    for stage in report["stages"].as_array().unwrap() {
        for (arm, group) in stage["groups"].as_object().unwrap() {
            let figure = &group["latency_max_ms"];
            if let (Some(value), Some(high)) = (figure["value"].as_f64(), figure["ci"][1].as_f64()) {
                assert!(high <= value, "{} {arm}: {high} above {value}", stage["name"]);
            }
        }
    }
}
