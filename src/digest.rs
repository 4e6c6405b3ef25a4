//! The BLAKE3 digest of a file that is read in ranges, by different programs on different machines: each range keeps the
//! roots of the whole subtrees in it, and roots of neighbours join to those of both. The digest of the whole is that of
//! one reading. O'Connor et al. 2020, BLAKE3, 2.1: chunks of 1024 bytes are the leaves; the left subtree of a node holds
//! the largest power of two of chunks that leaves something to the right one.

use std::ops::Range;

use blake3::CHUNK_LEN;
use blake3::hazmat::{ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use serde::{Deserialize, Serialize};

use crate::packing::{blake3_text, hex};

const CHUNK: u64 = CHUNK_LEN as u64;

/// The root of a whole subtree of the file's tree: 2^k chunks that begin at a multiple of 2^k; at the end of the file
/// the last chunk may be short. A file of one chunk, or none, has its digest in place of a root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Subtree {
    first_chunk: u64,
    chunks: u64,
    /// In lower-case hexadecimal.
    root: String,
}

/// The subtrees of a stretch of a file: they follow each other, and no two of them make a larger one. Those of the whole
/// file but its root: it is made of the last two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Subtrees(Vec<Subtree>);

/// Chunks of a file of so many bytes; an empty one has one that is empty.
fn chunks_of(size: u64) -> u64 {
    size.div_ceil(CHUNK).max(1)
}

fn root_of(subtree: &Subtree) -> Option<ChainingValue> {
    Some(*blake3::Hash::from_hex(&subtree.root).ok()?.as_bytes())
}

impl Subtrees {
    /// Those of both, where `next` begins where these end; `None` where it does not, or where a root is none.
    #[must_use]
    pub fn join(self, next: &Self, size: u64) -> Option<Self> {
        let mut joined = Self::default();
        for subtree in self.0.iter().chain(&next.0) {
            let end = joined.0.last().map(|last| last.first_chunk + last.chunks);
            if end.is_some_and(|end| end != subtree.first_chunk) {
                return None;
            }
            joined.push(subtree.clone(), size)?;
        }
        Some(joined)
    }

    /// The same bytes in a file that has grown to `size`: what was all of it was not made one subtree.
    #[must_use]
    pub fn under(&self, size: u64) -> Option<Self> {
        Self::default().join(self, size)
    }

    fn push(&mut self, mut last: Subtree, size: u64) -> Option<()> {
        while let Some(before) = self.0.last()
            && before.chunks == last.chunks
            && before.first_chunk.is_multiple_of(2 * last.chunks)
            && !(before.first_chunk == 0 && before.chunks + last.chunks >= chunks_of(size))
        {
            let root = merge_subtrees_non_root(&root_of(before)?, &root_of(&last)?, Mode::Hash);
            last = Subtree { first_chunk: before.first_chunk, chunks: 2 * before.chunks, root: hex(&root) };
            self.0.pop();
        }
        self.0.push(last);
        Some(())
    }

    /// The digest of the file, as people write it; `None` where these are not all of it.
    pub fn digest(&self, size: u64) -> Option<String> {
        let ends = self.0.last().map_or(0, |last| last.first_chunk + last.chunks);
        if self.0.first()?.first_chunk != 0 || ends != chunks_of(size) {
            return None;
        }
        let mut roots = self.0.iter().rev().map(root_of);
        let mut right = roots.next()??;
        if self.0.len() == 1 {
            return Some(blake3_text(&right.into()));
        }
        for (index, left) in roots.enumerate() {
            if index + 2 == self.0.len() {
                return Some(blake3_text(&merge_subtrees_root(&left?, &right, Mode::Hash)));
            }
            right = merge_subtrees_non_root(&left?, &right, Mode::Hash);
        }
        None
    }
}

/// Hashes the chunks that begin in a range of a file, of bytes that are given in order.
pub struct RangeHasher {
    /// Bytes of the file.
    size: u64,
    /// Chunk that comes next, and the one behind the last.
    chunks: Range<u64>,
    /// Chunks of the subtree at hand, and its bytes that are still to come.
    open: (u64, u64),
    hasher: blake3::Hasher,
    done: Subtrees,
}

impl RangeHasher {
    /// For the range of a file of `size` bytes.
    pub fn new(range: &Range<u64>, size: u64) -> Self {
        let behind = if range.end >= size { chunks_of(size) } else { range.end.div_ceil(CHUNK) };
        let first = range.start.div_ceil(CHUNK).min(behind);
        let mut new = Self {
            size,
            chunks: first..behind,
            open: (0, 0),
            hasher: blake3::Hasher::new(),
            done: Subtrees::default(),
        };
        new.begin();
        new
    }

    /// The bytes of the file that are hashed.
    pub fn wants(&self) -> Range<u64> {
        let behind = (self.chunks.end * CHUNK).min(self.size);
        (self.at()).min(behind)..behind
    }

    /// Where the next byte to be hashed stands.
    fn at(&self) -> u64 {
        let open_bytes = ((self.chunks.start + self.open.0) * CHUNK).min(self.size);
        open_bytes - self.open.1
    }

    /// Opens the largest subtree that begins here and lies in the range.
    fn begin(&mut self) {
        let Range { start, end } = self.chunks;
        let room = end - start;
        if room == 0 {
            self.open = (0, 0);
            return;
        }
        let mut chunks = 1 << room.ilog2().min(if start == 0 { 63 } else { start.trailing_zeros() });
        // The root of the whole file is another kind of root.
        if start == 0 && chunks == chunks_of(self.size) && chunks > 1 {
            chunks /= 2;
        }
        let end = ((start + chunks) * CHUNK).min(self.size);
        self.open = (chunks, end - start * CHUNK);
        self.hasher = blake3::Hasher::new();
        self.hasher.set_input_offset(start * CHUNK);
        if self.open.1 == 0 {
            self.close();
        }
    }

    fn close(&mut self) {
        let first_chunk = self.chunks.start;
        let root = if chunks_of(self.size) == 1 {
            self.hasher.finalize().to_hex().to_string()
        } else {
            hex(&self.hasher.finalize_non_root())
        };
        // A root that was made here is one.
        let _ = self.done.push(Subtree { first_chunk, chunks: self.open.0, root }, self.size);
        self.chunks.start += self.open.0;
        self.begin();
    }

    /// Hashes what belongs to the range of bytes that stand at `at`. Those before were given before.
    pub fn update(&mut self, at: u64, bytes: &[u8]) {
        let skipped = usize::try_from(self.at().saturating_sub(at)).unwrap_or(usize::MAX).min(bytes.len());
        let mut rest = &bytes[skipped..];
        while !rest.is_empty() && self.open.1 > 0 {
            let now = usize::try_from(self.open.1).unwrap_or(usize::MAX).min(rest.len());
            self.hasher.update(&rest[..now]);
            self.open.1 -= now as u64;
            rest = &rest[now..];
            if self.open.1 == 0 {
                self.close();
            }
        }
    }

    /// The subtrees; `None` where bytes are missing.
    pub fn finish(self) -> Option<Subtrees> {
        (self.chunks.start == self.chunks.end).then_some(self.done)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The subtrees of a range, its bytes given `step` at a time from `early` bytes before it.
    fn hashed(bytes: &[u8], range: &Range<u64>, step: usize) -> Subtrees {
        let mut hasher = RangeHasher::new(range, bytes.len() as u64);
        let from = range.start.saturating_sub(1) as usize;
        for (index, block) in bytes[from..].chunks(step).enumerate() {
            hasher.update((from + index * step) as u64, block);
        }
        hasher.finish().unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// However a file is cut, and in whatever order neighbours join, its digest is that of one reading.
        #[test]
        fn ranges_join_to_the_digest_of_the_whole(
            size in prop_oneof![0usize..3000, 0usize..70_000, Just(1024), Just(4096), Just(65_536)],
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..9), step in 1usize..3000, right_first in any::<bool>(),
        ) {
            let bytes: Vec<u8> = (0..size).map(|at| (at * at / 7) as u8).collect();
            let mut at: Vec<u64> = cuts.iter().map(|cut| cut.index(size + 1) as u64).chain([0, size as u64]).collect();
            at.sort_unstable();
            // An empty file has one range.
            at.truncate(if size == 0 { 2 } else { at.len() });
            let parts = at.windows(2).map(|pair| hashed(&bytes, &(pair[0]..pair[1]), step));
            let size = size as u64;
            let whole = if right_first {
                parts.rev().reduce(|right, left| left.join(&right, size).unwrap())
            } else {
                parts.reduce(|left, right| left.join(&right, size).unwrap())
            };
            prop_assert_eq!(whole.unwrap().digest(size), Some(blake3_text(&blake3::hash(&bytes))));
        }
    }

    #[test]
    fn what_is_missing_gives_no_digest() {
        let bytes = vec![7; 5000];
        let (a, b) = (hashed(&bytes, &(0..2000), 100), hashed(&bytes, &(3000..5000), 100));
        assert_eq!((a.digest(5000), b.digest(5000)), (None, None));
        assert_eq!(a.join(&b, 5000), None);
        let mut short = RangeHasher::new(&(0..5000), 5000);
        short.update(0, &bytes[..4999]);
        assert_eq!(short.finish(), None);
    }
}
