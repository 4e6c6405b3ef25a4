//! What people leave out of the figures.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::accept::Wrong;
use super::values::Moment;

/// `[[exclude]]`: records that began in an interval are counted and no part of any figure. The report says what the
/// figures were with them.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an interval that is left out: from, to and reason")]
pub struct ExcludeSection {
    /// RFC 3339, or a day.
    pub from: Moment,
    /// Not part of it any more.
    pub to: Moment,
    /// Why it is left out.
    pub reason: String,
}

/// The intervals in the order of time.
pub(super) fn in_order(mut exclude: Vec<ExcludeSection>) -> Vec<ExcludeSection> {
    exclude.sort_by_key(|interval| interval.from);
    exclude
}

/// The first interval that cannot be meant.
pub(super) fn first_wrong(exclude: &[ExcludeSection]) -> Option<Wrong> {
    exclude.iter().enumerate().find_map(|(index, interval)| {
        let before = &exclude[..index];
        let wrong = if interval.reason.trim().is_empty() {
            ("reason", "reason is empty".to_owned())
        } else if interval.from >= interval.to {
            ("to", "to is not later than from".to_owned())
        } else if before.iter().any(|other| other.from < interval.to && interval.from < other.to) {
            ("from", "two intervals that are left out have a moment in common".to_owned())
        } else {
            return None;
        };
        Some((index, wrong.0, wrong.1, "say from when to when is left out, and why, each moment once"))
    })
}
