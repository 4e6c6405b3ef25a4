//! Did a trigger of the plan fire, and was it answered (methodology 10)?

mod burst;
mod control;
mod critical;
mod crossings;
mod measures;
mod memory;
mod rates;
mod watched;

use rayon::prelude::*;

use super::group::StageData;
use crate::config::Plan;
use crate::cube::Cube;
use crate::cube::slice::{Arm, LoggedEvent};
use crate::error::Result;
use crate::report::model::{Answer, Trigger, TriggerSeverity};
use rates::RateAlarms;
use watched::{Watched, seconds};

/// Chance of a false rollback alarm in a whole rollout, and of a false review in a stage.
const ROLLBACK_LEVEL: f64 = 0.01;

const REVIEW_LEVEL: f64 = 0.05;

/// How long before the first window that fires its incident may have begun.
const ONSET_SECONDS: i64 = 30 * 60;

const SCOPES: [Arm; 2] = [Arm::All, Arm::Treated];

/// All incidents and, per stage, the crossings that chance explains; in time order, rollbacks first.
///
/// # Errors
/// The cube is damaged.
pub(super) fn triggers(plan: &Plan, cube: &Cube, data: &[StageData], events: &[LoggedEvent]) -> Result<Vec<Trigger>> {
    let begun: Vec<usize> = (0..plan.stages.len())
        // What happened the day before was that day's report.
        .filter(|stage| plan.by_day.is_none() || *stage == plan.final_stage())
        .filter(|stage| plan.stages[*stage].percentage > 0.0)
        .collect();
    let watched: Vec<usize> = begun.iter().copied().filter(|stage| data[*stage].arm(Arm::All).uploads() > 0).collect();
    let alarms = RateAlarms::new(plan, data);
    let measures = measures::alarms(plan, data);
    let spike = plan.triggers.memory_spike.on();
    // The rollout's false alarms are shared out: over the plan's stages, scopes, and what is watched.
    let of_measures = measures.iter().filter(|alarm| alarm.severity() == TriggerSeverity::Rollback).count();
    let questions = alarms.rollback_questions() + of_measures + usize::from(spike.is_some());
    let stages = plan.stages.iter().filter(|stage| stage.percentage > 0.0).count();
    let level = ROLLBACK_LEVEL / (stages * SCOPES.len() * questions).max(1) as f64;
    let questions: Vec<(usize, Arm)> = watched.iter().flat_map(|stage| SCOPES.map(|arm| (*stage, arm))).collect();
    let found: Vec<Result<Vec<Trigger>>> = questions
        .into_par_iter()
        .map(|(stage, arm)| {
            let minutes = cube.minute_sums(stage, arm)?;
            let watched = Watched { plan, stage, arm, minutes: &minutes };
            let mut found = alarms.incidents(&watched, level, REVIEW_LEVEL);
            for alarm in &measures {
                let level = if alarm.severity() == TriggerSeverity::Rollback { level } else { REVIEW_LEVEL };
                found.extend(alarm.incidents(&watched, alarms.window_minutes(alarm.severity()), level));
            }
            if let Some(limits) = alarms.burst_limits(REVIEW_LEVEL).filter(|_| arm == Arm::Treated) {
                found.extend(burst::incidents(&watched, data, limits));
            }
            if let Some(spike) = spike {
                found.extend(memory::spikes(&watched, cube, spike, level)?);
            }
            Ok(found)
        })
        .collect();
    let mut triggers = Vec::new();
    for found in found {
        triggers.extend(found?);
    }
    if plan.triggers.critical_error {
        triggers.extend(critical::errors(plan, &begun, events));
    }
    if let Some(factor) = plan.triggers.complaints_rising.on() {
        triggers.extend(critical::complaints(plan, factor, &watched, data, events));
    }
    control::mark(plan, cube, data, &mut triggers)?;
    answer(&mut triggers, events, 60.0 * f64::from(plan.triggers.answer_minutes));
    let order = |trigger: &Trigger| {
        (!trigger.fired, trigger.severity != TriggerSeverity::Rollback, trigger.from.clone(), trigger.id.clone())
    };
    triggers.sort_by_key(order);
    Ok(triggers)
}

/// Finds the rollback that followed each rollback incident. Incidents of one stage that overlap, in other
/// scopes or by other triggers, are one outage: its clock starts with the first of them.
fn answer(triggers: &mut [Trigger], events: &[LoggedEvent], within_seconds: f64) {
    let rollbacks: Vec<i64> =
        events.iter().filter(|event| event.is_rollback()).map(|event| event.at.div_euclid(1_000_000_000)).collect();
    let mut incidents: Vec<&mut Trigger> =
        triggers.iter_mut().filter(|trigger| trigger.fired && trigger.severity == TriggerSeverity::Rollback).collect();
    incidents.sort_by(|a, b| (&a.stage, &a.from).cmp(&(&b.stage, &b.from)));
    let mut start = 0;
    while start < incidents.len() {
        let (stage, mut end) = (incidents[start].stage.clone(), incidents[start].to.clone());
        let mut next = start + 1;
        while next < incidents.len() && incidents[next].stage == stage && incidents[next].from <= end {
            end = end.max(incidents[next].to.clone());
            next += 1;
        }
        let outage = &mut incidents[start..next];
        let from = seconds(&outage[0].from);
        let known =
            outage.iter().filter_map(|trigger| trigger.first_fired_at.as_deref()).map(seconds).min().unwrap_or(from);
        // The bad minutes begin before the window that proves them, and so may the answer.
        let followed = rollbacks.iter().find(|at| **at >= from - ONSET_SECONDS);
        // People may be faster than the window that proves them right.
        let after = followed.map(|at| (at - known).max(0) as f64);
        for trigger in outage {
            trigger.answered_after_seconds = after;
            trigger.answer = Some(match after {
                Some(after) if after <= within_seconds => Answer::InTime,
                Some(_) => Answer::Late,
                None => Answer::None,
            });
        }
        start = next;
    }
    // A burst asks for a person; one that was rolled back has had one.
    for burst in triggers.iter_mut().filter(|trigger| trigger.fired && trigger.trigger == burst::WORD) {
        let from = seconds(&burst.from);
        let known = burst.first_fired_at.as_deref().map_or(from, seconds);
        let Some(at) = rollbacks.iter().find(|at| **at >= from - ONSET_SECONDS) else { continue };
        let after = (at - known).max(0) as f64;
        burst.answered_after_seconds = Some(after);
        burst.answer = Some(if after <= within_seconds { Answer::InTime } else { Answer::Late });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incident(from: &str, known: &str) -> Trigger {
        Trigger {
            id: String::new(),
            trigger: "success_rate_low".into(),
            severity: TriggerSeverity::Rollback,
            fired: true,
            stage: "50%".into(),
            scope: "all".into(),
            from: from.into(),
            to: known.into(),
            first_fired_at: Some(known.into()),
            windows: 1,
            worst: 0.6,
            threshold: 0.95,
            n: 60,
            p_value: None,
            answer: None,
            answered_after_seconds: None,
            control_only: false,
            both_arms: false,
            text: String::new(),
        }
    }

    fn rollback(at: &str) -> LoggedEvent {
        let at = chrono::DateTime::parse_from_rfc3339(at).unwrap().timestamp_nanos_opt().unwrap();
        LoggedEvent { at, event_type: "rollback".into(), stage: None, value: 0.0, count: 1, text: String::new() }
    }

    #[track_caller]
    fn check(rollbacks: &[&str], want: (Answer, Option<f64>)) {
        let mut triggers = [incident("2025-11-10T08:00:00Z", "2025-11-10T08:05:00Z")];
        answer(&mut triggers, &rollbacks.iter().map(|at| rollback(at)).collect::<Vec<_>>(), 300.0);
        assert_eq!((triggers[0].answer.unwrap(), triggers[0].answered_after_seconds), want);
    }

    #[test]
    fn the_first_rollback_that_follows_is_the_answer() {
        check(&[], (Answer::None, None));
        // The bad minutes begin before the window that proves them.
        check(&["2025-11-10T07:59:59Z"], (Answer::InTime, Some(0.0)));
        check(&["2025-11-10T07:29:59Z"], (Answer::None, None));
        check(&["2025-11-10T08:09:00Z"], (Answer::InTime, Some(240.0)));
        check(&["2025-11-10T08:10:01Z"], (Answer::Late, Some(301.0)));
        // Another scope sees the same outage later: one outage, one answer.
        let mut both = [
            incident("2025-11-10T08:00:00Z", "2025-11-10T08:05:00Z"),
            incident("2025-11-10T08:04:00Z", "2025-11-10T08:20:00Z"),
        ];
        answer(&mut both, &[rollback("2025-11-10T08:03:00Z")], 300.0);
        assert!(both.iter().all(|trigger| trigger.answer == Some(Answer::InTime)));
        // Before the window was full: faster than the proof.
        check(&["2025-11-10T08:02:00Z", "2025-11-10T09:00:00Z"], (Answer::InTime, Some(0.0)));
    }
}
