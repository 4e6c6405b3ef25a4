//! Many tests at once: p-values adjusted so that a list of rejections keeps its false discovery rate.

/// Adjusted p-values of Benjamini and Hochberg (1995), in the order given: rejecting those up to
/// q keeps the expected share of false rejections at q. Each lies in [its p-value, 1].
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let count = p_values.len();
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|a, b| p_values[*b].total_cmp(&p_values[*a]));
    let mut adjusted = vec![1.0; count];
    let mut smallest = 1.0_f64;
    for (above, index) in order.into_iter().enumerate() {
        let rank = count - above;
        smallest = smallest.min(p_values[index] * (count as f64 / rank as f64));
        adjusted[index] = smallest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // statsmodels 0.15.0: multipletests(p, method="fdr_bh")[1]
    #[test]
    fn known_adjustment() {
        let p = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216];
        let want = [0.01, 0.04, 0.084, 0.084, 0.084, 0.1, 0.105_714_285_714_285_72, 0.216, 0.216, 0.216];
        for (got, want) in benjamini_hochberg(&p).into_iter().zip(want) {
            assert!((got - want).abs() < 1e-12, "{got} for {want}");
        }
        assert!(benjamini_hochberg(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn adjusted_values_keep_the_order_and_never_fall_below(p in prop::collection::vec(0.0..=1.0_f64, 1..40)) {
            let adjusted = benjamini_hochberg(&p);
            for i in 0..p.len() {
                prop_assert!(adjusted[i] >= p[i] && adjusted[i] <= 1.0);
                for j in 0..p.len() {
                    prop_assert!(p[i] > p[j] || adjusted[i] <= adjusted[j]);
                }
            }
        }
    }
}
