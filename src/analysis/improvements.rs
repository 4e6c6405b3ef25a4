//! What did the rollout improve, against what was promised (methodology 6)?

use rayon::prelude::*;
use stagegate_stats::Interval;

use super::figure::{NotMeasured, dependence_warning, not_carried, rate};
use super::group::{GroupData, StageData};
use super::pair::{pair_id, place};
use super::ratio::{self, Ratio};
use crate::config::{self, Form, HEADLINE_LATENCY, Mode, Plan, THROUGHPUT};
use crate::cube::slice::Arm;
use crate::metric::{Better, Distribution, Estimator, Metric, Share, Unit};
use crate::report::model::{
    Adjusted, Comparison, ComparisonKind, FigureWarning, Improvement, MeasureSource, Status, Target,
};

/// The improvements that the plan asks for: baseline (all uploads) against the final stage (treated).
///
/// `comparisons` hold the mix-adjusted figures of the same pair.
pub(super) fn improvements(plan: &Plan, data: &[StageData], comparisons: &[Comparison]) -> Vec<Improvement> {
    let Some(baseline) = plan.baseline() else { return Vec::new() };
    let (reference, candidate) = (data[baseline].arm(Arm::All), data[plan.final_stage()].arm(Arm::Treated));
    let asked = plan.improvements.par_iter();
    let all = asked.filter_map(|asked| {
        let metric = plan.metric(&asked.metric)?;
        let id = pair_id(plan, reference, candidate, metric.estimator);
        let measured = comparable(plan, reference, candidate, metric.estimator)
            .and_then(|()| ratio::of_groups(&plan.analysis, reference, candidate, metric.estimator, &id));
        let mix = comparisons.iter().find(|comparison| comparison.id == id);
        Some(
            Measured { plan, asked, metric, measured, mix }.improvement(place(plan, reference), place(plan, candidate)),
        )
    });
    all.collect()
}

/// Whether the metric's change can be told at all.
fn comparable(
    plan: &Plan,
    reference: &GroupData,
    candidate: &GroupData,
    estimator: Estimator,
) -> Result<(), NotMeasured> {
    both_have_uploads(reference, candidate)?;
    match estimator {
        Estimator::Rate(Share::Timeouts) => no_timeouts(plan, reference),
        _ => match estimator.measure() {
            Some(index) => same_source(plan, index, reference, candidate),
            None => Ok(()),
        },
    }
}

/// A reference without one upload says so before anything else.
fn both_have_uploads(reference: &GroupData, candidate: &GroupData) -> Result<(), NotMeasured> {
    match (reference.uploads(), candidate.uploads()) {
        (0, _) => Err("the baseline has none".into()),
        (_, 0) => Err("none is treated in the final stage".into()),
        _ => Ok(()),
    }
}

/// A measure of single records and memory of a process are different things.
fn same_source(plan: &Plan, index: usize, reference: &GroupData, candidate: &GroupData) -> Result<(), NotMeasured> {
    let source = |group: &GroupData| group.measures[index].as_ref().map(|data| data.source);
    let name = plan.schema.measures[index].text();
    let word = |source| match source {
        MeasureSource::Records => format!("{name} of {}", plan.schema.words.many),
        MeasureSource::MemorySamples => "memory_sample events of the process".into(),
    };
    match (source(reference), source(candidate)) {
        (Some(a), Some(b)) if a == b => Ok(()),
        (Some(a), Some(b)) => Err(format!("the baseline has {}, the final stage {}: not comparable", word(a), word(b))),
        (None, None) => Err(not_carried(index)),
        (None, _) => Err(format!("no {name} in the baseline")),
        (_, None) => Err(format!("no {name} in the final stage")),
    }
}

/// Without a timeout in the baseline there is nothing to reduce.
fn no_timeouts(plan: &Plan, reference: &GroupData) -> Result<(), NotMeasured> {
    match rate(reference, Share::Timeouts, plan.analysis.level())?.events {
        0 => Err("no timeouts in the baseline that [analysis] timeout_errors lists: there is nothing to reduce".into()),
        _ => Ok(()),
    }
}

/// One improvement before it is held against its target.
struct Measured<'a> {
    plan: &'a Plan,
    asked: &'a config::Improvement,
    metric: &'a Metric,
    measured: Result<Ratio, NotMeasured>,
    mix: Option<&'a Comparison>,
}

impl Measured<'_> {
    fn is_reduction(&self) -> bool {
        self.asked.form == Form::Reduction
    }

    /// Label, unit and definition.
    fn words(&self) -> (String, Unit, String) {
        // The mean is what people mean by a measure.
        let measure = match self.metric.estimator {
            Estimator::Mean(Distribution::Measure(index)) => {
                let measure = &self.plan.schema.measures[index];
                Some((measure.label(), format!("mean {}", measure.text())))
            }
            _ => None,
        };
        let label = match (self.asked.metric.as_str(), self.metric.label.as_str()) {
            (HEADLINE_LATENCY, _) => "Latency",
            ("memory_mean" | "memory_mean_mb", _) => "Memory",
            (THROUGHPUT, _) => "Throughput",
            ("timeout_rate", _) => "Timeout",
            (_, label) => measure.as_ref().map_or(label, |(label, _)| label),
        };
        let of = match self.asked.metric.as_str() {
            HEADLINE_LATENCY => "headline latency",
            "memory_mean" | "memory_mean_mb" => "mean memory",
            THROUGHPUT => "throughput",
            metric => measure.as_ref().map_or(metric, |(_, of)| of),
        };
        match self.asked.form {
            Form::Reduction => {
                (format!("{label} reduction"), Unit::Fraction, format!("1 - {of}(final) / {of}(baseline)"))
            }
            Form::Ratio => (format!("{label} ratio"), Unit::Ratio, format!("{of}(final) / {of}(baseline)")),
        }
    }

    fn improvement(self, reference: String, candidate: String) -> Improvement {
        let (label, unit, definition) = self.words();
        let is_reduction = self.is_reduction();
        let (ratio, reason) = match self.measured {
            Ok(ratio) => (Some(ratio), None),
            Err(reason) => (None, Some(reason)),
        };
        let detectable = ratio.as_ref().and_then(|ratio| ratio.detectable);
        let ratio = ratio.map(|ratio| if is_reduction { ratio.reduction() } else { ratio });
        let interval = ratio.as_ref().and_then(|ratio| ratio.interval);
        let mut warnings = Vec::new();
        if ratio.as_ref().is_some_and(|ratio| ratio.few_hours) {
            warnings.push(FigureWarning::FewHours);
        }
        warnings.extend(ratio.as_ref().and_then(|ratio| dependence_warning(ratio.dependence)));
        if ratio.is_some() && interval.is_none() {
            warnings.push(FigureWarning::TooFew);
        }
        let mix_changed = self.mix.is_some_and(|comparison| comparison.mix_changed);
        if mix_changed && ratio.is_some() {
            warnings.push(FigureWarning::MixChanged);
        }
        let target = self.asked.is_judged().then_some(Target { min: self.asked.min, max: self.asked.max });
        let better = better(self.asked.form, self.metric);
        Improvement {
            id: self.asked.id(),
            label,
            unit,
            definition,
            metric: self.metric.id.clone(),
            kind: ComparisonKind::BeforeAfter,
            reference,
            candidate,
            value: ratio.as_ref().map(|ratio| ratio.value),
            ci: interval,
            ci_every_look: None,
            information: None,
            interval_method: interval.and(ratio.as_ref().map(|ratio| ratio.method)),
            n: ratio.as_ref().map(|ratio| ratio.n),
            target,
            adjusted: ratio.is_some().then(|| self.mix.and_then(|mix| adjusted(mix, is_reduction))).flatten(),
            mix_changed,
            smallest_detectable: detectable.map(|factor| if is_reduction { 1.0 - 1.0 / factor } else { factor }),
            status: status(ratio.is_some(), interval, target, better),
            same_hours: None,
            reason,
            trial: self.asked.mode == Mode::Trial,
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

/// Which way a change gets better: a reduction is of what is better when lower, so that more of it is better; a ratio
/// goes the metric's way.
pub(super) fn better(form: Form, metric: &Metric) -> Better {
    if form == Form::Reduction { Better::Higher } else { metric.better }
}

/// By the interval: reaching the band's worse end is enough, lying beyond its better end is more.
pub(super) fn status(measured: bool, interval: Option<Interval>, target: Option<Target>, better: Better) -> Status {
    let Some(target) = target.filter(|_| measured) else {
        return if measured { Status::NotJudged } else { Status::NotMeasured };
    };
    let Some(interval) = interval else { return Status::Open };
    // Turned over where less is better, so that more is better below.
    let turn = |end: f64| -end;
    let (Interval { low, high }, worst, best) = match better {
        Better::Lower => (interval.turned(turn), target.max.map(turn), target.min.map(turn)),
        Better::Higher | Better::Neither => (interval, target.min, target.max),
    };
    match worst {
        Some(worst) if high < worst => Status::NotMet,
        _ if best.is_some_and(|best| low > best) => Status::Exceeded,
        Some(worst) if low < worst => Status::Open,
        _ => Status::Met,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAND: Target = Target { min: Some(0.8), max: Some(0.9) };

    #[test]
    fn the_interval_decides_and_not_the_value() {
        let of = |low, high| status(true, Interval::new(low, high), Some(BAND), Better::Higher);
        assert_eq!(of(0.82, 0.86), Status::Met);
        assert_eq!(of(0.85, 0.95), Status::Met);
        assert_eq!(of(0.91, 0.95), Status::Exceeded);
        assert_eq!(of(0.70, 0.79), Status::NotMet);
        assert_eq!(of(0.79, 0.85), Status::Open);
        assert_eq!(of(0.80, 0.80), Status::Met);
        assert_eq!(status(true, None, Some(BAND), Better::Higher), Status::Open);
        assert_eq!(status(false, None, Some(BAND), Better::Higher), Status::NotMeasured);
        let open = Some(Target { min: Some(0.95), max: None });
        assert_eq!(status(true, Interval::new(0.99, 1.0), open, Better::Higher), Status::Met);
        assert_eq!(status(true, Interval::new(0.99, 1.0), None, Better::Higher), Status::NotJudged);
    }

    #[test]
    fn where_less_is_better_the_band_turns_over() {
        let of = |low, high| status(true, Interval::new(low, high), Some(BAND), Better::Lower);
        assert_eq!(of(0.91, 0.95), Status::NotMet);
        assert_eq!(of(0.70, 0.79), Status::Exceeded);
        assert_eq!(of(0.82, 0.86), Status::Met);
        assert_eq!(of(0.85, 0.95), Status::Open);
        let at_most = Some(Target { min: None, max: Some(1.1) });
        assert_eq!(status(true, Interval::new(0.2, 1.05), at_most, Better::Lower), Status::Met);
    }
}
