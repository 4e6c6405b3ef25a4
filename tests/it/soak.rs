//! Long runs: a log that is watched while it grows and is rotated, and runs that end at any moment. Slow, and Linux's:
//! memory and descriptors are read where it tells them.
#![cfg(target_os = "linux")]
#![expect(clippy::print_stdout, reason = "what was held is what these tests are run for")]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use xxhash_rust::xxh3::xxh3_64;

use super::{Place, files_below};

/// Steps in which the log of the day comes, and after how many it is rotated.
const STEPS: usize = 96;
const ROTATED: usize = 12;
/// The clock of every report, 2025-11-18T12:00:00Z.
const CLOCK: &str = "1763467200";
/// Moments at which a run is ended, unless STAGEGATE_SIGNALS says how many.
const MOMENTS: usize = 100;

/// Resident memory in kB, and open descriptors.
fn held(child: &Child) -> (u64, usize) {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("the child runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    let memory = line.trim().trim_end_matches(" kB").parse().expect("a number");
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", child.id())).expect("its descriptors").count();
    (memory, descriptors)
}

/// A day in 96 quarters of an hour, rotated every three hours, the older ones packed: after each the report is that of
/// all that was written, memory stays flat, and no descriptor is left open.
#[test]
#[ignore = "slow"]
fn a_day_under_watch_holds_no_more_than_at_its_beginning() {
    let place = Place::new();
    place.generate("whole.jsonl", "messy", 60_000);
    let whole = std::fs::read(place.path("whole.jsonl")).expect("the log of the day");
    let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    std::fs::create_dir(place.path("logs")).expect("a folder");
    let mut child = Command::new(env!("CARGO_BIN_EXE_stagegate"))
        .args(["report", "-q", "--watch", "logs/*"])
        .current_dir(place.path("."))
        .env("SOURCE_DATE_EPOCH", CLOCK)
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(place.path("noted")).expect("a file"))
        .spawn()
        .expect("stagegate starts");
    let reported = || -> Option<u64> {
        let text = std::fs::read_to_string(place.path("out/report.json")).ok()?;
        let report: serde_json::Value = serde_json::from_str(&text).ok()?;
        report["inputs"].as_array()?.iter().map(|input| input["lines"].as_u64()).sum()
    };
    let mut seen: Vec<(u64, usize)> = Vec::new();
    for (step, part) in lines.chunks(lines.len().div_ceil(STEPS)).enumerate() {
        if step > 0 && step % ROTATED == 0 {
            let older = place.path(&format!("logs/app.{:02}.jsonl", step / ROTATED));
            std::fs::rename(place.path("logs/app.jsonl"), &older).expect("rotated");
        }
        let mut log =
            std::fs::OpenOptions::new().create(true).append(true).open(place.path("logs/app.jsonl")).expect("the log");
        // A writer ends in the middle of a line, now and then.
        let text = part.concat();
        let (first, rest) = text.split_at(text.len() / 2);
        log.write_all(first).expect("written");
        log.write_all(rest).expect("written");
        let written = lines.iter().take((step + 1) * lines.len().div_ceil(STEPS)).count() as u64;
        let start = Instant::now();
        while reported() != Some(written) {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "step {step}: {:?} of {written} lines\n{}",
                reported(),
                place.read("noted")
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        seen.push(held(&child));
    }
    child.kill().expect("it runs still");
    child.wait().expect("it ended");
    // The hours of the rollout are held, and grow with it; what leaks grows with the reports, of which each is one more.
    let (early, late) = (&seen[STEPS / 2..STEPS * 5 / 8], &seen[seen.len() - STEPS / 8..]);
    let memory = |part: &[(u64, usize)]| part.iter().map(|held| held.0).max().unwrap_or(0);
    let descriptors = |part: &[(u64, usize)]| part.iter().map(|held| held.1).max().unwrap_or(0);
    println!(
        "memory {} then {} kB, descriptors {} then {}",
        memory(early),
        memory(late),
        descriptors(early),
        descriptors(late)
    );
    assert!(memory(late) < memory(early) * 3 / 2, "memory grows: {seen:?}");
    assert!(descriptors(late) <= descriptors(early), "descriptors are left open: {seen:?}");
    let anew = place.report("anew", &["logs/*"]);
    let watched: serde_json::Value = serde_json::from_str(&place.read("out/report.json")).expect("a report");
    for (key, value) in anew.as_object().expect("an object") {
        assert_eq!(watched[key], *value, "{key} is not that of one reading");
    }
}

/// Ends runs by a signal at any moment: what they write is there as it was before, or as it is after, and the next run
/// finds nothing in its way.
#[test]
#[ignore = "slow"]
fn a_signal_at_any_moment_leaves_whole_files() {
    let moments = std::env::var("STAGEGATE_SIGNALS").ok().and_then(|count| count.parse().ok()).unwrap_or(MOMENTS);
    let place = Place::new();
    place.generate("new.jsonl", "good", 6000);
    let log = place.read("new.jsonl");
    place.write("old.jsonl", log.lines().take(5000).collect::<Vec<_>>().join("\n"));
    type Files = BTreeMap<PathBuf, Vec<u8>>;
    let files = |name: &str| -> Files {
        let left_behind = |path: &PathBuf| path.to_string_lossy().contains(".stagegate");
        files_below(&place.path(name)).into_iter().filter(|(path, _)| !left_behind(path)).collect()
    };
    let commands: [(&str, Vec<&str>); 4] = [
        ("out", vec!["report", "-q", "--out", "out"]),
        ("a.cube", vec!["cube", "-q", "-o", "a.cube"]),
        ("one", vec!["cube", "-q", "-o", "one/a.cube.tar"]),
        ("kept", vec!["check", "-q", "--format", "json", "--cache", "kept"]),
    ];
    std::fs::create_dir(place.path("one")).expect("a folder");
    let spawn = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_stagegate"))
            .args(arguments)
            .arg("log.jsonl")
            .current_dir(place.path("."))
            .env("SOURCE_DATE_EPOCH", CLOCK)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("stagegate starts")
    };
    let of = |log: &str, index: usize| {
        std::fs::copy(place.path(log), place.path("log.jsonl")).expect("a copy");
        let (name, arguments) = &commands[index];
        let start = Instant::now();
        spawn(arguments).wait().expect("a child");
        (files(name), start.elapsed())
    };
    let known: Vec<(Files, Files, Duration)> = (0..commands.len())
        .map(|index| {
            let (old, _) = of("old.jsonl", index);
            let (new, took) = of("new.jsonl", index);
            assert!(!old.is_empty() && old != new);
            (old, new, took)
        })
        .collect();
    let (mut early, mut late) = (0, 0);
    for moment in 0..moments {
        let index = moment % commands.len();
        let ((name, arguments), (old, new, took)) = (&commands[index], &known[index]);
        std::fs::copy(place.path("old.jsonl"), place.path("log.jsonl")).expect("a copy");
        spawn(arguments).wait().expect("a child");
        assert!(files(name) == *old, "{name}: the run before is in the way, at moment {moment}");
        std::fs::copy(place.path("new.jsonl"), place.path("log.jsonl")).expect("a copy");
        let mut run = spawn(arguments);
        let random = xxh3_64(&moment.to_le_bytes());
        std::thread::sleep(took.mul_f64(1.1 * (random % 1000) as f64 / 1000.0));
        let signal = ["-TERM", "-INT", "-HUP", "-KILL"][(random / 1000 % 4) as usize];
        let _ = Command::new("kill").args([signal, &run.id().to_string()]).stderr(Stdio::null()).status();
        run.wait().expect("a child");
        let found = files(name);
        // A report changes places file by file, each in one step; all else is one file, or one folder.
        let is = |whole: &Files, path: &PathBuf| whole.get(path) == found.get(path);
        let whole = match *name {
            "out" => found.keys().all(|path| is(old, path) || is(new, path)) && found.keys().eq(new.keys()),
            _ => found == *old || found == *new,
        };
        assert!(whole, "{name} after {signal} at moment {moment}: {:?}", found.keys());
        early += usize::from(found == *old);
        late += usize::from(found == *new);
    }
    println!("{moments} signals: {early} left what was there, {late} what was to be");
    assert!(early > moments / 10 && late > 0, "the moments lie before the end and behind it: {early}, {late}");
}
