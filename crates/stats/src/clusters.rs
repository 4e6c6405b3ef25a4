//! What the hours of a group say about how independent its uploads are.

use super::Level;
use super::dependence::{Dependence, LongRun};

/// Fewest hours from which clusters can be learnt; with fewer, uploads are taken as independent.
pub const FEWEST_CLUSTERS: usize = 8;

/// How much less a group's uploads are worth than as many independent ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DesignEffect {
    /// Variance of the rate from clusters / binomial variance, at least 1.
    pub value: f64,
    /// What counts are divided by: `value`, and the penalty for having learnt it from few clusters.
    pub divisor: f64,
    /// How the clusters depend on each other, where they are hours in their order.
    pub dependence: Dependence,
}

impl DesignEffect {
    /// Independent observations.
    pub const NONE: Self = Self { value: 1.0, divisor: 1.0, dependence: Dependence::None };

    /// From the ratio of the two variances, learnt from clusters with so many degrees of freedom; of intervals at
    /// `level`.
    ///
    /// The penalty is (t / z)^2 (Korn and Graubard 1998): a normal interval of the quotients is then as wide as
    /// the t interval of the clusters. Effective counts are never above the real ones.
    pub fn from_variances(ratio: f64, degrees_of_freedom: f64, level: Level) -> Self {
        let penalty = (level.t(degrees_of_freedom) / level.z()).powi(2);
        Self { value: ratio.max(1.0), divisor: (ratio * penalty).max(1.0), dependence: Dependence::None }
    }
}

/// Degrees of freedom of clusters of these sizes: the effective number of clusters (Kish 1965),
/// (Σn)² / Σn², less 1. At least 1.
pub fn degrees_of_freedom(sizes: impl Iterator<Item = f64>) -> f64 {
    let sizes: Vec<f64> = sizes.collect();
    let (sum, squares) = (sizes.iter().sum::<f64>(), sizes.iter().map(|n| n * n).sum::<f64>());
    // Of no cluster the quotient is no number, and 1 is more than that.
    (sum * sum / squares - 1.0).max(1.0)
}

/// Degrees of freedom of a variance that few clusters make up (Satterthwaite 1946, from the clusters'
/// own fourth moments): 2 (Σz²)² / (Σz⁴ - (Σz²)² / k) for what each of k clusters adds. At least 2.
fn moment_degrees(influences: impl Iterator<Item = f64>) -> f64 {
    let each: Vec<f64> = influences.map(|z| z * z).collect();
    let (squares, fourths) = (each.iter().sum::<f64>(), each.iter().map(|square| square * square).sum::<f64>());
    let spread = fourths - squares * squares / each.len() as f64;
    if spread > 0.0 { (2.0 * squares * squares / spread).max(2.0) } else { f64::INFINITY }
}

/// A design effect from its variance ratio, of hours that may depend on each other: `hours` are (hour, events,
/// observations), rising; events at `rate`.
fn over_time(
    hours: impl Iterator<Item = (i64, u64, u64)>,
    rate: f64,
    ratio: f64,
    degrees_of_freedom: f64,
    level: Level,
) -> DesignEffect {
    let influences: Vec<(i64, f64)> = hours.map(|(hour, y, n)| (hour, y as f64 - rate * n as f64)).collect();
    let long_run = LongRun::of(&influences, level);
    let degrees = degrees_of_freedom.min(long_run.degrees_of_freedom);
    let found = DesignEffect::from_variances(ratio * long_run.ratio, degrees, level);
    DesignEffect { dependence: long_run.dependence, ..found }
}

/// [`design_effect`] of the share at or below a quantile: where a few hours hold most of a tail, the
/// variance rests on those few, and its degrees of freedom on their moments.
pub fn design_effect_of_tail(hours: impl Iterator<Item = (i64, u64, u64)> + Clone, level: Level) -> DesignEffect {
    let hours = hours.filter(|(_, _, n)| *n > 0);
    let clusters = hours.clone().map(|(_, y, n)| (y, n));
    let plain = design_effect(clusters.clone(), level);
    let (events, total) = clusters.clone().fold((0, 0), |sum, (y, n)| (sum.0 + y, sum.1 + n));
    if total == 0 || plain == DesignEffect::NONE {
        return plain;
    }
    let rate = events as f64 / total as f64;
    let by_moments = moment_degrees(clusters.clone().map(|(y, n)| y as f64 - rate * n as f64));
    let by_sizes = degrees_of_freedom(clusters.map(|(_, n)| n as f64));
    over_time(hours, rate, plain.value, by_moments.min(by_sizes), level)
}

/// [`design_effect`] of hours in their order, which may depend on each other: `hours` are (hour, events,
/// observations), rising.
pub fn design_effect_of_hours(hours: impl Iterator<Item = (i64, u64, u64)> + Clone, level: Level) -> DesignEffect {
    let hours = hours.filter(|(_, _, n)| *n > 0);
    let Some((rate, ratio, degrees)) = variance_ratio(hours.clone().map(|(_, y, n)| (y, n))) else {
        return DesignEffect::NONE;
    };
    over_time(hours, rate, ratio, degrees, level)
}

/// Design effect of a rate from clusters: the variance of the ratio estimator sum(y) / sum(n)
/// over clusters (Cochran 1977, section 11.7, with the factor k / (k - 1)), over the binomial variance; at
/// least 1.
///
/// `clusters` are (events, observations), events not above observations. 1 for fewer than
/// [`FEWEST_CLUSTERS`] clusters with observations, and where every or no observation is an event.
pub fn design_effect(clusters: impl Iterator<Item = (u64, u64)> + Clone, level: Level) -> DesignEffect {
    match variance_ratio(clusters.filter(|(_, n)| *n > 0)) {
        Some((_, ratio, degrees)) => DesignEffect::from_variances(ratio, degrees, level),
        None => DesignEffect::NONE,
    }
}

/// The rate, its variance from clusters over the binomial one, and the degrees of freedom; `None` for too few clusters.
fn variance_ratio(clusters: impl Iterator<Item = (u64, u64)> + Clone) -> Option<(f64, f64, f64)> {
    let (count, events, total) =
        clusters.clone().fold((0_usize, 0_u64, 0_u64), |sum, (y, n)| (sum.0 + 1, sum.1 + y, sum.2 + n));
    // Where every or no observation is an event, both variances below are 0: their quotient is no number, and counts as 1.
    if count < FEWEST_CLUSTERS {
        return None;
    }
    let rate = events as f64 / total as f64;
    let squares: f64 = clusters.clone().map(|(y, n)| (y as f64 - rate * n as f64).powi(2)).sum();
    let k = count as f64;
    let variance = k / (k - 1.0) * squares / (total as f64).powi(2);
    let binomial = rate * (1.0 - rate) / total as f64;
    Some((rate, variance / binomial, degrees_of_freedom(clusters.map(|(_, n)| n as f64))))
}

/// How much the rate itself varies from cluster to cluster: the variance of the clusters' true
/// rates over the squared mean rate (method of moments), at least 0.
///
/// `clusters` are (events, observations). 0 for fewer than [`FEWEST_CLUSTERS`] clusters or without events.
pub fn squared_variation_of_rates(clusters: impl Iterator<Item = (u64, u64)> + Clone) -> f64 {
    let (count, events, total) = clusters
        .clone()
        .fold((0_usize, 0_u64, 0_u64), |sum, (y, n)| (sum.0 + usize::from(n > 0), sum.1 + y, sum.2 + n));
    if count < FEWEST_CLUSTERS || events == 0 {
        return 0.0;
    }
    let rate = events as f64 / total as f64;
    let (excess, pairs) = clusters.fold((0.0, 0.0), |(excess, pairs), (y, n)| {
        let n = n as f64;
        ((y as f64 - rate * n).powi(2) - n * rate * (1.0 - rate) + excess, n * (n - 1.0) + pairs)
    });
    if pairs > 0.0 { (excess / pairs / (rate * rate)).max(0.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identical_observations_within_a_cluster_multiply_the_variance() {
        // Each hour of 10 is all events or none: deff = 10 k / (k - 1).
        let clusters = (0..20).map(|hour| if hour % 2 == 0 { (10, 10) } else { (0, 10) });
        let want = 10.0 * 20.0 / 19.0;
        let got = design_effect(clusters, Level::P95);
        assert!((got.value - want).abs() < 1e-12);
        // scipy 1.17.1: t.ppf(0.975, 19) = 2.0930240544082634
        assert!((got.divisor / want - (2.093_024_054_408_263_4_f64 / Level::P95.z()).powi(2)).abs() < 1e-9);
    }

    #[track_caller]
    fn close(got: f64, want: f64) {
        assert!((got / want - 1.0).abs() < 1e-9, "{got} for {want}");
    }

    fn in_order(clusters: impl Iterator<Item = (u64, u64)> + Clone) -> impl Iterator<Item = (i64, u64, u64)> + Clone {
        (0..).zip(clusters).map(|(hour, (y, n))| (hour, y, n))
    }

    // numpy 2.4, scipy 1.17.1: the formulas of the doc comments, each in one line on arrays; an hour without
    // uploads is none.
    #[test]
    fn known_design_effects() {
        let eight = [(1, 10), (9, 10), (2, 10), (8, 10), (5, 10), (5, 10), (0, 12), (12, 12), (0, 0)];
        let got = design_effect(eight.into_iter(), Level::P95);
        close(got.value, 6.639_455_782_312_925);
        close(got.divisor, 9.694_638_933_143_743);
        // Of a tail, by the moments where they are fewer than the sizes tell, and never below 2.
        let rising = (0..12).map(|hour| (60 + 5 * (hour % 4) + if hour == 7 { 15 } else { 0 }, 100 + hour));
        let got = design_effect_of_tail(in_order(rising), Level::P95);
        close(got.value, 2.808_693_819_465_037);
        close(got.divisor, 3.967_356_138_661_854);
        let heavy = (0..40).map(|hour| if hour == 0 { (20, 100) } else { (98, 100) });
        close(design_effect_of_tail(in_order(heavy.chain([(0, 0)])), Level::P95).divisor, 167.825_439_761_661);
    }

    #[test]
    fn known_moment_degrees() {
        // 2 (Σz²)² / (Σz⁴ - (Σz²)² / 4) of 1, 2, 3, 4: 2 · 900 / (354 - 225)
        close(moment_degrees([1.0, -2.0, 3.0, -4.0].into_iter()), 1800.0 / 129.0);
        assert_eq!(moment_degrees([0.0, 0.0, 0.0, 5.0].into_iter()), 1250.0 / (625.0 - 156.25));
        assert_eq!(moment_degrees([1.0, -1.0, 1.0].into_iter()), f64::INFINITY);
        // All in one of a hundred: less than two degrees would have no variance.
        let one = (0..100).map(|hour| if hour == 0 { 5.0 } else { 0.0 });
        close(moment_degrees(one), 1250.0 / (625.0 - 6.25));
    }

    #[test]
    fn known_variation_of_rates() {
        let eight = [(0, 3), (2, 3), (1, 2), (0, 1), (3, 4), (0, 5), (1, 6), (4, 5), (0, 0)];
        close(squared_variation_of_rates(eight.into_iter()), 0.525_654_269_972_451_7);
        assert_eq!(squared_variation_of_rates(eight.into_iter().skip(1)), 0.0, "seven hours");
        assert_eq!(squared_variation_of_rates([(0, 9); 20].into_iter()), 0.0, "no events");
        for events in 1..9 {
            let single = (0..9).map(|hour| (u64::from(hour < events), 1));
            assert_eq!(squared_variation_of_rates(single), 0.0, "{events} of nine hours of one upload");
        }
    }

    #[test]
    fn few_hours_and_certain_rates_say_nothing() {
        assert_eq!(design_effect([(1, 10); 7].into_iter(), Level::P95), DesignEffect::NONE);
        assert_eq!(design_effect([(0, 10), (10, 10)].repeat(4).into_iter().skip(1), Level::P95), DesignEffect::NONE);
        assert_eq!(design_effect([(0, 10); 20].into_iter(), Level::P95), DesignEffect::NONE);
        assert_eq!(design_effect([(10, 10); 20].into_iter(), Level::P95), DesignEffect::NONE);
        // Less spread than chance is no gain.
        assert_eq!(design_effect([(5, 10); 20].into_iter(), Level::P95), DesignEffect::NONE);
    }

    #[test]
    fn one_hour_that_holds_the_tail_is_worth_little() {
        let even = (0..40).map(|hour| (95 + hour % 2 * 2, 100));
        let heavy = (0..40).map(|hour| if hour == 0 { (20, 100) } else { (98, 100) });
        let tail = |clusters| design_effect_of_tail(in_order(clusters), Level::P95).divisor;
        assert!(tail(heavy.clone().collect::<Vec<_>>().into_iter()) > design_effect(heavy, Level::P95).divisor);
        let even: Vec<(u64, u64)> = even.collect();
        assert!((tail(even.clone().into_iter()) - design_effect(even.into_iter(), Level::P95).divisor).abs() < 1e-12);
    }

    #[test]
    fn equal_clusters_have_one_degree_less_than_their_number() {
        assert!((degrees_of_freedom([5.0; 12].into_iter()) - 11.0).abs() < 1e-9);
        assert_eq!(degrees_of_freedom([5.0].into_iter()), 1.0);
        assert_eq!(degrees_of_freedom([].into_iter()), 1.0);
    }

    #[test]
    fn rates_that_vary_are_told_from_chance() {
        // Rates of 0.1 and 0.3 in turn, in large clusters: variance 0.01 over 0.2 squared.
        let clusters = (0..400).map(|hour| if hour % 2 == 0 { (1000, 10_000) } else { (3000, 10_000) });
        assert!((squared_variation_of_rates(clusters) - 0.25).abs() < 0.001);
        assert_eq!(squared_variation_of_rates([(1, 10); 20].into_iter()), 0.0);
    }
}
