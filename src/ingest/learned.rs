//! Lines that were read by their layout: the records of the native format, and what was learned of each mapping's.

use std::sync::Arc;

use super::layout::{Flat, Found, Layouts, Wanted};
use super::native::{Field, Look, Slot, upload};
use super::record::Record;
use super::reject::Reject;
use super::timestamp::IsoReader;
use super::{json, rows};
use crate::config::EpochNanos;
use crate::schema::mapping::Mapping;

/// The layouts of each mapping; files of one mapping share them.
#[derive(Debug, Default)]
pub struct Learned(Vec<(Arc<Mapping>, Layouts)>);

impl Learned {
    /// The layouts of a mapping, to be put back. `None` where its rows cannot be read so.
    pub fn take(&mut self, mapping: &Arc<Mapping>) -> Option<Layouts> {
        match self.0.iter().position(|(known, _)| Arc::ptr_eq(known, mapping)) {
            Some(known) => Some(self.0.swap_remove(known).1),
            None => rows::wanted(mapping).map(Layouts::new),
        }
    }

    /// Keeps them for the next lines.
    pub fn put_back(&mut self, mapping: &Arc<Mapping>, layouts: Layouts) {
        self.0.push((Arc::clone(mapping), layouts));
    }
}

/// What is wanted of a line for [`read_native`].
pub fn wanted_of_native() -> Option<Wanted> {
    Wanted::new(Field::LOGGED.iter().take(Field::event_type as usize + 1).map(|(_, key)| vec![key.trim_matches('"')]))
}

/// The record of a line that was read by its layout, with what is [`wanted_of_native`] as its slots. `None` where it is an event.
///
/// # Errors
/// As [`super::native::parse_line`].
#[inline]
pub fn read_native<'t>(line: &'t str, flat: Flat<'t, '_>, times: &mut IsoReader) -> Option<Result<Record<'t>, Reject>> {
    match flat.get(Field::event_type as usize) {
        None | Some(Found::Null) => Some(upload(line, FlatFields { flat, times })),
        Some(_) => None,
    }
}

struct FlatFields<'t, 's, 'i> {
    flat: Flat<'t, 's>,
    times: &'i mut IsoReader,
}

impl<'t> Look<'t> for FlatFields<'t, '_, '_> {
    #[inline(always)]
    fn look(&mut self, field: Field) -> Slot<'t> {
        let value = match self.flat.get(field as usize)? {
            Found::Null => json::Value::Null,
            Found::True => json::Value::True,
            Found::False => json::Value::False,
            Found::Text(text) => json::Value::String(text),
            Found::Number(text, decimal) => json::Value::Number(text, decimal.value_of(text)),
        };
        Some((value, self.flat.offset(field as usize)))
    }

    #[inline]
    fn moment(&mut self, text: &str) -> Option<EpochNanos> {
        self.times.parse(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ingest::mapped;
    use crate::ingest::native::parse_line;
    use crate::ingest::reject::Reject;
    use crate::ingest::rows::{Became, ByColumn, Found as FoundRow};
    use crate::schema::arms::Arms;
    use crate::schema::record::{RecordSection, Schema};
    use crate::schema::source::{SourceSection, TimestampMarks};

    /// Units, texts that mean none, maps, patterns, names with dots, a row's conditions.
    const FIELDS: &str = r#"
        keep = ['kind != "skip"', "note == null"]
        [fields]
        timestamp = { path = "when.at", unit = "ms" }
        duration = { path = "took", unit = "us", missing = ["-", "-1"] }
        success = { path = "http.status", map = { "100..499" = true }, default = false }
        error = { first = ["err", "http.status"], map = { "(?i)time" = "Timeout" } }
        arm = { path = "arm", map = { "^new" = "async" }, default = "sync" }
        provider = { path = "who", regex = "^(\\w+)-" }
        size = { path = "bytes", unit = "B" }
        memory = { path = "mem", unit = "MB" }
        id = "id"
    "#;
    const COLUMNS: [&str; 11] =
        ["kind", "note", "when.at", "took", "http.status", "err", "arm", "who", "bytes", "mem", "id"];

    fn mapping(parse: &str) -> Mapping {
        let section: SourceSection = toml::from_str(&format!("parse = \"{parse}\"\n{FIELDS}")).expect("a source");
        let record = RecordSection::default();
        let schema = Arc::new(Schema::default());
        let arms = Arc::new(Arms::new(&record.arms).expect("its own arms"));
        Mapping::new(&section, &record, (schema, arms), TimestampMarks::End).expect("a mapping")
    }

    fn told(read: Result<Became<'_>, Reject>) -> String {
        format!("{read:?}")
    }

    fn value() -> impl Strategy<Value = Option<String>> {
        let numbers = prop_oneof![
            (0.0_f64..1e7).prop_map(|value| format!("{value:?}")),
            any::<i64>().prop_map(|value| value.to_string()),
            Just("1762935330123".to_owned()),
            Just("1762935330123.25".to_owned()),
            (200_u32..600).prop_map(|value| value.to_string()),
        ];
        let words = prop::sample::select(
            &["-", "-1", "skip", "new-1", "old", "kimi-x", "Timed out", "true", " 5 ", "1e3", "5us", "é\"x", ""][..],
        );
        prop_oneof![6 => numbers.prop_map(Some), 3 => words.prop_map(|word| Some(word.to_owned())), 2 => Just(None)]
    }

    fn is_number(text: &str) -> bool {
        text.parse::<f64>().is_ok() && text.trim() == text
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        /// Rows of a mapping: by their layout, and by the tree.
        #[test]
        fn mapped_lines_are_read_the_same(rows in prop::collection::vec(prop::collection::vec(value(), COLUMNS.len()), 1..6)) {
            let mapping = mapping("json");
            let mut layouts = rows::wanted(&mapping).map(Layouts::new).expect("few paths");
            let mut times = IsoReader::default();
            for row in rows.iter().chain(&rows) {
                let fields: Vec<String> = COLUMNS.iter().zip(row).filter_map(|(column, value)| {
                    let value = value.as_deref()?;
                    let value = if is_number(value) { value.to_owned() } else { serde_json::to_string(value).expect("a text") };
                    Some(match column.split_once('.') {
                        Some((outer, inner)) if *column == "when.at" => format!("\"{outer}\":{{\"{inner}\":{value}}}"),
                        _ => format!("\"{column}\":{value}"),
                    })
                }).collect();
                let text = format!("{{{}}}\n{}\n", fields.join(","), " ".repeat(64));
                let line = text.lines().next().unwrap_or_default();
                let mut slow = String::new();
                rows::each_row(&mapping, "log.jsonl", line, |found| slow = told(found.read(&mapping, &mut IsoReader::default())));
                match layouts.read(&text) {
                    None => layouts.learn(&text),
                    Some((flat, _)) => {
                        let row = rows::flat_row(&mapping, "log.jsonl", line, flat).expect("no event");
                        prop_assert_eq!(told(mapped::read(&mapping, row, &mut times).map(Became::Mapped)), slow, "{}", line);
                    }
                }
            }
        }

        /// Records of CSV: by their columns, and by the splitter.
        #[test]
        fn records_of_csv_are_read_the_same(
            rows in prop::collection::vec(prop::collection::vec(value(), COLUMNS.len()), 1..6), short in any::<bool>(),
        ) {
            let mapping = mapping("csv");
            let columns = COLUMNS.map(str::to_owned);
            let mut text = format!("{}\n", COLUMNS.join(","));
            for row in &rows {
                let quoted = |value: &Option<String>| match value.as_deref() {
                    Some(value) if value.contains('"') => format!("\"{}\"", value.replace('"', "\"\"")),
                    value => value.unwrap_or_default().to_owned(),
                };
                let fields: Vec<String> = row.iter().skip(usize::from(short)).map(quoted).collect();
                text += &(fields.join(",") + "\n");
            }
            let by_column = ByColumn::new(&mapping, &columns).expect("each column once");
            let read = |by_column: Option<&ByColumn>| {
                let mut told_of = Vec::new();
                rows::records((&mapping.form, mapping.dropped()), (&columns, by_column), "log.csv", text.as_bytes(), |_, found: FoundRow<'_>| {
                    told_of.push(told(found.read(&mapping, &mut IsoReader::default())));
                });
                told_of
            };
            prop_assert_eq!(read(Some(&by_column)), read(None), "{}", text);
        }
    }

    #[test]
    fn an_event_is_left_to_the_general_parser() {
        let line = r#"{"event_type": "rollback", "success": true}"#;
        let text = format!("{line}\n{}\n", " ".repeat(64));
        let mut layouts = Layouts::new(wanted_of_native().expect("few fields"));
        layouts.learn(&text);
        let (flat, _) = layouts.read(&text).expect("a layout that was learned");
        assert!(read_native(&text, flat, &mut IsoReader::default()).is_none());
        assert!(parse_line(line).is_err());
    }
}
