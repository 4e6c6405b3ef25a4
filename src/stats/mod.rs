//! Pure functions on numbers: intervals, bootstrap, tests. No polars, no files, no knowledge of
//! rollouts; every function takes sufficient statistics and says where its formula comes from.

pub mod bootstrap;
pub mod change_point;
pub mod chi_square;
pub mod clusters;
pub mod distributions;
pub mod multiple;
pub mod proportion;
pub mod random;
pub mod rank_sum;
pub mod ratio;
pub mod scan;
pub mod standardisation;

/// The 97.5 % quantile of the standard normal distribution.
pub const Z_95: f64 = 1.959_963_984_540_054;

/// The 80 % quantile: an effect is called detectable where 80 of 100 such logs would show it.
pub const Z_POWER: f64 = 0.841_621_233_572_914_3;

/// An interval: low, high.
pub type Interval = (f64, f64);
