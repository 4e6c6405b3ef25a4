//! Do two stages claim the same records, and does every start begin one?

use super::sections::{Stage, StartSection};
use crate::format;

/// Whether the intervals of two stages, each open where it says nothing, have a moment in common. A stage without
/// either end has none.
pub(super) fn in_time(a: &Stage, b: &Stage) -> bool {
    let has_one = |stage: &Stage| stage.from.is_some() || stage.to.is_some();
    let begins_before_the_end_of = |a: &Stage, b: &Stage| a.from.zip(b.to).is_none_or(|(from, to)| from < to);
    has_one(a) && has_one(b) && begins_before_the_end_of(a, b) && begins_before_the_end_of(b, a)
}

/// The first of a stage's file patterns that an earlier stage has, too, with its position.
pub(super) fn same_files<'s>(earlier: &'s [Stage], stage: &Stage) -> Option<(usize, &'s Stage)> {
    stage.files.iter().enumerate().find_map(|(number, pattern)| {
        let has_it = |other: &&Stage| other.files.iter().any(|known| known.as_str() == pattern.as_str());
        Some((number, earlier.iter().find(has_it)?))
    })
}

/// The first start of which there is no stage: its position, what is wrong, and what to do.
pub(super) fn start_of_nothing(starts: &[StartSection], stages: &[Stage]) -> Option<(usize, String, String)> {
    let begins_one = |start: &StartSection| stages.iter().any(|stage| stage.percentage == start.percentage);
    let (index, start) = starts.iter().enumerate().find(|(_, start)| !begins_one(start))?;
    let known: Vec<String> = stages.iter().map(|stage| format::plain(stage.percentage)).collect();
    let message = format!("no stage has percentage {}", format::plain(start.percentage));
    Some((index, message, format!("it is the percentage of one of [[stages]]: {}", known.join(", "))))
}
