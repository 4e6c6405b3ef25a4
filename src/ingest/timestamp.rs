//! Timestamps of the log -> nanoseconds since the epoch, UTC. ISO 8601 in its extended and
//! basic forms, or a number of seconds or milliseconds. Pure; no calendar library is needed
//! for the proleptic Gregorian calendar.

use crate::config::EpochNanos;

pub const NANOS_PER_SECOND: i64 = 1_000_000_000;
pub const NANOS_PER_MINUTE: i64 = 60 * NANOS_PER_SECOND;
/// 2000-01-01T00:00:00Z in seconds.
const FIRST_SECOND: i64 = 946_684_800;
/// 2101-01-01T00:00:00Z in seconds: the year 2100 is the last that counts.
const END_SECOND: i64 = 4_133_980_800;
/// Numbers above this are milliseconds.
const LARGEST_SECONDS: f64 = 1e11;

/// Whether the instant lies in the years 2000 to 2100.
pub fn in_range(at: EpochNanos) -> bool {
    (FIRST_SECOND * NANOS_PER_SECOND..END_SECOND * NANOS_PER_SECOND).contains(&at)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar (Hinnant 2013, days_from_civil).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let shifted = year - i64::from(month <= 2);
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Reads digits off the front of a text.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn number(&mut self, digits: usize) -> Option<i64> {
        if self.0.len() < digits {
            return None;
        }
        let (head, rest) = self.0.split_at(digits);
        let mut value = 0;
        for byte in head {
            value = value * 10 + i64::from(byte.is_ascii_digit().then(|| byte - b'0')?);
        }
        self.0 = rest;
        Some(value)
    }

    fn take(&mut self, wanted: &[u8]) -> bool {
        match self.0.split_first() {
            Some((first, rest)) if wanted.contains(first) => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    /// Up to nine decimals as nanoseconds; further ones are cut off.
    fn nanoseconds(&mut self) -> Option<i64> {
        if !self.take(b".,") {
            return Some(0);
        }
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        let kept = digits.min(9);
        let value = self.number(kept)?;
        self.0 = &self.0[digits - kept..];
        Some(value * 10_i64.pow(9 - kept as u32))
    }

    /// Seconds east of UTC; no offset means UTC.
    fn offset_seconds(&mut self) -> Option<i64> {
        if self.0.is_empty() || (self.take(b"Zz") && self.0.is_empty()) {
            return Some(0);
        }
        let sign = match self.0.first()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        self.0 = &self.0[1..];
        let hours = self.number(2)?;
        self.take(b":");
        let minutes = if self.0.is_empty() { 0 } else { self.number(2)? };
        (self.0.is_empty() && hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
    }
}

/// An ISO 8601 date and time: `2025-11-12T08:15:30.123456`, with `Z` or `+hh:mm`, a space for
/// the `T`, without seconds, or in the basic form `20251112T081530`. `None` for anything else.
pub fn parse_iso(text: &str) -> Option<EpochNanos> {
    let mut reader = Reader(text.as_bytes());
    let year = reader.number(4)?;
    let extended = reader.take(b"-");
    let separated = |reader: &mut Reader<'_>, mark: &[u8]| !extended || reader.take(mark);
    let month = reader.number(2)?;
    if !separated(&mut reader, b"-") {
        return None;
    }
    let day = reader.number(2)?;
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) || !reader.take(b"Tt ") {
        return None;
    }
    let hour = reader.number(2)?;
    if !separated(&mut reader, b":") {
        return None;
    }
    let minute = reader.number(2)?;
    let has_seconds = if extended { reader.take(b":") } else { reader.0.first().is_some_and(u8::is_ascii_digit) };
    let (second, nanos) = if has_seconds { (reader.number(2)?, reader.nanoseconds()?) } else { (0, 0) };
    let offset = reader.offset_seconds()?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
    (FIRST_SECOND..END_SECOND).contains(&seconds).then_some(seconds * NANOS_PER_SECOND + nanos)
}

/// Reads times one after the other: it remembers the date and the offset of the last, which most lines share.
#[derive(Debug, Default)]
pub struct IsoReader {
    /// `2025-11-12T`, and its midnight.
    date: [u8; 11],
    midnight: EpochNanos,
    /// `Z` or `+02:00`, and its nanoseconds east of UTC.
    offset: String,
    east: EpochNanos,
}

impl IsoReader {
    /// The same as [`parse_iso`].
    #[inline]
    pub fn parse(&mut self, text: &str) -> Option<EpochNanos> {
        self.parse_as_before(text).or_else(|| self.parse_and_remember(text))
    }

    /// `T08:15:30`, with up to nine decimals, of the remembered date and offset.
    #[inline(always)]
    fn parse_as_before(&self, text: &str) -> Option<EpochNanos> {
        let (date, rest) = text.as_bytes().split_first_chunk::<11>()?;
        let (clock, mut rest) = rest.split_first_chunk::<8>()?;
        if *date != self.date {
            return None;
        }
        let mut wrong = (clock[2] ^ b':') | (clock[5] ^ b':');
        let mut two = |at: usize| {
            let (tens, ones) = (clock[at].wrapping_sub(b'0'), clock[at + 1].wrapping_sub(b'0'));
            wrong |= u8::from(tens > 9) | u8::from(ones > 9);
            i64::from(tens.wrapping_mul(10).wrapping_add(ones))
        };
        let (hour, minute, second) = (two(0), two(3), two(6));
        if wrong != 0 || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let mut nanos = 0;
        if let Some(fraction) = rest.strip_prefix(b".") {
            let mut unit = NANOS_PER_SECOND;
            rest = fraction;
            while let [digit @ b'0'..=b'9', after @ ..] = rest {
                unit /= 10;
                nanos += i64::from(digit - b'0') * unit;
                rest = after;
            }
            if rest.len() == fraction.len() {
                return None;
            }
        }
        if rest != self.offset.as_bytes() {
            return None;
        }
        let at = self.midnight + (hour * 3600 + minute * 60 + second) * NANOS_PER_SECOND + nanos - self.east;
        in_range(at).then_some(at)
    }

    #[cold]
    fn parse_and_remember(&mut self, text: &str) -> Option<EpochNanos> {
        let at = parse_iso(text)?;
        let extended = text.as_bytes().first_chunk::<11>().filter(|date| date[4] == b'-' && date[10] == b'T');
        if let (Some(date), Some(offset)) =
            (extended, text.get(19..).map(|rest| rest.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit())))
            && let Some(midnight) = parse_iso(&format!("{}T00:00:00", &text[..10]))
            && let Some(east) = parse_iso(&format!("2025-01-01T00:00:00{offset}"))
        {
            const NEW_YEAR: EpochNanos = 1_735_689_600 * NANOS_PER_SECOND;
            (self.date, self.midnight, self.offset, self.east) = (*date, midnight, offset.to_owned(), NEW_YEAR - east);
        }
        Some(at)
    }
}

/// A JSON number as epoch seconds, or milliseconds above 1e11. Plain decimals are read digit
/// by digit, because an f64 holds today's seconds only to a quarter of a microsecond.
pub fn parse_epoch(text: &str, value: f64) -> Option<EpochNanos> {
    let decimals_of_unit = if value > LARGEST_SECONDS { 6 } else { 9 };
    let nanos = match exact_decimal(text, decimals_of_unit) {
        Some(nanos) => nanos,
        None => {
            let nanos = (value * 10_f64.powi(decimals_of_unit as i32)).round();
            if !(0.0..9.2e18).contains(&nanos) {
                return None;
            }
            nanos as i64
        }
    };
    in_range(nanos).then_some(nanos)
}

/// `text` times 10^`decimals`, cut towards zero; `None` for signs, exponents and overflow.
fn exact_decimal(text: &str, decimals: usize) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let kept = &fraction[..fraction.len().min(decimals)];
    let fraction: i64 = if kept.is_empty() { 0 } else { kept.parse().ok()? };
    let whole: i64 = whole.parse().ok()?;
    whole.checked_mul(10_i64.pow(decimals as u32))?.checked_add(fraction * 10_i64.pow((decimals - kept.len()) as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, want: Option<i64>) {
        assert_eq!(parse_iso(text), want, "{text}");
    }

    // python: int(datetime.fromisoformat(...).timestamp()) with timezone.utc
    const NOON_ISH: i64 = 1_762_935_330;

    #[test]
    fn forms_of_iso_8601() {
        check("2025-11-12T08:15:30.123456", Some(NOON_ISH * NANOS_PER_SECOND + 123_456_000));
        check("2025-11-12 08:15:30", Some(NOON_ISH * NANOS_PER_SECOND));
        check("2025-11-12T08:15:30Z", Some(NOON_ISH * NANOS_PER_SECOND));
        check("2025-11-12T09:45:30+01:30", Some(NOON_ISH * NANOS_PER_SECOND));
        check("2025-11-12T03:15:30-0500", Some(NOON_ISH * NANOS_PER_SECOND));
        check("20251112T081530Z", Some(NOON_ISH * NANOS_PER_SECOND));
        check("2025-11-12T08:15:30,5+00", Some(NOON_ISH * NANOS_PER_SECOND + 500_000_000));
        check("2025-11-12T08:15:30.1234567899", Some(NOON_ISH * NANOS_PER_SECOND + 123_456_789));
        check("2025-11-12T08:15", Some((NOON_ISH - 30) * NANOS_PER_SECOND));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "2025-11-12", "2025-13-01T00:00:00", "2025-02-29T00:00:00", "2025-11-12T24:00:00", "yesterday"]
        {
            check(text, None);
        }
        for text in [
            "2025-11-12T08:15:60",
            "1999-12-31T23:59:59",
            "2101-01-01T00:00:00",
            "2025-11-12T08:15:30.Z",
            "2025-11-12T08:15:30Zx",
        ] {
            check(text, None);
        }
        check("2100-12-31T23:59:59", Some((END_SECOND - 1) * NANOS_PER_SECOND));
        check("2024-02-29T00:00:00", Some(1_709_164_800 * NANOS_PER_SECOND));
    }

    #[test]
    fn numbers_are_seconds_or_milliseconds() {
        assert_eq!(
            parse_epoch("1762935330.123456", 1_762_935_330.123_456),
            Some(NOON_ISH * NANOS_PER_SECOND + 123_456_000)
        );
        assert_eq!(parse_epoch("1762935330123", 1_762_935_330_123.0), Some(NOON_ISH * NANOS_PER_SECOND + 123_000_000));
        assert_eq!(parse_epoch("1.76293533e9", 1.762_935_33e9), Some(NOON_ISH * NANOS_PER_SECOND));
        assert_eq!(parse_epoch("12", 12.0), None);
        assert_eq!(parse_epoch("-5", -5.0), None);
        assert_eq!(parse_epoch("1e300", 1e300), None);
    }

    proptest! {
        #[test]
        fn agrees_with_chrono(seconds in FIRST_SECOND..END_SECOND, micros in 0i64..1_000_000) {
            let at = seconds * NANOS_PER_SECOND + micros * 1000;
            let text = chrono::DateTime::from_timestamp_nanos(at).format("%Y-%m-%dT%H:%M:%S%.6f").to_string();
            prop_assert_eq!(parse_iso(&text), Some(at));
        }

        #[test]
        fn never_panics(text in "\\PC{0,40}") {
            let _ = parse_iso(&text);
            let _ = parse_epoch(&text, 0.0);
        }
    }
}
