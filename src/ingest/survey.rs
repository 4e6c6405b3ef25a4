//! What a log of an unknown format holds: its fields with types, shares, examples, and what each may be.

use std::collections::{BTreeMap, BTreeSet};

use super::node::{self, Node};
use super::quantity;
use super::recognise::whole_lines;
use super::rows::{self, Found};
use super::timestamp;
use super::timestamp::IsoReader;
use crate::schema::mapping::Form;
use crate::schema::rule::Clock;
use crate::schema::unit::Unit;

/// Distinct values of a field that are counted.
const MAX_VALUES: usize = 40;
/// Fields that are told apart.
const MAX_FIELDS: usize = 300;
/// Deepest nesting of a field.
const MAX_DEPTH: usize = 6;

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
    fn add(&mut self, text: &str) {
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
                self.values.insert(super::reject::cut(text), 1);
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
    fn says_outcome(&self) -> bool {
        const WORDS: [&str; 10] =
            ["ok", "ko", "success", "succeeded", "failure", "failed", "fail", "error", "passed", "timeout"];
        self.values.keys().any(|value| WORDS.contains(&value.to_lowercase().as_str()))
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

/// What the first rows of a log hold.
#[derive(Debug, Default)]
pub struct Survey {
    pub rows: usize,
    /// By path.
    pub fields: BTreeMap<String, Field>,
    /// Of CSV: the byte between columns.
    pub separator: Option<u8>,
}

/// Looks at the first bytes of a log, and at whole lines of its rest; `None` where its lines are neither JSON nor CSV.
pub fn survey(head: &[u8], later: &[u8]) -> Option<Survey> {
    let text = String::from_utf8_lossy(head);
    let lines = whole_lines(&text, head.len());
    let first = lines.first()?;
    if first.trim_start().starts_with(['{', '[']) {
        let mut survey = Survey::default();
        let later = String::from_utf8_lossy(later);
        for node in lines.iter().copied().chain(later.lines()).filter_map(|line| node::parse(line).ok()) {
            survey.row(&node);
        }
        return (survey.rows > 0).then_some(survey);
    }
    let separator =
        [b',', b';', b'\t', b'|'].into_iter().max_by_key(|separator| first.matches(char::from(*separator)).count())?;
    let form = Form::Csv { separator, columns: Vec::new(), header: None };
    let columns = rows::columns_of(&form, head);
    if columns.len() < 3 {
        return None;
    }
    let mut survey = Survey { separator: Some(separator), ..Survey::default() };
    let rows = lines.len().saturating_sub(1);
    rows::records((&form, &[]), (&columns, None), "", head, |_, found| {
        if let Found::Row(row) = found
            && survey.rows < rows
        {
            survey.row(row.node);
        }
    });
    rows::records((&form, &[]), (&columns, None), "", later, |_, found| {
        if let Found::Row(row) = found {
            survey.row(row.node);
        }
    });
    Some(survey)
}

impl Survey {
    fn row(&mut self, node: &Node<'_>) {
        self.rows += 1;
        self.visit(String::new(), node, 0);
    }

    fn visit(&mut self, path: String, node: &Node<'_>, depth: usize) {
        match node {
            Node::Text(text) => {
                if self.fields.len() < MAX_FIELDS || self.fields.contains_key(&path) {
                    self.fields.entry(path).or_default().add(text);
                }
            }
            Node::Object(fields) if depth < MAX_DEPTH => {
                for (key, value) in fields {
                    let plain = !key.contains(['.', '[', ']', ' ']) && !key.is_empty();
                    let step = match (plain, path.is_empty()) {
                        (true, true) => key.to_string(),
                        (true, false) => format!("{path}.{key}"),
                        (false, _) => format!("{path}[\"{key}\"]"),
                    };
                    self.visit(step, value, depth + 1);
                }
            }
            Node::List(items) if depth < MAX_DEPTH => {
                for (index, item) in items.iter().take(3).enumerate() {
                    self.visit(format!("{path}[{index}]"), item, depth + 1);
                }
            }
            Node::Null | Node::Object(_) | Node::List(_) => {}
        }
    }

    /// The fields whose last name is made of one of `words`, in the order of the words.
    fn named<'s>(&'s self, words: &'s [&str]) -> impl Iterator<Item = (&'s str, &'s Field)> + 's {
        words.iter().flat_map(move |word| {
            self.fields
                .iter()
                .filter(move |(path, _)| is_called(path, word))
                .map(|(path, field)| (path.as_str(), field))
        })
    }

    /// Fields that may say when, the likeliest first.
    pub fn timestamps(&self) -> Vec<(&str, &Field)> {
        const WORDS: [&str; 9] = ["timestamp", "ts", "time", "start", "end", "date", "at", "created", "datetime"];
        let is =
            |field: &Field| field.kind() == "time" || field.epoch_unit().is_some() || field.time_format().is_some();
        let mut found: Vec<(&str, &Field)> = self.named(&WORDS).filter(|(_, field)| is(field)).collect();
        found.extend(self.fields.iter().filter(|(_, field)| is(field)).map(|(path, field)| (path.as_str(), field)));
        by_path(found)
    }

    /// Fields that may say how long, the likeliest first: path, unit, and why it is that unit.
    pub fn durations(&self) -> Vec<(&str, Option<&'static str>)> {
        const WORDS: [&str; 12] = [
            "duration", "latency", "elapsed", "took", "rt", "runtime", "delay", "ms", "millis", "seconds", "response",
            "request",
        ];
        let is = |field: &Field| field.kind() == "number" && field.epoch_unit().is_none() && field.smallest >= -1.0;
        let with_unit = |path: &&str, field: &Field| {
            field.kind() == "text"
                && quantity::duration_ms(field.by_frequency().first().map_or("", |value| value.0), None).is_ok()
                && !path.is_empty()
        };
        let mut found: Vec<(&str, Option<&'static str>)> = self
            .named(&WORDS)
            .filter(|(path, field)| is(field) || with_unit(path, field))
            .map(|(path, _)| (path, unit_in_name(path)))
            .collect();
        let others = self.fields.iter().filter(|(_, field)| is(field) && field.many_values);
        found.extend(others.map(|(path, _)| (path.as_str(), unit_in_name(path))));
        // A field whose name says neither what it is nor its unit is the last to be thought of.
        found.retain(|(path, unit)| {
            unit.is_some() || !is_called(path, "request") && !is_called(path, "response") || path.contains("time")
        });
        by_path(found)
    }

    /// Fields that may say whether it went well.
    pub fn outcomes(&self) -> Vec<&str> {
        const WORDS: [&str; 9] =
            ["success", "ok", "succeeded", "successful", "status", "code", "outcome", "result", "state"];
        let is = |field: &Field| {
            field.kind() == "true or false"
                || field.kind() == "number" && field.smallest >= 0.0 && field.largest < 600.0
                || field.kind() == "text" && !field.many_values && field.values.len() <= 12
        };
        let mut found: Vec<(&str, &Field)> = self.named(&WORDS).filter(|(_, field)| is(field)).collect();
        found.extend(
            self.fields.iter().filter(|(_, field)| field.says_outcome()).map(|(path, field)| (path.as_str(), field)),
        );
        by_path(found).into_iter().map(|(path, _)| path).collect()
    }

    /// Fields with a few values each: among them the arm.
    pub fn arms(&self) -> Vec<(&str, &Field)> {
        const WORDS: [&str; 17] = [
            "arm",
            "variant",
            "experiment",
            "canary",
            "treatment",
            "group",
            "cohort",
            "track",
            "mode",
            "execution",
            "version",
            "release",
            "deployment",
            "scenario",
            "flag",
            "color",
            "type",
        ];
        let is = |field: &Field| {
            (2..=12).contains(&field.values.len())
                && !field.many_values
                && !field.says_outcome()
                && field.present * 2 > self.rows
                && field.epoch_unit().is_none()
        };
        let mut found: Vec<(&str, &Field)> = self.named(&WORDS).filter(|(_, field)| is(field)).collect();
        let few = |field: &Field| is(field) && field.values.len() <= 4 && field.kind() == "text";
        found.extend(self.fields.iter().filter(|(_, field)| few(field)).map(|(path, field)| (path.as_str(), field)));
        by_path(found)
    }

    /// The first field with one of these names.
    pub fn first_named(&self, words: &[&str]) -> Option<(&str, &Field)> {
        words.iter().find_map(|word| {
            self.fields.iter().find(|(path, _)| is_called(path, word)).map(|(path, field)| (path.as_str(), field))
        })
    }
}

/// Each path once, where it stands first.
fn by_path<T>(mut found: Vec<(&str, T)>) -> Vec<(&str, T)> {
    let mut seen = BTreeSet::new();
    found.retain(|(path, _)| seen.insert(*path));
    found
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
    fn fields_are_seen_for_what_they_may_be() {
        let lines: Vec<String> = (0..40)
            .map(|index| {
                format!(
                    "{{\"ts\": {}, \"http\": {{\"status\": {}, \"route\": \"/r{index}\"}}, \"latency_us\": {}.5, \"variant\": \"{}\", \"id\": \"x{index}\"}}",
                    1_762_935_330 + index,
                    if index % 9 == 0 { 500 } else { 200 },
                    900 + index,
                    ["canary", "stable"][index % 2]
                )
            })
            .collect();
        let survey = survey(lines.join("\n").as_bytes(), b"").unwrap();
        assert_eq!(survey.rows, 40);
        assert_eq!(survey.timestamps()[0].1.epoch_unit().unwrap().0, "s");
        assert_eq!(survey.durations(), [("latency_us", Some("us"))]);
        assert_eq!(survey.outcomes(), ["http.status"]);
        assert_eq!(survey.arms()[0].0, "variant");
        assert_eq!(survey.arms()[0].1.by_frequency(), [("canary", 20), ("stable", 20)]);
    }

    #[test]
    fn csv_is_seen_by_its_header() {
        let survey =
            survey(b"start;ms;ok;arm\n2025-11-12T08:15:30Z;12;true;a\n2025-11-12T08:15:31Z;13;false;b\n", b"").unwrap();
        assert_eq!((survey.separator, survey.rows), (Some(b';'), 2));
        assert_eq!(survey.timestamps()[0].0, "start");
        assert_eq!(survey.outcomes(), ["ok"]);
        assert!(super::survey(b"just a text\n", b"").is_none());
    }

    #[test]
    fn names_are_made_of_words() {
        assert_eq!(words_of("requestTime_ms"), ["request", "time", "ms"]);
        assert_eq!(unit_in_name("a.response_time_ms"), Some("ms"));
        assert_eq!(unit_in_name("durationMs"), Some("ms"));
        assert_eq!(unit_in_name("rss_bytes"), Some("B"));
        assert_eq!(unit_in_name("latency"), None);
    }
}
