//! Comparisons, triggers and the decision, on logs with something planted in them.

use std::fmt::Write;

use serde_json::Value;

use super::{Place, scenario_report};

/// A log of one line per call, in time order.
#[derive(Default)]
struct Log(String);

/// What one upload is; the rest is the same for all.
#[derive(Clone, Copy)]
struct Upload {
    at_s: f64,
    kind: &'static str,
    error: Option<&'static str>,
    duration_ms: f64,
    provider: &'static str,
    size_mb: f64,
    memory_mb: f64,
}

const START_S: f64 = 1_762_934_400.0; // 2025-11-12T08:00:00Z
const HOUR: f64 = 3600.0;
const MINUTE: f64 = 60.0;

impl Default for Upload {
    fn default() -> Self {
        Self {
            at_s: 0.0,
            kind: "async",
            error: None,
            duration_ms: 500.0,
            provider: "kimi",
            size_mb: 0.5,
            memory_mb: 10.0,
        }
    }
}

impl Log {
    fn upload(&mut self, upload: Upload) {
        let Upload { at_s, kind, error, duration_ms, provider, size_mb, memory_mb } = upload;
        let error_type = error.map_or_else(|| "null".into(), |name| format!("\"{name}\""));
        let _ = writeln!(
            self.0,
            "{{\"execution_type\": \"{kind}\", \"success\": {}, \"duration_ms\": {duration_ms}, \"timestamp\": {}, \"error_type\": {error_type}, \"file_size_mb\": {size_mb}, \"provider\": \"{provider}\", \"file_type\": \"json\", \"memory_mb\": {memory_mb}}}",
            error.is_none(),
            START_S + at_s
        );
    }

    fn event(&mut self, at_s: f64, event_type: &str, more: &str) {
        let _ = writeln!(self.0, "{{\"event_type\": \"{event_type}\", \"timestamp\": {}{more}}}", START_S + at_s);
    }

    fn stage(&mut self, at_s: f64, percentage: u32) {
        self.event(at_s, "rollout_stage", &format!(", \"stage\": 1, \"percentage\": {percentage}"));
    }
}

/// Twelve hours of sync at one upload each 10 s, then twelve hours of async; `spoil` may change an upload of
/// the second half, given its number there. Ends with the events that `after` writes.
fn rollout(spoil: impl Fn(usize, &mut Upload), after: impl FnOnce(&mut Log)) -> Log {
    rollout_of(4320, spoil, after)
}

/// The same with so many uploads of async.
fn rollout_of(treated: usize, spoil: impl Fn(usize, &mut Upload), after: impl FnOnce(&mut Log)) -> Log {
    let mut log = Log::default();
    for index in 0..4320 {
        let error = (index % 100 == 7).then_some("TimeoutError");
        let duration_ms = 1000.0 + f64::from(index % 50) * 10.0;
        let at_s = f64::from(index) * 10.0;
        log.upload(Upload { at_s, kind: "sync", error, duration_ms, memory_mb: 100.0, ..Upload::default() });
    }
    log.stage(12.0 * HOUR, 100);
    for index in 0..treated {
        let at_s = 12.0 * HOUR + 1.0 + index as f64 * 10.0;
        let duration_ms = 600.0 + (index % 50) as f64 * 6.0;
        let mut upload = Upload { at_s, duration_ms, memory_mb: 15.0, ..Upload::default() };
        spoil(index, &mut upload);
        log.upload(upload);
    }
    after(&mut log);
    log
}

const PLAN: &str = "[[stages]]\nname='baseline'\npercentage=0\n[[stages]]\nname='100%'\npercentage=100\n[stages.criteria]\nuploads=4000\n[targets]\nmemory_reduction={min=0.8,max=0.9}\nthroughput_ratio={min=0.5}\nlatency_reduction={min=0.3,max=0.5}\ntimeout_reduction={min=0.9}\n[variants]\nfile_types=['json']\nproviders=['kimi']\nsizes_mb=[1]\n[completion]\ncriteria=['deployment','success_rate','uploads','file_types','providers','file_sizes','performance','report']\n";

fn judged(place: &Place, log: &Log) -> Value {
    place.write("rollout.toml", PLAN);
    place.write("log.jsonl", &log.0);
    place.report("out", &["log.jsonl"])
}

fn fired<'a>(report: &'a Value, trigger: &str) -> Vec<&'a Value> {
    let triggers = report["triggers"].as_array().unwrap().iter();
    triggers.filter(|entry| entry["trigger"] == trigger && entry["fired"] == true).collect()
}

fn reasons(report: &Value, finding: &str) -> usize {
    let reasons = report["decision"]["reasons"].as_array().unwrap().iter();
    reasons.filter(|reason| reason["finding"].as_str().unwrap().starts_with(finding)).count()
}

#[test]
fn a_rollout_that_reaches_everything_is_a_go_in_every_format() {
    let place = Place::new();
    let report = judged(&place, &rollout(|_, _| {}, |_| {}));
    assert_eq!(report["decision"]["value"], "go", "{:#}", report["decision"]);
    assert_eq!(report["decision"]["reasons"].as_array().unwrap().len(), 0);
    assert!(report["triggers"].as_array().unwrap().iter().all(|trigger| trigger["fired"] == false));
    for format in ["text", "json", "github", "junit"] {
        let run = place.run(&["check", "--format", format, "log.jsonl"]).expect(0);
        assert!(format == "github" || !run.out.is_empty());
    }
    let junit = place.run(&["check", "--format", "junit", "log.jsonl"]).out;
    assert!(junit.contains("<testsuite name=\"criteria\" tests=\"4\" failures=\"0\" skipped=\"0\">"), "{junit}");
}

/// Every third upload fails for five minutes from the sixth hour.
fn outage(index: usize, upload: &mut Upload) {
    if (2160..2190).contains(&index) && index.is_multiple_of(2) {
        upload.error = Some("ConnectionError");
    }
}

const OUTAGE_S: f64 = 18.0 * HOUR;

#[test]
fn an_unanswered_outage_of_the_last_stage_asks_for_a_rollback() {
    let place = Place::new();
    let report = judged(&place, &rollout(outage, |_| {}));
    let incidents = fired(&report, "success_rate_low");
    assert_eq!(incidents.len(), 2, "one for each scope");
    let incident = incidents[0];
    assert_eq!((&incident["answer"], &incident["answered_after_seconds"]), (&"none".into(), &Value::Null));
    assert!(incident["from"].as_str().unwrap() <= "2025-11-13T02:00:00Z");
    assert_eq!(report["decision"]["value"], "rollback");
    assert_eq!(reasons(&report, "triggers.100%"), 1, "one outage, one reason: {:#}", report["decision"]);
    assert!(report["next_steps"][0]["text"].as_str().unwrap().starts_with("Roll the last stage back"));
    let run = place.run(&["check", "log.jsonl"]).expect(1);
    assert!(run.out.contains("ROLL BACK") && run.out.contains("no rollback followed"), "{}", run.out);
    let junit = place.run(&["check", "--format", "junit", "log.jsonl"]).expect(1).out;
    assert!(junit.contains("<failure message=\"Roll back: the last stage must be taken back\"/>"), "{junit}");
    let html = place.read("out/report.html");
    let anchor = report["decision"]["reasons"][0]["finding"].as_str().unwrap().replace('%', "~25").replace(':', "~3a");
    assert!(html.contains(&format!("id=\"claims.{anchor}\"")), "the reason leads to {anchor}");
}

#[test]
fn a_rollback_within_five_minutes_is_an_answer_and_a_later_one_is_not() {
    for (after_s, answer, decision) in [(240.0, "in_time", "review"), (3600.0, "late", "no_go")] {
        let place = Place::new();
        let log = rollout(outage, |log| log.event(OUTAGE_S + after_s, "rollback", ", \"reason\": \"errors\""));
        let report = judged(&place, &log);
        assert_eq!(fired(&report, "success_rate_low")[0]["answer"], answer);
        assert_eq!(report["decision"]["value"], decision, "{:#}", report["decision"]);
    }
}

#[test]
fn the_summary_tells_the_incident() {
    let place = Place::new();
    let report = judged(&place, &rollout(outage, |_| {}));
    let summary = report["summary"].to_string();
    assert!(summary.contains("a rollback incident") && summary.contains("not answered by a rollback"), "{summary}");
}

#[test]
fn a_critical_error_is_known_to_the_minute() {
    let place = Place::new();
    let spoil = |index: usize, upload: &mut Upload| {
        if index == 1000 {
            upload.error = Some("MemoryError");
        }
    };
    let at_s = 12.0 * HOUR + 1.0 + 10_000.0;
    let report = judged(&place, &rollout(spoil, |log| log.event(at_s + 200.0, "rollback", "")));
    let incidents = fired(&report, "critical_error");
    assert_eq!(incidents.len(), 2, "all and treated");
    // The upload ended at 22:46:41: its minute began 41 s before it, and the rollback came 200 s after it.
    assert_eq!(incidents[0]["from"], "2025-11-12T22:46:00Z");
    assert_eq!(incidents[0]["answered_after_seconds"], 241.0);
    let events = report["events"].as_array().unwrap();
    assert!(events.iter().all(|event| !event["event_type"].as_str().unwrap().starts_with("stagegate.")));
}

#[test]
fn a_memory_spike_is_seen_and_a_steady_level_is_not() {
    let place = Place::new();
    let spike = |index: usize, upload: &mut Upload| {
        upload.memory_mb = 15.0 + (index % 7) as f64 * 0.2;
        if (2000..2060).contains(&index) {
            upload.memory_mb *= 2.0;
        }
    };
    let report = judged(&place, &rollout(spike, |_| {}));
    let incidents = fired(&report, "memory_spike");
    assert_eq!(incidents.len(), 2, "all and treated");
    assert!(incidents[0]["worst"].as_f64().unwrap() > 1.8);
    let report = judged(&place, &rollout(|index, upload| upload.memory_mb = 15.0 + (index % 7) as f64 * 0.2, |_| {}));
    assert!(fired(&report, "memory_spike").is_empty());
}

#[test]
fn complaints_above_twice_the_baselines_ask_for_a_review() {
    let place = Place::new();
    let complaints = |log: &mut Log| {
        log.event(HOUR, "complaint", ", \"count\": 2");
        log.event(20.0 * HOUR, "complaint", ", \"count\": 15");
    };
    let report = judged(&place, &rollout(|_, _| {}, complaints));
    let incidents = fired(&report, "complaints_rising");
    assert_eq!(incidents.len(), 1);
    // 15 of the 2 880 uploads of that day against 2 of 4 320: scipy 1.17.1 binom.sf(14, 17, 5760 / 10080)
    assert!((incidents[0]["p_value"].as_f64().unwrap() - 0.006_665_003_5).abs() < 1e-6, "{}", incidents[0]);
    assert_eq!(report["decision"]["value"], "review");
}

#[test]
fn a_slow_stretch_asks_for_a_review_and_shows_as_a_shift() {
    let place = Place::new();
    let slow = |index: usize, upload: &mut Upload| {
        upload.duration_ms += (index / 360 * 7 % 13) as f64;
        if index >= 2880 {
            upload.duration_ms *= 2.6;
        }
    };
    let report = judged(&place, &rollout_of(8640, slow, |_| {}));
    assert!(!fired(&report, "latency_degraded").is_empty());
    let points = report["change_points"].as_array().unwrap();
    let point = points.iter().find(|point| point["metric"] == "latency_p50_ms").expect("a shift of latency");
    assert_eq!(point["at"], "2025-11-13T04:00:00Z");
    let times = point["after"].as_f64().unwrap() / point["before"].as_f64().unwrap();
    assert!((times - 2.6).abs() < 0.05, "{times}");
    let told = point["coincidences"].to_string();
    assert!(told.contains("latency_degraded"), "{told}");
}

#[test]
fn a_gap_neither_fires_nor_ends_an_incident() {
    // The log falls silent in the middle of an outage and comes back with it.
    let place = Place::new();
    let outage = |index: usize, upload: &mut Upload| {
        if (2160..2220).contains(&index) && index.is_multiple_of(2) {
            upload.error = Some("ConnectionError");
        }
        if index >= 2190 {
            upload.at_s += 2.0 * HOUR;
        }
    };
    let report = judged(&place, &rollout(outage, |_| {}));
    let incidents = fired(&report, "success_rate_low");
    assert_eq!(incidents.len(), 2, "one for each scope: {incidents:#?}");
    assert!(incidents[0]["to"].as_str().unwrap() > "2025-11-13T04:00:00Z");
}

#[test]
fn planted_troubles_are_named_and_never_a_go() {
    let seen = |scenario: &str, finding: &str| {
        let report = scenario_report(scenario);
        assert_ne!(report["decision"]["value"], "go", "{scenario}");
        assert!(reasons(report, finding) > 0, "{scenario}: {:#}", report["decision"]);
        report
    };
    seen("broken-split", "data_quality.split.10%");
    seen("fallback-storm", "fallbacks.100%");
    // What was answered within minutes, and went on well, is told and decides nothing.
    let incident = scenario_report("incident");
    assert_eq!(incident["decision"]["value"], "go");
    assert!(
        incident["summary"][0].as_str().unwrap().contains("to know: an incident in stage 50%"),
        "{}",
        incident["summary"][0]
    );
    seen("no-memory", "improvements.memory_reduction");
    let regression = seen("regression", "comparisons.");
    let found = regression["regressions"]["found"].as_array().unwrap();
    assert!(!found.is_empty() && found.iter().all(|id| id.as_str().unwrap().contains("provider=glm")), "{found:?}");
    let shifted = seen("mix-shift", "improvements.latency_reduction");
    let latency = shifted["improvements"].as_array().unwrap().iter().find(|i| i["id"] == "latency_reduction").unwrap();
    assert_eq!(latency["mix_changed"], true);
    // Async is as slow as sync there: with the baseline's mix nothing is left of the reduction.
    let [low, high] = [0, 1].map(|end| latency["adjusted"]["ci"][end].as_f64().unwrap());
    assert!(low < 0.03 && high > -0.03 && latency["value"].as_f64().unwrap() > 0.05, "{latency:#}");
}

#[test]
fn a_healthy_rollout_raises_no_alarm() {
    let place = Place::new();
    place.generate("log.jsonl", "good", 30_000);
    let report = place.report("out", &["log.jsonl"]);
    assert!(report["triggers"].as_array().unwrap().iter().all(|trigger| trigger["fired"] == false));
    assert!(report["improvements"].as_array().unwrap().iter().all(|improvement| improvement["mix_changed"] == false));
    assert_eq!(report["regressions"]["found"].as_array().unwrap().len(), 0);
    assert_eq!(report["change_points"].as_array().unwrap().len(), 0, "{:#}", report["change_points"]);
    for level in ["no_go", "rollback"] {
        assert_ne!(report["decision"]["value"], level);
    }
}

/// 1200 uploads, one a minute, so many of ten of them large; durations of small and large ones.
fn mixed(log: &mut Log, kind: &'static str, start_s: f64, large_of_ten: u32, [small_ms, large_ms]: [f64; 2]) {
    for index in 0..1200 {
        let is_large = index % 10 < large_of_ten;
        let (size_mb, duration_ms) = if is_large { (20.0, large_ms) } else { (0.5, small_ms) };
        let at_s = start_s + f64::from(index) * MINUTE;
        let duration_ms = duration_ms + f64::from(index % 3);
        log.upload(Upload { at_s, kind, duration_ms, size_mb, ..Upload::default() });
    }
}

/// The worked example of docs/methodology.md: async is faster for small and for large files, and looks slower.
#[test]
fn the_same_mix_turns_a_paradox_over() {
    let place = Place::new();
    let mut log = Log::default();
    mixed(&mut log, "sync", 0.0, 2, [100.0, 1000.0]);
    log.stage(24.0 * HOUR, 100);
    mixed(&mut log, "async", 24.0 * HOUR + 60.0, 6, [80.0, 800.0]);
    let report = judged(&place, &log);
    let id = "baseline/all..100%/treated.latency_mean_ms";
    let comparison = report["comparisons"].as_array().unwrap().iter().find(|c| c["id"] == id).unwrap();
    // (0.4 * 81 + 0.6 * 801) / (0.8 * 101 + 0.2 * 1001) and (0.8 * 81 + 0.2 * 801) / (0.8 * 101 + 0.2 * 1001)
    let (crude, adjusted) = (513.0 / 281.0, 225.0 / 281.0);
    assert!((comparison["crude"]["ratio"].as_f64().unwrap() - crude).abs() < 1e-9, "{comparison:#}");
    assert!((comparison["adjusted"]["ratio"].as_f64().unwrap() - adjusted).abs() < 1e-9, "{comparison:#}");
    assert_eq!((&comparison["mix_changed"], &comparison["adjusted"]["mix_covered"]), (&true.into(), &1.0.into()));
}

/// What a person leaves out is counted, and the report says what it would be with it; a cube says the same.
#[test]
fn what_is_left_out_is_told_with_what_it_would_change() {
    let place = Place::new();
    place.run(&["generate", "--scenario", "incident", "-o", "all.jsonl"]).expect(0);
    // Nobody answers the incident.
    let log: String = place
        .read("all.jsonl")
        .lines()
        .filter(|line| !line.contains("\"rollback\""))
        .map(|l| format!("{l}\n"))
        .collect();
    let half = log.len() / 2 + log[log.len() / 2..].find('\n').unwrap() + 1;
    place.write("x.jsonl", &log);
    place.write("x1.jsonl", &log[..half]);
    place.write("x2.jsonl", &log[half..]);
    let exclude = "[[exclude]]\nfrom = 2025-11-13T12:00:00Z\nto = 2025-11-13T14:00:00Z\nreason = \"a load balancer\"\n";
    place.write("rollout.toml", exclude);
    let report = place.report("out", &["x.jsonl"]);

    // Against a reading of the same lines.
    let mut told = [0_u64; 4];
    for line in log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let Some(kind) = line["execution_type"].as_str() else { continue };
        let end = chrono::NaiveDateTime::parse_from_str(line["timestamp"].as_str().unwrap(), "%FT%T%.f").unwrap();
        let start = end - chrono::TimeDelta::microseconds((line["duration_ms"].as_f64().unwrap() * 1e3).round() as i64);
        if !("2025-11-13 12:00:00".."2025-11-13 14:00:00").contains(&&*start.to_string()) {
            continue;
        }
        let (failed, treated) = (u64::from(line["success"] == false), u64::from(kind != "sync"));
        told = [told[0] + 1, told[1] + failed, told[2] + treated, told[3] + failed * treated];
    }
    let interval = &report["left_out"]["intervals"][0];
    assert!(told[0] > 100 && told[3] > 10, "{told:?}");
    let counted = ["n", "failures", "treated", "treated_failures"].map(|key| interval[key].as_u64().unwrap());
    assert_eq!(counted, told);

    // With it, the report is the one of a config that leaves nothing out.
    place.write("whole.toml", "");
    place.run(&["report", "--config", "whole.toml", "-o", "whole", "x.jsonl"]).expect(0);
    let whole: Value = serde_json::from_str(&place.read("whole/report.json")).unwrap();
    assert_eq!(report["left_out"]["headlines"], whole["headlines"]);
    assert_eq!(report["left_out"]["decision"], whole["decision"]);
    assert_eq!((&whole["decision"]["value"], &report["decision"]["value"]), (&"no_go".into(), &"go".into()));
    let n = |report: &Value| report["stages"][3]["groups"]["all"]["n"].as_u64().unwrap();
    assert_eq!(n(&whole) - n(&report), told[0]);
    assert!(report["triggers"].as_array().unwrap().iter().all(|trigger| trigger["fired"] == false));
    let check = place.run(&["check", "x.jsonl"]).expect(0).out;
    assert!(
        check.contains("left out     Left out by people: ") && check.contains("decision would be No go"),
        "{check}"
    );

    let page = place.read("out/report.md");
    assert!(page.contains("### What people left out") && page.contains("| decision | | Go | | No go |"), "{page}");

    // Cubes of halves, merged.
    place.run(&["cube", "x1.jsonl", "--timeline", "x2.jsonl", "-o", "1.cube"]).expect(0);
    place.run(&["cube", "x2.jsonl", "--timeline", "x1.jsonl", "-o", "2.cube"]).expect(0);
    let merged = place.report("merged", &["1.cube", "2.cube"]);
    assert_eq!((&merged["stages"], &merged["left_out"]), (&report["stages"], &report["left_out"]));
    place.write("rollout.toml", "");
    let other = place.run(&["check", "1.cube", "2.cube"]).expect(2).err;
    assert!(other.contains("the cube was made with another [[exclude]]"), "{other}");

    for (wrong, why) in [
        (exclude.replace("14:00", "11:00"), "rollout.toml:3:1: to is not later than from"),
        (exclude.replace("a load balancer", " "), "rollout.toml:4:1: reason is empty"),
        (format!("{exclude}{exclude}"), "rollout.toml:6:1: two intervals that are left out have a moment in common"),
    ] {
        place.write("rollout.toml", wrong);
        let told = place.run(&["check", "x.jsonl"]).expect(2).err;
        assert!(told.contains(why), "{told}");
    }
}
