//! Where in rollout.toml a key stands, and which keys are unknown: so that every
//! message about the config carries file, line and column.

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Error, Position, Result, did_you_mean};

/// The text of a config file beside its parsed, spanned tree.
pub(super) struct Located<'a> {
    name: &'a str,
    text: &'a str,
    root: Spanned<DeTable<'a>>,
}

impl<'a> Located<'a> {
    /// Parses `text`; `name` is how messages call the file.
    pub(super) fn parse(name: &'a str, text: &'a str) -> Result<Self> {
        match DeTable::parse(text) {
            Ok(root) => Ok(Self { name, text, root }),
            Err(error) => Err(syntax_error(name, text, &error)),
        }
    }

    /// The position of the value at `path`, or of its nearest parent that stands in the file; steps that do not fit
    /// are left out, so that one path serves a table and a list.
    pub(super) fn position(&self, path: &[Step<'_>]) -> Position {
        let mut span = None;
        let mut table = Some(self.root.get_ref());
        let mut array = None;
        for step in path {
            let next = match step {
                Step::Key(key) => table
                    .and_then(|map| map.iter().find(|(name, _)| name.get_ref() == key))
                    .map(|(name, value)| (name.span(), value.get_ref())),
                Step::Index(index) => array
                    .and_then(|list: &toml::de::DeArray<'_>| list.get(*index))
                    .map(|value| (value.span(), value.get_ref())),
            };
            let Some((found, value)) = next else { continue };
            span = Some(found);
            table = value.as_table();
            array = value.as_array();
        }
        match span {
            Some(span) => self.at_byte(span.start),
            None => Position::file(self.name),
        }
    }

    /// Whether the file says anything at `key` of its table `section`.
    pub(super) fn says(&self, section: &str, key: &str) -> bool {
        let table = self.root.get_ref().get(section).and_then(|value| value.get_ref().as_table());
        table.is_some_and(|table| table.contains_key(key))
    }

    fn at_byte(&self, offset: usize) -> Position {
        position_in(self.name, self.text, offset)
    }

    /// Refuses the first key that the schema does not know.
    pub(super) fn refuse_unknown_keys(&self, schema: &Value) -> Result<()> {
        self.check_table(self.root.get_ref(), schema, schema, "")
    }

    fn check_table(&self, table: &DeTable<'_>, node: &Value, schema: &Value, section: &str) -> Result<()> {
        let node = resolve(node, schema, "properties");
        let Some(properties) = node["properties"].as_object() else {
            // Keys of one's own: only what stands at them can be checked.
            return table.iter().try_for_each(|(key, value)| {
                let name = format!("{section}.{}", key.get_ref());
                self.check_value(value.get_ref(), &node["additionalProperties"], schema, &name)
            });
        };
        for (key, value) in table {
            let Some(child) = properties.get(key.get_ref().as_ref()) else {
                let place = if section.is_empty() { String::new() } else { format!(" in [{section}]") };
                let near = did_you_mean(key.get_ref(), properties.keys().map(String::as_str));
                let known = properties.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                return Err(Error::new(format!("unknown key {:?}{place}{near}", key.get_ref()))
                    .at(self.at_byte(key.span().start))
                    .help(format!("known keys here: {known}")));
            };
            let name =
                if section.is_empty() { key.get_ref().to_string() } else { format!("{section}.{}", key.get_ref()) };
            self.check_value(value.get_ref(), child, schema, &name)?;
        }
        Ok(())
    }

    fn check_value(&self, value: &DeValue<'_>, node: &Value, schema: &Value, section: &str) -> Result<()> {
        if let Some(table) = value.as_table() {
            return self.check_table(table, node, schema, section);
        }
        let node = resolve(node, schema, "items");
        for item in value.as_array().into_iter().flatten() {
            self.check_value(item.get_ref(), &node["items"], schema, section)?;
        }
        Ok(())
    }
}

/// One step of a path into the config.
#[derive(Clone, Copy)]
pub(super) enum Step<'k> {
    Key(&'k str),
    Index(usize),
}

/// Follows `$ref` into the schema's definitions; of several forms, the one with the keyword `wanted`.
fn resolve<'s>(node: &'s Value, schema: &'s Value, wanted: &str) -> &'s Value {
    if let Some(name) = node["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/$defs/")) {
        return resolve(&schema["$defs"][name], schema, wanted);
    }
    let forms = node["anyOf"].as_array().into_iter().flatten().map(|form| resolve(form, schema, wanted));
    forms.into_iter().find(|form| form.get(wanted).is_some()).unwrap_or(node)
}

/// A TOML or type error, with its place.
pub(super) fn syntax_error(name: &str, text: &str, error: &toml::de::Error) -> Error {
    let position = match error.span() {
        Some(span) => position_in(name, text, span.start),
        None => Position::file(name),
    };
    plain_words(&error.message().replace('\n', "; ")).at(position)
}

/// What the reader says of a value, in the words of the config instead of those of the program.
fn plain_words(message: &str) -> Error {
    let quoted = |text: &str| text.replace('`', "\"");
    if let Some((word, known)) =
        message.strip_prefix("unknown variant `").and_then(|rest| rest.split_once("`, expected "))
    {
        let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
        let near = did_you_mean(word, known.iter().copied());
        return Error::new(format!("unknown word {word:?}{near}"))
            .help(format!("known words here: {}", known.join(", ")));
    }
    if let Some(name) = message.strip_prefix("missing field ") {
        return Error::new(format!("{} is missing", quoted(name)));
    }
    for (prefix, verb) in [("invalid type: ", "stands here"), ("invalid value: ", "cannot be meant")] {
        let Some((found, wanted)) = message.strip_prefix(prefix).and_then(|rest| rest.split_once(", expected ")) else {
            continue;
        };
        let found = match found.split_once(' ') {
            Some(("string", text)) => format!("the text {text}"),
            Some(("floating", text)) => format!("the number {}", text.trim_start_matches("point ")),
            Some(("integer", text)) => format!("the number {text}"),
            Some(("boolean", text)) => text.to_owned(),
            _ => match found {
                "map" => "a table".into(),
                "sequence" => "a list".into(),
                other => format!("a {other}"),
            },
        };
        let wanted = match wanted {
            "f32" | "f64" => "a number",
            "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or above",
            "a string" | "string" => "a text in quotes",
            "a boolean" => "true or false",
            "a sequence" => "a list",
            "a map" => "a table",
            other => other,
        };
        return Error::new(format!("{} {verb}; expected {wanted}", quoted(&found)));
    }
    Error::new(message)
}

fn position_in(name: &str, text: &str, offset: usize) -> Position {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
    let line = 1 + memchr::memchr_iter(b'\n', before).count() as u64;
    let column = 1 + String::from_utf8_lossy(&before[line_start..]).chars().count() as u64;
    Position::at(name, line, column)
}

#[cfg(test)]
mod tests {
    use super::plain_words;

    #[test]
    fn no_word_of_the_program_reaches_the_user() {
        let said = |message: &str| plain_words(message).to_string();
        assert_eq!(
            said("unknown variant `p51`, expected one of `p50`, `p90`, `mean`"),
            "unknown word \"p51\"; did you mean \"p50\"?\n  help: known words here: p50, p90, mean"
        );
        assert_eq!(
            said("unknown variant `x`, expected `end` or `start`").lines().last(),
            Some("  help: known words here: end, start")
        );
        assert_eq!(said("missing field `metric`"), "\"metric\" is missing");
        assert_eq!(said("invalid type: string \"x\", expected f64"), "the text \"x\" stands here; expected a number");
        assert_eq!(
            said("invalid type: floating point `0.5`, expected u64"),
            "the number \"0.5\" stands here; expected a whole number, 0 or above"
        );
        assert_eq!(
            said("invalid value: integer `-3`, expected u64"),
            "the number \"-3\" cannot be meant; expected a whole number, 0 or above"
        );
        assert_eq!(said("invalid type: map, expected a string"), "a table stands here; expected a text in quotes");
        assert_eq!(said("anything else"), "anything else");
    }
}
