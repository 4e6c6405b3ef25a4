//! Every line of every file is accounted for here: uploads + events + rejected + other rows + other tries + blank = lines,
//! where a line is one row.
//! Chunks arrive in any order; the ledger of a file does not depend on it.

use std::collections::BTreeMap;
use std::str::Utf8Error;

use serde::{Deserialize, Serialize};

use super::chunks::MAX_LINE_BYTES;
use super::json::is_without_row;
use super::record::Record;
use super::reject::{Reject, RejectReason, cut, cut_bytes};
use crate::config::EpochNanos;
use crate::digest::Subtrees;
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

/// Rows of a sampled log, and the rows of the traffic that they stand for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weighed {
    pub rows: u64,
    /// In thousandths, so that the sum is the same in any order.
    pub weight_milli: u64,
}

impl Weighed {
    /// Counts the rows of another, too.
    pub fn add(&mut self, other: Self) {
        self.rows = self.rows.saturating_add(other.rows);
        self.weight_milli = self.weight_milli.saturating_add(other.weight_milli);
    }

    /// What one row stands for, on average.
    pub fn mean(&self) -> Option<f64> {
        (self.rows > 0).then(|| self.weight_milli as f64 / 1000.0 / self.rows as f64)
    }
}

/// The successes and the failures of a sampled log.
pub type WeighedOutcomes = [Weighed; 2];

fn none_weighed(weighed: &WeighedOutcomes) -> bool {
    weighed.iter().all(|of| of.rows == 0)
}

/// Adds up what rows of several parts stand for.
pub fn add_weights(to: &mut WeighedOutcomes, more: WeighedOutcomes) {
    to.iter_mut().zip(more).for_each(|(to, more)| to.add(more));
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
    /// Lines without a row: empty ones, headers and comments of CSV, the brackets of a list.
    pub blank: u64,
    /// Rows that the source's conditions leave out.
    #[serde(default)]
    pub other_rows: u64,
    /// Rows of requests of which another try counts.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub other_tries: u64,
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
    /// Of a sampled log: successes and failures with their weights.
    #[serde(default, skip_serializing_if = "none_weighed")]
    pub weighed: WeighedOutcomes,
    /// Rejected lines that look like an event: their number, and the first.
    #[serde(default)]
    pub rejected_events: Option<(u64, u64)>,
    /// What was lost because the file is damaged.
    pub loss: Option<String>,
    /// Where it is no more than a part of the file; it has no digest then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
}

/// A range of a file that was folded apart from the rest of it. A line belongs to the range that holds its first byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// In bytes of the file as it lies on disk.
    pub range: std::ops::Range<u64>,
    /// Bytes of the whole file.
    pub size: u64,
    /// Of its uploads, in their order.
    pub first_timestamp: Option<EpochNanos>,
    pub last_timestamp: Option<EpochNanos>,
    pub subtrees: Subtrees,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
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
        self.uploads + self.events + self.rejected_total() + self.other_rows + self.other_tries + self.blank
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
    pub other_tries: u64,
    rejected: BTreeMap<RejectReason, u64>,
    examples: Vec<Example>,
    first_timestamp: Option<EpochNanos>,
    last_timestamp: Option<EpochNanos>,
    out_of_order: u64,
    event_types: BTreeMap<String, u64>,
    contradictions: BTreeMap<String, u64>,
    without_duration: u64,
    weighed: WeighedOutcomes,
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
        if is_without_row(line) {
            self.blank += 1;
            return None;
        }
        if line.len() > MAX_LINE_BYTES {
            self.reject(Reject::too_long(), line);
            return None;
        }
        text.inspect_err(|error| self.reject(Reject::not_utf8(line, *error), line)).ok()
    }

    /// Counts an upload; where `counts` does not hold, one of which another try counts.
    #[inline]
    pub fn record(&mut self, record: &Record<'_>, counts: bool) {
        if !counts {
            self.other_tries += 1;
            return;
        }
        self.uploads += 1;
        self.without_duration += u64::from(record.duration_ms.is_none());
        if let Some(weight) = record.weight {
            let weight_milli = (weight * 1000.0).round() as u64;
            self.weighed[usize::from(!record.success)].add(Weighed { rows: 1, weight_milli });
        }
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
    /// Where a range of the file was read: the range, the bytes of the file, and the subtrees of the range.
    pub part: Option<(std::ops::Range<u64>, u64, Subtrees)>,
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

    /// The ledger of the file, or of the part of it that was read.
    pub fn finish(mut self, of: FileFacts) -> FileLedger {
        let FileFacts { path, format, bytes, digest, loss, part } = of;
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
            other_tries: 0,
            format,
            rejected: BTreeMap::new(),
            examples: Vec::new(),
            out_of_order: 0,
            event_types: BTreeMap::new(),
            contradictions: BTreeMap::new(),
            without_duration: 0,
            weighed: WeighedOutcomes::default(),
            rejected_events: None,
            loss,
            part: None,
        };
        let mut ends = Ends::default();
        for (_, chunk) in self.chunks {
            append(&mut file, chunk, &mut ends);
        }
        fold_rare(&mut file);
        if let Some((range, size, subtrees)) = part {
            let Ends { first: first_timestamp, last: last_timestamp } = ends;
            file.part = Some(Part { range, size, first_timestamp, last_timestamp, subtrees });
        }
        file.settled()
    }
}

/// The timestamps of the first and the last upload, in the order of lines.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ends {
    pub first: Option<EpochNanos>,
    pub last: Option<EpochNanos>,
}

impl FileLedger {
    /// A part that is all of the file is the file.
    #[must_use]
    pub(super) fn settled(mut self) -> Self {
        if let Some(part) = &self.part
            && part.range == (0..part.size)
            && let Some(digest) = part.subtrees.digest(part.size)
        {
            self.digest = digest;
            self.part = None;
        }
        self
    }

    /// Counts the lines of another part, which follow, too.
    pub(super) fn append(&mut self, next: Self, ends: &mut Ends) {
        let (first_timestamp, last_timestamp) =
            next.part.as_ref().map_or((None, None), |part| (part.first_timestamp, part.last_timestamp));
        let chunk = ChunkLedger {
            lines: next.lines,
            uploads: next.uploads,
            events: next.events,
            blank: next.blank,
            other_rows: next.other_rows,
            other_tries: next.other_tries,
            rejected: next.rejected,
            examples: next.examples,
            first_timestamp,
            last_timestamp,
            out_of_order: next.out_of_order,
            event_types: next.event_types,
            contradictions: next.contradictions,
            without_duration: next.without_duration,
            weighed: next.weighed,
            rejected_events: next.rejected_events,
        };
        self.bytes += next.bytes;
        append(self, chunk, ends);
        fold_rare(self);
    }
}

fn fold_rare(file: &mut FileLedger) {
    for types in [&mut file.event_types, &mut file.contradictions] {
        if types.len() > MAX_EVENT_TYPES {
            *types = fold_rare_types(std::mem::take(types));
        }
    }
}

fn append(file: &mut FileLedger, chunk: ChunkLedger, ends: &mut Ends) {
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
    add_weights(&mut file.weighed, chunk.weighed);
    for (error_type, count) in chunk.contradictions {
        *file.contradictions.entry(error_type).or_default() += count;
    }
    file.lines += chunk.lines;
    file.uploads += chunk.uploads;
    file.events += chunk.events;
    file.blank += chunk.blank;
    file.other_rows += chunk.other_rows;
    file.other_tries += chunk.other_tries;
    for (reason, count) in chunk.rejected {
        *file.rejected.entry(reason).or_default() += count;
    }
    let across = matches!((ends.last, chunk.first_timestamp), (Some(last), Some(first)) if first < last);
    file.out_of_order += chunk.out_of_order + u64::from(across);
    ends.first = ends.first.or(chunk.first_timestamp);
    ends.last = chunk.last_timestamp.or(ends.last);
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

/// What the types beyond those that are kept are called.
const OTHER: &str = "other";

/// Keeps the first types by name and adds the rest up as `other`, which takes no place among them: so the first of the
/// whole are among the first of each part that has them.
fn fold_rare_types(types: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let mut kept = BTreeMap::new();
    let mut places = MAX_EVENT_TYPES;
    for (name, count) in types {
        let name = if name == OTHER || places == 0 { OTHER.to_owned() } else { name };
        places -= usize::from(name != OTHER);
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
                part: None,
            })
        };
        let ledger = finish([0, 1, 2]);
        assert_eq!(ledger, finish([2, 0, 1]));
        assert_eq!((ledger.lines, ledger.out_of_order), (12, 2));
        assert_eq!(ledger.examples.iter().map(|example| example.line).collect::<Vec<_>>(), [2, 3, 5, 6, 7]);
    }
}
