//! What changed, at a glance: failures, what the plan wants improved, and the slowest records; the baseline beside the
//! treated of the last stage that has some.

use super::doubts::worse_since;
use super::group::{StageData, last_treated};
use super::pair::{pair_id, place};
use super::same_hours::Within;
use crate::config::Plan;
use crate::cube::slice::Arm;
use crate::metric::{Better, Distribution, Estimator, Metric, Share, Unit};
use crate::report::claims::{criterion_id, improvement_id};
use crate::report::model::{
    Change, ChangeDirection, Comparison, Criterion, Group, Headline, Improvement, Reading, SameHours, Stage, Status,
};
use stagegate_stats::Interval;

/// Quantile of what most users see.
const MIDDLE: f64 = 0.5;
/// Quantile of the records that users complain about.
const SLOWEST: f64 = 0.95;

/// The lines of the table, in the order in which they are shown.
pub(super) fn headlines(
    plan: &Plan,
    data: &[StageData],
    stages: &[Stage],
    comparisons: &[Comparison],
    within: &Within<'_>,
    (improvements, criteria): (&[Improvement], &[Criterion]),
) -> Vec<Headline> {
    let glance = Glance {
        plan,
        data,
        stages,
        comparisons,
        within,
        improvements,
        criteria,
        baseline: plan.baseline().filter(|stage| data[*stage].arm(Arm::All).uploads() > 0),
        now: last_treated(plan, data),
    };
    let asked = plan.improvements.iter().filter_map(|asked| plan.metric(&asked.metric));
    let failures = plan.metrics.by(Estimator::Rate(Share::Failures));
    let latency = |quantile| plan.metrics.by(Estimator::Quantile(Distribution::Latency, quantile));
    let mut metrics: Vec<&Metric> = Vec::new();
    for metric in failures.into_iter().chain(asked) {
        if !metrics.iter().any(|known| known.id == metric.id) {
            metrics.push(metric);
        }
    }
    // The slowest beside the others, whatever the plan speaks of: one hides what the other shows.
    for quantile in [MIDDLE, SLOWEST] {
        let Some(metric) = latency(quantile).filter(|metric| !metrics.iter().any(|known| known.id == metric.id)) else {
            continue;
        };
        let of_latency = |metric: &&Metric| matches!(metric.estimator, Estimator::Quantile(Distribution::Latency, _));
        let place = metrics.iter().rposition(of_latency).map_or(metrics.len(), |index| index + 1);
        metrics.insert(place, metric);
    }
    metrics.into_iter().map(|metric| glance.headline(metric)).collect()
}

struct Glance<'a> {
    plan: &'a Plan,
    data: &'a [StageData],
    stages: &'a [Stage],
    comparisons: &'a [Comparison],
    within: &'a Within<'a>,
    improvements: &'a [Improvement],
    criteria: &'a [Criterion],
    baseline: Option<usize>,
    /// The last stage with treated records.
    now: Option<usize>,
}

impl Glance<'_> {
    fn headline(&self, metric: &Metric) -> Headline {
        let improvement = self.improvement(metric);
        let change = self.change(metric, improvement);
        let same_hours = self.within.told(metric);
        let (status, finding) = self.status(metric, improvement);
        Headline {
            metric: metric.id.clone(),
            label: label(metric, self.plan),
            before: self.baseline.and_then(|stage| self.reading(metric, stage, Arm::All)),
            now: self.now.and_then(|stage| self.reading(metric, stage, Arm::Treated)),
            in_flight: self.in_flight(metric),
            direction: self.direction(metric, change.as_ref(), same_hours.as_ref()),
            change,
            same_hours,
            status,
            finding,
            reason: improvement
                .and_then(|improvement| improvement.reason.clone())
                .or_else(|| self.not_measured(metric)),
        }
    }

    fn direction(
        &self,
        metric: &Metric,
        change: Option<&Change>,
        same_hours: Option<&SameHours>,
    ) -> Option<ChangeDirection> {
        let told = direction(metric, change, same_hours);
        // What was lost behind the split no hour of it shows.
        let split = same_hours.and_then(|same| same.stages.last());
        let split = split.and_then(|name| self.stages.iter().find(|stage| stage.name == *name));
        let lost = split.zip(self.now).is_some_and(|(split, now)| worse_since(split, &self.stages[now], metric));
        if lost && direction(metric, change, None) == Some(ChangeDirection::Worse) {
            return Some(ChangeDirection::Worse);
        }
        told
    }

    /// The improvement that asks for it, where its stage is the one that is shown.
    fn improvement(&self, metric: &Metric) -> Option<&Improvement> {
        let found = self.improvements.iter().find(|improvement| improvement.metric == metric.id);
        found.filter(|_| self.now.is_none_or(|stage| stage == self.plan.final_stage()))
    }

    fn group(&self, stage: usize, arm: Arm) -> &Group {
        let groups = &self.stages[stage].groups;
        match arm {
            Arm::Treated => &groups.treated,
            _ => &groups.all,
        }
    }

    fn reading(&self, metric: &Metric, stage: usize, arm: Arm) -> Option<Reading> {
        let figure = self.group(stage, arm).figure(&metric.id)?;
        let group = place(self.plan, self.data[stage].arm(arm));
        Some(Reading { group, value: figure.value, ci: figure.ci, n: figure.n })
    }

    fn not_measured(&self, metric: &Metric) -> Option<String> {
        let of = |(stage, arm)| self.group(stage, arm).not_measured.get(&metric.id).cloned();
        let places = [self.baseline.map(|stage| (stage, Arm::All)), self.now.map(|stage| (stage, Arm::Treated))];
        places.into_iter().flatten().find_map(of)
    }

    fn change(&self, metric: &Metric, improvement: Option<&Improvement>) -> Option<Change> {
        if let Some((improvement, value)) = improvement.and_then(|known| Some((known, known.value?))) {
            let is_reduction = improvement.unit == Unit::Fraction;
            let ends = |ends: Interval| if is_reduction { ends.turned(|end| 1.0 - end) } else { ends };
            let target = improvement.target.map(|target| match is_reduction {
                true => [target.max.map(|most| 1.0 - most), target.min.map(|least| 1.0 - least)],
                false => [target.min, target.max],
            });
            return Some(Change {
                ratio: if is_reduction { 1.0 - value } else { value },
                ci: improvement.ci.map(ends),
                target,
            });
        }
        let (reference, candidate) = (self.data[self.baseline?].arm(Arm::All), self.data[self.now?].arm(Arm::Treated));
        let id = pair_id(self.plan, reference, candidate, metric.estimator);
        let crude = self.comparisons.iter().find(|comparison| comparison.id == id)?.crude.as_ref()?;
        Some(Change { ratio: crude.ratio, ci: crude.ci, target: None })
    }

    /// By the improvement, else by the criterion of the stage that is shown: success and failure are one fact.
    fn status(&self, metric: &Metric, improvement: Option<&Improvement>) -> (Status, String) {
        if let Some(improvement) = improvement {
            return (improvement.status, improvement_id(improvement));
        }
        let now = self.now.map(|stage| &self.stages[stage]);
        let rate = |metric: &str| self.plan.metrics.find(metric).map(|metric| metric.estimator);
        let is_failures = metric.estimator == Estimator::Rate(Share::Failures);
        let of = |criterion: &&Criterion| {
            now.is_some_and(|stage| stage.name == criterion.stage)
                && (criterion.metric == metric.id
                    || is_failures && rate(&criterion.metric) == Some(Estimator::Rate(Share::Successes)))
        };
        if let Some(criterion) = self.criteria.iter().find(of) {
            return (criterion.status, criterion_id(criterion));
        }
        let place = match (now, self.baseline) {
            (Some(stage), _) => format!("{}.treated", stage.name),
            (None, Some(stage)) => format!("{}.all", self.stages[stage].name),
            (None, None) => return (Status::NotMeasured, "decision".into()),
        };
        (Status::NotJudged, format!("stages.{place}.{}", metric.id))
    }

    /// Throughput depends on how much there was to do.
    fn in_flight(&self, metric: &Metric) -> Option<[f64; 2]> {
        if !matches!(metric.estimator, Estimator::RecordThroughput | Estimator::VolumeThroughput) {
            return None;
        }
        let concurrency = &self.plan.metrics.by(Estimator::Concurrency)?.id;
        let of = |stage, arm| Some(self.group(stage, arm).figure(concurrency)?.value);
        Some([of(self.baseline?, Arm::All)?, of(self.now?, Arm::Treated)?])
    }
}

/// What the table calls it: shorter than the metric where there is only one of its kind.
fn label(metric: &Metric, plan: &Plan) -> String {
    match metric.estimator {
        Estimator::Rate(Share::Failures) => format!("Failed {}", plan.schema.words.many),
        Estimator::Rate(Share::Timeouts) => "Timeouts".into(),
        Estimator::RecordThroughput => "Throughput".into(),
        _ => metric.label.clone(),
    }
}

fn direction(metric: &Metric, change: Option<&Change>, same_hours: Option<&SameHours>) -> Option<ChangeDirection> {
    let within = same_hours.map(|same| same.ci);
    let ends = match (within, change) {
        (Some(ends), _) => ends,
        (None, Some(change)) => change.ci,
        (None, None) => return None,
    };
    Some(match (ends, metric.better) {
        (None, _) | (_, Better::Neither) => ChangeDirection::Unsure,
        (Some(ends), _) if ends.holds(1.0) => ChangeDirection::Unsure,
        (Some(ends), better) if (ends.low > 1.0) == (better == Better::Higher) => ChangeDirection::Better,
        _ => ChangeDirection::Worse,
    })
}
