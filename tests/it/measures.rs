//! A log of other things than uploads: its noun, its arms, its dimension and its measure, all from `[record]`.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use super::{Place, files_below};

/// 2 March 2026, 00:00 UTC
const START: u64 = 1_772_409_600;
const HOURS: u64 = 24;
/// Stages of 24 hours each.
const STAGES: [f64; 3] = [0.0, 50.0, 100.0];
/// Records of an hour.
const PER_HOUR: u64 = 80;

/// Numbers between 0 and 1 (Knuth's MMIX generator).
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// What the log says of one record.
struct Told {
    stage: usize,
    new: bool,
    cost: Option<f64>,
}

/// A rollout of jobs in another team's words, with a cost, an incident that is rolled back, a stretch of dear jobs,
/// repeated ids, and lines that cannot be read.
fn log() -> (String, Vec<Told>) {
    let mut random = Random(11);
    let (mut lines, mut told) = (String::new(), Vec::new());
    for (stage, percentage) in STAGES.into_iter().enumerate() {
        let from = START + stage as u64 * HOURS * 3600;
        let _ =
            writeln!(lines, r#"{{"event_type": "rollout_stage", "timestamp": {from}, "percentage": {percentage}}}"#);
        for index in 0..HOURS * PER_HOUR {
            let at = from as f64 + 10.0 + index as f64 * 3600.0 / PER_HOUR as f64;
            let new = random.next() * 100.0 < percentage;
            let hour = index / PER_HOUR;
            let storm = stage == 1 && hour == 12;
            let fails = random.next() < if storm { 0.5 } else { 0.01 };
            let fell_back = new && random.next() < 0.03;
            let arm = if fell_back {
                "new_then_old"
            } else if new {
                "new"
            } else {
                "old"
            };
            let dear = if stage == 1 && hour == 6 && index % PER_HOUR < 40 { 4.0 } else { 1.0 };
            let cost =
                (random.next() < 0.9).then(|| dear * (0.01 + random.next() * 0.02) * if new { 0.6 } else { 1.0 });
            let usage = cost.map_or_else(|| "null".to_owned(), |cost| format!(r#"{{"cost_usd": {cost:?}}}"#));
            let duration = 300.0 + random.next() * 900.0 * if new { 0.7 } else { 1.0 };
            let error = match (fails, storm) {
                (false, _) => "null",
                (true, true) => "\"TimeoutError\"",
                (true, false) => "\"Boom\"",
            };
            let region = ["eu", "us", "ap"][index as usize % 3];
            let _ = writeln!(
                lines,
                r#"{{"when": {at:.3}, "path": "{arm}", "ok": {}, "took": {duration:?}, "why": {error}, "tags": {{"region": "{region}"}}, "usage": {usage}, "id": "{}-{}"}}"#,
                !fails,
                stage,
                index - u64::from(index % 500 == 499)
            );
            told.push(Told { stage, new, cost });
        }
    }
    let rollback = START + (HOURS + 12) * 3600 + 600;
    let _ = writeln!(lines, r#"{{"event_type": "rollback", "timestamp": {rollback}}}"#);
    lines.push_str("{\"when\": 1772409700, \"path\": \"other\", \"ok\": true, \"took\": 5}\n{broken\n");
    (lines, told)
}

const CONFIG: &str = r#"
[record]
noun = ["job", "jobs"]
[record.arms]
control = ["old"]
treated = ["new"]
fallback = ["new_then_old"]
names = { control = "old", treated = "new" }
[[record.dimensions]]
name = "region"
field = "tags.region"
[[record.measures]]
name = "cost"
field = "usage.cost_usd"
unit = "USD"
better = "lower"

[[sources]]
[sources.fields]
timestamp = { path = "when", unit = "s" }
duration = { path = "took", unit = "ms" }
success = "ok"
error = "why"
arm = "path"
id = "id"

[[stages]]
name = "before"
percentage = 0
[[stages]]
name = "half"
percentage = 50
[[stages]]
name = "all"
percentage = 100

[[improvements]]
metric = "cost_mean"
as = "reduction"
min = 0.2
[[improvements]]
metric = "throughput"
as = "ratio"
[[criteria]]
metric = "cost_p95"
at_most = 0.01
[[criteria]]
metric = "n"
at_least = 100
[[criteria]]
metric = "cost_sum_per_record"
at_most_times_baseline = 1.0
[[triggers.watch]]
name = "dear_jobs"
metric = "cost_mean"
at_most_times_baseline = 1.5
severity = "review"

[completion]
criteria = ["deployment", "success_rate", "uploads", "tests", "performance", "report", "validation"]
"#;

fn reported() -> (Place, Value, Vec<Told>) {
    let place = Place::new();
    let (lines, told) = log();
    place.write("jobs.jsonl", lines);
    place.write("rollout.toml", CONFIG);
    let report = place.report("out", &["jobs.jsonl"]);
    (place, report, told)
}

#[test]
fn a_measure_of_the_config_has_all_that_others_have() {
    let (place, report, told) = reported();
    // Against a reading of the same lines in plain Rust.
    for (stage, group, treated) in
        [(0, "all", false), (1, "treated", true), (1, "control", false), (2, "treated", true)]
    {
        let of_arm: Vec<&Told> = told.iter().filter(|told| told.stage == stage && told.new == treated).collect();
        let mut costs: Vec<f64> = of_arm.iter().filter_map(|told| told.cost).collect();
        costs.sort_by(f64::total_cmp);
        let figures = &report["stages"][stage]["groups"][group];
        let value = |id: &str| figures[id]["value"].as_f64().unwrap();
        let sum: f64 = costs.iter().sum();
        assert_eq!(figures["n"], of_arm.len());
        assert!((value("cost_mean") - sum / costs.len() as f64).abs() < 1e-9);
        assert!((value("cost_sum_per_record") - sum / of_arm.len() as f64).abs() < 1e-9);
        for (id, q) in [("cost_p50", 0.5), ("cost_p95", 0.95)] {
            let exact = costs[(q * costs.len() as f64).ceil() as usize - 1];
            assert!((value(id) / exact - 1.0).abs() < 0.001, "{id}");
        }
        // One dear half hour may hold the dearest 5 %: nobody knows how many such hours there could be.
        let ids = ["cost_mean", "cost_p50", "cost_sum_per_record", "cost_p95"];
        for id in &ids[..if stage == 1 { 3 } else { 4 }] {
            let [low, high] = [0, 1].map(|end| figures[*id]["ci"][end].as_f64().unwrap());
            assert!(low < value(id) && value(id) < high, "{id}");
        }
    }
    let improvement = &report["improvements"][0];
    assert_eq!(
        (&improvement["label"], &improvement["status"]),
        (&"Cost reduction".into(), &"met".into()),
        "{improvement}"
    );
    // What the plan speaks of, and what users feel whatever it speaks of.
    let headlines = report["headlines"].as_array().unwrap().iter().map(|line| line["metric"].as_str().unwrap());
    assert_eq!(
        headlines.collect::<Vec<_>>(),
        ["error_rate", "cost_mean", "throughput_jobs_per_s", "latency_p50_ms", "latency_p95_ms"]
    );
    let of = |list: &str, key: &str, wanted: &str| -> Vec<Value> {
        let all = report[list].as_array().unwrap().iter();
        all.filter(|item| item[key].as_str().unwrap().starts_with(wanted)).cloned().collect()
    };
    let criteria: BTreeMap<String, String> = of("criteria", "metric", "cost")
        .iter()
        .map(|item| {
            (
                format!("{} {}", item["stage"].as_str().unwrap(), item["label"].as_str().unwrap()),
                item["status"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    assert_eq!(
        criteria.into_iter().map(|(name, status)| format!("{name}: {status}")).collect::<Vec<_>>(),
        [
            "all Cost, in all vs baseline: met",
            "all Cost, p95: not_met",
            "half Cost, in all vs baseline: met",
            "half Cost, p95: not_met"
        ]
    );
    assert!(of("comparisons", "metric", "cost_mean").iter().any(|item| !item["adjusted"].is_null()));
    assert!(of("change_point_searches", "metric", "cost_mean").len() >= 3);
    let incidents: Vec<Value> =
        of("triggers", "trigger", "dear_jobs").into_iter().filter(|item| item["fired"] == true).collect();
    assert!(
        incidents
            .iter()
            .all(|item| item["stage"] == "half" && item["from"].as_str().unwrap().starts_with("2026-03-03T0"))
    );
    assert!(incidents.iter().any(|item| item["text"].as_str().unwrap().starts_with("mean cost ")), "{incidents:?}");
    assert!(place.path("out/charts/measure-cost.svg").is_file());
    let regions = report["comparisons"].as_array().unwrap().iter().filter(|item| !item["segment"]["region"].is_null());
    assert_eq!(regions.count(), 12);
}

/// Every sentence, heading, chart and unit has the words of the config.
#[test]
fn no_output_speaks_of_uploads_where_the_log_holds_jobs() {
    let (place, _, _) = reported();
    // Another report, for what compares.
    place.report("before", &["jobs.jsonl"]);
    let mut outputs: Vec<(String, String)> = Vec::new();
    for arguments in [
        &["report", "jobs.jsonl", "--out", "again"][..],
        &["check", "jobs.jsonl"],
        &["check", "jobs.jsonl", "--format", "github"],
        &["check", "jobs.jsonl", "--format", "junit"],
        &["inspect", "jobs.jsonl"],
        &["diff", "before/report.json", "out/report.json"],
        &["daily", "--date", "2026-03-03", "jobs.jsonl"],
        &["status"],
    ] {
        let run = place.run(arguments);
        assert!([0, 1].contains(&run.code), "{arguments:?}: {}", run.err);
        outputs.push((arguments.join(" "), run.out + &run.err));
    }
    for (path, bytes) in files_below(&place.path("out")) {
        // The texts of a table of Parquet are those of the CSV beside it.
        if path.extension().is_none_or(|ending| ending != "parquet") {
            outputs.push((path.display().to_string(), String::from_utf8(bytes).unwrap()));
        }
    }
    let mut found = Vec::new();
    for (name, text) in &outputs {
        let text = text.to_lowercase();
        for line in text.lines() {
            let words = line.split(|c: char| !c.is_ascii_alphanumeric());
            if words
                .clone()
                .any(|word| word.starts_with("upload") || word.starts_with("sync") || word.starts_with("async"))
            {
                found.push(format!("{name}: {line}"));
            }
        }
    }
    assert!(outputs.len() > 20);
    assert!(found.is_empty(), "{}", found.join("\n"));
}
