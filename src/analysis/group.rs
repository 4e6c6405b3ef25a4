//! Everything the cube knows of one arm of one stage, asked once.

use rayon::prelude::*;

use crate::config::Plan;
use crate::cube::Cube;
use crate::cube::histogram::{Extremes, Histogram};
use crate::cube::slice::{Arm, HourMeasure, HourSums, MeasureSum, Measured, MinuteCounts};
use crate::error::Result;
use crate::ingest::timestamp::NANOS_PER_MINUTE;
use crate::metric::Distribution;
use crate::report::model::MeasureSource;
use crate::schema::record::MEMORY;

pub(super) const NANOS_PER_MS: f64 = 1e6;
/// Of a size or a measure.
pub(super) const NANO_PER_UNIT: f64 = 1e9;

/// The uploads of one arm of one stage.
pub(super) struct GroupData {
    pub stage: usize,
    pub arm: Arm,
    /// Rising.
    pub hours: Vec<HourSums>,
    /// `duration_ms` of the successful uploads.
    pub latency: HourlyHistograms,
    /// By the schema's positions; `None` where nothing carries it.
    pub measures: Vec<Option<MeasureData>>,
    /// By minute, rising; only where there are too few hours for a block bootstrap.
    pub minutes: Vec<MinuteCounts>,
}

/// Histograms by hour, and their sum: five figures of a group ask for it.
pub(super) struct HourlyHistograms {
    /// Rising.
    pub hours: Vec<(i64, Histogram)>,
    pub pooled: Histogram,
    pub extremes: Extremes,
}

impl HourlyHistograms {
    fn new(hours: Vec<(i64, Histogram)>, extremes: Extremes) -> Self {
        let pooled = Histogram::sum(hours.iter().map(|(_, histogram)| histogram.columns()));
        Self { hours, pooled, extremes }
    }

    fn between(&self, from: i64, to: i64, extremes: Extremes) -> Self {
        Self::new(self.hours.iter().filter(|(hour, _)| (from..to).contains(hour)).cloned().collect(), extremes)
    }

    /// The nearest-rank quantile, q in (0, 1]; `None` when empty.
    pub(super) fn quantile(&self, q: f64) -> Option<f64> {
        self.pooled.quantile_bin(q).map(|bin| self.extremes.middle(bin))
    }
}

/// Of the durations of successful uploads, in ms.
fn latency_extremes<'a>(hours: impl Iterator<Item = &'a HourSums>) -> Extremes {
    let (largest, sum, n) = hours.fold((0.0, 0, 0), |(largest, sum, n), hour| {
        (hour.success_duration_max_ms.max(largest), sum + hour.success_duration_ns, n + hour.successes)
    });
    Extremes::new(largest, sum, n, NANOS_PER_MS)
}

/// The groups of one stage.
pub(super) struct StageData {
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
    pub(super) fn new(plan: &Plan, cube: &Cube, stage: usize) -> Result<Self> {
        let groups = Arm::ALL.into_par_iter().map(|arm| GroupData::new(plan, cube, stage, arm));
        let groups: Vec<GroupData> = groups.collect::<Result<_>>()?;
        let Ok(groups) = groups.try_into() else { unreachable!("a group for each arm") };
        Ok(Self { groups, minutes_with_uploads: cube.minutes_with_uploads(stage)? })
    }

    /// The data of an arm.
    pub(super) fn arm(&self, arm: Arm) -> &GroupData {
        &self.groups[arm as usize]
    }

    /// Minutes with uploads that follow each other with none between, but for those between which people left something
    /// out.
    pub(super) fn quiet(&self, plan: &Plan) -> impl Iterator<Item = (i64, i64)> {
        let pairs = self.minutes_with_uploads.windows(2).map(|pair| (pair[0], pair[1]));
        pairs.filter(|(last, next)| !plan.leaves_out(last * NANOS_PER_MINUTE, next * NANOS_PER_MINUTE))
    }
}

/// The last stage above 0 % with treated records: how far the rollout is.
pub(super) fn last_treated(plan: &Plan, data: &[StageData]) -> Option<usize> {
    let treated = |stage: &usize| plan.stages[*stage].percentage > 0.0 && data[*stage].arm(Arm::Treated).uploads() > 0;
    (0..data.len()).rfind(treated)
}

/// A measure of a group by hour.
pub(super) struct MeasureData {
    pub source: MeasureSource,
    pub histograms: HourlyHistograms,
    /// Rising.
    pub sums: Vec<HourMeasure>,
}

impl MeasureData {
    fn new(source: MeasureSource, histograms: Vec<(i64, Histogram)>, sums: Vec<HourMeasure>) -> Self {
        Self { source, histograms: HourlyHistograms::new(histograms, extremes(&sums)), sums }
    }

    /// Sum in 10^-9 of the unit, and how many carry it.
    pub(super) fn sum(&self) -> (i128, u64) {
        self.sums.iter().fold((0, 0), |total, hour| (total.0 + hour.sum.nano, total.1 + hour.sum.n))
    }

    fn between(&self, from: i64, to: i64) -> Self {
        let sums: Vec<HourMeasure> = self.sums.iter().filter(|hour| (from..to).contains(&hour.hour)).copied().collect();
        let histograms = self.histograms.between(from, to, extremes(&sums));
        Self { source: self.source, histograms, sums }
    }
}

fn extremes(sums: &[HourMeasure]) -> Extremes {
    let mut all = MeasureSum::default();
    sums.iter().for_each(|hour| all.add(&hour.sum));
    Extremes::new(all.max, all.nano, all.n, NANO_PER_UNIT)
}

impl GroupData {
    fn new(plan: &Plan, cube: &Cube, stage: usize, arm: Arm) -> Result<Self> {
        let hours = cube.hours(stage, arm, &plan.analysis.timeout_errors)?;
        let few_hours = hours.len() < stagegate_stats::clusters::FEWEST_CLUSTERS;
        let minutes = if few_hours { cube.minutes(stage, arm)?.into_values().collect() } else { Vec::new() };
        Ok(Self {
            stage,
            arm,
            latency: HourlyHistograms::new(
                cube.histograms(stage, arm, Measured::SuccessDuration)?,
                latency_extremes(hours.iter()),
            ),
            measures: (0..plan.schema.measures.len())
                .map(|index| measure(cube, stage, arm, &hours, index))
                .collect::<Result<_>>()?,
            hours,
            minutes,
        })
    }

    /// The same group from an hour to another, exclusive; without its minutes.
    pub(super) fn between(&self, from: i64, to: i64) -> Self {
        let inside = |hour: i64| (from..to).contains(&hour);
        Self {
            stage: self.stage,
            arm: self.arm,
            hours: self.hours.iter().filter(|hour| inside(hour.hour)).copied().collect(),
            latency: self.latency.between(
                from,
                to,
                latency_extremes(self.hours.iter().filter(|hour| inside(hour.hour))),
            ),
            measures: self.measures.iter().map(|data| Some(data.as_ref()?.between(from, to))).collect(),
            minutes: Vec::new(),
        }
    }

    /// A measure; `None` where nothing carries it.
    pub(super) fn measure(&self, index: usize) -> Option<&MeasureData> {
        self.measures.get(index).and_then(Option::as_ref)
    }

    /// The histograms of a distribution; `None` where nothing carries it.
    pub(super) fn histograms(&self, of: Distribution) -> Option<&HourlyHistograms> {
        match of {
            Distribution::Latency => Some(&self.latency),
            Distribution::Measure(index) => self.measure(index).map(|data| &data.histograms),
        }
    }

    pub(super) fn uploads(&self) -> u64 {
        self.hours.iter().map(|hour| hour.uploads).sum()
    }

    pub(super) fn successes(&self) -> u64 {
        self.hours.iter().map(|hour| hour.successes).sum()
    }

    pub(super) fn busy_seconds(&self) -> u64 {
        self.hours.iter().map(|hour| hour.busy_seconds).sum()
    }
}

/// A measure of the records that carry it; memory that none carries is that of the stage's memory samples.
fn measure(cube: &Cube, stage: usize, arm: Arm, hours: &[HourSums], index: usize) -> Result<Option<MeasureData>> {
    if hours.iter().any(|hour| hour.measures[index].n > 0) {
        let carrying = hours.iter().filter(|hour| hour.measures[index].n > 0);
        let sums = carrying.map(|hour| HourMeasure { hour: hour.hour, sum: hour.measures[index] });
        let histograms = cube.histograms(stage, arm, Measured::Measure(index))?;
        return Ok(Some(MeasureData::new(MeasureSource::Records, histograms, sums.collect())));
    }
    if index != MEMORY || hours.is_empty() {
        return Ok(None);
    }
    let samples = cube.memory_samples(stage)?;
    if samples.is_empty() {
        return Ok(None);
    }
    let histograms = cube.histograms(stage, arm, Measured::MemorySample)?;
    Ok(Some(MeasureData::new(MeasureSource::MemorySamples, histograms, samples)))
}
