//! How latency, and the measures that the plan wants improved, are spread: the baseline beside the treated of the last
//! stage that has some.

use super::group::{GroupData, StageData, last_treated};
use super::pair::place;
use super::series;
use crate::config::Plan;
use crate::cube::slice::Arm;
use crate::metric::{Distribution, Estimator, Unit};
use crate::report::model::{Group, MeasureSource, Spread, SpreadGroup, Stage};

/// Shares between the ends, in thousandths.
const STEP: usize = 25;
/// The tails beyond them.
const TAILS: [f64; 6] = [0.005, 0.01, 0.99, 0.995, 0.999, 0.9999];
/// Fewest records beyond a share: of fewer it is an accident.
const FEWEST_BEYOND: f64 = 5.0;

/// Those that both groups have, latency first.
pub(super) fn spreads(plan: &Plan, data: &[StageData], stages: &[Stage]) -> Vec<Spread> {
    let (Some(before), Some(now)) = (plan.baseline(), last_treated(plan, data)) else { return Vec::new() };
    let measures = series::measures(plan).into_iter().map(Distribution::Measure);
    let all = [Distribution::Latency].into_iter().chain(measures);
    let spread = |of| {
        let groups = [
            (data[before].arm(Arm::All), &stages[before].groups.all, false),
            (data[now].arm(Arm::Treated), &stages[now].groups.treated, true),
        ];
        let groups = groups.map(|(data, figures, treated)| group(plan, of, data, figures, treated));
        let groups: Option<Vec<SpreadGroup>> = groups.into_iter().collect();
        let (name, unit) = match of {
            Distribution::Latency => ("latency".to_owned(), Unit::Milliseconds),
            Distribution::Measure(index) => {
                let metric = plan.metrics.by(Estimator::Mean(of))?;
                (plan.schema.measures[index].text(), metric.unit.clone())
            }
        };
        Some(Spread { of: name, unit, groups: groups? })
    };
    all.filter_map(spread).collect()
}

fn group(plan: &Plan, of: Distribution, data: &GroupData, figures: &Group, treated: bool) -> Option<SpreadGroup> {
    if let Distribution::Measure(index) = of {
        // Samples of a process belong to no record.
        data.measure(index).filter(|measure| measure.source == MeasureSource::Records)?;
    }
    let histograms = data.histograms(of)?;
    let n = histograms.pooled.total();
    let mut shares: Vec<f64> = (1..1000 / STEP).map(|step| (step * STEP) as f64 / 1000.0).chain(TAILS).collect();
    shares.sort_by(f64::total_cmp);
    let beyond = |share: &f64| share.min(1.0 - share) * n as f64 >= FEWEST_BEYOND;
    let quantiles: Vec<[f64; 2]> =
        shares.into_iter().filter(beyond).filter_map(|share| Some([share, histograms.quantile(share)?])).collect();
    let interval = |metric: &crate::metric::Metric| match metric.estimator {
        Estimator::Quantile(known, share) if known == of => {
            let ends = figures.figure(&metric.id)?.ci?;
            (ends.low.is_finite() && ends.high.is_finite()).then_some([share, ends.low, ends.high])
        }
        _ => None,
    };
    let intervals = plan.metrics.iter().filter_map(interval).collect();
    (!quantiles.is_empty()).then(|| SpreadGroup { group: place(plan, data), treated, n, quantiles, intervals })
}
