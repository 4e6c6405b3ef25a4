//! One upload: who carries it, how long it waits, what goes wrong. Synchronous uploads go one
//! after another per worker; asynchronous ones overlap up to a limit.

use std::cmp::Ordering;

use super::scenario::{StageSetting, World};
use crate::ingest::record::ExecutionType;
use stagegate_stats::random::Stream;

/// What async does to the memory of one upload: it streams.
pub(super) const ASYNC_MEMORY_FACTOR: f64 = 0.15;
/// After so long the client gives up.
const TIMEOUT_MS: f64 = 30_000.0;
/// Uploads in three weeks that one worker can carry synchronously.
const UPLOADS_PER_WORKER: u64 = 60_000;

/// What the uploads of one hour share.
pub(super) struct Weather {
    slowness: f64,
    trouble: f64,
}

impl Weather {
    /// Log-normal factors with median 1.
    pub(super) fn draw(random: &mut Stream) -> Self {
        Self { slowness: (0.10 * random.normal()).exp(), trouble: (0.35 * random.normal()).exp() }
    }
}

/// One line of the log.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub execution_type: ExecutionType,
    pub success: bool,
    pub start_s: f64,
    pub end_s: f64,
    pub duration_ms: f64,
    pub error_type: Option<&'static str>,
    pub size_mb: f64,
    pub provider: &'static str,
    pub file_type: &'static str,
    pub memory_mb: f64,
}

/// The earliest end first, for a heap that pops the largest.
impl Ord for Record {
    fn cmp(&self, other: &Self) -> Ordering {
        other.end_s.total_cmp(&self.end_s).then_with(|| other.start_s.total_cmp(&self.start_s))
    }
}

impl PartialOrd for Record {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Record {}

/// When each worker, and each of its async slots, is free again.
pub(super) struct Workers {
    sync_free_s: Vec<f64>,
    async_free_s: Vec<f64>,
}

impl Workers {
    /// So many workers that the queue of a rollout of this size is worked off.
    pub(super) fn new(uploads: u64) -> Self {
        let workers = (uploads / UPLOADS_PER_WORKER) as usize + 1;
        Self { sync_free_s: vec![0.0; workers], async_free_s: Vec::new() }
    }

    /// Nothing is in flight from `now_s` on.
    pub(super) fn free_at(&mut self, now_s: f64) {
        self.sync_free_s.iter_mut().chain(&mut self.async_free_s).for_each(|free| *free = free.min(now_s));
    }

    /// Carries out an upload that is asked for at `at`, `stage_s` seconds into its stage.
    pub(super) fn upload(
        &mut self,
        world: &World,
        stage: &StageSetting,
        at: f64,
        weather: &Weather,
        stage_s: f64,
        random: &mut Stream,
    ) -> Record {
        let file = File::draw(stage.small_files, random);
        let treated = random.open_unit() < stage.treated_share;
        if self.async_free_s.is_empty() {
            self.async_free_s = vec![0.0; self.sync_free_s.len() * world.concurrency];
        }
        let queue = if treated { &mut self.async_free_s } else { &mut self.sync_free_s };
        let slot = earliest(queue);
        let start_s = at.max(queue[slot]);
        let outage = stage.outage.as_ref().and_then(|(when, rate)| {
            let second = stage_s + (at % 3600.0);
            (when.start as f64..when.end as f64).contains(&second).then_some(*rate)
        });
        let outcome = if treated {
            asynchronous(world, &file, weather, outage, random)
        } else {
            let attempt = attempt(world, &file, weather, ExecutionType::Sync, None, random);
            Outcome { execution_type: ExecutionType::Sync, duration_ms: attempt.duration_ms, error: attempt.error }
        };
        // The logger writes hundredths of a millisecond and whole microseconds.
        let duration_ms = (outcome.duration_ms * 100.0).round() / 100.0;
        let end_s = start_s + duration_ms / 1000.0;
        queue[slot] = end_s;
        let memory = (18.0 + 3.4 * file.size_mb) * (0.12 * random.normal()).exp();
        let memory_factor = if outcome.execution_type == ExecutionType::Async { ASYNC_MEMORY_FACTOR } else { 1.0 };
        Record {
            execution_type: outcome.execution_type,
            success: outcome.error.is_none(),
            start_s,
            end_s,
            duration_ms,
            error_type: outcome.error,
            size_mb: file.size_mb,
            provider: file.provider,
            file_type: file.file_type,
            memory_mb: (memory * memory_factor * 10.0).round() / 10.0,
        }
    }
}

fn earliest(free_s: &[f64]) -> usize {
    free_s.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(index, _)| index)
}

struct Outcome {
    execution_type: ExecutionType,
    duration_ms: f64,
    error: Option<&'static str>,
}

/// One retry, then a synchronous fallback or failure.
fn asynchronous(world: &World, file: &File, weather: &Weather, outage: Option<f64>, random: &mut Stream) -> Outcome {
    let first = attempt(world, file, weather, ExecutionType::Async, outage, random);
    let forced = random.open_unit() < world.forced_fallback_rate;
    if first.error.is_none() && !forced {
        return Outcome { execution_type: ExecutionType::Async, duration_ms: first.duration_ms, error: None };
    }
    let mut spent_ms = first.duration_ms;
    let mut error = first.error;
    // A retry helps against an ordinary fault, hardly against an outage.
    if outage.is_none() && !forced {
        let second = attempt(world, file, weather, ExecutionType::Async, Some(0.20), random);
        spent_ms += second.duration_ms;
        error = second.error;
        if error.is_none() {
            return Outcome { execution_type: ExecutionType::Async, duration_ms: spent_ms, error: None };
        }
    }
    if forced || (outage.is_none() && random.open_unit() < world.fallback_share) {
        let redo = attempt(world, file, weather, ExecutionType::Sync, None, random);
        let duration_ms = spent_ms + redo.duration_ms;
        // Most of what timed out once has a slow provider behind it; the redo fails rarely.
        let failed = redo.error.filter(|_| random.open_unit() < 0.1);
        return Outcome { execution_type: ExecutionType::SyncFallback, duration_ms, error: failed };
    }
    Outcome { execution_type: ExecutionType::Async, duration_ms: spent_ms, error }
}

struct Attempt {
    duration_ms: f64,
    error: Option<&'static str>,
}

/// One try; `failure_rate` replaces the world's error rate where given.
fn attempt(
    world: &World,
    file: &File,
    weather: &Weather,
    execution_type: ExecutionType,
    failure_rate: Option<f64>,
    random: &mut Stream,
) -> Attempt {
    let is_async = execution_type == ExecutionType::Async;
    let (timeout_rate, error_rate) = if is_async {
        (world.async_timeout_rate, failure_rate.unwrap_or(world.async_error_rate))
    } else {
        (world.sync_timeout_rate, world.sync_error_rate)
    };
    let mut factor = if is_async { world.async_latency_factor } else { 1.0 };
    if is_async && file.provider == "glm" {
        factor *= world.async_glm_factor;
    }
    let base_ms = if file.provider == "kimi" { 1500.0 } else { 1900.0 };
    let duration_ms = (base_ms + 38.0 * file.size_mb) * factor * weather.slowness * (0.38 * random.normal()).exp();
    let luck = random.open_unit();
    if luck < timeout_rate * weather.trouble || duration_ms > TIMEOUT_MS {
        // An async client gives up on its first attempt much earlier.
        let gives_up_ms = if is_async { TIMEOUT_MS / 5.0 } else { TIMEOUT_MS };
        return Attempt { duration_ms: gives_up_ms + 20.0 * random.open_unit(), error: Some("TimeoutError") };
    }
    if luck < timeout_rate * weather.trouble + error_rate {
        let error = match random.below(10) {
            0..4 => "ConnectionError",
            4..7 => "APIStatusError",
            7..9 => "PermissionError",
            _ => "FileNotFoundError",
        };
        return Attempt { duration_ms: duration_ms * 0.4, error: Some(error) };
    }
    Attempt { duration_ms, error: None }
}

struct File {
    size_mb: f64,
    provider: &'static str,
    file_type: &'static str,
}

impl File {
    fn draw(small: bool, random: &mut Stream) -> Self {
        let file_type = ["text", "json", "csv", "md", "python", "binary"][random.below(6) as usize];
        // Cumulative shares of up to 1, 10, 50 and 100 MB, and above.
        let shares = match (small, file_type) {
            (true, _) => [0.80, 0.97, 0.99, 1.0],
            (false, "binary") => [0.15, 0.50, 0.80, 0.95],
            (false, "md" | "python") => [0.75, 0.96, 0.99, 1.0],
            (false, _) => [0.45, 0.80, 0.94, 0.99],
        };
        let bounds = [0.02, 1.0, 10.0, 50.0, 100.0, 180.0];
        let luck = random.open_unit();
        let bucket = shares.iter().position(|share| luck < *share).unwrap_or(4);
        let (low, high): (f64, f64) = (bounds[bucket], bounds[bucket + 1]);
        let size_mb = low * (high / low).powf(random.open_unit());
        let kimi = if small { 0.85 } else { 0.6 };
        let provider = if random.open_unit() < kimi { "kimi" } else { "glm" };
        Self { size_mb: (size_mb * 1000.0).round() / 1000.0, provider, file_type }
    }
}
