//! Cubes in place of logs.

use std::path::PathBuf;

use super::{Place, files_below, repository, upload_line};

const CLOCK: [&str; 4] = ["report", "-q", "--generated-at", "2025-11-18T12:00:00Z"];

#[test]
fn a_report_from_a_cube_has_the_bytes_of_the_report_from_the_log() {
    let place = Place::new();
    place.generate("log.jsonl", "messy", 5000);
    place.run(&["cube", "log.jsonl", "-o", "log.cube"]).expect(0);
    place.run(&[&CLOCK[..], &["--out", "from-log", "log.jsonl"]].concat()).expect(0);
    place.run(&[&CLOCK[..], &["--out", "from-cube", "log.cube"]].concat()).expect(0);
    assert_eq!(files_below(&place.path("from-log")), files_below(&place.path("from-cube")));
    assert_eq!(place.run(&["check", "log.jsonl"]).out, place.run(&["check", "log.cube"]).out);
}

/// Three shards of one log, the first with the stage events of all.
fn shards(place: &Place) {
    place.generate("log.jsonl", "incident", 6000);
    let (events, uploads): (Vec<String>, Vec<String>) =
        place.read("log.jsonl").lines().map(|line| format!("{line}\n")).partition(|line| line.contains("event_type"));
    place.write("events.jsonl", events.concat());
    for (index, part) in uploads.chunks(uploads.len() / 3 + 1).enumerate() {
        place.write(&format!("shard-{index}.jsonl"), part.concat());
    }
}

#[test]
fn shards_folded_apart_and_merged_give_the_same_report() {
    let place = Place::new();
    shards(&place);
    let names = ["events", "shard-0", "shard-1", "shard-2"];
    for name in names {
        let (log, cube) = (format!("{name}.jsonl"), format!("{name}.cube"));
        place.run(&["cube", &log, "-o", &cube, "--timeline", "events.jsonl"]).expect(0);
    }
    let logs = names.map(|name| format!("{name}.jsonl"));
    let cubes = names.map(|name| format!("{name}.cube"));
    let strings = |list: &[String; 4]| list.clone().to_vec();
    let run = |out: &str, files: Vec<String>| {
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        place.run(&[&CLOCK[..], &["--out", out], &files].concat()).expect(0);
    };
    run("from-logs", strings(&logs));
    run("from-cubes", strings(&cubes));
    let mut reversed = strings(&cubes);
    reversed.reverse();
    run("reversed", reversed);
    run("mixed", vec![cubes[0].clone(), logs[1].clone(), cubes[2].clone(), logs[3].clone()]);
    let want = files_below(&place.path("from-logs"));
    for other in ["from-cubes", "reversed", "mixed"] {
        assert_eq!(files_below(&place.path(other)), want, "{other}");
    }
}

#[test]
fn a_shard_that_missed_the_stage_events_is_refused() {
    let place = Place::new();
    shards(&place);
    place.run(&["cube", "events.jsonl", "-o", "events.cube"]).expect(0);
    place.run(&["cube", "shard-2.jsonl", "-o", "blind.cube"]).expect(0);
    let run = place.run(&["report", "--out", "out", "events.cube", "blind.cube"]).expect(2);
    assert!(
        run.err.contains("made without rollout_stage or rollback events") && run.err.contains("--timeline"),
        "{}",
        run.err
    );
    assert!(!place.path("out").exists());
}

#[test]
fn what_does_not_fit_is_refused() {
    let place = Place::new();
    place.write("log.jsonl", upload_line(1));
    place.run(&["cube", "log.jsonl", "-o", "a.cube"]).expect(0);
    place.run(&["cube", "log.jsonl", "-o", "b.cube"]).expect(0);
    let twice = place.run(&["check", "a.cube", "b.cube"]).expect(2);
    assert!(twice.err.contains("log.jsonl is in two of the inputs"), "{}", twice.err);
    place.write("other.toml", "[analysis]\nsize_bounds_mb = [5.0]\n");
    let rules = place.run(&["check", "--config", "other.toml", "a.cube"]).expect(2);
    assert!(rules.err.contains("made with another [analysis] size_bounds_mb"), "{}", rules.err);
    place.write("critical.toml", "[analysis]\ncritical_errors = [\"OSError\"]\n");
    let rules = place.run(&["check", "--config", "critical.toml", "a.cube"]).expect(2);
    assert!(rules.err.contains("made with another [analysis] critical_errors"), "{}", rules.err);
    std::fs::create_dir(place.path("mine")).unwrap();
    place.write("mine/keep.txt", "keep");
    assert!(place.run(&["cube", "log.jsonl", "-o", "mine"]).expect(2).err.contains("not a cube"));
    assert_eq!(place.read("mine/keep.txt"), "keep");
    place.write("a.cube/fine.parquet", "not parquet");
    assert!(place.run(&["check", "a.cube"]).expect(2).err.contains("fine.parquet: cannot use"));
    let header = place.read("b.cube/header.json").replace("\"version\": 3", "\"version\": 99");
    place.write("b.cube/header.json", header);
    assert!(place.run(&["check", "b.cube"]).expect(2).err.contains("reads version 3"));
}

#[test]
fn a_cube_is_replaced_whole() {
    let place = Place::new();
    place.write("log.jsonl", upload_line(1));
    place.run(&["cube", "log.jsonl", "-o", "a.cube"]).expect(0);
    place.write("log.jsonl", upload_line(1) + "\n" + &upload_line(2));
    place.run(&["cube", "log.jsonl", "-o", "a.cube"]).expect(0);
    assert_eq!(place.report("out", &["a.cube"])["inputs"][0]["records"], 2);
    let left: Vec<_> = std::fs::read_dir(place.path(".")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with(".cube-")), "{left:?}");
}

/// Made by stagegate when cubes were of version 2: `stagegate cube log.jsonl --config rollout.toml -o version-2.cube`.
#[test]
fn a_cube_of_version_2_is_still_read() {
    let place = Place::new();
    let case = |name: &str| repository("tests/it/cases/small").join(name).to_str().unwrap().to_owned();
    let config = case("rollout.toml");
    let of = |out: &str, input: &str| {
        let mut report = place.report(out, &["--config", &config, input]);
        // It had the digests of its time.
        let digest = report["inputs"][0]["digest"].take();
        for claim in report["claims"].as_array_mut().unwrap() {
            assert_eq!(claim["inputs"].take(), serde_json::json!([digest]));
        }
        (report, digest.as_str().unwrap().split_once(':').unwrap().0.to_owned())
    };
    place.write("log.jsonl", std::fs::read(case("log.jsonl")).unwrap());
    let (old, new) = (of("b", &case("version-2.cube")), of("a", "log.jsonl"));
    assert_eq!(old.0, new.0);
    assert_eq!((old.1.as_str(), new.1.as_str()), ("sha256", "blake3"));
    // It had no digests: what is damaged is refused, or told as it stands there, and never a panic.
    let copy = place.path("damaged.cube");
    std::fs::create_dir(&copy).unwrap();
    let files = files_below(&repository("tests/it/cases/small/version-2.cube"));
    let write = |files: &[(PathBuf, Vec<u8>)]| {
        files.iter().for_each(|(path, bytes)| std::fs::write(copy.join(path.file_name().unwrap()), bytes).unwrap());
    };
    for (number, at) in [3, 700, 1500, 2100].into_iter().enumerate() {
        for index in 0..files.len() {
            let mut damaged = files.clone();
            let bytes = &mut damaged[index].1;
            let at = at % bytes.len();
            bytes[at] ^= 1 << number;
            write(&damaged);
            let run = place.run(&["check", "-q", "--config", &config, copy.to_str().unwrap()]);
            assert!(run.code <= 3 && !run.err.contains("panicked"), "{}", run.err);
        }
    }
}
