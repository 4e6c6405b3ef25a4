//! What did the rollout improve, against what was promised (methodology 6)?

use super::figure::{NotMeasured, headline_latency, rate};
use super::group::{GroupData, StageData};
use super::pair::{pair_id, place};
use super::ratio::{self, Ratio};
use crate::config::{Plan, TargetSection};
use crate::cube::slice::Arm;
use crate::metric::{Distribution, Estimator, Share};
use crate::report::model::{
    Adjusted, Comparison, ComparisonKind, FigureWarning, Improvement, MemorySource, Status, Target,
};
use stagegate_stats::Interval;

/// The four headline improvements: baseline (all uploads) against the final stage (treated).
///
/// `comparisons` hold the mix-adjusted figures of the same pair.
pub fn improvements(plan: &Plan, data: &[StageData], comparisons: &[Comparison]) -> Vec<Improvement> {
    let Some(baseline) = plan.baseline() else { return Vec::new() };
    let last = plan.final_stage();
    let (reference, candidate) = (data[baseline].arm(Arm::All), data[last].arm(Arm::Treated));
    let latency = headline_latency(plan.analysis.latency_statistic);
    let of = |estimator| {
        both_have_uploads(reference, candidate)?;
        ratio::of_groups(
            &plan.analysis,
            reference,
            candidate,
            estimator,
            &pair_id(plan, reference, candidate, estimator),
        )
    };
    let memory = Estimator::Mean(Distribution::Memory);
    let list = [
        ("memory_reduction", plan.targets.memory_reduction, memory),
        ("throughput_ratio", plan.targets.throughput_ratio, Estimator::UploadThroughput),
        ("latency_reduction", plan.targets.latency_reduction, latency),
        ("timeout_reduction", plan.targets.timeout_reduction, Estimator::Rate(Share::Timeouts)),
    ];
    list.into_iter()
        .map(|(id, target, estimator)| {
            let measured = match estimator {
                Estimator::Mean(Distribution::Memory) => {
                    same_memory_source(reference, candidate).and_then(|()| of(estimator))
                }
                Estimator::Rate(_) => no_timeouts(plan, reference, candidate).and_then(|()| of(estimator)),
                _ => of(estimator),
            };
            let is_reduction = estimator != Estimator::UploadThroughput;
            let mix = comparison_of(comparisons, &pair_id(plan, reference, candidate, estimator));
            let improvement = Measured { id, measured, is_reduction, mix };
            improvement.against(target, place(plan, reference), place(plan, candidate))
        })
        .collect()
}

/// A reference without one upload says so before anything else.
fn both_have_uploads(reference: &GroupData, candidate: &GroupData) -> Result<(), NotMeasured> {
    match (reference.uploads(), candidate.uploads()) {
        (0, _) => Err("the baseline has no uploads".into()),
        (_, 0) => Err("the final stage has no treated uploads".into()),
        _ => Ok(()),
    }
}

/// Memory of single uploads and memory of a process are different things.
fn same_memory_source(reference: &GroupData, candidate: &GroupData) -> Result<(), NotMeasured> {
    both_have_uploads(reference, candidate)?;
    let source = |group: &GroupData| group.memory.as_ref().map(|memory| memory.source);
    let word = |source| match source {
        MemorySource::Uploads => "memory_mb of uploads",
        MemorySource::MemorySamples => "memory_sample events of the process",
    };
    match (source(reference), source(candidate)) {
        (Some(a), Some(b)) if a == b => Ok(()),
        (Some(a), Some(b)) => Err(format!("the baseline has {}, the final stage {}: not comparable", word(a), word(b))),
        (None, None) => Err("no memory in the log: neither memory_mb nor memory_sample events".into()),
        (None, _) => Err("no memory in the baseline".into()),
        (_, None) => Err("no memory in the final stage".into()),
    }
}

/// Without a timeout in the baseline there is nothing to reduce.
fn no_timeouts(plan: &Plan, reference: &GroupData, candidate: &GroupData) -> Result<(), NotMeasured> {
    both_have_uploads(reference, candidate)?;
    match rate(reference, Share::Timeouts, plan.analysis.level())?.events {
        0 => Err("no timeouts in the baseline: there is nothing to reduce".into()),
        _ => Ok(()),
    }
}

/// The comparison of the same two groups and metric, which knows the mix.
fn comparison_of<'a>(comparisons: &'a [Comparison], id: &str) -> Option<&'a Comparison> {
    comparisons.iter().find(|comparison| comparison.id == id)
}

/// One improvement before it is held against its target.
struct Measured<'a> {
    id: &'a str,
    measured: Result<Ratio, NotMeasured>,
    /// Whether the ratio is told as 1 - ratio.
    is_reduction: bool,
    mix: Option<&'a Comparison>,
}

impl Measured<'_> {
    fn against(self, target: TargetSection, reference: String, candidate: String) -> Improvement {
        let (ratio, reason) = match self.measured {
            Ok(ratio) => (Some(ratio), None),
            Err(reason) => (None, Some(reason)),
        };
        let detectable = ratio.as_ref().and_then(|ratio| ratio.detectable);
        let ratio = ratio.map(|ratio| if self.is_reduction { ratio.reduction() } else { ratio });
        let interval = ratio.as_ref().and_then(|ratio| ratio.interval);
        let mut warnings = Vec::new();
        if ratio.as_ref().is_some_and(|ratio| ratio.few_hours) {
            warnings.push(FigureWarning::FewHours);
        }
        if ratio.is_some() && interval.is_none() {
            warnings.push(FigureWarning::TooFewUploads);
        }
        let mix_changed = self.mix.is_some_and(|comparison| comparison.mix_changed);
        if mix_changed && ratio.is_some() {
            warnings.push(FigureWarning::MixChanged);
        }
        Improvement {
            id: self.id.into(),
            kind: ComparisonKind::BeforeAfter,
            reference,
            candidate,
            value: ratio.as_ref().map(|ratio| ratio.value),
            ci: interval,
            interval_method: interval.and(ratio.as_ref().map(|ratio| ratio.method)),
            n: ratio.as_ref().map(|ratio| ratio.n),
            target: Target { min: target.min, max: target.max },
            adjusted: ratio.is_some().then(|| self.mix.and_then(|mix| adjusted(mix, self.is_reduction))).flatten(),
            mix_changed,
            smallest_detectable: detectable.map(|factor| if self.is_reduction { 1.0 - 1.0 / factor } else { factor }),
            status: status(ratio.is_some(), interval, target),
            reason,
            warnings,
        }
    }
}

/// The mix-adjusted ratio in the improvement's own unit.
fn adjusted(comparison: &Comparison, is_reduction: bool) -> Option<Adjusted> {
    let ratio = comparison.adjusted.as_ref()?;
    let (value, ci) = if is_reduction {
        (1.0 - ratio.ratio, ratio.ci.map(|ends| ends.turned(|end| 1.0 - end)))
    } else {
        (ratio.ratio, ratio.ci)
    };
    Some(Adjusted { value, ci, mix_covered: ratio.mix_covered })
}

fn status(measured: bool, interval: Option<Interval>, target: TargetSection) -> Status {
    match interval {
        _ if !measured => Status::NotMeasured,
        Some(Interval { high, .. }) if high < target.min => Status::NotMet,
        Some(Interval { low, .. }) if target.max.is_some_and(|max| low > max) => Status::Exceeded,
        Some(Interval { low, .. }) if low >= target.min => Status::Met,
        _ => Status::Inconclusive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_decides_and_not_the_value() {
        let band = TargetSection { min: 0.8, max: Some(0.9) };
        let of = |low, high| status(true, Interval::new(low, high), band);
        assert_eq!(of(0.82, 0.86), Status::Met);
        assert_eq!(of(0.85, 0.95), Status::Met);
        assert_eq!(of(0.91, 0.95), Status::Exceeded);
        assert_eq!(of(0.70, 0.79), Status::NotMet);
        assert_eq!(of(0.79, 0.85), Status::Inconclusive);
        assert_eq!(of(0.80, 0.80), Status::Met);
        assert_eq!(status(true, None, band), Status::Inconclusive);
        assert_eq!(status(false, None, band), Status::NotMeasured);
        let open = TargetSection { min: 0.95, max: None };
        assert_eq!(status(true, Interval::new(0.99, 1.0), open), Status::Met);
    }
}
