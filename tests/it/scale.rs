//! Slow checks: `cargo test --release -- --ignored`.

use super::Place;

/// Peak memory of a finished child, in MB, as the kernel counted it for all children so far.
#[cfg(target_os = "linux")]
fn peak_mb(place: &Place, arguments: &[&str]) -> f64 {
    use std::process::Command;
    let script = "exec /usr/bin/env python3 - \"$@\" <<'P'\nimport resource, subprocess, sys\nsubprocess.run(sys.argv[1:], check=True)\nprint(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\nP";
    let output = Command::new("sh")
        .args(["-c", script, "sh", env!("CARGO_BIN_EXE_stagegate")])
        .args(arguments)
        .current_dir(place.path("."))
        .output()
        .expect("sh and python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().parse::<f64>().expect("a number") / 1000.0
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "makes a log of 1 GB"]
fn memory_depends_on_the_cube_and_not_on_the_file() {
    let place = Place::new();
    place.generate("small.jsonl", "good", 400_000);
    place.generate("large.jsonl", "good", 4_000_000);
    let [small, large] = ["small.jsonl", "large.jsonl"].map(|log| peak_mb(&place, &["report", "-q", log]));
    assert!(large < 250.0, "{large} MB");
    assert!(large < small * 3.0, "ten times the log took {large} MB, after {small} MB");
}

#[test]
#[ignore = "a fifth of a million uploads, folded in many ways"]
fn a_large_log_folds_the_same_in_one_piece_and_in_many() {
    let place = Place::new();
    place.generate("log.jsonl", "messy", 200_000);
    let text = std::fs::read(place.path("log.jsonl")).unwrap();
    let whole = place.report("whole", &["log.jsonl"]);
    let mut lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    let last = lines.pop().unwrap();
    for part in 0..16 {
        let mut piece: Vec<u8> = lines.iter().skip(part).step_by(16).copied().flatten().copied().collect();
        if part == 15 {
            piece.extend(last);
        }
        // Only the first file may begin with a byte-order mark, and the first line is in part 0.
        place.write(&format!("part-{part:02}.jsonl"), piece);
    }
    let parts = place.report("parts", &["part-*.jsonl"]);
    for section in ["stages", "improvements", "criteria", "series", "events"] {
        assert_eq!(whole[section], parts[section], "{section}");
    }
    assert_eq!(whole["data_quality"]["rejected_total"], parts["data_quality"]["rejected_total"]);
}
