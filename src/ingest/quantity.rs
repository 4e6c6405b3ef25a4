//! A text of a log -> a number, a duration, a moment, a truth value. Nothing is guessed: a number of time needs its unit.

use chrono::format::{Item, Parsed, parse};
use chrono::{DateTime, LocalResult, TimeZone, Utc};
use chrono_tz::Tz;

use super::decimal::Decimal;
use super::timestamp::{self, IsoReader};
use crate::schema::rule::Clock;
use crate::schema::unit::Unit;

/// Decimals of an exact number.
const DECIMALS: usize = 12;
const SCALE: i128 = 1_000_000_000_000;

/// A number; `None` for what is none or is not finite.
pub fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let plain = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E'));
    if !plain {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// A number times 10^12, exact but for digits behind the twelfth.
fn exact(text: &str) -> Option<i128> {
    let text = text.trim();
    if let Some((mantissa, exponent)) = text.split_once(['e', 'E']) {
        let (mantissa, exponent) = (exact(mantissa)?, exponent.parse::<i32>().ok()?);
        let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
        return if exponent < 0 { Some(mantissa / power) } else { mantissa.checked_mul(power) };
    }
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = (!whole.is_empty() || !fraction.is_empty())
        && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    if !plain || whole.len() > 20 {
        return None;
    }
    let kept = &fraction[..fraction.len().min(DECIMALS)];
    let part = |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse::<i128>().ok() };
    let magnitude = part(whole)? * SCALE + part(kept)? * 10_i128.pow((DECIMALS - kept.len()) as u32);
    Some(if negative { -magnitude } else { magnitude })
}

/// A number of units of time in nanoseconds, cut towards zero.
fn nanoseconds(text: &str, unit: Unit) -> Option<i64> {
    let scaled = exact(text)?.checked_mul(unit.nanoseconds()?)? / SCALE;
    i64::try_from(scaled).ok()
}

/// A truth value in the dialects of loggers.
pub fn boolean(text: &str) -> Option<bool> {
    const TRUE: [&str; 6] = ["true", "t", "yes", "y", "1", "on"];
    const FALSE: [&str; 6] = ["false", "f", "no", "n", "0", "off"];
    let text = text.trim();
    let any = |words: [&str; 6]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    if any(TRUE) { Some(true) } else { any(FALSE).then_some(false) }
}

/// A duration in ms: a number of the unit, or a text that carries its units (`512.25ms`, `1m2.5s`, `00:01:02.5`,
/// `PT1.5S`).
///
/// # Errors
/// What is wrong with it, as the end of a sentence.
pub fn duration_ms(text: &str, unit: Option<Unit>) -> Result<f64, String> {
    match (number(text), unit) {
        (Some(value), Some(unit)) => Ok(in_milliseconds(text.trim(), unit).unwrap_or_else(|| unit.to_report(value))),
        (Some(_), None) => Err("is a number, and the config gives no unit".into()),
        (None, _) => written_duration(text.trim()).ok_or_else(|| "is no duration".into()),
    }
}

/// A plain decimal in ms, rounded once: its digits are moved before they are read.
fn in_milliseconds(text: &str, unit: Unit) -> Option<f64> {
    let shift = match unit {
        Unit::Nanoseconds => -6,
        Unit::Microseconds => -3,
        Unit::Seconds => 3,
        _ => return None,
    };
    let plain = !text.contains(['e', 'E']);
    plain.then(|| format!("{text}e{shift}").parse().ok()).flatten()
}

/// A number of the log in the unit of the report, as [`duration_ms`] and [`Unit::to_report`] have it of its text; `None`
/// where the text must be asked.
#[inline]
pub fn plain(decimal: Decimal, unit: Option<Unit>, is_duration: bool) -> Option<f64> {
    match (unit, is_duration) {
        (None, true) => None,
        (Some(Unit::Nanoseconds), true) => decimal.shifted(6),
        (Some(Unit::Microseconds), true) => decimal.shifted(3),
        (Some(Unit::Seconds), true) => decimal.shifted(-3),
        (Some(unit), _) => decimal.shifted(0).map(|value| unit.to_report(value)),
        (None, false) => decimal.shifted(0),
    }
}

/// A number of the log since the clock's base, as [`moment`] has it of its text; `None` where the text must be asked.
#[inline]
pub fn moment_of(decimal: Decimal, unit: Unit, clock: &Clock) -> Option<i64> {
    let of_one = u64::try_from(unit.nanoseconds()?).ok()?;
    let parts = 10_u64.checked_pow(u32::from(decimal.decimals))?;
    // A last digit that is a part of a nanosecond is cut off with care elsewhere.
    let of_last_digit = (of_one % parts == 0).then(|| of_one / parts)?;
    let at = i64::try_from(decimal.mantissa.checked_mul(of_last_digit)?).ok()?.checked_add(clock.base)?;
    timestamp::in_range(at).then_some(at)
}

const MS_PER_DAY: f64 = 86_400_000.0;

fn written_duration(text: &str) -> Option<f64> {
    if let Some(rest) = text.strip_prefix('P') {
        let (days, rest) = rest.split_once('T').unwrap_or((rest, ""));
        let days = if days.is_empty() { 0.0 } else { number(days.strip_suffix(['D', 'd'])?)? * MS_PER_DAY };
        let rest = if rest.is_empty() { 0.0 } else { with_units(&rest.to_ascii_lowercase())? };
        return (text.len() > 1).then_some(days + rest);
    }
    if text.contains(':') {
        let parts: Vec<f64> = text.split(':').map(number).collect::<Option<_>>()?;
        return (parts.len() <= 3).then(|| parts.iter().fold(0.0, |sum, part| sum * 60.0 + part) * 1e3);
    }
    with_units(text)
}

/// Numbers with their units, one behind the other, as Go prints durations.
fn with_units(text: &str) -> Option<f64> {
    let (mut rest, mut sum) = (text, 0.0);
    while !rest.is_empty() {
        let (value, after) = rest.split_at(end_of_number(rest).filter(|end| *end > 0 && *end < rest.len())?);
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let word = match after[..end].trim() {
            "m" | "mins" | "minute" | "minutes" => "min",
            "μs" | "micros" | "microsecond" | "microseconds" => "us",
            "nanos" | "nanosecond" | "nanoseconds" => "ns",
            "msec" | "msecs" | "millis" | "millisecond" | "milliseconds" => "ms",
            "sec" | "secs" | "second" | "seconds" => "s",
            "hour" | "hours" => "h",
            word => word,
        };
        sum += Unit::parse(word).filter(|unit| unit.is_time())?.to_report(number(value)?);
        rest = &after[end..];
    }
    (!text.is_empty()).then_some(sum)
}

/// Where a number ends with which a text begins: digits, a point, an exponent that has digits.
fn end_of_number(text: &str) -> Option<usize> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let exponent = text[end..].strip_prefix(['e', 'E']).map(|rest| (rest, rest.trim_start_matches(['+', '-'])));
    let Some((signed, digits)) = exponent else { return Some(end) };
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    Some(if count == 0 { end } else { end + 1 + (signed.len() - digits.len()) + count })
}

/// A number with a unit behind it (`107 ms`, `88 MB`) in `told_in`, the unit of the report: `ms` or `MB`.
pub fn with_own_unit(text: &str, told_in: &str) -> Option<f64> {
    let text = text.trim();
    match told_in {
        "ms" => with_units(text),
        "MB" => {
            let (value, word) = text.split_at(end_of_number(text)?);
            let unit = Unit::parse(word.trim()).filter(|unit| !unit.is_time())?;
            Some(unit.to_report(number(value)?))
        }
        _ => None,
    }
}

/// A moment in ns since 1970-01-01T00:00:00Z, in the years 2000 to 2100.
///
/// # Errors
/// What is wrong with it, as the end of a sentence.
pub fn moment(text: &str, unit: Option<Unit>, clock: &Clock, times: &mut IsoReader) -> Result<i64, String> {
    let at = match (&clock.format, number(text)) {
        (Some(items), _) => formatted(text.trim(), items, clock)?,
        (None, Some(_)) => {
            let unit = unit.ok_or("is a number, and the config gives no unit")?;
            let since = nanoseconds(text, unit).ok_or("lies outside the years 2000 to 2100")?;
            since.checked_add(clock.base).ok_or("lies outside the years 2000 to 2100")?
        }
        (None, None) => iso(text.trim(), clock, times).ok_or_else(|| not_iso(text))??,
    };
    if timestamp::in_range(at) { Ok(at) } else { Err("lies outside the years 2000 to 2100".into()) }
}

/// ISO 8601; without an offset the clock's zone says what it means.
fn iso(text: &str, clock: &Clock, times: &mut IsoReader) -> Option<Result<i64, String>> {
    let at = times.parse(text)?;
    Some(match clock.zone {
        Some(_) if !has_offset(text) => {
            local(DateTime::from_timestamp_nanos(at).naive_utc(), clock).ok_or_else(|| NOT_ON_THAT_CLOCK.into())
        }
        _ => Ok(at),
    })
}

const NOT_ON_THAT_CLOCK: &str = "does not exist on that clock: it was put forward then";

fn has_offset(text: &str) -> bool {
    let time = text.get(10..).unwrap_or_default();
    time.contains(['Z', 'z', '+', '-'])
}

/// The form of a time that is not ISO 8601, and whose it is.
pub fn known_format(text: &str) -> Option<(&'static str, &'static str)> {
    // Forms that other loggers write.
    const FORMS: [(&str, &str); 9] = [
        ("%d/%b/%Y:%H:%M:%S %z", "Apache and nginx"),
        ("%Y-%m-%d %H:%M:%S,%3f", "Python's logging"),
        ("%Y/%m/%d %H:%M:%S", "Go's log"),
        ("%a, %d %b %Y %H:%M:%S %z", "mail and HTTP"),
        ("%a %b %e %H:%M:%S %Y", "C's ctime"),
        ("%d.%m.%Y %H:%M:%S", "day.month.year"),
        ("%m/%d/%Y %H:%M:%S", "month/day/year"),
        ("%Y-%m-%d %H:%M:%S %z", "an offset behind a space"),
        ("%Y-%m-%d %H:%M:%S%.f %z", "an offset behind a space"),
    ];
    let clock = Clock::default();
    let known = FORMS.iter().find(|(format, _)| {
        let items: Vec<Item<'_>> = chrono::format::StrftimeItems::new(format).collect();
        formatted(text.trim(), &items, &clock).is_ok()
    });
    known.copied()
}

fn not_iso(text: &str) -> String {
    match known_format(text) {
        Some((format, whose)) => format!("is not ISO 8601; it is the form of {whose}: write format = \"{format}\""),
        None => "is not ISO 8601, and the config gives no format".into(),
    }
}

fn formatted(text: &str, items: &[Item<'_>], clock: &Clock) -> Result<i64, String> {
    let mut parsed = Parsed::new();
    parse(&mut parsed, text, items.iter()).map_err(|error| format!("does not have the config's format ({error})"))?;
    let incomplete = |error: chrono::ParseError| format!("does not say which moment it is ({error})");
    if parsed.timestamp().is_some() || parsed.offset().is_some() {
        let time = parsed.to_datetime().map_err(incomplete)?;
        return time.timestamp_nanos_opt().ok_or_else(|| "lies outside the years 2000 to 2100".into());
    }
    let time = parsed.to_naive_datetime_with_offset(0).map_err(incomplete)?;
    local(time, clock).ok_or_else(|| NOT_ON_THAT_CLOCK.into())
}

/// A time of the clock's zone. Of two, where the clock was put back, the earlier; `None` where it was put forward.
fn local(time: chrono::NaiveDateTime, clock: &Clock) -> Option<i64> {
    let utc = match clock.zone {
        None => Utc.from_utc_datetime(&time),
        Some(zone) => match zone.from_local_datetime(&time) {
            LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => time.to_utc(),
            LocalResult::None => return None,
        },
    };
    utc.timestamp_nanos_opt()
}

/// The second moment at which a clock that is put back shows the same as at the first.
fn repeated(first: i64, zone: Tz) -> Option<i64> {
    let shown = DateTime::from_timestamp_nanos(first).with_timezone(&zone).naive_local();
    match zone.from_local_datetime(&shown) {
        LocalResult::Ambiguous(_, second) => second.timestamp_nanos_opt(),
        _ => None,
    }
}

/// From one moment to another in ms: both numbers of the unit, or both times.
///
/// # Errors
/// What is wrong with one of them, as the end of a sentence.
pub fn difference_ms(end: &str, start: &str, unit: Option<Unit>, clock: &Clock) -> Result<f64, String> {
    let nanoseconds = match (unit.and_then(Unit::nanoseconds), exact(end), exact(start)) {
        (Some(of_one), Some(end), Some(start)) => {
            let scaled = (end - start).checked_mul(of_one).ok_or("is too long a time")?;
            return Ok(match scaled % SCALE {
                0 => (scaled / SCALE) as f64 / 1e6,
                _ => scaled as f64 / (SCALE as f64 * 1e6),
            });
        }
        (None, Some(_), Some(_)) => return Err("is a number, and the config gives no unit".into()),
        _ => {
            let mut times = IsoReader::default();
            let (end, start) = (moment(end, unit, clock, &mut times)?, moment(start, unit, clock, &mut times)?);
            // An hour that a clock shows twice is meant so that the shortest time passes.
            let second = |at: i64| clock.zone.and_then(|zone| repeated(at, zone)).into_iter().chain([at]);
            let ways = second(end).flat_map(|end| second(start).map(move |start| end - start));
            ways.filter(|passed| *passed >= 0).min().unwrap_or(end - start)
        }
    };
    Ok(nanoseconds as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::source::FieldTable;

    fn clock(format: Option<&str>, zone: Option<&str>) -> Clock {
        let table = FieldTable {
            path: Some("t".into()),
            format: format.map(Into::into),
            zone: zone.map(Into::into),
            ..FieldTable::default()
        };
        crate::schema::rule::Rule::new(crate::schema::rule::Role::Timestamp, &table, &Default::default()).unwrap().clock
    }

    fn moment(text: &str, unit: Option<Unit>, clock: &Clock) -> Result<i64, String> {
        super::moment(text, unit, clock, &mut IsoReader::default())
    }

    // python: int(datetime(2025, 11, 12, 8, 15, 30, tzinfo=timezone.utc).timestamp())
    const AT: i64 = 1_762_935_330 * 1_000_000_000;

    #[test]
    fn moments_of_every_form() {
        let plain = Clock::default();
        assert_eq!(moment("2025-11-12T08:15:30Z", None, &plain), Ok(AT));
        assert_eq!(moment("1762935330", Some(Unit::Seconds), &plain), Ok(AT));
        assert_eq!(moment("1762935330123456789", Some(Unit::Nanoseconds), &plain), Ok(AT + 123_456_789));
        assert_eq!(moment("1762935330.123456789", Some(Unit::Seconds), &plain), Ok(AT + 123_456_789));
        assert_eq!(moment("1.76293533e12", Some(Unit::Milliseconds), &plain), Ok(AT));
        assert_eq!(moment("12/Nov/2025:09:15:30 +0100", None, &clock(Some("%d/%b/%Y:%H:%M:%S %z"), None)), Ok(AT));
        // zoneinfo: datetime(2025, 11, 12, 9, 15, 30, tzinfo=ZoneInfo("Europe/Berlin")) is 08:15:30 UTC
        assert_eq!(moment("2025-11-12 09:15:30", None, &clock(None, Some("Europe/Berlin"))), Ok(AT));
        assert_eq!(moment("2025-11-12T08:15:30Z", None, &clock(None, Some("Europe/Berlin"))), Ok(AT));
        assert_eq!(
            moment("12.11.2025 09:15", None, &clock(Some("%d.%m.%Y %H:%M"), Some("Europe/Berlin"))),
            Ok(AT - 30_000_000_000)
        );
        let since = Clock { base: AT, ..Clock::default() };
        assert_eq!(moment("0.5", Some(Unit::Seconds), &since), Ok(AT + 500_000_000));
    }

    #[test]
    fn what_is_no_moment_says_why() {
        let why = |text: &str, unit, clock: &Clock| moment(text, unit, clock).unwrap_err();
        assert!(why("1762935330", None, &Clock::default()).contains("no unit"));
        assert!(why("1762935330", Some(Unit::Milliseconds), &Clock::default()).contains("2000 to 2100"));
        assert!(why("12/Nov/2025:09:15:30 +0100", None, &Clock::default()).contains("Apache and nginx"));
        assert!(why("2025-11-12 09:15:30,123", None, &clock(Some("%d.%m.%Y"), None)).contains("config's format"));
        // Clocks in Berlin went from 02:00 to 03:00 on 2025-03-30.
        assert!(
            why("30.03.2025 02:30", None, &clock(Some("%d.%m.%Y %H:%M"), Some("Europe/Berlin")))
                .contains("does not exist")
        );
        assert!(why("12.11.2025", None, &clock(Some("%d.%m.%Y"), None)).contains("which moment"));
    }

    #[test]
    fn durations_of_every_form() {
        let ms = |text: &str, unit| duration_ms(text, unit).unwrap();
        assert_eq!(ms("1834.21", Some(Unit::Milliseconds)), 1834.21);
        assert_eq!(ms("1834210000", Some(Unit::Nanoseconds)), 1834.21);
        assert_eq!(ms("1.5", Some(Unit::Seconds)), 1500.0);
        // float("16.219") * 1000 is 16219.000000000002
        assert_eq!(ms("16.219", Some(Unit::Seconds)), 16219.0);
        assert_eq!(ms("512.25ms", None), 512.25);
        assert_eq!(ms("1m2.5s", None), 62_500.0);
        assert_eq!(ms("250µs", None), 0.25);
        assert_eq!(ms("1h", None), 3_600_000.0);
        assert_eq!(ms("00:01:02.5", None), 62_500.0);
        assert_eq!(ms("PT1.5S", None), 1500.0);
        assert!(duration_ms("12", None).unwrap_err().contains("no unit"));
        for text in ["", "ms", "1 parsec", "abc", "1..2s", "NaN", "inf"] {
            assert!(duration_ms(text, Some(Unit::Seconds)).is_err(), "{text}");
        }
    }

    #[test]
    fn differences_are_exact() {
        let clock = Clock::default();
        let of = |end, start, unit| difference_ms(end, start, unit, &clock);
        assert_eq!(of("1762935330123456789", "1762935330000000000", Some(Unit::Nanoseconds)), Ok(123.456789));
        assert_eq!(of("1757200863.5", "1757200863.25", Some(Unit::Seconds)), Ok(250.0));
        assert_eq!(of("2025-11-12T08:15:30.5Z", "2025-11-12T08:15:30Z", None), Ok(500.0));
        assert_eq!(of("5", "9", Some(Unit::Milliseconds)), Ok(-4.0));
        assert!(of("5", "9", None).is_err());
    }

    #[test]
    fn truth_in_many_dialects() {
        for text in ["true", "True", "TRUE", "t", "yes", "1", " on "] {
            assert_eq!(boolean(text), Some(true), "{text}");
        }
        for text in ["false", "False", "f", "No", "0", "OFF"] {
            assert_eq!(boolean(text), Some(false), "{text}");
        }
        assert_eq!(boolean("OK"), None);
    }

    #[test]
    fn no_text_makes_it_panic() {
        bolero::check!().with_type::<(String, String)>().with_iterations(2000).for_each(|(a, b)| {
            for unit in [None, Some(Unit::Nanoseconds), Some(Unit::Hours)] {
                let _ = duration_ms(a, unit);
                let _ = moment(a, unit, &Clock::default());
                let _ = difference_ms(a, b, unit, &Clock::default());
            }
        });
    }
}
