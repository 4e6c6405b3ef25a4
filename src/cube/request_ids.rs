//! Repeated request ids: exact up to a bound, then a true lower bound, and the same whatever
//! the order or split. Kept are the smallest distinct 64-bit hashes (bottom-k, Cohen 1997) with
//! their repeats: a hash among the smallest of the whole is among the smallest of each part that
//! holds it, so its count is complete.

use std::collections::BTreeMap;

use super::sort::sort_hashes;

/// Distinct ids that are kept: 40 MB of hashes.
pub const MAX_DISTINCT_IDS: usize = 5_000_000;
/// Hashes that wait before they are merged in.
const PENDING: usize = 1 << 19;

/// The request ids of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestIds {
    /// Sorted, distinct.
    hashes: Vec<u64>,
    /// For ids seen more than once: how often beyond the first time.
    repeats: BTreeMap<u64, u64>,
    /// Whether ids were left out: then the repeats are a lower bound.
    truncated: bool,
    pending: Vec<u64>,
    scratch: Vec<u64>,
    max_distinct: usize,
}

impl Default for RequestIds {
    fn default() -> Self {
        Self::with_bound(MAX_DISTINCT_IDS)
    }
}

impl RequestIds {
    fn with_bound(max_distinct: usize) -> Self {
        Self {
            hashes: Vec::new(),
            repeats: BTreeMap::new(),
            truncated: false,
            pending: Vec::new(),
            scratch: Vec::new(),
            max_distinct,
        }
    }

    /// From what [`parts`](Self::parts) gave.
    pub fn from_parts(hashes: Vec<u64>, repeats: BTreeMap<u64, u64>, truncated: bool) -> Self {
        Self { hashes, repeats, truncated, ..Self::default() }
    }

    /// Sorted distinct hashes, repeats, and whether ids were left out. Call after [`Self::settle`].
    pub fn parts(&self) -> (&[u64], &BTreeMap<u64, u64>, bool) {
        debug_assert!(self.pending.is_empty());
        (&self.hashes, &self.repeats, self.truncated)
    }

    /// The same ids under other hashes. What was left out stays left out, so ids merge with those of the same `hash` only.
    #[must_use]
    pub fn rehashed(&self, hash: impl Fn(u64) -> u64) -> Self {
        let mut hashes: Vec<u64> = self.hashes.iter().map(|old| hash(*old)).collect();
        hashes.sort_unstable();
        let repeats = self.repeats.iter().map(|(old, count)| (hash(*old), *count)).collect();
        Self::from_parts(hashes, repeats, self.truncated)
    }

    /// How many uploads repeat an id, and whether that is only a lower bound.
    pub fn duplicates(&self) -> (u64, bool) {
        (self.repeats.values().sum(), self.truncated)
    }

    /// Counts the ids with these hashes.
    pub fn extend(&mut self, hashes: &[u64]) {
        let limit = if self.truncated { self.hashes.last().copied() } else { None };
        self.pending.extend(hashes.iter().filter(|hash| limit.is_none_or(|limit| **hash <= limit)));
        if self.pending.len() >= PENDING {
            self.absorb_pending();
        }
    }

    /// Merges what is pending, after the last [`Self::extend`].
    pub fn settle(&mut self) {
        self.absorb_pending();
        (self.pending, self.scratch) = (Vec::new(), Vec::new());
    }

    fn absorb_pending(&mut self) {
        let mut pending = std::mem::take(&mut self.pending);
        sort_hashes(&mut pending, &mut self.scratch);
        self.absorb(&pending);
        pending.clear();
        self.pending = pending;
        self.truncate();
    }

    /// Merges sorted hashes in; one that is there already is a repeat.
    fn absorb(&mut self, sorted: &[u64]) {
        merge_sorted_from_the_back(&mut self.hashes, sorted);
        let repeats = &mut self.repeats;
        self.hashes.dedup_by(|next, kept| {
            let same = next == kept;
            if same {
                *repeats.entry(*kept).or_default() += 1;
            }
            same
        });
    }

    fn truncate(&mut self) {
        if self.hashes.len() > self.max_distinct {
            self.hashes.truncate(self.max_distinct);
            self.truncated = true;
        }
        if self.truncated
            && let Some(limit) = self.hashes.last()
        {
            self.repeats = std::mem::take(&mut self.repeats).into_iter().filter(|(hash, _)| hash <= limit).collect();
        }
    }

    /// The ids of both.
    #[must_use]
    pub fn merge(mut self, other: &Self) -> Self {
        self.settle();
        let truncated = self.truncated || other.truncated;
        // A side that left ids out knows nothing above its last hash, so neither does the whole.
        let limit = [(&*self.hashes, self.truncated), (&*other.hashes, other.truncated)]
            .into_iter()
            .filter(|(_, truncated)| *truncated)
            .filter_map(|(hashes, _)| hashes.last().copied())
            .min();
        self.absorb(&other.hashes);
        for (hash, count) in &other.repeats {
            *self.repeats.entry(*hash).or_default() += count;
        }
        if let Some(limit) = limit {
            self.hashes.truncate(self.hashes.partition_point(|hash| *hash <= limit));
        }
        self.truncated = truncated;
        self.truncate();
        self
    }
}

/// Merges sorted `more` into sorted `into`, in place: no second copy of 40 MB.
fn merge_sorted_from_the_back(into: &mut Vec<u64>, more: &[u64]) {
    let (mut left, mut right) = (into.len(), more.len());
    into.reserve_exact(right);
    into.resize(left + right, 0);
    while right > 0 {
        let write = left + right - 1;
        if left > 0 && into[left - 1] > more[right - 1] {
            into[write] = into[left - 1];
            left -= 1;
        } else {
            into[write] = more[right - 1];
            right -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sketch(hashes: &[u64], bound: usize) -> RequestIds {
        let mut ids = RequestIds::with_bound(bound);
        // One at a time through `settle`: the harshest order of truncation.
        for hash in hashes {
            ids.extend(&[*hash]);
            ids.settle();
        }
        ids
    }

    proptest! {
        #[test]
        fn any_split_and_order_counts_the_same(
            hashes in prop::collection::vec(0u64..40, 0..120), cut in any::<prop::sample::Index>(), bound in 1usize..50,
        ) {
            let whole = sketch(&hashes, bound);
            let (left, right) = hashes.split_at(cut.index(hashes.len() + 1));
            prop_assert_eq!(&sketch(left, bound).merge(&sketch(right, bound)), &whole);
            prop_assert_eq!(&sketch(right, bound).merge(&sketch(left, bound)), &whole);
            let distinct: std::collections::BTreeSet<_> = hashes.iter().collect();
            let exact = (hashes.len() - distinct.len()) as u64;
            let (duplicates, at_least) = whole.duplicates();
            prop_assert!(duplicates <= exact && (at_least || duplicates == exact));
            prop_assert_eq!(at_least, distinct.len() > bound);
        }
    }
}
