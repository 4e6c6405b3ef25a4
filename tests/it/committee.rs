//! What a release committee would not let pass: gains that are lost where no control is left, outages of both ways,
//! sessions that go one way, tails that nobody asked about.

use std::fmt::Write;

use serde_json::Value;

use super::Place;
use super::verdict::{At, LATENCY, Law, PLAN, START, first_sentence, healthy, judged, log, plan};

/// `healthy`, but slow or failing as `spoil` has it.
fn but(spoil: impl Fn(&At, &mut Law)) -> impl Fn(&At) -> Law {
    move |at| {
        let mut law = healthy(at);
        spoil(at, &mut law);
        law
    }
}

fn improvement<'r>(report: &'r Value, metric: &str) -> &'r Value {
    report["improvements"].as_array().unwrap().iter().find(|known| known["metric"] == metric).unwrap()
}

#[test]
fn a_gain_that_is_lost_at_100_percent_is_no_target_that_is_met() {
    let lost = but(|at, law| {
        if at.visit == 3 {
            law.median_ms = 1000.0;
        }
    });
    for seed in [1, 2, 3] {
        let (decision, report) = judged(LATENCY, &log(seed, &PLAN, &lost));
        assert_eq!(
            (decision.as_str(), improvement(&report, "latency_p50_ms")["status"].as_str()),
            ("review", Some("open"))
        );
        let reasons = report["decision"]["reasons"].to_string();
        assert!(reasons.contains("in stage 100% no control tells why"), "{reasons}");
        // Without a target, too.
        let (decision, report) = judged("latency_reduction = {}", &log(seed, &PLAN, &lost));
        let reasons = report["decision"]["reasons"].to_string();
        assert!(
            decision == "review" && reasons.contains("the gain of the split is not there in stage 100%"),
            "{reasons}"
        );
    }
}

#[test]
fn an_outage_of_both_ways_is_not_the_rollouts() {
    let outage = |both: bool| {
        but(move |at, law| {
            if at.visit == 2 && (12.0..13.0).contains(&at.hour_of_visit) && (both || at.treated) {
                law.errors.insert(0, ("ConnectionError", 0.5));
            }
        })
    };
    let visits = PLAN.map(|visit| super::verdict::Visit { per_hour: 120, ..visit });
    let (decision, report) = judged(LATENCY, &log(5, &visits, outage(true)));
    assert_eq!(decision, "review", "{:#}", report["decision"]);
    first_sentence(&report, "sync alike: not the rollout's");
    let (decision, report) = judged(LATENCY, &log(5, &visits, outage(false)));
    assert_eq!(decision, "no_go", "{:#}", report["decision"]);
    first_sentence(&report, "no rollback followed");
}

#[test]
fn a_tail_that_nobody_asked_about_is_told_first() {
    let tail = but(|at, law| {
        // The median of the rest makes up for it.
        if at.treated && ((at.hour * 1e4) as u64).is_multiple_of(9) {
            law.median_ms = 12_000.0;
        }
    });
    let (decision, report) = judged(LATENCY, &log(7, &PLAN, tail));
    assert_eq!(decision, "review", "{:#}", report["decision"]);
    first_sentence(&report, "latency, p95 got worse, and nothing in the plan asks about it");
}

/// Sessions of nine records, each of one arm: the shares of ten hours scatter, and the split is what was set.
fn sessions(share: f64, salt: u64) -> String {
    let mut lines = String::new();
    for (percentage, from) in [(0.0, 0), (share, 40), (1.0, 120)] {
        let at = START + from * 3600;
        let set = if percentage == share { 0.1 } else { percentage };
        let _ =
            writeln!(lines, r#"{{"event_type": "rollout_stage", "timestamp": {at}, "percentage": {}}}"#, set * 100.0);
        let until = if from == 40 { 120 } else { from + 40 };
        for hour in from..until {
            for session in 0..12_u64 {
                // A hash in place of a random number (Steele, Lea and Flood 2014).
                let mut drawn = (salt * 7919 + hour * 12 + session).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                drawn = (drawn ^ (drawn >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                drawn = (drawn ^ (drawn >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                let treated = ((drawn ^ (drawn >> 31)) >> 11) as f64 / ((1_u64 << 53) as f64) < percentage;
                for record in 0..9 {
                    let (kind, ms) = if treated { ("async", 600) } else { ("sync", 1000) };
                    let at = START + hour * 3600 + session * 290 + record * 7;
                    let _ = writeln!(
                        lines,
                        r#"{{"timestamp": {at}, "execution_type": "{kind}", "duration_ms": {}, "success": true, "error_type": null}}"#,
                        ms + (drawn % 97) + record
                    );
                }
            }
        }
    }
    lines
}

#[test]
fn sessions_that_go_one_way_are_no_broken_split() {
    let split = |log: &str| {
        let place = Place::new();
        place.write("rollout.toml", plan(LATENCY));
        place.write("log.jsonl", log);
        place.report("out", &["log.jsonl"])["stages"][1]["split"].clone()
    };
    // Records drawn one by one would hardly ever be so far from 10 %; of sessions one rollout in five is.
    let far = |share: f64| (share - 0.1).abs() / (0.09 / 8640.0_f64).sqrt() > 3.5;
    let found = (0..30).map(|salt| split(&sessions(0.1, salt)));
    let found = found.into_iter().find(|split| far(split["observed_share"].as_f64().unwrap())).expect("one of thirty");
    assert_eq!(found["status"], "ok", "{found:#}");
    assert_eq!(split(&sessions(0.25, 0))["status"], "mismatch");
}
