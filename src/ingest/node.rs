//! A row as a tree: a JSON value, or the columns of another form, in which paths find texts.

use std::borrow::Cow;

use super::json::{Fault, Scanner, Value, offset_in, row_of_list};
use crate::schema::path::Step;

/// A value. Of duplicate keys the last counts.
#[derive(Debug, Clone, PartialEq)]
pub enum Node<'a> {
    Null,
    /// A text, a number as it is written, `true` or `false`.
    Text(Cow<'a, str>),
    List(Vec<Self>),
    Object(Vec<(Cow<'a, str>, Self)>),
}

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 64;

/// Reads a line of a log, which may be a row of a list.
///
/// # Errors
/// As [`parse`], with the offset in the line.
pub fn of_line(line: &str) -> Result<Node<'_>, Fault> {
    let row = row_of_list(line);
    parse(row).map_err(|fault| Fault { offset: fault.offset + offset_in(line, row), ..fault })
}

/// Reads a text of JSON.
///
/// # Errors
/// It is none, or nested too deeply.
pub fn parse(text: &str) -> Result<Node<'_>, Fault> {
    let mut scanner = Scanner::new(text);
    let node = value(&mut scanner, 0)?;
    scanner.end()?;
    Ok(node)
}

fn value<'a>(scanner: &mut Scanner<'a>, depth: usize) -> Result<Node<'a>, Fault> {
    let nested = matches!(scanner.peek(), Some(b'{' | b'['));
    if nested && depth == MAX_DEPTH {
        return Err(Fault { offset: scanner.offset(), expected: "nesting of at most 64 levels" });
    }
    match scanner.peek() {
        Some(b'{') => {
            scanner.take(b'{', "{")?;
            let mut fields: Vec<(Cow<'a, str>, Node<'a>)> = Vec::new();
            while scanner.at_key(fields.is_empty())? {
                let key = scanner.key()?;
                scanner.take(b':', ":")?;
                fields.push((key, value(scanner, depth + 1)?));
            }
            Ok(Node::Object(fields))
        }
        Some(b'[') => {
            scanner.take(b'[', "[")?;
            let mut items = Vec::new();
            if scanner.peek() == Some(b']') {
                scanner.take(b']', "]")?;
                return Ok(Node::List(items));
            }
            loop {
                items.push(value(scanner, depth + 1)?);
                if scanner.peek() == Some(b']') {
                    scanner.take(b']', "]")?;
                    return Ok(Node::List(items));
                }
                scanner.take(b',', ", or ]")?;
            }
        }
        _ => Ok(match scanner.value()? {
            Value::True => Node::Text(Cow::Borrowed("true")),
            Value::False => Node::Text(Cow::Borrowed("false")),
            Value::Number(text, _) | Value::NotFinite(text) => Node::Text(Cow::Borrowed(text)),
            Value::String(text) => Node::Text(text),
            Value::Null | Value::Array | Value::Object => Node::Null,
        }),
    }
}

impl<'a> Node<'a> {
    /// A row of columns.
    pub fn of_columns(columns: impl Iterator<Item = (&'a str, Cow<'a, str>)>) -> Self {
        Self::Object(columns.map(|(name, value)| (Cow::Borrowed(name), Self::Text(value))).collect())
    }

    /// What the steps lead to. A key finds a field, one whose name is written with dots, or an entry of a list of
    /// pairs (`[{"key": …, "value": …}]`, as OTLP writes attributes).
    pub fn find(&self, steps: &[Step]) -> Option<&Self> {
        let Some((first, rest)) = steps.split_first() else { return Some(self) };
        match (self, first) {
            (Self::Object(fields), Step::Key(key)) => {
                let field = |name: &str| fields.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value);
                field(key).and_then(|value| value.find(rest)).or_else(|| {
                    dotted(key, rest).and_then(|(name, rest)| {
                        // Names with dots are rare: look for one where the plain way leads nowhere.
                        field(&name).and_then(|value| value.find(rest))
                    })
                })
            }
            (Self::List(items), Step::Key(key)) => items.iter().find_map(|item| item.pair(key))?.find(rest),
            (Self::List(items), Step::Index(index)) => items.get(*index)?.find(rest),
            _ => None,
        }
    }

    /// The value of a pair with this key.
    fn pair(&self, key: &str) -> Option<&Self> {
        let Self::Object(fields) = self else { return None };
        let field = |names: [&str; 2]| fields.iter().find(|(name, _)| names.contains(&&**name)).map(|(_, value)| value);
        let named = matches!(field(["key", "name"])?, Self::Text(name) if name == key);
        named.then(|| field(["value", "Value"]))?.map(Self::inner)
    }

    /// What OTLP wraps by its type: `{"stringValue": "x"}`.
    fn inner(&self) -> &Self {
        const TYPES: [&str; 8] = [
            "stringValue",
            "intValue",
            "doubleValue",
            "boolValue",
            "string_value",
            "int_value",
            "double_value",
            "bool_value",
        ];
        match self {
            Self::Object(fields) if fields.len() == 1 && TYPES.contains(&&*fields[0].0) => &fields[0].1,
            other => other,
        }
    }

    /// Reads the text at `steps` as JSON, in its place; what is none stays as it is.
    pub fn unwrap_at(&mut self, steps: &[Step]) {
        match (self, steps.split_first()) {
            (node @ Self::Text(_), None) => {
                let Self::Text(text) = node else { return };
                if let Ok(inner) = parse(text) {
                    *node = inner.into_owned();
                }
            }
            (Self::Object(fields), Some((Step::Key(key), rest))) => {
                if let Some((_, value)) = fields.iter_mut().rev().find(|(known, _)| known == key) {
                    value.unwrap_at(rest);
                }
            }
            (Self::List(items), Some((Step::Index(index), rest))) => {
                if let Some(item) = items.get_mut(*index) {
                    item.unwrap_at(rest);
                }
            }
            _ => {}
        }
    }

    fn into_owned<'b>(self) -> Node<'b> {
        match self {
            Self::Null => Node::Null,
            Self::Text(text) => Node::Text(Cow::Owned(text.into_owned())),
            Self::List(items) => Node::List(items.into_iter().map(Node::into_owned).collect()),
            Self::Object(fields) => Node::Object(
                fields.into_iter().map(|(key, value)| (Cow::Owned(key.into_owned()), value.into_owned())).collect(),
            ),
        }
    }

    /// Calls `each` with the rows that `steps` lead to, and the objects around each: the line first.
    pub fn each_row<'n>(
        &'n self,
        steps: &[Step],
        around: &mut Vec<&'n Self>,
        each: &mut dyn FnMut(&'n Self, &[&'n Self]),
    ) {
        let before = steps.iter().position(|step| *step == Step::Each);
        let Some(before) = before else {
            if let Some(row) = self.find(steps) {
                each(row, around);
            }
            return;
        };
        if let Some(Self::List(items)) = self.find(&steps[..before]) {
            around.push(self);
            for item in items {
                item.each_row(&steps[before + 1..], around, each);
            }
            around.pop();
        }
    }
}

/// A key and the one behind it as one name with a dot.
fn dotted<'s>(key: &str, rest: &'s [Step]) -> Option<(String, &'s [Step])> {
    match rest.split_first() {
        Some((Step::Key(next), rest)) => {
            let mut name = format!("{key}.{next}");
            let mut rest = rest;
            // All of the keys that follow: `http.response.status_code` is one name in a flat document.
            while let Some((Step::Key(next), after)) = rest.split_first() {
                name = format!("{name}.{next}");
                rest = after;
            }
            Some((name, rest))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::path::Path;

    fn found(line: &str, path: &str) -> Option<String> {
        let node = parse(line).unwrap();
        match node.find(&Path::parse(path).unwrap().steps)? {
            Node::Text(text) => Some(text.to_string()),
            other => Some(format!("{other:?}")),
        }
    }

    #[test]
    fn paths_find_fields_pairs_and_names_with_dots() {
        let line = r#"{"a": {"b": [1, 2.50, {"c": true}]}, "event.duration": 7, "http": {"x": 1}, "http.response.code": 5, "x": null,
            "attributes": [{"key": "route", "value": {"stringValue": "/u"}}, {"key": "n", "value": {"intValue": "12"}}], "a b": "é", "a": {"b": [9]}}"#;
        let line = line.replace('\n', " ");
        assert_eq!(found(&line, "a.b[0]").as_deref(), Some("9"));
        assert_eq!(found(&line, "event.duration").as_deref(), Some("7"));
        assert_eq!(found(&line, "http.response.code").as_deref(), Some("5"));
        assert_eq!(found(&line, "http.x").as_deref(), Some("1"));
        assert_eq!(found(&line, "attributes[\"route\"]").as_deref(), Some("/u"));
        assert_eq!(found(&line, "attributes.n").as_deref(), Some("12"));
        assert_eq!(found(&line, "a b").as_deref(), Some("é"));
        assert_eq!(found(&line, "x").as_deref(), Some("Null"));
        assert_eq!(found(&line, "a.b[7]"), None);
        assert_eq!(found(&line, "nothing.here"), None);
    }

    #[test]
    fn numbers_keep_their_digits() {
        assert_eq!(
            found("{\"t\": 1757200863.3202353, \"n\": 12345678901234567890}", "t").as_deref(),
            Some("1757200863.3202353")
        );
        assert_eq!(found("{\"n\": 12345678901234567890}", "n").as_deref(), Some("12345678901234567890"));
    }

    #[test]
    fn rows_come_with_what_is_around_them() {
        let line = r#"{"r": [{"v": "1", "s": [{"x": [1, 2]}, {"x": []}]}, {"v": "2", "s": [{"x": [3]}]}]}"#;
        let node = parse(line).unwrap();
        let mut rows = Vec::new();
        let steps = Path::parse("r[].s[].x[]").unwrap().steps;
        node.each_row(&steps, &mut Vec::new(), &mut |row, around| {
            let Node::Text(text) = row else { panic!("{row:?}") };
            let version = around[around.len() - 2].find(&[Step::Key("v".into())]);
            rows.push((text.to_string(), around.len(), version.cloned()));
        });
        let version = |text: &str| Some(Node::Text(Cow::Owned(text.to_owned())));
        assert_eq!(rows, [("1".into(), 3, version("1")), ("2".into(), 3, version("1")), ("3".into(), 3, version("2"))]);
    }

    #[test]
    fn text_that_holds_json_is_read_in_its_place() {
        let mut node = parse(r#"{"message": "{\"a\": {\"b\": 1}}", "other": "no json"}"#).unwrap();
        node.unwrap_at(&Path::parse("message").unwrap().steps);
        node.unwrap_at(&Path::parse("other").unwrap().steps);
        assert_eq!(node.find(&Path::parse("message.a.b").unwrap().steps), Some(&Node::Text(Cow::Borrowed("1"))));
        assert_eq!(node.find(&Path::parse("other").unwrap().steps), Some(&Node::Text(Cow::Borrowed("no json"))));
    }

    #[test]
    fn deep_nesting_is_refused_and_nothing_panics() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(parse(&deep).is_err());
        bolero::check!().with_type::<String>().with_iterations(2000).for_each(|text| {
            // What the tree accepts is what serde_json accepts, but for Python's NaN and Infinity and lone surrogates.
            if serde_json::from_str::<serde_json::Value>(text).is_ok() {
                assert!(parse(text).is_ok(), "{text:?}");
            }
        });
    }
}
