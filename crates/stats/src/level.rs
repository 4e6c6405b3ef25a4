//! The level of confidence as a value: every interval of a run is asked for at one.

use super::distributions::{normal_upper_quantile, normal_upper_tail, t_upper_quantile};

/// How much is left out at each end of a two-sided interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    tail: f64,
    z: f64,
}

impl Level {
    /// 95 %: 2.5 % beyond each end.
    pub const P95: Self = Self { tail: 0.025, z: 1.959_963_984_540_054 };

    /// The level that leaves `alpha`, in (0, 1), out; half of it beyond each end.
    pub fn leaving_out(alpha: f64) -> Self {
        let tail = alpha / 2.0;
        Self { tail, z: normal_upper_quantile(tail) }
    }

    /// The level whose intervals reach `z` standard errors, above 0, where errors are normal.
    pub fn of_z(z: f64) -> Self {
        Self { tail: normal_upper_tail(z), z }
    }

    /// Probability beyond each end.
    pub fn tail(self) -> f64 {
        self.tail
    }

    /// The quantile of the standard normal distribution with `tail` beyond it.
    pub fn z(self) -> f64 {
        self.z
    }

    /// The quantile of Student's t distribution (Student 1908) with `degrees_of_freedom` > 0, which may be
    /// fractional. At least the normal quantile; that itself from a million on.
    pub fn t(self, degrees_of_freedom: f64) -> f64 {
        if degrees_of_freedom >= 1e6 {
            return self.z;
        }
        t_upper_quantile(self.tail, degrees_of_freedom).max(self.z)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn close(got: f64, want: f64) {
        assert!((got / want - 1.0).abs() < 1e-8, "{got} for {want}");
    }

    // scipy 1.17.1: norm.isf(0.025), norm.isf(0.005), t.ppf(0.975, 7), t.ppf(0.975, 2.5), t.ppf(0.995, 7)
    #[test]
    fn known_quantiles() {
        close(Level::leaving_out(0.05).z(), Level::P95.z());
        close(Level::leaving_out(0.01).z(), 2.575_829_303_548_900_4);
        close(Level::P95.t(7.0), 2.364_624_251_592_784_4);
        close(Level::P95.t(2.5), 3.574_654_842_003_681_7);
        close(Level::leaving_out(0.01).t(7.0), 3.499_483_297_350_492_4);
        assert_eq!(Level::P95.t(f64::INFINITY), Level::P95.z());
    }
}
