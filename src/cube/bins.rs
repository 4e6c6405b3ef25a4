//! The bins of open cells, in the order in which they came, and their way into sorted runs. Appending two bytes to a
//! cell's list touches one cache line, whatever the number of cells; the bins are sorted when a cell is closed, cell by cell.

use super::key::FINE_BIN_BITS;

/// Bins of a block: with the number of the next one they fill a cache line.
const BLOCK_BINS: usize = 30;
/// Lists of this length are counted in a table of all bins; a comparison sort is faster below.
const COUNTED_BINS: usize = 512;

/// The bins of one cell: a list in [`Blocks`].
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BinList {
    first: u32,
    last: u32,
    length: u32,
    /// Bins in the last block.
    filled: u32,
}

/// The lists of many cells.
#[derive(Debug, Default)]
pub(super) struct Blocks(Vec<Block>);

#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Block {
    bins: [u16; BLOCK_BINS],
    next: u32,
}

impl Blocks {
    /// Blocks in use, of 64 bytes each.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Forgets all lists.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Appends a bin to a list of these blocks.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "memory ends long before 2^32 blocks")]
    pub(super) fn push(&mut self, list: &mut BinList, bin: u16) {
        if list.length == 0 || list.filled as usize == BLOCK_BINS {
            let fresh = self.0.len() as u32;
            self.0.push(Block { bins: [0; BLOCK_BINS], next: 0 });
            match list.length {
                0 => list.first = fresh,
                _ => self.0[list.last as usize].next = fresh,
            }
            (list.last, list.filled) = (fresh, 0);
        }
        self.0[list.last as usize].bins[list.filled as usize] = bin;
        list.filled += 1;
        list.length += 1;
    }

    fn collect(&self, list: BinList, bins: &mut Vec<u16>) {
        bins.clear();
        let mut rest = list.length as usize;
        let mut at = list.first;
        while rest > 0 {
            let block = &self.0[at as usize];
            let taken = rest.min(BLOCK_BINS);
            bins.extend_from_slice(&block.bins[..taken]);
            rest -= taken;
            at = block.next;
        }
    }
}

/// Counts the bins of a list.
#[derive(Debug, Default)]
pub(super) struct Counter {
    bins: Vec<u16>,
    counts: Vec<u32>,
}

impl Counter {
    /// Calls `each` with every bin of the list, rising, and how often it stands there.
    pub(super) fn count(&mut self, blocks: &Blocks, list: BinList, mut each: impl FnMut(u16, u64)) {
        blocks.collect(list, &mut self.bins);
        if self.bins.len() < COUNTED_BINS {
            self.bins.sort_unstable();
            self.bins.chunk_by(|a, b| a == b).for_each(|same| each(same[0], same.len() as u64));
            return;
        }
        self.counts.resize(1 << FINE_BIN_BITS, 0);
        let (mut least, mut most) = (u16::MAX, 0);
        for bin in &self.bins {
            self.counts[usize::from(*bin)] += 1;
            (least, most) = (least.min(*bin), most.max(*bin));
        }
        for (bin, count) in (least..=most).zip(&mut self.counts[usize::from(least)..]) {
            if *count > 0 {
                each(bin, u64::from(std::mem::take(count)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn lists_are_counted_like_maps(
            pushes in prop::collection::vec((0_usize..3, prop_oneof![0_u16..40, 0_u16..26_625]), 0..4000),
        ) {
            let mut blocks = Blocks::default();
            let mut lists = [BinList::default(); 3];
            let mut want: [BTreeMap<u16, u64>; 3] = Default::default();
            for (list, bin) in pushes {
                blocks.push(&mut lists[list], bin);
                *want[list].entry(bin).or_default() += 1;
            }
            let mut counter = Counter::default();
            for (list, want) in lists.into_iter().zip(want) {
                let mut counted = Vec::new();
                counter.count(&blocks, list, |bin, count| counted.push((bin, count)));
                prop_assert_eq!(counted, want.into_iter().collect::<Vec<_>>());
            }
        }
    }
}
