//! `[record]`: what one row of the log is called, along which dimensions it is told apart, and what was measured of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arms::ArmsSection;
use super::source::FieldSection;
use super::tries::Tries;
use crate::format;
use crate::metric::Better;
use crate::zone::Zone;

/// Most dimensions of a record, those of the own format among them.
pub const MAX_DIMENSIONS: usize = 8;
/// Most measures of a record, memory among them.
pub const MAX_MEASURES: usize = 8;
/// Most bounds of a dimension: with "above the last" and "unknown" they stay few enough to be read.
pub const MAX_BOUNDS: usize = 14;
/// Longest name of a dimension or measure, in bytes.
const MAX_NAME: usize = 40;

/// What a missing value is called.
pub const UNKNOWN: &str = "unknown";

/// Positions of the dimensions and of the measure that stagegate's own format has.
pub const PROVIDER: usize = 0;
pub const FILE_TYPE: usize = 1;
pub const SIZE: usize = 2;
pub const MEMORY: usize = 0;

/// `[record]`: what a row of the log is.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a table of the record")]
pub struct RecordSection {
    /// What one row is called, and several: every sentence and unit uses it.
    pub noun: (String, String),
    /// Which words stand for which arm, and how people call the arms.
    pub arms: ArmsSection,
    /// Which rows count of a request that was tried several times under one id.
    pub tries: Tries,
    /// Dimensions beside provider, file_type and size; one of these names changes that one.
    pub dimensions: Vec<DimensionSection>,
    /// Measures beside memory.
    pub measures: Vec<MeasureSection>,
}

impl Default for RecordSection {
    fn default() -> Self {
        Self {
            noun: ("upload".into(), "uploads".into()),
            arms: ArmsSection::default(),
            tries: Tries::default(),
            dimensions: Vec::new(),
            measures: Vec::new(),
        }
    }
}

/// `[[record.dimensions]]`: what records are told apart by.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a dimension: name and field")]
pub struct DimensionSection {
    /// Small letters, digits and `_`.
    pub name: String,
    /// Where it stands in a row; else where the source says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<FieldSection>,
    /// Of a number: upper bounds of its buckets, rising; at most 14.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bounds: Vec<f64>,
    /// Of a number: its unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Names that are never absorbed into `other`, however many there are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expected: Vec<String>,
}

/// `[[record.measures]]`: a number that a record carries.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a measure: name, field, unit and better")]
pub struct MeasureSection {
    /// Small letters, digits and `_`; its metrics are called after it.
    pub name: String,
    /// Where it stands in a row; else where the source says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<FieldSection>,
    /// What its numbers are told in.
    pub unit: String,
    /// Which way it gets better.
    pub better: Better,
}

impl Default for MeasureSection {
    fn default() -> Self {
        Self { name: String::new(), field: None, unit: String::new(), better: Better::Lower }
    }
}

/// How people call one record, several, and the two ways.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Words {
    pub one: String,
    pub many: String,
    /// The old way.
    pub control: String,
    /// The new way.
    pub treated: String,
    /// In which zone times are told.
    #[serde(default)]
    pub timezone: Zone,
}

impl Default for Words {
    /// Those of stagegate's own format.
    fn default() -> Self {
        let timezone = Zone::default();
        Self { one: "upload".into(), many: "uploads".into(), control: "sync".into(), treated: "async".into(), timezone }
    }
}

impl Words {
    /// A count with its noun: `1 upload`, `2 uploads`.
    pub fn counted(&self, count: u64) -> String {
        format!("{} {}", format::count(count), self.noun(count))
    }

    /// A count of such records: `1 failed upload`, `2 failed uploads`.
    pub fn counted_as(&self, count: u64, which: &str) -> String {
        format!("{} {which} {}", format::count(count), self.noun(count))
    }

    /// The noun behind a number.
    pub fn noun(&self, count: u64) -> &str {
        if count == 1 { &self.one } else { &self.many }
    }

    /// An RFC 3339 time: `12 Nov 2025, 08:15 UTC`.
    pub fn date_time(&self, rfc3339: &str) -> String {
        self.timezone.date_time(rfc3339)
    }

    /// From and to, in RFC 3339: `12 Nov 2025, 08:15 to 09:00 UTC`.
    pub fn period(&self, from: &str, to: &str) -> String {
        self.timezone.period(from, to)
    }

    /// Several, at the head of a column or sentence: `Uploads`.
    pub fn heading(&self) -> String {
        format::capitalised(&self.many)
    }

    /// The title of a report that its config does not name.
    pub fn title(&self) -> String {
        format!("{} {} rollout, final report", format::capitalised(&self.treated), self.one)
    }
}

/// What a value of a dimension is.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// A name.
    Names,
    /// A number in one of the buckets that end at the bounds.
    Bounds(Vec<f64>),
}

/// A dimension of the records.
#[derive(Debug, Clone, PartialEq)]
pub struct Dimension {
    pub name: String,
    pub values: Values,
    /// The unit of its numbers; empty for names, and for numbers without one.
    pub unit: String,
    /// Names that the config lists.
    pub expected: Vec<String>,
}

impl Dimension {
    /// As headings show it: `File type`.
    pub fn label(&self) -> String {
        format::capitalised(&self.name.replace('_', " "))
    }

    /// What a bucket is called: `<=1`, `1-10`, … `>100`, `unknown`.
    pub fn bucket_name(bounds: &[f64], bucket: usize) -> String {
        let end = |index: usize| format::plain(bounds[index]);
        match bucket {
            _ if bucket > bounds.len() || bounds.is_empty() => UNKNOWN.into(),
            0 => format!("<={}", end(0)),
            above if above == bounds.len() => format!(">{}", end(above - 1)),
            between => format!("{}-{}", end(between - 1), end(between)),
        }
    }

    /// The number of the first bound that is not below the value; then "above the last", then "unknown".
    pub fn bucket(bounds: &[f64], value: Option<f64>) -> usize {
        match value {
            Some(value) => bounds.iter().position(|bound| value <= *bound).unwrap_or(bounds.len()),
            None => bounds.len() + 1,
        }
    }
}

/// A measure of the records.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    pub name: String,
    pub unit: String,
    pub better: Better,
}

impl Measure {
    /// As headings show it.
    pub fn label(&self) -> String {
        format::capitalised(&self.name.replace('_', " "))
    }

    /// In a sentence.
    pub fn text(&self) -> String {
        self.name.replace('_', " ")
    }
}

/// What the records of a log are: the dimensions and measures of stagegate's own format, and those of the config.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    pub words: Words,
    pub tries: Tries,
    pub dimensions: Vec<Dimension>,
    pub measures: Vec<Measure>,
}

/// A fault of `[record]`: the keys and list positions that lead to it, what is wrong, and what to do.
#[derive(Debug)]
pub struct RecordFault {
    /// `dimensions` or `measures` with the number of the entry, or another key.
    pub place: (&'static str, Option<usize>),
    pub message: String,
    pub help: Option<&'static str>,
}

impl Schema {
    /// The schema of a config. `providers` and `file_types` are names that it lists elsewhere, `size_bounds_mb` the
    /// bounds of the sizes.
    ///
    /// # Errors
    /// What cannot be meant.
    pub fn new(
        record: &RecordSection,
        providers: &[String],
        file_types: &[String],
        size_bounds_mb: &[f64],
    ) -> Result<Self, RecordFault> {
        let names = |name: &str, expected: &[String]| Dimension {
            name: name.into(),
            values: Values::Names,
            unit: String::new(),
            expected: expected.to_vec(),
        };
        let mut dimensions = vec![
            names("provider", providers),
            names("file_type", file_types),
            Dimension {
                name: "size".into(),
                values: Values::Bounds(size_bounds_mb.to_vec()),
                unit: "MB".into(),
                expected: Vec::new(),
            },
        ];
        for (index, section) in record.dimensions.iter().enumerate() {
            let fault = |message: String, help| RecordFault { place: ("dimensions", Some(index)), message, help };
            check_name(&section.name).map_err(|message| fault(message, Some(NAMES)))?;
            check_bounds(&section.bounds).map_err(|message| fault(message, None))?;
            let values = if section.bounds.is_empty() { Values::Names } else { Values::Bounds(section.bounds.clone()) };
            let own = dimensions.iter_mut().take(SIZE + 1).find(|known| known.name == section.name);
            if let Some(own) = own {
                // stagegate's own format has a number or a name there.
                if section.unit.as_ref().is_some_and(|unit| *unit != own.unit) {
                    return Err(fault(format!("{} is told in {:?}", own.name, own.unit), None));
                }
                match (&own.values, &values) {
                    (Values::Bounds(_), Values::Bounds(_)) => own.values = values,
                    (Values::Names, Values::Bounds(_)) => {
                        return Err(fault(format!("{} is a name: it has no bounds", own.name), None));
                    }
                    _ => {}
                }
                own.expected.extend(section.expected.iter().cloned());
                continue;
            }
            if dimensions.iter().any(|known| known.name == section.name) {
                return Err(fault(format!("two dimensions are called {:?}", section.name), None));
            }
            dimensions.push(Dimension {
                name: section.name.clone(),
                values,
                unit: section.unit.clone().unwrap_or_default(),
                expected: section.expected.clone(),
            });
        }
        let mut measures = vec![Measure { name: "memory".into(), unit: "MB".into(), better: Better::Lower }];
        for (index, section) in record.measures.iter().enumerate() {
            let fault = |message: String, help| RecordFault { place: ("measures", Some(index)), message, help };
            check_name(&section.name).map_err(|message| fault(message, Some(NAMES)))?;
            let taken =
                measures.iter().skip(1).map(|known| &known.name).chain(dimensions.iter().map(|known| &known.name));
            if taken.into_iter().any(|known| *known == section.name) {
                return Err(fault(format!("two dimensions or measures are called {:?}", section.name), None));
            }
            if section.name == measures[MEMORY].name {
                if section.unit != measures[MEMORY].unit || section.better != Better::Lower {
                    return Err(fault("memory is told in MB, and gets better when lower".into(), None));
                }
                continue;
            }
            measures.push(Measure { name: section.name.clone(), unit: section.unit.clone(), better: section.better });
        }
        for (what, count, most) in
            [("dimensions", dimensions.len(), MAX_DIMENSIONS), ("measures", measures.len(), MAX_MEASURES)]
        {
            if count > most {
                let message = format!("{count} {what}, those of the own format among them; at most {most}");
                return Err(RecordFault { place: (what, None), message, help: None });
            }
        }
        Ok(Self { words: words(record)?, tries: record.tries, dimensions, measures })
    }

    /// The position of the dimension with this name.
    pub fn dimension(&self, name: &str) -> Option<usize> {
        self.dimensions.iter().position(|dimension| dimension.name == name)
    }

    /// The position of the measure with this name.
    pub fn measure(&self, name: &str) -> Option<usize> {
        self.measures.iter().position(|measure| measure.name == name)
    }

    /// The bounds of the sizes.
    pub fn size_bounds(&self) -> &[f64] {
        match &self.dimensions[SIZE].values {
            Values::Bounds(bounds) => bounds,
            Values::Names => &[],
        }
    }
}

impl Default for Schema {
    /// That of stagegate's own format.
    fn default() -> Self {
        Self::new(&RecordSection::default(), &[], &[], &[1.0, 10.0, 50.0, 100.0]).expect("the own format is a schema")
    }
}

const NAMES: &str = "use small letters, digits and _, such as cost_usd";

/// Names that stand for something else where fields are named.
const TAKEN: [&str; 15] = [
    "timestamp",
    "duration",
    "success",
    "error",
    "arm",
    "fallback",
    "stage",
    "id",
    "weight",
    "hour",
    "minute",
    "metric",
    "latency",
    "n",
    "success_rate",
];

fn check_name(name: &str) -> Result<(), String> {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    if !starts || name.len() > MAX_NAME || !name.chars().all(is_word) {
        return Err(format!("{name:?} is no name of a dimension or measure"));
    }
    if TAKEN.contains(&name) {
        return Err(format!("{name:?} means something else: give it another name"));
    }
    Ok(())
}

fn check_bounds(bounds: &[f64]) -> Result<(), String> {
    if bounds.len() > MAX_BOUNDS {
        return Err(format!("{} bounds; at most {MAX_BOUNDS}", bounds.len()));
    }
    let rising = bounds.windows(2).all(|pair| pair[0] < pair[1]);
    if !rising || !bounds.iter().all(|bound| bound.is_finite() && *bound > 0.0) {
        return Err("bounds must be positive and rising".into());
    }
    Ok(())
}

fn words(record: &RecordSection) -> Result<Words, RecordFault> {
    let (one, many) = &record.noun;
    let [control, treated] = record.arms.called();
    let words =
        Words { one: one.trim().to_owned(), many: many.trim().to_owned(), control, treated, timezone: Zone::default() };
    let fine = |word: &str| !word.is_empty() && word.len() <= MAX_NAME && !word.contains(char::is_control);
    let fault = |key, message: String| Err(RecordFault { place: (key, None), message, help: None });
    if ![&words.one, &words.many].iter().all(|word| fine(word) && word.chars().any(|c| c.is_ascii_alphanumeric())) {
        return fault(
            "noun",
            format!("[{one:?}, {many:?}] is no noun: give one and several, such as [\"job\", \"jobs\"]"),
        );
    }
    if ![&words.control, &words.treated].iter().all(|word| fine(word)) || words.control == words.treated {
        return fault("arms", format!("{:?} and {:?} do not name two arms", words.control, words.treated));
    }
    Ok(words)
}
