//! Values -> pixels, and ticks at round values.

/// A linear or logarithmic scale.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    start: f64,
    end: f64,
    logarithmic: bool,
}

impl Scale {
    /// `low..high` onto the pixels `start..end`.
    pub(super) fn linear(low: f64, high: f64, start: f64, end: f64) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        Self { low, high, start, end, logarithmic: false }
    }

    /// The same by orders of magnitude; `low` must be positive.
    pub(super) fn logarithmic(low: f64, high: f64, start: f64, end: f64) -> Self {
        let low = low.max(1e-6);
        let high = if high > low { high } else { low * 10.0 };
        Self { low, high, start, end, logarithmic: true }
    }

    /// The values at both ends.
    pub(super) fn range(&self) -> (f64, f64) {
        (self.low, self.high)
    }

    /// The pixel of a value, held inside the scale.
    pub(super) fn at(&self, value: f64) -> f64 {
        let value = value.clamp(self.low, self.high);
        let part = if self.logarithmic {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.start + part * (self.end - self.start)
    }

    /// Round values within the scale, about `wanted` of them.
    pub(super) fn ticks(&self, wanted: usize) -> Vec<f64> {
        if self.logarithmic { self.logarithmic_ticks(wanted) } else { self.linear_ticks(wanted) }
    }

    fn linear_ticks(&self, wanted: usize) -> Vec<f64> {
        let rough = (self.high - self.low) / wanted.max(1) as f64;
        let magnitude = 10_f64.powf(rough.log10().floor());
        let step =
            [1.0, 2.0, 2.5, 5.0, 10.0].map(|times| times * magnitude).into_iter().find(|step| *step >= rough * 0.999);
        let step = step.unwrap_or(magnitude * 10.0);
        let first = (self.low / step - 1e-9).ceil() as i64;
        let last = (self.high / step + 1e-9).floor() as i64;
        (first..=last.min(first + 50)).map(|tick| tick as f64 * step).collect()
    }

    fn logarithmic_ticks(&self, wanted: usize) -> Vec<f64> {
        let (first, last) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
        let within = |steps: &[f64]| -> Vec<f64> {
            let all = (first..=last).flat_map(|power| steps.iter().map(move |step| step * 10_f64.powi(power)));
            all.filter(|tick| (self.low * 0.999..=self.high * 1.001).contains(tick)).collect()
        };
        let choices = [within(&[1.0, 2.0, 5.0]), within(&[1.0, 3.0]), within(&[1.0])];
        let fitting = choices.iter().position(|ticks| ticks.len() <= wanted).unwrap_or(2);
        choices[fitting].clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(Scale::linear(0.0, 10.0, 0.0, 100.0).ticks(5), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(Scale::logarithmic(80.0, 6000.0, 0.0, 100.0).ticks(4), [100.0, 300.0, 1000.0, 3000.0]);
    }

    #[test]
    fn values_map_onto_pixels() {
        assert_eq!(Scale::linear(0.0, 10.0, 100.0, 0.0).at(2.5), 75.0);
        assert!((Scale::logarithmic(1.0, 100.0, 0.0, 200.0).at(10.0) - 100.0).abs() < 1e-9);
        assert_eq!(Scale::linear(0.0, 1.0, 0.0, 10.0).at(7.0), 10.0);
    }
}
