//! Pure functions on numbers: intervals, bootstrap, tests. No polars, no files, no knowledge of
//! rollouts; every function takes sufficient statistics and says where its formula comes from.

pub mod bootstrap;
pub mod chi_square;
pub mod clusters;
pub mod proportion;
pub mod random;
pub mod ratio;

/// The 97.5 % quantile of the standard normal distribution.
pub const Z_95: f64 = 1.959_963_984_540_054;

/// An interval: low, high.
pub type Interval = (f64, f64);
