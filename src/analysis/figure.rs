//! One metric of one group -> its value, n and interval, or the reason why it was not measured.

use super::group::{GroupData, HourlyHistograms, MeasureData, NANO_PER_UNIT, NANOS_PER_MS};
use super::replicates::replicates;
use crate::config::AnalysisSection;
use crate::cube::slice::HourSums;
use crate::metric::{Distribution, Estimator, Share};
use crate::report::model::{Figure, FigureWarning, IntervalMethod};
use crate::schema::record::MEMORY;
use stagegate_stats::clusters::{DesignEffect, FEWEST_CLUSTERS, design_effect_of_hours, design_effect_of_tail};
use stagegate_stats::dependence::Dependence;
use stagegate_stats::proportion::wilson;
use stagegate_stats::{Interval, Level};

/// Why a metric has no value.
pub(super) type NotMeasured = String;

/// The reason of a group that has none.
pub(super) const NOTHING: &str = "nothing was logged";

/// The figure of a metric; `id` seeds its random numbers.
pub(super) fn figure(
    group: &GroupData,
    estimator: Estimator,
    analysis: &AnalysisSection,
    id: &str,
) -> Result<Figure, NotMeasured> {
    if group.uploads() == 0 {
        return Err(NOTHING.into());
    }
    if let Estimator::Rate(share) = estimator {
        return rate(group, share, analysis.level()).map(Rate::figure);
    }
    let (value, n) = point(group, estimator)?;
    let (ci, method, hours, dependence) =
        match quantile_of(group, estimator).filter(|(known, _)| known.hours.len() >= FEWEST_CLUSTERS) {
            Some((known, q)) => {
                let (ci, dependence) = woodruff(known, q, analysis.level());
                (ci, Some(IntervalMethod::Woodruff), known.hours.len() as u64, dependence)
            }
            None => {
                let replicates = replicates(group, estimator, analysis, id);
                let ci = replicates.interval(value, analysis.level());
                (ci, replicates.method, replicates.hours, replicates.long_run.dependence)
            }
        };
    // One observation has no spread that could be seen.
    let ci = ci.filter(|_| n >= 2).map(|ends| ends.holding(value));
    let mut warnings = Vec::new();
    let by_hours = [IntervalMethod::BlockBootstrap, IntervalMethod::StudentisedBootstrap, IntervalMethod::Woodruff];
    if method.is_some_and(|method| !by_hours.contains(&method)) {
        warnings.push(FigureWarning::FewHours);
    }
    if method.is_some() && ci.is_none() {
        warnings.push(FigureWarning::TooFew);
    }
    warnings.extend(dependence_warning(dependence).filter(|_| ci.is_some()));
    Ok(Figure { value, ci, n, interval_method: ci.and(method), hours, design_effect: None, warnings })
}

/// What a figure says of hours that depend on each other.
pub(super) fn dependence_warning(dependence: Dependence) -> Option<FigureWarning> {
    match dependence {
        Dependence::None => None,
        Dependence::Hours => Some(FigureWarning::HoursCorrelated),
        Dependence::Days => Some(FigureWarning::DaysDiffer),
    }
}

/// Events, observations and design effect of a rate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    pub events: u64,
    pub n: u64,
    pub design_effect: DesignEffect,
    pub hours: u64,
    level: Level,
}

impl Rate {
    /// From (hour, events, observations), rising, at least one of them above 0.
    pub(super) fn new(hours: impl Iterator<Item = (i64, u64, u64)> + Clone, level: Level) -> Self {
        let (events, n, count) = hours.clone().fold((0, 0, 0), |sum, (_, y, n)| (sum.0 + y, sum.1 + n, sum.2 + 1));
        Self { events, n, design_effect: design_effect_of_hours(hours, level), hours: count, level }
    }

    pub(super) fn value(self) -> f64 {
        self.events as f64 / self.n as f64
    }

    /// Events and observations after the design effect.
    pub(super) fn effective(self) -> (f64, f64) {
        (self.events as f64 / self.design_effect.divisor, self.n as f64 / self.design_effect.divisor)
    }

    /// Wilson's interval on effective counts.
    pub(super) fn interval(self) -> Option<Interval> {
        let (events, n) = self.effective();
        wilson(events, n, self.level).map(|ends| ends.holding(self.value()))
    }

    /// As the report has it.
    pub(super) fn figure(self) -> Figure {
        let few = (self.hours < FEWEST_CLUSTERS as u64).then_some(FigureWarning::FewHours);
        Figure {
            value: self.value(),
            ci: self.interval(),
            n: self.n,
            interval_method: Some(IntervalMethod::Wilson),
            hours: self.hours,
            design_effect: Some(self.design_effect.value),
            warnings: few.into_iter().chain(dependence_warning(self.design_effect.dependence)).collect(),
        }
    }
}

/// A rate, for intervals at `level`.
pub(super) fn rate(group: &GroupData, share: Share, level: Level) -> Result<Rate, NotMeasured> {
    Ok(Rate::new(events_by_hour(group, share)?.into_iter(), level))
}

/// Hours with events and observations of a rate, rising; at least one.
fn events_by_hour(group: &GroupData, share: Share) -> Result<Vec<(i64, u64, u64)>, NotMeasured> {
    if share == Share::Fallbacks && group.arm == crate::cube::slice::Arm::PerProtocol {
        return Err("per protocol leaves fallbacks out".into());
    }
    let pair = |hour: &HourSums| match share {
        Share::Successes => (hour.successes, hour.uploads),
        Share::Failures => (hour.uploads - hour.successes, hour.uploads),
        Share::Timeouts => (hour.timeouts, hour.uploads),
        Share::Fallbacks => (hour.fallbacks, hour.treated),
    };
    let hour = |hour: &HourSums| {
        let (events, n) = pair(hour);
        (hour.hour, events, n)
    };
    let hours: Vec<(i64, u64, u64)> = group.hours.iter().map(hour).filter(|(_, _, n)| *n > 0).collect();
    match (hours.is_empty(), share) {
        (false, _) => Ok(hours),
        (true, Share::Fallbacks) => Err("nothing treated".into()),
        (true, _) => Err(NOTHING.into()),
    }
}

/// Value and n of a metric.
pub(super) fn point(group: &GroupData, estimator: Estimator) -> Result<(f64, u64), NotMeasured> {
    let (uploads, successes, busy) = (group.uploads(), group.successes(), group.busy_seconds() as f64);
    let sum = |of: fn(&HourSums) -> i128| group.hours.iter().map(of).sum::<i128>() as f64;
    let needs_success = || if successes == 0 { Err("no success".to_owned()) } else { Ok(()) };
    match estimator {
        Estimator::Rate(share) => {
            let hours = events_by_hour(group, share)?;
            let (events, n) = hours.iter().fold((0, 0), |sum, (_, y, n)| (sum.0 + y, sum.1 + n));
            Ok((events as f64 / n as f64, n))
        }
        Estimator::Mean(Distribution::Latency) => {
            needs_success()?;
            Ok((sum(|hour| hour.success_duration_ns) / NANOS_PER_MS / successes as f64, successes))
        }
        Estimator::Quantile(Distribution::Latency, q) => {
            needs_success()?;
            let value = group.latency.quantile(q).ok_or("no success")?;
            Ok((value, successes))
        }
        Estimator::Maximum => {
            needs_success()?;
            Ok((group.hours.iter().map(|hour| hour.success_duration_max_ms).fold(0.0, f64::max), successes))
        }
        Estimator::Mean(Distribution::Measure(index)) => {
            let (sum, n) = measure(group, index)?.sum();
            Ok((sum as f64 / NANO_PER_UNIT / n as f64, n))
        }
        Estimator::Quantile(Distribution::Measure(index), q) => {
            let known = &measure(group, index)?.histograms;
            Ok((known.quantile(q).ok_or(NOT_CARRIED)?, known.pooled.total()))
        }
        Estimator::SumPerRecord(index) => {
            let (sum, _) = measure(group, index)?.sum();
            Ok((sum as f64 / NANO_PER_UNIT / uploads as f64, uploads))
        }
        Estimator::RecordThroughput => Ok((successes as f64 / busy, successes)),
        Estimator::VolumeThroughput => {
            let size = sum(|hour| hour.success_size_nano_mb) / NANO_PER_UNIT;
            if size > 0.0 { Ok((size / busy, successes)) } else { Err("nothing successful has a known size".into()) }
        }
        Estimator::Concurrency => Ok((sum(|hour| hour.duration_ns) / 1e9 / busy, uploads)),
    }
}

/// The reason of a measure that nothing carries.
pub(super) const NOT_CARRIED: &str = "not in the log";
/// That of memory, which may come from samples.
pub(super) const NO_MEMORY: &str = "no memory in the log: neither memory_mb nor memory_sample events";

/// The reason why a measure has no figure.
pub(super) fn not_carried(index: usize) -> NotMeasured {
    if index == MEMORY { NO_MEMORY } else { NOT_CARRIED }.into()
}

fn measure(group: &GroupData, index: usize) -> Result<&MeasureData, NotMeasured> {
    group.measure(index).ok_or_else(|| not_carried(index))
}

/// The distribution and quantile that an estimator asks for.
fn quantile_of(group: &GroupData, estimator: Estimator) -> Option<(&HourlyHistograms, f64)> {
    match estimator {
        Estimator::Quantile(of, q) => group.histograms(of).map(|known| (known, q)),
        _ => None,
    }
}

/// Woodruff's interval of a quantile (1952): the Wilson interval of the share at or below it, on effective
/// counts, turned over on the distribution itself.
///
/// No interval where the share's upper end lies above the last observation: the quantile may then be anything beyond it.
fn woodruff(known: &HourlyHistograms, q: f64, level: Level) -> (Option<Interval>, Dependence) {
    let n = known.pooled.total();
    let Some(bin) = known.pooled.quantile_bin(q) else { return (None, Dependence::None) };
    let hours = known.hours.iter().map(|(hour, histogram)| (*hour, histogram.up_to_bin(bin), histogram.total()));
    let design_effect = design_effect_of_tail(hours, level);
    let effective = n as f64 / design_effect.divisor;
    let interval = || {
        let share = wilson(q * effective, effective, level)?;
        if (1.0 - share.high) * (n as f64) < 1.0 {
            return None;
        }
        Interval::new(known.quantile(share.low.max(f64::MIN_POSITIVE))?, known.quantile(share.high)?)
    };
    (interval(), design_effect.dependence)
}
