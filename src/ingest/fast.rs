//! The logger's exact layout, read in one go: keys in the order in which Python's `json.dumps` writes them, its
//! separators, no escapes. Whatever differs is left to the general parser (`native`), which gives the same result
//! for the lines that are read here; a property test holds the two against each other.

use std::borrow::Cow;

use super::json::{POWERS_OF_TEN, take_digits};
use super::record::{ExecutionType, MAX_DURATION_MS, MAX_MB, Record, own_dimensions, own_measures};
use super::timestamp::{self, NANOS_PER_SECOND};
use crate::config::EpochNanos;

/// Reads lines of one chunk; it remembers the last date, which most lines share.
#[derive(Debug, Default)]
pub struct FastReader {
    /// `2025-11-12T`, and its midnight.
    date: [u8; 11],
    midnight: EpochNanos,
}

/// Moves along the text.
struct Cursor<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    #[inline(always)]
    fn take<const N: usize>(&mut self, literal: &[u8; N]) -> bool {
        let found = self.bytes.get(self.at..self.at + N).is_some_and(|bytes| bytes == literal);
        self.at += if found { N } else { 0 };
        found
    }

    /// A string's text, its opening quote taken. `None` where a byte needs the general parser.
    #[inline(always)]
    fn string(&mut self) -> Option<&'a str> {
        let start = self.at;
        loop {
            let byte = *self.bytes.get(self.at)?;
            if byte == b'"' {
                let text = &self.text[start..self.at];
                self.at += 1;
                return Some(text);
            }
            if byte == b'\\' || byte < 0x20 {
                return None;
            }
            self.at += 1;
        }
    }

    /// `null`, or a string: missing, null and empty all mean "none".
    #[inline(always)]
    fn string_or_null(&mut self) -> Option<Option<Cow<'a, str>>> {
        if self.take(b"\"") {
            let text = self.string()?;
            return Some((!text.is_empty()).then_some(Cow::Borrowed(text)));
        }
        self.take(b"null").then_some(None)
    }

    /// A plain decimal in `0..=max`: no sign, no exponent, digits that an f64 holds exactly.
    #[inline(always)]
    fn number(&mut self, max: f64) -> Option<f64> {
        let start = self.at;
        let mut mantissa = 0_u64;
        let whole = take_digits(self.bytes, &mut self.at, &mut mantissa);
        if whole == 0 || whole > 1 && self.bytes[start] == b'0' {
            return None;
        }
        let mut decimals = 0;
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            decimals = take_digits(self.bytes, &mut self.at, &mut mantissa);
            if decimals == 0 {
                return None;
            }
        }
        // Both parts exact, one division rounds once (Clinger 1990), as in the general parser.
        if whole + decimals > 15 || matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            return None;
        }
        let value = mantissa as f64 / POWERS_OF_TEN[decimals];
        (value <= max).then_some(value)
    }

    #[inline(always)]
    fn number_or_null(&mut self, max: f64) -> Option<Option<f64>> {
        if self.take(b"null") { Some(None) } else { self.number(max).map(Some) }
    }

    #[inline(always)]
    fn boolean(&mut self) -> Option<bool> {
        if self.take(b"true") {
            return Some(true);
        }
        self.take(b"false").then_some(false)
    }
}

impl FastReader {
    /// The upload on the line that `text` begins with, and the bytes up to and with its newline. `None` where the
    /// line is not of the exact layout, is no upload, or is to be rejected: the general parser says what it is.
    #[inline]
    pub fn read<'a>(&mut self, text: &'a str) -> Option<(Record<'a>, usize)> {
        let mut cursor = Cursor { text, bytes: text.as_bytes(), at: 0 };
        let line = &mut cursor;
        if !line.take(b"{\"execution_type\": \"") {
            return None;
        }
        let execution_type = if line.take(b"sync\"") {
            ExecutionType::Sync
        } else if line.take(b"async\"") {
            ExecutionType::Async
        } else if line.take(b"sync_fallback\"") {
            ExecutionType::SyncFallback
        } else {
            return None;
        };
        if !line.take(b", \"success\": ") {
            return None;
        }
        let success = line.boolean()?;
        if !line.take(b", \"duration_ms\": ") {
            return None;
        }
        let duration_ms = line.number(MAX_DURATION_MS)?;
        if !line.take(b", \"timestamp\": \"") {
            return None;
        }
        let timestamp = self.timestamp(line)?;
        let error_type = if line.take(b", \"error_type\": ") { line.string_or_null()? } else { None };
        if line.take(b", \"fallback_used\": ") && !line.take(b"null") {
            line.boolean()?;
        }
        let size = if line.take(b", \"file_size_mb\": ") { line.number_or_null(MAX_MB)? } else { None };
        let provider = if line.take(b", \"provider\": ") { line.string_or_null()? } else { None };
        let request_id = if line.take(b", \"request_id\": ") { line.string_or_null()? } else { None };
        let file_type = if line.take(b", \"file_type\": ") { line.string_or_null()? } else { None };
        let memory_mb = if line.take(b", \"memory_mb\": ") { line.number_or_null(MAX_MB)? } else { None };
        let (stage, stage_offset) = if line.take(b", \"stage\": ") {
            let offset = line.at;
            (line.string_or_null()?, offset)
        } else {
            (None, 0)
        };
        if !line.take(b"}\n") {
            return None;
        }
        let upload = Record {
            execution_type,
            success,
            duration_ms: Some(duration_ms),
            timestamp,
            error_type,
            dimensions: own_dimensions(provider, file_type, size),
            measures: own_measures(memory_mb),
            request_id,
            stage,
            stage_offset,
        };
        Some((upload, cursor.at))
    }

    /// `2025-11-12T08:15:30.123456"`; any other form goes through the general reader of times.
    #[inline(always)]
    fn timestamp(&mut self, line: &mut Cursor<'_>) -> Option<EpochNanos> {
        let Some(bytes) = line.bytes.get(line.at..line.at + 27).filter(|bytes| bytes[19] == b'.' && bytes[26] == b'"')
        else {
            return timestamp::parse_iso(line.string()?);
        };
        if bytes[..11] != self.date {
            let text = line.text.get(line.at..line.at + 10)?;
            let midnight = timestamp::parse_iso(&format!("{text}T00:00:00"))?;
            if bytes[10] != b'T' || bytes[4] != b'-' {
                return timestamp::parse_iso(line.string()?);
            }
            (self.date, self.midnight) = (bytes[..11].try_into().ok()?, midnight);
        }
        let mut wrong = (bytes[13] ^ b':') | (bytes[16] ^ b':');
        let mut two = |at: usize| {
            let (tens, ones) = (bytes[at].wrapping_sub(b'0'), bytes[at + 1].wrapping_sub(b'0'));
            wrong |= u8::from(tens > 9) | u8::from(ones > 9);
            i64::from(tens.wrapping_mul(10).wrapping_add(ones))
        };
        let (hour, minute, second) = (two(11), two(14), two(17));
        let micros = two(20) * 10_000 + two(22) * 100 + two(24);
        if wrong != 0 || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        line.at += 27;
        Some(self.midnight + (hour * 3600 + minute * 60 + second) * NANOS_PER_SECOND + micros * 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::native::{Line, parse_line};
    use proptest::prelude::*;

    const GOOD: &str = "{\"execution_type\": \"async\", \"success\": true, \"duration_ms\": 1834.21, \"timestamp\": \"2025-11-12T08:15:30.123456\", \"error_type\": null, \"fallback_used\": false, \"file_size_mb\": 10.0, \"provider\": \"kimi\", \"request_id\": \"r-000017\", \"file_type\": \"json\", \"memory_mb\": 42.7}\n";

    /// What is read fast is what the general parser reads.
    fn agree(reader: &mut FastReader, line: &str) -> Result<bool, TestCaseError> {
        let Some((fast, length)) = reader.read(line) else { return Ok(false) };
        let text = line[..length].strip_suffix('\n').expect("a whole line");
        prop_assert!(!text.contains('\n'), "{line:?}");
        match parse_line(text) {
            Ok(Line::Record(slow)) => prop_assert_eq!(fast, *slow, "{}", line),
            other => prop_assert!(false, "{line:?}: {other:?}"),
        }
        Ok(true)
    }

    #[test]
    fn the_loggers_line_is_read_fast() {
        let mut reader = FastReader::default();
        let two = format!("{GOOD}{GOOD}");
        assert!(agree(&mut reader, &two).unwrap());
        assert_eq!(reader.read(&two).unwrap().1, GOOD.len());
        for (from, to) in [
            (", \"memory_mb\": 42.7", ""),
            (", \"error_type\": null", ", \"error_type\": \"TimeoutError\""),
            (".123456", ""),
            (".123456", "Z"),
            ("42.7}", "42.7, \"stage\": \"10%\"}"),
            ("\"kimi\"", "\"\""),
            ("10.0", "0"),
        ] {
            assert!(agree(&mut reader, &GOOD.replace(from, to)).unwrap(), "{from} -> {to} is not read fast");
        }
        for (from, to) in [
            ("kimi", "ki\\u006di"),
            ("10.0", "1e1"),
            ("10.0", "-1"),
            ("10.0", "01"),
            ("10.0", "2e9"),
            ("\"r-000017\"", "17"),
            ("2025-11-12T08", "2025-02-30T08"),
            ("T08:15", "T24:15"),
            ("T08:15", "T0a:15"),
            (": true", ":true"),
            ("}\n", "}"),
            ("}\n", "}\r\n"),
            ("}\n", ", \"event_type\": \"x\"}\n"),
        ] {
            assert!(reader.read(&GOOD.replace(from, to)).is_none(), "{from} -> {to} is read fast");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        /// A line with any bytes of it changed, dropped or doubled, after another with another date.
        #[test]
        fn changed_lines_are_read_the_same_or_left_alone(
            edits in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..3, "[ -~é\\n]"), 1..4),
            day in 1_u8..32,
        ) {
            let mut reader = FastReader::default();
            agree(&mut reader, &GOOD.replace("11-12", &format!("11-{day:02}")))?;
            let mut line = GOOD.to_owned();
            for (at, kind, text) in edits {
                let at = line.floor_char_boundary(at.index(line.len()));
                let character = line[at..].chars().next().map_or(0, char::len_utf8);
                match kind {
                    0 => line.replace_range(at..at + character, &text),
                    1 => line.replace_range(at..at + character, ""),
                    _ => line.insert_str(at, &text),
                }
                if line.is_empty() {
                    line = GOOD.to_owned();
                }
            }
            agree(&mut reader, &line)?;
        }

        #[test]
        fn values_of_any_size_are_read_the_same(
            duration in "[0-9]{1,10}(\\.[0-9]{1,10})?", size in "[0-9]{1,12}(\\.[0-9]{1,9})?", memory in "null|[0-9]{1,5}\\.[0-9]",
            name in "[a-zé]{0,12}", time in "20[0-9]{2}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,7})?(Z|\\+01:00)?",
        ) {
            let line = GOOD.replace("1834.21", &duration).replace("10.0", &size).replace("42.7", &memory)
                .replace("kimi", &name).replace("2025-11-12T08:15:30.123456", &time);
            let mut reader = FastReader::default();
            agree(&mut reader, GOOD)?;
            agree(&mut reader, &line)?;
            agree(&mut reader, &line)?;
        }
    }
}
