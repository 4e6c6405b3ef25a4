//! Every line of the logs -> the cube. Each worker folds the chunks it gets into its own cells; what they hold is
//! merged once at the end. `passes` decides which worker gets what, and how often.

mod mapped;
mod shared;

use std::sync::Arc;

use super::assemble::Parts;
use super::dimension::Numbers;
use super::header::join_spans;
use super::key::{NO_STAGE, Visits};
use super::partial::{Partial, Place};
use super::segments::{SegmentNumbers, Tuple};
use super::slice::CRITICAL_UPLOAD;
use super::tries::Position;
use crate::config::{EpochNanos, TimestampMarks};
use crate::ingest::chunks::{self, Chunk, Content, MAX_LINE_BYTES};
use crate::ingest::layout::Layouts;
use crate::ingest::learned::{self, Learned};
use crate::ingest::ledger::ChunkLedger;
use crate::ingest::native::{self, Event, EventKind, Line};
use crate::ingest::placement::{Placed, Placement};
use crate::ingest::record::Record;
use crate::ingest::reject::{Reject, RejectReason};
use crate::ingest::timeline::Timeline;
use crate::ingest::timestamp::{IsoReader, NANOS_PER_SECOND};
use crate::schema::record::Values;
pub(super) use shared::{Folded, Shared};

const NANOS_PER_MS: f64 = 1e6;

/// What a worker folded since it last handed something over.
pub(super) struct Batch<const M: usize> {
    pub parts: Parts<M>,
    placed_by: Vec<PlacedBy>,
    /// Whether the timeline had no stage for some line.
    pub unplaced: bool,
    /// Where ids were gathered: those of rows, and where these stand.
    pub tries: Vec<(u64, Position)>,
}

/// What was placed by which timeline.
#[derive(Debug, Clone)]
struct PlacedBy {
    timeline: Arc<Timeline>,
    /// Of the starts of what it gave its stage.
    placed: Span,
    /// Of the starts of what it gave no more than its period.
    numbered: Span,
}

impl<const M: usize> Batch<M> {
    /// Whether the whole timeline places something elsewhere than it was placed.
    pub(super) fn misplaced(&self, whole: &Timeline) -> bool {
        self.placed_by.iter().any(|by| {
            let in_stage = |span| by.timeline.first_disagreement(whole, span, |progress| progress).is_some();
            let in_period = |span| by.timeline.first_disagreement(whole, span, |progress| progress.period).is_some();
            by.placed.is_some_and(in_stage) || by.numbered.is_some_and(in_period)
        })
    }
}

fn hash_of_id(id: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(id.as_bytes())
}

/// Whether request ids are counted, or were when the same lines were read before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ids {
    Count,
    Known,
    /// Nothing is counted: which rows have which id is gathered.
    Gather,
}

/// Folds chunks.
pub(super) struct Worker<'s, const M: usize, const L: usize> {
    shared: &'s Shared<'s>,
    partial: Partial<M, L>,
    /// By dimension, as in [`Shared`].
    names: Vec<Option<Numbers<'s>>>,
    segments: SegmentNumbers<'s>,
    error_types: Numbers<'s>,
    ids: Ids,
    id_hashes: Vec<u64>,
    /// As in [`Batch`].
    tries: Vec<(u64, Position)>,
    /// Where the next row stands.
    row: Position,
    /// What was learned of the logger's own lines, and of those of each mapping.
    layouts: Option<Layouts>,
    learned: Learned,
    times: IsoReader,
    placement: Placement<'s>,
    /// The last answer of the timeline, and from when to when it holds.
    last_place: Option<(EpochNanos, EpochNanos, Placed)>,
    placed_by: Vec<PlacedBy>,
    /// Whether the timeline had no stage for some line.
    unplaced: bool,
    visits: Visits,
}

/// First and last moment.
type Span = Option<(EpochNanos, EpochNanos)>;

/// Request ids that a worker collects before it takes the lock.
const ID_BATCH: usize = 1 << 15;

impl<'s, const M: usize, const L: usize> Worker<'s, M, L> {
    pub(super) fn new(shared: &'s Shared<'s>, timeline: Arc<Timeline>, ids: Ids) -> Self {
        Self {
            shared,
            partial: Partial::default(),
            names: shared.names.iter().map(|names| names.as_ref().map(Numbers::new)).collect(),
            segments: SegmentNumbers::new(&shared.segments),
            error_types: Numbers::new(&shared.error_types),
            ids,
            id_hashes: Vec::with_capacity(ID_BATCH),
            tries: Vec::new(),
            row: Position { start: 0, source: 0, chunk: 0, row: 0 },
            layouts: learned::wanted_of_native().map(Layouts::new),
            learned: Learned::default(),
            times: IsoReader::default(),
            placement: Placement::new(shared.plan, timeline),
            last_place: None,
            placed_by: Vec::new(),
            unplaced: false,
            visits: Visits { stages: shared.plan.folding_rules().stage_numbers() },
        }
    }

    /// Places what follows by this timeline.
    fn place_by(&mut self, timeline: &Arc<Timeline>) {
        if !Arc::ptr_eq(self.placement.timeline(), timeline) {
            self.placement = Placement::new(self.shared.plan, Arc::clone(timeline));
            self.last_place = None;
        }
        if self.placed_by.last().is_none_or(|last| !Arc::ptr_eq(&last.timeline, timeline)) {
            self.placed_by.push(PlacedBy { timeline: Arc::clone(timeline), placed: None, numbered: None });
        }
    }

    /// Where a line of a file belongs, as [`Placement::place`] says.
    #[inline]
    fn place(&mut self, file_stage: Option<usize>, own: Option<&str>, start: EpochNanos) -> Result<Placed, String> {
        if file_stage.is_none() && own.is_none() {
            if let Some(by) = self.placed_by.last_mut() {
                by.placed = join_spans(by.placed, Some((start, start)));
            }
            if let Some((from, to, placed)) = self.last_place
                && (from..to).contains(&start)
            {
                return Ok(placed);
            }
            let placed = self.placement.place(None, None, start).inspect_err(|_| self.unplaced = true)?;
            let (from, to) = self.placement.same_place(start);
            self.last_place = Some((from, to, placed));
            return Ok(placed);
        }
        if file_stage.is_none()
            && let Some(by) = self.placed_by.last_mut()
        {
            by.numbered = join_spans(by.numbered, Some((start, start)));
        }
        self.placement.place(file_stage, own, start)
    }

    /// Gives what was folded since the last time.
    pub(super) fn hand_over(&mut self) -> Batch<M> {
        self.hand_over_ids();
        Batch {
            parts: std::mem::take(&mut self.partial).into(),
            placed_by: std::mem::take(&mut self.placed_by),
            unplaced: std::mem::take(&mut self.unplaced),
            tries: std::mem::take(&mut self.tries),
        }
    }

    fn hand_over_ids(&mut self) {
        self.shared.request_ids.lock().expect("no worker panicked").extend(&self.id_hashes);
        self.id_hashes.clear();
    }

    /// Folds a chunk, placed by the timeline that was known when it was read.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "files and chunks of one MB are fewer than four thousand million"
    )]
    pub(super) fn chunk(&mut self, chunk: &Chunk<Arc<Timeline>>) {
        let mut ledger = ChunkLedger::default();
        let file_stage = self.shared.sources[chunk.origin.source].stage;
        self.place_by(&chunk.mark);
        self.row =
            Position { start: 0, source: chunk.origin.source as u32, chunk: chunk.origin.sequence as u32, row: 0 };
        match &chunk.content {
            Content::TooLong(text) => {
                ledger.lines = 1;
                ledger.reject(Reject::too_long(), text.as_bytes());
            }
            Content::Lines(lines) if self.shared.sources[chunk.origin.source].mapping.is_some() => {
                lines.parts().iter().for_each(|part| self.mapped_lines(part, chunk.origin.source, &mut ledger));
            }
            Content::Lines(lines) => {
                for part in lines.parts() {
                    // One check of a whole chunk is much faster than one per line.
                    match std::str::from_utf8(part) {
                        Ok(text) => self.text_lines(text, file_stage, &mut ledger),
                        Err(_) => {
                            for range in chunks::line_ranges(part) {
                                ledger.lines += 1;
                                let line = &part[range];
                                self.line(line, std::str::from_utf8(line), file_stage, &mut ledger);
                            }
                        }
                    }
                }
            }
        }
        let mut builder = self.shared.ledgers[chunk.origin.source].lock().expect("no worker panicked");
        builder.add(chunk.origin.sequence, ledger);
    }

    /// Lines of UTF-8: by their layout where it is known.
    fn text_lines(&mut self, text: &str, file_stage: Option<usize>, ledger: &mut ChunkLedger) {
        let mut rest = text;
        let marks = self.shared.plan.input.timestamp_marks;
        let Some(mut layouts) = self.layouts.take() else { return };
        while !rest.is_empty() {
            ledger.lines += 1;
            if let Some((flat, length)) = layouts.read(rest)
                // Longer lines are rejected, whatever they hold.
                && length <= MAX_LINE_BYTES
                && let Some(read) = learned::read_native(rest, flat, &mut self.times)
            {
                let line = rest[..length].trim_ascii_end();
                // A record is large: it is not moved.
                match &read {
                    Ok(record) => match self.record(line, record, file_stage, marks) {
                        Ok(counts) => ledger.record(record, counts),
                        Err(reject) => ledger.reject(reject, line.as_bytes()),
                    },
                    Err(reject) => ledger.reject(reject.clone(), line.as_bytes()),
                }
                rest = &rest[length..];
                continue;
            }
            let end = memchr::memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
            let line = &rest[..end];
            let line = line.strip_suffix('\r').unwrap_or(line);
            let before = ledger.uploads;
            self.line(line.as_bytes(), Ok(line), file_stage, ledger);
            if ledger.uploads > before && layouts.learns() {
                layouts.learn(rest);
            }
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        self.layouts = Some(layouts);
    }

    fn line(
        &mut self,
        line: &[u8],
        text: Result<&str, std::str::Utf8Error>,
        file_stage: Option<usize>,
        ledger: &mut ChunkLedger,
    ) {
        let Some(text) = ledger.usable(line, text) else { return };
        if let Err(reject) = self.text(text, file_stage, ledger) {
            ledger.reject(reject, line);
        }
    }

    fn text(&mut self, text: &str, file_stage: Option<usize>, ledger: &mut ChunkLedger) -> Result<(), Reject> {
        match native::parse_line(text)? {
            Line::Record(record) => {
                let counts = self.record(text, &record, file_stage, self.shared.plan.input.timestamp_marks)?;
                ledger.record(&record, counts);
            }
            Line::Event(event) => {
                ledger.event(&event.event_type);
                self.event(event, file_stage);
            }
        }
        Ok(())
    }

    /// Whether the row with this id counts, under a config that does not count every try.
    #[cold]
    fn counts(&mut self, record: &Record<'_>, start: EpochNanos) -> bool {
        let row = Position { start, ..self.row };
        self.row.row += 1;
        let Some(id) = record.request_id.as_deref().map(hash_of_id) else { return self.ids != Ids::Gather };
        if self.ids == Ids::Gather {
            self.tries.push((id, row));
            return false;
        }
        self.shared.counting.counts(id, row)
    }

    /// Folds a record, and tells whether it counts: another try of the same request may.
    #[expect(clippy::cast_possible_truncation, reason = "whole nanoseconds of a year, and stages fewer than 256")]
    fn record(
        &mut self,
        line: &str,
        record: &Record<'_>,
        file_stage: Option<usize>,
        marks: TimestampMarks,
    ) -> Result<bool, Reject> {
        let duration_ns = (record.duration_ms.unwrap_or(0.0) * NANOS_PER_MS).round() as i64;
        let (start, end) = match marks {
            TimestampMarks::End => (record.timestamp - duration_ns, record.timestamp),
            TimestampMarks::Start => (record.timestamp, record.timestamp + duration_ns),
        };
        let own = record.stage.as_deref();
        let placed = self.place(file_stage, own, start).map_err(|message| match own {
            Some(_) if record.stage_offset > 0 => {
                Reject::at(RejectReason::NoStage, line.as_bytes(), record.stage_offset, message)
            }
            _ => Reject::whole_line(RejectReason::NoStage, message),
        })?;
        if !self.shared.plan.schema.tries.is_all() && !self.counts(record, start) {
            return Ok(false);
        }
        let placed_in = match &self.shared.plan.by_day {
            None => Some(placed.stage),
            Some(by_day) => by_day.stage(placed.stage, end),
        };
        // Of another day: read, counted, and no part of this day's report.
        let Some(stage) = placed_in else { return Ok(true) };
        if placed.by_timeline {
            self.partial.placed_span = join_spans(self.partial.placed_span, Some((start, start)));
        } else if file_stage.is_none() {
            self.partial.numbered_span = join_spans(self.partial.numbered_span, Some((start, start)));
        }
        if let Some(id) = record.request_id.as_ref().filter(|_| self.ids == Ids::Count) {
            self.id_hashes.push(hash_of_id(id));
            if self.id_hashes.len() >= ID_BATCH {
                self.hand_over_ids();
            }
        }
        let failed = !record.success;
        let place = Place {
            stage: stage as u8,
            visit: self.visits.number(placed.period, self.left_out(stage, start)),
            segment: self.segment(record),
            error_type: failed.then(|| self.error_types.number(record.error_type.as_deref())),
            start,
            end,
        };
        self.partial.record(record, &place);
        if failed {
            self.critical_record(record, &place);
        }
        Ok(true)
    }

    /// The number of a stage, or that of what is left out of it.
    #[inline]
    fn left_out(&self, stage: usize, at: EpochNanos) -> usize {
        let plan = self.shared.plan;
        if plan.leaves_out(at, at + 1) { plan.stages.len() + stage } else { stage }
    }

    #[inline]
    fn segment(&mut self, record: &Record<'_>) -> u32 {
        let mut tuple = Tuple::default();
        let dimensions = self.names.iter_mut().zip(&self.shared.plan.schema.dimensions);
        for (index, (number, (names, dimension))) in tuple.iter_mut().zip(dimensions).enumerate() {
            *number = match (names, &dimension.values) {
                (Some(names), _) => names.number(record.name(index)),
                (None, Values::Bounds(bounds)) => shared::bucket(bounds, record.number(index)),
                (None, Values::Names) => 0,
            };
        }
        self.segments.number(&tuple)
    }

    /// A critical error counts by the minute, not by the hour as the others do: the clock for a
    /// rollback starts with it.
    fn critical_record(&mut self, record: &Record<'_>, place: &Place) {
        let critical = &self.shared.plan.analysis.critical_errors;
        let Some(name) = record.error_type.as_deref().filter(|name| critical.iter().any(|known| known == name)) else {
            return;
        };
        let minute = place.end - place.end.rem_euclid(60 * NANOS_PER_SECOND);
        let kind = f64::from(record.execution_type as u8);
        self.partial.event((minute, CRITICAL_UPLOAD.into(), place.stage, kind.to_bits(), name.to_owned()));
    }

    #[expect(clippy::cast_possible_truncation, reason = "whole nanoseconds of a year, and stages fewer than 256")]
    fn event(&mut self, event: Event, file_stage: Option<usize>) {
        let Some(at) = event.timestamp else { return };
        let placed = self.place(file_stage, None, at).ok();
        let stage = match &self.shared.plan.by_day {
            None => placed.map(|placed| placed.stage),
            // A day tells what happened on it.
            Some(by_day) => match placed.and_then(|placed| by_day.stage(placed.stage, at)) {
                None => return,
                stage => stage,
            },
        };
        let visit =
            placed.zip(stage).map(|(placed, stage)| self.visits.number(placed.period, self.left_out(stage, at)));
        let stage = stage.map_or(NO_STAGE, |stage| stage as u8);
        let value = match event.kind {
            EventKind::MemorySample { rss_mb } => {
                self.partial.memory_sample(at, visit.unwrap_or(NO_STAGE), rss_mb);
                return;
            }
            EventKind::RolloutStage { percentage } => percentage,
            EventKind::Complaint { count } => count as f64,
            EventKind::Rollback | EventKind::CriticalError | EventKind::Simulation | EventKind::Unknown => 0.0,
        };
        self.partial.event((at, event.event_type, stage, value.to_bits(), event.text));
    }
}
