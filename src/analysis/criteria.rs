//! Did each stage reach what the plan asked of it (methodology 8)?

use rayon::prelude::*;

use super::figure::{NotMeasured, headline_latency, rate};
use super::group::{GroupData, StageData};
use super::pair::pair_id;
use super::ratio;
use crate::config::{Plan, Scope};
use crate::cube::slice::Arm;
use crate::metric::Share;
use crate::report::model::{Criterion, CriterionMetric, Direction, FigureWarning, Status};
use stagegate_stats::Interval;
use stagegate_stats::clusters::FEWEST_CLUSTERS;
use stagegate_stats::proportion::{detectable_difference, more_needed};

/// The criteria of every stage, in the order of the plan.
pub fn criteria(plan: &Plan, data: &[StageData]) -> Vec<Criterion> {
    let stages = plan.stages.par_iter().zip(data).map(|(stage, data_of_stage)| {
        let asked = &stage.criteria;
        let (scope, group) = match asked.scope {
            Scope::All => ("all", data_of_stage.arm(Arm::All)),
            Scope::Treated => ("treated", data_of_stage.arm(Arm::Treated)),
        };
        let question =
            |metric, direction, threshold| Question { stage: &stage.name, scope, metric, direction, threshold };
        let mut criteria = Vec::new();
        if let Some(threshold) = asked.success_rate {
            let question = question(CriterionMetric::SuccessRate, Direction::AtLeast, threshold);
            criteria.push(question.answer(of_rate(plan, group, Share::Successes, threshold)));
        }
        if let Some(threshold) = asked.error_rate {
            let question = question(CriterionMetric::ErrorRate, Direction::AtMost, threshold);
            criteria.push(question.answer(of_rate(plan, group, Share::Failures, threshold)));
        }
        if let Some(threshold) = asked.latency_vs_baseline {
            let question = question(CriterionMetric::LatencyVsBaseline, Direction::AtMost, threshold);
            criteria.push(question.answer(latency_vs_baseline(plan, data, group, threshold)));
        }
        if let Some(threshold) = asked.uploads {
            let question = question(CriterionMetric::Uploads, Direction::AtLeast, threshold as f64);
            // A stage that has not begun has not failed.
            criteria.push(match data_of_stage.arm(Arm::All).uploads() {
                0 => question.answer(Err("no uploads".into())),
                _ => question.count(group.uploads()),
            });
        }
        criteria
    });
    stages.collect::<Vec<_>>().into_iter().flatten().collect()
}

/// What is asked of a stage.
struct Question<'a> {
    stage: &'a str,
    scope: &'a str,
    metric: CriterionMetric,
    direction: Direction,
    threshold: f64,
}

/// What was measured for it.
struct Answer {
    value: f64,
    interval: Option<Interval>,
    n: u64,
    /// More uploads that would settle it, were it inconclusive.
    more_needed: Option<u64>,
    /// The smallest distance from the threshold that would have been seen.
    detectable: Option<f64>,
    few_hours: bool,
}

impl Question<'_> {
    fn criterion(&self) -> Criterion {
        Criterion {
            stage: self.stage.into(),
            metric: self.metric,
            scope: self.scope.into(),
            value: None,
            ci: None,
            n: 0,
            threshold: self.threshold,
            direction: self.direction,
            status: Status::NotMeasured,
            more_uploads_needed: None,
            smallest_detectable: None,
            reason: None,
            warnings: Vec::new(),
        }
    }

    fn answer(&self, answer: Result<Answer, NotMeasured>) -> Criterion {
        let answer = match answer {
            Ok(answer) => answer,
            Err(reason) => return Criterion { reason: Some(reason), ..self.criterion() },
        };
        let status = status(answer.interval, self.direction, self.threshold);
        let mut warnings = Vec::new();
        if answer.few_hours {
            warnings.push(FigureWarning::FewHours);
        }
        if answer.interval.is_none() {
            warnings.push(FigureWarning::TooFewUploads);
        }
        Criterion {
            value: Some(answer.value),
            ci: answer.interval,
            n: answer.n,
            status,
            more_uploads_needed: answer.more_needed.filter(|_| status == Status::Inconclusive),
            smallest_detectable: answer.detectable,
            warnings,
            ..self.criterion()
        }
    }

    /// Counts have no interval: they are what they are.
    fn count(&self, uploads: u64) -> Criterion {
        let reached = uploads as f64 >= self.threshold;
        Criterion {
            value: Some(uploads as f64),
            n: uploads,
            status: if reached { Status::Met } else { Status::NotMet },
            ..self.criterion()
        }
    }
}

/// By the interval: met or not met only where all of it lies on one side of the threshold.
fn status(interval: Option<Interval>, direction: Direction, threshold: f64) -> Status {
    match (interval, direction) {
        (Some(Interval { low, .. }), Direction::AtLeast) if low >= threshold => Status::Met,
        (Some(Interval { high, .. }), Direction::AtLeast) if high < threshold => Status::NotMet,
        (Some(Interval { high, .. }), Direction::AtMost) if high <= threshold => Status::Met,
        (Some(Interval { low, .. }), Direction::AtMost) if low > threshold => Status::NotMet,
        _ => Status::Inconclusive,
    }
}

fn of_rate(plan: &Plan, group: &GroupData, share: Share, threshold: f64) -> Result<Answer, NotMeasured> {
    let level = plan.analysis.level();
    let rate = rate(group, share, level)?;
    let (_, n) = rate.effective();
    Ok(Answer {
        value: rate.value(),
        interval: rate.interval(),
        n: rate.n,
        more_needed: more_needed(rate.value(), rate.n, rate.design_effect.divisor, threshold, level),
        detectable: detectable_difference(n, threshold, level),
        few_hours: rate.hours < FEWEST_CLUSTERS as u64,
    })
}

fn latency_vs_baseline(
    plan: &Plan,
    data: &[StageData],
    group: &GroupData,
    threshold: f64,
) -> Result<Answer, NotMeasured> {
    if group.uploads() == 0 {
        return Err("no uploads".into());
    }
    let baseline = data[plan.baseline().ok_or("no baseline")?].arm(Arm::All);
    let estimator = headline_latency(plan.analysis.latency_statistic);
    let ratio =
        ratio::of_groups(&plan.analysis, baseline, group, estimator, &pair_id(plan, baseline, group, estimator))?;
    Ok(Answer {
        value: ratio.value,
        interval: ratio.interval,
        n: ratio.n[1],
        more_needed: ratio.interval.and_then(|interval| more_for_ratio(ratio.value, interval, ratio.n[1], threshold)),
        detectable: ratio.detectable.map(|factor| threshold * (factor - 1.0)),
        few_hours: ratio.few_hours,
    })
}

/// How many more uploads would pull the interval's near end to the threshold, if its width fell
/// with the square root of n; a rough guide, as the baseline's share of the width stays.
fn more_for_ratio(value: f64, Interval { low, high }: Interval, n: u64, threshold: f64) -> Option<u64> {
    let reach = if value > threshold { value - low } else { high - value };
    let distance = (value - threshold).abs();
    if distance <= 0.0 || reach <= 0.0 {
        return None;
    }
    let times = (reach / distance).powi(2);
    let more = (n as f64 * (times - 1.0)).ceil();
    (more > 0.0 && more < 1e12).then_some(more as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_that_holds_the_threshold_settles_nothing() {
        let at_least = |low, high| status(Interval::new(low, high), Direction::AtLeast, 0.98);
        assert_eq!(at_least(0.98, 0.99), Status::Met);
        assert_eq!(at_least(0.979, 0.99), Status::Inconclusive);
        assert_eq!(at_least(0.95, 0.98), Status::Inconclusive);
        assert_eq!(at_least(0.95, 0.979), Status::NotMet);
        let at_most = |low, high| status(Interval::new(low, high), Direction::AtMost, 0.02);
        assert_eq!(at_most(0.0, 0.02), Status::Met);
        assert_eq!(at_most(0.019, 0.021), Status::Inconclusive);
        assert_eq!(at_most(0.021, 0.03), Status::NotMet);
        assert_eq!(status(None, Direction::AtMost, 0.02), Status::Inconclusive);
    }

    #[test]
    fn four_times_the_uploads_halve_the_interval() {
        let wide = Interval::new(0.9, 1.1).unwrap();
        assert_eq!(more_for_ratio(1.0, wide, 100, 1.05), Some(300));
        assert_eq!(more_for_ratio(1.05, wide, 100, 1.05), None);
    }
}
