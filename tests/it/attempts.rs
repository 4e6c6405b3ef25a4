//! What was rolled back is told apart from what began again.

use std::fmt::Write;

use serde_json::Value;

use super::verdict::{At, LATENCY, Law, START, Visit, first_sentence, healthy, judged, log, plan, visit};

/// Broken at 10 %, taken back, mended, begun again.
const RESTARTED: [Visit; 6] = [visit(0.0), visit(10.0), visit(0.0), visit(10.0), visit(50.0), visit(100.0)];
const HOURS: u64 = 30;

/// Six in ten of the treated records of the first 10 % fail.
fn broken_at_first(at: &At) -> Law {
    let broken = at.visit == 1 && at.treated;
    Law { errors: vec![("ServerError", if broken { 0.6 } else { 0.001 })], ..healthy(at) }
}

fn rollback(second: u64) -> String {
    format!("{{\"event_type\": \"rollback\", \"timestamp\": {second}}}\n")
}

/// The lines of `log` whose visit, by its hours, is one of these.
fn of_visits(log: &str, visits: &[u64]) -> String {
    let mut kept = String::new();
    for line in log.lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        // Records are placed by when they began.
        let began = value["timestamp"].as_f64().unwrap() - value["duration_ms"].as_f64().unwrap_or_default() / 1000.0;
        let visit = (began - START as f64) / (HOURS * 3600) as f64;
        if visits.contains(&(visit.floor() as u64)) {
            let _ = writeln!(kept, "{line}");
        }
    }
    kept
}

#[test]
fn the_attempt_that_runs_is_judged_and_the_one_before_is_history() {
    let whole = log(11, &RESTARTED, broken_at_first) + &rollback(START + 2 * HOURS * 3600);
    let (value, report) = judged(LATENCY, &whole);
    assert_eq!(value, "go", "{:#}", report["decision"]);
    first_sentence(&report, "Go");
    let attempts = report["attempts"].as_array().unwrap();
    let ends: Vec<&str> = attempts.iter().map(|attempt| attempt["end"].as_str().unwrap()).collect();
    assert_eq!(ends, ["rolled_back", "open"]);
    assert_eq!(attempts[0]["stages"], serde_json::json!(["10%"]));
    assert_eq!(attempts[0]["ended_at"], "2025-11-05T12:00:00Z");
    assert_eq!(attempts[0]["n_after"].as_u64(), Some(HOURS * 60));
    let summary = report["summary"].to_string().replace('\u{202f}', " ");
    assert!(summary.contains("Attempt 1 was rolled back at 10% on 5 Nov 2025, 12:00 UTC"), "{summary}");
    // Its figures are those of a log that never held the first attempt.
    let (_, alone) = judged(LATENCY, &of_visits(&whole, &[0, 3, 4, 5]));
    for section in ["stages", "criteria", "improvements", "comparisons", "triggers", "decision"] {
        assert_eq!(report[section], alone[section], "{section}");
    }
}

#[test]
fn a_rollback_without_a_stage_event_takes_the_stage_back() {
    let mut visits = RESTARTED;
    visits[2] = Visit { hours: 20, ..visit(0.0) };
    let events = log(12, &visits[..3], broken_at_first);
    // The traffic changed, and no event says so.
    let silent: String = events
        .lines()
        .filter(|line| !(line.contains("rollout_stage") && line.contains(&(START + 2 * HOURS * 3600).to_string())))
        .map(|line| format!("{line}\n"))
        .collect();
    let (value, report) = judged(LATENCY, &(silent + &rollback(START + 2 * HOURS * 3600)));
    assert_eq!(value, "no_go", "{:#}", report["decision"]);
    first_sentence(&report, "attempt 1 was rolled back at 10% on 5 Nov 2025, 12:00 UTC");
    first_sentence(&report, "and nothing has begun since");
    assert_eq!(report["attempts"][0]["n_after"].as_u64(), Some(20 * 60));
    let stages = report["stages"].as_array().unwrap();
    let of = |name: &str| stages.iter().find(|stage| stage["name"] == name).unwrap();
    assert_eq!(of("10%")["groups"]["all"]["n"].as_u64(), Some(HOURS * 60));
    assert_eq!(of("0%")["groups"]["all"]["n"].as_u64(), Some(HOURS * 60));
}

#[test]
fn a_stage_of_0_percent_takes_back_what_ran() {
    let (value, report) = judged(LATENCY, &log(13, &RESTARTED[..3], broken_at_first));
    assert_eq!(value, "no_go", "{:#}", report["decision"]);
    first_sentence(&report, "attempt 1 stepped back from 10% on 5 Nov 2025, 12:00 UTC");
}

#[test]
fn a_rollback_that_takes_no_traffic_off_is_told() {
    let visits = [visit(0.0), visit(10.0), visit(50.0), visit(100.0)];
    let whole = log(14, &visits, healthy) + &rollback(START + (2 * HOURS + 10) * 3600);
    let (value, report) = judged(LATENCY, &whole);
    assert_eq!(value, "go", "{:#}", report["decision"]);
    assert_eq!(report["attempts"].as_array().unwrap().len(), 1);
    let findings = report["data_quality"]["findings"].to_string().replace('\u{202f}', " ");
    assert!(findings.contains("the rollback of 5 Nov 2025, 22:00 UTC took no traffic off"), "{findings}");
}

/// The second attempt has just begun: what the first failed is no longer asked.
#[test]
fn an_attempt_that_has_begun_again_runs() {
    let mut visits = RESTARTED;
    visits[3].hours = 3;
    let (value, report) = judged(LATENCY, &log(15, &visits[..4], broken_at_first));
    assert_eq!(value, "incomplete", "{:#}", report["decision"]);
    assert_eq!(report["attempts"].as_array().unwrap().len(), 2);
}

/// Both events in one second: the later line holds.
#[test]
fn of_two_events_in_one_second_the_later_line_holds() {
    let at = START + 2 * HOURS * 3600;
    let start = format!("{{\"event_type\": \"rollout_stage\", \"timestamp\": {at}, \"percentage\": 50}}\n");
    let visits = [visit(0.0), visit(10.0), visit(50.0)];
    let records: String = log(16, &visits, healthy)
        .lines()
        .filter(|line| !line.contains("\"percentage\": 50"))
        .map(|line| format!("{line}\n"))
        .collect();
    let (_, started) = judged(LATENCY, &(rollback(at) + &start + &records));
    assert_eq!(started["attempts"].as_array().unwrap().len(), 2);
    assert_eq!(started["attempts"][1]["stages"], serde_json::json!(["50%"]));
    let (_, back) = judged(LATENCY, &(start + &rollback(at) + &records));
    assert_eq!(back["attempts"].as_array().unwrap().len(), 1);
    assert_eq!(back["attempts"][0]["stages"], serde_json::json!(["10%"]));
}

#[test]
fn a_stage_is_asked_about_in_the_attempt_that_runs() {
    // The first attempt got further before it was taken back than the stage that is asked about.
    let visits = [visit(0.0), visit(10.0), visit(50.0), visit(0.0), visit(10.0), visit(50.0)];
    let broken = |at: &At| {
        let failures = if at.visit == 2 && at.treated { 0.6 } else { 0.001 };
        Law { errors: vec![("ServerError", failures)], ..healthy(at) }
    };
    let place = super::Place::new();
    place.write("rollout.toml", plan(LATENCY));
    place.write("log.jsonl", log(13, &visits, broken) + &rollback(START + 3 * HOURS * 3600));
    let answer = place.run(&["check", "--stage", "10%", "--format", "json", "log.jsonl"]).expect(0).out;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let of_stages = answer["criteria"].as_array().unwrap().iter().map(|criterion| criterion["stage"].as_str().unwrap());
    assert!(of_stages.clone().count() > 0 && of_stages.clone().all(|stage| stage == "10%"), "{answer:#}");
    let findings = answer["data_quality"]["findings"].to_string();
    assert!(!findings.contains("unknown_stage"), "{findings}");
    assert!(
        findings.contains("are of earlier attempts") && findings.contains("of later stages are left out"),
        "{findings}"
    );
}
