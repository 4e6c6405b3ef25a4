//! The parts of the one pass and of the report, on a simulated log of 51 MB that is made on the fly:
//! `cargo bench --bench pass`, or one part with `cargo bench --bench pass -- fold`.

use std::sync::LazyLock;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};

use stagegate::config::{self, Plan};
use stagegate::cube::Cube;
use stagegate::evidence::Evidence;
use stagegate::ingest::chunks::line_ranges;
use stagegate::ingest::layout::Layouts;
use stagegate::ingest::learned;
use stagegate::ingest::native::parse_line;
use stagegate::ingest::timestamp::IsoReader;
use stagegate::report::model::Report;
use stagegate::run::Run;
use stagegate::simulate::{self, Scenario};
use stagegate::{analysis, render};
use stagegate_stats::bootstrap::{CumulativeBlocks, resampled_ratios};
use stagegate_stats::random::Stream;

fn main() {
    divan::main();
}

/// When the report says it was written.
const CLOCK: &str = "2025-11-18T12:00:00Z";
const UPLOADS: u64 = 200_000;
/// Resamples of a figure, as the default config has it.
const REPLICATES: u32 = 2000;
/// Hours of a stage of four days.
const HOURS: usize = 96;

static LOG: LazyLock<String> = LazyLock::new(|| {
    let mut log = Vec::new();
    simulate::rollout(Scenario::Good, UPLOADS, 7, &mut log).expect("a vector takes every line");
    String::from_utf8(log).expect("the simulator writes UTF-8")
});

static LINES: LazyLock<Vec<&str>> = LazyLock::new(|| line_ranges(LOG.as_bytes()).map(|range| &LOG[range]).collect());

/// A plan of the log, in a file that stays as long as it is asked.
fn plan() -> (Plan, tempfile::NamedTempFile) {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), LOG.as_bytes()).expect("room for the log");
    let mut plan = config::parse("built-in", "", Default::default()).expect("the built-in rollout is valid");
    plan.input.files = vec![file.path().display().to_string()];
    plan.files_from_command_line = true;
    (plan, file)
}

fn folded() -> (Plan, Cube) {
    let (plan, _file) = plan();
    let cube = stagegate::cube(&plan, &[], &Run::new(2)).expect("the log is good");
    (plan, cube)
}

fn reported() -> Report {
    let (plan, cube) = folded();
    analysis::report(&plan, &cube, &Evidence::default(), CLOCK.into()).expect("the cube is whole")
}

/// Of what any reader must do: the least, and the structure alone.
#[divan::bench_group]
mod splitting {
    use super::*;

    #[divan::bench]
    fn newlines(bencher: Bencher) {
        bencher.counter(BytesCount::of_str(&**LOG)).bench(|| line_ranges(LOG.as_bytes()).count());
    }

    #[divan::bench]
    fn utf_8_check(bencher: Bencher) {
        bencher.counter(BytesCount::of_str(&**LOG)).bench(|| std::str::from_utf8(LOG.as_bytes()).is_ok());
    }

    #[divan::bench]
    fn quotes_colons_and_commas(bencher: Bencher) {
        let count = || memchr::memchr3_iter(b'"', b':', b',', LOG.as_bytes()).count();
        bencher.counter(BytesCount::of_str(&**LOG)).bench(count);
    }
}

#[divan::bench_group]
mod decoding {
    use super::*;

    #[divan::bench]
    fn learned_layout(bencher: Bencher) {
        bencher.counter(BytesCount::of_str(&**LOG)).bench(|| {
            let mut layouts = Layouts::new(learned::wanted_of_native().expect("few fields"));
            let (mut times, mut rest, mut read) = (IsoReader::default(), LOG.as_str(), 0);
            while !rest.is_empty() {
                let flat = layouts.read(rest);
                if let Some((flat, length)) = flat {
                    read +=
                        usize::from(learned::read_native(rest, flat, &mut times).is_some_and(|record| record.is_ok()));
                    rest = &rest[length..];
                    continue;
                }
                layouts.learn(rest);
                rest = rest.find('\n').map_or("", |end| &rest[end + 1..]);
            }
            read
        });
    }

    #[divan::bench]
    fn general_parser(bencher: Bencher) {
        let parse = || LINES.iter().filter(|line| parse_line(line).is_ok()).count();
        bencher.counter(BytesCount::of_str(&**LOG)).bench(parse);
    }

    #[divan::bench]
    fn serde_json_value(bencher: Bencher) {
        let parse = || LINES.iter().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()).count();
        bencher.counter(BytesCount::of_str(&**LOG)).bench(parse);
    }
}

/// The log to its cube: reading, decoding, folding and the tables.
#[divan::bench(args = [1, 2])]
fn fold(bencher: Bencher, threads: usize) {
    let (plan, _file) = plan();
    let fold = || stagegate::cube(&plan, &[], &Run::new(threads)).expect("the log is good");
    bencher.counter(BytesCount::of_str(&**LOG)).bench(fold);
}

#[divan::bench_group]
mod bootstrap {
    use super::*;

    /// A mean or a rate.
    #[divan::bench]
    fn ratios(bencher: Bencher) {
        let mut random = Stream::new(1, "blocks");
        let blocks: Vec<(f64, f64)> = (0..HOURS).map(|_| (random.exponential(), 1.0 + random.exponential())).collect();
        let resample = || resampled_ratios(&blocks, REPLICATES, &mut Stream::new(1, "ratios"));
        bencher.counter(ItemsCount::new(REPLICATES)).bench(resample);
    }

    /// A quantile.
    #[divan::bench]
    fn quantiles(bencher: Bencher) {
        let mut random = Stream::new(1, "bins");
        let hours: Vec<Vec<(u16, u64)>> = (0..HOURS)
            .map(|_| {
                let mut bins: Vec<u16> = (0..300).map(|_| 9000 + (random.exponential() * 400.0) as u16).collect();
                bins.sort_unstable();
                bins.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u64)).collect()
            })
            .collect();
        let blocks = CumulativeBlocks::new(hours.iter().map(|hour| hour.iter().copied()));
        let rank = |n: u64| Some((n * 95).div_ceil(100));
        let resample = || blocks.quantiles(rank, REPLICATES, &mut Stream::new(1, "quantiles"));
        bencher.counter(ItemsCount::new(REPLICATES)).bench(resample);
    }
}

/// The cube to the findings, on all cores.
#[divan::bench]
fn analyse(bencher: Bencher) {
    let (plan, cube) = folded();
    bencher.bench(|| analysis::report(&plan, &cube, &Evidence::default(), CLOCK.into()).expect("the cube is whole"));
}

/// The report to all its files, charts included.
#[divan::bench]
fn render_all(bencher: Bencher) {
    let report = reported();
    bencher.bench(|| render::all(&report, render::Reload::Never));
}
