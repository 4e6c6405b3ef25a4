//! The split check: does a count fit the share that was set?

use statrs::function::erf::erfc;
use statrs::function::gamma::gamma_ur;

/// p-value of the chi-square test with one degree of freedom (Pearson 1900) of `observed` out of
/// `total` against the share `expected`, in (0, 1). `None` when `total` is 0.
pub fn split_p_value(observed: u64, total: u64, expected: f64) -> Option<f64> {
    if total == 0 {
        return None;
    }
    let n = total as f64;
    let difference = observed as f64 - n * expected;
    let chi_square = difference * difference * (1.0 / (n * expected) + 1.0 / (n * (1.0 - expected)));
    // With one degree of freedom chi-square is the square of a standard normal number.
    Some(erfc((chi_square / 2.0).sqrt()))
}

/// P(X >= `chi_square`) with so many degrees of freedom, at least one.
pub fn upper_tail(chi_square: f64, degrees_of_freedom: f64) -> f64 {
    if chi_square <= 0.0 { 1.0 } else { gamma_ur(degrees_of_freedom / 2.0, chi_square / 2.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    // scipy 1.17.1: scipy.stats.chi2.sf(x, k)
    #[test]
    fn known_tails() {
        for (x, k, want) in [
            (6.0, 1.0, 0.014_305_878_435_429_631),
            (9.0, 2.0, 0.011_108_996_538_242_306),
            (3.0, 5.0, 0.699_985_835_878_627_6),
        ] {
            assert!((upper_tail(x, k) / want - 1.0).abs() < 1e-9, "{x} {k}");
        }
        assert_eq!(upper_tail(0.0, 3.0), 1.0);
    }

    // scipy 1.17.1: scipy.stats.chisquare([k, n - k], [n * p, n * (1 - p)]).pvalue
    #[test]
    fn known_p_values() {
        for (observed, total, expected, want) in [
            (110, 1000, 0.1, 0.291_840_545_143_785_43),
            (5200, 10_000, 0.5, 6.334_248_366_623_988e-5),
            (0, 300, 0.01, 0.081_722_752_298_659_22),
        ] {
            let got = split_p_value(observed, total, expected).unwrap();
            assert!((got / want - 1.0).abs() < 1e-9, "{got} for {want}");
        }
        assert_eq!(split_p_value(0, 0, 0.5), None);
    }
}
