//! Sums per cell while the log is folded: a small hash map for the cells in use, sorted runs
//! behind it, so that a worker's memory stays small and every merge is a walk in key order.

use rustc_hash::FxHashMap;

/// Cells in the hash map before it is sorted into a run.
const OPEN_CELLS: usize = 1 << 13;
const RUNS_PER_TIER: usize = 8;

/// A value that is added up.
pub trait Sum: Default + Copy {
    /// Adds `other`, or leaves both as they are and returns `false` where a field would overflow.
    fn try_add(&mut self, other: &Self) -> bool;
}

impl Sum for u64 {
    fn try_add(&mut self, other: &Self) -> bool {
        self.checked_add(*other).map(|sum| *self = sum).is_some()
    }
}

/// What the cube keeps of the uploads of a minute or a segment's hour. Integers only: a sum
/// does not depend on the order. Units: nanoseconds, 10^-9 MB.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct UploadSums {
    pub uploads: u64,
    pub successes: u64,
    /// Size of the successful uploads whose size is known.
    pub success_size_nano_mb: u64,
    pub duration_ns: u64,
    pub success_duration_ns: u64,
    /// Uploads that carry a memory figure.
    pub memory_uploads: u64,
    pub memory_nano_mb: u64,
    pub success_duration_max_ms: f64,
    pub memory_max_mb: f64,
}

impl Sum for UploadSums {
    fn try_add(&mut self, other: &Self) -> bool {
        let sum = || {
            Some(Self {
                uploads: self.uploads.checked_add(other.uploads)?,
                successes: self.successes.checked_add(other.successes)?,
                success_size_nano_mb: self.success_size_nano_mb.checked_add(other.success_size_nano_mb)?,
                duration_ns: self.duration_ns.checked_add(other.duration_ns)?,
                success_duration_ns: self.success_duration_ns.checked_add(other.success_duration_ns)?,
                memory_uploads: self.memory_uploads.checked_add(other.memory_uploads)?,
                memory_nano_mb: self.memory_nano_mb.checked_add(other.memory_nano_mb)?,
                success_duration_max_ms: self.success_duration_max_ms.max(other.success_duration_max_ms),
                memory_max_mb: self.memory_max_mb.max(other.memory_max_mb),
            })
        };
        sum().map(|sum| *self = sum).is_some()
    }
}

/// Sums by key.
#[derive(Debug, Default)]
pub struct Cells<V> {
    open: FxHashMap<u64, V>,
    tiers: Vec<Vec<Vec<(u64, V)>>>,
}

impl<V: Sum> Cells<V> {
    /// Adds `value` to the cell. Sums that would overflow go on in a second cell of the same
    /// key; whoever reads the cells adds such twins up in wider integers.
    #[inline]
    pub fn add(&mut self, key: u64, value: &V) {
        let cell = self.open.entry(key).or_default();
        let added = cell.try_add(value);
        if !added || self.open.len() >= OPEN_CELLS {
            self.close();
        }
        if !added {
            self.open.insert(key, *value);
        }
    }

    fn close(&mut self) {
        let mut run: Vec<_> = self.open.drain().collect();
        run.sort_unstable_by_key(|(key, _)| *key);
        self.add_run(run, 0);
    }

    fn add_run(&mut self, run: Vec<(u64, V)>, tier: usize) {
        if self.tiers.len() <= tier {
            self.tiers.resize_with(tier + 1, Vec::new);
        }
        self.tiers[tier].push(run);
        if self.tiers[tier].len() == RUNS_PER_TIER {
            let merged = merge_cells(std::mem::take(&mut self.tiers[tier]));
            self.add_run(merged, tier + 1);
        }
    }

    /// All runs, for [`merge_cells`].
    pub fn finish(mut self) -> Vec<Vec<(u64, V)>> {
        self.close();
        self.tiers.into_iter().flatten().collect()
    }
}

/// All cells, sorted by key; equal keys are added up unless that overflows.
pub fn merge_cells<V: Sum>(runs: Vec<Vec<(u64, V)>>) -> Vec<(u64, V)> {
    let mut all = Vec::with_capacity(runs.iter().map(Vec::len).sum());
    runs.into_iter().for_each(|mut run| all.append(&mut run));
    // In place: a sort with a buffer would need half as much memory again.
    all.sort_unstable_by_key(|(key, _)| *key);
    add_up_twins(&mut all);
    all
}

/// Adds neighbours of the same key up, in place.
pub fn add_up_twins<V: Sum>(cells: &mut Vec<(u64, V)>) {
    cells.dedup_by(|next, kept| next.0 == kept.0 && kept.1.try_add(&next.1));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_add_up_across_runs() {
        let mut cells = Cells::<u64>::default();
        for index in 0..(OPEN_CELLS as u64 * 20) {
            cells.add(index % 20_000, &1);
        }
        let merged = merge_cells(cells.finish());
        assert_eq!(merged.len(), 20_000);
        assert_eq!(merged.iter().map(|(_, count)| count).sum::<u64>(), OPEN_CELLS as u64 * 20);
        assert!(merged.is_sorted_by_key(|(key, _)| *key));
    }

    #[test]
    fn overflow_keeps_both_halves() {
        let mut cells = Cells::<u64>::default();
        cells.add(7, &(u64::MAX - 1));
        cells.add(7, &5);
        let merged = merge_cells(cells.finish());
        assert_eq!(merged.iter().map(|(_, count)| u128::from(*count)).sum::<u128>(), u128::from(u64::MAX) + 4);
    }
}
