//! What each stage criterion means for the decision: the gate of a stage that runs, or the history of one that is over
//! (methodology 11).

use stagegate_stats::ratio::rise_p_value;

use super::attempts::Attempts;
use super::figure::{Rate, rate};
use super::group::{GroupData, StageData};
use crate::config::{Plan, RECORDS};
use crate::cube::slice::Arm;
use crate::format;
use crate::metric::{Share, Unit};
use crate::report::model::{Criterion, DecisionValue, Direction, Stage, StageState, Standing, Status};
use crate::report::words::{criterion_at_every_look, status_word};

/// A stage was surely worse than what came after it where chance gives so few of its failures to it this rarely.
const WORSE_LEVEL: f64 = 0.01;

/// The share of a count that says as much as the whole.
const NEAR: f64 = 0.95;

/// How far the rollout is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    /// The last stage above 0 % that carried traffic, else the last that did.
    pub current: Option<usize>,
    /// Whether it is the last of the plan and has the records that the plan asks of it, or was taken back.
    pub finished: bool,
}

impl Progress {
    /// Read off the stages' traffic and the counts that their criteria ask for.
    pub(super) fn new(plan: &Plan, data: &[StageData], criteria: &[Criterion], taken_back: bool) -> Self {
        let carried = |stage: &usize| data[*stage].arm(Arm::All).uploads() > 0;
        let mut begun = (0..data.len()).filter(carried);
        let current = begun.clone().rfind(|stage| plan.stages[*stage].percentage > 0.0).or_else(|| begun.next_back());
        let is_short = |criterion: &Criterion| {
            current.is_some_and(|stage| criterion.stage == plan.stages[stage].name)
                && criterion.metric == RECORDS
                && criterion.status == Status::NotMet
                && !is_near(criterion)
                && !criterion.trial
        };
        // A day is over when it is told.
        let last = current == Some(plan.final_stage()) && !criteria.iter().any(is_short);
        Self { current, finished: plan.by_day.is_some() || last || taken_back }
    }

    /// What a stage does.
    pub(super) fn state(self, stage: usize, data: &StageData) -> StageState {
        match self.current {
            _ if data.arm(Arm::All).uploads() == 0 => StageState::NotBegun,
            Some(current) if current == stage && !self.finished => StageState::Running,
            _ => StageState::Over,
        }
    }
}

/// What is asked, and what is known of all stages.
struct Gates<'a> {
    plan: &'a Plan,
    data: &'a [StageData],
    progress: Progress,
    criteria: &'a [Criterion],
    /// By stage: whether an earlier attempt had records in it.
    visited_before: Vec<bool>,
}

/// Says of each criterion what it decides, and of each stage how far it is.
pub(super) fn judge(
    plan: &Plan,
    data: &[StageData],
    attempts: &Attempts<'_>,
    stages: &mut [Stage],
    criteria: &mut [Criterion],
) -> Progress {
    let progress = Progress::new(plan, data, criteria, attempts.is_taken_back());
    for (index, (stage, data)) in stages.iter_mut().zip(data).enumerate() {
        stage.state = progress.state(index, data);
    }
    let gates = Gates { plan, data, progress, criteria, visited_before: attempts.visited_before() };
    let told: Vec<Option<Standing>> = criteria.iter().map(|criterion| gates.of(criterion)).collect();
    for (criterion, told) in criteria.iter_mut().zip(told) {
        criterion.standing = told;
        let runs = stages.iter().any(|stage| stage.name == criterion.stage && stage.state == StageState::Running);
        // A count that can only rise is not failed while its stage runs.
        if runs && criterion.metric == RECORDS && criterion.status == Status::NotMet {
            criterion.status = Status::Open;
        }
    }
    progress
}

/// Whether a count lies within 5 % of what the plan asks for: it says as much as the whole.
fn is_near(criterion: &Criterion) -> bool {
    criterion.metric == RECORDS && criterion.n as f64 >= NEAR * criterion.threshold
}

fn told(level: Option<DecisionValue>, text: String) -> Option<Standing> {
    Some(Standing { level, text })
}

impl Gates<'_> {
    fn of(&self, criterion: &Criterion) -> Option<Standing> {
        let stage = self.plan.stages.iter().position(|stage| stage.name == criterion.stage)?;
        // Success and error rate are one fact.
        if self.is_said_by_success(criterion) {
            return None;
        }
        if criterion.trial {
            let judged = criterion.status != Status::Met && criterion.status != Status::NotMeasured;
            return judged.then(|| Standing { level: None, text: format!("on trial: {}", self.status(criterion)) });
        }
        match self.progress.state(stage, &self.data[stage]) {
            StageState::NotBegun => self.not_begun(stage, criterion),
            StageState::Running => self.running(stage, criterion),
            StageState::Over if Some(stage) == self.progress.current => self.finished(criterion),
            StageState::Over => self.over(stage, criterion),
        }
    }

    fn is_said_by_success(&self, criterion: &Criterion) -> bool {
        criterion.metric == "error_rate"
            && self.criteria.iter().any(|other| {
                !other.trial
                    && other.metric == "success_rate"
                    && (&other.stage, &other.scope) == (&criterion.stage, &criterion.scope)
                    && (other.threshold + criterion.threshold - 1.0).abs() < 1e-9
            })
    }

    /// `success rate of stage 1%`
    fn name(&self, criterion: &Criterion) -> String {
        format!("{} of stage {}", criterion.label.to_lowercase(), criterion.stage)
    }

    fn value(&self, criterion: &Criterion) -> String {
        let value = criterion.value.map_or_else(
            || criterion.reason.clone().unwrap_or_else(|| format::NOT_MEASURED.into()),
            |value| format::estimate(value, criterion.ci, &criterion.unit),
        );
        match criterion_at_every_look(criterion) {
            Some(told) => format!("{value}, {told}"),
            None => value,
        }
    }

    /// The sentence of a status.
    fn status(&self, criterion: &Criterion) -> String {
        // Of records there are many, of a rate there is one.
        let are = format::are(if criterion.unit == Unit::Count { 2 } else { 1 });
        format!("{} {are} {}: {}", self.name(criterion), status_word(criterion.status), self.value(criterion))
    }

    /// A stage before the one that runs was left out; those after it come later.
    fn not_begun(&self, stage: usize, criterion: &Criterion) -> Option<Standing> {
        let skipped = self.progress.current.is_some_and(|current| stage < current);
        if skipped && self.visited_before[stage] {
            return told(None, format!("stage {} was visited in an earlier attempt alone", criterion.stage));
        }
        if skipped { told(Some(DecisionValue::Incomplete), self.status(criterion)) } else { None }
    }

    fn running(&self, stage: usize, criterion: &Criterion) -> Option<Standing> {
        match criterion.status {
            Status::Met | Status::Exceeded | Status::NotJudged => None,
            Status::NotMet if criterion.metric == RECORDS => {
                told(Some(DecisionValue::Incomplete), self.so_far(stage, criterion))
            }
            Status::NotMet => told(Some(DecisionValue::NoGo), self.status(criterion)),
            Status::NotMeasured => told(Some(DecisionValue::Incomplete), self.status(criterion)),
            Status::Open => {
                let text = format!("{}; the stage still runs", self.status(criterion));
                told(Some(DecisionValue::Incomplete), text)
            }
        }
    }

    /// `60 of 100 async uploads so far, about 20 hours more at this pace`
    fn so_far(&self, stage: usize, criterion: &Criterion) -> String {
        let words = &self.plan.schema.words;
        let arm = if criterion.scope == "treated" { format!("{} ", words.treated) } else { String::new() };
        let text = format!(
            "{} of stage {}: {} of {} {arm}{} so far",
            words.many,
            criterion.stage,
            format::count(criterion.n),
            format::count(criterion.threshold as u64),
            words.many
        );
        let hours = &self.data[stage].arm(Arm::All).hours;
        let lasted = hours.first().zip(hours.last()).map_or(0, |(first, last)| last.hour - first.hour + 1);
        if criterion.n == 0 || lasted == 0 {
            return text;
        }
        let missing = criterion.threshold - criterion.n as f64;
        let more = (missing * lasted as f64 / criterion.n as f64).ceil() as u64;
        let span = if more > 72 { format::counted(more.div_ceil(24), "day") } else { format::counted(more, "hour") };
        format!("{text}; about {span} more at this pace")
    }

    /// The last stage, when all is in.
    fn finished(&self, criterion: &Criterion) -> Option<Standing> {
        let level = match criterion.status {
            Status::Met | Status::Exceeded | Status::NotJudged => return None,
            Status::NotMet if is_near(criterion) => {
                return told(None, format!("{}, so near that nothing hangs on it", self.status(criterion)));
            }
            Status::NotMet => DecisionValue::NoGo,
            Status::NotMeasured => DecisionValue::Incomplete,
            Status::Open => return self.still_open(criterion),
        };
        told(Some(level), self.status(criterion))
    }

    /// No more will come: on the right side it is a note, on the wrong side a person must look.
    fn still_open(&self, criterion: &Criterion) -> Option<Standing> {
        let good = criterion.value.is_some_and(|value| match criterion.direction {
            Direction::AtLeast => value >= criterion.threshold,
            Direction::AtMost => value <= criterion.threshold,
        });
        if good {
            return told(None, format!("{}; it lies on the right side", self.status(criterion)));
        }
        // A day has too few to say more, as long as it could have been chance.
        if self.plan.by_day.is_some() && criterion.ci.is_none_or(|ends| ends.holds(criterion.threshold)) {
            return told(None, format!("{}; one day cannot tell", self.status(criterion)));
        }
        let text = format!("{}; if this stays, it would be not met", self.status(criterion));
        told(Some(DecisionValue::Review), text)
    }

    /// A stage that was left: its gate is history, and the evidence since then counts.
    fn over(&self, stage: usize, criterion: &Criterion) -> Option<Standing> {
        let of_rate =
            matches!(criterion.metric.as_str(), "success_rate" | "error_rate") && criterion.scope == "treated";
        match criterion.status {
            Status::Met | Status::Exceeded | Status::NotJudged => None,
            Status::NotMeasured => told(Some(DecisionValue::Incomplete), self.status(criterion)),
            _ if of_rate && self.all_since_fail(stage) => {
                let text = format!("{}, and all since then surely lie below what is asked now", self.status(criterion));
                told(Some(DecisionValue::NoGo), text)
            }
            Status::NotMet if criterion.metric == RECORDS && 2.0 * criterion.n as f64 >= criterion.threshold => {
                let text = format!("{}, and it was left; what came after stands in its place", self.status(criterion));
                told(None, text)
            }
            Status::NotMet => told(Some(DecisionValue::Review), format!("{}, and it was left", self.status(criterion))),
            Status::Open if of_rate => self.open_rate(stage, criterion),
            Status::Open => match self.asked_since(stage, criterion) {
                // The stage cannot change any more; what runs now is asked the same, and answers for itself.
                Some(later) => told(
                    None,
                    format!(
                        "{}; since then asked of stage {}: {}",
                        self.status(criterion),
                        later.stage,
                        self.value(later)
                    ),
                ),
                None => self.still_open(criterion),
            },
        }
    }

    /// The same question of the stage that runs, where it can be answered.
    fn asked_since(&self, stage: usize, criterion: &Criterion) -> Option<&Criterion> {
        let current = self.progress.current.filter(|current| *current > stage)?;
        self.criteria.iter().find(|other| {
            other.stage == self.plan.stages[current].name
                && (&other.metric, &other.scope) == (&criterion.metric, &criterion.scope)
                && !other.trial
                && other.value.is_some()
        })
    }

    fn treated(&self, stage: usize) -> &GroupData {
        self.data[stage].arm(Arm::Treated)
    }

    /// Failures of the treated records of some stages.
    fn pooled(&self, stages: std::ops::RangeInclusive<usize>) -> Option<Rate> {
        let level = self.plan.analysis.level();
        let hours: Vec<(i64, u64, u64)> = stages
            .flat_map(|stage| &self.treated(stage).hours)
            .map(|hour| (hour.hour, hour.uploads - hour.successes, hour.uploads))
            .filter(|(_, _, n)| *n > 0)
            .collect();
        (!hours.is_empty()).then(|| Rate::new(hours.into_iter(), level))
    }

    /// Whether all treated records from this stage on surely lie below what the stage that runs asks.
    fn all_since_fail(&self, stage: usize) -> bool {
        let Some(current) = self.progress.current.filter(|current| *current > stage) else { return false };
        let asked = self
            .criteria
            .iter()
            .filter(|criterion| criterion.stage == self.plan.stages[current].name && !criterion.trial)
            .find(|criterion| criterion.metric == "success_rate");
        let pooled = self.pooled(stage..=current).and_then(Rate::interval);
        asked.zip(pooled).is_some_and(|(asked, failed)| 1.0 - failed.low < asked.threshold)
    }

    /// Too few then: those since then say whether it was chance.
    fn open_rate(&self, stage: usize, criterion: &Criterion) -> Option<Standing> {
        let level = self.plan.analysis.level();
        let current = self.progress.current.filter(|current| *current > stage)?;
        let (own, later) = (rate(self.treated(stage), Share::Failures, level).ok()?, self.pooled(stage + 1..=current));
        let Some(later) = later else { return self.still_open(criterion) };
        let since = format!(
            "{} of {} failed at {}; since then {} of {}, {}",
            format::count(own.events),
            format::count(own.n),
            criterion.stage,
            format::count(later.events),
            format::count(later.n),
            format::estimate(later.value(), later.interval(), &Unit::Fraction)
        );
        if surely_worse(own, later) {
            return told(Some(DecisionValue::Review), format!("{}: {since}", self.status(criterion)));
        }
        told(None, format!("{}: {since}", self.name(criterion)))
    }
}

/// Whether a stage's failures are surely more than those of what came after it.
fn surely_worse(own: Rate, later: Rate) -> bool {
    let effective = |rate: Rate| {
        let (events, n) = rate.effective();
        (events.round() as u64, n.round() as u64)
    };
    rise_p_value(effective(later), effective(own)) < WORSE_LEVEL
}
