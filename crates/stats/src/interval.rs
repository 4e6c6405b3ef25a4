//! A range of values with the estimate somewhere in it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An interval: `low <= high`, neither is NaN, an open end is infinite.
///
/// As JSON it is `[low, high]`, where `null` is an open end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

impl Interval {
    /// `None` where the ends are in the wrong order or no numbers.
    pub fn new(low: f64, high: f64) -> Option<Self> {
        (low <= high).then_some(Self { low, high })
    }

    /// Low and high end.
    pub fn ends(self) -> [f64; 2] {
        [self.low, self.high]
    }

    /// Whether `value` lies in it.
    pub fn holds(self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// The interval, and `value` in it: its ends come from counts, bins or replicates, and a value that was
    /// rounded in another way may lie a hair outside.
    #[must_use]
    pub fn holding(self, value: f64) -> Self {
        Self { low: self.low.min(value), high: self.high.max(value) }
    }

    /// The interval stretched around `value` by a factor on the logarithmic scale; all of them above 0, or it stays.
    #[must_use]
    pub fn stretched(self, value: f64, factor: f64) -> Self {
        if !(self.low > 0.0 && value > 0.0) || factor == 1.0 {
            return self;
        }
        let end = |end: f64| value * (end / value).powf(factor);
        Self { low: end(self.low), high: end(self.high) }
    }

    /// Whether no value lies in both.
    pub fn is_apart_from(self, other: Self) -> bool {
        self.high < other.low || other.high < self.low
    }

    /// Both ends through a function that falls: the interval turns over.
    #[must_use]
    pub fn turned(self, falling: impl Fn(f64) -> f64) -> Self {
        Self { low: falling(self.high), high: falling(self.low) }
    }

    /// Both ends through a function that rises.
    #[must_use]
    pub fn scaled(self, rising: impl Fn(f64) -> f64) -> Self {
        Self { low: rising(self.low), high: rising(self.high) }
    }
}

impl Serialize for Interval {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let end = |end: f64| end.is_finite().then_some(end);
        [end(self.low), end(self.high)].serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let [low, high] = <[Option<f64>; 2]>::deserialize(deserializer)?;
        Self::new(low.unwrap_or(f64::NEG_INFINITY), high.unwrap_or(f64::INFINITY))
            .ok_or_else(|| de::Error::custom("the ends of an interval are in the wrong order"))
    }
}

impl JsonSchema for Interval {
    fn schema_name() -> Cow<'static, str> {
        "Interval".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Low and high end of an interval; `null` is an open end.",
            "type": "array",
            "items": {"type": ["number", "null"]},
            "minItems": 2,
            "maxItems": 2
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_ends_are_null_and_come_back() {
        let open = Interval { low: f64::NEG_INFINITY, high: 2.5 };
        let text = serde_json::to_string(&open).unwrap();
        assert_eq!((text.as_str(), serde_json::from_str::<Interval>(&text).unwrap()), ("[null,2.5]", open));
        assert!(serde_json::from_str::<Interval>("[2, 1]").unwrap_err().to_string().contains("wrong order"));
    }

    #[test]
    fn ends_keep_their_order() {
        assert_eq!(Interval::new(2.0, 1.0), None);
        assert_eq!(Interval::new(f64::NAN, 1.0), None);
        let interval = Interval::new(0.2, 0.3).unwrap();
        let turned = interval.turned(|end| 1.0 - end);
        assert!(turned.low == 0.7 && turned.high == 0.8 && turned.holds(0.75) && !turned.holds(0.81));
        assert_eq!([interval.holding(0.25), interval.holding(0.1)], [interval, Interval { low: 0.1, high: 0.3 }]);
        assert!(interval.is_apart_from(turned) && turned.is_apart_from(interval));
        assert!(!turned.is_apart_from(turned.scaled(|end| end + 0.05)));
    }
}
