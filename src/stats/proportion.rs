//! Intervals of a proportion, and how many more observations would settle it.

use super::{Interval, Z_95};

/// Wilson score interval of a proportion at 95 % (Wilson 1927).
///
/// `successes` and `n` may be fractional (effective counts after the design effect), with
/// `0 <= successes <= n`. Returns fractions, `0 <= low <= high <= 1`; `None` when `n <= 0`.
pub fn wilson(successes: f64, n: f64) -> Option<Interval> {
    if n <= 0.0 {
        return None;
    }
    let share = successes / n;
    let z2 = Z_95 * Z_95;
    let centre = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z_95 / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    // With no or only successes one end is exact; rounding must not move it.
    let low = if successes <= 0.0 { 0.0 } else { (centre - half).max(0.0) };
    let high = if successes >= n { 1.0 } else { (centre + half).min(1.0) };
    Some((low, high))
}

/// The fewest further observations after which the Wilson interval would no longer hold
/// `threshold`, if the share and design effect stayed what they are.
///
/// `n` counts real observations, `design_effect >= 1`. `None` when the share is the threshold
/// itself, or more than 10^12 observations would be needed.
pub fn more_needed(share: f64, n: u64, design_effect: f64, threshold: f64) -> Option<u64> {
    let settled = |n: u64| {
        let effective = n as f64 / design_effect;
        wilson(share * effective, effective)
            .is_some_and(|(low, high)| if share > threshold { low >= threshold } else { high < threshold })
    };
    if share == threshold {
        return None;
    }
    let mut enough = n.max(1);
    while !settled(enough) {
        enough = enough.checked_mul(2).filter(|enough| *enough < 1_000_000_000_000)?;
    }
    let mut too_few = enough / 2;
    while enough - too_few > 1 {
        let middle = too_few + (enough - too_few) / 2;
        if settled(middle) { enough = middle } else { too_few = middle }
    }
    Some(enough.saturating_sub(n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(successes: f64, n: f64, want: Interval) {
        let got = wilson(successes, n).unwrap();
        assert!((got.0 - want.0).abs() < 1e-12 && (got.1 - want.1).abs() < 1e-12, "{got:?}");
    }

    // scipy 1.17.1: scipy.stats.binomtest(k, n).proportion_ci(method="wilson")
    #[test]
    fn known_intervals() {
        check(5.0, 10.0, (0.236_593_090_512_564, 0.763_406_909_487_436));
        check(0.0, 20.0, (0.0, 0.161_125_158_052_819_35));
        check(20.0, 20.0, (0.838_874_841_947_180_8, 1.0));
        check(981.0, 1000.0, (0.970_515_544_087_686_8, 0.987_803_114_249_209_1));
    }

    #[test]
    fn nothing_measured_has_no_interval() {
        assert_eq!(wilson(0.0, 0.0), None);
    }

    proptest! {
        #[test]
        fn the_interval_holds_the_share(n in 1u32..5000, part in 0.0..=1.0_f64, design_effect in 1.0..20.0_f64) {
            let effective = f64::from(n) / design_effect;
            let (low, high) = wilson(part * effective, effective).unwrap();
            prop_assert!(0.0 <= low && low <= part + 1e-12 && part <= high + 1e-12 && high <= 1.0);
        }

        #[test]
        fn exactly_as_many_as_needed(n in 10u64..5000, part in 0.5..0.999_f64, threshold in 0.5..0.999_f64) {
            prop_assume!((part - threshold).abs() > 1e-3);
            let more = more_needed(part, n, 1.7, threshold).unwrap();
            let holds = |n: u64| {
                let effective = n as f64 / 1.7;
                let (low, high) = wilson(part * effective, effective).unwrap();
                if part > threshold { low < threshold } else { high >= threshold }
            };
            prop_assert!(!holds(n + more));
            prop_assert!(more == 0 || holds(n + more - 1));
        }
    }
}
