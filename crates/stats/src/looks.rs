//! A verdict that holds however often one looks: boundaries for a sum that grows towards a planned size.

use super::Level;
use super::distributions::normal_upper_quantile;

/// Largest quantile that is asked for: what lies beyond it is no longer a matter of chance, at any number of looks.
const LARGEST_Z: f64 = 6.0;

/// The level of an interval that is looked at again and again while its information grows: `information` is what
/// there is over what was planned, above 0.
///
/// Half of what `once` leaves out is spent up to the plan, as O'Brien and Fleming (1979) and Lan and DeMets (1983) spend
/// it: c = z / sqrt(I) with P(sup |B(t)| > z, t <= 1) = 4 (1 - Φ(z)) = that half (the reflection principle), for looks at
/// any moment. Behind the plan the boundary goes on without a step as Robbins's (1970) does, c = sqrt(z² + ln I), which
/// spends the other half by twice the plan, and as much again by ten times.
pub fn every_look(information: f64, once: Level) -> Level {
    let z = normal_upper_quantile(once.tail() / 4.0);
    let z = if information <= 1.0 { z / information.sqrt() } else { (z * z + information.ln()).sqrt() };
    // No number is no information.
    Level::of_z(if z.is_finite() { z.min(LARGEST_Z) } else { LARGEST_Z })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    #[track_caller]
    fn close(got: f64, want: f64) {
        assert!((got / want - 1.0).abs() < 1e-9, "{got} for {want}");
    }

    // scipy 1.17.1: norm.isf(0.025 / 4)
    #[test]
    fn known_boundaries() {
        let z = |information| every_look(information, Level::P95).z();
        close(z(1.0), AT_THE_PLAN);
        close(z(0.25), 2.0 * AT_THE_PLAN);
        close(z(4.0), (AT_THE_PLAN.powi(2) + 4.0_f64.ln()).sqrt());
        assert_eq!([z(1e-9), z(f64::NAN)], [LARGEST_Z; 2]);
    }

    const AT_THE_PLAN: f64 = 2.497_705_474_412_373;

    /// Share of walks that ever leave the boundary, looked at 100 times up to the plan, up to twice and to four times.
    #[test]
    fn few_walks_are_ever_wrong() {
        let walks = 4000;
        let first_wrong = |seed: u64| {
            let mut random = Stream::new(seed, "looks");
            let mut sum = 0.0;
            (1..=400).find(|look| {
                sum += random.normal() / 10.0;
                let information = f64::from(*look) / 100.0;
                sum.abs() / information.sqrt() > every_look(information, Level::P95).z()
            })
        };
        let first: Vec<u32> = (0..walks).filter_map(first_wrong).collect();
        let share = |until| first.iter().filter(|look| **look <= until).count() as f64 / walks as f64;
        let shares = [share(100), share(200), share(400)];
        assert!(shares[0] < 0.025 && shares[1] < 0.045 && shares[2] < 0.06, "{shares:?}");
    }
}
