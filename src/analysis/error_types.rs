//! Which kinds of failure became rarer, and which took their place: by type, the baseline beside the treated of the last
//! stage that has some.

use std::collections::BTreeMap;

use super::doubts::rose;
use super::group::{StageData, last_treated};
use crate::config::Plan;
use crate::report::model::{ErrorType, Group, Stage};

/// Every type of the log: those that rose first, then by their share now, then by all their failures.
pub(super) fn error_types(plan: &Plan, data: &[StageData], stages: &[Stage]) -> Vec<ErrorType> {
    let before = plan.baseline().map(|stage| &stages[stage].groups.all).filter(|group| group.n > 0);
    let now = last_treated(plan, data).map(|stage| &stages[stage].groups.treated);
    let mut totals: BTreeMap<&String, u64> = BTreeMap::new();
    for (name, failures) in stages.iter().flat_map(|stage| &stage.groups.all.errors) {
        *totals.entry(name).or_default() += failures;
    }
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
            ErrorType { error_type: name.clone(), before, now, failures, rose }
        })
        .collect();
    let count_now = |kind: &ErrorType| kind.now.map_or(0, |[failures, _]| failures);
    types.sort_by(|a, b| {
        let by_now = count_now(b).cmp(&count_now(a)).then(b.failures.cmp(&a.failures));
        b.rose.cmp(&a.rose).then(by_now).then_with(|| a.error_type.cmp(&b.error_type))
    });
    types
}
