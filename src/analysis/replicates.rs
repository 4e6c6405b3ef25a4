//! What a metric would have been, had other hours been seen: bootstrap replicates of everything but rates.

use super::group::{GroupData, HourlyHistograms, NANO_PER_UNIT, NANOS_PER_MS};
use crate::config::AnalysisSection;
use crate::cube::histogram::{Grid, Histogram, nearest_rank};
use crate::cube::slice::HourSums;
use crate::metric::{Distribution, Estimator};
use crate::report::model::IntervalMethod;
use stagegate_stats::bootstrap::{
    CumulativeBlocks, LogEstimate, maximum, percentile_interval, ratio_of_sums, resampled_means, resampled_ranks,
    resampled_ratios, studentised_interval,
};
use stagegate_stats::clusters::{FEWEST_CLUSTERS, degrees_of_freedom};
use stagegate_stats::dependence::LongRun;
use stagegate_stats::random::Stream;
use stagegate_stats::{Interval, Level};

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
    /// How the blocks depend on each other.
    pub long_run: LongRun,
}

impl Replicates {
    /// The interval of the metric itself, whose value is `value`.
    pub(super) fn interval(&self, value: f64, level: Level) -> Option<Interval> {
        let interval = match &self.studentised {
            Some((estimate, replicates)) => studentised_interval(*estimate, replicates, level),
            None => percentile_interval(self.values.clone(), self.degrees_of_freedom, level),
        };
        let widening = self.long_run.widening(self.degrees_of_freedom, level);
        interval.map(|ends| ends.stretched(value, widening))
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
        long_run: LongRun::INDEPENDENT,
    };
    match estimator {
        Estimator::Rate(_) | Estimator::Concurrency => none(),
        Estimator::Mean(of) => {
            group.histograms(of).map_or_else(none, |known| mean_replicates(group, of, known, analysis, stream))
        }
        Estimator::Quantile(of, q) => {
            group.histograms(of).map_or_else(none, |known| quantile_replicates(known, q, analysis, stream))
        }
        Estimator::Maximum => {
            let hours: Vec<f64> =
                group.hours.iter().filter(|hour| hour.successes > 0).map(|hour| hour.success_duration_max_ms).collect();
            if hours.len() >= FEWEST_CLUSTERS {
                return block(maximum(&hours, count, stream), hours.iter().map(|_| 1.0));
            }
            quantile_replicates(&group.latency, 1.0, analysis, stream)
        }
        Estimator::SumPerRecord(index) => sum_replicates(group, index, analysis, stream),
        Estimator::RecordThroughput => throughput_replicates(group, |successes, _| successes as f64, analysis, stream),
        Estimator::VolumeThroughput => {
            throughput_replicates(group, |_, size| size as f64 / NANO_PER_UNIT, analysis, stream)
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
        long_run: LongRun::INDEPENDENT,
    }
}

fn mean_replicates(
    group: &GroupData,
    of: Distribution,
    known: &HourlyHistograms,
    analysis: &AnalysisSection,
    stream: &mut Stream,
) -> Replicates {
    let (sums, unit): (Vec<Block>, f64) = match of {
        Distribution::Latency => {
            let hours = group.hours.iter().filter(|hour| hour.successes > 0);
            let block = |hour: &HourSums| (hour.hour, hour.success_duration_ns as f64, hour.successes as f64);
            (hours.map(block).collect(), NANOS_PER_MS)
        }
        Distribution::Measure(index) => {
            let sums = group.measure(index).into_iter().flat_map(|data| &data.sums);
            (sums.map(|hour| (hour.hour, hour.sum.nano as f64, hour.sum.n as f64)).collect(), NANO_PER_UNIT)
        }
    };
    let hours = sums.len();
    if hours >= FEWEST_CLUSTERS {
        return hourly_replicates(&sums, unit, analysis, stream);
    }
    let count = analysis.replicates;
    let each: Vec<(f64, u64)> = known.pooled.iter().map(|(bin, entries)| (Grid::FINE.middle(bin), entries)).collect();
    // The histogram knows values to 0.1 %, the sums know the mean exactly: only the spread is taken from it.
    let exact = sums.iter().map(|(_, sum, _)| sum).sum::<f64>() / sums.iter().map(|(.., n)| n).sum::<f64>() / unit;
    let binned = each.iter().map(|(value, n)| value * *n as f64).sum::<f64>() / known.pooled.total() as f64;
    let scale = if binned > 0.0 { exact / binned } else { 1.0 };
    Replicates {
        values: resampled_means(&each, count, stream).into_iter().map(|mean| mean * scale).collect(),
        studentised: None,
        method: Some(IntervalMethod::RecordBootstrap),
        hours: hours as u64,
        degrees_of_freedom: f64::INFINITY,
        long_run: LongRun::INDEPENDENT,
    }
}

/// An hour, its numerator and its denominator.
type Block = (i64, f64, f64);

/// [`ratio_replicates`] of hours in their order, which may depend on each other.
fn hourly_replicates(hours: &[Block], unit: f64, analysis: &AnalysisSection, stream: &mut Stream) -> Replicates {
    let blocks: Vec<(f64, f64)> = hours.iter().map(|(_, top, bottom)| (*top, *bottom)).collect();
    let (top, bottom) = blocks.iter().fold((0.0, 0.0), |sum, block| (sum.0 + block.0, sum.1 + block.1));
    let value = top / bottom;
    let influences: Vec<(i64, f64)> = hours.iter().map(|(hour, top, bottom)| (*hour, top - value * bottom)).collect();
    let long_run = LongRun::of(&influences, analysis.level());
    Replicates { long_run, ..ratio_replicates(&blocks, unit, analysis.replicates, stream) }
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
        long_run: LongRun::INDEPENDENT,
    }
}

fn quantile_replicates(
    known: &HourlyHistograms,
    q: f64,
    analysis: &AnalysisSection,
    stream: &mut Stream,
) -> Replicates {
    let (hours, count) = (&known.hours, analysis.replicates);
    if hours.len() >= FEWEST_CLUSTERS {
        let blocks = CumulativeBlocks::new(hours.iter().map(|(_, histogram)| histogram.iter()));
        let bins = blocks.quantiles(|n| nearest_rank(q, n), count, stream);
        let sizes = hours.iter().map(|(_, histogram)| histogram.total() as f64);
        let values = bins.into_iter().map(|bin| known.extremes.middle(bin)).collect();
        return Replicates { long_run: quantile_long_run(known, q, analysis.level()), ..block(values, sizes) };
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
        method: Some(IntervalMethod::RecordBootstrap),
        hours: hours.len() as u64,
        degrees_of_freedom: f64::INFINITY,
        long_run: LongRun::INDEPENDENT,
    }
}

/// How the share at or below a quantile depends on the hour before.
fn quantile_long_run(known: &HourlyHistograms, q: f64, level: Level) -> LongRun {
    let Some(bin) = known.pooled.quantile_bin(q) else { return LongRun::INDEPENDENT };
    let share = known.pooled.up_to_bin(bin) as f64 / known.pooled.total() as f64;
    let influence = |histogram: &Histogram| histogram.up_to_bin(bin) as f64 - share * histogram.total() as f64;
    let influences: Vec<(i64, f64)> =
        known.hours.iter().map(|(hour, histogram)| (*hour, influence(histogram))).collect();
    LongRun::of(&influences, level)
}

/// A measure's sum over all records: what one of them costs, those that carry none included.
fn sum_replicates(group: &GroupData, index: usize, analysis: &AnalysisSection, stream: &mut Stream) -> Replicates {
    let hours = group.hours.iter().filter(|hour| hour.uploads > 0);
    let block = |hour: &HourSums| (hour.hour, hour.measures[index].nano as f64, hour.uploads as f64);
    let sums: Vec<Block> = hours.map(block).collect();
    let replicates = hourly_replicates(&sums, NANO_PER_UNIT, analysis, stream);
    if sums.len() >= FEWEST_CLUSTERS {
        return replicates;
    }
    // With few hours the spread of single records is all that is known; those without the measure count as 0.
    let Some(known) = group.histograms(Distribution::Measure(index)) else { return replicates };
    let carried = known.pooled.total();
    let mut each: Vec<(f64, u64)> =
        known.pooled.iter().map(|(bin, entries)| (Grid::FINE.middle(bin), entries)).collect();
    each.insert(0, (0.0, group.uploads().saturating_sub(carried)));
    each.retain(|(_, entries)| *entries > 0);
    Replicates {
        values: resampled_means(&each, analysis.replicates, stream),
        studentised: None,
        method: Some(IntervalMethod::RecordBootstrap),
        hours: sums.len() as u64,
        degrees_of_freedom: f64::INFINITY,
        long_run: LongRun::INDEPENDENT,
    }
}

/// Successes or megabytes over busy seconds. An upload's busy seconds cannot be resampled with
/// it, so where hours are few, minutes are the blocks.
fn throughput_replicates(
    group: &GroupData,
    top: impl Fn(u64, i128) -> f64,
    analysis: &AnalysisSection,
    stream: &mut Stream,
) -> Replicates {
    let hours = group.hours.len();
    if hours >= FEWEST_CLUSTERS {
        let block =
            |hour: &HourSums| (hour.hour, top(hour.successes, hour.success_size_nano_mb), hour.busy_seconds as f64);
        let blocks: Vec<Block> = group.hours.iter().map(block).collect();
        return hourly_replicates(&blocks, 1.0, analysis, stream);
    }
    let blocks: Vec<(f64, f64)> = group
        .minutes
        .iter()
        .map(|minute| (top(minute.successes, minute.success_size_nano_mb), minute.busy_seconds as f64))
        .collect();
    Replicates {
        method: Some(IntervalMethod::MinuteBootstrap),
        hours: hours as u64,
        ..ratio_replicates(&blocks, 1.0, analysis.replicates, stream)
    }
}
