//! Everything the cube knows of one arm of one stage, asked once.

use rayon::prelude::*;

use crate::config::Plan;
use crate::cube::Cube;
use crate::cube::histogram::Histogram;
use crate::cube::slice::{Arm, HourSums, Measured, MinuteCounts};
use crate::error::Result;
use crate::report::model::MemorySource;

/// The uploads of one arm of one stage.
pub struct GroupData {
    pub stage: usize,
    pub arm: Arm,
    /// Rising.
    pub hours: Vec<HourSums>,
    /// `duration_ms` of the successful uploads.
    pub latency: HourlyHistograms,
    pub memory: Option<Memory>,
    /// By minute, rising; only where there are too few hours for a block bootstrap.
    pub minutes: Vec<MinuteCounts>,
}

/// Histograms by hour, and their sum: five figures of a group ask for it.
pub struct HourlyHistograms {
    /// Rising.
    pub hours: Vec<(i64, Histogram)>,
    pub pooled: Histogram,
}

impl HourlyHistograms {
    fn new(hours: Vec<(i64, Histogram)>) -> Self {
        let pooled = Histogram::sum(hours.iter().map(|(_, histogram)| histogram.columns()));
        Self { hours, pooled }
    }

    fn between(&self, from: i64, to: i64) -> Self {
        Self::new(self.hours.iter().filter(|(hour, _)| (from..to).contains(hour)).cloned().collect())
    }
}

/// The groups of one stage.
pub struct StageData {
    /// In the order of [`Arm::ALL`].
    groups: [GroupData; 4],
    /// Minutes in which an upload ended, rising.
    pub minutes_with_uploads: Vec<i64>,
}

impl StageData {
    /// Asks the cube.
    ///
    /// # Errors
    /// The cube is damaged.
    pub fn new(plan: &Plan, cube: &Cube, stage: usize) -> Result<Self> {
        let groups = Arm::ALL.into_par_iter().map(|arm| GroupData::new(plan, cube, stage, arm));
        let groups: Vec<GroupData> = groups.collect::<Result<_>>()?;
        let Ok(groups) = groups.try_into() else { unreachable!("a group for each arm") };
        Ok(Self { groups, minutes_with_uploads: cube.minutes_with_uploads(stage)? })
    }

    /// The data of an arm.
    pub fn arm(&self, arm: Arm) -> &GroupData {
        &self.groups[arm as usize]
    }
}

/// Memory of a group by hour.
pub struct Memory {
    pub source: MemorySource,
    pub histograms: HourlyHistograms,
    /// Hour, sum (10^-9 MB) and count, rising.
    pub sums: Vec<(i64, i128, u64)>,
}

impl GroupData {
    fn new(plan: &Plan, cube: &Cube, stage: usize, arm: Arm) -> Result<Self> {
        let hours = cube.hours(stage, arm, &plan.analysis.timeout_errors)?;
        let few_hours = hours.len() < crate::stats::clusters::FEWEST_CLUSTERS;
        let minutes = if few_hours { cube.minutes(stage, arm)?.into_values().collect() } else { Vec::new() };
        Ok(Self {
            stage,
            arm,
            latency: HourlyHistograms::new(cube.histograms(stage, arm, Measured::SuccessDuration)?),
            memory: memory(cube, stage, arm, &hours)?,
            hours,
            minutes,
        })
    }

    /// The same group from an hour to another, exclusive; without its minutes.
    pub fn between(&self, from: i64, to: i64) -> Self {
        let inside = |hour: i64| (from..to).contains(&hour);
        Self {
            stage: self.stage,
            arm: self.arm,
            hours: self.hours.iter().filter(|hour| inside(hour.hour)).copied().collect(),
            latency: self.latency.between(from, to),
            memory: self.memory.as_ref().map(|memory| Memory {
                source: memory.source,
                histograms: memory.histograms.between(from, to),
                sums: memory.sums.iter().filter(|(hour, ..)| inside(*hour)).copied().collect(),
            }),
            minutes: Vec::new(),
        }
    }

    pub fn uploads(&self) -> u64 {
        self.hours.iter().map(|hour| hour.uploads).sum()
    }

    pub fn successes(&self) -> u64 {
        self.hours.iter().map(|hour| hour.successes).sum()
    }

    pub fn busy_seconds(&self) -> u64 {
        self.hours.iter().map(|hour| hour.busy_seconds).sum()
    }
}

/// Of the uploads that carry it; where none does, of the stage's memory samples; else none.
fn memory(cube: &Cube, stage: usize, arm: Arm, hours: &[HourSums]) -> Result<Option<Memory>> {
    if hours.iter().any(|hour| hour.memory_uploads > 0) {
        let carrying = hours.iter().filter(|hour| hour.memory_uploads > 0);
        return Ok(Some(Memory {
            source: MemorySource::Uploads,
            histograms: HourlyHistograms::new(cube.histograms(stage, arm, Measured::UploadMemory)?),
            sums: carrying.map(|hour| (hour.hour, hour.memory_nano_mb, hour.memory_uploads)).collect(),
        }));
    }
    let samples = cube.memory_samples(stage)?;
    if samples.is_empty() || hours.is_empty() {
        return Ok(None);
    }
    Ok(Some(Memory {
        source: MemorySource::MemorySamples,
        histograms: HourlyHistograms::new(cube.histograms(stage, arm, Measured::MemorySample)?),
        sums: samples.into_iter().map(|(hour, count, sum)| (hour, sum, count)).collect(),
    }))
}
