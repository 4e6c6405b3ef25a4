//! Pure functions on numbers: intervals, bootstrap, tests. No polars, no files, no knowledge of
//! rollouts; every function takes sufficient statistics and says where its formula comes from.

pub mod bootstrap;
pub mod change_point;
pub mod chi_square;
pub mod clusters;
pub mod dependence;
pub mod distributions;
mod interval;
mod level;
pub mod looks;
pub mod median;
pub mod multiple;
pub mod proportion;
pub mod random;
pub mod rank_sum;
pub mod ratio;
pub mod scan;
pub mod standardisation;

/// The 80 % quantile: an effect is called detectable where 80 of 100 such logs would show it.
pub const Z_POWER: f64 = 0.841_621_233_572_914_3;

pub use interval::Interval;
pub use level::Level;
