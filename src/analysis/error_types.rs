//! Which kinds of failure became rarer, and which took their place: by type, the baseline beside the treated of the last
//! stage that has some.

use std::collections::BTreeMap;

use super::doubts::rose;
use super::group::{StageData, last_treated};
use crate::config::Plan;
use crate::cube::Cube;
use crate::cube::slice::Arm;
use crate::error::Result;
use crate::format::rfc3339_minute;
use crate::report::model::{ErrorType, Group, Stage};

/// Every type of the log: those that rose first, then by their share now, then by all their failures.
///
/// # Errors
/// The cube is damaged.
pub(super) fn error_types(plan: &Plan, cube: &Cube, data: &[StageData], stages: &[Stage]) -> Result<Vec<ErrorType>> {
    let before = plan.baseline().map(|stage| &stages[stage].groups.all).filter(|group| group.n > 0);
    let now = last_treated(plan, data).map(|stage| &stages[stage].groups.treated);
    let mut totals: BTreeMap<&String, u64> = BTreeMap::new();
    for (name, failures) in stages.iter().flat_map(|stage| &stage.groups.all.errors) {
        *totals.entry(name).or_default() += failures;
    }
    let mut seen: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for stage in 0..plan.stages.len() {
        for (hour, name, _) in cube.errors_by_hour(stage, Arm::All)? {
            let (first, last) = seen.entry(name).or_insert((hour, hour));
            (*first, *last) = ((*first).min(hour), (*last).max(hour));
        }
    }
    let at = |hour: i64| rfc3339_minute(hour * 60);
    let of = |group: Option<&Group>, name: &String| {
        group.map(|group| [group.errors.get(name).copied().unwrap_or(0), group.n])
    };
    let mut types: Vec<ErrorType> = totals
        .into_iter()
        .map(|(name, failures)| {
            let (before, now) = (of(before, name), of(now, name));
            let rose = before
                .zip(now)
                .is_some_and(|([then, of_then], [since, of_since])| rose((then, of_then), (since, of_since)));
            let first_seen = seen.get(name).map(|(first, _)| at(*first));
            let last_seen = seen.get(name).map(|(_, last)| at(last + 1));
            ErrorType { error_type: name.clone(), before, now, failures, rose, first_seen, last_seen }
        })
        .collect();
    let count_now = |kind: &ErrorType| kind.now.map_or(0, |[failures, _]| failures);
    types.sort_by(|a, b| {
        let by_now = count_now(b).cmp(&count_now(a)).then(b.failures.cmp(&a.failures));
        b.rose.cmp(&a.rose).then(by_now).then_with(|| a.error_type.cmp(&b.error_type))
    });
    Ok(types)
}
