//! Lines of a source with a mapping -> the worker's cells, and its ledger.

use super::Worker;
use crate::ingest::chunks::{self, MAX_LINE_BYTES};
use crate::ingest::ledger::ChunkLedger;
use crate::ingest::mapped::{self, Mapped};
use crate::ingest::reject::Reject;
use crate::ingest::rows::{self, Found};
use crate::ingest::source;
use crate::schema::mapping::{Form, Mapping};

impl Worker<'_> {
    /// Lines of a source with a mapping.
    pub(super) fn mapped_lines(&mut self, part: &[u8], index: usize, ledger: &mut ChunkLedger) {
        let shared = self.shared;
        let source = &shared.sources[index];
        let Some(mapping) = source.mapping.as_deref() else { return };
        if matches!(mapping.form, Form::Csv { .. }) {
            let columns = shared.columns[index].get_or_init(|| rows::columns_of(&mapping.form, &source::head(source)));
            rows::records(mapping, columns, &source.name, part, |record, found| {
                if matches!(found, Found::Nothing) {
                    ledger.lines += record.lines;
                    ledger.blank += record.lines;
                    return;
                }
                ledger.lines += 1;
                self.found(mapping, found, record.text, source.stage, ledger);
                ledger.lines += record.lines - 1;
            });
            return;
        }
        for range in chunks::line_ranges(part) {
            ledger.lines += 1;
            let line = &part[range];
            if line.iter().all(u8::is_ascii_whitespace) {
                ledger.blank += 1;
                continue;
            }
            if line.len() > MAX_LINE_BYTES {
                ledger.reject(Reject::too_long(), line);
                continue;
            }
            match std::str::from_utf8(line) {
                Ok(text) => rows::each_row(mapping, &source.name, text, |found| {
                    self.found(mapping, found, text, source.stage, ledger);
                }),
                Err(error) => ledger.reject(Reject::not_utf8(line, error), line),
            }
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
        let outcome = || match found {
            Found::Nothing => {
                ledger.blank += 1;
                Ok(())
            }
            Found::Reject(reject) => Err(reject),
            Found::Event(row, event) => {
                match mapped::event_is_meant(mapping, row) {
                    true => {
                        ledger.event(&event.event_type);
                        self.event(event, file_stage);
                    }
                    false => ledger.other_rows += 1,
                }
                Ok(())
            }
            Found::Row(row) => {
                match mapped::read(mapping, row)? {
                    Mapped::Other => ledger.other_rows += 1,
                    Mapped::Event(event) => {
                        ledger.event(&event.event_type);
                        self.event(event, file_stage);
                    }
                    Mapped::Upload(upload) => {
                        self.upload(line, &upload, file_stage, mapping.marks)?;
                        ledger.upload(&upload);
                    }
                }
                Ok(())
            }
        };
        if let Err(reject) = outcome() {
            ledger.reject(reject, line.as_bytes());
        }
    }
}
