//! How uploads find the stages of a daily plan: first the stage of the rollout, then the day.

use super::sections::Stage;
use super::values::EpochNanos;

const NANOS_PER_DAY: i64 = 24 * 3600 * 1_000_000_000;

/// The days that a daily plan tells apart.
#[derive(Debug, Clone)]
pub struct ByDay {
    /// The rollout's own stages, which place an upload.
    pub stages: Vec<Stage>,
    /// Its baseline among them.
    pub baseline: usize,
    /// Days since 1970-01-01.
    pub day: i64,
}

/// Positions of the stages of a daily plan.
const BASELINE: usize = 0;
const DAY_BEFORE: usize = 1;
const DAY: usize = 2;

impl ByDay {
    /// The stage of a daily plan for an upload that its rollout places in `stage` and that ended at
    /// `end`; `None` for other days.
    pub fn stage(&self, stage: usize, end: EpochNanos) -> Option<usize> {
        let day = end.div_euclid(NANOS_PER_DAY);
        match day - self.day {
            0 => Some(DAY),
            -1 => Some(DAY_BEFORE),
            _ if stage == self.baseline && day < self.day => Some(BASELINE),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_takes_its_uploads_and_the_baseline_those_before() {
        let by_day = ByDay { stages: Vec::new(), baseline: 0, day: 10 };
        let at = |day: i64| day * NANOS_PER_DAY + 5;
        assert_eq!([by_day.stage(3, at(10)), by_day.stage(3, at(9)), by_day.stage(3, at(8))], [Some(2), Some(1), None]);
        assert_eq!([by_day.stage(0, at(3)), by_day.stage(0, at(12))], [Some(0), None]);
    }
}
