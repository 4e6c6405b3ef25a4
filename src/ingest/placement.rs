//! The stage of every record and event, of the timeline and the plan.

use std::sync::Arc;

use super::reject::cut;
use super::timeline::{Progress, Timeline};
use crate::config::{EpochNanos, Plan, Stage};
use crate::error::did_you_mean;

/// Finds the stage of an upload or event by the rules of methodology 2.
#[derive(Debug)]
pub struct Placement<'p> {
    plan: &'p Plan,
    timeline: Arc<Timeline>,
    /// Every moment at which the answer may change, rising.
    breaks: Vec<EpochNanos>,
    /// The baseline, where uploads before the first event belong to it.
    baseline_before_events: Option<usize>,
}

/// Where a line belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    pub stage: usize,
    /// From 1; of a line whose file tells its stage 1.
    pub period: usize,
    /// Whether the timeline decided on the stage (or that it had no event yet): then a cube made without
    /// the same events would have placed the line elsewhere.
    pub by_timeline: bool,
}

impl<'p> Placement<'p> {
    pub fn new(plan: &'p Plan, timeline: Arc<Timeline>) -> Self {
        let stages = plan.placing_stages();
        let baseline = stages.iter().position(|stage| stage.percentage == 0.0);
        let baseline_before_events = baseline.filter(|index| {
            let stage = &stages[*index];
            stage.files.is_empty() && stage.from.is_none() && stage.to.is_none()
        });
        let starts = timeline.events().iter().map(|event| event.at);
        let ends = stages.iter().flat_map(|stage| [stage.from, stage.to]).flatten().map(|moment| moment.0);
        let mut breaks: Vec<EpochNanos> = starts.chain(ends).collect();
        breaks.sort_unstable();
        breaks.dedup();
        Self { plan, timeline, breaks, baseline_before_events }
    }

    /// What places the lines.
    pub fn timeline(&self) -> &Arc<Timeline> {
        &self.timeline
    }

    /// From when (inclusive) to when (exclusive) lines without a stage of their own are placed as one that starts at `start`.
    pub fn same_place(&self, start: EpochNanos) -> (EpochNanos, EpochNanos) {
        let behind = self.breaks.partition_point(|at| *at <= start);
        let before = behind.checked_sub(1).map_or(EpochNanos::MIN, |at| self.breaks[at]);
        (before, self.breaks.get(behind).copied().unwrap_or(EpochNanos::MAX))
    }

    /// The stage of a line that starts at `start`; the message says why none fits.
    #[inline]
    pub fn place(&self, file_stage: Option<usize>, own: Option<&str>, start: EpochNanos) -> Result<Placed, String> {
        if let Some(stage) = file_stage {
            return Ok(Placed { stage, period: 1, by_timeline: false });
        }
        let Progress { percentage, period, .. } = self.timeline.at(start);
        if let Some(name) = own {
            return match self.plan.stage_named(name) {
                Some(stage) => Ok(Placed { stage, period, by_timeline: false }),
                None => {
                    let near = did_you_mean(name, self.plan.placing_stages().iter().map(|stage| stage.name.as_str()));
                    Err(format!("no stage of the config is called {:?}{near}", cut(name)))
                }
            };
        }
        let by_timeline = |stage| Ok(Placed { stage, period, by_timeline: true });
        if let Some(stage) = percentage.and_then(|percentage| self.plan.stage_at_percentage(percentage)) {
            return by_timeline(stage);
        }
        let holds = |stage: &Stage| {
            (stage.from.is_some() || stage.to.is_some())
                && stage.from.is_none_or(|from| from.0 <= start)
                && stage.to.is_none_or(|to| start < to.0)
        };
        if let Some(stage) = self.plan.placing_stages().iter().position(holds) {
            return by_timeline(stage);
        }
        match (percentage, self.baseline_before_events) {
            (None, Some(stage)) => by_timeline(stage),
            (None, None) => {
                Err("it starts before the first rollout_stage event and outside every stage's from/to".into())
            }
            (Some(percentage), _) => Err(format!(
                "the rollout_stage event before it says {percentage} %, and no stage of the config has that"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::timeline::StageEvent;
    use super::*;
    use crate::config::parse;

    fn plan(text: &str) -> Plan {
        parse("rollout.toml", text, Default::default()).unwrap()
    }

    fn timeline(events: &[(i64, f64)]) -> Timeline {
        let event = |(at, said): &(i64, f64)| StageEvent { at: *at, percentage: Some(*said) };
        Timeline::new(events.iter().map(event).collect())
    }

    #[test]
    fn the_last_event_at_or_before_the_start_decides() {
        let plan = plan("");
        let timeline = timeline(&[(200, 10.0), (100, 1.0), (100, 1.0)]);
        let placement = Placement::new(&plan, Arc::new(timeline));
        let stage = |start| placement.place(None, None, start).map(|placed| placed.stage);
        assert_eq!([stage(99), stage(100), stage(199), stage(200)], [Ok(0), Ok(1), Ok(1), Ok(2)]);
    }

    #[test]
    fn file_then_own_stage_then_event_then_interval() {
        let plan = plan(
            "[[stages]]\nname='b'\npercentage=0\nfrom='2025-01-01T00:00:00Z'\nto='2025-01-02T00:00:00Z'\n[[stages]]\nname='c'\npercentage=50\n",
        );
        let inside = 1_735_700_000 * 1_000_000_000;
        let empty = Timeline::default();
        let placement = Placement::new(&plan, Arc::new(empty));
        assert_eq!(placement.place(Some(1), Some("b"), inside).unwrap().stage, 1);
        assert_eq!(placement.place(None, Some("c"), inside).unwrap().stage, 1);
        assert_eq!(placement.place(None, None, inside).unwrap().stage, 0);
        assert!(placement.place(None, None, 0).unwrap_err().contains("before the first rollout_stage event"));
        assert!(placement.place(None, Some("cc"), inside).unwrap_err().contains("no stage of the config is called"));
        let started = timeline(&[(inside, 50.0), (inside + 10, 25.0)]);
        let placement = Placement::new(&plan, Arc::new(started));
        assert_eq!(placement.place(None, None, inside + 1).unwrap().stage, 1);
        // 25 % is no stage, but the interval still holds.
        assert_eq!(placement.place(None, None, inside + 11).unwrap().stage, 0);
    }
}
