//! Kinds of fault that people met, each with the small log on which it showed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::{Place, Run, files_below, repository};

impl Place {
    /// A copy of a small log and its config.
    pub(crate) fn case(name: &str) -> Self {
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

/// A report is written over an older one and killed at some moment, sooner or later.
#[cfg(unix)]
#[test]
fn killed_while_it_writes_a_run_leaves_no_new_text_beside_old_charts() {
    let place = Place::new();
    place.generate("new.jsonl", "good", 2000);
    let log = place.read("new.jsonl");
    let shorter: Vec<&str> = log.lines().take(1800).collect();
    place.write("old.jsonl", shorter.join("\n"));
    let files = |out: &str| -> BTreeMap<PathBuf, Vec<u8>> {
        let left_behind = |path: &PathBuf| path.to_string_lossy().starts_with(".stagegate");
        files_below(&place.path(out)).into_iter().filter(|(path, _)| !left_behind(path)).collect()
    };
    let name = |out: &str, log: &str| {
        std::fs::copy(place.path(log), place.path("log.jsonl")).expect("a copy");
        place.report(out, &["log.jsonl"]);
        files(out)
    };
    let (old, new) = (name("old", "old.jsonl"), name("new", "new.jsonl"));
    assert!(old.keys().eq(new.keys()) && old != new);
    let arguments = ["report", "-q", "--generated-at", "2025-11-18T12:00:00Z", "--out", "out", "log.jsonl"];
    let mut ends = [0, 0];
    // On a busy machine a run may have decided before anybody looks: then it is tried again.
    for (round, pause_us) in [0, 300, 1000, 2000, 4000, 9000].into_iter().chain([0; 24]).enumerate() {
        if round >= 6 && ends[0] > 0 {
            break;
        }
        let _ = std::fs::remove_dir_all(place.path("out"));
        std::fs::create_dir_all(place.path("out/charts")).expect("a folder");
        old.iter().for_each(|(path, content)| std::fs::write(place.path("out").join(path), content).expect("a file"));
        let mut run = Command::new(env!("CARGO_BIN_EXE_stagegate"))
            .args(arguments)
            .current_dir(place.path("."))
            .spawn()
            .expect("stagegate starts");
        let begun = || std::fs::read_dir(place.path("out")).expect("a folder").flatten().count() > 4;
        while !begun() && run.try_wait().expect("a child").is_none() {}
        std::thread::sleep(Duration::from_micros(pause_us));
        let _ = run.kill();
        run.wait().expect("a child");
        let found = files("out");
        // Files change places in one step each. Killed between two of these steps a run has decided already: every
        // file is whole, no text is newer than the pictures beside it, and the next run does the other steps.
        let is = |report: &BTreeMap<PathBuf, Vec<u8>>, path: &PathBuf| found[path] == report[path];
        let (charts, texts): (Vec<_>, Vec<_>) = found.keys().partition(|path| path.starts_with("charts"));
        assert!(found.keys().eq(new.keys()) && found.keys().all(|path| is(&old, path) || is(&new, path)));
        let pictures_are_old = charts.iter().any(|path| !is(&new, path));
        assert!(
            !pictures_are_old || texts.iter().all(|path| is(&old, path)),
            "new text beside old charts {pause_us} us after the first file"
        );
        ends[usize::from(found != old)] += 1;
        // The next run finds nothing in its way and leaves nothing behind.
        place.report("out", &["log.jsonl"]);
        assert!(files("out") == new && files_below(&place.path("out")).len() == new.len());
    }
    assert!(ends[0] > 0, "no run was killed before it had decided: {ends:?}");
}

#[cfg(unix)]
#[test]
fn a_pipe_is_a_file_like_any_other() {
    let place = Place::new();
    place.generate("log.jsonl", "good", 1000);
    let of_file = place.report("file", &["log.jsonl"]);
    assert!(Command::new("mkfifo").arg(place.path("pipe")).status().expect("mkfifo").success());
    let feed = |to: PathBuf| {
        let log = place.read("log.jsonl");
        std::thread::spawn(move || std::fs::write(to, log).expect("somebody reads"))
    };
    let fed = feed(place.path("pipe"));
    let of_pipe = place.report("pipe-out", &["pipe"]);
    fed.join().expect("written whole");
    // By a pattern it is met by chance, and may have nobody that writes to it.
    let told = place.run(&["report", "-q", "p*"]).expect(2).err;
    assert!(told.contains("pipe: p* matches it, and it is a pipe"), "{told}");
    let log = std::fs::File::open(place.path("log.jsonl")).expect("the log");
    let mut cat = Command::new("cat").stdin(log).stdout(Stdio::piped()).spawn().expect("cat");
    let run = Run::of(
        Command::new(env!("CARGO_BIN_EXE_stagegate"))
            .args(["report", "-q", "--out", "stdin-out", "/dev/stdin"])
            .current_dir(place.path("."))
            .stdin(cat.stdout.take().expect("piped")),
    );
    cat.wait().expect("cat ends");
    run.expect(0);
    let of_stdin: Value = serde_json::from_str(&place.read("stdin-out/report.json")).expect("JSON");
    for (other, name) in [(of_pipe, "pipe"), (of_stdin, "/dev/stdin")] {
        assert_eq!(other["stages"], of_file["stages"]);
        assert_eq!(
            (&other["inputs"][0]["path"], &other["inputs"][0]["digest"]),
            (&name.into(), &of_file["inputs"][0]["digest"])
        );
    }
}

#[test]
fn a_stream_cannot_be_watched() {
    let place = Place::new();
    let run = place.run(&["report", "--watch", "-"]).expect(2);
    assert!(
        run.err.contains("a stream can be read only once") && run.err.contains("--watch needs files"),
        "{}",
        run.err
    );
}

/// A report of a later version may know improvements that this one does not.
#[test]
fn a_difference_names_an_improvement_that_it_does_not_know() {
    let place = Place::new();
    place.generate("log.jsonl", "good", 2000);
    let mut report = place.report("out", &["log.jsonl"]);
    report["improvements"][0]["id"] = "cost_reduction".into();
    report["improvements"][0]["label"] = "Cost reduction".into();
    report["improvements"][0]["metric"] = "cost_mean_usd".into();
    place.write("before.json", report.to_string());
    report["improvements"][0]["status"] = "not_met".into();
    report["improvements"][0]["value"] = (-0.5).into();
    report["improvements"][0]["ci"] = serde_json::json!([-0.6, -0.4]);
    place.write("after.json", report.to_string());
    let difference = place.run(&["diff", "before.json", "after.json"]).expect(0).out;
    assert!(difference.contains("- cost reduction: "), "{difference}");
}
