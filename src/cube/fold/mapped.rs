//! Lines of a source with a mapping -> the worker's cells, and its ledger.

use super::Worker;
use crate::ingest::chunks;
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
        let Some(mapping) = source.mapping.as_deref() else { return };
        if matches!(mapping.form, Form::Csv { .. }) {
            let columns = shared.columns[index].get_or_init(|| rows::columns_of(&mapping.form, &source::head(source)));
            rows::records(&mapping.form, columns, &source.name, part, |record, found| {
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
            if let Some(text) = ledger.usable(line, std::str::from_utf8(line)) {
                rows::each_row(mapping, &source.name, text, |found| {
                    self.found(mapping, found, text, source.stage, ledger);
                });
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
        let outcome = || {
            match found.read(mapping)? {
                Became::Nothing => ledger.blank += 1,
                Became::Mapped(Mapped::Other) => ledger.other_rows += 1,
                Became::Mapped(Mapped::Event(event)) => {
                    ledger.event(&event.event_type);
                    self.event(event, file_stage);
                }
                Became::Mapped(Mapped::Record(record)) => {
                    self.record(line, &record, file_stage, mapping.marks)?;
                    ledger.record(&record);
                }
            }
            Ok(())
        };
        if let Err(reject) = outcome() {
            ledger.reject(reject, line.as_bytes());
        }
    }
}
