//! The time zone in which a report tells the log's times and cuts its days.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::did_you_mean;

/// A zone of the IANA database; UTC unless the plan names another. report.json always holds UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(pub Tz);

/// Characters of a name that is none.
const SHOWN: usize = 60;

/// How the zones of a fixed offset are called in the database; the hours behind it count towards the west.
const WEST: &str = "Etc/GMT";

/// The zone of a fixed offset: `+08:00`, `-0300`, `UTC+8`; `None` where it is none.
fn of_offset(text: &str) -> Option<Result<Zone, String>> {
    let offset = text.strip_prefix("UTC").or_else(|| text.strip_prefix("GMT")).unwrap_or(text);
    let (west, digits) = match offset.strip_prefix('+') {
        Some(digits) => ('-', digits),
        None => ('+', offset.strip_prefix('-')?),
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 4 && digits.is_ascii() => digits.split_at(2),
        None => (digits, "00"),
    };
    let short = |part: &str| (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    if !short(hours) || !short(minutes) {
        return None;
    }
    let hours: u8 = hours.parse().ok()?;
    let zone = if hours == 0 { "UTC".to_owned() } else { format!("{WEST}{west}{hours}") };
    let whole = minutes.bytes().all(|byte| byte == b'0');
    Some(match zone.parse().ok().filter(|_| whole) {
        Some(zone) => Ok(Zone(zone)),
        None => Err(format!(
            "{text:?} is no offset of whole hours, -12:00 to +14:00: name the place, such as \"Asia/Kolkata\""
        )),
    })
}

impl Default for Zone {
    fn default() -> Self {
        Self(Tz::UTC)
    }
}

impl Zone {
    /// The zone of that name, or of an offset of whole hours: `Europe/Berlin`, `+08:00`.
    ///
    /// # Errors
    /// There is none; the one whose name is near.
    pub fn parse(name: &str) -> Result<Self, String> {
        if let Some(zone) = of_offset(name) {
            return zone;
        }
        name.parse().map(Self).map_err(|_| {
            let name: String = name.chars().take(SHOWN).collect();
            let name = name.as_str();
            let near = did_you_mean(name, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()));
            format!("{name:?} is no time zone{near}")
        })
    }

    /// Whether it is UTC, by any of its names.
    pub fn is_utc(self) -> bool {
        matches!(self.0, Tz::UTC | Tz::Etc__UTC | Tz::Etc__UCT | Tz::UCT | Tz::Zulu | Tz::Etc__Zulu | Tz::Universal)
    }

    /// What stands beside a clock that shows no zone: `UTC`, `Europe/Berlin`, `UTC+8`.
    pub fn name(self) -> Cow<'static, str> {
        match self.0.name().strip_prefix(WEST) {
            _ if self.is_utc() => "UTC".into(),
            // The database counts them towards the west.
            Some(hours) if hours.starts_with('-') => format!("UTC+{}", &hours[1..]).into(),
            Some(hours) if hours.starts_with('+') => format!("UTC-{}", &hours[1..]).into(),
            _ => self.0.name().into(),
        }
    }

    fn local(self, rfc3339: &str) -> Option<DateTime<Tz>> {
        DateTime::parse_from_rfc3339(rfc3339).ok().map(|time| time.with_timezone(&self.0))
    }

    /// An RFC 3339 time as people of the zone read it: `12 Nov 2025, 09:15 CET`. What is no time stays as it is.
    pub fn date_time(self, rfc3339: &str) -> String {
        self.local(rfc3339).map_or_else(|| rfc3339.to_owned(), |time| time.format("%-d %b %Y, %H:%M %Z").to_string())
    }

    /// From and to: `12 Nov 2025, 08:15 to 14 Nov 2025, 09:00 UTC`; the day once where it is the same, and the zone once
    /// unless the clocks were changed in between.
    pub fn period(self, from: &str, to: &str) -> String {
        let (Some(first), Some(last)) = (self.local(from), self.local(to)) else {
            return format!("{} to {}", self.date_time(from), self.date_time(to));
        };
        let name = |time: &DateTime<Tz>| time.format("%Z").to_string();
        let changed = name(&first) != name(&last);
        let start = first.format(if changed { "%-d %b %Y, %H:%M %Z" } else { "%-d %b %Y, %H:%M" });
        let same_day = first.date_naive() == last.date_naive();
        let end = last.format(if same_day { "%H:%M %Z" } else { "%-d %b %Y, %H:%M %Z" });
        format!("{start} to {end}")
    }

    /// The time of day: `09:15`; nothing for what is no time.
    pub fn clock(self, rfc3339: &str) -> String {
        self.local(rfc3339).map(|time| time.format("%H:%M").to_string()).unwrap_or_default()
    }

    /// The calendar's day in which an instant of the log lies, in days since 1970-01-01.
    pub fn day(self, nanos: i64) -> i64 {
        let time = DateTime::<Utc>::from_timestamp_nanos(nanos).with_timezone(&self.0);
        time.date_naive().signed_duration_since(NaiveDate::default()).num_days()
    }

    /// `12 Nov`
    pub fn day_name(day: i64) -> String {
        date(day).format("%-d %b").to_string()
    }

    /// The instant with which a day of the calendar begins, in nanoseconds since 1970-01-01T00:00Z: midnight, or the first
    /// moment after it in a zone that sets its clocks on at midnight.
    pub fn start_of_day(self, day: i64) -> i64 {
        let midnight = NaiveDateTime::from(date(day));
        // No zone skips more than some hours; a whole day was left out by islands that crossed the date line.
        (0..=48 * 60)
            .find_map(|minutes| self.0.from_local_datetime(&(midnight + TimeDelta::minutes(minutes))).earliest())
            .and_then(|start| start.timestamp_nanos_opt())
            .unwrap_or_default()
    }
}

fn date(day: i64) -> NaiveDate {
    let since = TimeDelta::try_days(day).and_then(|days| NaiveDate::default().checked_add_signed(days));
    since.unwrap_or_default()
}

impl fmt::Display for Zone {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name())
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.name().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&name).map_err(|why| de::Error::custom(format!("{why}; write it like \"Europe/Berlin\"")))
    }
}

impl JsonSchema for Zone {
    fn schema_name() -> Cow<'static, str> {
        "Zone".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "description": "A time zone of the IANA database: Europe/Berlin."})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn zone(name: &str) -> Zone {
        Zone::parse(name).unwrap()
    }

    #[test]
    fn times_are_told_in_the_zone_with_its_name() {
        assert_eq!(Zone::default().date_time("2025-11-12T08:15:30Z"), "12 Nov 2025, 08:15 UTC");
        assert_eq!(zone("Europe/Berlin").date_time("2025-11-12T08:15:30Z"), "12 Nov 2025, 09:15 CET");
        assert_eq!(zone("Asia/Kolkata").date_time("2025-11-12T20:15:30Z"), "13 Nov 2025, 01:45 IST");
        assert_eq!(zone("Europe/Berlin").clock("2025-07-12T22:15:30Z"), "00:15");
        assert_eq!(Zone::default().date_time("soon"), "soon");
        for offset in ["+08:00", "+8", "+0800", "UTC+8", "GMT+08:00"] {
            assert_eq!(zone(offset).date_time("2025-11-12T08:15:30Z"), "12 Nov 2025, 16:15 +08", "{offset}");
            assert_eq!(zone(offset).name(), "UTC+8");
            assert_eq!(zone(&zone(offset).name()), zone(offset));
        }
        assert_eq!(zone("-03:00").date_time("2025-11-12T08:15:30Z"), "12 Nov 2025, 05:15 -03");
        assert_eq!((zone("+00:00").name(), zone("-3").name()), ("UTC".into(), "UTC-3".into()));
        for offset in ["+05:30", "+15:00", "-13", "+8:99"] {
            assert!(Zone::parse(offset).unwrap_err().contains("no offset of whole hours"), "{offset}");
        }
        assert_eq!(
            Zone::parse("Europe/Berlim").unwrap_err(),
            "\"Europe/Berlim\" is no time zone; did you mean \"Europe/Berlin\"?"
        );
    }

    #[test]
    fn a_period_tells_day_and_zone_once_where_they_are_the_same() {
        let utc = Zone::default();
        assert_eq!(utc.period("2025-11-12T08:15:00Z", "2025-11-12T09:00:00Z"), "12 Nov 2025, 08:15 to 09:00 UTC");
        assert_eq!(
            utc.period("2025-11-12T08:15:00Z", "2025-11-13T09:00:00Z"),
            "12 Nov 2025, 08:15 to 13 Nov 2025, 09:00 UTC"
        );
        // One local day whose clocks are set back at three.
        assert_eq!(
            zone("Europe/Berlin").period("2025-10-25T22:00:00Z", "2025-10-26T08:00:00Z"),
            "26 Oct 2025, 00:00 CEST to 09:00 CET"
        );
    }

    /// zoneinfo: datetime(2025, 3, 30, tzinfo=ZoneInfo("Europe/Berlin")).timestamp() and so on.
    #[test]
    fn days_begin_at_midnight_of_the_zone() {
        let starts = [
            ("UTC", 20_177, 1_743_292_800),
            ("Europe/Berlin", 20_177, 1_743_289_200),
            ("Europe/Berlin", 20_178, 1_743_372_000),
            ("Asia/Kolkata", 20_177, 1_743_273_000),
            // Beirut skips its midnight in spring, Samoa skipped 30 December 2011.
            ("Asia/Beirut", 20_177, 1_743_285_600),
            ("Pacific/Apia", 15_338, 1_325_239_200),
        ];
        for (name, day, seconds) in starts {
            let zone = zone(name);
            assert_eq!(zone.start_of_day(day), seconds * SECOND, "{name} {day}");
            assert_eq!(zone.day(seconds * SECOND - 1), day - 1, "{name}");
            let skipped = name == "Pacific/Apia";
            assert_eq!(zone.day(seconds * SECOND), if skipped { day + 1 } else { day }, "{name}");
        }
    }
}
