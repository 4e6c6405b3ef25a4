//! Lines of a source with a mapping -> its rows: objects in JSON, columns of CSV, fields of a pattern.

use std::borrow::Cow;

use csv::{ByteRecord, ReaderBuilder};
use regex::Regex;

use super::mapped::{self, Row};
use super::native::{self, Line};
use super::node::{self, Node};
use super::reject::{Reject, RejectReason};
use crate::schema::mapping::{Form, Mapping};
use crate::schema::path::{Origin, Path, Step};
use crate::schema::presets;

/// What a line, or a record of several lines, holds.
pub enum Found<'r> {
    /// A row that the mapping reads.
    Row(Row<'r>),
    /// An event of stagegate's own format, between the rows of a JSON log.
    Event(Row<'r>, native::Event),
    Reject(Reject),
    /// A line without a row: a header, a comment.
    Nothing,
}

/// Events that a log of another format may hold.
const EVENTS: [&str; 6] = ["rollout_stage", "rollback", "memory_sample", "complaint", "critical_error", "simulation"];

/// Calls `each` with what a line of text holds; of CSV see [`records`].
pub fn each_row(mapping: &Mapping, file: &str, line: &str, mut each: impl FnMut(Found<'_>)) {
    match &mapping.form {
        Form::Json { rows, unwrap } => json_rows(mapping, (rows.as_ref(), unwrap), file, line, &mut each),
        Form::Pattern(pattern) => match pattern_row(pattern, line) {
            Some(node) => each(Found::Row(Row { node: &node, around: &[], file, line })),
            // What no pattern fits may be dropped by its text.
            None => {
                let row = Row { node: &Node::Null, around: &[], file, line };
                let dropped = mapping
                    .drop
                    .iter()
                    .any(|condition| condition.path.origin == Origin::Line && condition.holds(Some(line)));
                match dropped {
                    true => each(Found::Row(row)),
                    false => each(Found::Reject(Reject::whole_line(
                        RejectReason::Malformed,
                        "the line does not fit the source's pattern",
                    ))),
                }
            }
        },
        Form::Csv { .. } => each(Found::Nothing),
    }
}

fn json_rows(
    mapping: &Mapping,
    (rows, unwrap): (Option<&Path>, &[Path]),
    file: &str,
    line: &str,
    each: &mut impl FnMut(Found<'_>),
) {
    let text = line.trim_start_matches(native::BEFORE_A_LINE);
    let mut node = match node::parse(text) {
        Ok(node) => node,
        Err(fault) => {
            let offset = fault.offset + line.len() - text.len();
            let message = format!("expected {}", fault.expected);
            return each(Found::Reject(Reject::at(RejectReason::NotJson, line.as_bytes(), offset, message)));
        }
    };
    unwrap.iter().for_each(|path| node.unwrap_at(&path.steps));
    let whole = Row { node: &node, around: &[], file, line };
    match native_event(mapping, &node, text) {
        Some(Ok(event)) => return each(Found::Event(whole, event)),
        Some(Err(reject)) => return each(Found::Reject(reject)),
        None => {}
    }
    let Some(rows) = rows else {
        // A list is a row where the mapping asks for its items.
        let by_index = |path: &Path| path.origin == Origin::Row && matches!(path.steps.first(), Some(Step::Index(_)));
        return match &node {
            Node::Object(_) => each(Found::Row(whole)),
            Node::List(_) if mapping.paths().any(by_index) => each(Found::Row(whole)),
            _ => each(Found::Reject(Reject::whole_line(
                RejectReason::NotAnObject,
                "the line is JSON, but not an object",
            ))),
        };
    };
    let mut found = 0_u64;
    node.each_row(&rows.steps, &mut Vec::new(), &mut |row, around| {
        found += 1;
        each(Found::Row(Row { node: row, around, file, line }));
    });
    if found == 0 {
        each(Found::Nothing);
    }
}

/// The event of stagegate's own format that a line is.
fn native_event(mapping: &Mapping, node: &Node<'_>, line: &str) -> Option<Result<native::Event, Reject>> {
    let Node::Object(fields) = node else { return None };
    let (_, kind) = fields.iter().rev().find(|(key, _)| key == "event_type")?;
    // In a log of another format the word may stand in every row.
    let own = mapping.name == presets::OWN;
    let known = matches!(kind, Node::Text(word) if own || EVENTS.contains(&&**word));
    known.then(|| match native::parse_line(line)? {
        Line::Event(event) => Ok(event),
        Line::Upload(_) => Err(Reject::whole_line(RejectReason::BadValue, "event_type is not a string")),
    })
}

/// Whether a line holds an event that the source's conditions keep.
pub fn has_event(mapping: &Mapping, file: &str, line: &str) -> bool {
    let mut meant = false;
    each_row(mapping, file, line, |found| {
        if let Found::Event(row, _) = found {
            meant = mapped::event_is_meant(mapping, row);
        }
    });
    meant
}

fn pattern_row<'r>(pattern: &'r Regex, line: &'r str) -> Option<Node<'r>> {
    let captures = pattern.captures(line)?;
    let fields = pattern.capture_names().flatten().filter_map(|name| {
        // A group that took no part has no value.
        captures.name(name).map(|group| (name, Cow::Borrowed(group.as_str())))
    });
    Some(Node::of_columns(fields))
}

/// The names of a CSV file's columns.
pub type Columns = Vec<String>;

/// The columns of a file whose first bytes are `head`; none where there is no header in them.
pub fn columns_of(form: &Form, head: &[u8]) -> Columns {
    let Form::Csv { separator, columns, header } = form else { return Vec::new() };
    if !columns.is_empty() {
        return columns.clone();
    }
    let text = String::from_utf8_lossy(head);
    let text = text.trim_start_matches(native::BEFORE_A_LINE);
    if let Some(mark) = header {
        let names = text.lines().find_map(|line| line.strip_prefix(mark.as_str()));
        return names.map(|names| names.split_whitespace().map(str::to_owned).collect()).unwrap_or_default();
    }
    let mut record = ByteRecord::new();
    let mut reader =
        ReaderBuilder::new().delimiter(*separator).has_headers(false).flexible(true).from_reader(text.as_bytes());
    match reader.read_byte_record(&mut record) {
        Ok(true) => record.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect(),
        _ => Vec::new(),
    }
}

/// A record of CSV.
pub struct Record<'r> {
    /// The lines that it takes.
    pub lines: u64,
    pub text: &'r str,
}

/// Calls `each` with what each record of `part` holds; `columns` name its fields. `part` begins and ends with whole
/// records.
pub fn records(
    mapping: &Mapping,
    columns: &[String],
    file: &str,
    part: &[u8],
    mut each: impl FnMut(Record<'_>, Found<'_>),
) {
    let Form::Csv { separator, header, .. } = &mapping.form else { return };
    let comment = header.as_ref().and_then(|mark| mark.chars().next());
    let mut start = 0;
    for end in ends(part, *separator, &mut Quoting::default()).chain([part.len()]) {
        if end <= start {
            continue;
        }
        let bytes = &part[start..end];
        start = end;
        let trimmed = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let trimmed = trimmed.strip_suffix(b"\r").unwrap_or(trimmed);
        let lines = memchr::memchr_iter(b'\n', trimmed).count() as u64 + 1;
        if trimmed.iter().all(u8::is_ascii_whitespace) {
            each(Record { lines, text: "" }, Found::Nothing);
            continue;
        }
        let lossy = String::from_utf8_lossy(trimmed);
        let record = Record { lines, text: &lossy };
        if let Err(error) = std::str::from_utf8(trimmed) {
            each(record, Found::Reject(Reject::not_utf8(trimmed, error)));
            continue;
        }
        let text = lossy.trim_start_matches(native::BEFORE_A_LINE);
        if comment.is_some_and(|mark| text.starts_with(mark)) {
            each(record, Found::Nothing);
            continue;
        }
        match fields(*separator, columns, text) {
            Ok(None) => each(record, Found::Nothing),
            Ok(Some(node)) => {
                let line = lossy.clone();
                each(record, Found::Row(Row { node: &node, around: &[], file, line: &line }));
            }
            Err(reject) => each(record, Found::Reject(reject)),
        }
    }
}

/// The fields of one record; `None` for a header.
fn fields<'r>(separator: u8, columns: &'r [String], text: &str) -> Result<Option<Node<'r>>, Reject> {
    let malformed = |message: String| Err(Reject::whole_line(RejectReason::Malformed, message));
    let mut record = csv::StringRecord::new();
    let mut reader =
        ReaderBuilder::new().delimiter(separator).has_headers(false).flexible(true).from_reader(text.as_bytes());
    if !matches!(reader.read_record(&mut record), Ok(true)) {
        return malformed("the line is no record of CSV".into());
    }
    // Files that were put behind one another have a header each.
    if record.iter().map(str::trim).eq(columns.iter().map(String::as_str)) {
        return Ok(None);
    }
    if columns.is_empty() {
        return malformed("the file has no header that names its columns: give columns or header".into());
    }
    if record.len() != columns.len() {
        return malformed(format!("{} columns, where the header has {}", record.len(), columns.len()));
    }
    let values = columns.iter().zip(record.iter()).filter(|(_, value)| !value.is_empty());
    Ok(Some(Node::of_columns(values.map(|(name, value)| (name.as_str(), Cow::Owned(value.to_owned()))))))
}

/// Whether a reader of CSV is between quotes.
#[derive(Debug, Clone, Copy)]
pub struct Quoting {
    inside: bool,
    /// The byte before.
    before: u8,
}

impl Default for Quoting {
    fn default() -> Self {
        Self { inside: false, before: b'\n' }
    }
}

/// Where the records of `bytes` end, behind their newlines; `quoting` is what holds before, and then after them. A
/// newline between quotes ends none; a quote opens them at the beginning of a field alone.
pub fn ends<'b>(bytes: &'b [u8], separator: u8, quoting: &'b mut Quoting) -> impl Iterator<Item = usize> + 'b {
    let mut marks = memchr::memchr2_iter(b'"', b'\n', bytes);
    // The byte behind a closed pair of quotes: a quote there opens it again.
    let mut closed = None;
    std::iter::from_fn(move || {
        for at in marks.by_ref() {
            let before = at.checked_sub(1).map_or(quoting.before, |before| bytes[before]);
            match (bytes[at], quoting.inside) {
                (b'"', true) => (quoting.inside, closed) = (false, Some(at + 1)),
                (b'"', false) => {
                    quoting.inside =
                        before == separator || before == b'\n' || closed == Some(at) || at == 0 && before == b'"';
                }
                (_, false) => return Some(at + 1),
                (_, true) => {}
            }
        }
        quoting.before = bytes.last().copied().unwrap_or(quoting.before);
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        let mut quoting = Quoting::default();
        let ends: Vec<usize> = ends(text.as_bytes(), b',', &mut quoting).collect();
        let mut start = 0;
        let mut records: Vec<&str> = ends.iter().map(|end| &text[std::mem::replace(&mut start, *end)..*end]).collect();
        records.extend((start < text.len()).then_some(&text[start..]));
        records
    }

    #[test]
    fn newlines_between_quotes_end_no_record() {
        assert_eq!(split("a,b\n1,\"x\ny\"\n2,z\n"), ["a,b\n", "1,\"x\ny\"\n", "2,z\n"]);
        assert_eq!(split("1,\"a \"\"b\"\"\n c\"\n2,x"), ["1,\"a \"\"b\"\"\n c\"\n", "2,x"]);
        // A quote in the middle of a field is a character.
        assert_eq!(split("1,5\" disk\n2,x\n"), ["1,5\" disk\n", "2,x\n"]);
    }

    /// However the bytes are cut, the records are those that the csv crate finds.
    #[test]
    fn records_are_those_of_the_csv_crate() {
        let alphabet = ["a", "\"", ",", "\n", "\"\"", ",\"", "\",", "\"\n"];
        bolero::check!().with_type::<Vec<u8>>().with_iterations(3000).for_each(|picks| {
            let text: String = picks.iter().map(|pick| alphabet[usize::from(*pick) % alphabet.len()]).collect();
            // What stands behind a closing quote is where readers of CSV differ: the crate takes it for a part of the field.
            let odd = text.as_bytes().windows(2).any(|pair| pair[0] == b'"' && pair[1] == b'a');
            if odd || text.matches('"').count() % 2 == 1 {
                return;
            }
            let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
            let theirs = reader.records().count();
            let ours = split(&text).iter().filter(|record| !record.trim_end_matches('\n').is_empty()).count();
            assert_eq!(ours, theirs, "{text:?}");
        });
    }
}
