//! One group against another: candidate / reference with its interval.

use super::figure::{NotMeasured, point, replicates};
use super::group::GroupData;
use crate::config::Analysis;
use crate::metric::Estimator;
use crate::report::model::IntervalMethod;
use crate::stats::Interval;
use crate::stats::bootstrap::percentile_interval;
use crate::stats::clusters::FEWEST_CLUSTERS;

/// candidate / reference of a metric, or what was made of it.
pub struct Ratio {
    pub value: f64,
    /// `None` where there is too little for one.
    pub interval: Option<Interval>,
    pub method: IntervalMethod,
    /// Observations of reference and candidate.
    pub n: [u64; 2],
    /// Whether either group has fewer than 8 hours.
    pub few_hours: bool,
}

impl Ratio {
    /// 1 - ratio: by what share the candidate is below the reference.
    pub fn reduction(self) -> Self {
        Self { value: 1.0 - self.value, interval: self.interval.map(|(low, high)| (1.0 - high, 1.0 - low)), ..self }
    }
}

/// candidate / reference of a metric that is not a rate: both groups are resampled, with random
/// numbers seeded by `id`.
pub fn of_metric(
    analysis: &Analysis,
    reference: &GroupData,
    candidate: &GroupData,
    estimator: Estimator,
    id: &str,
) -> Result<Ratio, NotMeasured> {
    let (bottom, bottom_n) = point(reference, estimator).map_err(|reason| format!("baseline: {reason}"))?;
    let (top, top_n) = point(candidate, estimator)?;
    if bottom == 0.0 {
        return Err("the baseline's value is 0: there is no ratio".into());
    }
    let side = |group, name: &str| replicates(group, estimator, analysis, &format!("{id}.{name}"));
    let (below, above) = (side(reference, "reference"), side(candidate, "candidate"));
    let pairs = above.values.iter().zip(&below.values).filter(|(_, bottom)| **bottom > 0.0);
    let ratios: Vec<f64> = pairs.map(|(top, bottom)| top / bottom).collect();
    let few = |hours| hours < FEWEST_CLUSTERS as u64;
    // Where one side has few hours, its method is the weaker one and names the whole.
    let weaker = [&below, &above].into_iter().find(|side| few(side.hours)).and_then(|side| side.method);
    Ok(Ratio {
        value: top / bottom,
        interval: if bottom_n >= 2 && top_n >= 2 { percentile_interval(ratios) } else { None },
        method: weaker.unwrap_or(IntervalMethod::BlockBootstrap),
        n: [bottom_n, top_n],
        few_hours: few(below.hours.min(above.hours)),
    })
}
