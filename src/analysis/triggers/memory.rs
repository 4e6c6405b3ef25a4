//! Memory that jumps above that of the hour before it.

use super::crossings::{Crossing, triggers};
use super::rates::MOST_MINUTES;
use super::watched::{Kind, Told, Watched};
use crate::cube::Cube;
use crate::cube::slice::{Arm, MinuteMemory};
use crate::error::Result;
use crate::report::model::{Trigger, TriggerSeverity};
use crate::schema::record::MEMORY;
use stagegate_stats::median::median;
use stagegate_stats::rank_sum::larger_p_value;
use stagegate_stats::scan::{Minute, Reach, windows};

/// Minutes before a window that it is held against, and how many of them must have data.
const MINUTES_BEFORE: i64 = 60;
const FEWEST_MINUTES_BEFORE: usize = 20;

/// Memory of one minute: sum in MB and count.
#[derive(Debug, Clone, Copy)]
struct Sample {
    minute: i64,
    sum_mb: f64,
    count: f64,
}

/// Spikes of a stage's scope: windows whose mean is more than `spike` times the median minute of the
/// hour before, and whose minutes, brought down by that factor, still rank above that hour's beyond chance.
///
/// # Errors
/// The cube is damaged.
pub(super) fn spikes(watched: &Watched<'_>, cube: &Cube, spike: f64, level: f64) -> Result<Vec<Trigger>> {
    let kind = Kind {
        word: "memory_spike".into(),
        severity: TriggerSeverity::Rollback,
        threshold: spike,
        told: Told::MemoryTimesHourBefore,
        falls: false,
    };
    let samples = samples(watched, cube)?;
    let minutes: Vec<Minute> = watched
        .minutes
        .iter()
        .map(|minute| Minute { minute: minute.minute, uploads: minute.uploads, n: 0, events: 0 })
        .collect();
    let fewest_uploads = watched.plan.analysis.min_window_uploads;
    let windows = windows(
        &minutes,
        Reach {
            minutes: i64::from(watched.plan.triggers.rollback_minutes),
            most_minutes: MOST_MINUTES,
            fewest_uploads,
        },
    );
    let mut crossings = Vec::new();
    for (index, window) in windows.iter().enumerate() {
        let between = |from: i64, to: i64| {
            let start = samples.partition_point(|sample| sample.minute < from);
            &samples[start..start + samples[start..].partition_point(|sample| sample.minute < to)]
        };
        let (inside, before) = (between(window.from, window.to), between(window.from - MINUTES_BEFORE, window.from));
        if inside.is_empty() || before.len() < FEWEST_MINUTES_BEFORE {
            continue;
        }
        let sums = inside.iter().fold((0.0, 0.0), |sums, sample| (sums.0 + sample.sum_mb, sums.1 + sample.count));
        let before: Vec<f64> = before.iter().map(|sample| sample.sum_mb / sample.count).collect();
        let times = sums.0 / sums.1 / median(before.clone()).unwrap_or(f64::NAN);
        if times > spike {
            let lowered: Vec<f64> = inside.iter().map(|sample| sample.sum_mb / sample.count / spike).collect();
            let p_value = larger_p_value(&lowered, &before).unwrap_or(1.0);
            crossings.push(Crossing { window: index, value: times, p_value });
        }
    }
    Ok(triggers(watched, &kind, &windows, &crossings, level))
}

/// By the uploads that carry memory; where none does, by the memory samples of the process, which
/// belong to no arm.
fn samples(watched: &Watched<'_>, cube: &Cube) -> Result<Vec<Sample>> {
    let carrying = watched.minutes.iter().map(|minute| (minute.minute, minute.measures[MEMORY]));
    let samples: Vec<Sample> = carrying
        .filter(|(_, memory)| memory.n > 0)
        .map(|(minute, memory)| Sample { minute, sum_mb: memory.nano as f64 / 1e9, count: memory.n as f64 })
        .collect();
    if !samples.is_empty() || watched.arm != Arm::All {
        return Ok(samples);
    }
    let events = cube.memory_samples_by_minute(watched.stage)?;
    let sample = |minute: MinuteMemory| Sample {
        minute: minute.minute,
        sum_mb: minute.nano_mb as f64 / 1e9,
        count: minute.count as f64,
    };
    Ok(events.into_iter().map(sample).collect())
}
