//! How the lines of a source become rows: JSON, CSV or a pattern, as the config says it.

use regex::Regex;

use super::matcher::pattern;
use super::path::{Origin, Path};
use super::rule::Fault;
use super::source::{Parse, SourceSection};

/// How lines become rows.
#[derive(Debug, Clone)]
pub enum Form {
    /// One JSON value a line.
    Json {
        /// Where its rows are; else the line is one.
        rows: Option<Path>,
        /// Texts that hold JSON.
        unwrap: Vec<Path>,
    },
    Csv {
        separator: u8,
        /// The names of the columns, where the file has no header.
        columns: Vec<String>,
        /// What the header's line begins with, where it is a comment; then other lines that begin with its first
        /// character are comments, too.
        header: Option<String>,
    },
    Pattern {
        /// It has a name for each field.
        pattern: Regex,
        /// Fields that hold JSON.
        unwrap: Vec<Path>,
    },
}

/// A fault of a source: the keys that lead to it, what is wrong, and what to do.
#[derive(Debug)]
pub struct SourceFault {
    pub keys: Vec<String>,
    pub message: String,
    pub help: Option<String>,
}

impl SourceFault {
    pub(super) fn new(key: &str, message: impl Into<String>) -> Self {
        Self { keys: vec![key.to_owned()], message: message.into(), help: None }
    }

    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    pub(super) fn of_field(name: &str, fault: Fault) -> Self {
        let keys = ["fields", name, fault.key].map(str::to_owned).to_vec();
        Self { keys, message: fault.message, help: fault.help }
    }
}

/// Most columns that a config may name.
const MAX_COLUMNS: usize = 1000;

/// Whether a comma stands before the decimals of a source's numbers.
pub(super) fn decimal_comma(section: &SourceSection) -> Result<bool, SourceFault> {
    match section.decimal.as_deref() {
        None | Some(".") => Ok(false),
        Some(",") if section.parse == Some(Parse::Csv) && section.separator.as_deref().unwrap_or(",") == "," => {
            Err(SourceFault::new("decimal", "a comma stands between the columns already")
                .help("give separator = \";\""))
        }
        Some(",") => Ok(true),
        Some(other) => {
            Err(SourceFault::new("decimal", format!("{other:?} stands before no decimals")).help("give \".\" or \",\""))
        }
    }
}

/// How the lines of a source become rows.
///
/// # Errors
/// What cannot be meant, with the keys where it stands.
pub fn form(section: &SourceSection) -> Result<Form, SourceFault> {
    let parse = section.parse.unwrap_or(Parse::Json);
    // The rows of a table are objects of JSON.
    let is_of = |of: &Parse| *of == parse || *of == Parse::Json && parse == Parse::Parquet;
    let name = match parse {
        Parse::Json => "json",
        Parse::Csv => "csv",
        Parse::Regex => "regex",
        Parse::Parquet => "parquet",
    };
    let misplaced = [
        ("rows", section.rows.is_some(), &[Parse::Json][..]),
        ("unwrap", !section.unwrap.is_empty(), &[Parse::Json, Parse::Regex]),
        ("pattern", section.pattern.is_some(), &[Parse::Regex]),
        ("separator", section.separator.is_some(), &[Parse::Csv]),
        ("columns", !section.columns.is_empty(), &[Parse::Csv]),
        ("header", section.header.is_some(), &[Parse::Csv]),
    ];
    if let Some((key, ..)) = misplaced.into_iter().find(|(_, given, of)| *given && !of.iter().any(is_of)) {
        return Err(SourceFault::new(key, format!("{key} says nothing of a source whose parse is {name}"))
            .help("parse is json, csv, regex or parquet"));
    }
    match parse {
        Parse::Json | Parse::Parquet => json(section),
        Parse::Csv => csv(section),
        Parse::Regex => {
            let text = section.pattern.as_deref().ok_or_else(|| {
                SourceFault::new("parse", "regex needs a pattern")
                    .help("write pattern = '^(?P<status>\\d+) …', with a name for each field")
            })?;
            let pattern = pattern(text).map_err(|why| SourceFault::new("pattern", why))?;
            if pattern.capture_names().flatten().next().is_none() {
                return Err(
                    SourceFault::new("pattern", "the pattern names no field").help("name a group: (?P<status>\\d+)")
                );
            }
            Ok(Form::Pattern { pattern, unwrap: unwrapped(section)? })
        }
    }
}

fn json(section: &SourceSection) -> Result<Form, SourceFault> {
    let rows = section.rows.as_ref().map(|text| path_in_line("rows", text)).transpose()?;
    Ok(Form::Json { rows, unwrap: unwrapped(section)? })
}

fn path_in_line(key: &str, text: &str) -> Result<Path, SourceFault> {
    let path = Path::parse(text).map_err(|why| SourceFault::new(key, format!("the path {text:?} {why}")))?;
    match path.origin {
        Origin::Row => Ok(path),
        _ => Err(SourceFault::new(key, format!("the path {text:?} must begin in the line"))),
    }
}

/// Where texts stand that hold JSON.
fn unwrapped(section: &SourceSection) -> Result<Vec<Path>, SourceFault> {
    let unwrap = section.unwrap.iter().map(|text| path_in_line("unwrap", text)).collect::<Result<Vec<_>, _>>()?;
    if let Some(list) = unwrap.iter().find(|path| path.is_list()) {
        return Err(SourceFault::new("unwrap", format!("the path {:?} stands for several texts", list.text)));
    }
    Ok(unwrap)
}

fn csv(section: &SourceSection) -> Result<Form, SourceFault> {
    let separator = match section.separator.as_deref().unwrap_or(",") {
        "tab" | "\t" => b'\t',
        one if one.len() == 1 && one.is_ascii() && !one.contains(['"', '\n', '\r']) => one.as_bytes()[0],
        other => {
            return Err(SourceFault::new("separator", format!("{other:?} cannot stand between columns"))
                .help("give one character such as \",\" or \";\", or \"tab\""));
        }
    };
    if section.columns.len() > MAX_COLUMNS {
        return Err(SourceFault::new("columns", format!("more than {MAX_COLUMNS} columns")));
    }
    if !section.columns.is_empty() && section.header.is_some() {
        return Err(SourceFault::new("header", "a file with a header names its columns itself: leave columns out"));
    }
    if section.header.as_deref() == Some("") {
        return Err(
            SourceFault::new("header", "the header begins with nothing").help("leave it out for a plain header")
        );
    }
    Ok(Form::Csv { separator, columns: section.columns.clone(), header: section.header.clone() })
}
