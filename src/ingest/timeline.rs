//! Pass 0: all `rollout_stage` events of a run, and from them the stage of every upload.
//! The events may stand in a file that is read last, so they are collected before the fold.

use std::sync::{Arc, Mutex};

use memchr::memmem;
use serde::{Deserialize, Serialize};

use super::chunks::{self, Chunk, Content};
use super::native::{self, EventKind, Line};
use super::rows;
use super::source::Source;
use crate::config::{EpochNanos, Plan};
use crate::error::{Result, did_you_mean};
use crate::run::Run;
use crate::schema::mapping::Form;

/// One `rollout_stage` event.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StageStart {
    pub at: EpochNanos,
    /// 0 to 100.
    pub percentage: f64,
}

/// The stage starts of a run: sorted by time, each once.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Timeline(Vec<StageStart>);

impl Timeline {
    /// Sorts and drops repeats: a log that is read twice has the same timeline.
    pub fn new(mut starts: Vec<StageStart>) -> Self {
        starts.sort_by(|a, b| a.at.cmp(&b.at).then(a.percentage.total_cmp(&b.percentage)));
        starts.dedup();
        Self(starts)
    }

    /// The starts that the plan itself tells, for logs without events.
    pub fn of_plan(plan: &Plan) -> Self {
        Self::new(plan.starts.iter().map(|start| StageStart { at: start.at.0, percentage: start.percentage }).collect())
    }

    /// The stage starts of both.
    pub fn union(&self, other: &Self) -> Self {
        Self::new(self.0.iter().chain(&other.0).copied().collect())
    }

    pub fn starts(&self) -> &[StageStart] {
        &self.0
    }

    /// The last start at or before `at`.
    pub fn at(&self, at: EpochNanos) -> Option<StageStart> {
        let after = self.0.partition_point(|start| start.at <= at);
        after.checked_sub(1).map(|index| self.0[index])
    }

    /// The first moment of the span at which `self` and `other` name different stages.
    pub fn first_disagreement(&self, other: &Self, from: EpochNanos, to: EpochNanos) -> Option<EpochNanos> {
        let percentage = |timeline: &Self, at| timeline.at(at).map(|start| start.percentage);
        let inside = |start: &&StageStart| start.at > from && start.at <= to;
        let mut moments: Vec<_> = self.0.iter().chain(&other.0).filter(inside).map(|start| start.at).collect();
        moments.push(from);
        moments.sort_unstable();
        moments.into_iter().find(|at| percentage(self, *at) != percentage(other, *at))
    }
}

/// Whether no upload can depend on the timeline: every file belongs to a stage by its name. (A stage's
/// interval is no reason to skip the events: they come before it.)
pub fn is_needless(sources: &[Source]) -> bool {
    sources.iter().all(|source| source.stage.is_some())
}

/// Collects the timeline of the sources numbered `which`.
///
/// # Errors
/// A file that cannot be read.
pub fn collect(sources: &[Source], which: &[usize], run: &Run) -> Result<Timeline> {
    if is_needless(sources) {
        return Ok(Timeline::default());
    }
    let finder = EventFinder::default();
    let step = |starts: &mut Vec<StageStart>, chunk: &Chunk<()>| {
        finder.find(&sources[chunk.source], &chunk.content, starts);
    };
    let (states, _) = chunks::scan(sources, which, run, |_, _| (), Vec::new, step)?;
    Ok(Timeline::new(states.into_iter().flatten().collect()))
}

/// Collects the timeline of all sources.
///
/// # Errors
/// A file that cannot be read.
pub fn collect_all(sources: &[Source], run: &Run) -> Result<Timeline> {
    collect(sources, &(0..sources.len()).collect::<Vec<_>>(), run)
}

/// Finds `rollout_stage` events without parsing the other lines.
///
/// Only lines that can hold an event are parsed: those with the key, plain or with a `\u00xx`
/// escape that may hide it. Lines that cannot be parsed are left to the fold, which counts them.
#[derive(Debug)]
struct EventFinder {
    needles: [memmem::Finder<'static>; 2],
}

impl Default for EventFinder {
    fn default() -> Self {
        Self { needles: [memmem::Finder::new("\"event_type\""), memmem::Finder::new("\\u00")] }
    }
}

impl EventFinder {
    fn find(&self, source: &Source, content: &Content, starts: &mut Vec<StageStart>) {
        let Content::Lines(lines) = content else { return };
        // Events stand between lines of JSON alone.
        if source.mapping.as_ref().is_some_and(|mapping| !matches!(mapping.form, Form::Json { .. })) {
            return;
        }
        let is_meant =
            |line: &str| source.mapping.as_ref().is_none_or(|mapping| rows::has_event(mapping, &source.name, line));
        for part in lines.parts() {
            self.needles.iter().for_each(|needle| collect_lines(part, needle, &is_meant, starts));
        }
    }
}

/// The timeline while a log is read: what is known of it grows with every chunk. What was placed by an earlier state
/// is right where the whole timeline says the same over the span of what was placed.
#[derive(Debug)]
pub struct GrowingTimeline {
    /// `None` where the whole is known: nothing is searched.
    finder: Option<EventFinder>,
    known: Mutex<Arc<Timeline>>,
}

impl GrowingTimeline {
    /// The whole timeline.
    pub fn whole(timeline: Timeline) -> Self {
        Self { finder: None, known: Mutex::new(Arc::new(timeline)) }
    }

    /// What is known before the first line.
    pub fn from(known: Timeline) -> Self {
        Self { finder: Some(EventFinder::default()), known: Mutex::new(Arc::new(known)) }
    }

    /// What is known once these lines were seen, too.
    pub fn see(&self, source: &Source, content: &Content) -> Arc<Timeline> {
        let mut starts = Vec::new();
        if let Some(finder) = &self.finder {
            finder.find(source, content, &mut starts);
        }
        let mut known = self.known.lock().expect("no reader panicked");
        if !starts.is_empty() {
            let more = known.union(&Timeline::new(starts));
            if more != **known {
                *known = Arc::new(more);
            }
        }
        Arc::clone(&known)
    }

    /// All that is known now.
    pub fn now(&self) -> Arc<Timeline> {
        Arc::clone(&self.known.lock().expect("no reader panicked"))
    }
}

fn collect_lines(
    bytes: &[u8],
    finder: &memmem::Finder<'_>,
    is_meant: &impl Fn(&str) -> bool,
    starts: &mut Vec<StageStart>,
) {
    let mut from = 0;
    while let Some(hit) = finder.find(&bytes[from..]).map(|at| from + at) {
        let start = memchr::memrchr(b'\n', &bytes[..hit]).map_or(0, |at| at + 1);
        let end = memchr::memchr(b'\n', &bytes[hit..]).map_or(bytes.len(), |at| hit + at);
        if let Ok(text) = std::str::from_utf8(&bytes[start..end])
            && let Ok(Line::Event(event)) = native::parse_line(text)
            && let (EventKind::RolloutStage { percentage }, Some(at)) = (event.kind, event.timestamp)
            && is_meant(text)
        {
            starts.push(StageStart { at, percentage });
        }
        from = end;
    }
}

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
    /// Whether the timeline decided (or that it had no event yet): then a cube made without
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
        let starts = timeline.starts().iter().map(|start| start.at);
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
            return Ok(Placed { stage, by_timeline: false });
        }
        if let Some(name) = own {
            return match self.plan.stage_named(name) {
                Some(stage) => Ok(Placed { stage, by_timeline: false }),
                None => {
                    let near = did_you_mean(name, self.plan.placing_stages().iter().map(|stage| stage.name.as_str()));
                    Err(format!("no stage of the config is called {:?}{near}", super::reject::cut(name)))
                }
            };
        }
        let event = self.timeline.at(start);
        if let Some(stage) = event.and_then(|event| self.plan.stage_at_percentage(event.percentage)) {
            return Ok(Placed { stage, by_timeline: true });
        }
        let holds = |stage: &crate::config::Stage| {
            (stage.from.is_some() || stage.to.is_some())
                && stage.from.is_none_or(|from| from.0 <= start)
                && stage.to.is_none_or(|to| start < to.0)
        };
        if let Some(stage) = self.plan.placing_stages().iter().position(holds) {
            return Ok(Placed { stage, by_timeline: true });
        }
        match (event, self.baseline_before_events) {
            (None, Some(stage)) => Ok(Placed { stage, by_timeline: true }),
            (None, None) => {
                Err("it starts before the first rollout_stage event and outside every stage's from/to".into())
            }
            (Some(event), _) => Err(format!(
                "the rollout_stage event before it says {} %, and no stage of the config has that",
                event.percentage
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn plan(text: &str) -> Plan {
        parse("rollout.toml", text, Default::default()).unwrap()
    }

    fn timeline(starts: &[(i64, f64)]) -> Timeline {
        Timeline::new(starts.iter().map(|(at, percentage)| StageStart { at: *at, percentage: *percentage }).collect())
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

    #[test]
    fn disagreements_count_only_inside_the_span() {
        let whole = timeline(&[(100, 1.0), (200, 10.0)]);
        let part = timeline(&[(100, 1.0)]);
        assert_eq!(part.first_disagreement(&whole, 120, 199), None);
        assert_eq!(part.first_disagreement(&whole, 120, 250), Some(200));
        assert_eq!(Timeline::default().first_disagreement(&whole, 150, 160), Some(150));
    }

    #[test]
    fn events_hidden_by_escapes_are_found() {
        let bytes = b"{\"event\\u005ftype\": \"rollout_stage\", \"timestamp\": 1762935330, \"percentage\": 1}\n{}\n{\"event_type\": \"rollout_stage\", \"timestamp\": 1762935331, \"percentage\": 10}";
        let mut starts = Vec::new();
        for needle in ["\"event_type\"", "\\u00"] {
            collect_lines(bytes, &memmem::Finder::new(needle), &|_| true, &mut starts);
        }
        assert_eq!(starts.len(), 2);
    }
}
