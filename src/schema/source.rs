//! `[[sources]]`: how the rows of a log are read, as the config writes it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `[[sources]]`: the first one whose `files` match reads a file.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a source: files, preset, parse, fields")]
pub struct SourceSection {
    /// Globs of the files that it reads; without any it reads all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Fills in what is not written here; `stagegate formats` lists them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// `json` (one object a line), `csv` or `regex`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parse: Option<Parse>,
    /// Where the rows of a line are, such as `resourceSpans[].scopeSpans[].spans[]`; else a line is one row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<String>,
    /// Texts that hold JSON: they are read in their place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unwrap: Vec<String>,
    /// Of `regex`: a pattern with a name for each field, `(?P<status>\d+)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Of `csv`: the character between two columns, or `tab`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub separator: Option<String>,
    /// Of `csv` without a header: the names of its columns.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Of `csv`: what the line of the header begins with, where it is a comment, such as `#Fields:`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// What stands before the decimals of a number: `.`, or `,` (then points are left out of numbers).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimal: Option<String>,
    /// Conditions that all hold for the rows that are meant; the others are counted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<String>,
    /// Conditions of which none holds for the rows that are meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drop: Vec<String>,
    /// Whether a row is a `record`, or one of the `samples` of memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// What stands where.
    pub fields: BTreeMap<String, FieldSection>,
}

/// The form of a log's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Parse {
    Json,
    Csv,
    Regex,
    /// Rows of a table are read as objects of JSON; a file says itself that it is one.
    Parquet,
}

/// What a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Record,
    Samples,
}

/// What the logger's timestamp marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimestampMarks {
    Start,
    End,
}

/// A field: a path, or a table that says more.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldSection {
    Path(String),
    Table(Box<FieldTable>),
}

impl FieldSection {
    /// All that it says.
    pub fn table(&self) -> Cow<'_, FieldTable> {
        match self {
            Self::Path(path) => Cow::Owned(FieldTable { path: Some(path.clone()), ..FieldTable::default() }),
            Self::Table(table) => Cow::Borrowed(table),
        }
    }
}

/// Where a field comes from, and what becomes of it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a field: a path, or a table with one")]
pub struct FieldTable {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The first of these that has a value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub first: Vec<String>,
    /// All of these with a space between.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub join: Vec<String>,
    /// The sum of these numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sum: Vec<String>,
    /// Of a duration: the beginning that is taken off the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minus: Option<String>,
    /// The same for every row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Word>,
    /// Of times and durations `ns`, `us`, `ms`, `s`, `min` or `h`; of sizes and memory `B`, `kB`, `MB` or `GB`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Of a timestamp: how it is written, as strftime says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Of a timestamp without an offset: the zone whose clock it shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Of a timestamp that counts from somewhere: that moment, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Of a timestamp: whether it marks the `start` or the `end`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marks: Option<TimestampMarks>,
    /// Values that mean none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// The part of the text that is meant: the pattern's first group, or all that it matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
    /// Words, ranges and patterns, and what each stands for.
    #[serde(skip_serializing_if = "Words::is_empty")]
    pub map: Words,
    /// What a value stands for that is missing, or that no entry of `map` holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Word>,
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = FieldSection;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a path, or a table with one")
    }

    fn visit_str<E: de::Error>(self, path: &str) -> Result<FieldSection, E> {
        Ok(FieldSection::Path(path.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<FieldSection, A::Error> {
        FieldTable::deserialize(MapAccessDeserializer::new(map)).map(|table| FieldSection::Table(Box::new(table)))
    }
}

impl<'de> Deserialize<'de> for FieldSection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

impl Serialize for FieldSection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Path(path) => path.serialize(serializer),
            Self::Table(table) => table.serialize(serializer),
        }
    }
}

impl JsonSchema for FieldSection {
    fn schema_name() -> Cow<'static, str> {
        "FieldSection".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [{"type": "string"}, generator.subschema_for::<FieldTable>()]})
    }
}

/// A text, number or truth value, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word(pub String);

struct WordVisitor;

impl Visitor<'_> for WordVisitor {
    type Value = Word;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a text, a number, true or false")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Word, E> {
        Ok(Word(text.to_owned()))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Word, E> {
        Ok(Word(value.to_string()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Word, E> {
        Ok(Word(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Word, E> {
        Ok(Word(value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Word, E> {
        Ok(Word(value.to_string()))
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordVisitor)
    }
}

impl Serialize for Word {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl JsonSchema for Word {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Word".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "number", "boolean"]})
    }
}

/// Words and what they stand for, in the order in which they were written: the first that holds a value counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Words(pub Vec<(String, Word)>);

impl Words {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

struct WordsVisitor;

impl<'de> Visitor<'de> for WordsVisitor {
    type Value = Words;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a table of words and what they stand for")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Words, A::Error> {
        let mut words = Vec::new();
        while let Some(entry) = map.next_entry()? {
            words.push(entry);
        }
        Ok(Words(words))
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(WordsVisitor)
    }
}

impl Serialize for Words {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl JsonSchema for Words {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Words".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}})
    }
}

impl SourceSection {
    /// What is written here, and of the rest what `preset` says. Fields are taken one by one.
    pub fn over(&self, preset: &Self) -> Self {
        let mut fields = preset.fields.clone();
        fields.extend(self.fields.iter().map(|(name, field)| (name.clone(), field.clone())));
        let list = |own: &Vec<String>, preset: &Vec<String>| if own.is_empty() { preset.clone() } else { own.clone() };
        Self {
            files: self.files.clone(),
            preset: self.preset.clone(),
            parse: self.parse.or(preset.parse),
            rows: self.rows.clone().or_else(|| preset.rows.clone()),
            unwrap: list(&self.unwrap, &preset.unwrap),
            pattern: self.pattern.clone().or_else(|| preset.pattern.clone()),
            separator: self.separator.clone().or_else(|| preset.separator.clone()),
            columns: list(&self.columns, &preset.columns),
            header: self.header.clone().or_else(|| preset.header.clone()),
            decimal: self.decimal.clone().or_else(|| preset.decimal.clone()),
            // What a preset keeps makes its rows what they are: conditions are added to it.
            keep: preset.keep.iter().chain(&self.keep).cloned().collect(),
            drop: preset.drop.iter().chain(&self.drop).cloned().collect(),
            kind: self.kind.or(preset.kind),
            fields,
        }
    }
}
