//! Where in rollout.toml a key stands, and which keys are unknown: so that every
//! message about the config carries file, line and column.

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Error, Position, Result, did_you_mean};

/// The text of a config file beside its parsed, spanned tree.
pub struct Located<'a> {
    name: &'a str,
    text: &'a str,
    root: Spanned<DeTable<'a>>,
}

impl<'a> Located<'a> {
    /// Parses `text`; `name` is how messages call the file.
    pub fn parse(name: &'a str, text: &'a str) -> Result<Self> {
        match DeTable::parse(text) {
            Ok(root) => Ok(Self { name, text, root }),
            Err(error) => Err(syntax_error(name, text, &error)),
        }
    }

    /// The position of the value at `path`, or of its nearest parent that stands in the file.
    pub fn position(&self, path: &[Step]) -> Position {
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
            let Some((found, value)) = next else { break };
            span = Some(found);
            table = value.as_table();
            array = value.as_array();
        }
        match span {
            Some(span) => self.at_byte(span.start),
            None => Position::file(self.name),
        }
    }

    fn at_byte(&self, offset: usize) -> Position {
        position_in(self.name, self.text, offset)
    }

    /// Refuses the first key that the schema does not know.
    pub fn refuse_unknown_keys(&self, schema: &Value) -> Result<()> {
        self.check_table(self.root.get_ref(), schema, schema, "")
    }

    fn check_table(&self, table: &DeTable<'_>, node: &Value, schema: &Value, section: &str) -> Result<()> {
        let node = resolve(node, schema);
        let Some(properties) = node["properties"].as_object() else { return Ok(()) };
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
        let node = resolve(node, schema);
        if let Some(table) = value.as_table() {
            return self.check_table(table, node, schema, section);
        }
        for item in value.as_array().into_iter().flatten() {
            self.check_value(item.get_ref(), &node["items"], schema, section)?;
        }
        Ok(())
    }
}

/// One step of a path into the config.
#[derive(Clone, Copy)]
pub enum Step {
    Key(&'static str),
    Index(usize),
}

/// Follows `$ref` into the schema's definitions.
fn resolve<'s>(node: &'s Value, schema: &'s Value) -> &'s Value {
    match node["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/$defs/")) {
        Some(name) => &schema["$defs"][name],
        None => node,
    }
}

/// A TOML or type error, with its place.
pub fn syntax_error(name: &str, text: &str, error: &toml::de::Error) -> Error {
    let position = match error.span() {
        Some(span) => position_in(name, text, span.start),
        None => Position::file(name),
    };
    Error::new(error.message().replace('\n', "; ")).at(position)
}

fn position_in(name: &str, text: &str, offset: usize) -> Position {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
    let line = 1 + memchr::memchr_iter(b'\n', before).count() as u64;
    let column = 1 + String::from_utf8_lossy(&before[line_start..]).chars().count() as u64;
    Position::at(name, line, column)
}
