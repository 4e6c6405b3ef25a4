//! Intervals of a proportion, and how many more observations would settle it.

use statrs::distribution::{ContinuousCDF, Gamma};

use super::distributions::binomial_upper_tail;
use super::{Interval, Level, Z_POWER};

/// Share of cases in which an effect is to be shown.
const POWER: f64 = 0.8;

/// Events up to which the end of an interval next to 0 or 1 is taken from the Poisson law.
const FEW_EVENTS: f64 = 1.5;

/// Wilson score interval of a proportion (Wilson 1927), with the end next to 0 (or 1) of a single
/// event (or success less than all) moved out to the one-sided Poisson limit of the same level, as Brown, Cai and
/// DasGupta (2001) advise: there the score interval covers far too little.
///
/// `successes` and `n` may be fractional (effective counts after the design effect), with
/// `0 <= successes <= n`. Returns fractions, `0 <= low <= high <= 1`; `None` when `n <= 0`.
pub fn wilson(successes: f64, n: f64, level: Level) -> Option<Interval> {
    if n <= 0.0 {
        return None;
    }
    let share = successes / n;
    let z = level.z();
    let z2 = z * z;
    let centre = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = z / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    // With no or only successes one end is exact; rounding must not move it.
    let low = if successes <= 0.0 { 0.0 } else { (centre - half).max(0.0) };
    let high = if successes >= n { 1.0 } else { (centre + half).min(1.0) };
    let poisson = |events: f64| if events < FEW_EVENTS { poisson_lower(events, level) / n } else { f64::INFINITY };
    Interval::new(low.min(poisson(successes)), high.max(1.0 - poisson(n - successes)))
}

/// The one-sided lower limit of a Poisson mean of which `events` were seen (Garwood 1936); 0 of none.
fn poisson_lower(events: f64, level: Level) -> f64 {
    Gamma::new(events, 1.0).map_or(0.0, |law| law.inverse_cdf(2.0 * level.tail()))
}

/// The fewest further observations after which the Wilson interval would no longer hold
/// `threshold`, if the share and design effect stayed what they are.
///
/// `n` counts real observations, `design_effect >= 1`. `None` when the share is the threshold
/// itself, or more than 10^12 observations would be needed.
pub fn more_needed(share: f64, n: u64, design_effect: f64, threshold: f64, level: Level) -> Option<u64> {
    let side = share.partial_cmp(&threshold).filter(|side| side.is_ne())?;
    let settled = |n: u64| {
        let effective = n as f64 / design_effect;
        let outside = |Interval { low, high }| if side.is_gt() { low >= threshold } else { high < threshold };
        wilson(share * effective, effective, level).is_some_and(outside)
    };
    let mut enough = n.max(1);
    while !settled(enough) {
        enough = enough.checked_mul(2).filter(|enough| *enough < 1_000_000_000_000)?;
    }
    let mut too_few = enough / 2;
    while enough - too_few > 1 {
        let middle = too_few.midpoint(enough);
        if settled(middle) { enough = middle } else { too_few = middle }
    }
    Some(enough.saturating_sub(n))
}

/// Fewest observations that can show a share of `threshold`, in (0, 1), at all: all of them successes, whose Wilson interval
/// begins at n / (n + z²).
pub fn fewest_to_show(threshold: f64, level: Level) -> u64 {
    (level.z().powi(2) * threshold / (1.0 - threshold)).ceil() as u64
}

/// Most observations that are asked of anybody.
const MOST_NEEDED: u64 = 10_000_000;

/// Observations from which on a true share of 1 - `failure_rate` shows that it is at least `threshold` in 80 of 100 cases:
/// the number from which on the failures that its Wilson interval allows stay so likely (they go up and down with each
/// failure that is one more). `None` above ten million, and
/// where the failure rate is not below the allowed one.
pub fn needed_for_power(threshold: f64, failure_rate: f64, level: Level) -> Option<u64> {
    if failure_rate >= 1.0 - threshold {
        return None;
    }
    let shows = |failures: u64, n: u64| {
        wilson((n - failures) as f64, n as f64, level).is_some_and(|interval| interval.low >= threshold)
    };
    let mut n = fewest_to_show(threshold, level).max(1);
    let mut allowed = 0;
    let mut enough: Option<u64> = None;
    // A quarter beyond the first that is enough no number falls below it any more.
    while n <= enough.map_or(MOST_NEEDED, |enough| enough + enough / 4) {
        while shows(allowed + 1, n) {
            allowed += 1;
        }
        let step = (n / 20_000).max(1);
        if 1.0 - binomial_upper_tail(allowed + 1, n, failure_rate) < POWER {
            enough = enough.map(|_| n + step);
        } else if enough.is_none() {
            enough = Some(n);
        }
        n += step;
    }
    enough
}

/// The smallest difference from `threshold` that an interval of `n` (effective) observations
/// would exclude in 80 of 100 cases: (z + z_0.8) sqrt(p (1 - p) / n) (Cohen 1988), at p =
/// `threshold`. `None` when `n` is 0 or the threshold is 0 or 1, where the formula has no spread.
pub fn detectable_difference(n: f64, threshold: f64, level: Level) -> Option<f64> {
    let spread = threshold * (1.0 - threshold);
    (n > 0.0 && spread > 0.0).then(|| (level.z() + Z_POWER) * (spread / n).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// scipy 1.17.1: the n from which on binom.cdf(most failures that Wilson allows, n, p) >= 0.8, by trying each.
    #[test]
    fn known_numbers_for_power() {
        for (threshold, fewest, tenth, half) in
            [(0.995, 765, 1130, 5440), (0.99, 381, 563, 2717), (0.985, 253, 374, 1809), (0.98, 189, 280, 1356)]
        {
            let needed = |share: f64| needed_for_power(threshold, (1.0 - threshold) * share, Level::P95).unwrap();
            assert_eq!((fewest_to_show(threshold, Level::P95), needed(0.1), needed(0.5)), (fewest, tenth, half));
        }
        assert_eq!(needed_for_power(0.99, 0.01, Level::P95), None);
    }

    #[track_caller]
    fn check(successes: f64, n: f64, want: (f64, f64)) {
        let got = wilson(successes, n, Level::P95).unwrap();
        assert!((got.low - want.0).abs() < 1e-12 && (got.high - want.1).abs() < 1e-12, "{got:?}");
    }

    // scipy 1.17.1: scipy.stats.binomtest(k, n).proportion_ci(method="wilson")
    #[test]
    fn known_intervals() {
        check(5.0, 10.0, (0.236_593_090_512_564, 0.763_406_909_487_436));
        check(0.0, 20.0, (0.0, 0.161_125_158_052_819_35));
        check(20.0, 20.0, (0.838_874_841_947_180_8, 1.0));
        check(981.0, 1000.0, (0.970_515_544_087_686_8, 0.987_803_114_249_209_1));
    }

    // scipy 1.17.1: gamma.ppf(0.05, 1) = 0.05129329438755058
    #[test]
    fn a_single_event_has_the_poisson_limit() {
        check(1.0, 1000.0, (0.000_051_293_294_387_55, wilson(1.0, 1000.0, Level::P95).unwrap().high));
        check(999.0, 1000.0, (wilson(999.0, 1000.0, Level::P95).unwrap().low, 1.0 - 0.000_051_293_294_387_55));
    }

    // numpy 2.4: the score interval of 1.5 of 1000, from where on it stands alone
    #[test]
    fn from_one_and_a_half_events_on_it_is_the_score_interval() {
        check(1.5, 1000.0, (0.00034649316327297827, 0.0064687850468254805));
    }

    /// At the edge itself: an end that is the threshold keeps "at least" and breaks "less than".
    #[test]
    fn the_threshold_itself_is_reached_from_above_and_not_from_below() {
        let Interval { low, high } = wilson(60.0, 100.0, Level::P95).unwrap();
        assert_eq!(more_needed(0.6, 100, 1.0, low, Level::P95), Some(0));
        assert_eq!(more_needed(0.6, 100, 1.0, high, Level::P95), Some(1));
        assert_eq!(more_needed(0.6, 100, 1.0, 0.6, Level::P95), None);
        // Settled at 7.5 · 10^11, but looked for in doublings below 10^12.
        assert_eq!(more_needed(0.5, 500_000_000_000, 1.0, 0.5 + 1.131_6e-6, Level::P95), None);
    }

    // statsmodels 0.15.0: (norm.ppf(0.975) + norm.ppf(0.8)) * sqrt(0.02 * 0.98 / 1000)
    #[test]
    fn known_detectable_difference() {
        let got = detectable_difference(1000.0, 0.98, Level::P95).unwrap();
        assert!((got - 0.012_403_146_487_6).abs() < 1e-12, "{got}");
        assert_eq!(detectable_difference(0.0, 0.98, Level::P95), None);
        assert_eq!(detectable_difference(100.0, 1.0, Level::P95), None);
    }

    #[test]
    fn nothing_measured_has_no_interval() {
        assert_eq!(wilson(0.0, 0.0, Level::P95), None);
    }

    proptest! {
        #[test]
        fn the_interval_holds_the_share(n in 1u32..5000, part in 0.0..=1.0_f64, design_effect in 1.0..20.0_f64) {
            let effective = f64::from(n) / design_effect;
            let Interval { low, high } = wilson(part * effective, effective, Level::P95).unwrap();
            prop_assert!(0.0 <= low && low <= part + 1e-12 && part <= high + 1e-12 && high <= 1.0);
        }

        #[test]
        fn exactly_as_many_as_needed(n in 10u64..5000, part in 0.5..0.999_f64, threshold in 0.5..0.999_f64) {
            prop_assume!((part - threshold).abs() > 1e-3);
            let more = more_needed(part, n, 1.7, threshold, Level::P95).unwrap();
            let holds = |n: u64| {
                let effective = n as f64 / 1.7;
                let Interval { low, high } = wilson(part * effective, effective, Level::P95).unwrap();
                if part > threshold { low < threshold } else { high >= threshold }
            };
            prop_assert!(!holds(n + more));
            prop_assert!(more == 0 || holds(n + more - 1));
        }
    }
}
