//! A source of the config, ready to read rows by.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::arms::Arms;
use super::condition::Condition;
use super::form::decimal_comma;
pub use super::form::{Form, SourceFault, form};
use super::path::{Origin, Path, Step};
use super::presets;
use super::record::{MEMORY, RecordSection, Schema};
use super::rule::{From, Role, Rule};
use super::source::{FieldSection, Kind, SourceSection, TimestampMarks};

/// How the rows of a source become records.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// The preset's name, or [`MAPPING`].
    pub name: String,
    pub form: Form,
    /// Whether a comma stands before the decimals of its numbers.
    pub decimal_comma: bool,
    keep: Vec<Condition>,
    drop: Vec<Condition>,
    pub kind: Kind,
    pub marks: TimestampMarks,
    pub arms: Arc<Arms>,
    pub schema: Arc<Schema>,
    /// By [`Role::index`].
    rules: Vec<Option<Rule>>,
    /// The keys of what it reads of a row, by [`Path::slot`], where a row is a line of JSON or a record of CSV and all of it is found by
    /// keys alone. The first is that of stagegate's own events.
    slots: Option<Vec<Vec<String>>>,
    names_only_errors: bool,
}

/// The key of stagegate's own events.
const EVENT_TYPE: &str = "event_type";
/// What a mapping without a preset is called.
pub const MAPPING: &str = "mapping";

/// Without these a row is no record.
const REQUIRED: [Role; 4] = [Role::Timestamp, Role::Duration, Role::Success, Role::Arm];
/// Without these a row is no sample.
const REQUIRED_OF_SAMPLES: [Role; 2] = [Role::Timestamp, Role::Measure(MEMORY)];
impl Mapping {
    /// Makes a mapping of what a config says of a source and of all records; `marks` holds where it does not say what
    /// the timestamp marks.
    ///
    /// # Errors
    /// What cannot be meant, with the keys where it stands.
    pub fn new(
        section: &SourceSection,
        record: &RecordSection,
        (schema, arms): (Arc<Schema>, Arc<Arms>),
        marks: TimestampMarks,
    ) -> Result<Self, SourceFault> {
        let mut merged = match &section.preset {
            None => section.clone(),
            Some(name) => {
                let preset = presets::find(name).map_err(|why| {
                    SourceFault::new("preset", why).help("`stagegate formats` lists the presets, and what each reads")
                })?;
                section.over(&preset.source)
            }
        };
        // What the source itself says of a field goes before what is said for all records, and that before the preset.
        for (name, field) in of_all_records(record) {
            if !section.fields.contains_key(&name) {
                merged.fields.insert(name, field);
            }
        }
        same_clock(&mut merged.fields, &schema);
        let mut rules: Vec<Option<Rule>> = (0..Role::COUNT).map(|_| None).collect();
        for (name, field) in &merged.fields {
            let role = Role::parse(name, &schema).map_err(|why| {
                let known = Role::words(&schema).join(", ");
                SourceFault {
                    keys: vec!["fields".into(), name.clone()],
                    message: why,
                    help: Some(format!("known fields: {known}")),
                }
            })?;
            let rule = Rule::new(role, &field.table(), &schema).map_err(|fault| SourceFault::of_field(name, fault))?;
            rules[role.index()] = Some(rule);
        }
        let kind = merged.kind.unwrap_or(Kind::Record);
        let required = if kind == Kind::Record { &REQUIRED[..] } else { &REQUIRED_OF_SAMPLES };
        if let Some(role) = required.iter().find(|role| rules[role.index()].is_none()) {
            return Err(missing_field(*role, &schema, section.preset.as_deref()));
        }
        let timestamp = merged.fields.get(Role::Timestamp.word(&schema)).map(|field| field.table());
        let form = form(&merged)?;
        let conditions = |key: &str, texts: &[String]| {
            let one = |text: &String| {
                Condition::parse(text).map_err(|why| {
                    SourceFault::new(key, format!("the condition {text:?} {why}"))
                        .help("write it like 'kind == 2', 'name =~ \"^/upload\"' or 'error == null'")
                })
            };
            texts.iter().map(one).collect::<Result<Vec<_>, _>>()
        };
        let mut mapping = Self {
            name: section.preset.clone().unwrap_or_else(|| MAPPING.into()),
            form,
            decimal_comma: decimal_comma(&merged)?,
            keep: conditions("keep", &merged.keep)?,
            drop: conditions("drop", &merged.drop)?,
            kind,
            marks: timestamp.and_then(|table| table.marks).unwrap_or(marks),
            arms,
            schema,
            rules,
            slots: None,
            names_only_errors: false,
        };
        mapping.refuse_parents_of_a_line()?;
        let of_success = mapping.rule(Role::Success).map(Rule::paths).unwrap_or_default();
        let of_error = mapping.rule(Role::Error).map(Rule::paths).unwrap_or_default();
        mapping.names_only_errors = matches!(of_error.as_slice(), [path] if !of_success.contains(path));
        mapping.number_paths();
        Ok(mapping)
    }

    /// The preset that it comes from.
    pub fn preset(&self) -> Option<&str> {
        (self.name != MAPPING).then_some(&self.name)
    }

    /// Whether it reads stagegate's own format.
    pub fn is_own(&self) -> bool {
        self.name == presets::OWN
    }

    /// How a field is read, where it is.
    pub fn rule(&self, role: Role) -> Option<&Rule> {
        self.rules[role.index()].as_ref()
    }

    /// All of them hold for a row that is meant.
    pub fn keep(&self) -> &[Condition] {
        &self.keep
    }

    /// None of them holds for a row that is meant.
    pub fn dropped(&self) -> &[Condition] {
        &self.drop
    }

    /// Asks more of a row.
    pub fn keep_only(&mut self, conditions: &[Condition]) {
        self.keep.extend_from_slice(conditions);
        self.number_paths();
    }

    /// All paths that it reads.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        let of_rules = self.rules.iter().flatten().flat_map(Rule::paths);
        of_rules.chain(self.keep.iter().chain(&self.drop).map(|condition| &condition.path))
    }

    /// The paths of which one must be there for each thing that it reads; of conditions each.
    pub fn alternatives(&self) -> Vec<Vec<&Path>> {
        fn of_rule(rule: &Rule) -> Vec<Vec<&Path>> {
            match &rule.from {
                From::First(_) => vec![rule.paths()],
                _ => rule.paths().into_iter().map(|path| vec![path]).collect(),
            }
        }
        let conditions = self.keep.iter().chain(&self.drop).map(|condition| vec![&condition.path]);
        self.rules.iter().flatten().flat_map(of_rule).chain(conditions).collect()
    }

    /// The same for a table, whose rows have their columns' names, whatever form a text would have.
    pub fn of_table(self: Arc<Self>) -> Arc<Self> {
        match self.form {
            Form::Json { .. } => self,
            Form::Csv { .. } | Form::Pattern { .. } => {
                let mut mapping = Self { form: Form::Json { rows: None, unwrap: Vec::new() }, ..Self::clone(&self) };
                mapping.number_paths();
                Arc::new(mapping)
            }
        }
    }

    /// Whether it looks at a field of a row that has a name of its own, or may.
    pub fn looks_at(&self, field: &str) -> bool {
        let around: &[Path] = match &self.form {
            Form::Json { rows: Some(rows), .. } => std::slice::from_ref(rows),
            _ => &[],
        };
        let at = |path: &Path| match (path.origin, path.steps.first()) {
            // The name of a column may have dots, as a path has keys.
            (Origin::Row | Origin::Parent(_), Some(Step::Key(key))) => {
                field.strip_prefix(key.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            }
            (Origin::File, _) => false,
            _ => true,
        };
        field == EVENT_TYPE || self.is_own() || self.paths().chain(around).any(at)
    }

    /// The keys of what it reads of a row; `None` where its rows cannot be read by the layout of a log.
    pub fn slots(&self) -> Option<&[Vec<String>]> {
        self.slots.as_deref()
    }

    /// Whether the field of the error holds errors alone: a status code stands in every row, and is none of a success.
    pub fn names_only_errors(&self) -> bool {
        self.names_only_errors
    }

    fn number_paths(&mut self) {
        let lines = match &self.form {
            Form::Json { rows, unwrap } => rows.is_none() && unwrap.is_empty(),
            Form::Csv { .. } => true,
            Form::Pattern { .. } => false,
        };
        let of_row = |path: &Path| !matches!(path.origin, Origin::File | Origin::Line);
        self.slots = None;
        if !lines || self.paths().any(|path| of_row(path) && path.keys().is_none()) {
            return;
        }
        let mut slots = vec![vec![EVENT_TYPE.to_owned()]];
        let of_conditions = self.keep.iter_mut().chain(&mut self.drop).map(|condition| &mut condition.path);
        for path in self.rules.iter_mut().flatten().flat_map(Rule::paths_mut).chain(of_conditions) {
            let Some(keys) = path.keys() else { continue };
            let known = slots.iter().position(|known| *known == keys);
            path.slot = Some(known.unwrap_or_else(|| {
                slots.push(keys);
                slots.len() - 1
            }));
        }
        self.slots = Some(slots);
    }

    /// `^` leads out of a row, and there is nothing around a line.
    fn refuse_parents_of_a_line(&self) -> Result<(), SourceFault> {
        let levels = match &self.form {
            Form::Json { rows: Some(rows), .. } => rows.steps.iter().filter(|step| **step == Step::Each).count(),
            _ => 0,
        };
        let too_far = self.paths().find(|path| matches!(path.origin, Origin::Parent(up) if up > levels));
        too_far.map_or(Ok(()), |path| {
            let message =
                format!("the path {:?} leads out of the line: a row has {levels} objects around it", path.text);
            Err(SourceFault::new("rows", message).help("each [] of rows is one level"))
        })
    }
}

/// Moments that make a duration are of the timestamp's clock where nothing else is said of them.
fn same_clock(fields: &mut BTreeMap<String, FieldSection>, schema: &Schema) {
    let table = |role: Role| fields.get(role.word(schema)).map(|field| field.table().into_owned());
    let (Some(timestamp), Some(mut duration)) = (table(Role::Timestamp), table(Role::Duration)) else { return };
    if duration.minus.is_some() && duration.zone.is_none() && duration.format.is_none() {
        (duration.zone, duration.format) = (timestamp.zone, timestamp.format);
        fields.insert(Role::Duration.word(schema).to_owned(), FieldSection::Table(Box::new(duration)));
    }
}

/// Where `[record]` says that fields stand, in whatever format.
fn of_all_records(record: &RecordSection) -> Vec<(String, FieldSection)> {
    let in_unit = |field: &FieldSection, told_in: &str| {
        let mut table = field.table().into_owned();
        // What is declared in a unit is in it where nothing else is said.
        if table.unit.is_none() && ["ms", "MB"].contains(&told_in) {
            table.unit = Some(told_in.to_owned());
        }
        FieldSection::Table(Box::new(table))
    };
    let dimensions = record.dimensions.iter().filter_map(|dimension| {
        let told_in = dimension.unit.as_deref().unwrap_or_default();
        Some((dimension.name.clone(), in_unit(dimension.field.as_ref()?, told_in)))
    });
    let measures = record
        .measures
        .iter()
        .filter_map(|measure| Some((measure.name.clone(), in_unit(measure.field.as_ref()?, &measure.unit))));
    let arm = record.arms.field.iter().map(|field| ("arm".to_owned(), field.clone()));
    dimensions.chain(measures).chain(arm).collect()
}

fn missing_field(role: Role, schema: &Schema, preset: Option<&str>) -> SourceFault {
    let word = role.word(schema);
    let message = match preset {
        Some(preset) => format!("{word} is not known: the preset {preset} cannot say where it stands"),
        None => format!("{word} is missing in [sources.fields]"),
    };
    let help = match role {
        Role::Arm => {
            "write arm = \"a.path\", with the words of each arm in [record.arms], or a map: \
             arm = { path = \"a.path\", map = { canary = \"treated\" , stable = \"control\" } }"
        }
        Role::Duration => "write duration = { path = \"a.path\", unit = \"ms\" }",
        Role::Success => {
            "write success = \"a.path\", or success = { path = \"status\", map = { \"200..399\" = true }, default = false }"
        }
        Role::Measure(_) => "write memory = { path = \"a.path\", unit = \"B\" }",
        _ => "write timestamp = \"a.path\", with unit for a number, or format for a text that is not ISO 8601",
    };
    SourceFault { keys: vec!["fields".into()], message, help: Some(help.into()) }
}
