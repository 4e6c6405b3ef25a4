//! Random numbers for the bootstrap: one stream per figure, the same on every machine.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// One stream of random numbers (xoshiro256++, Blackman and Vigna 2019).
pub struct Stream(Xoshiro256PlusPlus);

impl Stream {
    /// The stream of the figure `id`: a new figure does not move the others.
    pub fn new(seed: u64, id: &str) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(seed.to_le_bytes());
        hasher.update(id.as_bytes());
        Self(Xoshiro256PlusPlus::from_seed(hasher.finalize().into()))
    }

    /// A whole number in `0..bound` (multiplication of the high bits, Lemire 2019; the bias of
    /// at most bound / 2^32 is far below what a bootstrap can see).
    #[inline]
    pub fn below(&mut self, bound: u32) -> u32 {
        ((u64::from((self.0.next_u64() >> 32) as u32) * u64::from(bound)) >> 32) as u32
    }

    /// A number in (0, 1), never an end.
    pub fn open_unit(&mut self) -> f64 {
        ((self.0.next_u64() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    /// A standard normal number (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.open_unit().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.open_unit()).cos()
    }

    /// An exponential number with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -self.open_unit().ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_depend_on_seed_and_id_alone() {
        let first = |seed, id| Stream::new(seed, id).0.next_u64();
        assert_eq!(first(1, "a"), first(1, "a"));
        assert_ne!(first(1, "a"), first(1, "b"));
        assert_ne!(first(1, "a"), first(2, "a"));
    }

    #[test]
    fn numbers_below_a_bound_are_even() {
        let mut stream = Stream::new(1, "even");
        let mut seen = [0_u32; 7];
        (0..70_000).for_each(|_| seen[stream.below(7) as usize] += 1);
        // Five standard deviations of a binomial count.
        assert!(seen.iter().all(|count| count.abs_diff(10_000) < 470), "{seen:?}");
    }

    #[test]
    fn normal_and_exponential_have_their_moments() {
        let mut stream = Stream::new(1, "moments");
        let n = 200_000;
        let normal: Vec<f64> = (0..n).map(|_| stream.normal()).collect();
        let mean = normal.iter().sum::<f64>() / f64::from(n);
        let variance = normal.iter().map(|x| x * x).sum::<f64>() / f64::from(n);
        assert!(mean.abs() < 0.012 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
        let mean = (0..n).map(|_| stream.exponential()).sum::<f64>() / f64::from(n);
        assert!((mean - 1.0).abs() < 0.012, "{mean}");
    }
}
