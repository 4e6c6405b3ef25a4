//! Pass 0: all `rollout_stage` and `rollback` events of a run. They may stand in a file that
//! is read last, so they are collected before the fold.

use std::sync::{Arc, Mutex};

use memchr::memmem;
use serde::{Deserialize, Serialize};

use super::chunks::{self, Chunk, Content, Origin};
use super::native::{self, EventKind, Line};
use super::rows;
use super::source::Source;
use crate::config::{EpochNanos, Plan};
use crate::error::Result;
use crate::run::Run;
use crate::schema::mapping::Form;

/// One `rollout_stage` or `rollback` event.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StageEvent {
    pub at: EpochNanos,
    /// What it starts, 0 to 100; `None`: a rollback.
    pub percentage: Option<f64>,
}

/// How far a rollout was at some moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// What the last start said; `None` before the first.
    pub percentage: Option<f64>,
    /// A rollback begins a new period, and so does a start after one, or one that steps back; from 1.
    pub period: usize,
    /// Whether a rollback came after the last start.
    pub rolled_back: bool,
}

impl Progress {
    const BEFORE: Self = Self { percentage: None, period: 1, rolled_back: false };
}

/// The stage events of a run: sorted by time; at one moment a rollback before a start, each at most once.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<StageEvent>", into = "Vec<StageEvent>")]
pub struct Timeline {
    events: Vec<StageEvent>,
    /// How far the rollout was after each of them.
    progress: Vec<Progress>,
}

impl From<Vec<StageEvent>> for Timeline {
    fn from(events: Vec<StageEvent>) -> Self {
        Self::new(events)
    }
}

impl From<Timeline> for Vec<StageEvent> {
    fn from(timeline: Timeline) -> Self {
        timeline.events
    }
}

impl Timeline {
    /// Sorts and drops repeats: a log that is read twice has the same timeline. Of two starts at one moment the larger
    /// stays: which stood first is not known here.
    pub fn new(mut events: Vec<StageEvent>) -> Self {
        let rank = |event: &StageEvent| event.percentage.unwrap_or(-1.0);
        events.sort_by(|a, b| a.at.cmp(&b.at).then(rank(a).total_cmp(&rank(b))));
        events.dedup_by(|next, kept| {
            let same = next.at == kept.at && next.percentage.is_some() == kept.percentage.is_some();
            if same {
                *kept = *next;
            }
            same
        });
        let progress = progress(&events);
        Self { events, progress }
    }

    /// The starts that the plan itself tells, for logs without events.
    pub fn of_plan(plan: &Plan) -> Self {
        let start = |at, percentage| StageEvent { at, percentage: Some(percentage) };
        Self::new(plan.starts.iter().map(|told| start(told.at.0, told.percentage)).collect())
    }

    /// These events, and of others what stands at other moments, as where a log is searched for them.
    #[must_use]
    pub fn and_told(&self, other: &Self) -> Self {
        let more = other.events.iter().filter(|event| !self.knows(event.at));
        Self::new(self.events.iter().chain(more).copied().collect())
    }

    /// As a run has it that knows these events, and collects those of `sources`.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn and_of(&self, sources: &[Source], run: &Run) -> Result<Self> {
        if is_needless(sources) {
            return Ok(self.clone());
        }
        Ok(self.and(found(sources, &all_of(sources), run)?))
    }

    /// As [`Self::and_of`], of what came later: `None` where it tells something of a moment that is known already.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn with_later(&self, sources: &[Source], run: &Run) -> Result<Option<Self>> {
        let found = found(sources, &all_of(sources), run)?;
        let is_known = found.iter().any(|found| self.knows(found.event.at));
        Ok(if is_known { None } else { Some(self.and(found)) })
    }

    /// The events of both.
    pub fn union(&self, other: &Self) -> Self {
        Self::new(self.events.iter().chain(&other.events).copied().collect())
    }

    /// Of `found` what stands at other moments, too: what is known already holds at its own.
    fn and(&self, mut found: Vec<Found>) -> Self {
        found.sort_by_key(|found| (found.event.at, found.order));
        let mut events = self.events.clone();
        for moment in found.chunk_by(|a, b| a.event.at == b.event.at) {
            let at = moment[0].event.at;
            if self.knows(at) {
                continue;
            }
            // Of two events at one moment the later line holds; that there was a rollback before a start is kept.
            let last_start = moment.last().filter(|found| found.event.percentage.is_some());
            let rollback = moment.iter().find(|found| found.event.percentage.is_none());
            events.extend(rollback.into_iter().chain(last_start).map(|found| found.event));
        }
        Self::new(events)
    }

    /// Whether an event stands at that moment.
    fn knows(&self, at: EpochNanos) -> bool {
        self.events.binary_search_by_key(&at, |event| event.at).is_ok()
    }

    pub fn events(&self) -> &[StageEvent] {
        &self.events
    }

    /// What the starts say, in their order.
    pub fn percentages(&self) -> impl Iterator<Item = f64> {
        self.events.iter().filter_map(|event| event.percentage)
    }

    /// How far the rollout was at a moment.
    pub fn at(&self, at: EpochNanos) -> Progress {
        let after = self.events.partition_point(|event| event.at <= at);
        after.checked_sub(1).map_or(Progress::BEFORE, |index| self.progress[index])
    }

    /// When, from a moment on, an event first sets more than this percentage.
    pub fn first_above(&self, percentage: f64, from: EpochNanos) -> Option<EpochNanos> {
        let is_above = |event: &&StageEvent| event.at >= from && event.percentage.is_some_and(|set| set > percentage);
        self.events.iter().find(is_above).map(|event| event.at)
    }

    /// What was known before a moment.
    #[must_use]
    pub fn until(&self, at: EpochNanos) -> Self {
        Self::new(self.events.iter().copied().filter(|event| event.at < at).collect())
    }

    /// Where each period after the first begins, and the progress there.
    pub fn periods(&self) -> impl Iterator<Item = (EpochNanos, Progress)> {
        let before = std::iter::once(Progress::BEFORE).chain(self.progress.iter().copied());
        let pairs = self.events.iter().zip(self.progress.iter().zip(before));
        pairs.filter(|(_, (now, before))| now.period > before.period).map(|(event, (now, _))| (event.at, *now))
    }

    /// The first moment of the span at which `self` and `other` differ in what is looked at.
    pub fn first_disagreement<T: PartialEq>(
        &self,
        other: &Self,
        (from, to): (EpochNanos, EpochNanos),
        look: impl Fn(Progress) -> T,
    ) -> Option<EpochNanos> {
        let inside = |event: &&StageEvent| event.at > from && event.at <= to;
        let mut moments: Vec<_> =
            self.events.iter().chain(&other.events).filter(inside).map(|event| event.at).collect();
        moments.push(from);
        moments.sort_unstable();
        moments.into_iter().find(|at| look(self.at(*at)) != look(other.at(*at)))
    }
}

/// How far the rollout was after each event.
fn progress(events: &[StageEvent]) -> Vec<Progress> {
    let silent = events.iter().all(|event| event.percentage.is_none());
    let mut now = Progress::BEFORE;
    let after = |event: &StageEvent| {
        match event.percentage {
            Some(percentage) => {
                let steps_back = now.percentage.is_some_and(|before| percentage < before);
                now.period += usize::from(now.rolled_back || steps_back);
                now = Progress { percentage: Some(percentage), rolled_back: false, ..now };
            }
            // There must be something to take back; where no event tells the stages, there may be.
            None => {
                let under_way = now.percentage.map_or(silent, |percentage| percentage > 0.0);
                if under_way && !now.rolled_back {
                    now = Progress { period: now.period + 1, rolled_back: true, ..now };
                }
            }
        }
        now
    };
    events.iter().map(after).collect()
}

/// An event, and where it stood: source, chunk, place in the chunk.
#[derive(Debug, Clone, Copy)]
struct Found {
    event: StageEvent,
    order: (Origin, usize),
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
    Ok(Timeline::default().and(found(sources, which, run)?))
}

/// The stage events of the sources in the order of their lines, each as often as it stands there.
///
/// # Errors
/// A file that cannot be read.
pub fn events_in_order(sources: &[Source], run: &Run) -> Result<Vec<StageEvent>> {
    let mut found = found(sources, &all_of(sources), run)?;
    found.sort_by_key(|found| found.order);
    Ok(found.into_iter().map(|found| found.event).collect())
}

fn all_of(sources: &[Source]) -> Vec<usize> {
    (0..sources.len()).collect()
}

fn found(sources: &[Source], which: &[usize], run: &Run) -> Result<Vec<Found>> {
    let finder = EventFinder::default();
    let step = |found: &mut Vec<Found>, chunk: &Chunk<()>| {
        finder.find(&sources[chunk.origin.source], &chunk.content, chunk.origin, found);
    };
    let (states, _) = chunks::scan(sources, which, run, |_, _, _| (), Vec::new, step)?;
    Ok(states.into_iter().flatten().collect())
}

impl StageEvent {
    /// As a line of a log, which gives the same event again.
    pub fn line(&self) -> String {
        let at = chrono::DateTime::from_timestamp_nanos(self.at).format("%Y-%m-%dT%H:%M:%S%.9fZ");
        match self.percentage {
            Some(percentage) => {
                format!(
                    "{{\"event_type\": \"rollout_stage\", \"timestamp\": \"{at}\", \"percentage\": {percentage:?}}}"
                )
            }
            None => format!("{{\"event_type\": \"rollback\", \"timestamp\": \"{at}\"}}"),
        }
    }
}

/// Collects the timeline of all sources.
///
/// # Errors
/// A file that cannot be read.
pub fn collect_all(sources: &[Source], run: &Run) -> Result<Timeline> {
    collect(sources, &all_of(sources), run)
}

/// Finds `rollout_stage` and `rollback` events without parsing the other lines.
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
    fn find(&self, source: &Source, content: &Content, origin: Origin, found: &mut Vec<Found>) {
        let Content::Lines(lines) = content else { return };
        // Events stand between lines of JSON alone.
        if source.mapping.as_ref().is_some_and(|mapping| !matches!(mapping.form, Form::Json { .. })) {
            return;
        }
        let is_meant =
            |line: &str| source.mapping.as_ref().is_none_or(|mapping| rows::has_event(mapping, &source.name, line));
        let mut before = 0;
        for part in lines.parts() {
            let mut keep = |at, event| found.push(Found { event, order: (origin, before + at) });
            self.needles.iter().for_each(|needle| collect_lines(part, needle, &is_meant, &mut keep));
            before += part.len();
        }
    }
}

/// The timeline while a log is read: what is known of it grows with every chunk. What was placed by an earlier state
/// is right where the whole timeline says the same over the span of what was placed.
#[derive(Debug)]
pub struct GrowingTimeline {
    /// `None` where the whole is known: nothing is searched.
    finder: Option<EventFinder>,
    /// What was known before the first line.
    given: Timeline,
    known: Mutex<(Vec<Found>, Arc<Timeline>)>,
}

impl GrowingTimeline {
    /// The whole timeline.
    pub fn whole(timeline: Timeline) -> Self {
        Self { finder: None, ..Self::from(timeline) }
    }

    /// What is known before the first line.
    pub fn from(given: Timeline) -> Self {
        let known = Mutex::new((Vec::new(), Arc::new(given.clone())));
        Self { finder: Some(EventFinder::default()), given, known }
    }

    /// What is known once these lines were seen, too.
    pub fn see(&self, source: &Source, content: &Content, origin: Origin) -> Arc<Timeline> {
        let mut more = Vec::new();
        if let Some(finder) = &self.finder {
            finder.find(source, content, origin, &mut more);
        }
        let mut known = self.known.lock().expect("no reader panicked");
        let (found, timeline) = &mut *known;
        if !more.is_empty() {
            found.append(&mut more);
            let grown = self.given.and(found.clone());
            if grown != **timeline {
                *timeline = Arc::new(grown);
            }
        }
        Arc::clone(timeline)
    }

    /// All that is known now.
    pub fn now(&self) -> Arc<Timeline> {
        Arc::clone(&self.known.lock().expect("no reader panicked").1)
    }
}

fn collect_lines(
    bytes: &[u8],
    finder: &memmem::Finder<'_>,
    is_meant: &impl Fn(&str) -> bool,
    keep: &mut impl FnMut(usize, StageEvent),
) {
    let mut from = 0;
    while let Some(hit) = finder.find(&bytes[from..]).map(|at| from + at) {
        let start = memchr::memrchr(b'\n', &bytes[..hit]).map_or(0, |at| at + 1);
        let end = memchr::memchr(b'\n', &bytes[hit..]).map_or(bytes.len(), |at| hit + at);
        if let Ok(text) = std::str::from_utf8(&bytes[start..end])
            && let Some(event) = stage_event(text)
            && is_meant(text)
        {
            keep(start, event);
        }
        from = end;
    }
}

/// The stage event of a line that holds one.
fn stage_event(text: &str) -> Option<StageEvent> {
    let Ok(Line::Event(event)) = native::parse_line(text) else { return None };
    let percentage = match event.kind {
        EventKind::RolloutStage { percentage } => Some(percentage),
        EventKind::Rollback => None,
        _ => return None,
    };
    Some(StageEvent { at: event.timestamp?, percentage })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A percentage below 0 stands for a rollback.
    fn timeline(events: &[(i64, f64)]) -> Timeline {
        let event = |(at, said): &(i64, f64)| StageEvent { at: *at, percentage: (*said >= 0.0).then_some(*said) };
        Timeline::new(events.iter().map(event).collect())
    }

    #[test]
    fn disagreements_count_only_inside_the_span() {
        let whole = timeline(&[(100, 1.0), (200, 10.0)]);
        let part = timeline(&[(100, 1.0)]);
        let differs = |part: &Timeline, from, to| part.first_disagreement(&whole, (from, to), |progress| progress);
        assert_eq!(differs(&part, 120, 199), None);
        assert_eq!(differs(&part, 120, 250), Some(200));
        assert_eq!(differs(&Timeline::default(), 150, 160), Some(150));
    }

    #[test]
    fn a_rollback_and_a_step_back_begin_periods() {
        // A repeated start begins nothing, nor does a rollback of what was rolled back, or of nothing.
        let told = timeline(&[
            (50, -1.0),
            (100, 1.0),
            (200, 10.0),
            (250, 10.0),
            (300, -1.0),
            (310, -1.0),
            (400, 10.0),
            (500, 50.0),
            (600, 0.0),
            (700, 1.0),
        ]);
        let periods: Vec<(i64, usize, bool)> =
            told.periods().map(|(at, progress)| (at, progress.period, progress.rolled_back)).collect();
        assert_eq!(periods, [(300, 2, true), (400, 3, false), (600, 4, false)]);
        assert_eq!(told.at(350), Progress { percentage: Some(10.0), period: 2, rolled_back: true });
        // Where no start is told, a rollback still is.
        assert_eq!(timeline(&[(50, -1.0)]).at(60), Progress { percentage: None, period: 2, rolled_back: true });
        let same_moment = timeline(&[(100, 10.0), (200, 0.0), (200, -1.0)]);
        assert_eq!(same_moment.at(200), Progress { percentage: Some(0.0), period: 3, rolled_back: false });
    }

    #[test]
    fn of_two_events_at_one_moment_the_later_line_holds() {
        let found = |said: &[f64]| {
            let origin = Origin { source: 0, sequence: 0 };
            let found = |(line, said): (usize, &f64)| Found {
                event: StageEvent { at: 100, percentage: (*said >= 0.0).then_some(*said) },
                order: (origin, line),
            };
            Timeline::default().and(said.iter().enumerate().map(found).collect())
        };
        assert_eq!(found(&[50.0, 10.0]).at(100).percentage, Some(10.0));
        assert_eq!(found(&[10.0, 50.0]).at(100).percentage, Some(50.0));
        assert_eq!(found(&[-1.0, 10.0]), timeline(&[(100, -1.0), (100, 10.0)]));
        assert_eq!(found(&[10.0, -1.0]), timeline(&[(100, -1.0)]));
        // What was given holds.
        let given = timeline(&[(100, 1.0)]);
        let origin = Origin { source: 0, sequence: 0 };
        let found = Found { event: StageEvent { at: 100, percentage: Some(50.0) }, order: (origin, 0) };
        assert_eq!(given.and(vec![found]), given);
    }

    #[test]
    fn events_hidden_by_escapes_are_found() {
        let bytes = b"{\"event\\u005ftype\": \"rollout_stage\", \"timestamp\": 1762935330, \"percentage\": 1}\n{}\n{\"event_type\": \"rollout_stage\", \"timestamp\": 1762935331, \"percentage\": 10}";
        let mut events = Vec::new();
        for needle in ["\"event_type\"", "\\u00"] {
            collect_lines(bytes, &memmem::Finder::new(needle), &|_| true, &mut |_, event| events.push(event));
        }
        assert_eq!(events.len(), 2);
    }
}
