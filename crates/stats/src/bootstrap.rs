//! The bootstrap: replicates of a statistic from resampled blocks, or from single observations
//! where there are too few blocks; and the percentile interval of the replicates.

use statrs::distribution::{Beta, ContinuousCDF};

use super::distributions::normal_upper_tail;
use super::random::Stream;
use super::{Interval, Level};

/// Observations up to which single draws are made one by one; above, a mean of draws is normal.
const MOST_SINGLE_DRAWS: u64 = 4096;

/// A weight for each block of a resample: how often it was drawn.
pub struct Resampler {
    weights: Vec<u32>,
}

impl Resampler {
    pub fn new(blocks: usize) -> Self {
        Self { weights: vec![0; blocks] }
    }

    /// Draws as many blocks as there are, with replacement (Efron 1979; blocks of correlated
    /// observations: Künsch 1989, here the given blocks themselves).
    pub fn draw(&mut self, stream: &mut Stream) -> &[u32] {
        self.weights.fill(0);
        let blocks = self.weights.len() as u32;
        for _ in 0..blocks {
            self.weights[stream.below(blocks) as usize] += 1;
        }
        &self.weights
    }
}

/// A value and the standard error of its logarithm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogEstimate {
    /// Above 0.
    pub value: f64,
    pub log_error: f64,
}

/// Sums over several lanes: the processor adds them side by side, and the order is the same everywhere.
const LANES: usize = 4;

/// Blocks of (numerator, denominator), side by side, filled up to whole lanes with zeros.
struct Blocks {
    numerators: Vec<[f64; LANES]>,
    denominators: Vec<[f64; LANES]>,
}

/// Values in whole lanes, zeros at the end.
fn lanes(values: impl ExactSizeIterator<Item = f64>) -> Vec<[f64; LANES]> {
    let mut lanes = vec![[0.0; LANES]; values.len().div_ceil(LANES)];
    lanes.as_flattened_mut().iter_mut().zip(values).for_each(|(lane, value)| *lane = value);
    lanes
}

impl Blocks {
    fn new(blocks: &[(f64, f64)]) -> Self {
        Self {
            numerators: lanes(blocks.iter().map(|(numerator, _)| *numerator)),
            denominators: lanes(blocks.iter().map(|(_, denominator)| *denominator)),
        }
    }

    /// The sums of `terms(weight, numerator, denominator)` over the blocks.
    #[inline(always)]
    fn sums<const N: usize>(&self, weights: &[[f64; LANES]], terms: impl Fn(f64, f64, f64) -> [f64; N]) -> [f64; N] {
        let mut sums = [[0.0; LANES]; N];
        for ((weights, numerators), denominators) in weights.iter().zip(&self.numerators).zip(&self.denominators) {
            for lane in 0..LANES {
                let terms = terms(weights[lane], numerators[lane], denominators[lane]);
                for (sum, term) in sums.iter_mut().zip(terms) {
                    sum[lane] += term;
                }
            }
        }
        sums.map(|lanes| lanes.iter().sum())
    }

    /// sum(numerators) / sum(denominators) of weighted blocks, and the standard error of its logarithm:
    /// sqrt(Σ w (y - r n)²) / Σ w y (Cochran 1977, the ratio estimator over blocks).
    ///
    /// `None` unless both sums are above 0.
    fn ratio(&self, weights: &[[f64; LANES]]) -> Option<LogEstimate> {
        let [top, bottom] = self.sums(weights, |w, y, n| [w * y, w * n]);
        if !(top > 0.0 && bottom > 0.0) {
            return None;
        }
        let value = top / bottom;
        let [squares] = self.sums(weights, |w, y, n| [w * (y - value * n) * (y - value * n)]);
        Some(LogEstimate { value, log_error: squares.sqrt() / top })
    }
}

/// sum(numerators) / sum(denominators) of blocks. `None` unless both sums are above 0.
pub fn ratio_of_sums(blocks: &[(f64, f64)]) -> Option<LogEstimate> {
    Blocks::new(blocks).ratio(&lanes(std::iter::repeat_n(1.0, blocks.len())))
}

/// Replicates of [`ratio_of_sums`] over resampled blocks. One without a value is left out.
pub fn resampled_ratios(blocks: &[(f64, f64)], replicates: u32, stream: &mut Stream) -> Vec<LogEstimate> {
    let mut resampler = Resampler::new(blocks.len());
    let blocks = Blocks::new(blocks);
    let mut weights = blocks.numerators.clone();
    let replicate = |_| {
        let drawn = resampler.draw(stream);
        weights.as_flattened_mut().iter_mut().zip(drawn).for_each(|(weight, times)| *weight = f64::from(*times));
        blocks.ratio(&weights)
    };
    (0..replicates).filter_map(replicate).collect()
}

/// The studentised bootstrap interval on the logarithmic scale (Efron 1979; Hall 1988): how many
/// of their own standard errors the replicates lie off gives the quantiles that stand in for those of
/// Student's t. It is right for few blocks and skewed sums, where percentiles are too narrow.
///
/// Blocks that do not differ at all have the value alone as their interval. `None` with fewer than two
/// replicates of blocks that do.
pub fn studentised_interval(estimate: LogEstimate, replicates: &[LogEstimate], level: Level) -> Option<Interval> {
    let LogEstimate { value, log_error } = estimate;
    if log_error == 0.0 {
        return Interval::new(value, value);
    }
    let off = |replicate: &LogEstimate| (replicate.value / value).ln() / replicate.log_error;
    // One block drawn again and again has no spread of its own.
    let mut off: Vec<f64> = replicates.iter().filter(|replicate| replicate.log_error > 0.0).map(off).collect();
    if off.len() < 2 {
        return None;
    }
    off.sort_by(f64::total_cmp);
    let end = |q| value * (-interpolated(&off, q) * log_error).exp();
    Interval::new(end(1.0 - level.tail()), end(level.tail()))
}

/// The quotient of two independent estimates.
pub fn quotient(top: LogEstimate, bottom: LogEstimate) -> LogEstimate {
    LogEstimate { value: top.value / bottom.value, log_error: top.log_error.hypot(bottom.log_error) }
}

/// Replicates of the maximum over resampled blocks.
pub fn maximum(blocks: &[f64], replicates: u32, stream: &mut Stream) -> Vec<f64> {
    let mut resampler = Resampler::new(blocks.len());
    let replicate = |_| {
        let drawn = blocks.iter().zip(resampler.draw(stream)).filter(|(_, weight)| **weight > 0);
        drawn.map(|(block, _)| *block).fold(f64::NEG_INFINITY, f64::max)
    };
    (0..replicates).map(replicate).collect()
}

/// Counts of each block at or below each bin, for quantiles of resampled blocks.
///
/// One row per bin in use, one column per block: a weighted sum over a row is the cumulative
/// count of the resample, and a quantile is a binary search over the rows.
pub struct CumulativeBlocks {
    bins: Vec<u16>,
    blocks: usize,
    cumulative: Counts,
}

/// Counts in as few bits as hold them: small ones are weighed four times as fast.
enum Counts {
    /// With at most [`MOST_NARROW_BLOCKS`] blocks no weighted sum leaves 31 bits.
    Narrow(Vec<i16>),
    Wide(Vec<u32>),
}

const MOST_NARROW_BLOCKS: usize = 32_767;

impl Counts {
    fn new(counts: Vec<u32>, blocks: usize) -> Self {
        let narrow = blocks <= MOST_NARROW_BLOCKS && counts.iter().all(|count| *count <= i16::MAX as u32);
        if narrow { Self::Narrow(counts.into_iter().map(|count| count as i16).collect()) } else { Self::Wide(counts) }
    }

    /// Σ count × weight over the row that begins at `from`.
    fn weighted(&self, from: usize, weights: &Weights) -> u64 {
        match self {
            Self::Narrow(counts) => {
                let row = &counts[from..from + weights.narrow.len()];
                let sum: i32 =
                    row.iter().zip(&weights.narrow).map(|(count, weight)| i32::from(*count) * i32::from(*weight)).sum();
                sum as u64
            }
            Self::Wide(counts) => {
                let row = &counts[from..from + weights.wide.len()];
                row.iter().zip(&weights.wide).map(|(count, weight)| u64::from(*count) * u64::from(*weight)).sum()
            }
        }
    }
}

/// How often each block was drawn, in both widths.
struct Weights {
    narrow: Vec<i16>,
    wide: Vec<u32>,
}

impl Weights {
    fn new(blocks: usize) -> Self {
        Self { narrow: vec![0; blocks], wide: vec![0; blocks] }
    }

    fn set(&mut self, drawn: &[u32]) {
        self.wide.copy_from_slice(drawn);
        self.narrow.iter_mut().zip(drawn).for_each(|(weight, times)| *weight = *times as i16);
    }
}

impl CumulativeBlocks {
    /// From blocks of (bin, count), bins rising within a block. Counts of a block must add up to
    /// less than 2^32.
    pub fn new<'a, Entries>(blocks: impl Iterator<Item = Entries> + Clone) -> Self
    where
        Entries: Iterator<Item = (u16, u64)> + 'a,
    {
        let mut bins: Vec<u16> = blocks.clone().flatten().map(|(bin, _)| bin).collect();
        bins.sort_unstable();
        bins.dedup();
        let count = blocks.clone().count();
        let mut cumulative = vec![0_u32; bins.len() * count];
        for (column, block) in blocks.enumerate() {
            let mut row = 0;
            let mut seen = 0_u32;
            for (bin, entries) in block {
                while bins[row] < bin {
                    cumulative[row * count + column] = seen;
                    row += 1;
                }
                seen += entries as u32;
            }
            while row < bins.len() {
                cumulative[row * count + column] = seen;
                row += 1;
            }
        }
        Self { bins, blocks: count, cumulative: Counts::new(cumulative, count) }
    }

    fn weighted(&self, row: usize, weights: &Weights) -> u64 {
        self.cumulative.weighted(row * self.blocks, weights)
    }

    /// Replicates of the nearest-rank quantile over resampled blocks, as bins; empty resamples
    /// are left out. `rank` gives the rank of the quantile among n observations.
    pub fn quantiles(&self, rank: impl Fn(u64) -> Option<u64>, replicates: u32, stream: &mut Stream) -> Vec<u16> {
        let Some(last) = self.bins.len().checked_sub(1) else { return Vec::new() };
        let mut resampler = Resampler::new(self.blocks);
        let mut weights = Weights::new(self.blocks);
        let mut guess = last / 2;
        let replicate = |_| {
            weights.set(resampler.draw(stream));
            let rank = rank(self.weighted(last, &weights))?;
            guess = self.first_reaching(rank, &weights, guess);
            Some(self.bins[guess])
        };
        (0..replicates).filter_map(replicate).collect()
    }

    /// The first row whose weighted cumulative count reaches `rank`, searched outwards from
    /// `guess`: replicates lie close together.
    fn first_reaching(&self, rank: u64, weights: &Weights, guess: usize) -> usize {
        let reaches = |row: usize| self.weighted(row, weights) >= rank;
        let last = self.bins.len() - 1;
        let (mut below, mut reaching, mut step) = (0, last, 4);
        if reaches(guess) {
            reaching = guess;
            while reaching > 0 {
                let lower = reaching.saturating_sub(step);
                if !reaches(lower) {
                    below = lower + 1;
                    break;
                }
                reaching = lower;
                step *= 2;
            }
        } else {
            below = guess + 1;
            while below < last {
                let upper = (below + step).min(last);
                if reaches(upper) {
                    reaching = upper;
                    break;
                }
                below = upper + 1;
                step *= 2;
            }
        }
        while below < reaching {
            let middle = below + (reaching - below) / 2;
            if reaches(middle) { reaching = middle } else { below = middle + 1 }
        }
        reaching
    }
}

/// Replicates of the order statistic of `rank` among `n` single observations resampled with
/// replacement, as ranks of the original sample: rank k of a resample has the distribution of
/// ceil(n U), U ~ Beta(k, n - k + 1).
///
/// `None` when the rank is not in 1..=n.
pub fn resampled_ranks(rank: u64, n: u64, replicates: u32, stream: &mut Stream) -> Option<Vec<u64>> {
    if !(1..=n).contains(&rank) {
        return None;
    }
    let beta = Beta::new(rank as f64, (n - rank + 1) as f64).ok()?;
    // The ranks that a draw can have, eight standard deviations either way, and the chance of each or a lower one:
    // a look-up then finds what inverting the distribution would.
    let size = n as f64;
    let deviation = (rank as f64 * (n - rank + 1) as f64 / (size + 2.0)).sqrt();
    let reach = (8.0 * deviation).ceil() as u64 + 8;
    let (lowest, highest) = (rank.saturating_sub(reach).max(1), (rank + reach).min(n));
    let chances: Vec<f64> = (lowest..highest).map(|rank| beta.cdf(rank as f64 / size)).collect();
    let draw = |_| {
        let wanted = stream.open_unit();
        lowest + chances.partition_point(|chance| *chance < wanted) as u64
    };
    Some((0..replicates).map(draw).collect())
}

/// Replicates of the mean of single observations given as (value, count).
pub fn resampled_means(values: &[(f64, u64)], replicates: u32, stream: &mut Stream) -> Vec<f64> {
    let n: u64 = values.iter().map(|(_, count)| count).sum();
    if n == 0 {
        return Vec::new();
    }
    let size = n as f64;
    if n > MOST_SINGLE_DRAWS {
        let mean = values.iter().map(|(value, count)| value * *count as f64).sum::<f64>() / size;
        let variance = values.iter().map(|(value, count)| (value - mean).powi(2) * *count as f64).sum::<f64>() / size;
        return (0..replicates).map(|_| mean + (variance / size).sqrt() * stream.normal()).collect();
    }
    let each: Vec<f64> =
        values.iter().flat_map(|(value, count)| std::iter::repeat_n(*value, *count as usize)).collect();
    let draw = |_| (0..n).map(|_| each[stream.below(n as u32) as usize]).sum::<f64>() / size;
    (0..replicates).map(draw).collect()
}

/// The expanded percentile interval (Efron 1979; expanded: Hesterberg 2015): quantiles of the
/// replicates, interpolated (type 7 of Hyndman and Fan 1996, numpy's default), so far out that an
/// estimate with normal errors gets its t interval. Resampling k blocks shows a variance
/// (k - 1) / k of the real one, and the percentiles use z for t: with few blocks both narrow it.
///
/// `degrees_of_freedom` is one less than the number of blocks; infinite for single observations.
/// `None` without at least two replicates.
pub fn percentile_interval(mut replicates: Vec<f64>, degrees_of_freedom: f64, level: Level) -> Option<Interval> {
    if replicates.len() < 2 {
        return None;
    }
    replicates.sort_by(f64::total_cmp);
    let tail = if degrees_of_freedom.is_finite() {
        normal_upper_tail((1.0 + 1.0 / degrees_of_freedom).sqrt() * level.t(degrees_of_freedom))
    } else {
        level.tail()
    };
    Interval::new(interpolated(&replicates, tail), interpolated(&replicates, 1.0 - tail))
}

/// The q quantile of sorted values, interpolated (type 7).
fn interpolated(sorted: &[f64], q: f64) -> f64 {
    let position = q * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    let part = position - below as f64;
    // Equal neighbours may be infinite: their difference would not be a number.
    if sorted[below] == sorted[above] { sorted[below] } else { sorted[below] + part * (sorted[above] - sorted[below]) }
}

/// Degrees of freedom of the difference of two independent estimates (Welch 1947, Satterthwaite
/// 1946): `sides` are (variance, degrees of freedom).
pub fn welch_degrees(sides: [(f64, f64); 2]) -> f64 {
    let total: f64 = sides.iter().map(|(variance, _)| variance).sum();
    let parts: f64 = sides.iter().map(|(variance, degrees)| variance * variance / degrees).sum();
    if parts > 0.0 { total * total / parts } else { sides[0].1.min(sides[1].1) }
}

/// Variance of values, 0 for fewer than two.
pub fn variance(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    if values.len() < 2 {
        return 0.0;
    }
    let mean = values.iter().sum::<f64>() / n;
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn percentiles_interpolate_like_numpy() {
        // numpy: np.percentile(range(1, 12), [2.5, 97.5])
        let got = percentile_interval((1..12).map(f64::from).collect(), f64::INFINITY, Level::P95).unwrap();
        assert!((got.low - 1.25).abs() < 1e-12 && (got.high - 10.75).abs() < 1e-12, "{got:?}");
        assert_eq!(percentile_interval(vec![1.0], 9.0, Level::P95), None);
    }

    #[test]
    fn few_blocks_push_the_ends_out() {
        // scipy 1.17.1: norm.sf(sqrt(8 / 7) * t.ppf(0.975, 7)) = 0.0057375; np.percentile(range(1001), 100 * that) = 5.7375
        let got = percentile_interval((0..1001).map(f64::from).collect(), 7.0, Level::P95).unwrap();
        assert!((got.low - 5.7375).abs() < 1e-3 && (got.high - 994.2625).abs() < 1e-3, "{got:?}");
    }

    #[test]
    fn equal_sides_have_the_sum_of_their_degrees() {
        assert!((welch_degrees([(2.0, 9.0), (2.0, 9.0)]) - 18.0).abs() < 1e-12);
        assert_eq!(welch_degrees([(0.0, 9.0), (0.0, 7.0)]), 7.0);
    }

    #[test]
    fn the_spread_of_a_mean_of_blocks_is_its_standard_error() {
        let mut stream = Stream::new(3, "spread");
        let blocks: Vec<(f64, f64)> = (0..200).map(|_| (20.0 + stream.normal(), 1.0)).collect();
        let n = blocks.len() as f64;
        let mean = blocks.iter().map(|block| block.0).sum::<f64>() / n;
        let standard_error = (blocks.iter().map(|block| (block.0 - mean).powi(2)).sum::<f64>() / n / n).sqrt();
        let replicates = resampled_ratios(&blocks, 4000, &mut stream);
        let values = replicates.iter().map(|replicate| replicate.value).collect();
        let Interval { low, high } = percentile_interval(values, f64::INFINITY, Level::P95).unwrap();
        let want = 2.0 * Level::P95.z() * standard_error;
        assert!(((high - low) / want - 1.0).abs() < 0.06, "{} for {want}", high - low);
        let Interval { low, high } =
            studentised_interval(ratio_of_sums(&blocks).unwrap(), &replicates, Level::P95).unwrap();
        assert!(((high - low) / want - 1.0).abs() < 0.06, "{} for {want}", high - low);
    }

    #[test]
    fn equal_blocks_have_no_spread_and_say_so() {
        let estimate = ratio_of_sums(&[(30.0, 2.0); 10]).unwrap();
        let replicates = resampled_ratios(&[(30.0, 2.0); 10], 50, &mut Stream::new(1, "equal"));
        assert_eq!(studentised_interval(estimate, &replicates, Level::P95), Interval::new(15.0, 15.0));
    }

    #[test]
    fn resampled_ranks_centre_on_the_rank() {
        let mut stream = Stream::new(3, "ranks");
        let ranks = resampled_ranks(500, 1000, 4000, &mut stream).unwrap();
        let mean = ranks.iter().sum::<u64>() as f64 / ranks.len() as f64;
        // Standard deviation of a resampled median's rank: sqrt(n) / 2 = 15.8.
        assert!((mean - 500.0).abs() < 1.5, "{mean}");
        assert_eq!(resampled_ranks(0, 10, 5, &mut stream), None);
    }

    proptest! {
        #[test]
        fn quantiles_of_a_resample_are_those_of_the_weighted_blocks(
            blocks in prop::collection::vec(prop::collection::btree_map(0u16..40, 1u64..5, 1..6), 1..6), q in 0.01..1.0_f64,
        ) {
            let cumulative = CumulativeBlocks::new(blocks.iter().map(|block| block.iter().map(|(bin, count)| (*bin, *count))));
            let rank = |n: u64| (n > 0).then(|| ((q * n as f64).ceil() as u64).clamp(1, n));
            let got = cumulative.quantiles(rank, 30, &mut Stream::new(5, "same"));
            let mut resampler = Resampler::new(blocks.len());
            let mut stream = Stream::new(5, "same");
            for got in got {
                let weights = resampler.draw(&mut stream);
                let mut all: Vec<u16> = blocks.iter().zip(weights).flat_map(|(block, weight)| {
                    block.iter().flat_map(move |(bin, count)| std::iter::repeat_n(*bin, *count as usize * *weight as usize))
                }).collect();
                all.sort_unstable();
                prop_assert_eq!(got, all[rank(all.len() as u64).unwrap() as usize - 1]);
            }
        }
    }
}
