//! Logarithmic bins cut from the bits of an f64: monotone, the same on every machine, no
//! logarithm. 512 bins an octave; the coarser grids are those bins joined.

/// Mantissa bits that tell fine bins apart: 512 per octave.
const FINE_BITS: u32 = 9;
/// Bits of an f64 below them.
const SHIFT: u32 = 52 - FINE_BITS;
/// Values below 2^-20 (a nanosecond of a millisecond, a byte of a megabyte) are zero.
const SMALLEST_EXPONENT: u64 = 1023 - 20;
const BASE: u64 = SMALLEST_EXPONENT << FINE_BITS;

/// A bin of the 512-per-octave grid; 0 holds the values below 2^-20. At most 26 624 for
/// values below 2^32.
pub type FineBin = u16;

/// The last bin: of the largest value below 2^32.
pub const MAX_FINE_BIN: FineBin = 26_624;

/// The fine bin of a value in 0..2^32.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "within the range that the line above sets")]
pub fn fine_bin(value: f64) -> FineBin {
    debug_assert!((0.0..4_294_967_296.0).contains(&value), "{value}");
    let top = value.to_bits() >> SHIFT;
    if top < BASE { 0 } else { (top - BASE + 1) as FineBin }
}

/// A grid whose bins are 2^`joined_bits` fine bins wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    joined_bits: u32,
}

impl Grid {
    /// 512 bins per octave: quantiles within 2^-10 (0.098 %) of the exact order statistic.
    pub const FINE: Self = Self { joined_bits: 0 };
    /// 16 bins per octave.
    pub const MINUTE: Self = Self { joined_bits: 5 };
    /// 8 bins per octave.
    pub const SEGMENT: Self = Self { joined_bits: 6 };

    /// The bin of this grid that holds a fine bin.
    #[inline]
    pub fn coarsen(self, fine: FineBin) -> u16 {
        if fine == 0 { 0 } else { ((fine - 1) >> self.joined_bits) + 1 }
    }

    /// How many entries of a histogram of this grid lie at or below `value` (0..2^32): whole bins below
    /// it, and of the bin that holds it the part below, as if its entries lay evenly.
    pub fn at_most(self, histogram: &Histogram, value: f64) -> f64 {
        let holding = self.coarsen(fine_bin(value));
        let (low, high) = self.edges(holding);
        let part = if high > low { ((value - low) / (high - low)).clamp(0.0, 1.0) } else { 1.0 };
        histogram
            .iter()
            .take_while(|(bin, _)| *bin <= holding)
            .map(|(bin, count)| if bin < holding { count as f64 } else { count as f64 * part })
            .sum()
    }

    /// Lower and upper edge of a bin; the zero bin has none.
    fn edges(self, bin: u16) -> (f64, f64) {
        if bin == 0 {
            return (0.0, 0.0);
        }
        let edge = |bin: u64| f64::from_bits(((bin << self.joined_bits) + BASE) << SHIFT);
        (edge(u64::from(bin) - 1), edge(u64::from(bin)))
    }

    /// The middle of a bin, in the unit of the values; the zero bin is 0.
    pub fn middle(self, bin: u16) -> f64 {
        let (low, high) = self.edges(bin);
        f64::midpoint(low, high)
    }
}

/// What is known exactly of the least and the largest value behind a fine histogram: no quantile lies outside.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extremes {
    pub least: f64,
    pub largest: f64,
}

impl Extremes {
    /// Of `n` values at or above 0 with this largest one and this sum, in 1 / `per_unit` of their unit. The least is
    /// known where all of them are the largest; elsewhere it is 0.
    #[expect(clippy::cast_possible_truncation, reason = "within the range that the line above sets")]
    pub fn new(largest: f64, sum: i128, n: u64, per_unit: f64) -> Self {
        let all_equal = n > 0 && sum == i128::from(n) * (largest * per_unit).round() as i128;
        Self { least: if all_equal { largest } else { 0.0 }, largest }
    }

    /// The middle of a fine bin, as far as values can lie there.
    pub fn middle(self, bin: u16) -> f64 {
        Grid::FINE.middle(bin).max(self.least).min(self.largest)
    }
}

/// Histograms of one grid, added up one by one; used for one sum after the other, it keeps its room.
#[derive(Debug, Default)]
pub struct Totals {
    /// By bin.
    counts: Vec<u64>,
    /// The bins that may have a count.
    used: Option<(u16, u16)>,
    sum: Histogram,
}

impl Totals {
    /// Adds a histogram: its bins, rising, and their counts.
    pub fn add(&mut self, (bins, counts): (&[u16], &[u32])) {
        let (Some(least), Some(most)) = (bins.first(), bins.last()) else { return };
        let (low, high) = self.used.unwrap_or((*least, *most));
        self.used = Some((low.min(*least), high.max(*most)));
        if self.counts.len() <= usize::from(*most) {
            self.counts.resize(usize::from(*most) + 1, 0);
        }
        for (bin, count) in bins.iter().zip(counts) {
            self.counts[usize::from(*bin)] += u64::from(*count);
        }
    }

    /// The sum of what was added since the last time.
    pub fn take(&mut self) -> &Histogram {
        self.sum.clear();
        if let Some((low, high)) = self.used.take() {
            let used = &mut self.counts[usize::from(low)..=usize::from(high)];
            for (bin, count) in (low..).zip(used).filter(|(_, count)| **count > 0) {
                self.sum.push(bin, std::mem::take(count));
            }
        }
        &self.sum
    }
}

/// A sparse histogram: bins rise, counts are positive. A bin whose count does not fit 32 bits
/// stands more than once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    bins: Vec<u16>,
    counts: Vec<u32>,
}

impl Histogram {
    /// An empty histogram with room for so many entries.
    pub fn with_capacity(entries: usize) -> Self {
        Self { bins: Vec::with_capacity(entries), counts: Vec::with_capacity(entries) }
    }

    pub fn total(&self) -> u64 {
        self.counts.iter().map(|count| u64::from(*count)).sum()
    }

    /// Adds another histogram of the same grid.
    pub fn add(&mut self, other: &Self) {
        if self.bins.is_empty() {
            self.clone_from(other);
            return;
        }
        let mut merged = Self::with_capacity(self.bins.len().max(other.bins.len()));
        let (mut a, mut b) = (self.iter().peekable(), other.iter().peekable());
        loop {
            let next = match (a.peek(), b.peek()) {
                (Some(left), Some(right)) if left.0 > right.0 => b.next(),
                (Some(_), _) => a.next(),
                (None, _) => b.next(),
            };
            let Some((bin, count)) = next else { break };
            merged.push(bin, count);
        }
        drop((a, b));
        *self = merged;
    }

    /// Adds `count` to `bin`, which is not below the last one.
    #[expect(clippy::cast_possible_truncation, reason = "within the range that the line above sets")]
    pub fn push(&mut self, bin: u16, count: u64) {
        let same = self.bins.last() == Some(&bin);
        let mut rest = count;
        if let Some(last) = self.counts.last_mut().filter(|_| same) {
            let room = u64::from(u32::MAX - *last).min(rest);
            *last += room as u32;
            rest -= room;
        }
        while rest > 0 {
            let part = rest.min(u64::from(u32::MAX));
            self.bins.push(bin);
            self.counts.push(part as u32);
            rest -= part;
        }
    }

    /// The sum of histograms of one grid, each as its bins, rising, and their counts.
    pub fn sum<'h>(parts: impl Iterator<Item = (&'h [u16], &'h [u32])>) -> Self {
        let mut totals = Totals::default();
        parts.for_each(|part| totals.add(part));
        totals.take().clone()
    }

    /// Forgets all entries.
    pub fn clear(&mut self) {
        self.bins.clear();
        self.counts.clear();
    }

    /// Bins and counts of all entries.
    pub fn columns(&self) -> (&[u16], &[u32]) {
        (&self.bins, &self.counts)
    }

    /// Bin and count, rising.
    pub fn iter(&self) -> impl Iterator<Item = (u16, u64)> {
        self.bins.iter().copied().zip(self.counts.iter().map(|count| u64::from(*count)))
    }

    /// The nearest-rank quantile x(ceil(q n)), q in (0, 1]: the middle of the bin that holds
    /// it. `None` when empty.
    pub fn quantile(&self, grid: Grid, q: f64) -> Option<f64> {
        self.quantile_bin(q).map(|bin| grid.middle(bin))
    }

    /// The bin that holds the nearest-rank quantile. `None` when empty.
    pub fn quantile_bin(&self, q: f64) -> Option<u16> {
        let rank = nearest_rank(q, self.total())?;
        let mut seen = 0;
        self.iter()
            .find(|(_, count)| {
                seen += count;
                seen >= rank
            })
            .map(|(bin, _)| bin)
    }

    /// How many entries lie in a bin or below it.
    pub fn up_to_bin(&self, last: u16) -> u64 {
        self.iter().take_while(|(bin, _)| *bin <= last).map(|(_, count)| count).sum()
    }
}

/// ceil(q n), at least 1; `None` when n is 0. The product is taken a hair down, so that
/// 0.95 x 100, which is 95.00000000000001 in floating point on some paths, stays 95.
#[expect(clippy::cast_possible_truncation, reason = "within the range that the line above sets")]
pub fn nearest_rank(q: f64, n: u64) -> Option<u64> {
    let exact = q * n as f64;
    (n > 0).then(|| ((exact - exact * 1e-12).ceil() as u64).clamp(1, n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn histogram(values: &[f64]) -> Histogram {
        let mut bins: Vec<_> = values.iter().map(|value| fine_bin(*value)).collect();
        bins.sort_unstable();
        let mut histogram = Histogram::default();
        bins.into_iter().for_each(|bin| histogram.push(bin, 1));
        histogram
    }

    #[test]
    fn ranks_are_exact_where_floating_point_is_not() {
        assert_eq!(nearest_rank(0.95, 100), Some(95));
        assert_eq!(nearest_rank(0.9, 10), Some(9));
        assert_eq!(nearest_rank(0.99, 1000), Some(990));
        assert_eq!(nearest_rank(0.5, 3), Some(2));
        assert_eq!(nearest_rank(0.5, 0), None);
    }

    #[test]
    fn the_largest_values_fit() {
        assert_eq!(fine_bin(4_294_967_295.0), 26_624);
        assert_eq!((fine_bin(0.0), Grid::FINE.middle(0)), (0, 0.0));
        assert_eq!(Grid::MINUTE.coarsen(26_624), 832);
        assert_eq!(Grid::SEGMENT.coarsen(26_624), 416);
    }

    fn value() -> impl Strategy<Value = f64> {
        (-20.0..31.9_f64, 1.0..2.0_f64).prop_map(|(exponent, mantissa)| (exponent.floor().exp2() * mantissa).min(4e9))
    }

    #[test]
    fn entries_below_a_value_are_interpolated_in_its_bin() {
        let mut coarse = Histogram::default();
        // 1 to 1.125, 1.125 to 1.25, … of the octave from 1.
        coarse.push(Grid::SEGMENT.coarsen(fine_bin(1.0)), 8);
        coarse.push(Grid::SEGMENT.coarsen(fine_bin(1.2)), 4);
        let at_most = |value| Grid::SEGMENT.at_most(&coarse, value);
        assert_eq!(
            (at_most(0.5), at_most(1.0625), at_most(1.125), at_most(1.1875), at_most(9.0)),
            (0.0, 4.0, 8.0, 10.0, 12.0)
        );
    }

    #[test]
    fn counts_beyond_32_bits_are_kept() {
        let mut histogram = Histogram::default();
        histogram.push(7, u64::from(u32::MAX));
        histogram.push(7, 10);
        let mut sum = histogram.clone();
        sum.add(&histogram);
        assert_eq!((histogram.total(), sum.total()), (u64::from(u32::MAX) + 10, 2 * (u64::from(u32::MAX) + 10)));
    }

    #[test]
    fn what_is_one_value_is_that_value() {
        let bin = fine_bin(661.2);
        assert_eq!(Grid::FINE.middle(bin), 661.5);
        assert_eq!(Extremes::new(661.2, 3 * 661_200_000, 3, 1e6).middle(bin), 661.2);
        assert_eq!(Extremes::new(661.8, 2 * 661_800_000, 2, 1e6).middle(bin), 661.8);
        assert_eq!(Extremes::new(661.8, 661_100_000 + 661_800_000, 2, 1e6).middle(bin), 661.5);
        assert_eq!(Extremes::new(661.2, 661_100_000 + 661_200_000, 2, 1e6).middle(bin), 661.2);
    }

    proptest! {
        #[test]
        fn quantiles_lie_within_a_thousandth_of_the_order_statistic(
            mut values in prop::collection::vec(value(), 1..300), q in 0.001..1.0_f64,
        ) {
            let got = histogram(&values).quantile(Grid::FINE, q).unwrap();
            values.sort_by(f64::total_cmp);
            let rank = nearest_rank(q, values.len() as u64).unwrap() as usize;
            let exact = values[rank - 1];
            prop_assert!((got - exact).abs() <= exact * 0.000_977, "{got} for {exact}");
        }

        #[test]
        fn bins_are_monotone_and_hold_their_values(a in value(), b in value()) {
            let (low, high) = if a <= b { (a, b) } else { (b, a) };
            prop_assert!(fine_bin(low) <= fine_bin(high));
            for (grid, error) in [(Grid::FINE, 0.000_977), (Grid::MINUTE, 0.0313), (Grid::SEGMENT, 0.0625)] {
                let middle = grid.middle(grid.coarsen(fine_bin(a)));
                prop_assert!((middle - a).abs() <= a * error, "{middle} for {a}");
            }
        }

        #[test]
        fn addition_is_counting_together(a in prop::collection::vec(value(), 0..60), b in prop::collection::vec(value(), 0..60)) {
            let mut sum = histogram(&a);
            sum.add(&histogram(&b));
            prop_assert_eq!(&sum, &histogram(&[a.as_slice(), &b].concat()));
            prop_assert_eq!(Histogram::sum([histogram(&a).columns(), histogram(&b).columns()].into_iter()), sum);
        }
    }
}
