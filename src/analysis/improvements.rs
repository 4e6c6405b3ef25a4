//! What did the rollout improve, against what was promised (methodology 6)?

use super::figure::{NotMeasured, headline_latency, rate};
use super::group::{GroupData, StageData};
use super::ratio::{self, Ratio};
use crate::config::{Plan, TargetSection};
use crate::cube::slice::Arm;
use crate::metric::{Distribution, Estimator, Share};
use crate::report::model::{ComparisonKind, FigureWarning, Improvement, IntervalMethod, MemorySource, Status, Target};
use crate::stats::Interval;
use crate::stats::clusters::FEWEST_CLUSTERS;
use crate::stats::ratio::koopman;

/// The four headline improvements: baseline (all uploads) against the final stage (treated).
pub fn improvements(plan: &Plan, data: &[StageData]) -> Vec<Improvement> {
    let Some(baseline) = plan.baseline() else { return Vec::new() };
    let last = plan.final_stage();
    let (reference, candidate) = (data[baseline].arm(Arm::All), data[last].arm(Arm::Treated));
    let latency = headline_latency(plan.analysis.latency_statistic);
    let of = |estimator, id: &str| {
        both_have_uploads(reference, candidate)?;
        ratio::of_metric(&plan.analysis, reference, candidate, estimator, &format!("improvements.{id}"))
    };
    let memory = same_memory_source(reference, candidate)
        .and_then(|()| of(Estimator::Mean(Distribution::Memory), "memory_reduction"));
    let list = [
        ("memory_reduction", plan.targets.memory_reduction, memory.map(Ratio::reduction)),
        ("throughput_ratio", plan.targets.throughput_ratio, of(Estimator::UploadThroughput, "throughput_ratio")),
        ("latency_reduction", plan.targets.latency_reduction, of(latency, "latency_reduction").map(Ratio::reduction)),
        ("timeout_reduction", plan.targets.timeout_reduction, timeouts(reference, candidate).map(Ratio::reduction)),
    ];
    let place = |index: usize, arm: Arm| format!("{}/{}", plan.stages[index].name, arm.name());
    list.into_iter()
        .map(|(id, target, measured)| {
            improvement(id, target, measured, place(baseline, Arm::All), place(last, Arm::Treated))
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

/// timeout rate of candidate / reference, Koopman on effective counts.
fn timeouts(reference: &GroupData, candidate: &GroupData) -> Result<Ratio, NotMeasured> {
    both_have_uploads(reference, candidate)?;
    let (bottom, top) = (rate(reference, Share::Timeouts)?, rate(candidate, Share::Timeouts)?);
    if bottom.events == 0 {
        return Err("no timeouts in the baseline: there is nothing to reduce".into());
    }
    let ((x2, n2), (x1, n1)) = (bottom.effective(), top.effective());
    Ok(Ratio {
        value: top.value() / bottom.value(),
        interval: koopman(x1, n1, x2, n2),
        method: IntervalMethod::Koopman,
        n: [bottom.n, top.n],
        few_hours: bottom.hours.min(top.hours) < FEWEST_CLUSTERS as u64,
    })
}

fn improvement(
    id: &str,
    target: TargetSection,
    measured: Result<Ratio, NotMeasured>,
    reference: String,
    candidate: String,
) -> Improvement {
    let finite = |end: f64| end.is_finite().then_some(end);
    let (measured, reason) = match measured {
        Ok(measured) => (Some(measured), None),
        Err(reason) => (None, Some(reason)),
    };
    let interval = measured.as_ref().and_then(|measured| measured.interval);
    let mut warnings = Vec::new();
    if measured.as_ref().is_some_and(|measured| measured.few_hours) {
        warnings.push(FigureWarning::FewHours);
    }
    if measured.is_some() && interval.is_none() {
        warnings.push(FigureWarning::TooFewUploads);
    }
    Improvement {
        id: id.into(),
        kind: ComparisonKind::BeforeAfter,
        reference,
        candidate,
        value: measured.as_ref().map(|measured| measured.value),
        ci: interval.map(|(low, high)| [finite(low), finite(high)]),
        interval_method: interval.and(measured.as_ref().map(|measured| measured.method)),
        n: measured.as_ref().map(|measured| measured.n),
        target: Target { min: target.min, max: target.max },
        adjusted: None,
        status: status(measured.is_some(), interval, target),
        reason,
        warnings,
    }
}

fn status(measured: bool, interval: Option<Interval>, target: TargetSection) -> Status {
    match interval {
        _ if !measured => Status::NotMeasured,
        Some((_, high)) if high < target.min => Status::NotMet,
        Some((low, _)) if target.max.is_some_and(|max| low > max) => Status::Exceeded,
        Some((low, _)) if low >= target.min => Status::Met,
        _ => Status::Inconclusive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_decides_and_not_the_value() {
        let band = TargetSection { min: 0.8, max: Some(0.9) };
        let of = |low, high| status(true, Some((low, high)), band);
        assert_eq!(of(0.82, 0.86), Status::Met);
        assert_eq!(of(0.85, 0.95), Status::Met);
        assert_eq!(of(0.91, 0.95), Status::Exceeded);
        assert_eq!(of(0.70, 0.79), Status::NotMet);
        assert_eq!(of(0.79, 0.85), Status::Inconclusive);
        assert_eq!(of(0.80, 0.80), Status::Met);
        assert_eq!(status(true, None, band), Status::Inconclusive);
        assert_eq!(status(false, None, band), Status::NotMeasured);
        let open = TargetSection { min: 0.95, max: None };
        assert_eq!(status(true, Some((0.99, 1.0)), open), Status::Met);
    }
}
