//! Combinations of dimension values <-> small numbers: the segment of a record. A log may hold millions of
//! combinations; beyond [`MAX_SEGMENTS`] the last dimension is told no more, then the one before it, and so on: how many
//! are left out depends on all combinations together, never on their order.

use std::sync::RwLock;

use polars_core::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use super::dimension::{NameList, OTHER, Renumbering};
use crate::config::DimensionRule;
use crate::schema::record::{Dimension, MAX_DIMENSIONS, UNKNOWN, Values};

/// The numbers of a combination, by the schema's positions; 0 behind the last dimension.
pub(super) type Tuple = [u16; MAX_DIMENSIONS];

/// Most segments of a cube.
pub(super) const MAX_SEGMENTS: usize = 1 << 18;
/// Most combinations that are numbered before the last dimension is left out while a log is folded: names that become
/// `other` in the end make fewer of them. Eight times as many numbers fit the key.
const MAX_INTERNED: usize = 1 << 19;

const _: () = assert!(MAX_INTERNED * MAX_DIMENSIONS <= 1 << super::key::SEGMENT_BITS);

/// The segments of a cube: sorted, each used by some record. A segment's number is its position.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SegmentList {
    pub tuples: Vec<Tuple>,
    /// Dimensions, from the last, of which all values are one.
    pub absorbed: usize,
}

/// What absorbs the values of a dimension that is left out.
fn absorbing(dimension: &Dimension, names: &NameList) -> u16 {
    match &dimension.values {
        Values::Names => names.number(OTHER).unwrap_or_default(),
        Values::Bounds(bounds) => u16::try_from(Dimension::bucket(bounds, None)).unwrap_or_default(),
    }
}

/// One packed number of a combination, for hashing.
#[inline]
fn packed(tuple: &Tuple) -> u128 {
    tuple.iter().fold(0, |packed, number| packed << 16 | u128::from(*number))
}

/// Combinations of several parts -> the list of all, and for each part its numbers in it. `parts` hold combinations in
/// the numbers of `names`, which lose those of dimensions that are left out.
pub(super) fn settle(
    dimensions: &[Dimension],
    names: &mut [NameList],
    parts: &mut [Vec<Tuple>],
    absorbed: usize,
) -> (SegmentList, Vec<Vec<u32>>) {
    let mut absorbed = absorbed;
    loop {
        for (index, (dimension, names)) in dimensions.iter().zip(names.iter_mut()).enumerate() {
            if index + absorbed < dimensions.len() {
                continue;
            }
            if dimension.values == Values::Names {
                *names = NameList { names: vec![OTHER.into()], overflowed: true };
            }
            let value = absorbing(dimension, names);
            parts.iter_mut().flatten().for_each(|tuple| tuple[index] = value);
        }
        let mut tuples: Vec<Tuple> = parts.iter().flatten().copied().collect();
        tuples.sort_unstable();
        tuples.dedup();
        if tuples.len() <= MAX_SEGMENTS || absorbed >= dimensions.len() {
            let number = |tuple: &Tuple| tuples.binary_search(tuple).map_or(0, |at| u32::try_from(at).unwrap_or(0));
            let numbers = parts.iter().map(|part| part.iter().map(number).collect()).collect();
            return (SegmentList { tuples, absorbed }, numbers);
        }
        absorbed += 1;
    }
}

/// Gives every combination the numbers of the finished dimensions.
pub(super) fn renumbered(tuples: &[Tuple], renumberings: &[Renumbering]) -> Vec<Tuple> {
    let mut tuples = tuples.to_vec();
    for tuple in &mut tuples {
        for (number, renumbering) in tuple.iter_mut().zip(renumberings) {
            // A dimension of buckets keeps its numbers.
            if let Some(new) = renumbering.get(usize::from(*number)) {
                *number = *new;
            }
        }
    }
    tuples
}

/// The segments as a table for people and other programs: a segment's number, and the value in each dimension as text.
pub(super) fn names_table(rules: &[DimensionRule], names: &[NameList], tuples: &[Tuple]) -> PolarsResult<DataFrame> {
    let numbers = (0..).zip(tuples).map(|(number, _): (u32, _)| number);
    let mut columns: Vec<Column> =
        vec![UInt32Chunked::from_iter_values("segment".into(), numbers).into_series().into()];
    for (index, (rule, names)) in rules.iter().zip(names).enumerate() {
        let words = value_names(rule, names);
        let value = |tuple: &Tuple| words.get(usize::from(tuple[index])).map_or(UNKNOWN, String::as_str);
        columns.push(Series::new(rule.name.as_str().into(), tuples.iter().map(value).collect::<Vec<_>>()).into());
    }
    DataFrame::new_infer_height(columns)
}

/// What the numbers of a dimension are called, from 0.
fn value_names(rule: &DimensionRule, names: &NameList) -> Vec<String> {
    if rule.bounds.is_empty() {
        return names.names.clone();
    }
    (0..rule.bounds.len() + 2).map(|bucket| Dimension::bucket_name(&rule.bounds, bucket)).collect()
}

/// The segments of such a table.
///
/// # Errors
/// It is none, or not in order.
pub(super) fn read_names(rules: &[DimensionRule], names: &[NameList], table: &DataFrame) -> PolarsResult<Vec<Tuple>> {
    let mut tuples = vec![Tuple::default(); table.height()];
    let numbers = table.column("segment")?.as_materialized_series().strict_cast(&DataType::UInt32)?;
    let numbers = numbers.u32()?;
    let in_order = numbers.null_count() == 0 && numbers.no_null_iter().eq((0..).take(tuples.len()));
    polars_ensure!(in_order, ComputeError: "segments are not numbered from 0");
    for (index, (rule, names)) in rules.iter().zip(names).enumerate() {
        let known = value_names(rule, names);
        let known: FxHashMap<&str, u16> = known.iter().map(String::as_str).zip(0..).collect();
        let texts = table.column(&rule.name)?.str()?;
        for (tuple, text) in tuples.iter_mut().zip(texts.iter()) {
            let number = text.and_then(|text| known.get(text));
            let found = number.ok_or_else(|| polars_err!(ComputeError: "a segment has no {} of the header", rule.name));
            tuple[index] = *found?;
        }
    }
    polars_ensure!(tuples.is_sorted_by(|a, b| a < b), ComputeError: "segments are not sorted");
    Ok(tuples)
}

/// Numbers for combinations while a log is folded, shared by the workers.
#[derive(Debug)]
pub(super) struct SegmentInterner {
    /// What absorbs the values of each dimension, in the numbers of the fold.
    absorbing: Vec<u16>,
    inner: RwLock<Interned>,
}

#[derive(Debug, Default)]
struct Interned {
    numbers: FxHashMap<u128, u32>,
    tuples: Vec<Tuple>,
    absorbed: usize,
    /// Different combinations that are told apart.
    told: usize,
}

impl SegmentInterner {
    /// `absorbing`: what stands for all values of each dimension.
    pub(super) fn new(absorbing: Vec<u16>) -> Self {
        Self { absorbing, inner: RwLock::default() }
    }

    fn absorb(&self, tuple: &Tuple, absorbed: usize) -> Tuple {
        let mut tuple = *tuple;
        let from = self.absorbing.len() - absorbed;
        tuple[from..self.absorbing.len()].copy_from_slice(&self.absorbing[from..]);
        tuple
    }

    /// The number of a combination. Takes a lock: workers remember what they asked.
    fn number(&self, tuple: &Tuple) -> u32 {
        // A poisoned lock means that another worker panicked: go down with it.
        let known = {
            let inner = self.inner.read().expect("no worker panicked");
            inner.numbers.get(&packed(&self.absorb(tuple, inner.absorbed))).copied()
        };
        if let Some(number) = known {
            return number;
        }
        let mut inner = self.inner.write().expect("no worker panicked");
        loop {
            let told = self.absorb(tuple, inner.absorbed);
            if let Some(number) = inner.numbers.get(&packed(&told)) {
                return *number;
            }
            if inner.told < MAX_INTERNED || inner.absorbed == self.absorbing.len() {
                let number = u32::try_from(inner.tuples.len()).unwrap_or(u32::MAX);
                inner.numbers.insert(packed(&told), number);
                inner.tuples.push(told);
                inner.told += 1;
                return number;
            }
            inner.absorbed += 1;
            let absorbed = inner.absorbed;
            let mut seen = FxHashSet::default();
            let fewer: Vec<(u128, u32)> = (0..)
                .zip(&inner.tuples)
                .map(|(number, tuple)| (packed(&self.absorb(tuple, absorbed)), number))
                .filter(|(tuple, _)| seen.insert(*tuple))
                .collect();
            inner.told = fewer.len();
            inner.numbers = fewer.into_iter().collect();
        }
    }

    /// All combinations by their numbers, and how many dimensions are left out.
    pub(super) fn into_tuples(self) -> (Vec<Tuple>, usize) {
        let inner = self.inner.into_inner().expect("no worker panicked");
        (inner.tuples, inner.absorbed)
    }
}

/// A worker's memory of the numbers it asked for.
#[derive(Debug)]
pub(super) struct SegmentNumbers<'i> {
    interner: &'i SegmentInterner,
    seen: FxHashMap<u128, u32>,
}

/// Combinations remembered per worker.
const REMEMBERED: usize = 1 << 16;

impl<'i> SegmentNumbers<'i> {
    pub(super) fn new(interner: &'i SegmentInterner) -> Self {
        Self { interner, seen: FxHashMap::default() }
    }

    /// The number of a combination.
    #[inline]
    pub(super) fn number(&mut self, tuple: &Tuple) -> u32 {
        let key = packed(tuple);
        if let Some(number) = self.seen.get(&key) {
            return *number;
        }
        let number = self.interner.number(tuple);
        if self.seen.len() < REMEMBERED {
            self.seen.insert(key, number);
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::record::Schema;

    /// Names `n0`, `n1`, … and `other`.
    fn names(count: usize) -> NameList {
        let mut names: Vec<String> = (0..count).map(|number| format!("n{number:05}")).collect();
        names.push(OTHER.into());
        names.sort();
        NameList { names, overflowed: false }
    }

    #[test]
    fn too_many_combinations_lose_their_last_dimension_whatever_the_parts() {
        let schema = Schema::default();
        let lists = || [names(600), names(600), NameList::default()];
        let all: Vec<Tuple> =
            (0..600).flat_map(|a| (0..600).map(move |b| [a, b, (a + b) % 5, 0, 0, 0, 0, 0])).collect();
        let whole = {
            let mut lists = lists();
            settle(&schema.dimensions, &mut lists, &mut [all.clone()], 0).0
        };
        // 360 000 with sizes and file types; neither without sizes are they few enough.
        assert_eq!((whole.absorbed, whole.tuples.len()), (2, 600));
        let mut lists = lists();
        let mut parts: Vec<Vec<Tuple>> = all.chunks(70_000).rev().map(<[Tuple]>::to_vec).collect();
        let (merged, numbers) = settle(&schema.dimensions, &mut lists, &mut parts, 0);
        assert_eq!(merged, whole);
        assert_eq!(lists[1].names, [OTHER]);
        for (part, numbers) in parts.iter().zip(numbers) {
            assert!(part.iter().zip(numbers).all(|(tuple, number)| merged.tuples[number as usize] == *tuple));
        }
    }

    #[test]
    fn the_numbers_of_the_fold_fit_the_key() {
        let interner = SegmentInterner::new(vec![9, 9, 9]);
        let mut numbers = SegmentNumbers::new(&interner);
        let mut most = 0;
        for a in 0..900 {
            for b in 0..900 {
                most = most.max(numbers.number(&[a, b, 1, 0, 0, 0, 0, 0]));
            }
        }
        assert_eq!(numbers.number(&[5, 5, 1, 0, 0, 0, 0, 0]), numbers.number(&[5, 5, 1, 0, 0, 0, 0, 0]));
        drop(numbers);
        let (tuples, absorbed) = interner.into_tuples();
        assert_eq!((tuples.len(), absorbed), (most as usize + 1, 2));
        assert!(tuples.len() < 1 << super::super::key::SEGMENT_BITS);
    }
}
