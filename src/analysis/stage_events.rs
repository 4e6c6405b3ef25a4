//! Do the log's stage events tell the stages of one rollout?

use std::collections::BTreeMap;

use crate::config::{EpochNanos, Plan};
use crate::cube::Cube;
use crate::format::{self, rfc3339};
use crate::ingest::timeline::Timeline;
use crate::report::model::{Finding, Severity};
use crate::schema::record::Words;

/// Starts of one stage that lie closer together are those of several hosts.
const APART_NANOS: i64 = 30 * 60 * 1_000_000_000;
/// Steps back without a rollback that one rollout may take.
const STEPS_BACK: usize = 2;

/// Missing events, starts that no stage of the plan has, and the events of two rollouts in one log.
pub(super) fn findings(plan: &Plan, cube: &Cube) -> Vec<Finding> {
    let mut findings = Vec::new();
    let timeline = &cube.header.timeline;
    if timeline.percentages().next().is_none() && cube.header.placed_span.is_some() {
        let text =
            "the log has no rollout_stage event: what no file, stage name or interval places counts as the baseline";
        findings.push(Finding::of_quality("no_stage_events", Severity::Warning, text));
    }
    let is_unknown = |percentage: &f64| plan.stage_at_percentage(*percentage).is_none();
    let mut unknown: Vec<f64> = timeline.percentages().filter(is_unknown).collect();
    unknown.sort_by(f64::total_cmp);
    unknown.dedup();
    for percentage in unknown {
        let percentage = format::plain(percentage);
        let text = format!(
            "a rollout_stage event starts {percentage} %, and no stage of the config has that percentage: add it to [[stages]]"
        );
        findings.push(Finding::of_quality(format!("unknown_stage.{percentage}"), Severity::Error, text));
    }
    findings.extend(two_rollouts(&plan.schema.words, timeline));
    findings
}

/// Two rollouts write into one log where the stages go to and fro without a rollback, or where each of them is started
/// as often as the others, and more than once.
fn two_rollouts(words: &Words, timeline: &Timeline) -> Option<Finding> {
    let text = steps_back(words, timeline).or_else(|| repeats(timeline))?;
    let text = format!("{text}: do two rollouts write into this log? Then read the lines of one alone, by --keep");
    Some(Finding::of_quality("two_rollouts", Severity::Error, text))
}

fn steps_back(words: &Words, timeline: &Timeline) -> Option<String> {
    let is_step = |at: &EpochNanos| {
        let (before, now) = (timeline.at(at - 1), timeline.at(*at));
        !before.rolled_back && !now.rolled_back && now.percentage > Some(0.0)
    };
    let steps: Vec<EpochNanos> = timeline.periods().map(|(at, _)| at).filter(is_step).collect();
    let first = steps.first().filter(|_| steps.len() > STEPS_BACK)?;
    Some(format!(
        "the stage events step back {} times without a rollback, first on {}",
        format::count(steps.len() as u64),
        words.date_time(&rfc3339(*first))
    ))
}

fn repeats(timeline: &Timeline) -> Option<String> {
    let mut starts: BTreeMap<u64, Vec<EpochNanos>> = BTreeMap::new();
    for event in timeline.events() {
        let Some(percentage) = event.percentage.filter(|percentage| *percentage > 0.0) else { continue };
        let known = starts.entry(percentage.to_bits()).or_default();
        if known.last().is_none_or(|last| event.at - last >= APART_NANOS) {
            known.push(event.at);
        }
    }
    // An attempt that was taken back starts its stages again, too.
    let attempts = timeline.periods().next().is_some();
    let times = starts.values().map(Vec::len).min().filter(|times| *times > 1 && starts.len() > 1 && !attempts)?;
    let same = starts.values().all(|starts| starts.len() == times);
    let list: Vec<String> = starts.keys().map(|bits| format!("{} %", format::plain(f64::from_bits(*bits)))).collect();
    same.then(|| format!("each of the stages {} is started {times} times", list.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::timeline::StageEvent;

    fn told(hours: &[(i64, f64)]) -> Option<String> {
        let event = |(hour, percentage): &(i64, f64)| StageEvent {
            at: hour * 2 * APART_NANOS,
            percentage: (*percentage >= 0.0).then_some(*percentage),
        };
        two_rollouts(&Words::default(), &Timeline::new(hours.iter().map(event).collect())).map(|finding| finding.text)
    }

    #[test]
    fn one_rollout_may_start_its_stages_again() {
        // Plain; a host that restarts; taken back and started again; two steps back by hand.
        assert_eq!(told(&[(1, 1.0), (2, 10.0), (3, 100.0)]), None);
        assert_eq!(told(&[(1, 1.0), (2, 10.0), (3, 10.0), (4, 100.0)]), None);
        assert_eq!(told(&[(1, 1.0), (2, 10.0), (3, -1.0), (4, 1.0), (5, 10.0)]), None);
        assert_eq!(told(&[(1, 10.0), (2, 50.0), (3, 10.0), (4, 50.0), (5, 10.0), (6, 50.0)]), None);
        assert_eq!(told(&[(1, 10.0), (2, 50.0), (3, 0.0), (4, 50.0), (5, 0.0), (6, 50.0), (7, 0.0)]), None);
    }

    #[test]
    fn two_rollouts_are_told() {
        let staggered = told(&[(1, 10.0), (5, 10.0), (10, 50.0), (15, 50.0), (20, 100.0), (25, 100.0)]);
        assert!(staggered.unwrap().starts_with("each of the stages 10 %, 50 %, 100 % is started 2 times"));
        let apart = told(&[(1, 50.0), (2, 1.0), (3, 50.0), (4, 1.0), (5, 100.0), (6, 10.0)]);
        assert!(apart.unwrap().starts_with("the stage events step back 3 times without a rollback"));
    }
}
