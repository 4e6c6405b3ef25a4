//! Where the level of a series shifts: PELT (Killick, Fearnhead and Eckley 2012) on normal scores.

use super::distributions::normal_upper_quantile;

/// Fewest values of a segment.
pub const SHORTEST_SEGMENT: usize = 5;
/// Fewest values in which a shift is looked for.
pub const FEWEST_VALUES: usize = 12;

/// Positions at which a new level begins, rising.
///
/// The values become normal scores (their ranks' normal quantiles, Blom 1958), so that no outlier and no
/// distribution matters; PELT then finds the segmentation with the least squared error plus a penalty per
/// shift. The penalty is 3 ln(n) (1 + r) / (1 - r). On independent noise 3 ln(n) is exceeded in fewer
/// than 1 of 100 series of any length from 12 to 2000 (simulated: a test below does it again); r is the lag-1
/// autocorrelation (at least 0) of what a first segmentation leaves over, whose segments last at least `period`
/// values (or a third of the series): slow waves, such as those of day and night, are noise as well.
pub fn shifts(values: &[f64], period: usize) -> Vec<usize> {
    let n = values.len();
    if n < FEWEST_VALUES {
        return Vec::new();
    }
    let scores = normal_scores(values);
    let penalty = 3.0 * (n as f64).ln();
    let longest = SHORTEST_SEGMENT.max(period.min(n / 3));
    let first = pelt(&scores, penalty, longest);
    let correlation = autocorrelation(&residuals(&scores, &first)).clamp(0.0, 0.95);
    pelt(&scores, penalty * (1.0 + correlation) / (1.0 - correlation), SHORTEST_SEGMENT)
}

/// Ranks (ties share their mean) -> normal quantiles, scaled to variance 1. All 0 where all are equal.
fn normal_scores(values: &[f64]) -> Vec<f64> {
    let n = values.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut scores = vec![0.0; n];
    let mut start = 0;
    while start < n {
        let end = (start..n).take_while(|index| values[order[*index]] == values[order[start]]).count() + start;
        let rank = (start + end + 1) as f64 / 2.0;
        // Blom's plotting position.
        let score = -normal_upper_quantile((rank - 0.375) / (n as f64 + 0.25));
        order[start..end].iter().for_each(|index| scores[*index] = score);
        start = end;
    }
    let mean = scores.iter().sum::<f64>() / n as f64;
    let deviation = (scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / n as f64).sqrt();
    let scale = |score: f64| if deviation > 0.0 { (score - mean) / deviation } else { 0.0 };
    scores.into_iter().map(scale).collect()
}

fn pelt(values: &[f64], penalty: f64, shortest: usize) -> Vec<usize> {
    let n = values.len();
    let mut sums = vec![0.0; n + 1];
    let mut squares = vec![0.0; n + 1];
    for (index, value) in values.iter().enumerate() {
        sums[index + 1] = sums[index] + value;
        squares[index + 1] = value * value + squares[index];
    }
    // Squared error of values[from..to] around their mean.
    let cost = |from: usize, to: usize| {
        let sum = sums[to] - sums[from];
        squares[to] - squares[from] - sum * sum / (to - from) as f64
    };
    let mut best = vec![f64::INFINITY; n + 1];
    let mut previous = vec![0; n + 1];
    best[0] = -penalty;
    // Starts of the last segment, and the end at which each was seen to be worse for good.
    let mut candidates: Vec<(usize, Option<usize>)> = vec![(0, None)];
    for end in shortest..=n {
        if end >= 2 * shortest {
            candidates.push((end - shortest, None));
        }
        // A start that is worse even without a penalty never becomes the best again, once a segment of the
        // shortest length fits behind the end that beats it.
        candidates.retain(|(_, worse)| worse.is_none_or(|at| end < at + shortest));
        let totals: Vec<f64> = candidates.iter().map(|(start, _)| best[*start] + cost(*start, end)).collect();
        for ((start, _), total) in candidates.iter().zip(&totals) {
            if total + penalty < best[end] {
                best[end] = total + penalty;
                previous[end] = *start;
            }
        }
        for ((_, worse), total) in candidates.iter_mut().zip(totals) {
            if total > best[end] {
                worse.get_or_insert(end);
            }
        }
    }
    let mut shifts = Vec::new();
    let mut end = previous[n];
    while end > 0 {
        shifts.push(end);
        end = previous[end];
    }
    shifts.reverse();
    shifts
}

/// What is left of the values when each segment's mean is taken off.
fn residuals(values: &[f64], shifts: &[usize]) -> Vec<f64> {
    let starts = std::iter::once(0).chain(shifts.iter().copied());
    let ends = shifts.iter().copied().chain([values.len()]);
    let segment = |(from, to): (usize, usize)| {
        let mean = values[from..to].iter().sum::<f64>() / (to - from) as f64;
        values[from..to].iter().map(move |value| value - mean).collect::<Vec<_>>()
    };
    starts.zip(ends).flat_map(segment).collect()
}

/// Lag-1 autocorrelation of values with mean 0; 0 where they do not vary.
fn autocorrelation(values: &[f64]) -> f64 {
    let squares: f64 = values.iter().map(|value| value * value).sum();
    let products: f64 = values.windows(2).map(|pair| pair[0] * pair[1]).sum();
    if squares > 0.0 { products / squares } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;
    use proptest::prelude::*;

    #[test]
    fn a_shift_is_found_where_it_is() {
        let mut stream = Stream::new(1, "shift");
        let values: Vec<f64> = (0..120).map(|at| stream.normal() + if at >= 70 { 2.5 } else { 0.0 }).collect();
        let found = shifts(&values, 24);
        assert!(found.len() == 1 && found[0].abs_diff(70) <= 2, "{found:?}");
    }

    #[test]
    fn a_plateau_has_two_ends() {
        let mut stream = Stream::new(2, "plateau");
        let values: Vec<f64> =
            (0..168).map(|at| stream.normal() + if (80..110).contains(&at) { 3.0 } else { 0.0 }).collect();
        let found = shifts(&values, 24);
        assert!(found.len() == 2 && found[0].abs_diff(80) <= 2 && found[1].abs_diff(110) <= 2, "{found:?}");
    }

    #[test]
    fn equal_and_few_values_have_no_shift() {
        assert!(shifts(&[1.0; 50], 24).is_empty());
        assert!(shifts(&[1.0, 1.0, 1.0, 1.0, 1.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0], 24).is_empty());
    }

    /// False shifts among 1000 series of noise, of any law.
    fn false_shifts(n: usize, mut draw: impl FnMut(usize, &mut Stream) -> f64) -> usize {
        let mut stream = Stream::new(n as u64, "noise");
        (0..1000)
            .filter(|_| {
                let values: Vec<f64> = (0..n).map(|at| draw(at, &mut stream)).collect();
                !shifts(&values, 24).is_empty()
            })
            .count()
    }

    #[test]
    fn noise_shifts_in_fewer_than_one_series_of_a_hundred() {
        for n in [12, 48, 168] {
            let found = [
                false_shifts(n, |_, stream| stream.normal()),
                false_shifts(n, |_, stream| stream.exponential().powi(3)),
                false_shifts(n, |_, stream| f64::from(stream.below(10) / 8)),
            ];
            // 1 % of 1000, and three standard deviations.
            assert!(found.iter().all(|count| *count <= 19), "{n}: {found:?}");
        }
    }

    #[test]
    fn day_and_night_are_no_shift() {
        let wave =
            |at: usize, stream: &mut Stream| (at as f64 / 24.0 * std::f64::consts::TAU).sin() + stream.normal() * 0.5;
        let found = false_shifts(120, wave);
        assert!(found <= 19, "{found}");
    }

    proptest! {
        #[test]
        fn pelt_finds_the_best_segmentation(values in prop::collection::vec(-3.0..3.0_f64, 10..40), penalty in 0.5..20.0_f64) {
            let cost = |from: usize, to: usize| {
                let part = &values[from..to];
                let mean = part.iter().sum::<f64>() / part.len() as f64;
                part.iter().map(|value| (value - mean).powi(2)).sum::<f64>()
            };
            // Every end from every start, without pruning (optimal partitioning, Jackson and others 2005).
            let n = values.len();
            let mut best = vec![f64::INFINITY; n + 1];
            best[0] = -penalty;
            for end in SHORTEST_SEGMENT..=n {
                for start in (0..=end - SHORTEST_SEGMENT).filter(|start| *start == 0 || *start >= SHORTEST_SEGMENT) {
                    best[end] = best[end].min(best[start] + cost(start, end) + penalty);
                }
            }
            let found = pelt(&values, penalty, SHORTEST_SEGMENT);
            let edges: Vec<usize> = [0].into_iter().chain(found).chain([n]).collect();
            let total: f64 = edges.windows(2).map(|pair| cost(pair[0], pair[1]) + penalty).sum::<f64>() - penalty;
            prop_assert!((total - best[n]).abs() < 1e-6, "{} for {}", total, best[n]);
        }
    }
}
