//! Reasons that name their cause: which kind of failure rose, for whom, what nobody asked about, which segment got worse.

use super::decision::{Judged, reason};
use super::doubts::worse_since;
use crate::cube::slice::Arm;
use crate::format;
use crate::metric::{Better, Estimator, Share, Unit};
use crate::report::changes::line_text;
use crate::report::claims::criterion_id;
use crate::report::model::{
    ChangeDirection, Comparison, ComparisonKind, Criterion, DecisionValue, Headline, Reason, Stage, Status,
};
use crate::report::words::join;
use stagegate_stats::Interval;

impl Judged<'_> {
    /// Those of the newest stage first: it has the most records, and they are the youngest.
    pub(super) fn criteria(&self) -> Vec<Reason> {
        let of = |criterion: &Criterion| {
            let standing = criterion.standing.as_ref()?;
            let causes: Vec<String> = self.alone(criterion).into_iter().chain(self.risen(criterion)).collect();
            let text = match causes.as_slice() {
                [] => standing.text.clone(),
                causes => format!("{}: {}", join(causes, "and"), standing.text),
            };
            Some(reason(standing.level?, criterion_id(criterion), text))
        };
        let of_stage = |stage: &Stage| {
            let criteria = self.criteria.iter().filter(|criterion| criterion.stage == stage.name);
            criteria.filter_map(of).collect::<Vec<_>>()
        };
        self.stages.iter().rev().flat_map(of_stage).collect()
    }

    /// Of the same: the one value of a dimension that surely fails more than before, where the others surely fare better
    /// than it and none of them surely fails more.
    fn alone(&self, criterion: &Criterion) -> Option<String> {
        let last = self.last().filter(|stage| stage.name == criterion.stage)?;
        self.risen(criterion)?;
        let candidate = format!("{}/{}", last.name, Arm::Treated.name());
        let segments: Vec<(&Comparison, f64, Interval)> = self
            .comparisons
            .iter()
            .filter(|comparison| comparison.kind == ComparisonKind::BeforeAfter && comparison.segment.len() == 1)
            .filter(|comparison| comparison.metric == "success_rate" && comparison.candidate == candidate)
            .filter_map(|comparison| comparison.judged().and_then(|(ratio, ci)| Some((comparison, ratio, ci?))))
            .collect();
        let alone = |(segment, _, ends): &&(&Comparison, f64, Interval)| {
            let of_dimension = |other: &&(&Comparison, f64, Interval)| {
                other.0.segment.keys().eq(segment.segment.keys()) && other.0.segment != segment.segment
            };
            let mut others = segments.iter().filter(of_dimension).map(|(_, _, other)| other).peekable();
            ends.high < 1.0 && others.peek().is_some() && others.all(|other| other.low > ends.high && other.high >= 1.0)
        };
        let (segment, ratio, ends) = segments.iter().find(alone)?;
        let rate = format::estimate(*ratio, Some(*ends), &Unit::Ratio);
        Some(format!("{} alone fails more (success rate {rate})", segment.segment_text()))
    }

    /// Of a criterion on the failures of the last stage that is missed: the kind of failure that rose most.
    fn risen(&self, criterion: &Criterion) -> Option<String> {
        let of_failures = [Share::Successes, Share::Failures].map(Estimator::Rate);
        let metric = self.plan.metrics.find(&criterion.metric)?;
        let is_last = self.last().is_some_and(|stage| stage.name == criterion.stage);
        if !is_last || criterion.status != Status::NotMet || !of_failures.contains(&metric.estimator) {
            return None;
        }
        let risen = self.error_types.iter().find(|kind| kind.rose)?;
        let show = |[failures, n]: [u64; 2]| format::value(failures as f64 / n as f64, &Unit::Fraction);
        Some(format!("{} rose from {} to {}", risen.error_type, show(risen.before?), show(risen.now?)))
    }

    /// What the first table shows to be worse by more than the margin, and nothing in the plan asks about.
    pub(super) fn unasked(&self) -> Vec<Reason> {
        let margin = self.regressions.margin;
        let told = |line: &Headline| {
            let metric = self.plan.metrics.find(&line.metric)?;
            let throughput = matches!(metric.estimator, Estimator::RecordThroughput | Estimator::VolumeThroughput);
            if line.status != Status::NotJudged || line.direction != Some(ChangeDirection::Worse) || throughput {
                return None;
            }
            let beyond = |ends: Interval| match metric.better {
                Better::Lower => ends.low > 1.0 + margin,
                _ => ends.high < 1.0 / (1.0 + margin),
            };
            let since = line.change.as_ref().and_then(|change| change.ci);
            let within = line.same_hours.as_ref().and_then(|same| same.ci);
            if ![since, within].into_iter().flatten().any(beyond) {
                return None;
            }
            let text = format!(
                "{} got worse, and nothing in the plan asks about it: {}",
                line.label.to_lowercase(),
                line_text(Some(metric), line)
            );
            Some(reason(DecisionValue::Review, &line.finding, text))
        };
        self.headlines.iter().filter_map(|line| told(line).or_else(|| self.lost_gain(line))).collect()
    }

    /// What the split showed to be a gain, and the last stage has no more, where no target speaks of it.
    fn lost_gain(&self, line: &Headline) -> Option<Reason> {
        let metric = self.plan.metrics.find(&line.metric)?;
        let last = self.last().filter(|stage| stage.percentage >= 100.0 && line.status == Status::NotJudged)?;
        let is_gain = |ends: Interval| match metric.better {
            Better::Lower => ends.high < 1.0,
            Better::Higher => ends.low > 1.0,
            Better::Neither => false,
        };
        let same = line.same_hours.as_ref().filter(|same| same.ci.is_some_and(is_gain))?;
        let since = line.change.as_ref().and_then(|change| change.ci)?;
        let split = self.stages.iter().find(|stage| Some(&stage.name) == same.stages.last())?;
        if is_gain(since) || !worse_since(split, last, metric) {
            return None;
        }
        let text = format!(
            "{}: the gain of the split is not there in stage {}, where no control tells why: {}",
            line.label.to_lowercase(),
            last.name,
            line_text(Some(metric), line)
        );
        Some(reason(DecisionValue::Review, &line.finding, text))
    }

    pub(super) fn regressions(&self) -> Vec<Reason> {
        let found = self.comparisons.iter().filter(|comparison| comparison.regression);
        let told: Vec<(&Comparison, String)> = found
            .map(|comparison| {
                let label = self.plan.metrics.find(&comparison.metric).map_or("", |metric| metric.label.as_str());
                let ratio = comparison
                    .judged()
                    .map_or_else(String::new, |(ratio, ci)| format!(" {}", format::estimate(ratio, ci, &Unit::Ratio)));
                let pair = format!("{} to {}", comparison.reference, comparison.candidate);
                (comparison, format!("{}, {}{ratio} ({pair})", comparison.segment_text(), label.to_lowercase()))
            })
            .collect();
        let Some((first, _)) = told.first() else { return Vec::new() };
        let names: Vec<&str> = told.iter().map(|(_, name)| name.as_str()).collect();
        let text = format!(
            "{} worse by more than {}: {}",
            format::counted(self.regressions.found.len() as u64, "segment figure"),
            format::share(self.regressions.margin),
            names.join(", ")
        );
        vec![reason(DecisionValue::Review, format!("comparisons.{}", first.id), text)]
    }
}
