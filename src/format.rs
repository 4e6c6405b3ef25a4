//! The only way from a number to text, for every output. Figures get as many digits as their
//! interval carries, never more; units stand behind a narrow space.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use stagegate_stats::Interval;

use crate::metric::{Metric, Unit};

/// What stands where nothing was measured.
pub const NOT_MEASURED: &str = "not measured";

/// A count with thousands separated: `12 345`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A count with its noun: `1 upload`, `2 uploads`.
pub fn counted(value: u64, noun: &str) -> String {
    let plural = if value == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(value))
}

/// The verb behind so many things: `was` or `were`.
pub fn were(count: u64) -> &'static str {
    if count == 1 { "was" } else { "were" }
}

/// The verb behind so many things: `is` or `are`.
pub fn are(count: u64) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

/// A file size.
pub fn bytes(value: u64) -> String {
    match value {
        0..1_000 => format!("{value} B"),
        1_000..1_000_000 => format!("{:.1} kB", value as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", value as f64 / 1e6),
        _ => format!("{:.2} GB", value as f64 / 1e9),
    }
}

/// Decimals that show a value to three significant digits, at most six; rates are handled by [`figure`].
fn decimals(value: f64) -> usize {
    let magnitude = value.abs();
    if magnitude == 0.0 || !magnitude.is_finite() {
        return 0;
    }
    (2 - magnitude.log10().floor() as i64).clamp(0, 6) as usize
}

/// Decimals at which an interval's ends differ in two digits.
fn decimals_of_interval(low: f64, high: f64) -> usize {
    let width = high - low;
    if width <= 0.0 || !width.is_finite() {
        return decimals(high);
    }
    (1 - width.log10().floor() as i64).clamp(0, 6) as usize
}

/// A number with `places` decimals and its thousands separated; no negative zero.
fn fixed(value: f64, places: usize) -> String {
    if !value.is_finite() {
        return if value > 0.0 { "∞".into() } else { "−∞".into() };
    }
    let text = format!("{:.places$}", value.abs());
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let zero = text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    let sign = if value < 0.0 && !zero { "−" } else { "" };
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), count);
    match fraction {
        Some(fraction) => format!("{sign}{whole}.{fraction}"),
        None => format!("{sign}{whole}"),
    }
}

/// Scale and sign of a unit: a fraction is shown in percent, long times in seconds.
fn scaled(unit: &Unit, magnitude: f64) -> (f64, Cow<'static, str>) {
    match unit {
        Unit::Fraction => (100.0, "\u{202f}%".into()),
        Unit::Milliseconds if magnitude >= 10_000.0 => (0.001, "\u{202f}s".into()),
        Unit::Milliseconds => (1.0, "\u{202f}ms".into()),
        Unit::Ratio => (1.0, "×".into()),
        Unit::Count => (1.0, "".into()),
        // What takes several words to say, the label says.
        Unit::Of(word) if word.is_empty() || word.contains(' ') => (1.0, "".into()),
        Unit::Of(word) => (1.0, format!("\u{202f}{}", short(word)).into()),
    }
}

/// A rate of records is `/s`, where the label says of what; a symbol such as MB/s stays whole.
fn short(unit: &str) -> &str {
    match unit.strip_suffix("/s") {
        Some(noun) if noun.starts_with(|c: char| c.is_lowercase()) => "/s",
        _ => unit,
    }
}

/// A value and its interval: `98.6 %`, `98.1 to 99.0`. Both in the same unit and decimals.
pub fn figure(value: f64, interval: Option<Interval>, unit: &Unit) -> (String, Option<String>) {
    if *unit == Unit::Count {
        return (count(value as u64), None);
    }
    let (scale, sign) = scaled(unit, value.abs());
    let places = places(value, interval, unit, scale);
    let ends = interval
        .map(|Interval { low, high }| format!("{} to {}", fixed(low * scale, places), fixed(high * scale, places)));
    (format!("{}{sign}", fixed(value * scale, places)), ends)
}

/// The decimals of a figure in its unit times `scale`: those that its interval carries.
fn places(value: f64, interval: Option<Interval>, unit: &Unit, scale: f64) -> usize {
    match interval {
        None if *unit == Unit::Fraction => 2,
        None => decimals(value * scale),
        Some(Interval { low, high }) => {
            let finite = |end: f64| if end.is_finite() { end } else { value };
            decimals_of_interval(finite(low) * scale, finite(high) * scale).min(if *unit == Unit::Fraction {
                3
            } else {
                6
            })
        }
    }
}

/// How many times as large a value is of which no digit agrees with another's any more.
const FAR: f64 = 3.0;

/// Two figures of one metric beside each other: in one unit, and near each other in the decimals that both carry.
pub fn beside(figures: [(f64, Option<Interval>); 2], unit: &Unit) -> [String; 2] {
    if *unit == Unit::Count {
        return figures.map(|(value, _)| count(value as u64));
    }
    let sizes = figures.map(|(value, _)| value.abs());
    let larger = sizes[0].max(sizes[1]);
    let (scale, sign) = scaled(unit, larger);
    let own = figures.map(|(value, interval)| places(value, interval, unit, scale));
    let places = if larger <= FAR * sizes[0].min(sizes[1]) { [own[0].min(own[1]); 2] } else { own };
    [0, 1].map(|index| format!("{}{sign}", fixed(figures[index].0 * scale, places[index])))
}

/// A value and its interval in one piece: `98.6 % (98.1 to 99.0)`.
pub fn estimate(value: f64, interval: Option<Interval>, unit: &Unit) -> String {
    match figure(value, interval, unit) {
        (value, Some(interval)) => format!("{value} ({interval})"),
        (value, None) => value,
    }
}

/// A span of time: `45 s`, `4 min`, `2 h 10 min`.
pub fn seconds(value: f64) -> String {
    let whole = value.max(0.0).round() as u64;
    match (whole / 3600, whole % 3600 / 60, whole % 60) {
        (0, 0, seconds) => format!("{seconds}\u{202f}s"),
        (0, minutes, 0) => format!("{minutes}\u{202f}min"),
        (0, minutes, seconds) => format!("{minutes}\u{202f}min {seconds}\u{202f}s"),
        (hours, 0, _) => format!("{}\u{202f}h", count(hours)),
        (hours, minutes, _) => format!("{}\u{202f}h {minutes}\u{202f}min", count(hours)),
    }
}

/// A value in its unit, on its own.
pub fn value(value: f64, unit: &Unit) -> String {
    figure(value, None, unit).0
}

/// A value of a metric.
pub fn metric(metric: &Metric, value: f64) -> String {
    self::value(value, &metric.unit)
}

/// With its first letter large.
pub fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A share of the whole, such as 0.985: `98.5 %`, without needless decimals.
pub fn share(fraction: f64) -> String {
    format!("{}\u{202f}%", plain(fraction * 100.0))
}

/// A share where room is short: `99.2 %`, `100 %`. Never rounded up to all, or down to none.
pub fn rounded_share(fraction: f64) -> String {
    let percent = (fraction * 1000.0).round() / 10.0;
    let percent = if fraction < 1.0 { percent.min(99.9) } else { percent };
    let percent = if fraction > 0.0 { percent.max(0.1) } else { percent };
    format!("{}\u{202f}%", plain(percent))
}

/// A number where room is short: three significant digits, none after large numbers.
pub fn rounded(value: f64) -> String {
    fixed(value, decimals(value).min(if value >= 1.0 { 1 } else { 2 }))
}

/// A number as short as it can be without losing what was set: thresholds and targets.
pub fn plain(value: f64) -> String {
    let text = format!("{:.4}", value);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.replace('-', "−")
}

/// A threshold as it was set, in its unit: `98.5 %`, `1.05×`, `2000 ms`.
pub fn threshold(value: f64, unit: &Unit) -> String {
    match unit {
        Unit::Fraction => share(value),
        Unit::Count => count(value as u64),
        _ => format!("{}{}", plain(value), scaled(unit, 0.0).1),
    }
}

/// A p-value: never "0".
pub fn p_value(value: f64) -> String {
    if value < 0.0001 { "p < 0.0001".into() } else { format!("p = {value:.4}") }
}

/// An instant of the log: RFC 3339, seconds.
pub fn rfc3339(nanos: i64) -> String {
    DateTime::<Utc>::from_timestamp_nanos(nanos).format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The beginning of a minute of the log, counted since 1970-01-01T00:00Z: RFC 3339.
pub fn rfc3339_minute(minute: i64) -> String {
    rfc3339(minute * 60 * 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_carry_the_digits_of_their_interval() {
        let show = |value, low, high, unit| {
            let (value, interval) = figure(value, Interval::new(low, high), unit);
            format!("{value} ({})", interval.unwrap()).replace('\u{202f}', " ")
        };
        assert_eq!(show(0.9862, 0.9811, 0.9901, &Unit::Fraction), "98.62 % (98.11 to 99.01)");
        assert_eq!(show(0.5, 0.2, 0.8, &Unit::Fraction), "50 % (20 to 80)");
        assert_eq!(show(1834.2, 1790.0, 1880.0, &Unit::Milliseconds), "1 834 ms (1 790 to 1 880)");
        assert_eq!(show(12_345.6, 12_000.0, 12_700.0, &Unit::Milliseconds), "12.35 s (12.00 to 12.70)");
        assert_eq!(show(7.31, 6.9, 7.75, &Unit::Ratio), "7.31× (6.90 to 7.75)");
        assert_eq!(show(5.0, 1.0, f64::INFINITY, &Unit::Ratio), "5.0× (1.0 to ∞)");
    }

    #[test]
    fn figures_beside_each_other_agree() {
        let show = |pairs: [(f64, f64, f64); 2], unit| {
            let figures = pairs.map(|(value, low, high)| (value, Interval::new(low, high)));
            beside(figures, &unit).map(|text| text.replace('\u{202f}', " "))
        };
        let rates = Unit::Of("uploads/s".into());
        assert_eq!(show([(0.5, 0.4998, 0.5002), (0.5, 0.47, 0.53)], rates), ["0.500 /s", "0.500 /s"]);
        // Far from each other, or where one is none, each keeps its own.
        assert_eq!(show([(0.051, 0.044, 0.058), (0.0013, 0.0006, 0.0028)], Unit::Fraction), ["5.1 %", "0.13 %"]);
        assert_eq!(show([(0.0, 0.0, 0.001), (0.02, 0.01, 0.04)], Unit::Fraction), ["0.00 %", "2.0 %"]);
        let times = [(29_500.0, 29_000.0, 30_000.0), (9_500.0, 9_400.0, 9_600.0)];
        assert_eq!(show(times, Unit::Milliseconds), ["29.5 s", "9.50 s"]);
    }

    #[test]
    fn counts_dates_and_thresholds() {
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!((counted(1, "upload"), counted(2, "upload")), ("1 upload".into(), "2 uploads".into()));
        assert_eq!(share(0.985), "98.5\u{202f}%");
        assert_eq!(plain(1.0), "1");
        let shares = [0.9996, 1.0, 0.0001, 0.0].map(|share| rounded_share(share).replace('\u{202f}', " "));
        assert_eq!(shares, ["99.9 %", "100 %", "0.1 %", "0 %"]);
        assert_eq!(fixed(-0.001, 2), "0.00");
        assert_eq!(p_value(0.0), "p < 0.0001");
        let spans = [0.0, 240.0, 301.0, 7200.0, 7800.0].map(|span| seconds(span).replace('\u{202f}', " "));
        assert_eq!(spans, ["0 s", "4 min", "5 min 1 s", "2 h", "2 h 10 min"]);
    }
}
