//! Incidents of all records in which what was treated kept the bound: the control lived through them alone, and nothing
//! that a rollback would mend.

use super::watched::seconds;
use crate::analysis::figure::point;
use crate::analysis::group::StageData;
use crate::config::{Bound, Plan, Watch};
use crate::cube::Cube;
use crate::cube::histogram::{Grid, Histogram};
use crate::cube::slice::{Arm, MinuteSums};
use crate::error::Result;
use crate::metric::{Distribution, Estimator};
use crate::report::model::Trigger;
use stagegate_stats::ratio::rise_p_value;

/// What an arm lived through in some minutes.
#[derive(Default)]
struct Lived {
    n: u64,
    failures: u64,
    durations: Histogram,
}

impl Lived {
    fn of(minutes: &[MinuteSums], from: i64, to: i64) -> Self {
        let mut lived = Self::default();
        for minute in minutes.iter().filter(|minute| (from..to).contains(&minute.minute)) {
            lived.n += minute.uploads;
            lived.failures += minute.uploads - minute.successes;
            lived.durations.add(&minute.durations);
        }
        lived
    }

    fn failure_rate(&self) -> f64 {
        self.failures as f64 / self.n.max(1) as f64
    }
    /// Whether the bound of a trigger was kept; where nothing was lived through, none was broken.
    fn kept(&self, watch: &Watch, plan: &Plan, data: &[StageData]) -> bool {
        let Some(metric) = plan.metric(&watch.metric) else { return false };
        match (metric.estimator, watch.bound()) {
            _ if self.n == 0 => true,
            (Estimator::Rate(_), Some(Bound::AtLeast(success))) => self.failure_rate() <= 1.0 - success,
            (Estimator::Rate(_), Some(Bound::AtMost(failure))) => self.failure_rate() <= failure,
            (Estimator::Quantile(Distribution::Latency, q), Some(bound)) => {
                let baseline = || Some(point(data[plan.baseline()?].arm(Arm::All), metric.estimator).ok()?.0);
                let limit = match bound {
                    Bound::AtMost(ms) => Some(ms),
                    Bound::AtMostTimesBaseline(times) => baseline().map(|ms| ms * times),
                    _ => None,
                };
                let told = self.durations.quantile(Grid::MINUTE, q);
                limit.zip(told).is_some_and(|(limit, told)| told <= limit)
            }
            _ => false,
        }
    }
}

fn is_of_failures(watch: &Watch, plan: &Plan) -> bool {
    plan.metric(&watch.metric).is_some_and(|metric| matches!(metric.estimator, Estimator::Rate(_)))
}

/// Fewest records of the control that tell what it lived through.
const FEWEST_OF_CONTROL: u64 = 10;
/// The treated failed more than the control where chance gives them so many failures this rarely.
const WORSE_LEVEL: f64 = 0.05;

/// Marks the incidents of scope `all` that are of the control alone, and those in which both arms broke the bound and the
/// treated surely not more.
///
/// # Errors
/// The cube is damaged.
pub(super) fn mark(plan: &Plan, cube: &Cube, data: &[StageData], triggers: &mut [Trigger]) -> Result<()> {
    let watched = plan.triggers.watched();
    for (index, stage) in plan.stages.iter().enumerate() {
        let is_of_all = |trigger: &&mut Trigger| trigger.fired && trigger.stage == stage.name;
        let mut fired = triggers.iter_mut().filter(is_of_all).peekable();
        if fired.peek().is_none() {
            continue;
        }
        let arms = (cube.minute_sums(index, Arm::Treated)?, cube.minute_sums(index, Arm::Control)?);
        for trigger in fired {
            let watch = watched.iter().find(|watch| watch.name == trigger.trigger);
            let (from, to) = (seconds(&trigger.from) / 60, seconds(&trigger.to) / 60);
            let (treated, control) = (Lived::of(&arms.0, from, to), Lived::of(&arms.1, from, to));
            let Some(watch) = watch.filter(|_| control.n > 0) else { continue };
            trigger.control_only = trigger.scope == Arm::All.name() && treated.kept(watch, plan, data);
            let rose = rise_p_value((control.failures, control.n), (treated.failures, treated.n)) < WORSE_LEVEL;
            let shared = control.n >= FEWEST_OF_CONTROL && !control.kept(watch, plan, data);
            let worse = rose && is_of_failures(watch, plan);
            trigger.both_arms = shared && !trigger.control_only && !worse;
        }
    }
    Ok(())
}
