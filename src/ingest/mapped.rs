//! A row of any format -> a record or a memory sample, as the mapping of its source says.

use std::borrow::Cow;

use super::decimal::{self, Decimal};
use super::layout::{Flat, Found};
use super::native::{Event, EventKind};
use super::node::Node;
use super::quantity;
use super::record::{ExecutionType, MAX_DURATION_MS, MAX_MB, Record, Value};
use super::reject::{Reject, RejectReason, cut};
use super::timestamp::{self, IsoReader};
use crate::config::EpochNanos;
use crate::schema::arms::Assigned;
use crate::schema::condition::{Condition, Test};
use crate::schema::mapping::Mapping;
use crate::schema::path::{Origin, Path};
use crate::schema::record::{MAX_DIMENSIONS, MAX_MEASURES, MEMORY, Values};
use crate::schema::rule::{From, Role, Rule};
use crate::schema::source::Kind;
use crate::schema::unit::Unit;

/// A row, and what is around it.
#[derive(Debug, Clone, Copy)]
pub struct Row<'r> {
    pub node: &'r Node<'r>,
    /// The objects around it, the line first.
    pub around: &'r [&'r Node<'r>],
    /// The name of its file.
    pub file: &'r str,
    /// The line as it stands in the file.
    pub line: &'r str,
    /// Its values, where the line was read by its layout; `node` holds nothing then.
    pub flat: Option<Flat<'r, 'r>>,
}

/// What a row is.
#[derive(Debug, PartialEq)]
pub enum Mapped<'r> {
    Record(Box<Record<'r>>),
    Event(Event),
    /// Not one of those that are meant.
    Other,
}

/// Reads a row.
///
/// # Errors
/// Why it cannot be used.
pub fn read<'r>(mapping: &Mapping, row: Row<'r>, times: &mut IsoReader) -> Result<Mapped<'r>, Reject> {
    if !is_meant(mapping, row)? {
        return Ok(Mapped::Other);
    }
    let mut fields = Fields { mapping, row, times };
    match mapping.kind {
        Kind::Record => fields.record().map(|record| Mapped::Record(Box::new(record))),
        Kind::Samples => fields.sample().map(Mapped::Event),
    }
}

/// Whether the conditions of a source keep a row.
///
/// # Errors
/// A condition looks at a list or an object.
pub fn is_meant(mapping: &Mapping, row: Row<'_>) -> Result<bool, Reject> {
    let holds = |condition: &Condition| match condition.test {
        // What is there need not be a text.
        Test::Null => Ok(row.has(&condition.path) == condition.negated),
        _ => Ok(condition.holds(row.text(&condition.path)?.as_deref())),
    };
    for condition in mapping.keep() {
        if !holds(condition)? {
            return Ok(false);
        }
    }
    for condition in mapping.dropped() {
        if holds(condition)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether an event is meant: by those conditions whose fields it has, as it may lack those of a record.
pub fn event_is_meant(mapping: &Mapping, row: Row<'_>) -> bool {
    let with_field =
        |condition: &Condition| row.text(&condition.path).ok().flatten().map(|text| condition.holds(Some(&text)));
    mapping.keep().iter().filter_map(with_field).all(|holds| holds)
        && !mapping.dropped().iter().filter_map(with_field).any(|holds| holds)
}

impl<'r> Row<'r> {
    /// The value at a path of a line that was read by its layout.
    #[inline]
    fn flat_at(self, path: &Path) -> Option<Found<'r>> {
        self.flat?.get(path.slot?)
    }

    /// Whether something other than null is at a path.
    fn has(self, path: &Path) -> bool {
        match self.flat {
            // A path without a slot is that of the file or the line, which are there.
            Some(_) => path.slot.is_none() || !matches!(self.flat_at(path), None | Some(Found::Null)),
            None => self.node_at(path).is_some(),
        }
    }

    /// What is at a path; `None` for what is missing or null.
    fn node_at(self, path: &Path) -> Option<&'r Node<'r>> {
        let from = match path.origin {
            Origin::Parent(up) => self.around[self.around.len().checked_sub(up)?],
            Origin::Row | Origin::File | Origin::Line => self.node,
        };
        from.find(&path.steps).filter(|node| **node != Node::Null)
    }

    /// The text at a path; `None` for what is missing or null.
    fn text(self, path: &Path) -> Result<Option<Cow<'r, str>>, Reject> {
        match path.origin {
            Origin::File => return Ok(Some(Cow::Borrowed(self.file))),
            Origin::Line => return Ok(Some(Cow::Borrowed(self.line))),
            Origin::Row | Origin::Parent(_) => {}
        }
        if self.flat.is_some() {
            debug_assert!(path.slot.is_some(), "{} has no slot", path.text);
            return Ok(match self.flat_at(path) {
                None | Some(Found::Null) => None,
                Some(Found::True) => Some(Cow::Borrowed("true")),
                Some(Found::False) => Some(Cow::Borrowed("false")),
                Some(Found::Number(text, _)) => Some(Cow::Borrowed(text)),
                Some(Found::Text(text)) => Some(text),
            });
        }
        match self.node_at(path) {
            None | Some(Node::Null) => Ok(None),
            Some(Node::Text(text)) => Ok(Some(Cow::Borrowed(text))),
            Some(Node::List(_)) => Err(bad(format!("{} is a list, where one value is expected", path.text))),
            Some(Node::Object(_)) => Err(bad(format!("{} is an object, where one value is expected", path.text))),
        }
    }
}

fn bad(message: String) -> Reject {
    Reject::whole_line(RejectReason::BadValue, message)
}

struct Fields<'m, 'r> {
    mapping: &'m Mapping,
    row: Row<'r>,
    times: &'m mut IsoReader,
}

impl<'r> Fields<'_, 'r> {
    /// The text of a field, as its rule means it.
    fn text(&self, role: Role) -> Result<Option<Cow<'r, str>>, Reject> {
        let Some(rule) = self.mapping.rule(role) else { return Ok(None) };
        let found = match &rule.from {
            From::Constant(text) => Some(Cow::Owned(text.clone())),
            From::First(paths) => {
                let values = paths.iter().map(|path| Ok(self.row.text(path)?.filter(|text| rule.is_value(text))));
                values.filter_map(Result::transpose).next().transpose()?
            }
            From::Joined(paths) => {
                let texts: Option<Vec<Cow<'_, str>>> =
                    paths.iter().map(|path| self.row.text(path)).collect::<Result<_, _>>()?;
                texts.map(|texts| Cow::Owned(texts.join(" ")))
            }
            // Numbers: see `quantity`.
            From::Sum(_) | From::Difference(..) => None,
        };
        Ok(rule.meaning(found))
    }

    /// Where a field comes from, for messages.
    fn name(&self, role: Role) -> String {
        let word = role.word(&self.mapping.schema);
        let paths: Vec<&str> = self
            .mapping
            .rule(role)
            .map(|rule| rule.paths().iter().map(|path| path.text.as_str()).collect())
            .unwrap_or_default();
        match paths.as_slice() {
            [] => word.to_owned(),
            [one] if *one == word => word.to_owned(),
            several => format!("{word} ({})", several.join(", ")),
        }
    }

    fn wrong(&self, role: Role, text: &str, why: &str) -> Reject {
        bad(format!("{} is {:?}, which {why}", self.name(role), cut(text)))
    }

    fn missing(&self, role: Role) -> Reject {
        Reject::whole_line(RejectReason::MissingField, format!("{} is missing or null", self.name(role)))
    }

    fn required(&self, role: Role) -> Result<Cow<'r, str>, Reject> {
        self.text(role)?.ok_or_else(|| self.missing(role))
    }

    fn record(&mut self) -> Result<Record<'r>, Reject> {
        let execution_type = self.execution_type()?;
        let success = self.required(Role::Success)?;
        let mapped = self.mapping.rule(Role::Success).is_none_or(|rule| rule.can_mean(&success));
        let success = quantity::boolean(&success).filter(|_| mapped).ok_or_else(|| {
            self.wrong(Role::Success, &success, "is neither true nor false: say in map what it stands for")
        })?;
        let duration_ms = match self.number(Role::Duration)? {
            // What failed may have no duration.
            None if !success => None,
            None => return Err(self.missing(Role::Duration)),
            Some(value) => Some(self.within(Role::Duration, value, MAX_DURATION_MS, "0 to 30 days")?),
        };
        Ok(Record {
            execution_type,
            success,
            duration_ms,
            timestamp: self.timestamp()?,
            error_type: self.text(Role::Error)?.filter(|_| !success || self.mapping.names_only_errors()),
            dimensions: self.dimensions()?,
            measures: self.measures()?,
            request_id: self.text(Role::Id)?,
            stage: self.text(Role::Stage)?,
            weight: self.weight()?,
            stage_offset: 0,
        })
    }

    fn dimensions(&self) -> Result<[Value<'r>; MAX_DIMENSIONS], Reject> {
        let mut values = [const { Value::Absent }; MAX_DIMENSIONS];
        for (index, (value, dimension)) in values.iter_mut().zip(&self.mapping.schema.dimensions).enumerate() {
            let role = Role::Dimension(index);
            *value = match dimension.values {
                Values::Names => Value::name(self.text(role)?),
                Values::Bounds(_) => Value::number(self.bounded(role)?),
            };
        }
        Ok(values)
    }

    fn measures(&self) -> Result<[Option<f64>; MAX_MEASURES], Reject> {
        let mut values = [None; MAX_MEASURES];
        for (index, value) in values.iter_mut().enumerate().take(self.mapping.schema.measures.len()) {
            *value = self.bounded(Role::Measure(index))?;
        }
        Ok(values)
    }

    fn weight(&self) -> Result<Option<f64>, Reject> {
        let Some(weight) = self.bounded(Role::Weight)? else { return Ok(None) };
        if weight < 1.0 {
            let why = "must be 1 or more: how many rows of the traffic one row stands for";
            return Err(self.wrong(Role::Weight, &weight.to_string(), why));
        }
        Ok(Some(weight))
    }

    /// A number that the cube can hold.
    fn bounded(&self, role: Role) -> Result<Option<f64>, Reject> {
        self.number(role)?.map(|value| self.within(role, value, MAX_MB, "0 to 1e9")).transpose()
    }

    fn execution_type(&self) -> Result<ExecutionType, Reject> {
        let word = self.required(Role::Arm)?;
        let keyed = || Assigned::ALL.into_iter().find(|arm| arm.word() == word);
        let Some(arm) = self.mapping.arms.of(&word).or_else(keyed) else {
            let message = format!(
                "{} is {:?}; [record.arms] knows {}",
                self.name(Role::Arm),
                cut(&word),
                self.mapping.arms.text()
            );
            return Err(Reject::whole_line(RejectReason::UnknownExecutionType, message));
        };
        if arm == Assigned::Treated
            && let Some(text) = self.text(Role::Fallback)?
        {
            let fell_back = quantity::boolean(&text)
                .ok_or_else(|| self.wrong(Role::Fallback, &text, "is neither true nor false"))?;
            return Ok(if fell_back { ExecutionType::SyncFallback } else { ExecutionType::Async });
        }
        Ok(match arm {
            Assigned::Control => ExecutionType::Sync,
            Assigned::Treated => ExecutionType::Async,
            Assigned::Fallback => ExecutionType::SyncFallback,
        })
    }

    fn timestamp(&mut self) -> Result<EpochNanos, Reject> {
        if let Some((rule, decimal)) = self.plain_decimal(Role::Timestamp)
            && rule.clock.format.is_none()
            && let Some(at) = rule.unit.and_then(|unit| quantity::moment_of(decimal, unit, &rule.clock))
        {
            return Ok(at);
        }
        let text = self.required(Role::Timestamp)?;
        let rule = self.mapping.rule(Role::Timestamp).ok_or_else(|| self.missing(Role::Timestamp))?;
        let is_number = self.mapping.decimal_comma && rule.unit.is_some();
        let text = if is_number { Cow::Owned(self.pointed(&text).into_owned()) } else { text };
        // The reader of the own format knows seconds and milliseconds by their size.
        let by_size = self.mapping.is_own() && rule.unit.is_none() && rule.clock.format.is_none();
        let own = quantity::number(&text).filter(|_| by_size).and_then(|value| timestamp::parse_epoch(&text, value));
        let moment = own.map_or_else(|| quantity::moment(&text, rule.unit, &rule.clock, self.times), Ok);
        moment.map_err(|why| self.wrong(Role::Timestamp, &text, &why))
    }

    /// The number of a field whose rule leaves it as it is, read digit by digit already.
    #[inline]
    fn plain_decimal(&self, role: Role) -> Option<(&Rule, Decimal)> {
        self.row.flat?;
        if self.mapping.decimal_comma {
            return None;
        }
        let rule = self.mapping.rule(role)?;
        let decimal = match self.row.flat_at(rule.plain()?)? {
            Found::Number(text, decimal) if rule.is_value(text) => decimal,
            Found::Text(text) if rule.is_value(&text) => decimal::of_text(&text)?,
            _ => return None,
        };
        decimal.is_exact().then_some((rule, decimal))
    }

    /// A number in the unit of the report.
    fn number(&self, role: Role) -> Result<Option<f64>, Reject> {
        if let Some((rule, decimal)) = self.plain_decimal(role)
            && let Some(value) = quantity::plain(decimal, rule.unit, role == Role::Duration)
        {
            return Ok(Some(value));
        }
        let Some(rule) = self.mapping.rule(role) else { return Ok(None) };
        match &rule.from {
            From::Sum(paths) => self.sum(role, rule, paths),
            From::Difference(end, start) => {
                let (Some(end), Some(start)) = (rule.meaning(self.row.text(end)?), rule.meaning(self.row.text(start)?))
                else {
                    return Ok(None);
                };
                quantity::difference_ms(&end, &start, rule.unit, &rule.clock)
                    .map(Some)
                    .map_err(|why| self.wrong(role, &format!("{end} - {start}"), &why))
            }
            _ => {
                let Some(text) = self.text(role)? else { return Ok(None) };
                self.quantity(role, rule.unit, &text).map(Some)
            }
        }
    }

    fn sum(&self, role: Role, rule: &Rule, paths: &[Path]) -> Result<Option<f64>, Reject> {
        let mut sum = 0.0;
        for path in paths {
            let Some(text) = rule.meaning(self.row.text(path)?) else { return Ok(None) };
            sum += self.quantity(role, rule.unit, &text)?;
        }
        Ok(Some(sum))
    }

    /// A number as it is written with a point.
    fn pointed<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.mapping.decimal_comma {
            true => Cow::Owned(text.replace('.', "").replace(',', ".")),
            false => Cow::Borrowed(text),
        }
    }

    fn quantity(&self, role: Role, unit: Option<Unit>, text: &str) -> Result<f64, Reject> {
        let pointed = self.pointed(text);
        if role == Role::Duration {
            return quantity::duration_ms(&pointed, unit).map_err(|why| self.wrong(role, text, &why));
        }
        // Where the report has a unit, a text may carry its own.
        let told_in = role.number_unit(&self.mapping.schema);
        let written = || quantity::with_own_unit(&pointed, told_in?);
        let value = quantity::number(&pointed).map(|value| unit.map_or(value, |unit| unit.to_report(value)));
        value.or_else(written).ok_or_else(|| self.wrong(role, text, "is no number"))
    }

    fn within(&self, role: Role, value: f64, max: f64, range: &str) -> Result<f64, Reject> {
        // The sum turns -0 into 0: the two have different bits, and bins are cut from the bits.
        let inside = (0.0..=max).contains(&value).then_some(value + 0.0);
        inside.ok_or_else(|| bad(format!("{} is {value}; expected {range}", self.name(role))))
    }

    fn sample(&mut self) -> Result<Event, Reject> {
        let role = Role::Measure(MEMORY);
        let rss_mb = self.bounded(role)?.ok_or_else(|| self.missing(role))?;
        Ok(Event {
            kind: EventKind::MemorySample { rss_mb },
            event_type: "memory_sample".into(),
            timestamp: Some(self.timestamp()?),
            text: String::new(),
        })
    }
}
