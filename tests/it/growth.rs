//! Logs that grow: only what is new is folded, and the report is that of one reading.

use std::io::Write;
use std::path::PathBuf;

use super::{Place, files_below, upload_line};

const CLOCK: [&str; 4] = ["report", "--generated-at", "2025-11-18T12:00:00Z", "--out"];

/// The report by way of the cache, which must be that of all logs; megabytes that were read as lines.
#[track_caller]
fn check(place: &Place, what: &str, inputs: &[&str]) -> f64 {
    let told = place.run(&[&CLOCK[..], &["cached", "-v", "--cache", "cache"], inputs].concat()).expect(0).err;
    place.run(&[&CLOCK[..], &["anew", "-q"], inputs].concat()).expect(0);
    let files = |folder: &str| -> Vec<(PathBuf, Vec<u8>)> { files_below(&place.path(folder)) };
    for (cached, anew) in files("cached").into_iter().zip(files("anew")) {
        assert!(cached == anew, "{what}: {}", cached.0.display());
    }
    let line = told.lines().find(|line| line.starts_with("bytes")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Cut anywhere, with events, bad lines and repeats in every part: the report of each length is that of one reading.
#[test]
fn a_log_that_grows_gives_the_report_of_one_reading() {
    let place = Place::new();
    place.generate("whole.jsonl", "messy", 9000);
    let whole = std::fs::read(place.path("whole.jsonl")).unwrap();
    let size = whole.len();
    let mut last = 0.0;
    for (step, cut) in
        [900, 40_000, 40_001, size / 3, size / 3 + 1024, size / 2, size / 2, size - 3, size].into_iter().enumerate()
    {
        place.write("log.jsonl", &whole[..cut]);
        last = check(&place, &format!("step {step}"), &["log.jsonl"]);
    }
    // Three bytes were new: what is read is the line that was cut, twice (for events, for records), and the last KiB.
    assert!(last < 0.1 && size > 2_000_000, "{last} MB");
    // The other cube of the config: none is left behind by a run.
    let cubes = std::fs::read_dir(place.path("cache")).unwrap().count();
    assert_eq!(cubes, 1);
}

/// Nothing that was changed, cut, taken away or put in place of another is told as it was.
#[test]
fn a_log_that_is_rewritten_is_read_again() {
    let place = Place::new();
    place.generate("whole.jsonl", "good", 8000);
    let whole = std::fs::read(place.path("whole.jsonl")).unwrap();
    let half = whole.len() / 2;
    let events: Vec<&str> =
        std::str::from_utf8(&whole).unwrap().lines().filter(|line| line.contains("rollout_stage")).collect();
    place.write("a.jsonl", &whole[..half]);
    place.write("b.jsonl", &whole[half..]);
    let both = ["a.jsonl", "b.jsonl"];
    check(&place, "first", &both);
    assert!(check(&place, "the same", &both) < 0.1);
    // One digit of an early line; the length and the edges are as they were.
    let at = whole.windows(13).position(|bytes| bytes == b"\"duration_ms\"").unwrap() + 17;
    let mut changed = whole[..half].to_vec();
    changed[at] = if changed[at] == b'7' { b'8' } else { b'7' };
    place.write("a.jsonl", &changed);
    assert!(check(&place, "a digit", &both) > 1.0);
    place.write("a.jsonl", &changed[..half / 2]);
    check(&place, "cut", &both);
    std::fs::rename(place.path("a.jsonl"), place.path("a.jsonl.1")).unwrap();
    place.write("a.jsonl", upload_line(77) + "\n");
    check(&place, "rotated", &["a.jsonl", "a.jsonl.1", "b.jsonl"]);
    check(&place, "one gone", &["a.jsonl.1", "b.jsonl"]);
    check(&place, "one more", &["a.jsonl", "a.jsonl.1", "b.jsonl"]);
    // An event that comes late places what was folded before.
    let late =
        events[1].replace("\"percentage\": ", "\"late\": true, \"percentage\": ").replace("T00:00", "T06:00") + "\n";
    assert_ne!(late, events[1].to_owned() + "\n");
    let mut log = std::fs::OpenOptions::new().append(true).open(place.path("b.jsonl")).unwrap();
    write!(log, "{late}").unwrap();
    check(&place, "an event that comes late", &["a.jsonl.1", "b.jsonl"]);
    writeln!(log, "{}", events[2].replace("50", "10")).unwrap();
    check(&place, "another word on a moment that is known", &["a.jsonl.1", "b.jsonl"]);
    // Another config has a cube of its own; a cube that is damaged is no cube.
    let config = place.read("rollout.toml");
    place.write("rollout.toml", config.clone() + "\n[[record.dimensions]]\nname = \"region\"\nfield = \"region\"\n");
    check(&place, "another config", &["a.jsonl.1", "b.jsonl"]);
    place.write("rollout.toml", config);
    for cube in std::fs::read_dir(place.path("cache")).unwrap() {
        std::fs::write(cube.unwrap().path().join("minutes.parquet"), "damaged").unwrap();
    }
    check(&place, "a damaged cache", &["a.jsonl.1", "b.jsonl"]);
}

/// Lines of other formats grow as well; what is packed, or CSV, is folded anew when it has changed.
#[test]
fn every_format_grows() {
    for format in ["k6-json", "envoy", "jtl-csv", "otlp-traces"] {
        let place = Place::new();
        let arguments = ["generate", "--uploads", "3000", "--as", format, "-o", "whole", "--plan", "rollout.toml"];
        place.run(&arguments).expect(0);
        let whole = std::fs::read(place.path("whole")).unwrap();
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&whole[..whole.len() / 4]).unwrap();
        place.write("old.gz", packed.finish().unwrap());
        for part in [2, 3, 4] {
            place.write("log", &whole[..whole.len() * part / 4]);
            check(&place, &format!("{format}, {part} quarters"), &["log"]);
        }
        check(&place, &format!("{format}, and a packed one"), &["log", "old.gz"]);
        assert!(check(&place, &format!("{format}, the same"), &["log", "old.gz"]) < 0.1, "{format}");
    }
}

#[test]
fn check_takes_the_cache_too() {
    let place = Place::new();
    place.generate("log.jsonl", "good", 3000);
    let direct = place.run(&["check", "log.jsonl"]);
    for _ in 0..2 {
        let cached = place.run(&["check", "log.jsonl", "--cache", "cache"]);
        assert_eq!((cached.code, &cached.out), (direct.code, &direct.out));
    }
    // Stages are asked of the same cube.
    let direct = place.run(&["check", "log.jsonl", "--stage", "10%"]);
    let cached = place.run(&["check", "log.jsonl", "--stage", "10%", "--cache", "cache"]);
    assert_eq!((cached.code, cached.out), (direct.code, direct.out));
    // A stream is there once: it is folded, and nothing is kept of it.
    place.write("rest", "");
    place.run(&["report", "-q", "--out", "out", "--cache", "none", "-"]).expect(2);
    assert!(!place.path("none").exists());
}

/// A day's report is that of one reading, too, whatever was kept of the day before.
#[test]
fn days_are_folded_from_what_is_kept() {
    let place = Place::new();
    place.generate("whole.jsonl", "good", 6000);
    let whole = std::fs::read(place.path("whole.jsonl")).unwrap();
    for part in [5, 6, 6, 8] {
        place.write("log.jsonl", &whole[..whole.len() * part / 8]);
        let day = |out: &str, more: &[&str]| {
            let arguments = ["daily", "-q", "--generated-at", "2025-11-18T12:00:00Z", "-o", out, "log.jsonl"];
            place.run(&[&arguments[..], more].concat()).expect(0);
            let files = files_below(&place.path(out));
            std::fs::remove_dir_all(place.path(out)).unwrap();
            files
        };
        assert_eq!(day("out", &["--cache", "cache"]), day("out", &[]), "{part} eighths");
    }
    place.write("bad.jsonl", "{\"a\": 1}\n".repeat(50));
    let bad = place.run(&["daily", "bad.jsonl"]).expect(2);
    assert!(!bad.err.contains("there is no day to report"), "{}", bad.err);
}
