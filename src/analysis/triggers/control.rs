//! Incidents of all records in which what was treated kept the bound: the control lived through them alone, and nothing
//! that a rollback would mend.

use crate::analysis::figure::point;
use crate::analysis::group::StageData;
use crate::config::{Bound, Plan};
use crate::cube::Cube;
use crate::cube::histogram::{Grid, Histogram};
use crate::cube::slice::{Arm, MinuteSums};
use crate::error::Result;
use crate::metric::{Distribution, Estimator};
use crate::report::model::Trigger;

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
}

/// Marks the incidents of scope `all` that are of the control alone.
///
/// # Errors
/// The cube is damaged.
pub(super) fn mark(plan: &Plan, cube: &Cube, data: &[StageData], triggers: &mut [Trigger]) -> Result<()> {
    let minute = |rfc3339: &str| chrono::DateTime::parse_from_rfc3339(rfc3339).map_or(0, |time| time.timestamp() / 60);
    let watched = plan.triggers.watched();
    for trigger in triggers.iter_mut().filter(|trigger| trigger.fired && trigger.scope == Arm::All.name()) {
        let watch = watched.iter().find(|watch| watch.name == trigger.trigger);
        let Some(metric) = watch.and_then(|watch| plan.metric(&watch.metric)) else { continue };
        let Some(stage) = plan.stages.iter().position(|stage| stage.name == trigger.stage) else { continue };
        let (from, to) = (minute(&trigger.from), minute(&trigger.to));
        let of = |arm| Ok::<_, crate::error::Error>(Lived::of(&cube.minute_sums(stage, arm)?, from, to));
        let (treated, control) = (of(Arm::Treated)?, of(Arm::Control)?);
        if control.n == 0 {
            continue;
        }
        let watch_bound = watch.and_then(crate::config::Watch::bound);
        trigger.control_only = match (metric.estimator, watch_bound) {
            _ if treated.n == 0 => true,
            (Estimator::Rate(_), Some(Bound::AtLeast(success))) => treated.failure_rate() <= 1.0 - success,
            (Estimator::Rate(_), Some(Bound::AtMost(failure))) => treated.failure_rate() <= failure,
            (Estimator::Quantile(Distribution::Latency, q), Some(bound)) => {
                let baseline = || Some(point(data[plan.baseline()?].arm(Arm::All), metric.estimator).ok()?.0);
                let limit = match bound {
                    Bound::AtMost(ms) => Some(ms),
                    Bound::AtMostTimesBaseline(times) => baseline().map(|ms| ms * times),
                    _ => None,
                };
                let told = treated.durations.quantile(Grid::MINUTE, q);
                limit.zip(told).is_some_and(|(limit, told)| told <= limit)
            }
            _ => false,
        };
    }
    Ok(())
}
