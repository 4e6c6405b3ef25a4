//! What one field of a log's rows holds, and what its name says.

use std::collections::BTreeMap;

use super::super::quantity;
use super::super::reject;
use super::super::timestamp::{self, IsoReader};
use crate::schema::rule::Clock;
use crate::schema::unit::Unit;

/// Distinct values of a field that are counted.
const MAX_VALUES: usize = 40;

/// One field of the rows.
#[derive(Debug, Clone, Default)]
pub struct Field {
    /// Rows that have a value.
    pub present: usize,
    /// Of these, values that are numbers, truth values, moments as texts.
    pub numbers: usize,
    pub booleans: usize,
    pub moments: usize,
    pub smallest: f64,
    pub largest: f64,
    /// Values with their counts; not all of them where there are many.
    pub values: BTreeMap<String, usize>,
    pub many_values: bool,
}

impl Field {
    pub(super) fn add(&mut self, text: &str) {
        self.present += 1;
        if let Some(number) = quantity::number(text) {
            (self.smallest, self.largest) = match self.numbers {
                0 => (number, number),
                _ => (self.smallest.min(number), self.largest.max(number)),
            };
            self.numbers += 1;
        } else if quantity::boolean(text).is_some() && text.len() > 3 {
            self.booleans += 1;
        } else if quantity::moment(text, None, &Clock::default(), &mut IsoReader::default()).is_ok() {
            self.moments += 1;
        }
        let few = self.values.len() < MAX_VALUES;
        match self.values.get_mut(text) {
            Some(count) => *count += 1,
            None if few => {
                self.values.insert(reject::cut(text), 1);
            }
            None => self.many_values = true,
        }
    }

    /// The values, the most frequent first.
    pub fn by_frequency(&self) -> Vec<(&str, usize)> {
        let mut values: Vec<_> = self.values.iter().map(|(value, count)| (value.as_str(), *count)).collect();
        values.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        values
    }

    /// What most of its values are.
    pub fn kind(&self) -> &'static str {
        let most = |count: usize| count * 10 >= self.present * 9 && count > 0;
        if most(self.moments) {
            "time"
        } else if most(self.booleans) {
            "true or false"
        } else if most(self.numbers) {
            "number"
        } else {
            "text"
        }
    }

    /// How its times are written, where they are texts that are not ISO 8601.
    pub fn time_format(&self) -> Option<&'static str> {
        let (value, _) = *self.by_frequency().first()?;
        (self.kind() == "text").then(|| quantity::known_format(value))?.map(|(format, _)| format)
    }

    /// Whether its values say how something ended.
    pub(super) fn says_outcome(&self) -> bool {
        const WORDS: [&str; 10] =
            ["ok", "ko", "success", "succeeded", "failure", "failed", "fail", "error", "passed", "timeout"];
        self.values.keys().any(|value| WORDS.contains(&value.to_lowercase().as_str()))
    }

    /// Whether one of its values is a word for an old way, and another for a new one.
    pub(super) fn names_two_ways(&self) -> bool {
        // Pairs alone: one by one, words such as true, 1 and test stand in fields of any meaning.
        const PAIRS: [(&str, &str); 10] = [
            ("control", "treatment"),
            ("control", "treated"),
            ("stable", "canary"),
            ("baseline", "canary"),
            ("baseline", "candidate"),
            ("old", "new"),
            ("blue", "green"),
            ("sync", "async"),
            ("v1", "v2"),
            ("legacy", "next"),
        ];
        let has = |word: &str| self.values.keys().any(|value| words_of(value).iter().any(|part| part == word));
        PAIRS.iter().any(|(old, new)| has(old) && has(new))
    }

    /// The unit in which its numbers are moments of this century.
    pub fn epoch_unit(&self) -> Option<(&'static str, Unit)> {
        const UNITS: [(&str, Unit); 4] =
            [("s", Unit::Seconds), ("ms", Unit::Milliseconds), ("us", Unit::Microseconds), ("ns", Unit::Nanoseconds)];
        if self.kind() != "number" {
            return None;
        }
        let fits = |unit: Unit| {
            let at = |value: f64| value * unit.nanoseconds().unwrap_or(1) as f64;
            [self.smallest, self.largest].into_iter().all(|value| {
                let nanoseconds = at(value);
                (1e18..4e18).contains(&nanoseconds) && timestamp::in_range(nanoseconds as i64)
            })
        };
        UNITS.into_iter().find(|(_, unit)| fits(*unit))
    }
}

/// Whether one of the words that make a path's last name is this one.
pub fn is_called(path: &str, word: &str) -> bool {
    let last = path.rsplit(['.', '"']).find(|part| !part.is_empty() && *part != "]").unwrap_or(path);
    words_of(last).iter().any(|part| part == word)
}

/// `requestTime_ms` -> request, time, ms.
fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut lower = false;
    for character in name.chars() {
        let boundary = !character.is_alphanumeric() || character.is_uppercase() && lower;
        if boundary {
            words.push(String::new());
        }
        if character.is_alphanumeric() {
            words.last_mut().expect("never empty").extend(character.to_lowercase());
        }
        lower = character.is_lowercase() || character.is_ascii_digit();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The unit that a name carries.
pub fn unit_in_name(path: &str) -> Option<&'static str> {
    let last = path.rsplit('.').next().unwrap_or(path);
    let words = words_of(last);
    const UNITS: [(&[&str], &str); 6] = [
        (&["ns", "nanos", "nanoseconds", "nano"], "ns"),
        (&["us", "micros", "microseconds"], "us"),
        (&["ms", "millis", "milliseconds", "msec"], "ms"),
        (&["s", "sec", "secs", "seconds"], "s"),
        (&["mb", "megabytes", "mib"], "MB"),
        (&["b", "bytes", "byte"], "B"),
    ];
    UNITS.iter().find(|(names, _)| words.iter().any(|word| names.contains(&word.as_str()))).map(|(_, unit)| *unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_words() {
        assert_eq!(words_of("requestTime_ms"), ["request", "time", "ms"]);
        assert_eq!(unit_in_name("a.response_time_ms"), Some("ms"));
        assert_eq!(unit_in_name("durationMs"), Some("ms"));
        assert_eq!(unit_in_name("rss_bytes"), Some("B"));
        assert_eq!(unit_in_name("latency"), None);
    }
}
