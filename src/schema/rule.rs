//! One field of a mapping: where its value comes from, and what becomes of the text that is found.

use std::borrow::Cow;

use chrono::format::{Item, StrftimeItems};
use chrono_tz::Tz;
use regex::Regex;

use super::matcher::{Matcher, pattern};
use super::path::Path;
use super::record::{MAX_DIMENSIONS, MAX_MEASURES, Schema, Values};
use super::source::FieldTable;
use super::unit::Unit;
use crate::error::did_you_mean;
use crate::zone::Zone;

/// What a field is for the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Timestamp,
    Duration,
    Success,
    Error,
    Arm,
    /// Whether a treated row went the old way after all.
    Fallback,
    Stage,
    Id,
    /// How many rows of the traffic one row of a sampled log stands for.
    Weight,
    /// By its position in the schema.
    Dimension(usize),
    /// By its position in the schema.
    Measure(usize),
}

impl Role {
    /// Those that every log has.
    pub const CORE: [(Self, &'static str); 9] = [
        (Self::Timestamp, "timestamp"),
        (Self::Duration, "duration"),
        (Self::Success, "success"),
        (Self::Error, "error"),
        (Self::Arm, "arm"),
        (Self::Fallback, "fallback"),
        (Self::Stage, "stage"),
        (Self::Id, "id"),
        (Self::Weight, "weight"),
    ];
    /// How many roles there can be.
    pub const COUNT: usize = Self::CORE.len() + MAX_DIMENSIONS + MAX_MEASURES;

    /// A number below [`Role::COUNT`].
    pub fn index(self) -> usize {
        match self {
            Self::Timestamp => 0,
            Self::Duration => 1,
            Self::Success => 2,
            Self::Error => 3,
            Self::Arm => 4,
            Self::Fallback => 5,
            Self::Stage => 6,
            Self::Id => 7,
            Self::Weight => 8,
            Self::Dimension(dimension) => Self::CORE.len() + dimension,
            Self::Measure(measure) => Self::CORE.len() + MAX_DIMENSIONS + measure,
        }
    }

    /// Its key in `[sources.fields]`.
    pub fn word(self, schema: &Schema) -> &str {
        match self {
            Self::Dimension(dimension) => &schema.dimensions[dimension].name,
            Self::Measure(measure) => &schema.measures[measure].name,
            core => Self::CORE[core.index()].1,
        }
    }

    /// The keys of all roles.
    pub fn words(schema: &Schema) -> Vec<&str> {
        let dimensions = schema.dimensions.iter().map(|dimension| dimension.name.as_str());
        let measures = schema.measures.iter().map(|measure| measure.name.as_str());
        Self::CORE.iter().map(|(_, word)| *word).chain(dimensions).chain(measures).collect()
    }

    /// The role with this key.
    ///
    /// # Errors
    /// There is none, as a sentence.
    pub fn parse(word: &str, schema: &Schema) -> Result<Self, String> {
        let core = Self::CORE.iter().find(|(_, known)| *known == word).map(|(role, _)| *role);
        core.or_else(|| schema.dimension(word).map(Self::Dimension))
            .or_else(|| schema.measure(word).map(Self::Measure))
            .ok_or_else(|| format!("no field is called {word:?}{}", did_you_mean(word, Self::words(schema))))
    }

    /// What its numbers are told in; `None` where it is no number.
    pub fn number_unit(self, schema: &Schema) -> Option<&str> {
        match self {
            Self::Duration => Some("ms"),
            Self::Weight => Some(""),
            Self::Dimension(dimension) => {
                let dimension = &schema.dimensions[dimension];
                matches!(dimension.values, Values::Bounds(_)).then_some(dimension.unit.as_str())
            }
            Self::Measure(measure) => Some(&schema.measures[measure].unit),
            _ => None,
        }
    }
}

/// Where a value comes from.
#[derive(Debug, Clone)]
pub enum From {
    /// The first of these that has one.
    First(Vec<Path>),
    /// All of these, with a space between.
    Joined(Vec<Path>),
    /// The sum of these numbers.
    Sum(Vec<Path>),
    /// The first from the second to the first.
    Difference(Path, Path),
    Constant(String),
}

/// How a timestamp is read.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// How it is written; ISO 8601 without.
    pub format: Option<Vec<Item<'static>>>,
    /// Whose clock a time without an offset shows; UTC without.
    pub zone: Option<Tz>,
    /// What a number counts from, in ns since 1970-01-01T00:00:00Z.
    pub base: i64,
}

/// A field of a mapping.
#[derive(Debug, Clone)]
pub struct Rule {
    pub from: From,
    pub unit: Option<Unit>,
    pub clock: Clock,
    pub missing: Vec<String>,
    pub regex: Option<Regex>,
    pub map: Vec<(Matcher, String)>,
    pub default: Option<String>,
}

/// A fault of a field: the key at which it lies, what is wrong, and what to do.
#[derive(Debug)]
pub struct Fault {
    pub key: &'static str,
    pub message: String,
    pub help: Option<String>,
}

impl Fault {
    pub(super) fn new(key: &'static str, message: impl Into<String>) -> Self {
        Self { key, message: message.into(), help: None }
    }

    fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

impl Rule {
    /// Makes a rule of what a config says of a field.
    ///
    /// # Errors
    /// What cannot be meant.
    pub fn new(role: Role, table: &FieldTable, schema: &Schema) -> Result<Self, Fault> {
        let map = table.map.0.iter().map(|(word, meant)| {
            Matcher::parse(word).map(|matcher| (matcher, meant.0.clone())).map_err(|why| Fault::new("map", why))
        });
        let regex = table.regex.as_deref().map(pattern).transpose().map_err(|why| Fault::new("regex", why))?;
        Ok(Self {
            from: from(role, table, schema)?,
            unit: unit(role, table, schema)?,
            clock: clock(role, table, schema)?,
            missing: table.missing.clone(),
            regex,
            map: map.collect::<Result<_, _>>()?,
            default: table.default.as_ref().map(|word| word.0.clone()),
        })
    }

    /// Whether a text that was found is a value, and not one that means none.
    pub fn is_value(&self, text: &str) -> bool {
        !text.is_empty() && !self.missing.iter().any(|missing| missing == text)
    }

    /// The value that is meant by a text that was found; `None` where it means none.
    pub fn meaning<'v>(&self, found: Option<Cow<'v, str>>) -> Option<Cow<'v, str>> {
        let found = found.filter(|text| self.is_value(text));
        let found = match &self.regex {
            None => found,
            Some(regex) => found.and_then(|text| {
                let captures = regex.captures(&text)?;
                Some(Cow::Owned(captures.get(1).or_else(|| captures.get(0))?.as_str().to_owned()))
            }),
        };
        let default = || self.default.clone().map(Cow::Owned);
        let Some(found) = found else { return default() };
        if self.map.is_empty() {
            return Some(found);
        }
        let exact = self.map.iter().find(|(matcher, _)| matcher.is(&found));
        let meant = exact.or_else(|| self.map.iter().find(|(matcher, _)| matcher.holds(&found)));
        match meant {
            Some((_, meant)) => (!meant.is_empty()).then(|| Cow::Owned(meant.clone())),
            // A word that no entry holds stands for itself where nothing else is said.
            None => default().or(Some(found)),
        }
    }

    /// Whether a value can come from the map, where there is one: what no entry holds is then no truth value.
    pub fn can_mean(&self, value: &str) -> bool {
        self.map.is_empty() || self.map.iter().map(|(_, meant)| meant).chain(&self.default).any(|meant| meant == value)
    }

    /// The path of a value that stands for itself, where the rule is no more than that.
    pub fn plain(&self) -> Option<&Path> {
        match &self.from {
            From::First(paths) if paths.len() == 1 && self.regex.is_none() && self.map.is_empty() => paths.first(),
            _ => None,
        }
    }

    pub(super) fn paths_mut(&mut self) -> Vec<&mut Path> {
        match &mut self.from {
            From::First(paths) | From::Joined(paths) | From::Sum(paths) => paths.iter_mut().collect(),
            From::Difference(end, start) => vec![end, start],
            From::Constant(_) => Vec::new(),
        }
    }

    /// The paths that it reads.
    pub fn paths(&self) -> Vec<&Path> {
        match &self.from {
            From::First(paths) | From::Joined(paths) | From::Sum(paths) => paths.iter().collect(),
            From::Difference(end, start) => vec![end, start],
            From::Constant(_) => Vec::new(),
        }
    }
}

fn path(key: &'static str, text: &str) -> Result<Path, Fault> {
    let path = Path::parse(text).map_err(|why| Fault::new(key, format!("the path {text:?} {why}")))?;
    if path.is_list() {
        return Err(Fault::new(key, format!("the path {text:?} stands for several values: give a number in its []")));
    }
    Ok(path)
}

fn from(role: Role, table: &FieldTable, schema: &Schema) -> Result<From, Fault> {
    let word = role.word(schema);
    let all = |key, texts: &[String]| texts.iter().map(|text| path(key, text)).collect::<Result<Vec<_>, _>>();
    let of_numbers = role.number_unit(schema).is_some();
    let mut given = Vec::new();
    if let Some(text) = &table.path {
        given.push(From::First(vec![path("path", text)?]));
    }
    if !table.first.is_empty() {
        given.push(From::First(all("first", &table.first)?));
    }
    if !table.join.is_empty() {
        given.push(From::Joined(all("join", &table.join)?));
    }
    if !table.sum.is_empty() {
        if !of_numbers {
            return Err(Fault::new("sum", format!("{} is no number that adds up", word)));
        }
        given.push(From::Sum(all("sum", &table.sum)?));
    }
    if let Some(word) = &table.value {
        given.push(From::Constant(word.0.clone()));
    }
    let Some(from) = given.pop() else {
        return Err(
            Fault::new("path", format!("{} comes from nowhere", word)).help("give path, first, join, sum or value")
        );
    };
    if !given.is_empty() {
        return Err(Fault::new("path", format!("{} comes from several places", word))
            .help("give one of path, first, join, sum and value"));
    }
    match (&table.minus, from) {
        (None, from) => Ok(from),
        (Some(minus), From::First(mut paths)) if role == Role::Duration && paths.len() == 1 => {
            Ok(From::Difference(paths.remove(0), path("minus", minus)?))
        }
        (Some(_), _) => {
            Err(Fault::new("minus", "minus takes the start off the end: it goes with the path of a duration"))
        }
    }
}

/// What the numbers of a field are in. Where the report tells them in ms or MB it must be said; a unit is never guessed.
fn unit(role: Role, table: &FieldTable, schema: &Schema) -> Result<Option<Unit>, Fault> {
    let word = role.word(schema);
    let told_in = if role == Role::Timestamp { Some("ms") } else { role.number_unit(schema) };
    let of_time = match told_in {
        Some("ms") => true,
        Some("MB") => false,
        told_in => {
            return match (table.unit.as_deref(), told_in) {
                (None, _) => Ok(None),
                (Some(unit), Some(told_in)) if unit == told_in => Ok(None),
                (Some(unit), Some(told_in)) => {
                    Err(Fault::new("unit", format!("{unit:?} is not the unit of {word}, which is told in {told_in:?}"))
                        .help("units of time become \"ms\", and those of bytes \"MB\"; others stay as they are"))
                }
                (Some(_), None) => Err(Fault::new("unit", format!("{word} has no unit"))),
            };
        }
    };
    let known = Unit::words(of_time).join(", ");
    let Some(text) = table.unit.as_deref() else {
        // A time may be a text that says what it is, and so may a duration.
        let needed = !matches!(role, Role::Timestamp | Role::Duration) && table.value.is_none();
        return if needed {
            Err(Fault::new("unit", format!("{word} has no unit")).help(format!("add unit: {known}")))
        } else {
            Ok(None)
        };
    };
    Unit::parse(text).filter(|unit| unit.is_time() == of_time).map(Some).ok_or_else(|| {
        let near = did_you_mean(text, Unit::words(of_time));
        Fault::new("unit", format!("{text:?} is no unit of {word}{near}")).help(format!("known units here: {known}"))
    })
}

fn clock(role: Role, table: &FieldTable, schema: &Schema) -> Result<Clock, Fault> {
    let word = role.word(schema);
    let of_time = matches!(role, Role::Timestamp | Role::Duration);
    let misplaced =
        [("format", table.format.is_some()), ("zone", table.zone.is_some()), ("base", table.base.is_some())];
    if let Some((key, _)) = misplaced.into_iter().find(|(_, given)| *given && !of_time) {
        return Err(Fault::new(key, format!("{key} belongs to a timestamp, and {} is none", word)));
    }
    if table.marks.is_some() && role != Role::Timestamp {
        return Err(Fault::new("marks", format!("marks belongs to the timestamp, and {} is none", word)));
    }
    let format = table.format.as_deref().map(format_items).transpose()?;
    let zone = |name: &String| {
        Zone::parse(name)
            .map(|zone| zone.0)
            .map_err(|why| Fault::new("zone", why).help("write it like \"Europe/Berlin\""))
    };
    let base = |text: &String| {
        let time = chrono::DateTime::parse_from_rfc3339(text).ok().and_then(|time| time.timestamp_nanos_opt());
        time.ok_or_else(|| {
            Fault::new("base", format!("{text:?} is not a time")).help("write it like \"2025-10-29T00:00:00Z\"")
        })
    };
    Ok(Clock {
        format,
        zone: table.zone.as_ref().map(zone).transpose()?,
        base: table.base.as_ref().map(base).transpose()?.unwrap_or(0),
    })
}

fn format_items(format: &str) -> Result<Vec<Item<'static>>, Fault> {
    let fault = || {
        Fault::new("format", format!("{format:?} is no format of a time"))
            .help("write it as strftime does: \"%d/%b/%Y:%H:%M:%S %z\"")
    };
    let items: Vec<Item<'static>> = StrftimeItems::new(format).map(Item::to_owned).collect();
    let holds_time = items.iter().any(|item| matches!(item, Item::Numeric(..) | Item::Fixed(..)));
    if !holds_time || items.contains(&Item::Error) { Err(fault()) } else { Ok(items) }
}
