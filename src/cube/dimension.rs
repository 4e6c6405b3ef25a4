//! Names of a dimension (provider, file type, error type) <-> small numbers. A hostile log may
//! hold a million names: beyond `max_distinct` of those the config does not list, all of them
//! become `other`, whatever the order in which they came.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::RwLock;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::ingest::reject::MAX_TEXT_CHARACTERS;
use crate::schema::record::UNKNOWN;

/// What absorbs the names of an overflowing dimension.
pub const OTHER: &str = "other";

/// The names of one dimension of a cube: sorted, each used by some upload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameList {
    pub names: Vec<String>,
    /// Whether names were absorbed into `other`.
    pub overflowed: bool,
}

/// Old number -> new number.
pub type Renumbering = Vec<u16>;

impl NameList {
    /// The dimension of all parts, and how the numbers of each change.
    ///
    /// `listed` are the names that the config lists; they are never absorbed.
    pub fn merge(parts: &[&Self], listed: &Listed, max_distinct: usize) -> (Self, Vec<Renumbering>) {
        let all: BTreeSet<&str> = parts.iter().flat_map(|part| &part.names).map(String::as_str).collect();
        let overflowed = parts.iter().any(|part| part.overflowed) || listed.count_others(&all) > max_distinct;
        let merged = Self::absorb(&all, listed, overflowed);
        let numbers = parts.iter().map(|part| merged.renumber(&part.names)).collect();
        (merged, numbers)
    }

    fn absorb(all: &BTreeSet<&str>, listed: &Listed, overflowed: bool) -> Self {
        let keep = |name: &&str| if overflowed && !listed.contains(name) { OTHER } else { name }.to_owned();
        let names: BTreeSet<String> = all.iter().map(keep).collect();
        Self { names: names.into_iter().collect(), overflowed }
    }

    /// For each of `names`, its number here; absorbed ones are `other`.
    fn renumber(&self, names: &[String]) -> Renumbering {
        let number = |name: &String| self.number(name).or_else(|| self.number(OTHER)).unwrap_or_default();
        names.iter().map(number).collect()
    }

    /// The number of a name.
    #[expect(clippy::cast_possible_truncation, reason = "at most 512 names")]
    pub fn number(&self, name: &str) -> Option<u16> {
        self.names.binary_search_by(|known| known.as_str().cmp(name)).ok().map(|index| index as u16)
    }
}

/// The names that the config lists, with `unknown` and `other`.
#[derive(Debug, Clone)]
pub struct Listed(BTreeSet<String>);

impl Listed {
    pub fn new<'a>(names: impl IntoIterator<Item = &'a String>) -> Self {
        Self(names.into_iter().cloned().chain([UNKNOWN.to_owned(), OTHER.to_owned()]).collect())
    }

    fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    fn count_others(&self, names: &BTreeSet<&str>) -> usize {
        names.iter().filter(|name| !self.contains(name)).count()
    }
}

/// Numbers for names while a log is folded, shared by the workers. The listed names come first
/// and sorted, so that in the usual case the numbers already stand in the order of the names.
#[derive(Debug)]
pub struct Interner {
    listed: Listed,
    max_distinct: usize,
    inner: RwLock<Interned>,
}

#[derive(Debug, Default)]
struct Interned {
    numbers: FxHashMap<String, u16>,
    names: Vec<String>,
    overflowed: bool,
}

impl Interner {
    #[expect(clippy::cast_possible_truncation, reason = "at most 512 names")]
    pub fn new(listed: Listed, max_distinct: usize) -> Self {
        let mut inner = Interned::default();
        for name in &listed.0 {
            inner.numbers.insert(name.clone(), inner.names.len() as u16);
            inner.names.push(name.clone());
        }
        Self { listed, max_distinct, inner: RwLock::new(inner) }
    }

    /// The number of `name`. Takes a lock: workers remember what they asked.
    #[expect(clippy::cast_possible_truncation, reason = "at most 512 names")]
    pub(super) fn number(&self, name: &str) -> u16 {
        // A poisoned lock means that another worker panicked: go down with it.
        let known = self.inner.read().expect("no worker panicked").numbers.get(name).copied();
        if let Some(number) = known {
            return number;
        }
        let mut inner = self.inner.write().expect("no worker panicked");
        if let Some(number) = inner.numbers.get(name) {
            return *number;
        }
        let others = inner.names.len() - self.listed.0.len();
        if inner.overflowed || others >= self.max_distinct {
            inner.overflowed = true;
            return inner.numbers[OTHER];
        }
        let number = inner.names.len() as u16;
        inner.numbers.insert(name.to_owned(), number);
        inner.names.push(name.to_owned());
        number
    }

    /// The dimension of the names in use, and the change from the interner's numbers to its.
    #[expect(clippy::cast_possible_truncation, reason = "at most 512 names")]
    pub fn finish(&self, used: impl Fn(u16) -> bool) -> (NameList, Renumbering) {
        let inner = self.inner.read().expect("no worker panicked");
        let in_use = inner.names.iter().enumerate().filter(|(number, _)| used(*number as u16));
        let all: BTreeSet<&str> = in_use.map(|(_, name)| name.as_str()).collect();
        let dimension = NameList::absorb(&all, &self.listed, inner.overflowed);
        let renumbering = dimension.renumber(&inner.names);
        (dimension, renumbering)
    }
}

/// A worker's memory of the numbers it asked for.
#[derive(Debug)]
pub struct Numbers<'i> {
    interner: &'i Interner,
    seen: FxHashMap<String, u16>,
    /// The first few, which a short search finds faster than a hash.
    first: Vec<(Box<str>, u16)>,
}

/// Names remembered per worker.
const REMEMBERED_NAMES: usize = 1024;
const FIRST_NAMES: usize = 8;

impl<'i> Numbers<'i> {
    pub fn new(interner: &'i Interner) -> Self {
        Self { interner, seen: FxHashMap::default(), first: Vec::new() }
    }

    /// The number of a name; `None` is `unknown`.
    #[inline]
    pub fn number(&mut self, name: Option<&str>) -> u16 {
        let name = name.unwrap_or(UNKNOWN);
        if let Some((_, number)) = self.first.iter().find(|(known, _)| **known == *name) {
            return *number;
        }
        match self.seen.get(name) {
            Some(number) => *number,
            None => {
                let number = self.interner.number(&bounded(name));
                if self.first.len() < FIRST_NAMES && name.len() <= MAX_TEXT_CHARACTERS {
                    self.first.push((name.into(), number));
                } else if self.seen.len() < REMEMBERED_NAMES && name.len() <= MAX_TEXT_CHARACTERS {
                    self.seen.insert(name.to_owned(), number);
                }
                number
            }
        }
    }
}

/// A name of at most 200 characters; what is cut off leaves a hash, so that two long names
/// stay two.
fn bounded(name: &str) -> Cow<'_, str> {
    match name.char_indices().nth(MAX_TEXT_CHARACTERS) {
        None => Cow::Borrowed(name),
        Some((end, _)) => Cow::Owned(format!("{}…{:016x}", &name[..end], xxhash_rust::xxh3::xxh3_64(name.as_bytes()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn listed(names: &[&str]) -> Listed {
        Listed::new(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    fn dimension(names: &[String]) -> NameList {
        let interner = Interner::new(listed(&["kimi", "glm"]), 3);
        let mut numbers = Numbers::new(&interner);
        let used: BTreeSet<u16> = names.iter().map(|name| numbers.number(Some(name))).collect();
        interner.finish(|number| used.contains(&number)).0
    }

    proptest! {
        #[test]
        fn the_names_do_not_depend_on_order_or_split(
            names in prop::collection::vec("kimi|glm|[a-f]", 0..12), cut in any::<prop::sample::Index>(),
        ) {
            let mut reversed = names.clone();
            reversed.reverse();
            prop_assert_eq!(dimension(&names), dimension(&reversed));
            let (left, right) = names.split_at(cut.index(names.len() + 1));
            let (merged, _) = NameList::merge(&[&dimension(left), &dimension(right)], &listed(&["kimi", "glm"]), 3);
            prop_assert_eq!(merged, dimension(&names));
        }
    }

    #[test]
    fn listed_names_survive_an_overflow() {
        let names: Vec<String> = ["a", "b", "kimi", "c", "d"].map(String::from).to_vec();
        assert_eq!(dimension(&names), NameList { names: vec!["kimi".into(), "other".into()], overflowed: true });
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        let (a, b) = ("x".repeat(10_000), format!("{}y", "x".repeat(9_999)));
        assert_ne!(bounded(&a), bounded(&b));
        assert!(bounded(&a).len() < 300);
    }
}
