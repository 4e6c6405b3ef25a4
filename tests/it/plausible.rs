//! Logs that cannot be as they say, and logs of which nothing can be used: each kind once, small.

use serde_json::{Value, json};

use super::Place;

const CONFIG: &str = "[[stages]]\nname = \"baseline\"\npercentage = 0\n[[stages]]\nname = \"100%\"\npercentage = 100\n[stages.criteria]\nsuccess_rate = 0.9\nerror_rate = 0.1\nlatency_vs_baseline = 1000\nuploads = 100\n[targets]\nmemory_reduction = false\nthroughput_ratio = false\nlatency_reduction = false\ntimeout_reduction = false\n";
/// Uploads of each of the two stages.
const UPLOADS: u32 = 240;

/// A sound rollout from sync to async, two minutes an upload, as lines.
fn lines() -> Vec<Value> {
    let start = 1_762_905_600;
    let upload = |index: u32| {
        let treated = index >= UPLOADS;
        json!({
            "execution_type": if treated { "async" } else { "sync" }, "success": index % 40 != 7,
            "error_type": if index % 40 == 7 { Value::from("ConnectionError") } else { Value::Null },
            "duration_ms": if treated { 400 + index % 90 } else { 900 + index % 90 },
            "timestamp": start + index * 120 + u32::from(treated) * 60, "request_id": format!("r-{index}"),
        })
    };
    let event = json!({"event_type": "rollout_stage", "timestamp": start + UPLOADS * 120, "percentage": 100});
    let uploads = (0..2 * UPLOADS).map(upload);
    std::iter::once(event).chain(uploads).collect()
}

fn text(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn place(log: &str) -> Place {
    let place = Place::new();
    place.write("rollout.toml", CONFIG);
    place.write("log.jsonl", log);
    place
}

/// The report of the sound log with something done to each of its uploads (by number).
fn with(change: impl Fn(u32, &mut Value)) -> Value {
    let mut lines = lines();
    let uploads = lines.iter_mut().filter(|line| line.get("execution_type").is_some());
    uploads.zip(0..).for_each(|(line, index)| change(index, line));
    place(&text(&lines)).report("out", &["log.jsonl"])
}

/// The finding with this id, as `severity: text`.
fn finding(report: &Value, id: &str) -> Option<String> {
    let findings = report["data_quality"]["findings"].as_array().expect("a list");
    let found = findings.iter().find(|finding| finding["id"] == format!("data_quality.{id}"))?;
    Some(format!("{}: {}", found["severity"].as_str()?, found["text"].as_str()?.replace('\u{202f}', " ")))
}

#[track_caller]
fn assert_review(report: &Value, id: &str, told: &str) {
    let found = finding(report, id).unwrap_or_else(|| panic!("no {id} in {:#}", report["data_quality"]["findings"]));
    assert!(found.contains(told), "{found}");
    assert_eq!(report["decision"]["value"], "review", "{:#}", report["decision"]);
}

#[test]
fn a_sound_log_raises_nothing() {
    let report = with(|_, _| {});
    assert_eq!(report["decision"], json!({"value": "go", "reasons": []}));
    assert_eq!(report["data_quality"]["findings"], json!([]));
}

#[test]
fn uploads_in_the_wrong_arm_are_named() {
    let report = with(|index, upload| {
        if index < UPLOADS && index % 2 == 0 {
            upload["execution_type"] = "async".into();
        }
    });
    assert_review(&report, "treated_baseline.baseline", "error: stage baseline holds 120 uploads of async, 50.00 %");
    let one = with(|index, upload| {
        if index == 3 {
            upload["execution_type"] = "async".into();
        }
    });
    assert!(finding(&one, "treated_baseline.baseline").expect("a finding").starts_with("warning: "));
    assert_eq!(one["decision"]["value"], "go");
    let left = with(|index, upload| {
        if index >= UPLOADS && index % 3 == 0 {
            upload["execution_type"] = "sync".into();
        }
    });
    assert_review(&left, "split.100%", "66.67 % of the uploads are treated where 100 % were set");
}

#[test]
fn durations_in_another_unit_are_named() {
    let seconds = with(|index, upload| {
        if index >= UPLOADS {
            upload["duration_ms"] = (f64::from(1400 + index % 90) / 1000.0).into();
        }
    });
    assert_review(&seconds, "other_unit", "duration_ms of async looks like seconds");
    let step = &seconds["next_steps"][0];
    assert_eq!(step["finding"], "data_quality.other_unit");
    assert!(step["text"].as_str().expect("a text").starts_with("Find out in which unit duration_ms is written"));
    let nanoseconds = with(|_, upload| upload["duration_ms"] = (upload["duration_ms"].as_f64().unwrap() * 1e6).into());
    let found = finding(&nanoseconds, "durations_beyond_the_log.baseline").expect("a finding");
    assert!(found.starts_with("error: the median duration of stage baseline"), "{found}");
    assert_ne!(nanoseconds["decision"]["value"], "go");
    // Ten times faster is an effect.
    let faster = with(|index, upload| {
        if index >= UPLOADS {
            upload["duration_ms"] = (90 + index % 9).into();
        }
    });
    assert_eq!(finding(&faster, "other_unit"), None);
}

#[test]
fn a_success_with_an_error_and_a_failure_without_a_duration_are_counted() {
    let both = with(|index, upload| {
        if index % 30 == 5 {
            upload["error_type"] = "TimeoutError".into();
        }
    });
    assert_review(&both, "contradictions", "error: 16 uploads say success and name an error (TimeoutError)");
    let lacking = with(|_, upload| {
        if upload["success"] == false {
            upload["duration_ms"] = Value::Null;
        }
    });
    let found = finding(&lacking, "without_duration").expect("a finding");
    assert_eq!(
        found,
        "info: 12 failed uploads have no duration: counted as failures, and in no duration or busy second"
    );
    let sound = with(|_, _| {});
    for (stage, group) in [(0, "all"), (1, "treated")] {
        for metric in ["success_rate", "error_rate", "latency_p50_ms", "latency_mean_ms"] {
            let of = |report: &Value| report["stages"][stage]["groups"][group][metric].clone();
            assert_eq!(of(&lacking), of(&sound), "{metric}");
        }
    }
    assert_eq!(lacking["data_quality"]["rejected_total"], 0);
}

#[test]
fn timeouts_under_another_name_are_found_by_their_sound() {
    let named = |name: &str| {
        with(|_, upload| {
            if upload["success"] == false {
                upload["error_type"] = name.into();
            }
        })
    };
    assert_review(
        &named("ETIMEDOUT"),
        "unnamed_timeouts",
        "error: no error type of the log is listed as a timeout; these look like timeouts and are not in [analysis] timeout_errors: ETIMEDOUT (12); add \"ETIMEDOUT\" to it",
    );
    assert_eq!(finding(&named("TimeoutError"), "unnamed_timeouts"), None);
}

#[test]
fn a_stage_event_is_not_lost_to_what_stands_before_it() {
    let sound = text(&lines());
    let (event, rest) = sound.split_once('\n').expect("lines");
    let go = |log: String| {
        let report = place(&log).report("out", &["log.jsonl"]);
        assert_eq!(
            (&report["decision"]["value"], &report["data_quality"]["findings"]),
            (&json!("go"), &json!([])),
            "{log:.80}"
        );
    };
    go(format!("\0\0\0{event}\n{rest}"));
    go(format!("{rest}\u{feff}{event}\n"));
    go(format!("{}\n{rest}", event.replace("100", "\"100\"")));
    // Cut in two by a rotation, it is missed loudly.
    let (begin, end) = event.split_at(event.len() - 20);
    let report = place(&format!("{rest}{begin}\n{end}\n")).report("out", &["log.jsonl"]);
    let found = finding(&report, "rejected_events").expect("a finding");
    assert!(
        found.starts_with("error: 1 line that looks like an event was rejected, the first is log.jsonl:481"),
        "{found}"
    );
}

#[test]
fn a_wrong_clock_is_no_gap() {
    let report = with(|index, upload| {
        if index == 2 * UPLOADS - 1 {
            upload["timestamp"] = "2099-03-02T12:00:00Z".into();
        }
    });
    let found = finding(&report, "wrong_clock").expect("a finding");
    assert!(found.starts_with("warning: stage 100% has records dated 26 "), "{found}");
    assert_eq!(report["data_quality"]["gaps"], json!([]));
    let points = report["series"]["points"].as_array().unwrap();
    assert!(!points.is_empty() && points.iter().all(|point| point["at"].as_str().unwrap().starts_with("2025")));
}

#[test]
fn a_log_of_which_nothing_can_be_used_is_refused_by_what_it_is() {
    let sound = text(&lines());
    let array = format!("[{}]\n", sound.trim().replace('\n', ", "));
    let pretty: String = lines().iter().map(|line| format!("{line:#}\n")).collect();
    let wide: Vec<u8> = sound.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let foreign =
        r#"{"provider": "kimi", "tool": "file_upload_extract", "began": 1757200863.3, "took": 2238.5, "ok": true}"#;
    let other_words = sound.replace("\"sync\"", "\"old\"").replace("\"async\"", "\"new\"");
    let cases: [(&[u8], &str, &str); 9] = [
        (b"", "nothing to read: log.jsonl is empty", "look whether"),
        (array.as_bytes(), "it is one JSON array", "jq -c '.[]' log.jsonl | stagegate check -"),
        (pretty.as_bytes(), "its JSON objects go over several lines", "jq -c . log.jsonl"),
        (&wide, "it is text in UTF-16", "iconv -f utf-16le -t utf-8 log.jsonl"),
        (b"\xfd7zXZ\0\0\x04\xe6\xd6\xb4F", "it is packed with xz", "xz -dc log.jsonl"),
        (b"ts,mode,ok\n1,sync,true\n", "it looks like CSV with the columns ts, mode, ok", "stagegate init log.jsonl"),
        (
            br#"{"metric": "http_reqs", "type": "Point", "data": {"time": "2026-03-02T09:00:00Z", "value": 1}}"#,
            "1 of its first 1 rows are of the preset k6-json",
            "stagegate init log.jsonl",
        ),
        (
            foreign.as_bytes(),
            "log.jsonl:1: its one line cannot be used: execution_type, success, duration_ms, timestamp are missing; found provider, tool, began, took, ok",
            "stagegate init log.jsonl",
        ),
        (
            other_words.as_bytes(),
            "execution_type is \"old\"; expected sync, async or sync_fallback",
            "stagegate init log.jsonl",
        ),
    ];
    for (log, what, help) in cases {
        let place = Place::new();
        place.write("rollout.toml", CONFIG);
        place.write("log.jsonl", log);
        for command in [&["check"][..], &["report"], &["bundle", "--no-code", "--out", "out"]] {
            let run = place.run(&[command, &["log.jsonl"]].concat()).expect(2);
            assert!(run.err.contains(what) && run.err.contains(help), "{what}: {}", run.err);
        }
        assert!(!place.path("out").exists(), "nothing is written");
    }
}

#[test]
fn a_log_read_under_two_names_is_noticed() {
    let log = text(&lines());
    let place = place(&log);
    place.write("copy.jsonl", &log);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packed, log.as_bytes()).expect("packed");
    place.write("packed.jsonl.gz", packed.finish().expect("packed"));
    std::fs::hard_link(place.path("log.jsonl"), place.path("link.jsonl")).expect("a link");
    for other in ["copy.jsonl", "packed.jsonl.gz", "link.jsonl"] {
        let report = place.report("out", &["log.jsonl", other]);
        assert_review(&report, "read_twice", "hold the same 481 lines: all of them are counted twice");
    }
    // Two halves of one log are as long as each other, and no copy.
    let lines: Vec<&str> = log.lines().collect();
    place.write("one.jsonl", lines[..241].join("\n"));
    place.write("two.jsonl", lines[240..].join("\n"));
    assert_eq!(finding(&place.report("out", &["one.jsonl", "two.jsonl"]), "read_twice"), None);
}

#[test]
fn a_log_that_the_config_names_must_be_there() {
    let place = place(&text(&lines()));
    place.write("rollout.toml", format!("[input]\nfiles = [\"log.jsonl\", \"host-b.jsonl\"]\n{CONFIG}"));
    let run = place.run(&["check"]).expect(2);
    assert!(run.err.starts_with("error: rollout.toml: no file matches \"host-b.jsonl\""), "{}", run.err);
    // A pattern may match nothing, as long as another does.
    place.write("rollout.toml", format!("[input]\nfiles = [\"log.jsonl\", \"more/*.jsonl\"]\n{CONFIG}"));
    place.run(&["check"]).expect(0);
}

/// A log of days whose requests each take longer than all of it: no record is where it belongs.
#[test]
fn durations_in_nanoseconds_give_no_figures() {
    let seconds = super::verdict::log(21, &super::verdict::PLAN, super::verdict::healthy);
    let nanoseconds: String = seconds
        .lines()
        .map(|line| {
            let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
            if let Some(duration) = line["duration_ms"].as_f64() {
                line["duration_ms"] = (duration * 1e6).into();
            }
            format!("{line}\n")
        })
        .collect();
    let (value, report) = super::verdict::judged(super::verdict::LATENCY, &nanoseconds);
    assert_eq!(value, "review");
    super::verdict::first_sentence(&report, "is duration_ms in nanoseconds? No figure is shown");
    assert!(report["stages"].as_array().unwrap().iter().all(|stage| stage["groups"]["all"]["n"] == 0));
    assert!(report["improvements"].as_array().unwrap().iter().all(|improvement| improvement["value"].is_null()));
}
