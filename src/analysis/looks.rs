//! What holds however often one looks (methodology 7): `check` in CI and a daily report look at a stage again and again,
//! and an interval of one look is wrong at some of many looks far more often than it says.

use super::criteria;
use super::figure::rate;
use super::group::StageData;
use super::improvements::{better, status};
use super::same_hours::decides;
use crate::config::{Bound, Form, Looks, Plan, RECORDS, Scope};
use crate::cube::slice::Arm;
use crate::metric::Estimator;
use crate::report::model::{Criterion, Improvement, SameHours, Status};
use stagegate_stats::looks::every_look;
use stagegate_stats::{Interval, Level};

/// Daily reports of which at most one in twenty rollouts has a wrong one: two weeks of them.
const DAYS: f64 = 14.0;

/// Lets statuses follow intervals that hold at every look, where a stage says how many records it plans.
pub(super) fn judge(plan: &Plan, data: &[StageData], improvements: &mut [Improvement]) {
    if !asked(plan) {
        return;
    }
    let once = plan.analysis.level();
    for (improvement, asked) in improvements.iter_mut().zip(&plan.improvements) {
        let (Some(metric), Some(target)) = (plan.metric(&asked.metric), improvement.target) else { continue };
        if !matches!(improvement.status, Status::Met | Status::Exceeded | Status::NotMet | Status::Open) {
            continue;
        }
        let same_hours = improvement.same_hours.as_ref().filter(|same| decides(same, improvement, once));
        let (value, interval, stages) = match same_hours {
            Some(SameHours { value, ci, stages }) => (Some(*value), *ci, of_names(plan, stages)),
            None => (improvement.value, improvement.ci, vec![plan.final_stage()]),
        };
        let Some((value, interval)) = value.zip(interval) else { continue };
        let Some(information) = information(plan, data, &stages) else { continue };
        let level = every_look(information, once);
        let ends = match asked.form {
            // On the scale of the ratio.
            Form::Reduction => {
                let turned = |end: f64| 1.0 - end;
                widened(interval.turned(turned), turned(value), level, once).turned(turned)
            }
            Form::Ratio => widened(interval, value, level, once),
        };
        improvement.status = status(true, Some(ends), Some(target), better(asked.form, metric));
        (improvement.ci_every_look, improvement.information) = (Some(ends), Some(information));
    }
}

/// The same of the criteria.
pub(super) fn judge_criteria(plan: &Plan, data: &[StageData], criteria: &mut [Criterion]) {
    if plan.analysis.looks != Looks::Every {
        return;
    }
    let once = plan.analysis.level();
    // Each day is a sample of its own, one of many that are looked at (Bonferroni).
    let of_a_day = plan.by_day.as_ref().map(|_| Level::leaving_out(2.0 * once.tail() / DAYS));
    for criterion in criteria.iter_mut().filter(|criterion| criterion.metric != RECORDS) {
        let Some(stage) = plan.stages.iter().position(|stage| stage.name == criterion.stage) else { continue };
        let (Some(value), Some(interval)) = (criterion.value, criterion.ci) else { continue };
        let information = if of_a_day.is_some() { None } else { information(plan, data, &[stage]) };
        let Some(level) = of_a_day.or_else(|| Some(every_look(information?, once))) else { continue };
        let ends =
            of_rate(plan, data, stage, criterion, level).unwrap_or_else(|| widened(interval, value, level, once));
        let ends = ends.holding(value);
        criterion.status = criteria::status(Some(ends), criterion.direction, criterion.threshold);
        (criterion.ci_every_look, criterion.information) = (Some(ends), information);
    }
}

/// Of a day no improvement is judged.
fn asked(plan: &Plan) -> bool {
    plan.analysis.looks == Looks::Every && plan.by_day.is_none()
}

fn of_names(plan: &Plan, names: &[String]) -> Vec<usize> {
    (0..plan.stages.len()).filter(|stage| names.contains(&plan.stages[*stage].name)).collect()
}

/// Records of the stages over those that their plans ask for, above 0; `None` where a stage asks for no number.
fn information(plan: &Plan, data: &[StageData], stages: &[usize]) -> Option<f64> {
    let (mut seen, mut planned) = (0, 0.0);
    for stage in stages {
        let asked = plan.stages[*stage].criteria().iter().find(|asked| asked.metric == RECORDS)?;
        let Some(Bound::AtLeast(count)) = asked.bound() else { return None };
        let arm = if asked.scope == Some(Scope::All) { Arm::All } else { Arm::Treated };
        seen += data[*stage].arm(arm).uploads();
        planned += count;
    }
    (seen > 0 && planned > 0.0).then(|| seen as f64 / planned)
}

/// The interval of a rate at a level of its own: Wilson's needs no stretching.
fn of_rate(plan: &Plan, data: &[StageData], stage: usize, criterion: &Criterion, level: Level) -> Option<Interval> {
    let asked = plan.stages[stage].criteria().iter().find(|asked| asked.word() == criterion.metric)?;
    if !matches!(asked.bound()?, Bound::AtLeast(_) | Bound::AtMost(_)) {
        return None;
    }
    let Estimator::Rate(share) = plan.metric(&asked.metric)?.estimator else { return None };
    let arm = Arm::ALL.into_iter().find(|arm| arm.name() == criterion.scope)?;
    rate(data[stage].arm(arm), share, level).ok()?.interval()
}

/// An interval of one look as wide as one of the other level, on the logarithmic scale. One that begins at 0 for want of
/// events grows with the square of its quantile, as a score interval does.
fn widened(interval: Interval, value: f64, level: Level, once: Level) -> Interval {
    let factor = level.z() / once.z();
    if interval.low > 0.0 {
        return interval.stretched(value, factor);
    }
    Interval { low: interval.low, high: value + (interval.high - value) * factor * factor }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_as_much_wider_as_its_quantile() {
        let twice = Level::of_z(2.0 * Level::P95.z());
        let of = |low, high, value| widened(Interval { low, high }, value, twice, Level::P95);
        let Interval { low, high } = of(0.5, 2.0, 1.0);
        assert!((low - 0.25).abs() < 1e-12 && (high - 4.0).abs() < 1e-12, "{low} {high}");
        assert_eq!(of(0.0, 0.01, 0.0), Interval { low: 0.0, high: 0.04 });
    }
}
