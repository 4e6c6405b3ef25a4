//! A log of which not one line can be used: what it is, and what to do about it.

use super::ledger::FileLedger;
use super::recognise::{aggregated, recognise};
use super::source::{self, Source};
use super::survey::survey;
use crate::error::{Error, Position};
use crate::schema::mapping::{Form, Mapping};
use crate::schema::presets;

/// Keys of a line that are named.
const KEYS_NAMED: usize = 12;
/// What an upload cannot do without.
const REQUIRED: [&str; 4] = ["execution_type", "success", "duration_ms", "timestamp"];

/// What a file is, and what to do about it.
struct Kind {
    what: String,
    help: String,
}

impl Kind {
    fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { what: what.into(), help: help.into() }
    }

    fn error(self, source: &Source) -> Error {
        Error::new(self.what).at(Position::file(&source.name)).help(self.help)
    }
}

/// The error of a run in whose logs no upload was found.
pub fn error(sources: &[Source], files: &[FileLedger]) -> Error {
    let Some(file) = files.iter().find(|file| file.rejected_total() > 0) else { return without_rejects(files) };
    let kind = sources.iter().find(|source| source.name == file.path).and_then(|source| {
        let head = source::head(source);
        packed(&file.path, &head).or_else(|| match source.mapping.as_deref() {
            Some(mapping) => {
                let is_json = matches!(mapping.form, Form::Json { .. });
                let kind = is_json.then(|| json_of_lines(&file.path, &head, TO_ROWS)).flatten();
                Some(kind.unwrap_or_else(|| mapped(mapping)))
            }
            None => sums(&head).or_else(|| of_preset(source, &file.path, &head)).or_else(|| text(&file.path, &head)),
        })
    });
    let first = file.examples.iter().min_by_key(|example| example.line);
    let why = first.map_or_else(String::new, |example| {
        let place = Position { file: file.path.clone(), line: Some(example.line), column: example.column };
        format!("; {place} was rejected: {}", example.message)
    });
    let kind =
        kind.unwrap_or_else(|| Kind::new("no log that stagegate knows", "docs/formats.md shows what a line holds"));
    let position = Position { file: file.path.clone(), line: first.map(|example| example.line), column: None };
    let count = file.rejected_total();
    let message = match count {
        1 => format!("its one line cannot be used: {}{why}", kind.what),
        _ => format!("not one of {} lines can be used: {}{why}", crate::format::count(count), kind.what),
    };
    Error::new(message).at(position).help(kind.help)
}

/// Nothing was rejected: there was nothing, or nothing but events.
fn without_rejects(files: &[FileLedger]) -> Error {
    if let Some((file, loss)) = files.iter().find_map(|file| Some((file, file.loss.as_ref()?))) {
        return Error::new(loss.clone()).at(Position::file(&file.path)).help("pack the log again, or give another");
    }
    let names: Vec<&str> = files.iter().map(|file| file.path.as_str()).take(KEYS_NAMED).collect();
    let others: u64 = files.iter().map(|file| file.other_rows).sum();
    if others > 0 {
        let message = format!("{} and no upload in {}", crate::format::counted(others, "other row"), names.join(", "));
        return Error::new(message)
            .help("the conditions in keep and drop leave every row out: `stagegate inspect` shows them");
    }
    let events: u64 = files.iter().map(|file| file.events).sum();
    if events == 0 {
        return Error::new(format!(
            "nothing to read: {} {} empty",
            names.join(", "),
            crate::format::are(names.len() as u64)
        ))
        .help("look whether this is the log's name, and whether the service has written to it");
    }
    let message = format!("{} and no upload in {}", crate::format::counted(events, "event"), names.join(", "));
    Error::new(message).help("give the files that hold the uploads, too")
}

/// A log that the config reads in another way than it is written.
fn mapped(mapping: &Mapping) -> Kind {
    let how = match mapping.preset() {
        None => "the mapping of [[sources]] does not fit it".to_owned(),
        Some(preset) => format!("it does not fit the preset {preset}"),
    };
    Kind::new(how, "`stagegate inspect` shows rows beside what became of each")
}

/// An export of sums.
fn sums(head: &[u8]) -> Option<Kind> {
    let (what, way) = aggregated(head)?;
    Some(Kind::new(format!("it is {what}: sums, and not one row for each request"), way))
}

/// A format that a preset reads, and the question that is left.
fn of_preset(source: &Source, name: &str, head: &[u8]) -> Option<Kind> {
    let found = recognise(head).filter(|found| found.name != presets::OWN)?;
    let survey = survey(head, &source::later_lines(source));
    let values = |path: &String| {
        let field = survey.as_ref()?.fields.get(path)?;
        let few = (2..=12).contains(&field.values.len()) && !field.many_values;
        few.then(|| {
            let counts = field
                .by_frequency()
                .into_iter()
                .map(|(value, count)| format!("{value} {}", crate::format::count(count as u64)));
            format!("{path} ({})", counts.collect::<Vec<_>>().join(", "))
        })
    };
    let candidates: Vec<String> = found.preset.arms.iter().filter_map(values).collect();
    let arm = match candidates.as_slice() {
        [] => "it asks which field says the arm".to_owned(),
        fields => format!("it asks whether the arm is {}", fields.join(" or ")),
    };
    let what = format!("{} of its first {} rows are of the preset {}", found.fits, found.of, found.name);
    Some(Kind::new(what, format!("`stagegate init {name}` writes a rollout.toml that reads it; {arm}")))
}

/// What a file is that holds no rows: packed in a way that is not read, or sums.
pub fn of_head(source: &Source, head: &[u8]) -> Option<Error> {
    packed(&source.name, head).or_else(|| sums(head)).map(|kind| kind.error(source))
}

/// What a file is whose JSON does not stand in lines.
pub fn without_lines(source: &Source, head: &[u8]) -> Option<Error> {
    json_of_lines(&source.name, head, TO_ROWS).map(|kind| kind.error(source))
}

/// Where lines go that a mapping reads by the name of their file, and lines of the own format.
const TO_ROWS: &str = "> rows.jsonl makes lines of it";
const TO_CHECK: &str = "| stagegate check -";

/// By the first bytes, what is no text in UTF-8.
fn packed(name: &str, head: &[u8]) -> Option<Kind> {
    let to_check = |command: &str| format!("{command} {name} {TO_CHECK}");
    let known: [(&[u8], &str, &str); 6] = [
        (b"\xfd7zXZ\0", "it is packed with xz", "xz -dc"),
        (b"BZh", "it is packed with bzip2", "bzip2 -dc"),
        (b"\x04\x22\x4d\x18", "it is packed with lz4", "lz4 -dc"),
        (b"PK\x03\x04", "it is a .zip archive", "unzip -p"),
        (b"\xff\xfe", "it is text in UTF-16", "iconv -f utf-16 -t utf-8"),
        (b"\xfe\xff", "it is text in UTF-16", "iconv -f utf-16 -t utf-8"),
    ];
    let found = known.iter().find(|(magic, ..)| head.starts_with(magic));
    if let Some((_, what, command)) = found {
        return Some(Kind::new(*what, to_check(command)));
    }
    if head.starts_with(b"PARE") {
        return Some(Kind::new("it is a Parquet file with an encrypted footer", "write its rows without encryption"));
    }
    // Text in UTF-16 without a mark: every other byte of plain words is 0.
    let start = &head[..head.len().min(64)];
    let every_other = |first: usize| start.len() > 8 && start.iter().skip(first).step_by(2).all(|byte| *byte == 0);
    (every_other(0) || every_other(1)).then(|| {
        Kind::new(
            "it is text in UTF-16",
            to_check(if every_other(1) { "iconv -f utf-16le -t utf-8" } else { "iconv -f utf-16be -t utf-8" }),
        )
    })
}

/// The first line of a text that is not blank.
fn first_line(head: &str) -> Option<&str> {
    head.trim_start_matches('\u{feff}').trim_start().lines().next().map(str::trim)
}

type Object = serde_json::Map<String, serde_json::Value>;

/// JSON that is not one object a line, and what makes lines of it, which go `to`.
fn json_of_lines(name: &str, head: &[u8], to: &str) -> Option<Kind> {
    let head = String::from_utf8_lossy(head);
    let first = first_line(&head)?;
    let to_lines = |rows: &str| format!("jq -c {rows} {name} {to}");
    if first.starts_with('[') {
        return Some(Kind::new("it is one JSON array", to_lines("'.[]'")));
    }
    let is_cut = first.starts_with('{') && serde_json::from_str::<Object>(first).is_err_and(|error| error.is_eof());
    is_cut.then(|| Kind::new("its JSON objects go over several lines", to_lines(".")))
}

/// By its first line, a text of another form.
fn text(name: &str, head: &[u8]) -> Option<Kind> {
    if let Some(kind) = json_of_lines(name, head, TO_CHECK) {
        return Some(kind);
    }
    let head = String::from_utf8_lossy(head);
    let first = first_line(&head)?;
    if first.starts_with('{') {
        return serde_json::from_str::<Object>(first).ok().map(|object| other_fields(name, &object));
    }
    let separator = [',', ';', '\t'].into_iter().max_by_key(|separator| first.matches(*separator).count())?;
    let columns: Vec<&str> = first.split(separator).map(str::trim).collect();
    (columns.len() > 2).then(|| {
        let columns: Vec<String> = columns.iter().map(|column| super::reject::cut(column)).collect();
        let what = format!("it looks like CSV with the columns {}", named(columns.iter().map(String::as_str)));
        Kind::new(what, format!("`stagegate init {name}` proposes a rollout.toml that reads it"))
    })
}

/// A line of JSON that another program wrote.
fn other_fields(name: &str, object: &serde_json::Map<String, serde_json::Value>) -> Kind {
    let help = format!("`stagegate init {name}` proposes a rollout.toml that reads it");
    let missing: Vec<&str> = REQUIRED.into_iter().filter(|key| !object.contains_key(*key)).collect();
    let found = named(object.keys().map(String::as_str));
    if missing.is_empty() {
        return Kind::new(format!("it has the fields {found}, with other values than stagegate knows"), help);
    }
    let are = crate::format::are(missing.len() as u64);
    Kind::new(format!("{} {are} missing; found {found}", missing.join(", ")), help)
}

/// The first names of a line, as far as they fit.
fn named<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<String> = names.map(super::reject::cut).take(KEYS_NAMED + 1).collect();
    if names.len() > KEYS_NAMED {
        names[KEYS_NAMED] = "…".into();
    }
    names.join(", ")
}
