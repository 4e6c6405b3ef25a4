//! Every line of every file is accounted for here: uploads + events + rejected + other rows + blank = lines, where a line
//! is one row.
//! Chunks arrive in any order; the ledger of a file does not depend on it.

use std::collections::BTreeMap;
use std::str::Utf8Error;

use serde::{Deserialize, Serialize};

use super::chunks::MAX_LINE_BYTES;
use super::record::Record;
use super::reject::{Reject, RejectReason, cut, cut_bytes};
use crate::config::EpochNanos;
use crate::packing::digest_with_algorithm;

/// Examples that are kept of each reason, per file: the first ones.
pub const EXAMPLES_PER_REASON: usize = 5;
/// Distinct words of `event_type` that are counted by name, per file.
const MAX_EVENT_TYPES: usize = 100;

/// A rejected line that is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    pub reason: RejectReason,
    /// From 1.
    pub line: u64,
    pub column: Option<u64>,
    /// Cut at 200 characters.
    pub text: String,
    pub message: String,
}

/// What became of the lines of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileLedger {
    pub path: String,
    /// As it lies on disk.
    pub bytes: u64,
    /// Of its bytes, with the algorithm in front: `blake3:…`; `sha256:…` in cubes of before.
    #[serde(alias = "sha256", deserialize_with = "digest_with_algorithm")]
    pub digest: String,
    pub lines: u64,
    pub uploads: u64,
    pub events: u64,
    /// Lines without a row: empty ones, headers and comments of CSV.
    pub blank: u64,
    /// Rows that the source's conditions leave out.
    #[serde(default)]
    pub other_rows: u64,
    /// How it was read: `native`, a preset, or `mapping`.
    #[serde(default = "native_format")]
    pub format: String,
    pub rejected: BTreeMap<RejectReason, u64>,
    /// Sorted by reason and line.
    pub examples: Vec<Example>,
    /// Uploads whose timestamp is earlier than that of the upload on a line before it.
    pub out_of_order: u64,
    /// Events by type; beyond 100 types the rest is `other`.
    pub event_types: BTreeMap<String, u64>,
    /// Uploads that say success and name an error, by its type.
    #[serde(default)]
    pub contradictions: BTreeMap<String, u64>,
    /// Failures without a duration.
    #[serde(default)]
    pub without_duration: u64,
    /// Rejected lines that look like an event: their number, and the first.
    #[serde(default)]
    pub rejected_events: Option<(u64, u64)>,
    /// What was lost because the file is damaged.
    pub loss: Option<String>,
}

/// What a cube was folded from before formats were told apart.
fn native_format() -> String {
    "native".into()
}

impl FileLedger {
    pub fn rejected_total(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// Rows and blank lines: as many as lines where each is one row.
    pub fn rows(&self) -> u64 {
        self.uploads + self.events + self.rejected_total() + self.other_rows + self.blank
    }

    /// Rewrites the file's name and the texts of its lines.
    pub fn rewrite(&mut self, text: impl Fn(&str) -> String) {
        self.path = text(&self.path);
        for example in &mut self.examples {
            example.text = text(&example.text);
            example.message = text(&example.message);
        }
    }
}

/// The lines of one chunk.
#[derive(Debug, Default)]
pub struct ChunkLedger {
    pub lines: u64,
    pub uploads: u64,
    pub events: u64,
    pub blank: u64,
    pub other_rows: u64,
    rejected: BTreeMap<RejectReason, u64>,
    examples: Vec<Example>,
    first_timestamp: Option<EpochNanos>,
    last_timestamp: Option<EpochNanos>,
    out_of_order: u64,
    event_types: BTreeMap<String, u64>,
    contradictions: BTreeMap<String, u64>,
    without_duration: u64,
    rejected_events: Option<(u64, u64)>,
}

/// What a line holds that was to be an event.
const EVENT_MARKS: [&[u8]; 2] = [b"event_type", b"rollout_stage"];

impl ChunkLedger {
    /// Counts the current line (number `lines`) as rejected.
    pub fn reject(&mut self, reject: Reject, line: &[u8]) {
        if EVENT_MARKS.iter().any(|mark| memchr::memmem::find(line, mark).is_some()) {
            self.rejected_events = joined(self.rejected_events, Some((1, self.lines)));
        }
        let count = self.rejected.entry(reject.reason).or_default();
        *count += 1;
        if *count <= EXAMPLES_PER_REASON as u64 {
            let Reject { reason, column, message } = reject;
            self.examples.push(Example { reason, line: self.lines, column, text: cut_bytes(line), message });
        }
    }

    /// The text of the current line; one that is blank, too long or no text is counted as that.
    pub fn usable<'l>(&mut self, line: &'l [u8], text: Result<&'l str, Utf8Error>) -> Option<&'l str> {
        if line.iter().all(u8::is_ascii_whitespace) {
            self.blank += 1;
            return None;
        }
        if line.len() > MAX_LINE_BYTES {
            self.reject(Reject::too_long(), line);
            return None;
        }
        text.inspect_err(|error| self.reject(Reject::not_utf8(line, *error), line)).ok()
    }

    /// Counts an upload.
    #[inline]
    pub fn record(&mut self, record: &Record<'_>) {
        self.uploads += 1;
        self.without_duration += u64::from(record.duration_ms.is_none());
        if let (true, Some(error)) = (record.success, &record.error_type) {
            *self.contradictions.entry(cut(error)).or_default() += 1;
        }
        self.dated(record.timestamp);
    }

    #[inline]
    fn dated(&mut self, timestamp: EpochNanos) {
        if self.last_timestamp.is_some_and(|last| timestamp < last) {
            self.out_of_order += 1;
        }
        self.first_timestamp.get_or_insert(timestamp);
        self.last_timestamp = Some(timestamp);
    }

    pub fn event(&mut self, event_type: &str) {
        self.events += 1;
        *self.event_types.entry(event_type.to_owned()).or_default() += 1;
    }
}

/// What is known of a file beside its lines.
pub struct FileFacts {
    pub path: String,
    /// See [`FileLedger::format`].
    pub format: String,
    pub bytes: u64,
    pub digest: String,
    pub loss: Option<String>,
}

/// Collects the chunks of one file.
#[derive(Debug, Default)]
pub struct FileLedgerBuilder {
    chunks: Vec<(usize, ChunkLedger)>,
}

impl FileLedgerBuilder {
    pub fn add(&mut self, sequence: usize, chunk: ChunkLedger) {
        self.chunks.push((sequence, chunk));
    }

    /// The ledger of the whole file.
    pub fn finish(mut self, of: FileFacts) -> FileLedger {
        let FileFacts { path, format, bytes, digest, loss } = of;
        self.chunks.sort_by_key(|(sequence, _)| *sequence);
        let mut file = FileLedger {
            path,
            bytes,
            digest,
            lines: 0,
            uploads: 0,
            events: 0,
            blank: 0,
            other_rows: 0,
            format,
            rejected: BTreeMap::new(),
            examples: Vec::new(),
            out_of_order: 0,
            event_types: BTreeMap::new(),
            contradictions: BTreeMap::new(),
            without_duration: 0,
            rejected_events: None,
            loss,
        };
        let mut last_timestamp = None;
        for (_, chunk) in self.chunks {
            append(&mut file, chunk, &mut last_timestamp);
        }
        if file.event_types.len() > MAX_EVENT_TYPES {
            file.event_types = fold_rare_types(file.event_types);
        }
        if file.contradictions.len() > MAX_EVENT_TYPES {
            file.contradictions = fold_rare_types(file.contradictions);
        }
        file
    }
}

fn append(file: &mut FileLedger, chunk: ChunkLedger, last_timestamp: &mut Option<EpochNanos>) {
    for example in chunk.examples {
        let kept = file.examples.iter().filter(|kept| kept.reason == example.reason).count();
        if kept < EXAMPLES_PER_REASON {
            file.examples.push(Example { line: example.line + file.lines, ..example });
        }
    }
    file.examples.sort_by_key(|example| (example.reason, example.line));
    let of_file = chunk.rejected_events.map(|(count, first)| (count, first + file.lines));
    file.rejected_events = joined(file.rejected_events, of_file);
    file.without_duration += chunk.without_duration;
    for (error_type, count) in chunk.contradictions {
        *file.contradictions.entry(error_type).or_default() += count;
    }
    file.lines += chunk.lines;
    file.uploads += chunk.uploads;
    file.events += chunk.events;
    file.blank += chunk.blank;
    file.other_rows += chunk.other_rows;
    for (reason, count) in chunk.rejected {
        *file.rejected.entry(reason).or_default() += count;
    }
    let across = matches!((*last_timestamp, chunk.first_timestamp), (Some(last), Some(first)) if first < last);
    file.out_of_order += chunk.out_of_order + u64::from(across);
    *last_timestamp = chunk.last_timestamp.or(*last_timestamp);
    for (event_type, count) in chunk.event_types {
        *file.event_types.entry(event_type).or_default() += count;
    }
}

/// Two counts with the first line of each.
fn joined(a: Option<(u64, u64)>, b: Option<(u64, u64)>) -> Option<(u64, u64)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0 + b.0, a.1.min(b.1))),
        _ => a.or(b),
    }
}

/// Keeps the first types by name and adds the rest up as `other`.
fn fold_rare_types(types: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let mut kept = BTreeMap::new();
    for (index, (name, count)) in types.into_iter().enumerate() {
        let name = if index < MAX_EVENT_TYPES { name } else { "other".to_owned() };
        *kept.entry(name).or_default() += count;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(lines: u64, rejected_lines: &[u64], timestamps: &[i64]) -> ChunkLedger {
        let mut chunk = ChunkLedger::default();
        for line in 1..=lines {
            chunk.lines = line;
            if rejected_lines.contains(&line) {
                chunk.reject(Reject::whole_line(RejectReason::NotJson, "bad"), b"x");
            }
        }
        timestamps.iter().for_each(|timestamp| chunk.dated(*timestamp));
        chunk
    }

    #[test]
    fn the_order_in_which_chunks_arrive_does_not_matter() {
        let finish = |order: [usize; 3]| {
            let mut builder = FileLedgerBuilder::default();
            for index in order {
                let part = match index {
                    0 => chunk(4, &[2, 3], &[10, 20]),
                    1 => chunk(3, &[1, 2, 3], &[]),
                    _ => chunk(5, &[5], &[15, 14, 30]),
                };
                builder.add(index, part);
            }
            builder.finish(FileFacts {
                path: "a".into(),
                format: "native".into(),
                bytes: 1,
                digest: String::new(),
                loss: None,
            })
        };
        let ledger = finish([0, 1, 2]);
        assert_eq!(ledger, finish([2, 0, 1]));
        assert_eq!((ledger.lines, ledger.out_of_order), (12, 2));
        assert_eq!(ledger.examples.iter().map(|example| example.line).collect::<Vec<_>>(), [2, 3, 5, 6, 7]);
    }
}
