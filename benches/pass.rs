//! The parts of the one pass, and the whole report, on a simulated log. Run with
//! `cargo bench --bench pass`; the log is made on the fly.

use std::hint::black_box;
use std::time::{Duration, Instant};

use stagegate::config::{self, Plan};
use stagegate::evidence::Evidence;
use stagegate::ingest::chunks::line_ranges;
use stagegate::ingest::fast::FastReader;
use stagegate::ingest::native::parse_line;
use stagegate::phases::Phases;
use stagegate::simulate::{self, Scenario};
use stagegate::{analysis, cube, render, report};

const UPLOADS: u64 = 200_000;
const RUNS: usize = 7;

/// Median of several runs.
fn time<T>(mut work: impl FnMut() -> T) -> Duration {
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            black_box(work());
            start.elapsed()
        })
        .collect();
    times.sort();
    times[RUNS / 2]
}

fn show(name: &str, bytes: Option<usize>, time: Duration) {
    let rate = bytes.map_or_else(String::new, |bytes| format!("{:>8.2} GB/s", bytes as f64 / time.as_secs_f64() / 1e9));
    println!("{name:<34} {:>10.2} ms {rate}", time.as_secs_f64() * 1e3);
}

fn plan(log: &std::path::Path) -> Plan {
    let mut plan = config::parse("built-in", "", Default::default()).expect("the built-in rollout is valid");
    plan.files = vec![log.display().to_string()];
    plan.files_from_command_line = true;
    plan
}

fn main() {
    let mut log = Vec::new();
    simulate::rollout(Scenario::Good, UPLOADS, 7, &mut log).expect("a vector takes every line");
    let text = std::str::from_utf8(&log).expect("the simulator writes UTF-8");
    let lines: Vec<&str> = line_ranges(&log).map(|range| &text[range]).collect();
    println!(
        "{} lines, {:.1} MB, one thread unless said otherwise, median of {RUNS}",
        lines.len(),
        log.len() as f64 / 1e6
    );

    show("newlines", Some(log.len()), time(|| line_ranges(&log).count()));
    show("UTF-8 check", Some(log.len()), time(|| std::str::from_utf8(&log).is_ok()));
    let structural = || memchr::memchr3_iter(b'"', b':', b',', &log).count();
    show("quotes, colons and commas", Some(log.len()), time(structural));
    let fast = || {
        let (mut reader, mut rest, mut read) = (FastReader::default(), text, 0);
        while !rest.is_empty() {
            let length = match reader.read(rest) {
                Some((_, length)) => length,
                None => rest.find('\n').map_or(rest.len(), |end| end + 1),
            };
            rest = &rest[length..];
            read += 1;
        }
        read
    };
    show("lines to uploads, fast", Some(log.len()), time(fast));
    let parse = || lines.iter().filter(|line| parse_line(line).is_ok()).count();
    show("lines to uploads, general parser", Some(log.len()), time(parse));
    let serde = || lines.iter().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()).count();
    show("the same by serde_json::Value", Some(log.len()), time(serde));

    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), &log).expect("room for the log");
    let plan = plan(file.path());
    for threads in [1, 4] {
        let phases = Phases::new(threads);
        let whole = time(|| stagegate::cube(&plan, &[], &phases).expect("the log is good"));
        show(&format!("log to cube, {threads} thread(s)"), Some(log.len()), whole);
    }
    let cube: cube::Cube = stagegate::cube(&plan, &[], &Phases::new(4)).expect("the log is good");
    let evidence = Evidence::default();
    show("analysis", None, time(|| analysis::run(&plan, &cube, &evidence).expect("the cube is whole")));
    let findings = analysis::run(&plan, &cube, &evidence).expect("the cube is whole");
    let report = report::assemble(&plan, findings, "2025-11-18T12:00:00Z".into());
    show("render", None, time(|| render::all(&report)));
}
