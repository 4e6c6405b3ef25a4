//! A seeded simulator of a staged rollout: what the plan's numbers would look like were they
//! true, and what it looks like when something goes wrong. It prints what it planted, so that the
//! report can be held against the truth.

mod scenario;
pub mod shape;
mod traffic;
mod truth;
mod writer;

use std::collections::{BTreeMap, BinaryHeap};
use std::io::{self, Write};

pub use scenario::Scenario;
use scenario::{StageSetting, World};
use traffic::{Record, Workers};
use truth::StageTruth;
pub use truth::Truth;
use writer::LogWriter;

use stagegate_stats::random::Stream;

/// 2025-10-29T00:00:00Z: the rollout's first day.
const START_S: f64 = 1_761_696_000.0;
const HOUR_S: f64 = 3600.0;
/// Uploads of a batch, on average: work arrives in batches, as people upload folders.
const BATCH_MEAN: f64 = 12.0;

/// Simulates a rollout of about `uploads` uploads and writes its log.
///
/// # Errors
/// The writer's.
pub fn rollout(scenario: Scenario, uploads: u64, seed: u64, out: &mut dyn Write) -> io::Result<Truth> {
    let world = scenario.world();
    let mut random = Stream::new(seed, "simulate");
    let mut log = LogWriter::new(scenario, seed, out);
    let mut truths = Vec::new();
    let mut from_s = START_S;
    log.begin(from_s)?;
    let mut workers = Workers::new(uploads);
    for stage in &world.stages {
        if stage.percentage > 0.0 {
            log.stage_event(from_s, stage)?;
        }
        let mut truth = StageTruth {
            name: stage.name,
            percentage: stage.percentage,
            from_epoch_s: from_s,
            uploads: BTreeMap::new(),
            successes: BTreeMap::new(),
        };
        simulate_stage(&world, stage, from_s, uploads, &mut workers, &mut random, |record| {
            let word = record.execution_type.word();
            *truth.uploads.entry(word).or_default() += 1;
            *truth.successes.entry(word).or_default() += u64::from(record.success);
            log.upload(record)
        })?;
        truths.push(truth);
        from_s += stage.days * 24.0 * HOUR_S;
        // The stage is drained before the next begins, so that a stage's uploads are those that started in it.
        workers.free_at(from_s);
    }
    log.finish(Truth {
        scenario,
        seed,
        planted: world.planted.iter().map(|text| (*text).to_owned()).collect(),
        stages: truths,
        lines: 0,
        events: 0,
        blank: 0,
        rejected: BTreeMap::new(),
        duplicate_request_ids: 0,
        async_latency_factor: world.async_latency_factor,
        async_memory_factor: traffic::ASYNC_MEMORY_FACTOR,
        sync_timeout_rate: world.sync_timeout_rate,
        async_timeout_rate: world.async_timeout_rate,
    })
}

/// Volume of an hour of the day relative to the mean: busiest at 14:00 UTC, quiet at night.
fn day_cycle(hour_of_day: f64) -> f64 {
    1.0 + 0.6 * ((hour_of_day - 14.0) / 24.0 * std::f64::consts::TAU).cos()
}

fn simulate_stage(
    world: &World,
    stage: &StageSetting,
    from_s: f64,
    total_uploads: u64,
    workers: &mut Workers,
    random: &mut Stream,
    mut emit: impl FnMut(&Record) -> io::Result<()>,
) -> io::Result<()> {
    let hours = (stage.days * 24.0) as u64;
    let to_s = from_s + hours as f64 * HOUR_S;
    let batches_per_hour = total_uploads as f64 * stage.share / hours as f64 / BATCH_MEAN;
    let mut pending: BinaryHeap<Record> = BinaryHeap::new();
    for hour in 0..hours {
        let start = from_s + hour as f64 * HOUR_S;
        let weather = traffic::Weather::draw(random);
        let gap = stage.silent_hours.contains(&hour);
        let rate = if gap { 0.0 } else { batches_per_hour * day_cycle((hour % 24) as f64 + 0.5) };
        let mut at = start + random.exponential() * HOUR_S / rate.max(1e-9);
        while at < start + HOUR_S {
            // Nothing that starts from now on can end before now.
            emit_until(at, &mut pending, &mut emit)?;
            let size = (random.exponential() * (BATCH_MEAN - 1.0)).round() as usize + 1;
            for _ in 0..size {
                let record = workers.upload(world, stage, at, &weather, start - from_s, random);
                // What would start in the next stage is left out: the queue is closed at its end.
                if record.start_s < to_s {
                    pending.push(record);
                }
            }
            at += random.exponential() * HOUR_S / rate.max(1e-9);
        }
    }
    emit_until(f64::INFINITY, &mut pending, &mut emit)
}

fn emit_until(
    now_s: f64,
    pending: &mut BinaryHeap<Record>,
    emit: &mut impl FnMut(&Record) -> io::Result<()>,
) -> io::Result<()> {
    while pending.peek().is_some_and(|record| record.end_s <= now_s) {
        if let Some(record) = pending.pop() {
            emit(&record)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn simulate(scenario: Scenario, seed: u64) -> (String, Truth) {
        let mut log = Vec::new();
        let truth = rollout(scenario, 3000, seed, &mut log).unwrap();
        (String::from_utf8_lossy(&log).into_owned(), truth)
    }

    #[test]
    fn the_same_seed_gives_the_same_log() {
        assert_eq!(simulate(Scenario::Good, 1).0, simulate(Scenario::Good, 1).0);
        assert_ne!(simulate(Scenario::Good, 1).0, simulate(Scenario::Good, 2).0);
    }

    #[test]
    fn the_truth_accounts_for_every_line() {
        for scenario in Scenario::ALL {
            let (log, truth) = simulate(scenario, 1);
            let uploads: u64 = truth.stages.iter().flat_map(|stage| stage.uploads.values()).sum();
            let rejected: u64 = truth.rejected.values().sum();
            assert_eq!(truth.lines, log.lines().count() as u64, "{scenario:?}");
            assert_eq!(
                truth.lines,
                uploads + truth.duplicate_request_ids + truth.events + truth.blank + rejected,
                "{scenario:?}"
            );
        }
    }

    #[test]
    fn the_day_cycle_has_mean_one() {
        let mean = (0..24).map(|hour| day_cycle(f64::from(hour) + 0.5)).sum::<f64>() / 24.0;
        assert!((mean - 1.0).abs() < 1e-9);
    }
}
