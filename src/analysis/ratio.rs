//! One group against another: candidate / reference with its interval.

use super::figure::{NotMeasured, point, rate};
use super::group::GroupData;
use super::replicates::{Replicates, replicates};
use crate::config::AnalysisSection;
use crate::metric::{Estimator, Share};
use crate::report::model::IntervalMethod;
use stagegate_stats::bootstrap::{
    LogEstimate, percentile_interval, quotient, studentised_interval, variance, welch_degrees,
};
use stagegate_stats::clusters::FEWEST_CLUSTERS;
use stagegate_stats::dependence::{Dependence, LongRun};
use stagegate_stats::ratio::koopman;
use stagegate_stats::{Interval, Level, Z_POWER};

/// candidate / reference of a metric, or what was made of it.
pub(super) struct Ratio {
    pub value: f64,
    /// `None` where there is too little for one.
    pub interval: Option<Interval>,
    pub method: IntervalMethod,
    /// Observations of reference and candidate.
    pub n: [u64; 2],
    /// Whether either group has fewer than 8 hours.
    pub few_hours: bool,
    /// How the hours of the group that depends the more on its hours do.
    pub dependence: Dependence,
    /// The smallest ratio away from 1 that this log would have told from 1 (see [`detectable`]).
    pub detectable: Option<f64>,
}

impl Ratio {
    /// 1 - ratio: by what share the candidate is below the reference.
    pub(super) fn reduction(self) -> Self {
        Self { value: 1.0 - self.value, interval: self.interval.map(|ends| ends.turned(|end| 1.0 - end)), ..self }
    }
}

/// By what factor a ratio with this interval must differ from another so that an interval at this level
/// would exclude it in 80 of 100 rollouts like this one: exp((z + z_0.8) s), s the standard
/// error of the log ratio (Cohen 1988). Above 1.
pub(super) fn detectable(interval: Option<Interval>, level: Level) -> Option<f64> {
    let Interval { low, high } = interval.filter(|ends| ends.low > 0.0 && ends.high.is_finite())?;
    Some(detectable_factor((high / low).ln() / 2.0 / level.z(), level))
}

/// The factor that a log ratio with this standard error would have told from 1.
pub(super) fn detectable_factor(log_error: f64, level: Level) -> f64 {
    ((level.z() + Z_POWER) * log_error).exp()
}

/// The ratio of any metric; `id` seeds the random numbers of those that are resampled.
///
/// # Errors
/// Why there is none.
pub(super) fn of_groups(
    analysis: &AnalysisSection,
    reference: &GroupData,
    candidate: &GroupData,
    estimator: Estimator,
    id: &str,
) -> Result<Ratio, NotMeasured> {
    match estimator {
        Estimator::Rate(share) => of_rate(reference, candidate, share, analysis.level()),
        _ => of_metric(analysis, reference, candidate, estimator, id),
    }
}

/// candidate / reference of a metric that is not a rate: the hours of both groups are resampled.
fn of_metric(
    analysis: &AnalysisSection,
    reference: &GroupData,
    candidate: &GroupData,
    estimator: Estimator,
    id: &str,
) -> Result<Ratio, NotMeasured> {
    let (bottom, bottom_n) = point(reference, estimator).map_err(|reason| format!("reference: {reason}"))?;
    let (top, top_n) = point(candidate, estimator)?;
    if bottom == 0.0 {
        return Err("the reference's value is 0: there is no ratio".into());
    }
    let side = |group, name: &str| replicates(group, estimator, analysis, &format!("{id}.{name}"));
    let (below, above) = (side(reference, "reference"), side(candidate, "candidate"));
    let few = |hours| hours < FEWEST_CLUSTERS as u64;
    // Where one side has few hours, its method is the weaker one and names the whole.
    let weaker = [&below, &above].into_iter().find(|side| few(side.hours)).and_then(|side| side.method);
    let enough = bottom_n >= 2 && top_n >= 2;
    let value = top / bottom;
    let interval = if enough { interval(&below, &above, [bottom, top], analysis.level()) } else { None };
    let interval = interval.map(|ends| ends.holding(value));
    let method = weaker.or(above.method).unwrap_or(IntervalMethod::BlockBootstrap);
    Ok(Ratio {
        value,
        interval,
        method,
        n: [bottom_n, top_n],
        few_hours: few(below.hours.min(above.hours)),
        dependence: below.long_run.dependence.max(above.long_run.dependence),
        detectable: detectable(interval, analysis.level()),
    })
}

/// Studentised where both sides are ratios of sums, else by percentiles.
fn interval(below: &Replicates, above: &Replicates, [bottom, top]: [f64; 2], level: Level) -> Option<Interval> {
    let sides = [below, above];
    if let (Some((below, below_replicates)), Some((above, above_replicates))) = (&below.studentised, &above.studentised)
    {
        let pairs = above_replicates.iter().zip(below_replicates);
        let replicates: Vec<LogEstimate> = pairs.map(|(above, below)| quotient(*above, *below)).collect();
        let interval = studentised_interval(quotient(*above, *below), &replicates, level);
        let errors = [below.log_error, above.log_error];
        return interval.map(|ends| ends.stretched(top / bottom, widening(sides, errors, level)));
    }
    let pairs = above.values.iter().zip(&below.values).filter(|(_, bottom)| **bottom > 0.0);
    let ratios: Vec<f64> = pairs.map(|(top, bottom)| top / bottom).collect();
    let relative = |side: &Replicates, value: f64| (variance(&side.values) / (value * value), side.degrees_of_freedom);
    let relatives = [relative(below, bottom), relative(above, top)];
    let errors = relatives.map(|(variance, _)| variance.sqrt());
    let interval = percentile_interval(ratios, welch_degrees(relatives), level);
    interval.map(|ends| ends.stretched(top / bottom, widening(sides, errors, level)))
}

/// How much wider the interval of a ratio is for hours that depend on each other: by the long-run variances of both
/// sides, whose errors on the logarithmic scale are `errors`, and by Student's quantile of what is known of them.
fn widening(sides: [&Replicates; 2], errors: [f64; 2], level: Level) -> f64 {
    if sides.iter().all(|side| side.long_run == LongRun::INDEPENDENT) {
        return 1.0;
    }
    let variances = errors.map(|error| error * error);
    let plain = [0, 1].map(|side| (variances[side], sides[side].degrees_of_freedom));
    let long_run = [0, 1].map(|side| {
        let LongRun { ratio, degrees_of_freedom, .. } = sides[side].long_run;
        (variances[side] * ratio, degrees_of_freedom.min(sides[side].degrees_of_freedom))
    });
    let sum = |sides: [(f64, f64); 2]| sides[0].0 + sides[1].0;
    let wider = (sum(long_run) / sum(plain)).sqrt() * level.t(welch_degrees(long_run)) / level.t(welch_degrees(plain));
    if wider.is_finite() { wider.max(1.0) } else { 1.0 }
}

/// The ratio of two rates: Koopman on effective counts.
fn of_rate(reference: &GroupData, candidate: &GroupData, share: Share, level: Level) -> Result<Ratio, NotMeasured> {
    let (bottom, top) = (
        rate(reference, share, level).map_err(|reason| format!("reference: {reason}"))?,
        rate(candidate, share, level)?,
    );
    if bottom.events == 0 {
        return Err("none such in the reference: there is no ratio".into());
    }
    let ((x2, n2), (x1, n1)) = (bottom.effective(), top.effective());
    let value = top.value() / bottom.value();
    let interval = koopman(x1, n1, x2, n2, level).map(|ends| ends.holding(value));
    Ok(Ratio {
        value,
        interval,
        method: IntervalMethod::Koopman,
        n: [bottom.n, top.n],
        few_hours: bottom.hours.min(top.hours) < FEWEST_CLUSTERS as u64,
        dependence: bottom.design_effect.dependence.max(top.design_effect.dependence),
        detectable: detectable_rate(bottom.effective(), top.effective(), level),
    })
}

/// Like [`detectable`], from the rate of the reference alone: a candidate without events still
/// says how rare they would have to be to be seen as fewer.
fn detectable_rate((x2, n2): (f64, f64), (_, n1): (f64, f64), level: Level) -> Option<f64> {
    let p = x2 / n2;
    let error = ((1.0 - p) / (p * n1) + (1.0 - p) / x2).sqrt();
    (p > 0.0 && p < 1.0).then(|| detectable_factor(error, level))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_have_been_seen_follows_the_width() {
        // s = ln(1.21) / (2 z); exp(2.8016 s) by hand.
        let want = (1.21_f64.ln() / 2.0 / Level::P95.z() * 2.801_585_218).exp();
        assert!((detectable(Interval::new(1.0, 1.21), Level::P95).unwrap() - want).abs() < 1e-6);
        assert_eq!(detectable(Interval::new(0.0, 1.2), Level::P95), None);
        assert_eq!(detectable(None, Level::P95), None);
    }
}
