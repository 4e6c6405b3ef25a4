//! How uploads find the stages of a daily plan: first the stage of the rollout, then the day.

use super::sections::Stage;
use super::values::EpochNanos;
use crate::zone::Zone;

/// The days that a daily plan tells apart.
#[derive(Debug, Clone)]
pub struct ByDay {
    /// The rollout's own stages, which place an upload.
    pub stages: Vec<Stage>,
    /// Its baseline among them.
    pub baseline: usize,
    /// That of the day.
    pub today: usize,
    /// The day, since 1970-01-01.
    pub day: i64,
    /// The moments with which the day before, the day, and the day after begin.
    midnights: [EpochNanos; 3],
}

/// Positions of the stages of a daily plan.
const BASELINE: usize = 0;
const DAY_BEFORE: usize = 1;
const DAY: usize = 2;

impl ByDay {
    /// The day, since 1970-01-01, of a rollout whose stages are these; `today` is the one of that day.
    pub fn new(stages: Vec<Stage>, (baseline, today): (usize, usize), day: i64, zone: Zone) -> Self {
        Self { stages, baseline, today, day, midnights: [day - 1, day, day + 1].map(|day| zone.start_of_day(day)) }
    }

    /// The stage of the day.
    pub fn stage_of_day(&self) -> &Stage {
        &self.stages[self.today]
    }

    /// The stage of a daily plan for an upload that its rollout places in `stage` and that ended at
    /// `end`; `None` for other days.
    pub fn stage(&self, stage: usize, end: EpochNanos) -> Option<usize> {
        let [day_before, day, day_after] = self.midnights;
        match end {
            _ if end >= day_after => None,
            _ if end >= day => Some(DAY),
            _ if end >= day_before => Some(DAY_BEFORE),
            _ => (stage == self.baseline).then_some(BASELINE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_takes_its_uploads_and_the_baseline_those_before() {
        let by_day = ByDay::new(Vec::new(), (0, 3), 10, Zone::default());
        let at = |day: i64| day * 24 * 3600 * 1_000_000_000 + 5;
        assert_eq!([by_day.stage(3, at(10)), by_day.stage(3, at(9)), by_day.stage(3, at(8))], [Some(2), Some(1), None]);
        assert_eq!([by_day.stage(0, at(3)), by_day.stage(0, at(12))], [Some(0), None]);
    }
}
