//! Did each stage reach what the plan asked of it (methodology 8)?

use rayon::prelude::*;
use stagegate_stats::Interval;
use stagegate_stats::clusters::FEWEST_CLUSTERS;
use stagegate_stats::dependence::Dependence;
use stagegate_stats::proportion::{detectable_difference, more_needed};

use super::figure::{NOTHING, NotMeasured, dependence_warning, figure, rate};
use super::group::{GroupData, StageData};
use super::pair::pair_id;
use super::ratio;
use crate::config::{self, Bound, HEADLINE_LATENCY, Mode, Plan, RECORDS, Scope, THROUGHPUT};
use crate::cube::slice::Arm;
use crate::metric::{Estimator, Metric, Share, Unit};
use crate::report::model::{Criterion, Direction, FigureWarning, Status};

/// The criteria of every stage, in the order of the plan.
pub(super) fn criteria(plan: &Plan, data: &[StageData]) -> Vec<Criterion> {
    let stages = plan.stages.par_iter().zip(data).map(|(stage, data_of_stage)| {
        let asked = stage.criteria().iter();
        asked.filter_map(|asked| Some(Question::new(plan, &stage.name, asked)?.ask(data, data_of_stage))).collect()
    });
    stages.collect::<Vec<Vec<Criterion>>>().into_iter().flatten().collect()
}

/// What is asked of a stage.
struct Question<'a> {
    plan: &'a Plan,
    stage: &'a str,
    asked: &'a config::Criterion,
    /// `None` for the number of records.
    metric: Option<&'a Metric>,
    arm: Arm,
    direction: Direction,
    threshold: f64,
    /// Whether the threshold is times the baseline's value.
    is_relative: bool,
}

impl<'a> Question<'a> {
    /// `None` for what the config's validation refuses.
    fn new(plan: &'a Plan, stage: &'a str, asked: &'a config::Criterion) -> Option<Self> {
        let (direction, threshold, is_relative) = match asked.bound()? {
            Bound::AtLeast(value) => (Direction::AtLeast, value, false),
            Bound::AtMost(value) => (Direction::AtMost, value, false),
            Bound::AtLeastTimesBaseline(times) => (Direction::AtLeast, times, true),
            Bound::AtMostTimesBaseline(times) => (Direction::AtMost, times, true),
        };
        let metric = if asked.metric == RECORDS { None } else { Some(plan.metric(&asked.metric)?) };
        let arm = if asked.scope == Some(Scope::All) { Arm::All } else { Arm::Treated };
        Some(Self { plan, stage, asked, metric, arm, direction, threshold, is_relative })
    }

    fn ask(&self, data: &[StageData], stage: &StageData) -> Criterion {
        let group = stage.arm(self.arm);
        let Some(metric) = self.metric else {
            // A stage that has not begun has not failed.
            return match stage.arm(Arm::All).uploads() {
                0 => self.answer(Err(NOTHING.into())),
                _ => self.count(group.uploads()),
            };
        };
        self.answer(match (metric.estimator, self.is_relative) {
            (estimator, true) => self.against_baseline(data, group, estimator),
            (Estimator::Rate(share), false) => self.of_rate(group, share),
            (estimator, false) => self.of_figure(group, estimator, &metric.id),
        })
    }
}

/// What was measured for it.
struct Answer {
    value: f64,
    interval: Option<Interval>,
    n: u64,
    /// More uploads that would settle it, were it open.
    more_needed: Option<u64>,
    /// The smallest distance from the threshold that would have been seen.
    detectable: Option<f64>,
    /// Of the figure or ratio behind it.
    warnings: Vec<FigureWarning>,
}

/// What a ratio says of its hours.
fn of_hours(few: bool, dependence: Dependence) -> Vec<FigureWarning> {
    few.then_some(FigureWarning::FewHours).into_iter().chain(dependence_warning(dependence)).collect()
}

impl Question<'_> {
    /// Label, unit and definition.
    fn words(&self) -> (String, Unit, String) {
        match self.metric {
            None => {
                let words = &self.plan.schema.words;
                (words.heading(), Unit::Count, format!("number of {}", words.many))
            }
            Some(metric) if self.is_relative => {
                let (name, of) = match self.asked.metric.as_str() {
                    HEADLINE_LATENCY => ("Latency".to_owned(), "headline latency".to_owned()),
                    THROUGHPUT => ("Throughput".to_owned(), "throughput".to_owned()),
                    _ => (metric.label.clone(), metric.label.to_lowercase()),
                };
                (format!("{name} vs baseline"), Unit::Ratio, format!("{of} / that of the baseline"))
            }
            Some(metric) => (metric.label.clone(), metric.unit.clone(), metric.definition.clone()),
        }
    }

    fn criterion(&self) -> Criterion {
        let (label, unit, definition) = self.words();
        Criterion {
            stage: self.stage.into(),
            metric: self.asked.word(),
            label,
            unit,
            definition,
            scope: self.arm.name().into(),
            value: None,
            ci: None,
            ci_every_look: None,
            information: None,
            n: 0,
            threshold: self.threshold,
            direction: self.direction,
            status: Status::NotMeasured,
            more_needed: None,
            smallest_detectable: None,
            reason: None,
            standing: None,
            trial: self.asked.mode == Mode::Trial,
            warnings: Vec::new(),
        }
    }

    fn answer(&self, answer: Result<Answer, NotMeasured>) -> Criterion {
        let answer = match answer {
            Ok(answer) => answer,
            Err(reason) => return Criterion { reason: Some(reason), ..self.criterion() },
        };
        let status = status(answer.interval, self.direction, self.threshold);
        let mut warnings = answer.warnings;
        if answer.interval.is_none() && !warnings.contains(&FigureWarning::TooFew) {
            warnings.push(FigureWarning::TooFew);
        }
        Criterion {
            value: Some(answer.value),
            ci: answer.interval,
            n: answer.n,
            status,
            more_needed: answer.more_needed.filter(|_| status == Status::Open),
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

    fn of_rate(&self, group: &GroupData, share: Share) -> Result<Answer, NotMeasured> {
        let level = self.plan.analysis.level();
        let rate = rate(group, share, level)?;
        let (_, n) = rate.effective();
        Ok(Answer {
            value: rate.value(),
            interval: rate.interval(),
            n: rate.n,
            more_needed: more_needed(rate.value(), rate.n, rate.design_effect.divisor, self.threshold, level),
            detectable: detectable_difference(n, self.threshold, level),
            warnings: of_hours(rate.hours < FEWEST_CLUSTERS as u64, rate.design_effect.dependence),
        })
    }

    fn of_figure(&self, group: &GroupData, estimator: Estimator, id: &str) -> Result<Answer, NotMeasured> {
        let seed = format!("stages.{}.{}.{id}", self.stage, self.arm.name());
        let figure = figure(group, estimator, &self.plan.analysis, &seed)?;
        Ok(Answer {
            value: figure.value,
            interval: figure.ci,
            n: figure.n,
            more_needed: figure.ci.and_then(|ci| more_for_ratio(figure.value, ci, figure.n, self.threshold)),
            detectable: None,
            warnings: figure.warnings,
        })
    }

    fn against_baseline(
        &self,
        data: &[StageData],
        group: &GroupData,
        estimator: Estimator,
    ) -> Result<Answer, NotMeasured> {
        if group.uploads() == 0 {
            return Err(NOTHING.into());
        }
        let plan = self.plan;
        let baseline = data[plan.baseline().ok_or("no baseline")?].arm(Arm::All);
        let id = pair_id(plan, baseline, group, estimator);
        let ratio = ratio::of_groups(&plan.analysis, baseline, group, estimator, &id)?;
        let more = |interval| more_for_ratio(ratio.value, interval, ratio.n[1], self.threshold);
        Ok(Answer {
            value: ratio.value,
            interval: ratio.interval,
            n: ratio.n[1],
            more_needed: ratio.interval.and_then(more),
            detectable: ratio.detectable.map(|factor| self.threshold * (factor - 1.0)),
            warnings: of_hours(ratio.few_hours, ratio.dependence),
        })
    }
}

/// By the interval: met or not met only where all of it lies on one side of the threshold.
pub(super) fn status(interval: Option<Interval>, direction: Direction, threshold: f64) -> Status {
    match (interval, direction) {
        (Some(Interval { low, .. }), Direction::AtLeast) if low >= threshold => Status::Met,
        (Some(Interval { high, .. }), Direction::AtLeast) if high < threshold => Status::NotMet,
        (Some(Interval { high, .. }), Direction::AtMost) if high <= threshold => Status::Met,
        (Some(Interval { low, .. }), Direction::AtMost) if low > threshold => Status::NotMet,
        _ => Status::Open,
    }
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
        assert_eq!(at_least(0.979, 0.99), Status::Open);
        assert_eq!(at_least(0.95, 0.98), Status::Open);
        assert_eq!(at_least(0.95, 0.979), Status::NotMet);
        let at_most = |low, high| status(Interval::new(low, high), Direction::AtMost, 0.02);
        assert_eq!(at_most(0.0, 0.02), Status::Met);
        assert_eq!(at_most(0.019, 0.021), Status::Open);
        assert_eq!(at_most(0.021, 0.03), Status::NotMet);
        assert_eq!(status(None, Direction::AtMost, 0.02), Status::Open);
    }

    #[test]
    fn four_times_the_uploads_halve_the_interval() {
        let wide = Interval::new(0.9, 1.1).unwrap();
        assert_eq!(more_for_ratio(1.0, wide, 100, 1.05), Some(300));
        assert_eq!(more_for_ratio(1.05, wide, 100, 1.05), None);
    }
}
