//! Direct standardisation: a group's ratio sum(y) / sum(n) with another group's mix of strata, and
//! how far it may be off, told hour by hour so that groups that share hours can be compared.

use std::collections::BTreeMap;

use super::clusters::FEWEST_CLUSTERS;

/// What was seen of one stratum in one hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Number of the stratum, an index into the weights.
    pub stratum: usize,
    pub hour: i64,
    pub y: f64,
    /// Observations, at least 0.
    pub n: f64,
}

/// An estimate and what each hour adds to its error.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    pub value: f64,
    /// Observations it was made of.
    pub n: f64,
    /// Σ w² / n over the strata: its variance is this times that of one independent observation.
    pub unit_variance: f64,
    /// By hour, rising.
    influences: Vec<(i64, f64)>,
    /// Effective number of hours, less one (Kish 1965).
    pub degrees_of_freedom: f64,
}

impl Estimate {
    /// Variance from hours as clusters: the sum of squared influences (Taylor linearisation, Binder
    /// 1983). `None` for fewer than 8 hours.
    pub fn variance(&self) -> Option<f64> {
        (self.influences.len() >= FEWEST_CLUSTERS).then(|| self.influences.iter().map(|(_, z)| z * z).sum())
    }

    /// Variance of `a` x this + `b` x `other`, where both share hours: what an hour adds to both
    /// is added up before it is squared. `None` for fewer than 8 hours of either.
    pub fn joint_variance(&self, a: f64, other: &Self, b: f64) -> Option<f64> {
        if self.influences.len().min(other.influences.len()) < FEWEST_CLUSTERS {
            return None;
        }
        let mut hours: BTreeMap<i64, f64> = self.influences.iter().map(|(hour, z)| (*hour, a * z)).collect();
        for (hour, z) in &other.influences {
            *hours.entry(*hour).or_default() += b * z;
        }
        Some(hours.values().map(|z| z * z).sum())
    }

    /// The variance that independent observations with events at rate `p` would have.
    pub fn binomial_variance(&self, p: f64) -> f64 {
        p * (1.0 - p) * self.unit_variance
    }
}

/// Sums of y and n by stratum.
fn totals(cells: &[Cell], strata: usize) -> Vec<(f64, f64)> {
    let mut totals = vec![(0.0, 0.0); strata];
    for cell in cells {
        let total = &mut totals[cell.stratum];
        *total = (total.0 + cell.y, total.1 + cell.n);
    }
    totals
}

/// sum(y) / sum(n), whatever the strata. `None` without observations.
pub fn crude(cells: &[Cell]) -> Option<Estimate> {
    let whole: Vec<Cell> = cells.iter().map(|cell| Cell { stratum: 0, ..*cell }).collect();
    standardised(&whole, &[1.0])
}

/// Σ w y / n over the strata with a weight above 0; weights add up to 1.
///
/// The influence of an hour is Σ w (y - r n) / N over its strata, divided by sqrt(1 - its share of the
/// stratum): residuals of hours that carry much of their stratum are too small (CR2 of Bell and
/// McCaffrey 2002). `None` where a stratum with a weight has no observation.
pub fn standardised(cells: &[Cell], weights: &[f64]) -> Option<Estimate> {
    let totals = totals(cells, weights.len());
    let used = || weights.iter().zip(&totals).filter(|(weight, _)| **weight > 0.0);
    if used().next().is_none() || used().any(|(_, (_, n))| *n <= 0.0) {
        return None;
    }
    // Cells of one hour and stratum may come apart (other dimensions): they are one cluster.
    let mut by_hour: BTreeMap<(i64, usize), (f64, f64)> = BTreeMap::new();
    for cell in cells.iter().filter(|cell| weights[cell.stratum] > 0.0 && cell.n > 0.0) {
        let sums = by_hour.entry((cell.hour, cell.stratum)).or_default();
        *sums = (sums.0 + cell.y, sums.1 + cell.n);
    }
    let mut influences: Vec<(i64, f64)> = Vec::new();
    let mut shares: Vec<f64> = Vec::new();
    for ((hour, stratum), (y, n)) in by_hour {
        let (total_y, total_n) = totals[stratum];
        let share = n / total_n;
        let residual = (y - total_y / total_n * n) / total_n;
        let z = weights[stratum] * residual / (1.0 - share).max(1e-3).sqrt();
        match influences.last_mut().zip(shares.last_mut()) {
            Some(((last, sum), shared)) if *last == hour => {
                *sum += z;
                *shared += weights[stratum] * share;
            }
            _ => {
                influences.push((hour, z));
                shares.push(weights[stratum] * share);
            }
        }
    }
    let concentration: f64 = shares.iter().map(|share| share * share).sum();
    Some(Estimate {
        value: used().map(|(weight, (y, n))| weight * y / n).sum(),
        n: used().map(|(_, (_, n))| n).sum(),
        unit_variance: used().map(|(weight, (_, n))| weight * weight / n).sum(),
        influences,
        degrees_of_freedom: (1.0 / concentration - 1.0).max(1.0),
    })
}

/// How the reference's mix was taken.
pub struct Mix {
    /// By stratum: the share of the reference among the strata that both have; 0 elsewhere.
    pub weights: Vec<f64>,
    /// Share of the reference's observations in those strata.
    pub covered: f64,
}

/// The reference's mix over the strata that both groups have in at least two hours each: with one,
/// nothing is known of how far it may be off. `None` where they share none.
pub fn mix(reference: &[Cell], candidate: &[Cell], strata: usize) -> Option<Mix> {
    let hours = |cells: &[Cell]| {
        let mut seen: Vec<Option<(i64, bool)>> = vec![None; strata];
        for cell in cells.iter().filter(|cell| cell.n > 0.0) {
            let known = &mut seen[cell.stratum];
            *known = match *known {
                None => Some((cell.hour, false)),
                Some((first, more)) => Some((first, more || first != cell.hour)),
            };
        }
        seen.into_iter().map(|known| known.is_some_and(|(_, more)| more)).collect::<Vec<bool>>()
    };
    let (in_reference, in_candidate) = (hours(reference), hours(candidate));
    let totals = totals(reference, strata);
    let whole: f64 = totals.iter().map(|(_, n)| n).sum();
    let shared: Vec<f64> = (0..strata)
        .map(|index| if in_reference[index] && in_candidate[index] { totals[index].1 } else { 0.0 })
        .collect();
    let sum: f64 = shared.iter().sum();
    (sum > 0.0).then(|| Mix { weights: shared.iter().map(|n| n / sum).collect(), covered: sum / whole })
}

/// z of the difference between a candidate's crude and standardised value: how surely the mix
/// differs in a way that moves the value. The weights' own error, from the reference's hours, counts.
pub fn mix_difference(reference: &[Cell], candidate: &[Cell], weights: &[f64]) -> Option<(f64, f64)> {
    let (plain, adjusted) = (crude(candidate)?, standardised(candidate, weights)?);
    let difference = plain.value - adjusted.value;
    let own = plain.joint_variance(1.0, &adjusted, -1.0)?;
    let rates: Vec<f64> =
        totals(candidate, weights.len()).iter().map(|(y, n)| if *n > 0.0 { y / n } else { 0.0 }).collect();
    let covered = |cell: &&Cell| weights[cell.stratum] > 0.0;
    let total: f64 = reference.iter().filter(covered).map(|cell| cell.n).sum();
    let mut hours: BTreeMap<i64, f64> = BTreeMap::new();
    for cell in reference.iter().filter(covered) {
        *hours.entry(cell.hour).or_default() += cell.n * (rates[cell.stratum] - adjusted.value) / total;
    }
    let weights_variance: f64 = hours.values().map(|z| z * z).sum();
    let error = (own + weights_variance).sqrt();
    (error > 0.0).then(|| (difference, difference / error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cell(stratum: usize, hour: i64, y: f64, n: f64) -> Cell {
        Cell { stratum, hour, y, n }
    }

    /// Small files (stratum 0) are fast, large ones slow; the candidate has more small ones.
    fn shifted() -> (Vec<Cell>, Vec<Cell>) {
        let group = |small: f64, large: f64| {
            (0..40)
                .flat_map(move |hour| [cell(0, hour, 100.0 * small, small), cell(1, hour, 900.0 * large, large)])
                .collect()
        };
        (group(5.0, 5.0), group(9.0, 1.0))
    }

    #[test]
    fn the_references_mix_undoes_a_shift() {
        let (reference, candidate) = shifted();
        let mix = mix(&reference, &candidate, 2).unwrap();
        assert_eq!((mix.weights.as_slice(), mix.covered), ([0.5, 0.5].as_slice(), 1.0));
        assert!((crude(&candidate).unwrap().value - 180.0).abs() < 1e-9);
        assert!((standardised(&candidate, &mix.weights).unwrap().value - 500.0).abs() < 1e-9);
        assert!((crude(&reference).unwrap().value - 500.0).abs() < 1e-9);
    }

    #[test]
    fn a_stratum_of_one_group_alone_is_left_out_and_said() {
        let reference: Vec<Cell> =
            (0..10).flat_map(|hour| [cell(0, hour, 1.0, 3.0), cell(1, hour, 1.0, 1.0)]).collect();
        let candidate: Vec<Cell> = (0..10).map(|hour| cell(0, hour, 1.0, 2.0)).collect();
        let mix = mix(&reference, &candidate, 2).unwrap();
        assert_eq!((mix.weights, mix.covered), (vec![1.0, 0.0], 0.75));
    }

    #[test]
    fn the_variance_of_a_mean_is_that_of_its_hours() {
        // Equal hours with means 1 to 9: s² / k = 7.5 / 9.
        let cells: Vec<Cell> = (1..=9).map(|hour| cell(0, hour, hour as f64 * 4.0, 4.0)).collect();
        let estimate = crude(&cells).unwrap();
        assert!((estimate.variance().unwrap() - 7.5 / 9.0).abs() < 1e-12);
        assert!((estimate.degrees_of_freedom - 8.0).abs() < 1e-9);
        // What two groups share cancels in their difference.
        assert!(estimate.joint_variance(1.0, &estimate, -1.0).unwrap() < 1e-20);
    }

    #[test]
    fn few_hours_have_no_variance() {
        let cells: Vec<Cell> = (0..7).map(|hour| cell(0, hour, hour as f64, 1.0)).collect();
        assert_eq!(crude(&cells).unwrap().variance(), None);
    }

    proptest! {
        #[test]
        fn with_its_own_mix_a_group_stays_what_it_is(
            sums in prop::collection::vec((0usize..3, 0i64..12, 0.0..50.0_f64, 1.0..20.0_f64), 12..80),
        ) {
            let cells: Vec<Cell> = sums.into_iter().map(|(stratum, hour, y, n)| cell(stratum, hour, y, n)).collect();
            let own = mix(&cells, &cells, 3);
            prop_assume!(own.as_ref().is_some_and(|mix| mix.covered > 0.999));
            let (plain, adjusted) = (crude(&cells).unwrap(), standardised(&cells, &own.unwrap().weights).unwrap());
            prop_assert!((plain.value / adjusted.value - 1.0).abs() < 1e-9);
        }
    }
}
