//! Units of what a log holds, and what they are in the units of the report.

/// A unit of time, or of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Nanoseconds,
    Microseconds,
    Milliseconds,
    Seconds,
    Minutes,
    Hours,
    Bytes,
    Kilobytes,
    Megabytes,
    Gigabytes,
}

/// The words of a config.
const WORDS: [(&str, Unit); 14] = [
    ("ns", Unit::Nanoseconds),
    ("us", Unit::Microseconds),
    ("µs", Unit::Microseconds),
    ("ms", Unit::Milliseconds),
    ("s", Unit::Seconds),
    ("min", Unit::Minutes),
    ("h", Unit::Hours),
    ("B", Unit::Bytes),
    ("kB", Unit::Kilobytes),
    ("KiB", Unit::Kilobytes),
    ("MB", Unit::Megabytes),
    ("MiB", Unit::Megabytes),
    ("GB", Unit::Gigabytes),
    ("GiB", Unit::Gigabytes),
];

impl Unit {
    /// The unit with this word.
    pub fn parse(word: &str) -> Option<Self> {
        WORDS.iter().find(|(known, _)| *known == word).map(|(_, unit)| *unit)
    }

    /// The words of units of time, or of bytes.
    pub fn words(of_time: bool) -> Vec<&'static str> {
        WORDS.iter().filter(|(_, unit)| unit.is_time() == of_time).map(|(word, _)| *word).collect()
    }

    pub fn is_time(self) -> bool {
        self.nanoseconds().is_some()
    }

    /// How long one of them is.
    pub fn nanoseconds(self) -> Option<i128> {
        Some(match self {
            Self::Nanoseconds => 1,
            Self::Microseconds => 1_000,
            Self::Milliseconds => 1_000_000,
            Self::Seconds => 1_000_000_000,
            Self::Minutes => 60_000_000_000,
            Self::Hours => 3_600_000_000_000,
            _ => return None,
        })
    }

    /// A number of them in ms, or in MB of 2^20 bytes; one operation, so that it is rounded once.
    pub fn to_report(self, value: f64) -> f64 {
        match self {
            Self::Nanoseconds => value / 1e6,
            Self::Microseconds => value / 1e3,
            Self::Milliseconds | Self::Megabytes => value,
            Self::Seconds => value * 1e3,
            Self::Minutes => value * 6e4,
            Self::Hours => value * 3.6e6,
            Self::Bytes => value / 1_048_576.0,
            Self::Kilobytes => value / 1024.0,
            Self::Gigabytes => value * 1024.0,
        }
    }
}
