//! Is one sample larger than another, whatever their distribution?

use super::distributions::normal_upper_tail;

/// Sample sizes whose product is counted out exactly; above, the normal approximation serves,
/// whose far tail is thicker than the exact one.
const MOST_EXACT: usize = 12;

/// One-sided p-value of the rank-sum test (Wilcoxon 1945, Mann and Whitney 1947) that `sample`
/// is not larger than `reference`. Ties count half.
///
/// Exact (without ties) where the smaller sample has at most 12 values, else the normal
/// approximation with continuity correction. `None` when either is empty.
pub fn larger_p_value(sample: &[f64], reference: &[f64]) -> Option<f64> {
    if sample.is_empty() || reference.is_empty() {
        return None;
    }
    let mut sorted = reference.to_vec();
    sorted.sort_by(f64::total_cmp);
    // How often a value of the sample beats one of the reference, doubled to keep halves whole.
    let doubled: usize = sample
        .iter()
        .map(|value| sorted.partition_point(|other| other < value) + sorted.partition_point(|other| other <= value))
        .sum();
    let (m, n) = (sample.len(), reference.len());
    if m.min(n) <= MOST_EXACT {
        return Some(exact_upper_tail(m, n, doubled / 2));
    }
    let (m, n) = (m as f64, n as f64);
    let spread = (m * n * (m + n + 1.0) / 12.0).sqrt();
    Some(normal_upper_tail((doubled as f64 / 2.0 - 0.5 - m * n / 2.0) / spread))
}

/// P(U >= u) under the hypothesis that all orders are equally likely (Mann and Whitney's recursion).
fn exact_upper_tail(m: usize, n: usize, u: usize) -> f64 {
    let most = m * n;
    if u == 0 {
        return 1.0;
    }
    // U and m n - U have the same law: P(U >= u) = P(U <= m n - u), and the lower end is short.
    let top = most - u.min(most);
    let (few, many) = (m.min(n), m.max(n));
    // Shares of the orders by U, `few` values placed one after another: a product of Gaussian
    // polynomials prod (1 - q^(many + i)) / (1 - q^i), kept as probabilities.
    let mut shares = vec![0.0; top + 1];
    shares[0] = 1.0;
    for i in 1..=few {
        for index in (many + i..=top).rev() {
            shares[index] -= shares[index - many - i];
        }
        for index in i..=top {
            shares[index] += shares[index - i];
        }
        let scale = i as f64 / (many + i) as f64;
        shares.iter_mut().for_each(|share| *share *= scale);
    }
    shares.iter().sum::<f64>().clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn close(got: Option<f64>, want: f64) {
        let got = got.unwrap();
        assert!((got / want - 1.0).abs() < 1e-9, "{got} for {want}");
    }

    // scipy 1.17.1: mannwhitneyu(x, y, alternative="greater", method="exact" / "asymptotic").pvalue
    #[test]
    fn known_p_values() {
        let x = [6.1, 7.2, 8.3, 9.9, 11.0];
        let y = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 6.5, 7.0, 7.5, 8.0, 5.5, 4.5];
        close(larger_p_value(&x, &y), 0.004_686_489_980_607_627_5);
        let x: Vec<f64> = (20..32).map(|i| f64::from(i) + 0.5).collect();
        let y: Vec<f64> = (0..30).map(f64::from).collect();
        close(larger_p_value(&x, &y), 3.025_072_020_743_501_4e-5);
        assert_eq!(larger_p_value(&[], &y), None);
    }

    #[test]
    fn five_above_sixty_is_one_order_among_all() {
        let x: Vec<f64> = (100..105).map(f64::from).collect();
        let y: Vec<f64> = (0..60).map(f64::from).collect();
        // 1 / C(65, 5)
        close(larger_p_value(&x, &y), 1.0 / 8_259_888.0);
    }

    #[test]
    fn the_approximation_of_large_samples_takes_over_smoothly() {
        let y: Vec<f64> = (0..50).map(f64::from).collect();
        let shifted =
            |count: i32| -> Vec<f64> { (0..count).map(|i| f64::from(i) * 50.0 / f64::from(count) + 14.25).collect() };
        let (exact, approximate) =
            (larger_p_value(&shifted(12), &y).unwrap(), larger_p_value(&shifted(13), &y).unwrap());
        assert!((approximate / exact).ln().abs() < 0.5, "{exact} {approximate}");
    }
}
