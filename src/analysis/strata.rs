//! A group by segment and hour, and its figures with another group's mix (methodology 7).

use std::collections::BTreeMap;

use super::group::NANOS_PER_MS;
use crate::config::Plan;
use crate::cube::Cube;
use crate::cube::histogram::{Extremes, Grid, Histogram};
use crate::cube::slice::{Arm, Measured, Segment, SegmentHour};
use crate::error::Result;
use crate::metric::{Better, Distribution, Estimator, Metric, Share};
use crate::report::model::{AdjustedRatio, LEAST_COVERED};
use stagegate_stats::bootstrap::welch_degrees;
use stagegate_stats::distributions::t_upper_tail;
use stagegate_stats::ratio::{below_p_value, koopman};
use stagegate_stats::standardisation::{Cell, Estimate, crude, mix, mix_difference, standardised};
use stagegate_stats::{Interval, Level};

/// Everything the cube knows of one arm of one stage by segment.
pub(super) struct SegmentedGroup {
    hours: Vec<SegmentHour>,
    /// Fine histograms of the latency of successful uploads.
    latencies: Vec<(Segment, Histogram)>,
}

impl SegmentedGroup {
    /// Asks the cube.
    ///
    /// # Errors
    /// The cube is damaged.
    pub(super) fn new(plan: &Plan, cube: &Cube, stage: usize, arm: Arm) -> Result<Self> {
        Ok(Self {
            hours: cube.segment_hours(stage, arm, &plan.analysis.timeout_errors)?,
            latencies: cube.segment_histograms(stage, arm, Measured::SuccessDuration)?,
        })
    }

    /// The uploads of some of its segments.
    pub(super) fn only(&self, inside: impl Fn(Segment) -> bool) -> Self {
        Self {
            hours: self.hours.iter().filter(|row| inside(row.segment)).cloned().collect(),
            latencies: self.latencies.iter().filter(|(segment, _)| inside(*segment)).cloned().collect(),
        }
    }

    /// Some of its segments, as if what they share were no part of the mix: for one name against another. `without`
    /// gives for each segment the one that stands for it.
    pub(super) fn apart(&self, inside: impl Fn(Segment) -> bool, without: &[Segment]) -> Self {
        let mut group = self.only(inside);
        group.hours.iter_mut().for_each(|row| row.segment = without[row.segment.0 as usize]);
        group.latencies.iter_mut().for_each(|(segment, _)| *segment = without[segment.0 as usize]);
        group.hours.sort_by_key(|row| (row.segment, row.hour));
        group.latencies.sort_by_key(|(segment, _)| *segment);
        group
    }

    /// Uploads, successes and hours of each segment: (hour, successes, uploads).
    pub(super) fn successes_by_segment(&self) -> BTreeMap<Segment, Vec<(i64, u64, u64)>> {
        let mut segments: BTreeMap<Segment, Vec<(i64, u64, u64)>> = BTreeMap::new();
        for row in &self.hours {
            segments.entry(row.segment).or_default().push((row.hour, row.successes, row.uploads));
        }
        segments
    }

    pub(super) fn segments(&self) -> impl Iterator<Item = Segment> + '_ {
        self.hours.iter().map(|row| row.segment)
    }

    pub(super) fn uploads(&self) -> u64 {
        self.hours.iter().map(|row| row.uploads).sum()
    }

    /// Sums of an additive metric by stratum and hour; `below_ms` stands in for a quantile: the share of
    /// the successful uploads that took at most so long.
    fn cells(&self, of: Additive, strata: &BTreeMap<Segment, usize>) -> Vec<Cell> {
        let sums = |row: &SegmentHour| match of {
            Additive::Rate(Share::Successes) => (row.successes as f64, row.uploads as f64),
            Additive::Rate(Share::Timeouts) => (row.timeouts as f64, row.uploads as f64),
            Additive::Rate(Share::Failures) => ((row.uploads - row.successes) as f64, row.uploads as f64),
            Additive::Rate(Share::Fallbacks) => (row.fallbacks as f64, row.treated as f64),
            Additive::LatencyMean => (row.success_duration_ns as f64 / 1e6, row.successes as f64),
            Additive::MeasureMean(index) => (row.measures[index].nano as f64 / 1e9, row.measures[index].n as f64),
            Additive::MeasurePerRecord(index) => (row.measures[index].nano as f64 / 1e9, row.uploads as f64),
            Additive::AtMost(below_ms) => (Grid::SEGMENT.at_most(&row.durations, below_ms), row.successes as f64),
        };
        let mut cells = Vec::with_capacity(self.hours.len());
        // Rows are sorted by segment: one look-up for all hours of it.
        for rows in self.hours.chunk_by(|a, b| a.segment == b.segment) {
            let Some(stratum) = strata.get(&rows[0].segment).copied() else { continue };
            let cell = |row: &SegmentHour| {
                let (y, n) = sums(row);
                Cell { stratum, hour: row.hour, y, n }
            };
            cells.extend(rows.iter().map(cell).filter(|cell| cell.n > 0.0));
        }
        cells
    }

    /// The latency that a share `q` of the successful uploads does not exceed, with weights by stratum.
    fn quantile(&self, q: f64, strata: &BTreeMap<Segment, usize>, weights: &[f64]) -> Option<f64> {
        let weight = |segment: &Segment| strata.get(segment).map_or(0.0, |stratum| weights[*stratum]);
        let mut bins: Vec<f64> = Vec::new();
        for (segment, histogram) in self.latencies.iter().filter(|(segment, _)| weight(segment) > 0.0) {
            let each = weight(segment) / histogram.total() as f64;
            for (bin, count) in histogram.iter() {
                let bin = usize::from(bin);
                if bin >= bins.len() {
                    bins.resize(bin + 1, 0.0);
                }
                bins[bin] += each * count as f64;
            }
        }
        let total: f64 = bins.iter().sum();
        // Sums of fractions end a hair off: a rank that is reached but for rounding is reached.
        let wanted = q * total * (1.0 - 1e-12);
        let mut seen = 0.0;
        let reached = bins.iter().position(|share| {
            seen += *share;
            *share > 0.0 && seen >= wanted
        });
        reached.or(bins.len().checked_sub(1)).map(|bin| self.extremes().middle(bin as u16))
    }

    /// Of the durations of its successful uploads.
    fn extremes(&self) -> Extremes {
        let (largest, sum, n) = self.hours.iter().fold((0.0, 0, 0), |(largest, sum, n), row| {
            (row.success_duration_max_ms.max(largest), sum + row.success_duration_ns, n + row.successes)
        });
        Extremes::new(largest, sum, n, NANOS_PER_MS)
    }

    /// The plain nearest-rank quantile of its uploads.
    fn crude_quantile(&self, q: f64) -> Option<f64> {
        let pooled = Histogram::sum(self.latencies.iter().map(|(_, histogram)| histogram.columns()));
        pooled.quantile_bin(q).map(|bin| self.extremes().middle(bin))
    }
}

/// What is added up over uploads.
#[derive(Debug, Clone, Copy)]
enum Additive {
    Rate(Share),
    LatencyMean,
    MeasureMean(usize),
    MeasurePerRecord(usize),
    /// Share of the successful uploads with at most so many ms.
    AtMost(f64),
}

/// A crude and a mix-adjusted ratio, and what they say of each other.
pub(super) struct Standardised {
    pub n: [u64; 2],
    pub crude: f64,
    pub crude_interval: Option<Interval>,
    pub adjusted: Option<AdjustedRatio>,
    pub mix_changed: bool,
    /// Standard error of the log ratio, adjusted where it could be.
    pub log_error: Option<f64>,
    /// One-sided p-value that the candidate is not worse by more than the margin.
    pub regression_p_value: Option<f64>,
    /// Whether its whole interval lies within the margin.
    pub within_margin: bool,
}

/// Whether the two groups' uploads fell into the same hours, so that what an hour does to both cancels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pairing {
    SharedHours,
    DifferentHours,
}

/// The share of the effect by which crude and adjusted may differ before the mix is named.
const MIX_SHARE_OF_EFFECT: f64 = 0.25;
/// A difference below one percent is no other story.
const MIX_LEAST_LOG_DIFFERENCE: f64 = 0.01;
/// z beyond which a difference is no chance: two-sided 0.1 %.
pub(super) const NO_CHANCE_Z: f64 = 3.290_526_731_491_926;

/// One side's value with its error on the scale of the ratio's logarithm.
struct Side {
    estimate: Estimate,
    /// The metric's value; of a quantile, in ms.
    value: f64,
    /// d ln(value) / d estimate.
    slope: f64,
}

/// candidate / reference of a metric, crude and with the reference's mix, from segment hours. `None` where a
/// side has no observation or the reference is 0.
pub(super) fn compare(
    reference: &SegmentedGroup,
    candidate: &SegmentedGroup,
    metric: &Metric,
    pairing: Pairing,
    (margin, level): (f64, Level),
) -> Option<Standardised> {
    let segments: std::collections::BTreeSet<Segment> = reference.segments().chain(candidate.segments()).collect();
    let strata: BTreeMap<Segment, usize> = segments.into_iter().zip(0..).collect();
    let question = Question { reference, candidate, estimator: metric.estimator, pairing, level, strata: &strata };
    let sides = question.sides(None)?;
    let crude = question.ratio(&sides)?;
    let additive = question.additive(0.0)?;
    let shared = mix(&reference.cells(additive, &strata), &candidate.cells(additive, &strata), strata.len());
    let adjusted = shared.and_then(|mix| {
        let sides = question.sides(Some(&mix.weights))?;
        let ratio = question.ratio(&sides)?;
        let z = question.mix_z(&mix.weights);
        Some((ratio, mix.covered, z))
    });
    let mix_changed = adjusted.as_ref().is_some_and(|(adjusted, _, z)| {
        let (plain, standard) = (crude.value.ln(), adjusted.value.ln());
        let other_story = plain * standard < 0.0 || (plain - standard).abs() > MIX_SHARE_OF_EFFECT * plain.abs();
        other_story && (plain - standard).abs() > MIX_LEAST_LOG_DIFFERENCE && z.is_some_and(|z| z.abs() > NO_CHANCE_Z)
    });
    let judged =
        adjusted.as_ref().filter(|(_, covered, _)| *covered >= LEAST_COVERED).map_or(&crude, |(ratio, ..)| ratio);
    let within_margin = judged.interval.is_some_and(|ends| match metric.better {
        Better::Higher => ends.low >= 1.0 - margin,
        Better::Lower | Better::Neither => ends.high <= 1.0 + margin,
    });
    Some(Standardised {
        n: [sides.0.estimate.n as u64, sides.1.estimate.n as u64],
        crude: crude.value,
        crude_interval: crude.interval,
        mix_changed,
        log_error: judged.log_error,
        regression_p_value: judged.p_value(metric.better, margin),
        within_margin,
        adjusted: adjusted.map(|(ratio, mix_covered, _)| AdjustedRatio {
            ratio: ratio.value,
            ci: ratio.interval,
            mix_covered,
        }),
    })
}

/// A ratio with its interval and what tests need.
struct StandardRatio {
    value: f64,
    interval: Option<Interval>,
    log_error: Option<f64>,
    degrees_of_freedom: f64,
    /// Effective counts of candidate and reference, of rates.
    counts: Option<[(f64, f64); 2]>,
}

impl StandardRatio {
    /// One-sided: small where the ratio is surely worse than the margin allows.
    fn p_value(&self, better: Better, margin: f64) -> Option<f64> {
        match (self.counts, better) {
            (Some([(x1, n1), (x2, n2)]), Better::Higher) => below_p_value(x1, n1, x2, n2, 1.0 - margin),
            (Some([(x1, n1), (x2, n2)]), _) => below_p_value(x2, n2, x1, n1, 1.0 / (1.0 + margin)),
            (None, Better::Higher) => {
                let t = ((-margin).ln_1p() - self.value.ln()) / self.log_error?;
                Some(t_upper_tail(t, self.degrees_of_freedom))
            }
            (None, _) => {
                let t = (self.value.ln() - margin.ln_1p()) / self.log_error?;
                Some(t_upper_tail(t, self.degrees_of_freedom))
            }
        }
    }
}

/// Both groups and what is asked of them.
struct Question<'a> {
    reference: &'a SegmentedGroup,
    candidate: &'a SegmentedGroup,
    estimator: Estimator,
    pairing: Pairing,
    level: Level,
    strata: &'a BTreeMap<Segment, usize>,
}

impl Question<'_> {
    /// The additive quantity behind the metric; `None` for those that no standardisation has.
    fn additive(&self, quantile: f64) -> Option<Additive> {
        match self.estimator {
            Estimator::Rate(share) => Some(Additive::Rate(share)),
            Estimator::Mean(Distribution::Latency) => Some(Additive::LatencyMean),
            Estimator::Mean(Distribution::Measure(index)) => Some(Additive::MeasureMean(index)),
            Estimator::SumPerRecord(index) => Some(Additive::MeasurePerRecord(index)),
            Estimator::Quantile(Distribution::Latency, _) => Some(Additive::AtMost(quantile)),
            _ => None,
        }
    }

    /// Reference and candidate, crude or with the reference's mix over the strata that both have.
    fn sides(&self, weights: Option<&[f64]>) -> Option<(Side, Side)> {
        Some((self.side(self.reference, weights)?, self.side(self.candidate, weights)?))
    }

    fn side(&self, group: &SegmentedGroup, weights: Option<&[f64]>) -> Option<Side> {
        let estimate_of = |additive| {
            let cells = group.cells(additive, self.strata);
            match weights {
                None => crude(&cells),
                Some(weights) => standardised(&cells, weights),
            }
        };
        let Estimator::Quantile(_, q) = self.estimator else {
            let estimate = estimate_of(self.additive(0.0)?)?;
            let value = estimate.value;
            return Some(Side { value, slope: 1.0 / value, estimate });
        };
        let quantile = |q| match weights {
            None => group.crude_quantile(q),
            Some(weights) => group.quantile(q, self.strata, weights),
        };
        let value = quantile(q)?;
        let estimate = estimate_of(Additive::AtMost(value))?;
        // Woodruff (1952): the interval of the share below, turned over on the distribution itself. Its half
        // width on the log scale over that of the share is the slope by which hours move the quantile.
        let binomial = estimate.binomial_variance(q);
        let error = estimate.variance().unwrap_or(binomial).max(binomial).sqrt();
        let reach = self.level.t(estimate.degrees_of_freedom) * error;
        let (low, high) = (quantile((q - reach).max(1e-9))?, quantile((q + reach).min(1.0))?);
        let slope = if reach > 0.0 && low > 0.0 { (high / low).ln() / (2.0 * reach) } else { 0.0 };
        Some(Side { value, slope, estimate })
    }

    fn ratio(&self, (reference, candidate): &(Side, Side)) -> Option<StandardRatio> {
        if reference.value <= 0.0 {
            return None;
        }
        let value = candidate.value / reference.value;
        if matches!(self.estimator, Estimator::Rate(_)) {
            return Some(self.rate_ratio(value, &reference.estimate, &candidate.estimate));
        }
        let side = |side: &Side| {
            let binomial = match self.estimator {
                Estimator::Quantile(_, q) => side.estimate.binomial_variance(q),
                _ => 0.0,
            };
            // With few hours a quantile's uploads count as independent; a mean's spread is not known.
            let variance = side.estimate.variance().or((binomial > 0.0).then_some(binomial));
            variance.map(|variance| side.slope * side.slope * variance.max(binomial))
        };
        let (below, above) = (side(reference), side(candidate));
        let independent = below.zip(above).map(|(below, above)| below + above);
        let variance = match self.pairing {
            Pairing::DifferentHours => independent,
            Pairing::SharedHours => candidate
                .estimate
                .joint_variance(candidate.slope, &reference.estimate, -reference.slope)
                .map_or(independent, |joint| independent.map(|independent| joint.min(independent))),
        };
        let degrees = welch_degrees([
            (below.unwrap_or(0.0), reference.estimate.degrees_of_freedom),
            (above.unwrap_or(0.0), candidate.estimate.degrees_of_freedom),
        ]);
        let log_error = variance.map(f64::sqrt).filter(|error| *error > 0.0);
        let reach = log_error.map(|error| self.level.t(degrees) * error);
        Some(StandardRatio {
            value,
            interval: reach.and_then(|reach| Interval::new(value * (-reach).exp(), value * reach.exp())),
            log_error,
            degrees_of_freedom: degrees,
            counts: None,
        })
    }

    /// Koopman's interval on the counts that independent uploads with the same error would have.
    fn rate_ratio(&self, value: f64, reference: &Estimate, candidate: &Estimate) -> StandardRatio {
        let joint = match self.pairing {
            Pairing::SharedHours if reference.value > 0.0 && candidate.value > 0.0 => {
                let joint = candidate.joint_variance(1.0 / candidate.value, reference, -1.0 / reference.value);
                let separate = |side: &Estimate| side.variance().map(|variance| variance / side.value.powi(2));
                joint.zip(separate(reference)).zip(separate(candidate)).map(|((joint, a), b)| joint / (a + b))
            }
            _ => None,
        };
        let effective = |side: &Estimate| {
            let p = side.value.clamp(0.0, 1.0);
            let binomial = side.binomial_variance(p);
            let penalty = (self.level.t(side.degrees_of_freedom) / self.level.z()).powi(2);
            // Shared weather shows in both variances and not in the ratio.
            let clusters = side.variance().unwrap_or(0.0) * penalty * joint.unwrap_or(1.0).min(1.0);
            let n = if binomial > 0.0 { p * (1.0 - p) / clusters.max(binomial) } else { 1.0 / side.unit_variance };
            (p * n, n)
        };
        let ((x2, n2), (x1, n1)) = (effective(reference), effective(candidate));
        let error = ((n1 - x1) / (x1.max(0.5) * n1) + (n2 - x2) / (x2.max(0.5) * n2)).max(0.0).sqrt();
        StandardRatio {
            value,
            interval: koopman(x1, n1, x2, n2, self.level).map(|ends| ends.holding(value)),
            log_error: Some(error),
            degrees_of_freedom: f64::INFINITY,
            counts: Some([(x1, n1), (x2, n2)]),
        }
    }

    /// How surely the mix moves the candidate's value.
    fn mix_z(&self, weights: &[f64]) -> Option<f64> {
        let at = match self.estimator {
            Estimator::Quantile(_, q) => self.candidate.crude_quantile(q)?,
            _ => 0.0,
        };
        let additive = self.additive(at)?;
        let (reference, candidate) =
            (self.reference.cells(additive, self.strata), self.candidate.cells(additive, self.strata));
        mix_difference(&reference, &candidate, weights).map(|(_, z)| z)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cube::histogram::fine_bin;
    use crate::schema::metrics::Metrics;
    use crate::schema::record::Schema;

    /// Ten hours of 100 records each, all of one segment and 200 ms.
    fn group(successes: u64, fallbacks: u64) -> SegmentedGroup {
        let segment = Segment(0);
        let mut bins = Histogram::with_capacity(1);
        bins.push(Grid::SEGMENT.coarsen(fine_bin(200.0)), successes);
        let row = |hour| SegmentHour {
            segment,
            hour,
            uploads: 100,
            successes,
            treated: 50,
            fallbacks,
            timeouts: 0,
            success_duration_ns: i128::from(successes) * 200 * NANOS_PER_MS as i128,
            success_duration_max_ms: 200.0,
            measures: Vec::new(),
            durations: bins.clone(),
        };
        SegmentedGroup { hours: (0..10).map(row).collect(), latencies: vec![(segment, bins.clone())] }
    }

    fn of(reference: &SegmentedGroup, candidate: &SegmentedGroup, metric: &Metric) -> Standardised {
        compare(reference, candidate, metric, Pairing::DifferentHours, (0.05, Level::P95)).expect("both are measured")
    }

    /// The registry's direction decides what is worse, and nothing beside it.
    #[test]
    fn a_metric_turned_over_is_judged_the_other_way_round() {
        let (good, bad) = (group(95, 5), group(70, 5));
        let metrics = Metrics::of(&Schema::default());
        for id in ["success_rate", "error_rate"] {
            let metric = metrics.find(id).expect("a metric");
            let turned = match metric.better {
                Better::Higher => Better::Lower,
                Better::Lower | Better::Neither => Better::Higher,
            };
            let turned = Metric { better: turned, ..metric.clone() };
            let p_value = |metric| of(&good, &bad, metric).regression_p_value.expect("a p-value");
            assert!(p_value(metric) < 1e-6 && p_value(&turned) > 0.99, "{id}");
            assert!(!of(&good, &bad, metric).within_margin && of(&good, &bad, &turned).within_margin, "{id}");
        }
    }

    #[test]
    fn the_fallback_rate_counts_fallbacks_of_the_treated() {
        let metrics = Metrics::of(&Schema::default());
        let compared = of(&group(95, 10), &group(70, 20), metrics.find("fallback_rate").expect("a metric"));
        assert!((compared.crude - 2.0).abs() < 1e-12, "{}", compared.crude);
        assert_eq!(compared.n, [500, 500]);
    }
}
