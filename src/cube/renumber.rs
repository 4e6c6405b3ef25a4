//! Cells and histograms in the numbers of the fold -> the same in those of the finished lists, in order again.

use std::ops::Range;

use super::cells::{Sum, add_up_twins};
use super::dimension::Renumbering;
use super::histogram::Histogram;
use super::key::{key_bits, split};
use super::runs::{PackedRun, merge};
use super::table::TableSpec;

/// The numbers that segments and error types got when they came -> those of the finished lists. Rows change places
/// with them, among those of the same time, stage and execution type.
pub(super) struct Renumberings {
    segments: Vec<u32>,
    error_types: Renumbering,
    /// Whether any segment, or any error type that is in use, changes.
    segments_move: bool,
    error_types_move: bool,
}

impl Renumberings {
    pub(super) fn new(segments: Vec<u32>, error_types: Renumbering, used: &[bool]) -> Self {
        let segments_move = (0..).zip(&segments).any(|(old, new): (u32, &u32)| old != *new);
        let mut in_use = error_types.iter().zip(used).enumerate();
        let error_types_move = in_use.any(|(old, (new, used))| *used && old != usize::from(*new));
        Self { segments, error_types, segments_move, error_types_move }
    }

    /// Whether rows of a table change places.
    fn moves(&self, spec: &TableSpec) -> bool {
        let has = |key| spec.keys.contains(&key);
        (self.segments_move && has("segment")) || (self.error_types_move && has("error_type"))
    }

    pub(super) fn renumber_cells<V: Sum>(&self, spec: &TableSpec, cells: &mut Vec<(u64, V)>) {
        if !self.moves(spec) {
            return;
        }
        let (renumber, below) = (self.of_keys(spec), bits_from_segment(spec));
        for neighbours in cells.chunk_by_mut(|a, b| a.0 >> below == b.0 >> below) {
            neighbours.iter_mut().for_each(|(key, _)| *key = renumber(*key));
            neighbours.sort_unstable_by_key(|(key, _)| *key);
        }
        // Names may have become `other`.
        add_up_twins(cells);
    }

    /// A packed row key of the table -> the same in the new numbers.
    #[expect(clippy::cast_possible_truncation, reason = "a field of a key is as wide as it was packed")]
    fn of_keys(&self, spec: &TableSpec) -> impl Fn(u64) -> u64 {
        let fields: Vec<(u32, &str)> = spec.keys.iter().rev().map(|column| (key_bits(column), *column)).collect();
        move |mut rest| {
            let (mut key, mut shift) = (0, 0);
            for (bits, column) in &fields {
                let field = split(&mut rest, *bits);
                let new = match *column {
                    "segment" => u64::from(self.segments[field as usize]),
                    "error_type" => u64::from(self.error_types[field as usize]),
                    _ => field,
                };
                key |= new << shift;
                shift += bits;
            }
            key
        }
    }
}

/// Bits of a row key from the segment on: rows that share what is above it change places only among each other.
fn bits_from_segment(spec: &TableSpec) -> u32 {
    let from = spec.keys.iter().position(|key| *key == "segment").unwrap_or(spec.keys.len());
    spec.keys[from..].iter().map(|key| key_bits(key)).sum()
}

/// The histograms of a table, in runs whose keys are a row's key and `bin_bits` of bin.
pub(super) struct BinRuns {
    pub runs: Vec<PackedRun>,
    bin_bits: u32,
}

impl BinRuns {
    pub(super) fn new(runs: Vec<PackedRun>, bin_bits: u32) -> Self {
        Self { runs, bin_bits }
    }

    /// Calls `each` with key, bins and counts of every row in the new numbers, rising, each key once. One row is held
    /// at a time, or all of one time, stage and execution type where rows change places.
    pub(super) fn each_row(
        self,
        spec: &TableSpec,
        numbers: &Renumberings,
        mut each: impl FnMut(u64, (&[u16], &[u32])),
    ) {
        if !numbers.moves(spec) {
            return self.each_row_as_it_came(each);
        }
        let (renumber, below) = (numbers.of_keys(spec), bits_from_segment(spec));
        let mut held = HeldRows::default();
        let mut group = None;
        self.each_row_as_it_came(|key, row| {
            if group.replace(key >> below).is_some_and(|last| last != key >> below) {
                held.give(&mut each);
            }
            held.hold(renumber(key), row);
        });
        held.give(&mut each);
    }

    #[expect(clippy::cast_possible_truncation, reason = "a field of a key is as wide as it was packed")]
    fn each_row_as_it_came(self, mut each: impl FnMut(u64, (&[u16], &[u32]))) {
        let mut histogram = Histogram::default();
        let mut row = None;
        for (mut key, count) in merge(self.runs) {
            let bin = split(&mut key, self.bin_bits) as u16;
            if let Some(done) = row.replace(key).filter(|done| *done != key) {
                each(done, histogram.columns());
                histogram.clear();
            }
            histogram.push(bin, count);
        }
        if let Some(done) = row {
            each(done, histogram.columns());
        }
    }
}

/// Rows that change places among each other.
#[derive(Default)]
struct HeldRows {
    rows: Vec<(u64, Range<usize>)>,
    bins: Vec<u16>,
    counts: Vec<u32>,
}

impl HeldRows {
    fn hold(&mut self, key: u64, (bins, counts): (&[u16], &[u32])) {
        self.rows.push((key, self.bins.len()..self.bins.len() + bins.len()));
        self.bins.extend_from_slice(bins);
        self.counts.extend_from_slice(counts);
    }

    /// Gives all rows, rising, those of one key as one, and forgets them.
    fn give(&mut self, each: &mut impl FnMut(u64, (&[u16], &[u32]))) {
        self.rows.sort_by_key(|(key, _)| *key);
        let row = |range: &Range<usize>| (&self.bins[range.clone()], &self.counts[range.clone()]);
        for same in self.rows.chunk_by(|a, b| a.0 == b.0) {
            match same {
                [(key, range)] => each(*key, row(range)),
                several => each(several[0].0, Histogram::sum(several.iter().map(|(_, range)| row(range))).columns()),
            }
        }
        self.rows.clear();
        self.bins.clear();
        self.counts.clear();
    }
}
