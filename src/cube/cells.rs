//! Sums and histograms per cell while the log is folded: a small hash map for the cells in use, sorted runs behind
//! it, so that a worker's memory stays small and every merge is a walk in key order.

use rustc_hash::FxHashMap;

use super::bins::{BinList, Blocks, Counter};
use super::key::{METRIC_BITS, join};
use super::runs::PackedRun;
use super::tiers::Tiers;

/// Cells in the hash map before they are sorted into a run.
const OPEN_CELLS: usize = 1 << 13;
/// Blocks of bins (2 MB) before they are.
const OPEN_BLOCKS: usize = 1 << 15;

/// A value that is added up.
pub(super) trait Sum: Default + Copy {
    /// Adds `other`, or leaves both as they are and returns `false` where a field would overflow.
    fn try_add(&mut self, other: &Self) -> bool;
}

impl Sum for () {
    #[inline]
    fn try_add(&mut self, (): &Self) -> bool {
        true
    }
}

impl Sum for u64 {
    #[inline]
    fn try_add(&mut self, other: &Self) -> bool {
        self.checked_add(*other).map(|sum| *self = sum).is_some()
    }
}

/// What the cube keeps of the records of a minute or a segment's hour, and of `M` measures of them. Integers only: a
/// sum does not depend on the order. Units: nanoseconds, 10^-9 MB.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct RecordSums<const M: usize> {
    pub n: u64,
    pub successes: u64,
    /// Size of the successful records whose size is known.
    pub success_size_nano_mb: u64,
    pub duration_ns: u64,
    pub success_duration_ns: u64,
    pub success_duration_max_ms: f64,
    pub measures: [MeasureSums; M],
}

/// A measure of the records that carry it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct MeasureSums {
    pub n: u64,
    /// 10^-9 of its unit.
    pub nano: u64,
    pub max: f64,
}

impl<const M: usize> Default for RecordSums<M> {
    fn default() -> Self {
        Self {
            n: 0,
            successes: 0,
            success_size_nano_mb: 0,
            duration_ns: 0,
            success_duration_ns: 0,
            success_duration_max_ms: 0.0,
            measures: [MeasureSums::default(); M],
        }
    }
}

impl<const M: usize> Sum for RecordSums<M> {
    #[inline]
    fn try_add(&mut self, other: &Self) -> bool {
        let mut measures = self.measures;
        let mut largest = 0;
        for (sum, other) in measures.iter_mut().zip(&other.measures) {
            *sum = MeasureSums { n: sum.n + other.n, nano: sum.nano + other.nano, max: sum.max.max(other.max) };
            largest |= sum.nano;
        }
        let sum = Self {
            n: self.n + other.n,
            successes: self.successes + other.successes,
            success_size_nano_mb: self.success_size_nano_mb + other.success_size_nano_mb,
            duration_ns: self.duration_ns + other.duration_ns,
            success_duration_ns: self.success_duration_ns + other.success_duration_ns,
            success_duration_max_ms: self.success_duration_max_ms.max(other.success_duration_max_ms),
            measures,
        };
        // Every sum that is kept is below 2^63, so that none of these wrapped, and one bit tells.
        largest |= sum.n | sum.success_size_nano_mb | sum.duration_ns;
        let fits = largest >> 63 == 0;
        if fits {
            *self = sum;
        }
        fits
    }
}

/// Cells by key: sums, and `LISTS` histograms of bins of `BIN_BITS` bits.
#[derive(Debug, Default)]
pub(super) struct Cells<S, const LISTS: usize, const BIN_BITS: u32> {
    open: FxHashMap<u64, Cell<S, LISTS>>,
    blocks: Blocks,
    counter: Counter,
    closed_sums: Tiers<Vec<(u64, S)>>,
    closed_bins: Tiers<PackedRun>,
}

#[derive(Debug, Clone, Copy)]
struct Cell<S, const LISTS: usize> {
    sums: S,
    bins: [BinList; LISTS],
}

impl<S: Sum, const LISTS: usize> Default for Cell<S, LISTS> {
    fn default() -> Self {
        Self { sums: S::default(), bins: [BinList::default(); LISTS] }
    }
}

/// What the cells held, in runs.
pub(super) struct ClosedCells<S> {
    /// For [`merge_cells`].
    pub sums: Vec<Vec<(u64, S)>>,
    /// For [`merge`](super::runs::merge). A key is the cell's, the metric where there are several lists, and the bin.
    pub bins: Vec<PackedRun>,
}

impl<S: Sum, const LISTS: usize, const BIN_BITS: u32> Cells<S, LISTS, BIN_BITS> {
    /// Adds `sums` to the cell, and to each of its histograms the bin that is given. Sums that would overflow go on in
    /// a second cell of the same key; whoever reads the cells adds such twins up in wider integers.
    #[inline]
    pub(super) fn add(&mut self, key: u64, sums: &S, bins: [Option<u16>; LISTS]) {
        let mut cell = self.open.entry(key).or_default();
        if !cell.sums.try_add(sums) {
            self.close();
            cell = self.open.entry(key).or_default();
            cell.sums = *sums;
        }
        for (list, bin) in cell.bins.iter_mut().zip(bins) {
            if let Some(bin) = bin {
                self.blocks.push(list, bin);
            }
        }
        if self.open.len() >= OPEN_CELLS || self.blocks.len() >= OPEN_BLOCKS {
            self.close();
        }
    }

    fn close(&mut self) {
        let mut cells: Vec<_> = self.open.drain().collect();
        cells.sort_unstable_by_key(|(key, _)| *key);
        if LISTS > 0 {
            let mut run = PackedRun::default();
            for (key, cell) in &cells {
                for (metric, list) in cell.bins.iter().enumerate() {
                    let row = if LISTS > 1 { join(*key, METRIC_BITS, metric as u64) } else { *key };
                    let push = |bin: u16, count| run.push(join(row, BIN_BITS, u64::from(bin)), count);
                    self.counter.count(&self.blocks, *list, push);
                }
            }
            run.shrink_to_fit();
            self.closed_bins.add(run, PackedRun::merged);
            self.blocks.clear();
        }
        // Cells of histograms alone have nothing to add up.
        if size_of::<S>() > 0 {
            self.closed_sums.add(cells.into_iter().map(|(key, cell)| (key, cell.sums)).collect(), merge_cells);
        }
    }

    /// All that was added.
    pub(super) fn finish(mut self) -> ClosedCells<S> {
        self.close();
        ClosedCells { sums: self.closed_sums.finish(), bins: self.closed_bins.finish() }
    }
}

/// All cells, sorted by key; equal keys are added up unless that overflows.
pub(super) fn merge_cells<V: Sum>(runs: Vec<Vec<(u64, V)>>) -> Vec<(u64, V)> {
    let mut all = Vec::with_capacity(runs.iter().map(Vec::len).sum());
    runs.into_iter().for_each(|mut run| all.append(&mut run));
    // In place: a sort with a buffer would need half as much memory again.
    all.sort_unstable_by_key(|(key, _)| *key);
    add_up_twins(&mut all);
    all
}

/// Adds neighbours of the same key up, in place.
pub(super) fn add_up_twins<V: Sum>(cells: &mut Vec<(u64, V)>) {
    cells.dedup_by(|next, kept| next.0 == kept.0 && kept.1.try_add(&next.1));
}

#[cfg(test)]
mod tests {
    use super::super::runs::merge;
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn cells_add_up_across_runs() {
        let mut cells = Cells::<u64, 2, 9>::default();
        for index in 0..(OPEN_CELLS as u64 * 20) {
            cells.add(index % 20_000, &1, [Some((index % 300) as u16), (index % 2 == 0).then_some(7)]);
        }
        let closed = cells.finish();
        let merged = merge_cells(closed.sums);
        assert_eq!(merged.len(), 20_000);
        assert_eq!(merged.iter().map(|(_, count)| count).sum::<u64>(), OPEN_CELLS as u64 * 20);
        assert!(merged.is_sorted_by_key(|(key, _)| *key));
        let mut want = BTreeMap::<u64, u64>::new();
        for index in 0..(OPEN_CELLS as u64 * 20) {
            let row = join(index % 20_000, METRIC_BITS, 0);
            *want.entry(join(row, 9, index % 300)).or_default() += 1;
            if index % 2 == 0 {
                *want.entry(join(row + 1, 9, 7)).or_default() += 1;
            }
        }
        assert_eq!(merge(closed.bins).collect::<Vec<_>>(), want.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn many_bins_of_few_cells_are_written_in_between() {
        let pushes = OPEN_BLOCKS as u64 * 70;
        let mut cells = Cells::<(), 1, 15>::default();
        for index in 0..pushes {
            cells.add(index % 3, &(), [Some((index * 7 % 20_000) as u16)]);
        }
        let closed = cells.finish();
        assert!(closed.sums.is_empty() && closed.bins.len() > 1);
        let (rows, total) = merge(closed.bins).fold((0, 0), |(rows, total), (_, count)| (rows + 1, total + count));
        assert_eq!((rows, total), (60_000, pushes));
    }

    #[test]
    fn overflow_keeps_both_halves() {
        let mut cells = Cells::<u64, 0, 0>::default();
        cells.add(7, &(u64::MAX - 1), []);
        cells.add(7, &5, []);
        let merged = merge_cells(cells.finish().sums);
        assert_eq!(merged.iter().map(|(_, count)| u128::from(*count)).sum::<u128>(), u128::from(u64::MAX) + 4);
    }
}
