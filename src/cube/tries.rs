//! A request that was tried several times stands in several rows under one id: which of them counts.

use std::collections::HashMap;

use rayon::slice::ParallelSliceMut;

use crate::config::EpochNanos;
use crate::schema::tries::Tries;

/// Where a row stands among those of one id: by its start, then in the order of the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub start: EpochNanos,
    pub source: u32,
    /// Of the chunk within its source.
    pub chunk: u32,
    /// Of the row within its chunk.
    pub row: u32,
}

/// The one row that counts of every id that stands in several, by the hash of the id.
#[derive(Debug, Default)]
pub(super) struct Counting(HashMap<u64, Position>);

impl Counting {
    /// From the id and the position of every row that has an id, in any order.
    pub(super) fn new(tries: Tries, mut rows: Vec<(u64, Position)>) -> Self {
        rows.par_sort_unstable();
        let several = rows.chunk_by(|a, b| a.0 == b.0).filter(|same| same.len() > 1);
        let counts = |same: &[(u64, Position)]| match tries {
            Tries::Last => same.last().copied(),
            Tries::First | Tries::All => same.first().copied(),
        };
        Self(several.filter_map(counts).collect())
    }

    /// Whether the row with this id counts.
    pub(super) fn counts(&self, id: u64, row: Position) -> bool {
        self.0.get(&id).is_none_or(|counting| *counting == row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::subsequence;

    proptest! {
        #[test]
        fn of_each_id_one_row_counts_whatever_the_order(
            ids in prop::collection::vec((0u64..9, 0i64..4), 1..60),
            last in any::<bool>(),
            turned in any::<prop::sample::Index>(),
        ) {
            let row = |(number, (id, start)): (usize, &(u64, i64))| {
                let row = u32::try_from(number).unwrap();
                (*id, Position { start: *start, source: row % 2, chunk: row % 3, row })
            };
            let rows: Vec<(u64, Position)> = ids.iter().enumerate().map(row).collect();
            let mut other = rows.clone();
            other.rotate_left(turned.index(rows.len()));
            let tries = if last { Tries::Last } else { Tries::First };
            let counting = Counting::new(tries, other);
            for id in 0..9 {
                let same = rows.iter().filter(|row| row.0 == id).map(|row| row.1);
                let counted: Vec<Position> = same.clone().filter(|row| counting.counts(id, *row)).collect();
                let wanted = if last { same.max() } else { same.min() };
                prop_assert_eq!(counted, wanted.into_iter().collect::<Vec<_>>());
            }
        }

        #[test]
        fn ids_that_stand_once_are_not_held(ids in subsequence((0u64..99).collect::<Vec<_>>(), 0..99)) {
            let at = Position { start: 0, source: 0, chunk: 0, row: 0 };
            let counting = Counting::new(Tries::First, ids.into_iter().map(|id| (id, at)).collect());
            prop_assert!(counting.0.is_empty());
        }
    }
}
