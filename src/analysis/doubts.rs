//! What stands against an improvement that looks reached: failures that took another name, an arm that gives up early,
//! traffic that changed, a rate that rose from nothing (methodology 6).

use std::collections::BTreeMap;

use stagegate_stats::ratio::{koopman, rise_p_value};

use super::figure::rate;
use super::group::{GroupData, StageData};
use super::improvements::{better, status};
use crate::config::{Form, Plan};
use crate::cube::slice::{Arm, HourSums};
use crate::format;
use crate::metric::{Better, Distribution, Estimator, Metric, Share, Unit};
use crate::report::changes::NOTHING_SUCCEEDED;
use crate::report::model::{Improvement, Stage, Status};

/// A rate rose where chance gives the later group so many of its events this rarely.
const ROSE_LEVEL: f64 = 0.01;
/// A throughput is comparable where the traffic alone would not have moved it by more.
const TRAFFIC_ALONE: f64 = 0.10;

/// Baseline and final stage, which every improvement is between.
struct Pair<'a> {
    plan: &'a Plan,
    reference: &'a GroupData,
    candidate: &'a GroupData,
    /// Failures by type.
    errors: [&'a BTreeMap<String, u64>; 2],
    /// Traffic of all arms.
    traffic: [&'a [HourSums]; 2],
}

/// Takes back what cannot be claimed, and says why.
pub(super) fn judge(plan: &Plan, data: &[StageData], stages: &[Stage], improvements: &mut [Improvement]) {
    let (Some(baseline), last) = (plan.baseline(), plan.final_stage()) else { return };
    let (reference, candidate) = (data[baseline].arm(Arm::All), data[last].arm(Arm::Treated));
    if reference.uploads() == 0 || candidate.uploads() == 0 {
        return;
    }
    let pair = Pair {
        plan,
        reference,
        candidate,
        errors: [&stages[baseline].groups.all.errors, &stages[last].groups.treated.errors],
        traffic: [&reference.hours, &data[last].arm(Arm::All).hours],
    };
    for (improvement, asked) in improvements.iter_mut().zip(&plan.improvements) {
        let Some(metric) = plan.metrics.find(&improvement.metric) else { continue };
        // Told as less, whether or not a target asks for it.
        let fell = improvement.value.is_some_and(|value| value > 0.0) && improvement.unit == Unit::Fraction;
        if metric.estimator == Estimator::Rate(Share::Timeouts) && improvement.value.is_none() {
            pair.judge_new_timeouts(improvement);
            continue;
        }
        if candidate.successes() == 0 {
            pair.nothing_succeeded(improvement, metric.estimator);
            continue;
        }
        let doubt = match metric.estimator {
            Estimator::Rate(Share::Timeouts) if fell => pair.other_failures(),
            Estimator::Quantile(Distribution::Latency, q) if fell => pair.survivors(q),
            Estimator::RecordThroughput | Estimator::VolumeThroughput => pair.traffic(),
            _ => None,
        };
        let doubt = doubt.or_else(|| lost_since_the_split(plan, stages, (improvement, asked.form), metric));
        if let Some(doubt) = doubt {
            improvement.reason = Some(doubt);
            if improvement.status != Status::NotJudged {
                improvement.status = Status::Open;
            }
        }
    }
}

/// What the split showed and the final stage has no more: nobody tells there whether the environment moved or the new way,
/// as no control is left beside it. So the split does not make of a miss a target that is met.
fn lost_since_the_split(
    plan: &Plan,
    stages: &[Stage],
    (improvement, form): (&Improvement, Form),
    metric: &Metric,
) -> Option<String> {
    let since = status(true, improvement.ci, improvement.target, better(form, metric));
    let by_the_split = matches!(improvement.status, Status::Met | Status::Exceeded | Status::Open);
    if !by_the_split || since != Status::NotMet {
        return None;
    }
    let of_split = improvement.same_hours.as_ref()?.stages.last()?;
    let split = stages.iter().position(|stage| stage.name == *of_split)?;
    let last = plan.final_stage();
    worse_since(&stages[split], &stages[last], metric).then(|| {
        let show = |stage: &Stage| {
            let figure = stage.groups.treated.figure(&metric.id);
            figure.map_or_else(String::new, |figure| format::estimate(figure.value, figure.ci, &metric.unit))
        };
        format!(
            "the {} were surely better in stage {of_split} ({}, now {}), and in stage {} no control tells why",
            plan.schema.words.treated,
            show(&stages[split]),
            show(&stages[last]),
            stages[last].name
        )
    })
}

/// Whether the treated of a later stage are surely worse than those of a stage that was split.
pub(super) fn worse_since(split: &Stage, later: &Stage, metric: &Metric) -> bool {
    let ends = |stage: &Stage| stage.groups.treated.figure(&metric.id).and_then(|figure| figure.ci);
    let Some((then, now)) = ends(split).zip(ends(later)) else { return false };
    match metric.better {
        Better::Lower => now.low > then.high,
        Better::Higher => now.high < then.low,
        Better::Neither => false,
    }
}

impl Pair<'_> {
    /// Timeouts that the baseline did not have: nothing to reduce, or worse.
    fn judge_new_timeouts(&self, improvement: &mut Improvement) {
        let level = self.plan.analysis.level();
        let of = |group| rate(group, Share::Timeouts, level).ok();
        let (Some(before), Some(after)) = (of(self.reference), of(self.candidate)) else { return };
        if before.events > 0 || improvement.status == Status::NotJudged {
            return;
        }
        if after.events == 0 {
            improvement.status = Status::NotJudged;
            improvement.reason = Some("no timeout before and none since: there is nothing to reduce".into());
        } else if rose((0, before.n), (after.events, after.n)) {
            improvement.status = Status::NotMet;
            let now = format::estimate(after.value(), after.interval(), &Unit::Fraction);
            improvement.reason = Some(format!("timeouts rose from 0 of {} to {now}", format::count(before.n)));
        }
    }

    /// Where all fails, nothing was saved.
    fn nothing_succeeded(&self, improvement: &mut Improvement, estimator: Estimator) {
        improvement.reason = Some(NOTHING_SUCCEEDED.into());
        if improvement.status == Status::NotJudged {
            return;
        }
        let is_throughput = matches!(estimator, Estimator::RecordThroughput | Estimator::VolumeThroughput);
        improvement.status = if is_throughput { Status::NotMet } else { Status::Open };
    }

    /// Whether fewer timeouts are fewer failures.
    fn other_failures(&self) -> Option<String> {
        let level = self.plan.analysis.level();
        let of = |group| rate(group, Share::Failures, level).ok();
        let (before, after) = (of(self.reference)?, of(self.candidate)?);
        let ((x2, n2), (x1, n1)) = (before.effective(), after.effective());
        let ratio = koopman(x1, n1, x2, n2, level)?;
        if ratio.high < 1.0 {
            return None;
        }
        let listed = |name: &str| self.plan.analysis.timeout_errors.iter().any(|known| known == name);
        let risen = self.errors[1].iter().filter(|(name, _)| !listed(name)).filter_map(|(name, now)| {
            let then = self.errors[0].get(name).copied().unwrap_or(0);
            rose((then, before.n), (*now, after.n)).then_some((name, then, *now))
        });
        let (name, then, now) = risen.max_by_key(|(_, _, now)| *now)?;
        let share = |count: u64, n: u64| format::value(count as f64 / n as f64, &Unit::Fraction);
        Some(format!(
            "all failures did not ({}): {name} rose from {} to {}",
            format::value(after.value() / before.value().max(f64::MIN_POSITIVE), &Unit::Ratio),
            share(then, before.n),
            share(now, after.n)
        ))
    }

    /// The same quantile with failures as infinitely slow: an arm that gives up early is no faster one.
    fn survivors(&self, q: f64) -> Option<String> {
        let failed = |group: &GroupData| 1.0 - group.successes() as f64 / group.uploads() as f64;
        if failed(self.candidate) <= failed(self.reference) {
            return None;
        }
        let of_all = |group: &GroupData| group.latency.quantile((q / (1.0 - failed(group))).min(1.0));
        let of_successes = |group: &GroupData| group.latency.quantile(q);
        let all = if q > 1.0 - failed(self.candidate) {
            f64::INFINITY
        } else {
            of_all(self.candidate)? / of_all(self.reference)?
        };
        let successes = of_successes(self.candidate)? / of_successes(self.reference)?;
        let differs = all / successes > 1.0 + self.plan.analysis.regression_margin;
        let told = if all.is_finite() { format::value(all, &Unit::Ratio) } else { "no end".into() };
        differs.then(|| format!("more failed: with failures as the slowest it is {told} of the baseline's"))
    }

    /// Throughput counts the seconds in which something was in flight: more traffic alone fills them better.
    fn traffic(&self) -> Option<String> {
        let group = self.reference;
        let duration_s =
            group.hours.iter().map(|hour| hour.duration_ns).sum::<i128>() as f64 / 1e9 / group.uploads() as f64;
        // Poisson arrivals of records as long as those of the baseline keep this share of an hour busy (M/G/infinity).
        let alone = |hours: &[HourSums]| {
            let (n, busy) = hours.iter().fold((0.0, 0.0), |(n, busy), hour| {
                let records = hour.uploads as f64;
                (n + records, busy + 3600.0 * (1.0 - (-records * duration_s / 3600.0).exp()))
            });
            n / busy
        };
        let factor = alone(self.traffic[1]) / alone(self.traffic[0]);
        let comparable = (1.0 - TRAFFIC_ALONE..=1.0 + TRAFFIC_ALONE).contains(&factor);
        (factor.is_finite() && !comparable).then(|| {
            let pace = |hours: &[HourSums]| {
                let n: u64 = hours.iter().map(|hour| hour.uploads).sum();
                format::count((n as f64 / hours.len().max(1) as f64).round() as u64)
            };
            format!(
                "it is not comparable: {} an hour before and {} since; the traffic alone would make it {}",
                pace(self.traffic[0]),
                pace(self.traffic[1]),
                format::value(factor, &Unit::Ratio)
            )
        })
    }
}

/// Whether (events, n) rose.
pub(super) fn rose(earlier: (u64, u64), later: (u64, u64)) -> bool {
    rise_p_value(earlier, later) < ROSE_LEVEL
}
