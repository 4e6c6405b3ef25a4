//! Tails and quantiles of the distributions that tests and intervals need.

use statrs::distribution::{ContinuousCDF, StudentsT};
use statrs::function::beta::{beta_reg, ln_beta};
use statrs::function::erf::{erfc, erfc_inv};
use statrs::function::factorial::ln_binomial;

/// P(Z > z) of a standard normal number, accurate far into the tail.
pub fn normal_upper_tail(z: f64) -> f64 {
    0.5 * erfc(z / std::f64::consts::SQRT_2)
}

/// The z with P(Z > z) = `tail`, `tail` in (0, 1).
pub fn normal_upper_quantile(tail: f64) -> f64 {
    std::f64::consts::SQRT_2 * erfc_inv(2.0 * tail)
}

/// The t with P(T > t) = `tail` of Student's t distribution, `tail` in (0, 0.5); fewer than one of the
/// `degrees_of_freedom` count as one.
pub fn t_upper_quantile(tail: f64, degrees_of_freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, degrees_of_freedom.max(1.0)).map_or(f64::INFINITY, |law| law.inverse_cdf(1.0 - tail))
}

/// P(T > t) of Student's t distribution with `degrees_of_freedom` > 0.
pub fn t_upper_tail(t: f64, degrees_of_freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, degrees_of_freedom.clamp(1.0, 1e9)).map_or(1.0, |law| law.sf(t))
}

/// P(X >= `events`) of a binomial count of `n` with probability `p` in [0, 1]: the one-sided
/// exact binomial test (Clopper and Pearson 1934).
pub fn binomial_upper_tail(events: u64, n: u64, p: f64) -> f64 {
    match events {
        0 => 1.0,
        _ if events > n || p <= 0.0 => 0.0,
        _ if p >= 1.0 => 1.0,
        _ => beta_reg(events as f64, (n - events + 1) as f64, p),
    }
}

/// P(X >= `events`) of a beta-binomial count of `n` (Skellam 1948): a binomial whose probability
/// itself varies from block to block, with mean `p` and variance `intraclass` p (1 - p).
///
/// `intraclass` in [0, 1) is the correlation of two observations of the same block; 0 gives the
/// binomial.
pub fn beta_binomial_upper_tail(events: u64, n: u64, p: f64, intraclass: f64) -> f64 {
    if intraclass < 1e-9 || events == 0 || events > n || p <= 0.0 || p >= 1.0 {
        return binomial_upper_tail(events, n, p);
    }
    let spread = 1.0 / intraclass - 1.0;
    let (alpha, beta) = (p * spread, (1.0 - p) * spread);
    let size = n as f64;
    // The first term from logarithms, the further ones by their ratio.
    let first = events as f64;
    let log_term = ln_binomial(n, events) + ln_beta(first + alpha, size - first + beta) - ln_beta(alpha, beta);
    let mut term = log_term.exp();
    let mut tail = 0.0;
    for count in events..=n {
        tail += term;
        let k = count as f64;
        term *= (size - k) * (k + alpha) / ((k + 1.0) * (size - k - 1.0 + beta).max(f64::MIN_POSITIVE));
        if term < tail * 1e-12 && k > p * size {
            break;
        }
    }
    tail.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn close(got: f64, want: f64) {
        assert!((got / want - 1.0).abs() < 1e-8, "{got} for {want}");
    }

    // scipy 1.17.1: norm.sf(5), norm.isf(1e-4), t.ppf(0.975, 7), t.ppf(0.975, 2.5), t.sf(3, 12)
    #[test]
    fn known_normal_and_t() {
        close(normal_upper_tail(5.0), 2.866_515_718_791_939e-7);
        close(normal_upper_quantile(1e-4), 3.719_016_485_455_708_6);
        close(t_upper_quantile(0.025, 7.0), 2.364_624_251_592_784_4);
        close(t_upper_quantile(0.025, 2.5), 3.574_654_842_003_681_7);
        close(t_upper_tail(3.0, 12.0), 0.005533347843016845);
    }

    // scipy 1.17.1: binom.sf(k - 1, n, p), betabinom.sf(k - 1, n, a, b) with a = p (1 / rho - 1), b = (1 - p) (1 / rho - 1)
    #[test]
    fn known_binomial_tails() {
        close(binomial_upper_tail(13, 60, 0.05), 6.849_576_048_646_659e-6);
        close(binomial_upper_tail(700, 10_000, 0.05), 2.288_000_346_466_018_7e-18);
        close(beta_binomial_upper_tail(13, 60, 0.05, 0.01), 0.000_747_613_407_717_895_3);
        close(beta_binomial_upper_tail(3, 20, 0.3, 0.2), 0.732_032_592_322_572_3);
        assert_eq!(binomial_upper_tail(0, 5, 0.1), 1.0);
        assert_eq!(binomial_upper_tail(6, 5, 0.1), 0.0);
    }

    proptest! {
        #[test]
        fn tails_fall_and_spread_thickens_them(n in 20u64..200, part in 0.3..1.0_f64, p in 0.01..0.2_f64) {
            let events = ((n as f64 * part) as u64).max(1);
            let exact = binomial_upper_tail(events, n, p);
            prop_assert!(exact >= binomial_upper_tail(events + 1, n, p));
            prop_assert!(beta_binomial_upper_tail(events, n, p, 0.02) >= exact);
        }
    }
}
