//! Daily reports, the dashboard, differences, and a log that grows.

use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use super::{Place, SCENARIOS, scenario_report};

const CLOCK: [&str; 2] = ["--generated-at", "2025-11-18T12:00:00Z"];

fn daily(place: &Place, date: &str) -> serde_json::Value {
    place.run(&[&["daily", "-q", "--date", date, "log.jsonl"], &CLOCK[..]].concat()).expect(0);
    serde_json::from_str(&place.read(&format!("out/daily/{date}/report.json"))).unwrap()
}

#[test]
fn a_day_is_held_against_the_baseline_and_the_day_before() {
    let place = Place::new();
    place.generate("log.jsonl", "incident", 30_000);
    let whole = place.report("out", &["log.jsonl"]);
    let day = daily(&place, "2025-11-13");
    let names: Vec<&str> =
        day["stages"].as_array().unwrap().iter().map(|stage| stage["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["baseline", "12 Nov 2025 (day before)", "13 Nov 2025"]);
    assert_eq!(day["stages"][2]["from"].as_str().unwrap().split('T').next(), Some("2025-11-13"));
    assert_eq!(day["stages"][0]["groups"]["all"], whole["stages"][0]["groups"]["all"], "the baseline is the same");
    // Every upload of the day, by another way: the hours of the whole report's stage that fall on it.
    let log = place.read("log.jsonl");
    let ended = |line: &&str| line.contains("\"timestamp\": \"2025-11-13T") && line.contains("execution_type");
    assert_eq!(day["stages"][2]["groups"]["all"]["n"], log.lines().filter(ended).count());
    // The log's ledger is whole, whatever the day.
    assert_eq!(day["inputs"], whole["inputs"]);
    let fired = day["triggers"].as_array().unwrap().iter().filter(|trigger| trigger["fired"] == true);
    assert!(fired.clone().count() > 0, "the outage was on that day");
    for trigger in fired.filter(|trigger| trigger["severity"] == "rollback") {
        assert_eq!(trigger["answer"], "in_time", "{trigger:#}");
    }
    let ids: Vec<&str> = day["comparisons"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap()).collect();
    assert!(ids.contains(&"12 Nov 2025 (day before)/treated..13 Nov 2025/treated.latency_p50_ms"), "{ids:?}");
}

#[test]
fn without_a_date_it_is_the_last_day_and_a_wrong_one_is_explained() {
    let place = Place::new();
    place.generate("log.jsonl", "good", 3000);
    place.run(&["daily", "-q", "log.jsonl"]).expect(0);
    assert!(place.path("out/daily/2025-11-18/report.html").is_file());
    insta::assert_snapshot!(place.run(&["daily", "--date", "2026-01-01", "log.jsonl"]).expect(2).err, @r"
    error: no upload ended on 2026-01-01
      help: the log reaches from 2025-10-29 to 2025-11-18
    ");
    insta::assert_snapshot!(place.run(&["daily", "--date", "tomorrow", "log.jsonl"]).expect(2).err, @r#"
    error: --date "tomorrow" is not a day
      help: write it like 2025-11-12
    "#);
    place.run(&["cube", "-q", "log.jsonl", "-o", "a.cube"]).expect(0);
    assert!(place.run(&["daily", "a.cube"]).expect(2).err.contains("a daily report needs the logs"));
}

#[test]
fn the_dashboard_lists_every_report_and_its_decision() {
    let place = Place::new();
    assert!(place.run(&["status"]).expect(0).out.contains("(0 reports)"));
    assert!(place.read("out/index.html").contains("There is no report yet"));
    place.generate("log.jsonl", "good", 20_000);
    place.report("out", &["log.jsonl"]);
    for date in ["2025-11-16", "2025-11-17"] {
        daily(&place, date);
    }
    assert!(place.run(&["status"]).expect(0).out.contains("(3 reports)"));
    let page = place.read("out/index.html");
    for part in
        ["href=\"./report.html\"", "href=\"daily/2025-11-16/report.html\"", "Success rate by day", "17 Nov 2025"]
    {
        assert!(page.contains(part), "{part}");
    }
    // One damaged day is told, and hides no other.
    place.write("out/daily/2025-11-17/report.json", "{}");
    let left = place.run(&["status"]).expect(0);
    assert!(
        left.err.contains("left out: ") && left.err.contains("report.json: not a report of this version"),
        "{}",
        left.err
    );
    assert!(left.out.contains("(2 reports)") && place.read("out/index.html").contains("daily/2025-11-16/report.html"));
    place.write("out/report.json", "{}");
    assert!(place.run(&["status"]).expect(2).err.contains("report.json: not a report of this version"));
}

#[test]
fn a_difference_tells_what_turned() {
    let place = Place::new();
    place.generate("good.jsonl", "good", 30_000);
    place.generate("bad.jsonl", "regression", 30_000);
    place.report("good", &["good.jsonl"]);
    place.report("bad", &["bad.jsonl"]);
    let same = place.run(&["diff", "good/report.json", "good/report.json"]).expect(0).out;
    assert!(same.contains("Nothing changed"), "{same}");
    let turned = place.run(&["diff", "good/report.json", "bad/report.json"]).expect(0).out;
    for part in [
        "- decision: Go -> No go",
        "- latency reduction: met, ",
        "- success rate at 100%: met, ",
        "- new regression: baseline/all..100%/treated.provider=glm.latency_p50_ms",
        "  new input: bad.jsonl",
    ] {
        assert!(turned.contains(part), "{part} in\n{turned}");
    }
    // Folders, formats, and an exit code for CI.
    assert_eq!(place.run(&["diff", "good", "bad"]).expect(0).out, turned);
    let run = |more: &[&str], code: i32| place.run(&[&["diff", "good", "bad"][..], more].concat()).expect(code).out;
    let json: serde_json::Value = serde_json::from_str(&run(&["--format", "json", "--fail-on", "worse"], 1)).unwrap();
    assert_eq!((&json["before"]["decision"], &json["after"]["decision"]), (&"Go".into(), &"No go".into()));
    assert_eq!(json["changes"][0], serde_json::json!({"direction": "worse", "text": "decision: Go -> No go"}));
    assert_eq!(json["changes"].as_array().unwrap().len() + 4, turned.lines().count());
    assert!(run(&["--format", "markdown"], 0).contains("- **worse**: decision: Go → No go"));
    let page = run(&["--format", "html", "--fail-on", "changed"], 1);
    assert!(page.contains("<td>▼ worse</td><td>decision: Go → No go</td>") && !page.contains("<script"), "{page}");
    // What got better fails nothing; nor does nothing.
    place.run(&["diff", "good", "good", "--fail-on", "changed"]).expect(0);
    let back = place.run(&["diff", "bad", "good", "--format", "json"]).expect(0).out;
    assert!(back.contains("\"direction\": \"better\""));
    assert!(place.run(&["diff", "good", "nowhere/"]).expect(2).err.contains("cannot read"));
    assert!(place.run(&["diff", "good/report.json", "nope.json"]).expect(2).err.contains("nope.json: cannot read"));
}

#[test]
fn a_summary_has_at_most_fifteen_plain_lines() {
    for scenario in ["good", "regression", "incident", "no-memory"] {
        let place = Place::new();
        place.generate("log.jsonl", scenario, 6000);
        let run = place.run(&["report", "--summary", "log.jsonl"]).expect(0);
        assert!(run.out.lines().count() <= 15, "{}", run.out);
        assert!(run.out.lines().all(|line| line.chars().count() <= 110));
        assert!(run.out.contains("Memory, mean: ") && run.out.contains("next 1: "), "{}", run.out);
    }
}

/// Read aloud: what an executive reads, scenario by scenario.
#[test]
fn the_summary_of_every_scenario() {
    let mut text = String::new();
    for scenario in SCENARIOS {
        let report = scenario_report(scenario);
        let sentences = report["summary"].as_array().unwrap();
        assert!((3..=6).contains(&sentences.len()), "{scenario}: {sentences:#?}");
        text.push_str(&format!("# {scenario}\n"));
        for sentence in sentences {
            text.push_str(&format!("{}\n", sentence.as_str().unwrap().replace('\u{202f}', " ")));
        }
    }
    insta::assert_snapshot!("summaries", text);
}

#[test]
fn a_browser_that_is_not_there_is_asked_for() {
    let place = Place::new();
    place.generate("log.jsonl", "good", 1000);
    let run = Command::new(env!("CARGO_BIN_EXE_stagegate"))
        .args(["report", "--pdf", "log.jsonl"])
        .current_dir(place.path("."))
        .env("CHROMIUM", "")
        .env("PATH", place.path("."))
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(2));
    let message = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(message.contains("--pdf needs Chromium") && message.contains("help: install it"), "{message}");
    assert!(!place.path("out").exists(), "written whole or not at all");
}

/// A log that is yet to come is waited for; then it grows, is cut, and is another log.
#[test]
fn a_watched_log_that_grows_is_reported_again() {
    let place = Place::new();
    place.generate("whole.jsonl", "good", 6000);
    let whole = place.read("whole.jsonl");
    let mut child = Command::new(env!("CARGO_BIN_EXE_stagegate"))
        .args(["report", "--watch", "log.jsonl"])
        .current_dir(place.path("."))
        .stdout(std::fs::File::create(place.path("told")).unwrap())
        .stderr(std::fs::File::create(place.path("noted")).unwrap())
        .spawn()
        .unwrap();
    let uploads = || -> Option<u64> {
        let text = std::fs::read_to_string(place.path("out/report.json")).ok()?;
        let report: serde_json::Value = serde_json::from_str(&text).ok()?;
        report["inputs"][0]["records"].as_u64()
    };
    let wait = |what: &str, arrived: &dyn Fn() -> bool| {
        let start = Instant::now();
        while !arrived() {
            assert!(start.elapsed() < Duration::from_secs(60), "{what}: {:?}\n{}", uploads(), place.read("noted"));
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let lines = |text: &str| text.lines().filter(|line| line.contains("execution_type")).count() as u64;
    let hold = |what: &str, text: &str| {
        let fresh = place.path("fresh");
        std::fs::write(&fresh, text).unwrap();
        std::fs::rename(fresh, place.path("log.jsonl")).unwrap();
        wait(what, &|| uploads() == Some(lines(text)));
    };
    wait("nothing there", &|| place.read("noted").contains("no file matches \"log.jsonl\""));
    assert!(place.read("noted").contains("waiting (Ctrl-C ends)"));
    let half = &whole[..whole[..whole.len() / 2].rfind('\n').unwrap() + 1];
    hold("the first half", half);
    assert!(place.read("out/report.html").contains("<meta http-equiv=\"refresh\" content=\"10\">"));
    let mut log = std::fs::OpenOptions::new().append(true).open(place.path("log.jsonl")).unwrap();
    writeln!(log, "{}", super::upload_line(1)).unwrap();
    wait("a line more", &|| uploads() == Some(lines(half) + 1));
    hold("all of it", &whole);
    hold("cut", half);
    hold("another log", &whole.replace("r-", "x-").split_inclusive('\n').skip(9).collect::<String>());
    child.kill().unwrap();
    child.wait().unwrap();
    let told = place.read("told");
    let folded: Vec<&str> = told.lines().filter(|line| line.starts_with("folded ")).collect();
    assert!(folded.iter().any(|line| line.contains(" kB of ")), "{folded:?}");
    // The report of a log that nobody watches stays as it is.
    place.report("still", &["log.jsonl"]);
    assert!(!place.read("still/report.html").contains("http-equiv=\"refresh\""));
}
