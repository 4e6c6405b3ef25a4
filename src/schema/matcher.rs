//! What stands on the left of a map, and in the lists of the arms: a word, a range of numbers, a pattern.

use regex::{Regex, RegexBuilder};

/// Bytes that a compiled pattern may take: one from a config must not take the machine's memory.
const MAX_PATTERN_BYTES: usize = 1 << 20;
/// By these a key without slashes is known to be a pattern.
const PATTERN_MARKS: [char; 12] = ['^', '$', '|', '(', ')', '[', ']', '*', '+', '?', '\\', '{'];

/// One of them.
#[derive(Debug, Clone)]
pub enum Matcher {
    Word(String),
    /// Both ends belong to it.
    Range(f64, f64),
    /// Besides the word as it is written, what it matches.
    Pattern(String, Regex),
}

impl Matcher {
    /// Reads `word`, `200..399`, `/pattern/`, or a pattern without slashes.
    ///
    /// # Errors
    /// The pattern is none, as the end of a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let inside = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')).filter(|inside| !inside.is_empty());
        if inside.is_some() || text.contains(PATTERN_MARKS) {
            return Ok(Self::Pattern(text.to_owned(), pattern(inside.unwrap_or(text))?));
        }
        let ends =
            text.split_once("..").and_then(|(low, high)| Some((low.trim().parse().ok()?, high.trim().parse().ok()?)));
        match ends {
            Some((low, high)) if low <= high => Ok(Self::Range(low, high)),
            Some(_) => Err(format!("{text} is an empty range")),
            None if looks_like_a_range(text) => {
                Err(format!("{text} is no range: write 200..399 for one, and /^{text}$/ for the word itself"))
            }
            None => Ok(Self::Word(text.to_owned())),
        }
    }

    /// Whether it is exactly this word.
    pub fn is(&self, value: &str) -> bool {
        matches!(self, Self::Word(word) | Self::Pattern(word, _) if word == value)
    }

    /// Whether it holds the value.
    pub fn holds(&self, value: &str) -> bool {
        match self {
            Self::Word(word) => word == value,
            Self::Range(low, high) => value.trim().parse::<f64>().is_ok_and(|value| (*low..=*high).contains(&value)),
            Self::Pattern(word, pattern) => word == value || pattern.is_match(value),
        }
    }

    /// As it was written.
    pub fn text(&self) -> String {
        match self {
            Self::Word(word) | Self::Pattern(word, _) => word.clone(),
            Self::Range(low, high) => format!("{low}..{high}"),
        }
    }
}

/// `200-399` and `2xx`, as people write statuses.
fn looks_like_a_range(text: &str) -> bool {
    let is_status = |text: &str| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_class =
        text.len() == 3 && text[..1].bytes().all(|byte| byte.is_ascii_digit()) && text[1..].eq_ignore_ascii_case("xx");
    is_class || text.split_once('-').is_some_and(|(low, high)| is_status(low) && is_status(high))
}

/// A pattern of bounded size; slashes around it are left out.
///
/// # Errors
/// Why it is none, as the end of a sentence.
pub fn pattern(text: &str) -> Result<Regex, String> {
    let inside = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')).filter(|inside| !inside.is_empty());
    let inside = inside.unwrap_or(text);
    RegexBuilder::new(inside).size_limit(MAX_PATTERN_BYTES).dfa_size_limit(MAX_PATTERN_BYTES).build().map_err(|error| {
        let why = error.to_string();
        let why = why.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
        format!("{inside:?} is no pattern: {}", why.trim_start_matches("error: "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_ranges_and_patterns() {
        let holds = |matcher: &str, value: &str| Matcher::parse(matcher).unwrap().holds(value);
        assert!(holds("async", "async") && !holds("async", "async2"));
        assert!(
            holds("200..399", "204")
                && holds("200..399", "399")
                && !holds("200..399", "400")
                && !holds("200..399", "x")
        );
        assert!(holds("-async$", "v2-async") && !holds("-async$", "v2"));
        assert!(holds("/^v2/", "v2.1") && !holds("/^v2/", "v1"));
        assert!(holds("(?i)timeout|deadline", "DEADLINE_EXCEEDED"));
        // A word with such marks is a word, too.
        assert!(holds("c++", "c++"));
        assert!(Matcher::parse("(").unwrap_err().contains("is no pattern"));
        assert!(Matcher::parse("200-399").unwrap_err().contains("200..399") && Matcher::parse("2xx").is_err());
        assert!(Matcher::parse("9..3").unwrap_err().contains("empty range"));
        assert!(Matcher::parse("(a{1000}){1000}").unwrap_err().contains("is no pattern"));
    }
}
