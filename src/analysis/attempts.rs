//! Which attempt is judged? A rollout that is rolled back, mended and started again is told apart from what it was
//! before (methodology 2): the last attempt with records is what the report is about.

use crate::config::{EpochNanos, Plan};
use crate::cube::Cube;
use crate::cube::slice::{LoggedEvent, Visit};
use crate::error::Result;
use crate::format::{self, rfc3339, rfc3339_minute};
use crate::ingest::timeline::Timeline;
use crate::ingest::timestamp::NANOS_PER_MINUTE;
use crate::report::model::{Attempt, AttemptEnd, Finding, Severity};

/// A rollback took no traffic off where at least so many records were still treated,
const STILL_TREATED: u64 = 20;
/// and at least this share of what the stage sets.
const STILL_SHARE: f64 = 0.5;
const NANOS_PER_HOUR: i64 = 60 * NANOS_PER_MINUTE;

/// A stage in a period.
type Key = (usize, usize);

/// The attempts of a log, as they are found.
struct Draft<'v> {
    visits: Vec<&'v Visit>,
    /// What ran at 0 % before it, after an earlier one was taken back.
    pause: Vec<Key>,
    began_at: EpochNanos,
    end: Option<(AttemptEnd, EpochNanos)>,
    n_after: u64,
}

impl Draft<'_> {
    fn new(began_at: EpochNanos) -> Self {
        Self { visits: Vec::new(), pause: Vec::new(), began_at, end: None, n_after: 0 }
    }
}

/// A rollback after which as many were treated as before.
struct WithoutEffect {
    at: EpochNanos,
    records: u64,
    treated: u64,
}

/// What the log holds of attempts.
pub(super) struct Attempts<'v> {
    plan: &'v Plan,
    drafts: Vec<Draft<'v>>,
    baseline: Vec<Key>,
    without_effect: Vec<WithoutEffect>,
}

/// Whether the visits are those of the timeline's periods. Days are not, and a cube of version 2, and logs whose files
/// tell their stages, know one period alone, which goes on when the others have begun.
fn is_divided(plan: &Plan, timeline: &Timeline, visits: &[Visit]) -> bool {
    let goes_on = |visit: &Visit| {
        let last = visit.minutes.1 * NANOS_PER_MINUTE;
        timeline.periods().next().is_some_and(|(at, _)| last > at + NANOS_PER_HOUR)
    };
    plan.by_day.is_none() && (visits.iter().any(|visit| visit.period > 1) || !visits.iter().any(goes_on))
}

impl<'v> Attempts<'v> {
    /// Reads the attempts off the visits and what begins their periods.
    pub(super) fn new(plan: &'v Plan, cube: &Cube, visits: &'v [Visit]) -> Self {
        let mut attempts =
            Self { plan, drafts: vec![Draft::new(EpochNanos::MIN)], baseline: Vec::new(), without_effect: Vec::new() };
        let timeline = &cube.header.timeline;
        let begins: Vec<_> = if is_divided(plan, timeline, visits) { timeline.periods().collect() } else { Vec::new() };
        let mut begins = begins.into_iter().peekable();
        let mut visits_left = visits;
        while !visits_left.is_empty() || begins.peek().is_some() {
            // A period that began may hold no record, and the first period begins with none.
            let begun =
                begins.next_if(|(_, begun)| visits_left.first().is_none_or(|visit| begun.period <= visit.period));
            let is_of = |visit: &Visit| begun.is_none_or(|(_, progress)| visit.period == progress.period);
            let own =
                visits_left.iter().take_while(|visit| is_of(visit) && visit.period == visits_left[0].period).count();
            let (period, rest) = visits_left.split_at(own);
            visits_left = rest;
            let mut period: Vec<&Visit> = period.iter().collect();
            match begun {
                Some((at, progress)) if progress.rolled_back => attempts.rolled_back(at, &mut period),
                Some((at, progress)) => {
                    let steps_back = timeline.at(at - 1).percentage > progress.percentage;
                    attempts.started(at, steps_back);
                }
                None => {}
            }
            period.into_iter().for_each(|visit| attempts.visit(visit));
        }
        attempts
    }

    fn last(&mut self) -> &mut Draft<'v> {
        self.drafts.last_mut().expect("there is always one")
    }

    fn percentage(&self, stage: usize) -> f64 {
        self.plan.stages.get(stage).map_or(0.0, |stage| stage.percentage)
    }

    /// Ends the last attempt, where it has begun and not ended.
    fn end(&mut self, end: AttemptEnd, at: EpochNanos) {
        let last = self.last();
        if last.end.is_none() && !last.visits.is_empty() {
            last.end = Some((end, at));
        }
    }

    /// A rollback whose stage may have records afterwards.
    fn rolled_back(&mut self, at: EpochNanos, period: &mut Vec<&'v Visit>) {
        let under_way = self.last().visits.last().map(|visit| visit.stage);
        let after = period.iter().position(|visit| Some(visit.stage) == under_way).map(|index| period.remove(index));
        if let Some(visit) = after
            && self.is_still_treated(visit)
        {
            let (records, treated) = visit.settled;
            self.without_effect.push(WithoutEffect { at, records, treated });
            self.last().visits.push(visit);
            return;
        }
        self.end(AttemptEnd::RolledBack, at);
        self.last().n_after += after.map_or(0, |visit| visit.records);
    }

    fn is_still_treated(&self, visit: &Visit) -> bool {
        let (records, treated) = visit.settled;
        let set = self.percentage(visit.stage) / 100.0;
        treated >= STILL_TREATED && treated as f64 >= STILL_SHARE * set * records as f64
    }

    fn started(&mut self, at: EpochNanos, steps_back: bool) {
        if steps_back {
            self.end(AttemptEnd::SteppedBack, at);
        }
        if self.last().end.is_some() {
            self.drafts.push(Draft::new(at));
        }
    }

    fn visit(&mut self, visit: &'v Visit) {
        let key = (visit.period, visit.stage);
        if self.percentage(visit.stage) > 0.0 {
            if self.last().end.is_some() {
                let at = visit.minutes.0 * NANOS_PER_MINUTE;
                self.drafts.push(Draft::new(at));
            }
            self.last().visits.push(visit);
        } else if self.drafts.iter().all(|draft| draft.visits.is_empty()) {
            self.baseline.push(key);
        } else {
            let ended = self.drafts.iter_mut().rfind(|draft| draft.end.is_some());
            match ended {
                Some(ended) => ended.n_after += visit.records,
                // 0 % between two stages that nothing took back: the log tells its stages itself.
                None => return self.baseline.push(key),
            }
            self.last().pause.push(key);
        }
    }

    /// Position of the one that is judged: the last with records above 0 %.
    fn judged(&self) -> usize {
        self.drafts.iter().rposition(|draft| !draft.visits.is_empty()).unwrap_or(0)
    }

    /// The stages of the attempt that is judged, in the order in which they ran.
    pub(super) fn judged_visits(&self) -> &[&'v Visit] {
        &self.drafts[self.judged()].visits
    }

    /// The cube of the attempt that is judged, with its baseline; `None` where that is all.
    ///
    /// The baseline is what ran before anything was treated; the pause between two attempts stands in for it where the
    /// log holds none.
    ///
    /// # Errors
    /// The cube is damaged.
    pub(super) fn cube(&self, cube: &Cube) -> Result<Option<Cube>> {
        let judged = &self.drafts[self.judged()];
        if self.drafts.len() == 1 && judged.n_after == 0 {
            return Ok(None);
        }
        let baseline = if self.baseline.is_empty() { &judged.pause } else { &self.baseline };
        let own = judged.visits.iter().map(|visit| (visit.period, visit.stage));
        let visits: Vec<Key> = baseline.iter().copied().chain(own).collect();
        cube.of_visits(&visits).map(Some)
    }

    /// Of the log's events those of the attempt that is judged, and of its baseline.
    pub(super) fn events(&self, events: &[LoggedEvent]) -> Vec<LoggedEvent> {
        let judged = self.judged();
        let from = self.drafts[judged].began_at;
        let first = self.drafts[0].visits.first().map_or(from, |visit| visit.minutes.0 * NANOS_PER_MINUTE);
        let is_told = |event: &&LoggedEvent| {
            // The rollback before a start at the same moment is the earlier attempt's.
            let own = event.at >= from && !(event.is_rollback() && event.at == from);
            own || judged > 0 && event.at < first
        };
        events.iter().filter(is_told).cloned().collect()
    }

    /// Whether the attempt that is judged was taken back.
    pub(super) fn is_taken_back(&self) -> bool {
        self.drafts[self.judged()].end.is_some()
    }

    /// Which stages an earlier attempt had records in.
    pub(super) fn visited_before(&self) -> Vec<bool> {
        let earlier = &self.drafts[..self.judged()];
        let visited = |stage: usize| earlier.iter().flat_map(|draft| &draft.visits).any(|visit| visit.stage == stage);
        (0..self.plan.stages.len()).map(visited).collect()
    }

    /// What the report tells of each attempt that had records, up to the one that is judged.
    pub(super) fn told(&self) -> Vec<Attempt> {
        let with_records = self.drafts.iter().filter(|draft| !draft.visits.is_empty());
        with_records.enumerate().map(|(index, draft)| self.attempt(index + 1, draft)).collect()
    }

    fn attempt(&self, number: usize, draft: &Draft<'_>) -> Attempt {
        let visits = &draft.visits;
        let mut stages: Vec<String> = visits
            .iter()
            .filter_map(|visit| self.plan.stages.get(visit.stage))
            .map(|stage| stage.name.clone())
            .collect();
        stages.dedup();
        let minute = |minute: Option<i64>| rfc3339_minute(minute.unwrap_or_default());
        Attempt {
            number,
            stages,
            from: minute(visits.iter().map(|visit| visit.minutes.0).min()),
            to: minute(visits.iter().map(|visit| visit.minutes.1 + 1).max()),
            n: visits.iter().map(|visit| visit.records).sum(),
            treated: visits.iter().map(|visit| visit.treated).sum(),
            treated_failures: visits.iter().map(|visit| visit.treated_failures).sum(),
            end: draft.end.map_or(AttemptEnd::Open, |(end, _)| end),
            ended_at: draft.end.map(|(_, at)| rfc3339(at)),
            n_after: draft.n_after,
        }
    }

    /// What a reader must know of rollbacks.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let words = &self.plan.schema.words;
        let without_effect = self.without_effect.iter().map(|rollback| {
            let text = format!(
                "the rollback of {} took no traffic off: {} of {} after it were still treated; the stage counts as going on",
                words.date_time(&rfc3339(rollback.at)),
                format::count(rollback.treated),
                words.counted(rollback.records)
            );
            Finding::of_quality("rollback_without_effect", Severity::Warning, text)
        });
        let n_after: u64 = self.drafts.iter().map(|draft| draft.n_after).sum();
        let earlier: u64 =
            self.drafts[..self.judged()].iter().flat_map(|draft| &draft.visits).map(|visit| visit.records).sum();
        let after = (n_after > 0).then(|| {
            let text = format!(
                "{} came after a rollback and before the next start: they belong to no stage",
                words.counted(n_after)
            );
            Finding::of_quality("after_rollback", Severity::Info, text)
        });
        let history = (earlier > 0).then(|| {
            let text = format!("{} are of earlier attempts, which the figures leave out", words.counted(earlier));
            Finding::of_quality("earlier_attempts", Severity::Info, text)
        });
        without_effect.chain(after).chain(history).collect()
    }
}
