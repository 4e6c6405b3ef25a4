//! What the hours of a group say about how independent its uploads are.

/// Fewest hours from which clusters can be learnt; with fewer, uploads are taken as independent.
pub const FEWEST_CLUSTERS: usize = 8;

/// Design effect of a rate from clusters: the variance of the ratio estimator sum(y) / sum(n)
/// over clusters (Cochran 1977, section 11.7, with the factor k / (k - 1)), over the binomial variance; at
/// least 1.
///
/// `clusters` are (events, observations), events not above observations. 1 for fewer than
/// [`FEWEST_CLUSTERS`] clusters with observations, and where every or no observation is an event.
pub fn design_effect(clusters: impl Iterator<Item = (u64, u64)> + Clone) -> f64 {
    let clusters = clusters.filter(|(_, n)| *n > 0);
    let (count, events, total) =
        clusters.clone().fold((0_usize, 0_u64, 0_u64), |sum, (y, n)| (sum.0 + 1, sum.1 + y, sum.2 + n));
    if count < FEWEST_CLUSTERS || events == 0 || events == total {
        return 1.0;
    }
    let rate = events as f64 / total as f64;
    let squares: f64 = clusters.map(|(y, n)| (y as f64 - rate * n as f64).powi(2)).sum();
    let k = count as f64;
    let variance = k / (k - 1.0) * squares / (total as f64).powi(2);
    let binomial = rate * (1.0 - rate) / total as f64;
    (variance / binomial).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identical_observations_within_a_cluster_multiply_the_variance() {
        // Each hour of 10 is all events or none: deff = 10 k / (k - 1).
        let clusters = (0..20).map(|hour| if hour % 2 == 0 { (10, 10) } else { (0, 10) });
        let want = 10.0 * 20.0 / 19.0;
        assert!((design_effect(clusters) - want).abs() < 1e-12);
    }

    #[test]
    fn few_hours_and_certain_rates_say_nothing() {
        assert_eq!(design_effect([(1, 10); 7].into_iter()), 1.0);
        assert_eq!(design_effect([(0, 10); 20].into_iter()), 1.0);
        assert_eq!(design_effect([(10, 10); 20].into_iter()), 1.0);
        // Less spread than chance is no gain.
        assert_eq!(design_effect([(5, 10); 20].into_iter()), 1.0);
    }
}
