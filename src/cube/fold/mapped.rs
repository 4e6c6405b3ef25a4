//! Lines of a source with a mapping -> the worker's cells, and its ledger.

use super::Worker;
use crate::ingest::chunks::{self, MAX_LINE_BYTES};
use crate::ingest::layout::Layouts;
use crate::ingest::ledger::ChunkLedger;
use crate::ingest::mapped::Mapped;
use crate::ingest::rows::{self, Became, Found};
use crate::ingest::source;
use crate::schema::mapping::{Form, Mapping};

impl<const M: usize, const L: usize> Worker<'_, M, L> {
    /// Lines of a source with a mapping.
    pub(super) fn mapped_lines(&mut self, part: &[u8], index: usize, ledger: &mut ChunkLedger) {
        let shared = self.shared;
        let source = &shared.sources[index];
        let Some(mapping) = &source.mapping else { return };
        if matches!(mapping.form, Form::Csv { .. }) {
            let columns = shared.columns[index].get_or_init(|| rows::columns_of(&mapping.form, &source::head(source)));
            let by_column = rows::ByColumn::new(mapping, columns);
            rows::records(
                (&mapping.form, mapping.dropped()),
                (columns, by_column.as_ref()),
                &source.name,
                part,
                |record, found| {
                    if matches!(found, Found::Nothing) {
                        ledger.lines += record.lines;
                        ledger.blank += record.lines;
                        return;
                    }
                    ledger.lines += 1;
                    self.found(mapping, found, record.text, source.stage, ledger);
                    ledger.lines += record.lines - 1;
                },
            );
            return;
        }
        // One check of a whole part is much faster than one per line.
        if let (Ok(text), Some(mut layouts)) = (std::str::from_utf8(part), self.learned.take(mapping)) {
            self.learned_lines(text, index, mapping, &mut layouts, ledger);
            self.learned.put_back(mapping, layouts);
            return;
        }
        for range in chunks::line_ranges(part) {
            let line = &part[range];
            self.mapped_line((line, std::str::from_utf8(line)), index, mapping, ledger);
        }
    }

    /// Lines of UTF-8: by their layout where it is known.
    fn learned_lines(
        &mut self,
        text: &str,
        index: usize,
        mapping: &Mapping,
        layouts: &mut Layouts,
        ledger: &mut ChunkLedger,
    ) {
        let source = &self.shared.sources[index];
        let mut rest = text;
        while !rest.is_empty() {
            if let Some((flat, length)) = layouts.read(rest)
                && length <= MAX_LINE_BYTES
                && let line = rest[..length].trim_ascii_end()
                && let Some(row) = rows::flat_row(mapping, &source.name, line, flat)
            {
                ledger.lines += 1;
                self.found(mapping, Found::Row(row), line, source.stage, ledger);
                rest = &rest[length..];
                continue;
            }
            let end = memchr::memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
            let line = &rest[..end];
            let line = line.strip_suffix('\r').unwrap_or(line);
            let before = ledger.uploads + ledger.other_rows;
            self.mapped_line((line.as_bytes(), Ok(line)), index, mapping, ledger);
            if ledger.uploads + ledger.other_rows > before && layouts.learns() {
                layouts.learn(rest);
            }
            rest = rest.get(end + 1..).unwrap_or_default();
        }
    }

    fn mapped_line(
        &mut self,
        (line, text): (&[u8], Result<&str, std::str::Utf8Error>),
        index: usize,
        mapping: &Mapping,
        ledger: &mut ChunkLedger,
    ) {
        let source = &self.shared.sources[index];
        ledger.lines += 1;
        if let Some(text) = ledger.usable(line, text) {
            rows::each_row(mapping, &source.name, text, |found| {
                self.found(mapping, found, text, source.stage, ledger);
            });
        }
    }

    /// Counts what a row is.
    fn found(
        &mut self,
        mapping: &Mapping,
        found: Found<'_>,
        line: &str,
        file_stage: Option<usize>,
        ledger: &mut ChunkLedger,
    ) {
        let outcome = || {
            match found.read(mapping, &mut self.times)? {
                Became::Nothing => ledger.blank += 1,
                Became::Mapped(Mapped::Other) => ledger.other_rows += 1,
                Became::Mapped(Mapped::Event(event)) => {
                    ledger.event(&event.event_type);
                    self.event(event, file_stage);
                }
                Became::Mapped(Mapped::Record(record)) => {
                    let counts = self.record(line, &record, file_stage, mapping.marks)?;
                    ledger.record(&record, counts);
                }
            }
            Ok(())
        };
        if let Err(reject) = outcome() {
            ledger.reject(reject, line.as_bytes());
        }
    }
}
