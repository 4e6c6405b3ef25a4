//! What the split explains of an improvement: control and treated of the same hours, pooled over the stages that have
//! both (methodology 6). The environment changes between a baseline and a final stage; within an hour it does not.

use std::collections::BTreeSet;

use super::criteria;
use super::group::StageData;
use super::improvements::{better, status};
use super::pair::place_of;
use super::strata::NO_CHANCE_Z;
use crate::config::{Bound, Form, Plan};
use crate::cube::slice::Arm;
use crate::format;
use crate::metric::{Estimator, Metric, Unit};
use crate::report::model::{
    Comparison, ComparisonKind, Criterion, Improvement, LEAST_COVERED, MeasureSource, SameHours, SplitStatus, Stage,
    Status,
};
use stagegate_stats::chi_square::upper_tail;
use stagegate_stats::clusters::FEWEST_CLUSTERS;
use stagegate_stats::{Interval, Level};

/// Fewest treated records of a stage that is pooled.
const FEWEST_TREATED: u64 = 10;
/// The same hours know as much as the baseline where their interval is at most so many times as wide.
const AS_SURE: f64 = 2.0;
/// Level of Cochran's Q: stages that contradict each other beyond it are not one effect.
const CONTRADICTION_LEVEL: f64 = 0.01;

/// The effect within one stage, on the logarithm of the ratio.
struct Effect {
    stage: usize,
    log_ratio: f64,
    log_error: f64,
}

/// The stages within which control and treated can be compared.
pub(super) struct Within<'a> {
    plan: &'a Plan,
    data: &'a [StageData],
    comparisons: &'a [Comparison],
    /// Split as set, with at least 8 hours that both arms share.
    sound: Vec<usize>,
}

impl<'a> Within<'a> {
    pub(super) fn new(plan: &'a Plan, data: &'a [StageData], stages: &[Stage], comparisons: &'a [Comparison]) -> Self {
        let is_sound = |stage: &usize| {
            let data = &data[*stage];
            let hours = |arm| -> BTreeSet<i64> {
                data.arm(arm).hours.iter().filter(|hour| hour.uploads > 0).map(|hour| hour.hour).collect()
            };
            let shared = hours(Arm::Treated).intersection(&hours(Arm::Control)).count();
            stages[*stage].split.status != SplitStatus::Mismatch
                && shared >= FEWEST_CLUSTERS
                && data.arm(Arm::Treated).uploads() >= FEWEST_TREATED
        };
        Self { plan, data, comparisons, sound: (0..stages.len()).filter(is_sound).collect() }
    }

    /// Judges improvements by their effect within the stages, where there is one; throughput depends on the share of
    /// the traffic that an arm gets, and has none.
    pub(super) fn judge(&self, improvements: &mut [Improvement]) {
        for (improvement, asked) in improvements.iter_mut().zip(&self.plan.improvements) {
            let Some(metric) = self.plan.metric(&asked.metric) else { continue };
            if improvement.value.is_none() {
                continue;
            }
            let Some(ratio) = self.of_metric(metric) else { continue };
            let same = if asked.form == Form::Reduction { reduction(ratio) } else { ratio };
            if improvement.status != Status::NotJudged && decides(&same, improvement, self.plan.analysis.level()) {
                improvement.status = status(true, same.ci, improvement.target, better(asked.form, metric));
            }
            improvement.same_hours = Some(same);
        }
    }

    /// The ratio of treated to control within the stages, where it can be told.
    fn of_metric(&self, metric: &Metric) -> Option<SameHours> {
        if !is_of_records(metric, self.data) {
            return None;
        }
        let ((ratio, interval), used) = pooled(self.plan, &self.effects(metric))?;
        let stages = used.into_iter().map(|stage| self.plan.stages[stage].name.clone()).collect();
        Some(SameHours { value: ratio, ci: Some(interval.holding(ratio)), stages })
    }

    /// The same to be shown: where no stage has events in both arms, so that no logarithm can be pooled, the stage with
    /// most treated records.
    pub(super) fn told(&self, metric: &Metric) -> Option<SameHours> {
        let of_largest = || {
            let known = self.of_stages(metric).filter_map(|(stage, comparison)| {
                let crude = comparison.crude.as_ref()?;
                let ends = crude.ci.filter(|ends| ends.high.is_finite())?;
                Some((comparison.n?[1], stage, crude.ratio, ends))
            });
            let (_, stage, value, ends) = known.max_by_key(|(treated, ..)| *treated)?;
            Some(SameHours { value, ci: Some(ends), stages: vec![self.plan.stages[stage].name.clone()] })
        };
        if !is_of_records(metric, self.data) {
            return None;
        }
        self.of_metric(metric).or_else(of_largest)
    }

    /// The comparison of each stage.
    fn of_stages(&self, metric: &Metric) -> impl Iterator<Item = (usize, &'a Comparison)> {
        self.sound.iter().filter_map(|&stage| {
            let candidate = place_of(self.plan, stage, Arm::Treated);
            let of_stage = self.comparisons.iter().find(|comparison| {
                comparison.kind == ComparisonKind::Concurrent
                    && comparison.metric == metric.id
                    && comparison.segment.is_empty()
                    && comparison.candidate == candidate
            });
            of_stage.map(|comparison| (stage, comparison))
        })
    }

    /// Each with the mix held still where most of it can be, else as it is.
    fn effects(&self, metric: &Metric) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (stage, comparison) in self.of_stages(metric) {
            let adjusted = comparison.adjusted.as_ref().filter(|adjusted| adjusted.mix_covered >= LEAST_COVERED);
            let adjusted = adjusted.map(|adjusted| (adjusted.ratio, adjusted.ci));
            let crude = comparison.crude.as_ref().map(|crude| (crude.ratio, crude.ci));
            let Some((ratio, Some(ends))) = adjusted.filter(|(_, ci)| ci.is_some()).or(crude) else { continue };
            if ratio > 0.0 && ends.low > 0.0 && ends.high.is_finite() && ends.high > ends.low {
                let log_error = (ends.high / ends.low).ln() / (2.0 * self.plan.analysis.level().z());
                effects.push(Effect { stage, log_ratio: ratio.ln(), log_error });
            }
        }
        effects
    }

    /// Judges what is held against the baseline by the control of the same hours, where a stage has one that knows as much.
    pub(super) fn judge_criteria(&self, criteria: &mut [Criterion]) {
        for criterion in criteria {
            let Some(index) = self.plan.stages.iter().position(|stage| stage.name == criterion.stage) else { continue };
            let asked = self.plan.stages[index].criteria().iter().find(|asked| asked.word() == criterion.metric);
            let relative = |bound| matches!(bound, Bound::AtLeastTimesBaseline(_) | Bound::AtMostTimesBaseline(_));
            let Some(asked) = asked.filter(|asked| asked.bound().is_some_and(relative)) else { continue };
            let Some(metric) = self.plan.metric(&asked.metric).filter(|metric| is_of_records(metric, self.data)) else {
                continue;
            };
            let (Some(value), Some(since)) = (criterion.value, criterion.ci) else { continue };
            let effects = self.effects(metric);
            let Some(effect) = effects.into_iter().find(|effect| effect.stage == index) else { continue };
            let Some(((ratio, within), _)) = pooled(self.plan, &[effect]) else { continue };
            if !as_sure(within, since, self.plan.analysis.level()) || criterion.scope != Arm::Treated.name() {
                continue;
            }
            criterion.definition = format!("{} / that of the control in the same hours", metric.label.to_lowercase());
            criterion.reason = Some(format!(
                "against the control of the same hours; against the baseline {}",
                format::estimate(value, Some(since), &Unit::Ratio)
            ));
            criterion.value = Some(ratio);
            criterion.ci = Some(within.holding(ratio));
            criterion.status = criteria::status(criterion.ci, criterion.direction, criterion.threshold);
        }
    }
}

/// A ratio as what is less of it.
fn reduction(ratio: SameHours) -> SameHours {
    let value = 1.0 - ratio.value;
    let ci = ratio.ci.map(|ends| ends.turned(|end| 1.0 - end).holding(value));
    SameHours { value, ci, ..ratio }
}

/// Whether an interval within the hours knows as much as one since the baseline, or contradicts it.
fn as_sure(within: Interval, since: Interval, level: Level) -> bool {
    let width = |ends: Interval| ends.high - ends.low;
    // A contradiction is one beyond 99.9 %: the interval as much wider as its quantile is.
    let middle = f64::midpoint(within.low, within.high);
    let reach = width(within) / 2.0 * NO_CHANCE_Z / level.z();
    let contradicts = Interval::new(middle - reach, middle + reach).is_some_and(|wide| wide.is_apart_from(since));
    contradicts || width(within) <= AS_SURE * width(since)
}

/// Whether the same hours decide: where they know as much as the baseline does, or contradict it. A split that is too small
/// to say anything leaves the change since the baseline as it is.
pub(super) fn decides(same: &SameHours, improvement: &Improvement, level: Level) -> bool {
    same.ci.zip(improvement.ci).is_some_and(|(within, since)| as_sure(within, since, level))
}

/// Whether records of both arms carry it: samples of a process belong to no arm.
fn is_of_records(metric: &Metric, data: &[StageData]) -> bool {
    match metric.estimator {
        Estimator::RecordThroughput | Estimator::VolumeThroughput | Estimator::Concurrency | Estimator::Maximum => {
            false
        }
        estimator => estimator.measure().is_none_or(|index| {
            data.iter()
                .filter_map(|stage| stage.arm(Arm::Treated).measure(index))
                .all(|measure| measure.source == MeasureSource::Records)
        }),
    }
}

/// The ratio with its interval, and the stages that it is made of.
fn pooled(plan: &Plan, effects: &[Effect]) -> Option<((f64, Interval), Vec<usize>)> {
    let weight = |effect: &Effect| 1.0 / (effect.log_error * effect.log_error);
    let weights: f64 = effects.iter().map(weight).sum();
    let mean = effects.iter().map(|effect| weight(effect) * effect.log_ratio).sum::<f64>() / weights;
    // Cochran 1954.
    let q: f64 = effects.iter().map(|effect| weight(effect) * (effect.log_ratio - mean).powi(2)).sum();
    let others = effects.len() as f64 - 1.0;
    let contradict = effects.len() > 1 && upper_tail(q, others) < CONTRADICTION_LEVEL;
    // Stages that scatter more than their errors say make all of them larger (Birge 1932).
    let scatter = if effects.len() > 1 { (q / others).max(1.0) } else { 1.0 };
    let (log_ratio, log_error, used) = match (effects.last()?, contradict) {
        (last, true) => (last.log_ratio, last.log_error, vec![last.stage]),
        _ => (mean, (scatter / weights).sqrt(), effects.iter().map(|effect| effect.stage).collect()),
    };
    let reach = plan.analysis.level().z() * log_error;
    let interval = Interval::new((log_ratio - reach).exp(), (log_ratio + reach).exp())?;
    Some(((log_ratio.exp(), interval), used))
}
