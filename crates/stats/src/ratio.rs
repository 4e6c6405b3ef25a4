//! Interval of the ratio of two proportions.

use super::distributions::normal_upper_tail;
use super::{Interval, Level};

/// Koopman's score interval of the ratio (x1 / n1) / (x2 / n2) of two independent
/// proportions (Koopman 1984). Counts may be fractional (effective counts after the design effect).
///
/// Right with zero events: x1 = 0 gives a low end of 0, x2 = 0 a high end of infinity.
/// `None` when either `n` is 0 or both counts are 0 (the data say nothing about the ratio).
pub fn koopman(x1: f64, n1: f64, x2: f64, n2: f64, level: Level) -> Option<Interval> {
    if n1 <= 0.0 || n2 <= 0.0 || (x1 <= 0.0 && x2 <= 0.0) {
        return None;
    }
    let limit = level.z() * level.z();
    let outside = |log_ratio: f64| score(log_ratio.exp(), x1, n1, x2, n2) > limit;
    let estimate = ((x1.max(0.5) / n1) / (x2.max(0.5) / n2)).ln();
    let low = if x1 <= 0.0 { 0.0 } else { edge(estimate, -1.0, outside).exp() };
    let high = if x2 <= 0.0 { f64::INFINITY } else { edge(estimate, 1.0, outside).exp() };
    Some(Interval { low, high })
}

/// One-sided p-value of the score test (Koopman 1984, Miettinen and Nurminen 1985) that the ratio of two
/// independent proportions is not below `ratio` > 0: small where it surely is below.
///
/// Counts may be fractional. `None` when either `n` is 0 or both counts are 0.
pub fn below_p_value(x1: f64, n1: f64, x2: f64, n2: f64, ratio: f64) -> Option<f64> {
    if n1 <= 0.0 || n2 <= 0.0 || (x1 <= 0.0 && x2 <= 0.0) {
        return None;
    }
    let z = score(ratio, x1, n1, x2, n2).sqrt();
    let below = x1 / n1 < ratio * x2 / n2;
    Some(normal_upper_tail(if below { z } else { -z }))
}

/// Walks from `from` until `outside`, then bisects the edge. On the log scale the score rises on
/// both sides of the estimate.
fn edge(from: f64, direction: f64, outside: impl Fn(f64) -> bool) -> f64 {
    // With a zero count the stand-in estimate may lie outside already: start from the other side.
    let mut inside = from;
    while outside(inside) && (inside - from).abs() < 60.0 {
        inside -= direction * 0.25;
    }
    let mut step = 0.25;
    let mut beyond = inside + direction * step;
    while !outside(beyond) && step < 1e3 {
        step *= 2.0;
        beyond = inside + direction * step;
    }
    for _ in 0..200 {
        let middle = f64::midpoint(inside, beyond);
        if outside(middle) { beyond = middle } else { inside = middle }
    }
    f64::midpoint(inside, beyond)
}

/// The chi-square score statistic of the hypothesis that the ratio is `ratio`.
fn score(ratio: f64, x1: f64, n1: f64, x2: f64, n2: f64) -> f64 {
    // Proportions under the hypothesis: the smaller root of a quadratic (Koopman 1984, Miettinen and Nurminen 1985).
    let a = (n1 + n2) * ratio;
    let b = -(n1 * ratio + x1 + n2 + x2 * ratio);
    let c = x1 + x2;
    let root = (b * b - 4.0 * a * c).max(0.0).sqrt();
    // The form without cancellation: -b is positive.
    let p2 = (2.0 * c / (-b + root)).min(1.0);
    let p1 = (p2 * ratio).min(1.0);
    let term = |x: f64, n: f64, p: f64| {
        let difference = x - n * p;
        if difference.abs() < 1e-300 { 0.0 } else { difference * difference / (n * p * (1.0 - p)) }
    };
    term(x1, n1, p1) + term(x2, n2, p2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(x1: f64, n1: f64, x2: f64, n2: f64, want: (f64, f64)) {
        let got = koopman(x1, n1, x2, n2, Level::P95).unwrap();
        let close = |got: f64, want: f64| got == want || (got / want - 1.0).abs() < 1e-6;
        assert!(close(got.low, want.0) && close(got.high, want.1), "{got:?}");
    }

    // statsmodels 0.15.0: confint_proportions_2indep(x1, n1, x2, n2, method="score", compare="ratio", correction=False)
    #[test]
    fn known_intervals() {
        check(36.0, 40.0, 16.0, 80.0, (2.939_569_192_214_996, 7.152_223_434_866_03));
        check(3.0, 5000.0, 140.0, 3500.0, (0.005_050_792_187_658_886, 0.044_515_764_095_145_93));
        check(50.0, 1000.0, 60.0, 900.0, (0.521_968_763_175_245_7, 1.077_453_760_899_588_2));
    }

    // statsmodels 0.15.0: test_proportions_2indep(x1, n1, x2, n2, value=r, method="score", compare="ratio",
    // alternative="smaller", correction=False).pvalue
    #[test]
    fn known_p_values() {
        for (x1, n1, x2, n2, ratio, want) in [
            (930.0, 1000.0, 4900.0, 5000.0, 0.95, 0.451_679_815_630_737_9),
            (80.0, 100.0, 470.0, 500.0, 0.95, 0.003_017_081_621_525_200_7),
            (60.0, 1000.0, 20.0, 900.0, 1.05, 0.999_947_073_688_833_3),
        ] {
            let got = below_p_value(x1, n1, x2, n2, ratio).unwrap();
            assert!((got / want - 1.0).abs() < 1e-6, "{got} for {want}");
        }
        assert_eq!(below_p_value(0.0, 10.0, 0.0, 10.0, 0.95), None);
    }

    #[test]
    fn zero_events_are_no_trouble() {
        assert_eq!(koopman(0.0, 100.0, 0.0, 100.0, Level::P95), None);
        assert_eq!(koopman(0.0, 0.0, 3.0, 100.0, Level::P95), None);
        let Interval { low, high } = koopman(0.0, 5000.0, 150.0, 5000.0, Level::P95).unwrap();
        assert!(low == 0.0 && high > 0.0 && high < 0.05, "{low} {high}");
        let Interval { low, high } = koopman(5.0, 100.0, 0.0, 100.0, Level::P95).unwrap();
        assert!(low > 1.0 && high == f64::INFINITY, "{low} {high}");
    }

    proptest! {
        #[test]
        fn the_interval_holds_the_ratio_and_turns_over(x1 in 1u32..100, x2 in 1u32..100, n1 in 100u32..2000, n2 in 100u32..2000) {
            let [x1, x2, n1, n2] = [x1, x2, n1, n2].map(f64::from);
            let Interval { low, high } = koopman(x1, n1, x2, n2, Level::P95).unwrap();
            let ratio = x1 / n1 / (x2 / n2);
            prop_assert!(low < ratio + 1e-9 && ratio - 1e-9 < high);
            let inverse = koopman(x2, n2, x1, n1, Level::P95).unwrap();
            prop_assert!((low * inverse.high - 1.0).abs() < 1e-6 && (high * inverse.low - 1.0).abs() < 1e-6);
        }
    }
}
