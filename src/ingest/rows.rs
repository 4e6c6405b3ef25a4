//! Lines of a source with a mapping -> its rows: objects in JSON, columns of CSV, fields of a pattern.

use std::borrow::Cow;

use regex::Regex;

use super::csv::{Piece, Quoting, ends, pieces};
use super::layout::{self, Flat, MAX_SLOTS, Slots, Wanted};
use super::mapped::{self, Mapped, Row};
use super::native::{self, Line};
use super::node::{self, Node};
use super::reject::{Reject, RejectReason};
use super::timestamp::IsoReader;
use crate::schema::condition::Condition;
use crate::schema::mapping::{Form, Mapping};
use crate::schema::path::{Origin, Path, Step};

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

/// What a line or a row became.
#[derive(Debug)]
pub enum Became<'r> {
    Mapped(Mapped<'r>),
    /// A line without a row.
    Nothing,
}

impl<'r> Found<'r> {
    /// What it is under the mapping of its source.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn read(self, mapping: &Mapping, times: &mut IsoReader) -> Result<Became<'r>, Reject> {
        match self {
            Self::Row(row) => mapped::read(mapping, row, times).map(Became::Mapped),
            Self::Event(row, event) if mapped::event_is_meant(mapping, row) => Ok(Became::Mapped(Mapped::Event(event))),
            Self::Event(..) => Ok(Became::Mapped(Mapped::Other)),
            Self::Reject(reject) => Err(reject),
            Self::Nothing => Ok(Became::Nothing),
        }
    }
}

/// Calls `each` with what a line of text holds; of CSV see [`records`].
pub fn each_row(mapping: &Mapping, file: &str, line: &str, mut each: impl FnMut(Found<'_>)) {
    match &mapping.form {
        Form::Json { rows, unwrap } => json_rows(mapping, (rows.as_ref(), unwrap), file, line, &mut each),
        Form::Pattern { pattern, unwrap } => match pattern_row(pattern, line) {
            Some(mut node) => {
                unwrap.iter().for_each(|path| node.unwrap_at(&path.steps));
                each(Found::Row(Row { node: &node, around: &[], file, line, flat: None }));
            }
            None => {
                let reject = Reject::whole_line(RejectReason::Malformed, "the line does not fit the source's pattern");
                each(unless_dropped(mapping.dropped(), file, line, reject));
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
    let mut node = match node::of_line(text) {
        Ok(node) => node,
        Err(fault) => {
            let offset = fault.offset + line.len() - text.len();
            let message = format!("expected {}", fault.expected);
            let reject = Reject::at(RejectReason::NotJson, line.as_bytes(), offset, message);
            return each(unless_dropped(mapping.dropped(), file, line, reject));
        }
    };
    unwrap.iter().for_each(|path| node.unwrap_at(&path.steps));
    let whole = Row { node: &node, around: &[], file, line, flat: None };
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
        each(Found::Row(Row { node: row, around, file, line, flat: None }));
    });
    if found == 0 {
        each(Found::Nothing);
    }
}

/// What is wanted of a line for [`flat_row`]; `None` where the rows of the mapping cannot be read by their layout.
pub fn wanted(mapping: &Mapping) -> Option<Wanted> {
    Wanted::new(mapping.slots()?.iter().map(|keys| keys.iter().map(String::as_str).collect()))
}

/// The row of a line that was read by its layout, with what is [`wanted`] as its slots. `None` where it may be an event.
pub fn flat_row<'r>(mapping: &Mapping, file: &'r str, line: &'r str, flat: Flat<'r, 'r>) -> Option<Row<'r>> {
    let known = match flat.get(0) {
        None | Some(layout::Found::Null) => false,
        Some(layout::Found::Text(word)) => mapping.is_own() || native::EVENT_TYPES.contains(&&*word),
        Some(_) => mapping.is_own(),
    };
    (!known).then_some(Row { node: &Node::Null, around: &[], file, line, flat: Some(flat) })
}

/// The event of stagegate's own format that a line is.
fn native_event(mapping: &Mapping, node: &Node<'_>, line: &str) -> Option<Result<native::Event, Reject>> {
    let Node::Object(fields) = node else { return None };
    let (_, kind) = fields.iter().rev().find(|(key, _)| key == "event_type")?;
    // In a log of another format the word may stand in every row.
    let known = matches!(kind, Node::Text(word) if mapping.is_own() || native::EVENT_TYPES.contains(&&**word));
    known.then(|| match native::parse_line(line)? {
        Line::Event(event) => Ok(event),
        Line::Record(_) => Err(Reject::whole_line(RejectReason::BadValue, "event_type is not a string")),
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
    let end = ends(text.as_bytes(), *separator, &mut Quoting::default()).next().unwrap_or(text.len());
    let mut splitter = Splitter::new(*separator);
    let names = splitter.split(text[..end].trim_end_matches(['\r', '\n']));
    names.map(|names| names.map(|name| name.trim().to_owned()).collect()).unwrap_or_default()
}

/// A record of CSV.
pub struct Record<'r> {
    /// The lines that it takes.
    pub lines: u64,
    pub text: &'r str,
}

/// Where the columns of a file go: for each its slot of [`Mapping::slots`], where it has one.
pub struct ByColumn(Vec<Option<usize>>);

impl ByColumn {
    /// `None` where two columns have one name, or one slot several columns.
    pub fn new(mapping: &Mapping, columns: &[String]) -> Option<Self> {
        let slots = mapping.slots()?;
        if slots.len() > MAX_SLOTS || columns.is_empty() {
            return None;
        }
        // The name of a column may have dots, as a path has keys.
        let slot = |column: &String| slots.iter().position(|keys| keys.join(".") == *column);
        let by_column: Vec<Option<usize>> = columns.iter().map(slot).collect();
        let once = |slot: usize| by_column.iter().filter(|known| **known == Some(slot)).count() < 2;
        (0..slots.len()).all(once).then_some(Self(by_column))
    }

    /// Fills the slots of a record without quotes; `None` where it has another number of columns or may be a header.
    #[inline]
    fn fill(&self, slots: &mut Slots, columns: &[String], separator: u8, record: &str) -> Option<()> {
        let (mut start, mut column) = (0, 0);
        slots.clear();
        for end in memchr::memchr_iter(separator, record.as_bytes()).chain([record.len()]) {
            if column == 0 && record[start..end].trim() == columns[0] {
                return None;
            }
            // An empty field holds nothing.
            if let Some(slot) = self.0.get(column)?.filter(|_| start < end) {
                slots.text(slot, start, end);
            }
            (start, column) = (end + 1, column + 1);
        }
        (column == columns.len()).then_some(())
    }
}

/// Calls `each` with what each record of `part` holds; `columns` name its fields, and `by_column` says where they go.
/// `part` begins and ends with whole records. A record that is none is left out where a condition of `drop` on its text
/// holds.
pub fn records(
    (form, drop): (&Form, &[Condition]),
    (columns, by_column): (&[String], Option<&ByColumn>),
    file: &str,
    part: &[u8],
    mut each: impl FnMut(Record<'_>, Found<'_>),
) {
    let Form::Csv { separator, header, .. } = form else { return };
    let comment = header.as_ref().and_then(|mark| mark.chars().next());
    let mut splitter = Splitter::new(*separator);
    let mut slots = Slots::default();
    for Piece { bytes, torn } in pieces(part, *separator) {
        let trimmed = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let trimmed = trimmed.strip_suffix(b"\r").unwrap_or(trimmed);
        let lines = memchr::memchr_iter(b'\n', trimmed).count() as u64 + 1;
        if trimmed.iter().all(u8::is_ascii_whitespace) {
            each(Record { lines, text: "" }, Found::Nothing);
            continue;
        }
        let line = match std::str::from_utf8(trimmed) {
            Ok(line) => line,
            Err(error) => {
                let record = Record { lines, text: &String::from_utf8_lossy(trimmed) };
                each(record, Found::Reject(Reject::not_utf8(trimmed, error)));
                continue;
            }
        };
        let record = Record { lines, text: line };
        let text = line.trim_start_matches(native::BEFORE_A_LINE);
        if comment.is_some_and(|mark| text.starts_with(mark)) {
            each(record, Found::Nothing);
            continue;
        }
        if torn {
            each(record, unless_dropped(drop, file, line, Reject::whole_line(RejectReason::Malformed, TORN)));
            continue;
        }
        // Quotes and carriage returns are the splitter's.
        if let Some(by_column) = by_column
            && memchr::memchr2(b'"', b'\r', text.as_bytes()).is_none()
            && by_column.fill(&mut slots, columns, *separator, text).is_some()
        {
            let flat = Some(Flat::new(text, &slots));
            each(record, Found::Row(Row { node: &Node::Null, around: &[], file, line, flat }));
            continue;
        }
        match fields(&mut splitter, columns, text) {
            Ok(None) => each(record, Found::Nothing),
            Ok(Some(node)) => each(record, Found::Row(Row { node: &node, around: &[], file, line, flat: None })),
            Err(reject) => each(record, unless_dropped(drop, file, line, reject)),
        }
    }
}

const TORN: &str = "a quote is opened and not closed before the next column: the line stands alone";

/// What cannot be read may be meant to be left out: by a condition on its text.
fn unless_dropped<'r>(drop: &[Condition], file: &'r str, line: &'r str, reject: Reject) -> Found<'r> {
    let dropped = drop.iter().any(|condition| condition.path.origin == Origin::Line && condition.holds(Some(line)));
    match dropped {
        true => Found::Row(Row { node: &Node::Null, around: &[], file, line, flat: None }),
        false => Found::Reject(reject),
    }
}

/// Splits records of CSV into fields. To make one costs as much as to split a hundred records.
struct Splitter {
    reader: csv_core::Reader,
    /// The fields of the record behind one another, and where each ends.
    fields: Vec<u8>,
    ends: Vec<usize>,
}

impl Splitter {
    fn new(separator: u8) -> Self {
        let reader = csv_core::ReaderBuilder::new().delimiter(separator).build();
        Self { reader, fields: Vec::new(), ends: Vec::new() }
    }

    /// The fields of one record.
    fn split(&mut self, record: &str) -> Option<impl Iterator<Item = &str>> {
        self.reader.reset();
        // No field is longer than it is written, and each but the last has a separator.
        self.fields.resize(self.fields.len().max(record.len()), 0);
        self.ends.resize(self.ends.len().max(record.len() + 1), 0);
        let (_, _, written, ended) = self.reader.read_record(record.as_bytes(), &mut self.fields, &mut self.ends);
        let (result, _, more, last) =
            self.reader.read_record(&[], &mut self.fields[written..], &mut self.ends[ended..]);
        let text = std::str::from_utf8(&self.fields[..written + more]).ok()?;
        let mut start = 0;
        let field = move |end: &usize| &text[std::mem::replace(&mut start, *end)..*end];
        (result == csv_core::ReadRecordResult::Record).then(|| self.ends[..ended + last].iter().map(field))
    }
}

/// The fields of one record; `None` for a header.
fn fields<'r>(splitter: &'r mut Splitter, columns: &'r [String], text: &str) -> Result<Option<Node<'r>>, Reject> {
    let malformed = |message: String| Err(Reject::whole_line(RejectReason::Malformed, message));
    let Some(record) = splitter.split(text) else {
        return malformed("the line is no record of CSV".into());
    };
    let values: Vec<&str> = record.collect();
    // Files that were put behind one another have a header each.
    if values.iter().map(|value| value.trim()).eq(columns.iter().map(String::as_str)) {
        return Ok(None);
    }
    if columns.is_empty() {
        return malformed("the file has no header that names its columns: give columns or header".into());
    }
    if values.len() != columns.len() {
        return malformed(format!("{} columns, where the header has {}", values.len(), columns.len()));
    }
    let named = columns.iter().map(String::as_str).zip(values).filter(|(_, value)| !value.is_empty());
    Ok(Some(Node::of_columns(named.map(|(name, value)| (name, Cow::Borrowed(value))))))
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
            let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
            let theirs = reader.records().count();
            let ours = split(&text).iter().filter(|record| !record.trim_end_matches('\n').is_empty()).count();
            assert_eq!(ours, theirs, "{text:?}");
        });
    }
}
