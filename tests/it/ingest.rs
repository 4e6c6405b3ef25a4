//! Every line is accounted for, whatever the log looks like.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::{Place, files_below, upload_line};

const SCENARIOS: [&str; 8] =
    ["good", "regression", "fallback-storm", "broken-split", "mix-shift", "incident", "no-memory", "messy"];

#[test]
fn the_planted_truth_is_found_line_by_line() {
    for scenario in SCENARIOS {
        let place = Place::new();
        let truth = place.generate("log.jsonl", scenario, 3000);
        let report = place.report("out", &["log.jsonl"]);
        let input = &report["inputs"][0];
        for count in ["lines", "events", "blank"] {
            assert_eq!(input[count], truth[count], "{scenario} {count}");
        }
        let rejected: serde_json::Map<_, _> = report["data_quality"]["rejected"]
            .as_array()
            .unwrap()
            .iter()
            .map(|reason| (reason["reason"].as_str().unwrap().to_owned(), reason["count"].clone()))
            .collect();
        assert_eq!(serde_json::Value::Object(rejected), truth["rejected"], "{scenario}");
        assert_eq!(report["data_quality"]["duplicate_request_ids"], truth["duplicate_request_ids"], "{scenario}");
        if scenario == "messy" {
            // Repeated lines count as uploads, too: the stages hold more than were simulated.
            continue;
        }
        for (shown, planted) in report["stages"].as_array().unwrap().iter().zip(truth["stages"].as_array().unwrap()) {
            let of = |counts: &serde_json::Value, kinds: &[&str]| {
                kinds.iter().filter_map(|kind| counts[*kind].as_u64()).sum::<u64>()
            };
            for (arm, kinds) in [
                ("all", &["sync", "async", "sync_fallback"][..]),
                ("treated", &["async", "sync_fallback"]),
                ("control", &["sync"]),
            ] {
                let (uploads, successes) = (of(&planted["uploads"], kinds), of(&planted["successes"], kinds));
                let group = &shown["groups"][arm];
                assert_eq!(group["n"], uploads, "{scenario} {} {arm}", shown["name"]);
                if uploads > 0 {
                    let rate = group["success_rate"]["value"].as_f64().unwrap();
                    assert!((rate - successes as f64 / uploads as f64).abs() < 1e-12, "{scenario} {arm}");
                }
            }
        }
    }
}

#[test]
fn the_same_bytes_with_one_thread_and_with_four() {
    let place = Place::new();
    place.generate("log.jsonl", "messy", 8000);
    for (out, threads) in [("one", "1"), ("four", "4")] {
        place
            .run(&[
                "report",
                "-q",
                "--threads",
                threads,
                "--generated-at",
                "2025-11-18T12:00:00Z",
                "--out",
                out,
                "log.jsonl",
            ])
            .expect(0);
    }
    assert_eq!(files_below(&place.path("one")), files_below(&place.path("four")));
}

/// The stages of a report, which packing and line ends must not change.
fn stages(place: &Place, file: &str) -> serde_json::Value {
    place.report("out", &[file])["stages"].clone()
}

#[test]
fn packed_crlf_bom_and_missing_newline_change_no_figure() {
    let place = Place::new();
    place.generate("log.jsonl", "good", 1000);
    let plain = stages(&place, "log.jsonl");
    let text = place.read("log.jsonl");
    place.generate("log.jsonl.gz", "good", 1000);
    place.generate("log.jsonl.zst", "good", 1000);
    place.write("crlf.jsonl", text.replace('\n', "\r\n"));
    place.write("bom.jsonl", format!("\u{feff}{}", text.trim_end()));
    for file in ["log.jsonl.gz", "log.jsonl.zst", "crlf.jsonl", "bom.jsonl"] {
        assert_eq!(stages(&place, file), plain, "{file}");
    }
    let half = text.len() / 2;
    let cut = half + text[half..].find('\n').unwrap() + 1;
    place.write("part-1.jsonl", &text[..cut]);
    place.write("part-2.jsonl", &text[cut..]);
    assert_eq!(stages(&place, "part-*.jsonl"), plain, "rotated files");
}

#[test]
fn standard_input_is_a_file_like_any_other() {
    let place = Place::new();
    place.generate("log.jsonl", "good", 1000);
    let mut child = Command::new(env!("CARGO_BIN_EXE_stagegate"))
        .args(["check", "--format", "json", "-"])
        .current_dir(place.path("."))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(place.read("log.jsonl").as_bytes()).unwrap();
    let piped: serde_json::Value = serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
    let read: serde_json::Value =
        serde_json::from_str(&place.run(&["check", "--format", "json", "log.jsonl"]).out).unwrap();
    assert_eq!(piped, read);
}

#[test]
fn a_truncated_archive_is_used_as_far_as_it_goes_and_the_gate_fails() {
    let place = Place::new();
    place.generate("log.jsonl.gz", "good", 3000);
    let whole = std::fs::read(place.path("log.jsonl.gz")).unwrap();
    place.write("cut.jsonl.gz", &whole[..whole.len() / 2]);
    let report = place.report("out", &["cut.jsonl.gz"]);
    assert!(report["inputs"][0]["records"].as_u64().unwrap() > 500);
    assert_eq!(report["data_quality"]["gate"], "failed");
    assert!(report["data_quality"]["findings"][0]["text"].as_str().unwrap().contains("cut short"));
    place.write("nothing.jsonl.gz", "");
    let refused = place.run(&["report", "nothing.jsonl.gz"]).expect(2).err;
    assert!(refused.starts_with("error: nothing.jsonl.gz: the archive is empty"), "{refused}");
    let report = place.report("out", &["nothing.jsonl.gz", "log.jsonl.gz"]);
    assert_eq!(report["data_quality"]["gate"], "failed");
    assert!(report["data_quality"]["findings"][0]["text"].as_str().unwrap().contains("the archive is empty"));
}

#[test]
fn too_many_rejected_lines_fail_the_gate_and_still_give_a_report() {
    let place = Place::new();
    let lines: String = (0..98).map(|second| upload_line(second) + "\n").collect();
    place.write("log.jsonl", format!("{lines}nonsense\n[]\n"));
    let report = place.report("out", &["log.jsonl"]);
    assert_eq!(report["data_quality"]["gate"], "failed");
    assert_eq!(report["data_quality"]["rejected_total"], 2);
    let example = &report["data_quality"]["rejected"][0]["examples"][0];
    assert_eq!((&example["line"], &example["text"]), (&99.into(), &"nonsense".into()));
}

#[test]
fn a_line_too_long_is_rejected_and_the_next_one_read() {
    let place = Place::new();
    let long = format!("{{\"x\": \"{}\"}}", "y".repeat(17 << 20));
    let just_fits = upload_line(2).replace("\"r-2\"", &format!("\"{}\"", "i".repeat((16 << 20) - 400)));
    assert!(just_fits.len() < 16 << 20);
    place.write("log.jsonl", format!("{}\n{long}\n{just_fits}\n{}\n{long}", upload_line(1), upload_line(3)));
    let report = place.report("out", &["log.jsonl"]);
    let input = &report["inputs"][0];
    assert_eq!((&input["lines"], &input["records"], &input["rejected"]), (&5.into(), &3.into(), &2.into()));
    let rejected = &report["data_quality"]["rejected"][0];
    assert_eq!(
        (&rejected["reason"], &rejected["examples"][0]["line"], &rejected["examples"][1]["line"]),
        (&"line_too_long".into(), &2.into(), &5.into())
    );
}

#[test]
fn a_stage_without_uploads_is_not_measured() {
    let place = Place::new();
    place.write("log.jsonl", (0..50).map(|second| upload_line(second * 60) + "\n").collect::<String>());
    let report = place.report("out", &["log.jsonl"]);
    assert_eq!(report["stages"][4]["groups"]["treated"]["success_rate"], serde_json::Value::Null);
    for improvement in report["improvements"].as_array().unwrap() {
        assert_eq!(improvement["status"], "not_measured");
        assert!(improvement["reason"].is_string());
    }
    assert!(place.read("out/report.html").contains("no uploads: not measured"));
}

#[test]
fn memory_samples_stand_in_for_uploads_without_memory() {
    let place = Place::new();
    let mut log = String::new();
    for second in 0..40 {
        log.push_str(&upload_line(second * 60));
        log.push('\n');
        log.push_str(&format!(
            "{{\"event_type\": \"memory_sample\", \"timestamp\": {}, \"rss_mb\": {}}}\n",
            1_762_934_400 + second * 60,
            100 + second
        ));
    }
    place.write("log.jsonl", log);
    let report = place.report("out", &["log.jsonl"]);
    let group = &report["stages"][0]["groups"]["all"];
    assert_eq!(group["memory_source"], "memory_samples");
    assert_eq!(group["memory_mean_mb"]["value"], 119.5);
}

#[test]
fn files_own_stages_and_intervals_place_uploads() {
    let place = Place::new();
    let config = "[input]\nfiles = ['*.jsonl']\n[[stages]]\nname='baseline'\npercentage=0\nfiles=['week1-*.jsonl']\n[[stages]]\nname='mid'\npercentage=50\nfrom='2025-11-12T08:00:00Z'\nto='2025-11-12T09:00:00Z'\n[[stages]]\nname='final'\npercentage=100\n";
    place.write("rollout.toml", config);
    place.write("week1-a.jsonl", upload_line(10) + "\n" + &upload_line(20));
    let named = upload_line(30).replace("{\"execution", "{\"stage\": \"final\", \"execution");
    place.write("later.jsonl", [upload_line(100), named, upload_line(4000)].join("\n"));
    let report = place.report("out", &[]);
    let uploads: Vec<u64> = report["stages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stage| stage["groups"]["all"]["n"].as_u64().unwrap())
        .collect();
    assert_eq!(uploads, [2, 1, 1]);
    let rejected = &report["data_quality"]["rejected"][0];
    assert_eq!((&rejected["reason"], &rejected["count"]), (&"no_stage".into(), &1.into()));
    assert_eq!(rejected["examples"][0]["path"], "later.jsonl");
}

#[test]
fn a_timestamp_may_mark_the_start() {
    let place = Place::new();
    // One upload of 90 seconds from 08:00:10: it ends in the second minute.
    place.write("log.jsonl", upload_line(10).replace("\"duration_ms\": 500", "\"duration_ms\": 90000"));
    place.write("start.toml", "[input]\ntimestamp_marks = 'start'\n");
    let end = place.report("end", &["log.jsonl"]);
    let start = place.report("start", &["--config", "start.toml", "log.jsonl"]);
    assert_eq!(end["stages"][0]["from"], "2025-11-12T08:00:00Z");
    assert_eq!(start["stages"][0]["from"], "2025-11-12T08:01:00Z");
    assert_eq!(start["stages"][0]["groups"]["all"]["busy_seconds"], 91);
}

/// A stage that starts at a line behind its uploads: what was placed by the events read so far is placed anew.
#[test]
fn a_log_out_of_the_order_of_time_is_read_again_and_tells_the_same() {
    let place = Place::new();
    let event = |percentage: u32, at: &str| {
        format!(
            "{{\"event_type\": \"rollout_stage\", \"timestamp\": \"2025-11-12T{at}\", \"percentage\": {percentage}}}\n"
        )
    };
    // More than a block, so that the events are met after lines were placed.
    let lines: Vec<String> = (0..20_000).map(|second| upload_line(second % 40_000) + "\n").collect();
    let (early, late) = (event(1, "08:00:00"), event(100, "10:00:00"));
    place.write("ordered.jsonl", format!("{early}{}{late}{}", lines[..7200].concat(), lines[7200..].concat()));
    place.write("behind.jsonl", format!("{}{late}{early}", lines.concat()));
    let told = |file: &str| {
        let run =
            place.run(&["report", "-v", "--out", "out", "--generated-at", "2025-11-18T12:00:00Z", file]).expect(0);
        let report: serde_json::Value = serde_json::from_str(&place.read("out/report.json")).expect("JSON");
        (run.err.contains("read again"), report["stages"].clone())
    };
    let (ordered, behind) = (told("ordered.jsonl"), told("behind.jsonl"));
    assert_eq!((ordered.0, behind.0), (false, true));
    assert_eq!(ordered.1, behind.1);
    assert!(behind.1[4]["groups"]["all"]["n"].as_u64() > Some(10_000), "{}", behind.1[4]["groups"]["all"]["n"]);
}

/// The lines as files that share them in turns, packed without compression or plain.
fn deal(place: &Place, lines: &[&[u8]], files: usize, packed: bool) -> Vec<String> {
    let names = (0..files).map(|file| format!("part{file}.jsonl{}", if packed { ".gz" } else { "" }));
    names
        .enumerate()
        .map(|(file, name)| {
            let own: Vec<&[u8]> = lines.iter().skip(file).step_by(files).copied().collect();
            let mut content = own.join(&b'\n');
            content.push(b'\n');
            if packed {
                let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
                packer.write_all(&content).unwrap();
                content = packer.finish().unwrap();
            }
            place.write(&name, content);
            name
        })
        .collect()
}

/// What a run says on standard error, and the tables of its cube.
fn tables(place: &Place, cube: &str, files: &[String]) -> (String, Vec<(PathBuf, Vec<u8>)>) {
    let mut arguments = vec!["cube", "-v", "--threads", "3", "-o", cube];
    arguments.extend(files.iter().map(String::as_str));
    let run = place.run(&arguments).expect(0);
    let tables =
        files_below(&place.path(cube)).into_iter().filter(|(name, _)| !name.ends_with("header.json")).collect();
    (run.err, tables)
}

/// Archives are folded by the events read so far, too, and those that were placed wrongly are read again.
#[test]
fn archives_that_share_a_log_tell_what_plain_files_do() {
    let place = Place::new();
    place.generate("log.jsonl", "messy", 60_000);
    let log = std::fs::read(place.path("log.jsonl")).unwrap();
    let lines: Vec<&[u8]> = log.split(|byte| *byte == b'\n').collect();
    let (told, packed) = tables(&place, "packed.cube", &deal(&place, &lines, 3, true));
    assert!(told.contains("read again"), "{told}");
    let (told, plain) = tables(&place, "plain.cube", &deal(&place, &lines, 3, false));
    assert!(!told.contains("read again"), "{told}");
    assert!(packed == plain, "the tables differ");
    // Archives among plain files.
    let files = [deal(&place, &lines, 3, true), deal(&place, &lines, 3, false)];
    let mixed = [&files[0][0], &files[1][1], &files[0][2]].map(String::clone);
    assert!(tables(&place, "mixed.cube", &mixed).1 == plain, "the tables of archives among plain files differ");
    let duplicates = |cube: &str| {
        let quality = &place.report("out", &[cube])["data_quality"];
        [quality["duplicate_request_ids"].clone(), quality["rejected"].clone().as_array().unwrap().len().into()]
    };
    assert_eq!(duplicates("packed.cube"), duplicates("plain.cube"));
}

/// An upload that no stage takes until an event of a later archive is read: it was rejected, its id not counted.
#[test]
fn an_event_in_a_later_archive_takes_uploads_that_nothing_took() {
    let place = Place::new();
    place.write(
        "rollout.toml",
        "[[stages]]\nname='baseline'\npercentage=0\nfrom='2025-11-11T00:00:00Z'\nto='2025-11-12T00:00:00Z'\n[[stages]]\nname='final'\npercentage=100\n",
    );
    let event = r#"{"event_type": "rollout_stage", "timestamp": "2025-11-12T07:00:00", "percentage": 100}"#.to_owned();
    let uploads: Vec<String> =
        (0..40).map(|second| upload_line(second).replace(&format!("\"r-{second}\""), "\"same\"")).collect();
    let lines: Vec<&[u8]> = uploads.iter().chain([&uploads[0], &event]).map(|line| line.as_bytes()).collect();
    let (_, packed) = tables(&place, "packed.cube", &deal(&place, &lines, 2, true));
    let (_, plain) = tables(&place, "plain.cube", &deal(&place, &lines, 2, false));
    assert!(packed == plain, "the tables differ");
    let report = place.report("out", &["packed.cube"]);
    assert_eq!(report["data_quality"]["duplicate_request_ids"], 40);
    assert_eq!(report["stages"][1]["groups"]["all"]["n"], 41);
}
