//! Triggers that single events pull: critical errors, and complaints that pile up.

use std::collections::BTreeMap;

use crate::analysis::group::StageData;
use crate::config::Plan;
use crate::cube::slice::{Arm, CRITICAL_UPLOAD, LoggedEvent};
use crate::format::{self, rfc3339, rfc3339_minute};
use crate::ingest::timestamp::NANOS_PER_MINUTE;
use crate::report::model::{Trigger, TriggerSeverity};
use stagegate_stats::distributions::binomial_upper_tail;

/// Critical errors so many minutes apart are one incident: those of one rollback window.
const TOGETHER_MINUTES: i64 = 5;
const NANOS_PER_DAY: i64 = 24 * 60 * NANOS_PER_MINUTE;
/// Chance of a false alarm of complaints on a day.
const COMPLAINTS_LEVEL: f64 = 0.01;

/// `critical_error` events and uploads that failed with an error type of `critical_errors`, in the watched
/// stages.
pub(super) fn errors(plan: &Plan, stages: &[usize], events: &[LoggedEvent]) -> Vec<Trigger> {
    let mut incidents: Vec<Incident<'_>> = Vec::new();
    let watched = |event: &&LoggedEvent| event.stage.is_some_and(|stage| stages.contains(&stage));
    let critical = |event: &&LoggedEvent| event.event_type == "critical_error" || event.event_type == CRITICAL_UPLOAD;
    for event in events.iter().filter(critical).filter(watched) {
        let Some(stage) = event.stage else { continue };
        let minute = event.at.div_euclid(NANOS_PER_MINUTE);
        // An event of the system belongs to no upload: it is no more treated than not.
        let treated = event.event_type == CRITICAL_UPLOAD && Arm::Treated.holds(event.value as u8);
        for arm in [Some(Arm::All), treated.then_some(Arm::Treated)].into_iter().flatten() {
            let open = incidents
                .iter_mut()
                .rfind(|incident| incident.stage == stage && incident.arm == arm)
                .filter(|incident| minute - incident.last < TOGETHER_MINUTES);
            match open {
                Some(incident) => {
                    incident.last = minute;
                    incident.count += event.count;
                }
                None => incidents.push(Incident {
                    stage,
                    arm,
                    first: minute,
                    last: minute,
                    count: event.count,
                    text: &event.text,
                }),
            }
        }
    }
    incidents.iter().map(|incident| incident.trigger(plan)).collect()
}

/// Critical errors in minutes `first..=last`.
struct Incident<'a> {
    stage: usize,
    arm: Arm,
    first: i64,
    last: i64,
    count: u64,
    /// Of the first one.
    text: &'a str,
}

impl Incident<'_> {
    fn trigger(&self, plan: &Plan) -> Trigger {
        let stage = &plan.stages[self.stage].name;
        let from = rfc3339_minute(self.first);
        let first = if self.text.is_empty() { "no message" } else { self.text };
        Trigger {
            id: format!("triggers.{stage}.{}.critical_error.{from}", self.arm.name()),
            trigger: "critical_error".into(),
            severity: TriggerSeverity::Rollback,
            fired: true,
            stage: stage.clone(),
            scope: self.arm.name().into(),
            first_fired_at: Some(from.clone()),
            from,
            to: rfc3339_minute(self.last + 1),
            windows: 1,
            worst: self.count as f64,
            threshold: 0.0,
            n: self.count,
            p_value: None,
            answer: None,
            answered_after_seconds: None,
            control_only: false,
            both_arms: false,
            text: format!("{}, the first: {first}", format::counted(self.count, "critical error")),
        }
    }
}

/// Days whose complaints per upload are surely above `factor` times the baseline's: given the sum of both
/// counts, the day's is binomial (Przyborowski and Wilenski 1940).
pub(super) fn complaints(
    plan: &Plan,
    factor: f64,
    stages: &[usize],
    data: &[StageData],
    events: &[LoggedEvent],
) -> Vec<Trigger> {
    let mut by_day: BTreeMap<(usize, i64), u64> = BTreeMap::new();
    for event in events.iter().filter(|event| event.event_type == "complaint") {
        let Some(stage) = event.stage else { continue };
        *by_day.entry((stage, event.at.div_euclid(NANOS_PER_DAY))).or_default() += event.value as u64 * event.count;
    }
    let Some(baseline) = plan.baseline() else { return Vec::new() };
    let before: u64 = by_day.iter().filter(|((stage, _), _)| *stage == baseline).map(|(_, count)| count).sum();
    let uploads_before = data[baseline].arm(Arm::All).uploads();
    let mut found = Vec::new();
    for ((stage, day), complaints) in by_day.iter().filter(|((stage, _), _)| stages.contains(stage)) {
        let hours = &data[*stage].arm(Arm::All).hours;
        let uploads: u64 = hours.iter().filter(|hour| hour.hour.div_euclid(24) == *day).map(|hour| hour.uploads).sum();
        if uploads == 0 || uploads_before == 0 {
            continue;
        }
        let rate = *complaints as f64 / uploads as f64;
        let rate_before = before as f64 / uploads_before as f64;
        if rate <= factor * rate_before {
            continue;
        }
        let weight = factor * uploads as f64;
        let p_value = binomial_upper_tail(*complaints, complaints + before, weight / (weight + uploads_before as f64));
        let (from, to) = (rfc3339(day * NANOS_PER_DAY), rfc3339((day + 1) * NANOS_PER_DAY));
        let fired = p_value < COMPLAINTS_LEVEL;
        let name = &plan.stages[*stage].name;
        found.push(Trigger {
            id: format!("triggers.{name}.all.complaints_rising.{from}"),
            trigger: "complaints_rising".into(),
            severity: TriggerSeverity::Review,
            fired,
            stage: name.clone(),
            scope: "all".into(),
            first_fired_at: fired.then(|| to.clone()),
            from,
            to,
            windows: 1,
            worst: rate * 1000.0,
            threshold: factor * rate_before * 1000.0,
            n: uploads,
            p_value: Some(p_value),
            answer: None,
            answered_after_seconds: None,
            control_only: false,
            both_arms: false,
            text: format!(
                "{} of {} that day; {} of {} in the baseline",
                format::counted(*complaints, "complaint"),
                plan.schema.words.counted(uploads),
                format::count(before),
                format::count(uploads_before)
            ),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    // scipy 1.17.1: binom.sf(13, 17, 4000 / 7000)
    #[test]
    fn fourteen_complaints_of_2000_against_three_of_3000() {
        let p = binomial_upper_tail(14, 17, 4000.0 / 7000.0);
        assert!((p / 0.027_850_852_645_978_73 - 1.0).abs() < 1e-9, "{p}");
    }
}
