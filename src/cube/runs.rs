//! Sorted runs of (key, count), packed as differences: how the fold keeps histograms. A packed entry takes two to
//! four bytes; memory follows the number of distinct keys.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Joins neighbours with the same key.
fn sum_equal_keys(pairs: impl Iterator<Item = (u64, u64)>) -> impl Iterator<Item = (u64, u64)> {
    let mut pairs = pairs.peekable();
    std::iter::from_fn(move || {
        let (key, mut count) = pairs.next()?;
        while let Some((_, more)) = pairs.next_if(|next| next.0 == key) {
            count += more;
        }
        Some((key, count))
    })
}

/// Rising keys, each with its count, as variable-length differences.
#[derive(Debug, Default)]
pub(super) struct PackedRun {
    bytes: Vec<u8>,
    entries: usize,
    last_key: u64,
}

impl PackedRun {
    /// Adds a key that is not below the last one.
    #[inline]
    pub(super) fn push(&mut self, key: u64, count: u64) {
        debug_assert!(key >= self.last_key, "{key} after {}", self.last_key);
        write_varint(&mut self.bytes, key - self.last_key);
        write_varint(&mut self.bytes, count);
        self.last_key = key;
        self.entries += 1;
    }

    /// One run of many.
    pub(super) fn merged(runs: Vec<Self>) -> Self {
        Self::pack(merge(runs))
    }

    fn pack(pairs: impl Iterator<Item = (u64, u64)>) -> Self {
        let mut run = Self::default();
        pairs.for_each(|(key, count)| run.push(key, count));
        run.shrink_to_fit();
        run
    }

    /// Gives back the room that is not used.
    pub(super) fn shrink_to_fit(&mut self) {
        self.bytes.shrink_to_fit();
    }
}

/// Entries of all runs: no merge of them has more.
pub(super) fn entries(runs: &[PackedRun]) -> usize {
    runs.iter().map(|run| run.entries).sum()
}

#[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
fn write_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Unpacks one run from the front.
struct Unpacker {
    run: PackedRun,
    at: usize,
    key: u64,
}

impl Unpacker {
    fn varint(&mut self) -> u64 {
        let mut value = 0;
        let mut shift = 0;
        loop {
            let byte = self.run.bytes[self.at];
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return value;
            }
            shift += 7;
        }
    }
}

impl Iterator for Unpacker {
    type Item = (u64, u64);

    fn next(&mut self) -> Option<(u64, u64)> {
        if self.at >= self.run.bytes.len() {
            return None;
        }
        self.key += self.varint();
        Some((self.key, self.varint()))
    }
}

/// The keys of all runs, rising, each once, with the sum of its counts.
pub(super) fn merge(runs: Vec<PackedRun>) -> impl Iterator<Item = (u64, u64)> {
    let mut heads = BinaryHeap::new();
    let mut streams: Vec<Unpacker> = runs.into_iter().map(|run| Unpacker { run, at: 0, key: 0 }).collect();
    for (index, stream) in streams.iter_mut().enumerate() {
        if let Some((key, count)) = stream.next() {
            heads.push(Reverse((key, index, count)));
        }
    }
    // Logs are nearly in time order, so one stream often leads for long: it stays out of the heap meanwhile.
    let mut leader: Option<(u64, u64, usize)> = None;
    let rising = std::iter::from_fn(move || {
        let (key, count, index) = match leader.take() {
            Some((key, count, index)) => (key, count, index),
            None => heads.pop().map(|Reverse((key, index, count))| (key, count, index))?,
        };
        match streams[index].next() {
            Some((next_key, next_count)) => match heads.peek() {
                Some(Reverse((other, ..))) if *other < next_key => heads.push(Reverse((next_key, index, next_count))),
                _ => leader = Some((next_key, next_count, index)),
            },
            // Of runs that follow each other in time the first are read to their end early: what they hold is freed.
            None => streams[index].run = PackedRun::default(),
        }
        Some((key, count))
    });
    sum_equal_keys(rising)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn counted(keys: &[u64]) -> Vec<(u64, u64)> {
        let mut counts = BTreeMap::new();
        keys.iter().for_each(|key| *counts.entry(*key).or_default() += 1);
        counts.into_iter().collect()
    }

    proptest! {
        #[test]
        fn counts_like_a_map(keys in prop::collection::vec(prop_oneof![0u64..50, any::<u64>()], 0..400), cut in 1usize..50) {
            let parts = keys.chunks(cut).map(|part| PackedRun::pack(counted(part).into_iter()));
            let (left, right) = parts.enumerate().partition::<Vec<_>, _>(|(index, _)| index % 2 == 0);
            let merged = [left, right].map(|runs| PackedRun::merged(runs.into_iter().map(|(_, run)| run).collect()));
            prop_assert_eq!(merge(merged.into()).collect::<Vec<_>>(), counted(&keys));
        }
    }
}
