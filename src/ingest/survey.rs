//! What a log of an unknown format holds: its fields with types, shares, examples, and what each may be.

mod field;

use std::collections::{BTreeMap, BTreeSet};

use super::node::{self, Node};
use super::quantity;
use super::recognise::whole_lines;
use super::rows::{self, Found};
use crate::schema::mapping::Form;
use crate::schema::path::Path;
pub use field::{Field, is_called, unit_in_name};

/// Fields that are told apart.
const MAX_FIELDS: usize = 300;
/// Deepest nesting of a field.
const MAX_DEPTH: usize = 6;
/// What fields that say why a row failed are called.
pub const ERRORS: [&str; 5] = ["error", "exception", "reason", "failure", "err"];
/// Rows inside lines that are looked at.
const MAX_ROWS: usize = 2000;
/// Items of a list that are looked into.
const ITEMS_SEEN: usize = 3;
/// Fields of an object in a list, at least, that may be a row.
const FIELDS_OF_ROW: usize = 3;

/// What the first rows of a log hold.
#[derive(Debug, Default)]
pub struct Survey {
    pub rows: usize,
    /// By path.
    pub fields: BTreeMap<String, Field>,
    /// Of CSV: the byte between columns.
    pub separator: Option<u8>,
    /// Of lines that hold several rows each: where these stand, as `rows` of a source says it.
    pub batch: Option<String>,
}

/// Looks at the first bytes of a log, and at whole lines of its rest; `None` where its lines are neither JSON nor CSV.
pub fn survey(head: &[u8], later: &[u8]) -> Option<Survey> {
    let text = String::from_utf8_lossy(head);
    let lines = whole_lines(&text, head.len());
    let first = lines.first()?;
    if first.trim_start().starts_with(['{', '[']) {
        let later = String::from_utf8_lossy(later);
        let nodes: Vec<Node<'_>> =
            lines.iter().copied().chain(later.lines()).filter_map(|line| node::of_line(line).ok()).collect();
        let mut survey = Survey::default();
        nodes.iter().for_each(|node| survey.row(node));
        return (survey.rows > 0).then(|| survey.batches(&nodes).unwrap_or(survey));
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
                    self.visit(joined(&path, key), value, depth + 1);
                }
            }
            // Around a row stand the lists in which it is.
            Node::List(items) if depth < MAX_DEPTH && !path.starts_with('^') => {
                for (index, item) in items.iter().take(ITEMS_SEEN).enumerate() {
                    self.visit(format!("{path}[{index}]"), item, depth + 1);
                }
            }
            Node::Null | Node::Object(_) | Node::List(_) => {}
        }
    }

    /// Whether there is something for each question that a config must answer, outside of lists.
    fn is_complete(&self) -> bool {
        let outside = |path: &str| (0..ITEMS_SEEN).all(|item| !path.contains(&format!("[{item}]")));
        self.timestamps().iter().any(|(path, _)| outside(path))
            && self.durations().iter().any(|(path, _)| outside(path))
            && self.outcomes().iter().any(|path| outside(path))
    }

    /// The rows that stand in lists of the lines, where the lines themselves are none and these are.
    fn batches(&self, nodes: &[Node<'_>]) -> Option<Self> {
        if self.is_complete() {
            return None;
        }
        let mut lists = BTreeMap::new();
        nodes.iter().for_each(|node| lists_below(node, "", 0, &mut lists));
        let (rows, _) = lists.into_iter().max_by(|a, b| a.1.cmp(&b.1).then(b.0.cmp(&a.0)))?;
        let steps = Path::parse(&rows).ok()?.steps;
        let mut survey = Survey { batch: Some(rows), ..Survey::default() };
        for node in nodes {
            node.each_row(&steps, &mut Vec::new(), &mut |row, around| {
                if survey.rows == MAX_ROWS {
                    return;
                }
                survey.row(row);
                for (level, object) in around.iter().rev().enumerate() {
                    survey.visit("^".repeat(level + 1), object, 0);
                }
            });
        }
        survey.is_complete().then_some(survey)
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
        let mut found = by_path(found);
        // What says how a row ended, or why, is not the arm.
        let outcome = self.outcomes().first().copied();
        found.retain(|(path, _)| Some(*path) != outcome && !ERRORS.iter().any(|word| is_called(path, word)));
        // Words that people call two ways by say more than the name of the field.
        found.sort_by_key(|(_, field)| !field.names_two_ways());
        found
    }

    /// The first field with one of these names.
    pub fn first_named(&self, words: &[&str]) -> Option<(&str, &Field)> {
        words.iter().find_map(|word| {
            self.fields.iter().find(|(path, _)| is_called(path, word)).map(|(path, field)| (path.as_str(), field))
        })
    }
}

/// The path of a key below another.
fn joined(path: &str, key: &str) -> String {
    let plain = !key.contains(['.', '[', ']', ' ']) && !key.is_empty();
    match (plain, path.is_empty()) {
        (true, true) => key.to_owned(),
        (true, false) => format!("{path}.{key}"),
        (false, _) => format!("{path}[\"{key}\"]"),
    }
}

/// Adds up, by their path, the items of lists that are objects of several fields.
fn lists_below(node: &Node<'_>, path: &str, depth: usize, lists: &mut BTreeMap<String, usize>) {
    let Node::Object(fields) = node else { return };
    if depth == MAX_DEPTH {
        return;
    }
    for (key, value) in fields {
        let path = joined(path, key);
        match value {
            Node::Object(_) => lists_below(value, &path, depth + 1, lists),
            Node::List(items) => {
                let path = format!("{path}[]");
                let is_row = |item: &&Node<'_>| matches!(item, Node::Object(fields) if fields.len() >= FIELDS_OF_ROW);
                *lists.entry(path.clone()).or_default() += items.iter().filter(is_row).count();
                items.iter().take(ITEMS_SEEN).for_each(|item| lists_below(item, &path, depth + 1, lists));
            }
            Node::Text(_) | Node::Null => {}
        }
    }
}

/// Each path once, where it stands first.
fn by_path<T>(mut found: Vec<(&str, T)>) -> Vec<(&str, T)> {
    let mut seen = BTreeSet::new();
    found.retain(|(path, _)| seen.insert(*path));
    found
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
}
