//! One metric of one group -> its value, n and interval, or the reason why it was not measured.

use super::group::{GroupData, HourlyHistograms, Memory, NANO_MB_PER_MB, NANOS_PER_MS};
use crate::config::AnalysisSection;
use crate::cube::histogram::{Grid, nearest_rank};
use crate::cube::slice::HourSums;
use crate::metric::{Distribution, Estimator, Share};
use crate::report::model::{Figure, FigureWarning, IntervalMethod};
use stagegate_stats::bootstrap::{
    CumulativeBlocks, LogEstimate, maximum, percentile_interval, ratio_of_sums, resampled_means, resampled_ranks,
    resampled_ratios, studentised_interval,
};
use stagegate_stats::clusters::{
    DesignEffect, FEWEST_CLUSTERS, degrees_of_freedom, design_effect, design_effect_of_tail,
};
use stagegate_stats::proportion::wilson;
use stagegate_stats::random::Stream;
use stagegate_stats::{Interval, Level};

/// Why a metric has no value.
pub(super) type NotMeasured = String;

/// The reason of a group that has none.
pub(super) const NO_UPLOADS: &str = "no uploads";

/// The figure of a metric; `id` seeds its random numbers.
pub(super) fn figure(
    group: &GroupData,
    estimator: Estimator,
    analysis: &AnalysisSection,
    id: &str,
) -> Result<Figure, NotMeasured> {
    if group.uploads() == 0 {
        return Err(NO_UPLOADS.into());
    }
    if let Estimator::Rate(share) = estimator {
        return rate(group, share, analysis.level()).map(Rate::figure);
    }
    let (value, n) = point(group, estimator)?;
    let (ci, method, hours) =
        match quantile_of(group, estimator).filter(|(known, _)| known.hours.len() >= FEWEST_CLUSTERS) {
            Some((known, q)) => {
                (woodruff(known, q, analysis.level()), Some(IntervalMethod::Woodruff), known.hours.len() as u64)
            }
            None => {
                let replicates = replicates(group, estimator, analysis, id);
                (replicates.interval(analysis.level()), replicates.method, replicates.hours)
            }
        };
    // One observation has no spread that could be seen.
    let ci = ci.filter(|_| n >= 2).map(|ends| ends.holding(value));
    let mut warnings = Vec::new();
    let by_hours = [IntervalMethod::BlockBootstrap, IntervalMethod::StudentisedBootstrap, IntervalMethod::Woodruff];
    if method.is_some_and(|method| !by_hours.contains(&method)) {
        warnings.push(FigureWarning::FewHours);
    }
    if method.is_some() && ci.is_none() {
        warnings.push(FigureWarning::TooFewUploads);
    }
    Ok(Figure { value, ci, n, interval_method: ci.and(method), hours, design_effect: None, warnings })
}

/// Events, observations and design effect of a rate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    pub events: u64,
    pub n: u64,
    pub design_effect: DesignEffect,
    pub hours: u64,
    level: Level,
}

impl Rate {
    /// From (events, observations) by hour, at least one of them above 0.
    pub(super) fn new(hours: impl Iterator<Item = (u64, u64)> + Clone, level: Level) -> Self {
        let (events, n, count) = hours.clone().fold((0, 0, 0), |sum, (y, n)| (sum.0 + y, sum.1 + n, sum.2 + 1));
        Self { events, n, design_effect: design_effect(hours, level), hours: count, level }
    }

    pub(super) fn value(self) -> f64 {
        self.events as f64 / self.n as f64
    }

    /// Events and observations after the design effect.
    pub(super) fn effective(self) -> (f64, f64) {
        (self.events as f64 / self.design_effect.divisor, self.n as f64 / self.design_effect.divisor)
    }

    /// Wilson's interval on effective counts.
    pub(super) fn interval(self) -> Option<Interval> {
        let (events, n) = self.effective();
        wilson(events, n, self.level).map(|ends| ends.holding(self.value()))
    }

    /// As the report has it.
    pub(super) fn figure(self) -> Figure {
        let few = self.hours < FEWEST_CLUSTERS as u64;
        Figure {
            value: self.value(),
            ci: self.interval(),
            n: self.n,
            interval_method: Some(IntervalMethod::Wilson),
            hours: self.hours,
            design_effect: Some(self.design_effect.value),
            warnings: if few { vec![FigureWarning::FewHours] } else { Vec::new() },
        }
    }
}

/// A rate, for intervals at `level`.
pub(super) fn rate(group: &GroupData, share: Share, level: Level) -> Result<Rate, NotMeasured> {
    Ok(Rate::new(events_by_hour(group, share)?.into_iter(), level))
}

/// Events and observations of a rate by hour; at least one hour.
fn events_by_hour(group: &GroupData, share: Share) -> Result<Vec<(u64, u64)>, NotMeasured> {
    if share == Share::Fallbacks && group.arm == crate::cube::slice::Arm::PerProtocol {
        return Err("per protocol leaves fallbacks out".into());
    }
    let pair = |hour: &HourSums| match share {
        Share::Successes => (hour.successes, hour.uploads),
        Share::Failures => (hour.uploads - hour.successes, hour.uploads),
        Share::Timeouts => (hour.timeouts, hour.uploads),
        Share::Fallbacks => (hour.fallbacks, hour.treated),
    };
    let hours: Vec<(u64, u64)> = group.hours.iter().map(pair).filter(|(_, n)| *n > 0).collect();
    match (hours.is_empty(), share) {
        (false, _) => Ok(hours),
        (true, Share::Fallbacks) => Err("no treated uploads".into()),
        (true, _) => Err(NO_UPLOADS.into()),
    }
}

/// Value and n of a metric.
pub(super) fn point(group: &GroupData, estimator: Estimator) -> Result<(f64, u64), NotMeasured> {
    let (uploads, successes, busy) = (group.uploads(), group.successes(), group.busy_seconds() as f64);
    let sum = |of: fn(&HourSums) -> i128| group.hours.iter().map(of).sum::<i128>() as f64;
    let needs_success = || if successes == 0 { Err("no successful upload".to_owned()) } else { Ok(()) };
    match estimator {
        Estimator::Rate(share) => {
            let hours = events_by_hour(group, share)?;
            let (events, n) = hours.iter().fold((0, 0), |sum, (y, n)| (sum.0 + y, sum.1 + n));
            Ok((events as f64 / n as f64, n))
        }
        Estimator::Mean(Distribution::Latency) => {
            needs_success()?;
            Ok((sum(|hour| hour.success_duration_ns) / NANOS_PER_MS / successes as f64, successes))
        }
        Estimator::Quantile(Distribution::Latency, q) => {
            needs_success()?;
            let value = group.latency.quantile(q).ok_or("no successful upload")?;
            Ok((value, successes))
        }
        Estimator::Maximum => {
            needs_success()?;
            Ok((group.hours.iter().map(|hour| hour.success_duration_max_ms).fold(0.0, f64::max), successes))
        }
        Estimator::Mean(Distribution::Memory) => {
            let memory = memory(group)?;
            let (sum, n) =
                memory.sums.iter().fold((0, 0), |total, hour| (total.0 + hour.nano_mb, total.1 + hour.count));
            Ok((sum as f64 / NANO_MB_PER_MB / n as f64, n))
        }
        Estimator::Quantile(Distribution::Memory, q) => {
            let known = &memory(group)?.histograms;
            Ok((known.quantile(q).ok_or("no memory in the log")?, known.pooled.total()))
        }
        Estimator::UploadThroughput => Ok((successes as f64 / busy, successes)),
        Estimator::MegabyteThroughput => {
            let size = sum(|hour| hour.success_size_nano_mb) / NANO_MB_PER_MB;
            if size > 0.0 { Ok((size / busy, successes)) } else { Err("no successful upload has a known size".into()) }
        }
        Estimator::Concurrency => Ok((sum(|hour| hour.duration_ns) / 1e9 / busy, uploads)),
    }
}

fn memory(group: &GroupData) -> Result<&Memory, NotMeasured> {
    group.memory.as_ref().ok_or_else(|| "no memory in the log: neither memory_mb nor memory_sample events".into())
}

/// The distribution and quantile that an estimator asks for.
fn quantile_of(group: &GroupData, estimator: Estimator) -> Option<(&HourlyHistograms, f64)> {
    match estimator {
        Estimator::Quantile(of, q) => histograms(group, of).map(|known| (known, q)),
        _ => None,
    }
}

/// Woodruff's interval of a quantile (1952): the Wilson interval of the share at or below it, on effective
/// counts, turned over on the distribution itself.
///
/// `None` where the share's upper end lies above the last observation: the quantile may then be anything beyond it.
fn woodruff(known: &HourlyHistograms, q: f64, level: Level) -> Option<Interval> {
    let n = known.pooled.total();
    let bin = known.pooled.quantile_bin(q)?;
    let hours = known.hours.iter().map(|(_, histogram)| (histogram.up_to_bin(bin), histogram.total()));
    let effective = n as f64 / design_effect_of_tail(hours, level).divisor;
    let share = wilson(q * effective, effective, level)?;
    if (1.0 - share.high) * (n as f64) < 1.0 {
        return None;
    }
    Interval::new(known.quantile(share.low.max(f64::MIN_POSITIVE))?, known.quantile(share.high)?)
}

/// Bootstrap replicates of a metric.
pub(super) struct Replicates {
    pub values: Vec<f64>,
    /// Of ratios of sums: the estimate, and each replicate with its own standard error.
    pub studentised: Option<(LogEstimate, Vec<LogEstimate>)>,
    /// `None` where no interval is defined.
    pub method: Option<IntervalMethod>,
    /// Hours that there were to resample.
    pub hours: u64,
    /// Of the blocks; infinite for single uploads.
    pub degrees_of_freedom: f64,
}

impl Replicates {
    /// The interval of the metric itself.
    fn interval(&self, level: Level) -> Option<Interval> {
        match &self.studentised {
            Some((estimate, replicates)) => studentised_interval(*estimate, replicates, level),
            None => percentile_interval(self.values.clone(), self.degrees_of_freedom, level),
        }
    }
}

/// Replicates of a metric that is not a rate: of hours, or of single uploads (throughput: of
/// minutes) where there are fewer than 8 hours.
pub(super) fn replicates(group: &GroupData, estimator: Estimator, analysis: &AnalysisSection, id: &str) -> Replicates {
    let stream = &mut Stream::new(analysis.seed, id);
    let count = analysis.replicates;
    let none = || Replicates {
        values: Vec::new(),
        studentised: None,
        method: None,
        hours: group.hours.len() as u64,
        degrees_of_freedom: f64::INFINITY,
    };
    match estimator {
        Estimator::Rate(_) | Estimator::Concurrency => none(),
        Estimator::Mean(of) => {
            histograms(group, of).map_or_else(none, |known| mean_replicates(group, of, known, count, stream))
        }
        Estimator::Quantile(of, q) => {
            histograms(group, of).map_or_else(none, |known| quantile_replicates(known, q, count, stream))
        }
        Estimator::Maximum => {
            let hours: Vec<f64> =
                group.hours.iter().filter(|hour| hour.successes > 0).map(|hour| hour.success_duration_max_ms).collect();
            if hours.len() >= FEWEST_CLUSTERS {
                return block(maximum(&hours, count, stream), hours.iter().map(|_| 1.0));
            }
            quantile_replicates(&group.latency, 1.0, count, stream)
        }
        Estimator::UploadThroughput => throughput_replicates(group, |successes, _| successes as f64, count, stream),
        Estimator::MegabyteThroughput => {
            throughput_replicates(group, |_, size| size as f64 / NANO_MB_PER_MB, count, stream)
        }
    }
}

/// Replicates of hours with so many observations each.
fn block(values: Vec<f64>, sizes: impl ExactSizeIterator<Item = f64>) -> Replicates {
    Replicates {
        values,
        studentised: None,
        method: Some(IntervalMethod::BlockBootstrap),
        hours: sizes.len() as u64,
        degrees_of_freedom: degrees_of_freedom(sizes),
    }
}

/// `None` where the group has no memory.
fn histograms(group: &GroupData, of: Distribution) -> Option<&HourlyHistograms> {
    match of {
        Distribution::Latency => Some(&group.latency),
        Distribution::Memory => group.memory.as_ref().map(|memory| &memory.histograms),
    }
}

fn mean_replicates(
    group: &GroupData,
    of: Distribution,
    known: &HourlyHistograms,
    count: u32,
    stream: &mut Stream,
) -> Replicates {
    let (sums, unit): (Vec<(f64, f64)>, f64) = match of {
        Distribution::Latency => {
            let hours = group.hours.iter().filter(|hour| hour.successes > 0);
            (hours.map(|hour| (hour.success_duration_ns as f64, hour.successes as f64)).collect(), NANOS_PER_MS)
        }
        Distribution::Memory => {
            let sums = group.memory.iter().flat_map(|memory| &memory.sums);
            (sums.map(|hour| (hour.nano_mb as f64, hour.count as f64)).collect(), NANO_MB_PER_MB)
        }
    };
    let hours = sums.len();
    if hours >= FEWEST_CLUSTERS {
        return ratio_replicates(&sums, unit, count, stream);
    }
    let each: Vec<(f64, u64)> = known.pooled.iter().map(|(bin, entries)| (Grid::FINE.middle(bin), entries)).collect();
    // The histogram knows values to 0.1 %, the sums know the mean exactly: only the spread is taken from it.
    let exact = sums.iter().map(|(sum, _)| sum).sum::<f64>() / sums.iter().map(|(_, n)| n).sum::<f64>() / unit;
    let binned = each.iter().map(|(value, n)| value * *n as f64).sum::<f64>() / known.pooled.total() as f64;
    let scale = if binned > 0.0 { exact / binned } else { 1.0 };
    Replicates {
        values: resampled_means(&each, count, stream).into_iter().map(|mean| mean * scale).collect(),
        studentised: None,
        method: Some(IntervalMethod::UploadBootstrap),
        hours: hours as u64,
        degrees_of_freedom: f64::INFINITY,
    }
}

/// Replicates of a ratio of sums over blocks of (numerator, denominator), `unit` times too large.
fn ratio_replicates(blocks: &[(f64, f64)], unit: f64, count: u32, stream: &mut Stream) -> Replicates {
    let in_unit = |estimate: LogEstimate| LogEstimate { value: estimate.value / unit, ..estimate };
    let replicates: Vec<LogEstimate> = resampled_ratios(blocks, count, stream).into_iter().map(in_unit).collect();
    let degrees_of_freedom = degrees_of_freedom(blocks.iter().map(|(_, n)| *n));
    // Residuals from the blocks' own ratio are too small by k / (k - 1).
    let corrected = |estimate: LogEstimate| LogEstimate {
        log_error: estimate.log_error * (1.0 + 1.0 / degrees_of_freedom).sqrt(),
        ..in_unit(estimate)
    };
    Replicates {
        values: replicates.iter().map(|replicate| replicate.value).collect(),
        studentised: ratio_of_sums(blocks).map(|estimate| (corrected(estimate), replicates)),
        method: Some(IntervalMethod::StudentisedBootstrap),
        hours: blocks.len() as u64,
        degrees_of_freedom,
    }
}

fn quantile_replicates(known: &HourlyHistograms, q: f64, count: u32, stream: &mut Stream) -> Replicates {
    let hours = &known.hours;
    if hours.len() >= FEWEST_CLUSTERS {
        let blocks = CumulativeBlocks::new(hours.iter().map(|(_, histogram)| histogram.iter()));
        let bins = blocks.quantiles(|n| nearest_rank(q, n), count, stream);
        let sizes = hours.iter().map(|(_, histogram)| histogram.total() as f64);
        return block(bins.into_iter().map(|bin| known.extremes.middle(bin)).collect(), sizes);
    }
    let n = known.pooled.total();
    let ranks = nearest_rank(q, n).and_then(|rank| resampled_ranks(rank, n, count, stream)).unwrap_or_default();
    let cumulative: Vec<(u64, u16)> = known
        .pooled
        .iter()
        .scan(0, |seen, (bin, entries)| {
            *seen += entries;
            Some((*seen, bin))
        })
        .collect();
    let value = |rank: u64| known.extremes.middle(cumulative[cumulative.partition_point(|(seen, _)| *seen < rank)].1);
    Replicates {
        values: ranks.into_iter().map(value).collect(),
        studentised: None,
        method: Some(IntervalMethod::UploadBootstrap),
        hours: hours.len() as u64,
        degrees_of_freedom: f64::INFINITY,
    }
}

/// Successes or megabytes over busy seconds. An upload's busy seconds cannot be resampled with
/// it, so where hours are few, minutes are the blocks.
fn throughput_replicates(
    group: &GroupData,
    top: impl Fn(u64, i128) -> f64,
    count: u32,
    stream: &mut Stream,
) -> Replicates {
    let hours = group.hours.len();
    if hours >= FEWEST_CLUSTERS {
        let blocks: Vec<(f64, f64)> = group
            .hours
            .iter()
            .map(|hour| (top(hour.successes, hour.success_size_nano_mb), hour.busy_seconds as f64))
            .collect();
        return ratio_replicates(&blocks, 1.0, count, stream);
    }
    let blocks: Vec<(f64, f64)> = group
        .minutes
        .iter()
        .map(|minute| (top(minute.successes, minute.success_size_nano_mb), minute.busy_seconds as f64))
        .collect();
    Replicates {
        method: Some(IntervalMethod::MinuteBootstrap),
        hours: hours as u64,
        ..ratio_replicates(&blocks, 1.0, count, stream)
    }
}
