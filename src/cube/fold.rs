//! Every line of the logs -> the cube. Each worker folds the chunks it gets into its own cells; what they hold is
//! merged once at the end. `passes` decides which worker gets what, and how often.

mod mapped;

use std::sync::{Arc, Mutex, OnceLock};

use super::assemble::{Parts, assemble};
use super::dimension::{Interner, NameList, Numbers};
use super::header::{CUBE_VERSION, Cube, Header, ListedNames, damaged, join_spans};
use super::key::NO_STAGE;
use super::partial::{Partial, Place};
use super::request_ids::RequestIds;
use super::slice::CRITICAL_UPLOAD;
use crate::config::{EpochNanos, Plan, TimestampMarks};
use crate::error::Result;
use crate::ingest::chunks::{self, Chunk, Content, MAX_LINE_BYTES, Outcome, Outcomes};
use crate::ingest::fast::FastReader;
use crate::ingest::ledger::{ChunkLedger, FileFacts, FileLedgerBuilder};
use crate::ingest::native::{self, Event, EventKind, Line, Upload};
use crate::ingest::reject::{Reject, RejectReason};
use crate::ingest::rows::Columns;
use crate::ingest::source::Source;
use crate::ingest::timeline::{Placed, Placement, Timeline};
use crate::ingest::timestamp::NANOS_PER_SECOND;

const NANOS_PER_MS: f64 = 1e6;

/// What a worker folded since it last handed something over.
pub(super) struct Batch {
    pub parts: Parts,
    /// What was placed by which timeline: the span of its starts.
    placed_by: Vec<(Arc<Timeline>, Span)>,
    /// Whether the timeline had no stage for some line.
    pub unplaced: bool,
}

impl Batch {
    /// Whether the whole timeline places something elsewhere than it was placed.
    pub(super) fn misplaced(&self, whole: &Timeline) -> bool {
        let differs = |timeline: &Timeline, (from, to)| timeline.first_disagreement(whole, from, to).is_some();
        self.placed_by.iter().any(|(timeline, span)| span.is_some_and(|span| differs(timeline, span)))
    }
}

/// Whether request ids are counted, or were when the same lines were read before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ids {
    Count,
    Known,
}

/// What the workers folded, not yet one cube.
pub struct Folded {
    header: Header,
    parts: Vec<Parts>,
    interners: [Interner; 3],
    request_ids: RequestIds,
}

impl Folded {
    /// Merges the workers' parts into tables.
    ///
    /// # Errors
    /// None that a log can cause.
    pub fn into_cube(self) -> Result<Cube> {
        assemble(self.header, self.parts, &self.interners, self.request_ids).map_err(damaged)
    }
}

/// What the workers share.
pub(super) struct Shared<'p> {
    plan: &'p Plan,
    pub sources: &'p [Source],
    providers: Interner,
    file_types: Interner,
    error_types: Interner,
    ledgers: Vec<Mutex<FileLedgerBuilder>>,
    /// The names of the columns of each source, where it is CSV.
    columns: Vec<OnceLock<Columns>>,
    request_ids: Mutex<RequestIds>,
}

impl<'p> Shared<'p> {
    pub(super) fn new(plan: &'p Plan, sources: &'p [Source]) -> Self {
        let listed = ListedNames::of(plan);
        Self {
            plan,
            sources,
            providers: Interner::new(listed.providers, usize::from(plan.input.max_distinct)),
            file_types: Interner::new(listed.file_types, usize::from(plan.input.max_distinct)),
            error_types: Interner::new(listed.error_types, usize::from(plan.input.max_distinct)),
            ledgers: sources.iter().map(|_| Mutex::default()).collect(),
            columns: sources.iter().map(|_| OnceLock::new()).collect(),
            request_ids: Mutex::default(),
        }
    }

    /// Forgets the lines of a source, which is to be read again.
    pub(super) fn forget_lines(&self, source: usize) {
        *self.ledgers[source].lock().expect("no worker panicked") = FileLedgerBuilder::default();
    }

    /// What was folded of all sources, under the whole timeline.
    pub(super) fn folded(self, whole: &Timeline, parts: Vec<Parts>, outcomes: Outcomes) -> Folded {
        let mut by_source = vec![Outcome::default(); self.sources.len()];
        outcomes.into_iter().for_each(|(index, outcome)| by_source[index] = outcome);
        let builders = self.ledgers.into_iter().map(|ledger| ledger.into_inner().expect("no worker panicked"));
        let files = builders
            .zip(self.sources)
            .zip(by_source)
            .map(|((builder, source), outcome)| {
                let loss = outcome.loss.or_else(|| source.loss.clone());
                let format = source.mapping.as_ref().map_or("native", |mapping| &mapping.name).to_owned();
                let (path, bytes) = (source.name.clone(), source.bytes);
                builder.finish(FileFacts { path, format, bytes, sha256: outcome.sha256, loss })
            })
            .collect();
        let mut request_ids = self.request_ids.into_inner().expect("no worker panicked");
        request_ids.settle();
        let header = Header {
            format: "stagegate-cube".into(),
            version: CUBE_VERSION,
            rules: self.plan.folding_rules(),
            timeline: whole.clone(),
            placed_span: None,
            providers: NameList::default(),
            file_types: NameList::default(),
            error_types: NameList::default(),
            files,
        };
        let interners = [self.providers, self.file_types, self.error_types];
        Folded { header, parts, interners, request_ids }
    }
}

/// Folds chunks.
pub(super) struct Worker<'s> {
    shared: &'s Shared<'s>,
    partial: Partial,
    providers: Numbers<'s>,
    file_types: Numbers<'s>,
    error_types: Numbers<'s>,
    ids: Ids,
    id_hashes: Vec<u64>,
    fast: FastReader,
    placement: Placement<'s>,
    /// The last answer of the timeline, and from when to when it holds.
    last_place: Option<(EpochNanos, EpochNanos, Placed)>,
    /// What was placed by which timeline: the span of its starts.
    placed_by: Vec<(Arc<Timeline>, Span)>,
    /// Whether the timeline had no stage for some line.
    unplaced: bool,
}

/// First and last moment.
type Span = Option<(EpochNanos, EpochNanos)>;

/// Request ids that a worker collects before it takes the lock.
const ID_BATCH: usize = 1 << 15;

impl<'s> Worker<'s> {
    pub(super) fn new(shared: &'s Shared<'s>, timeline: Arc<Timeline>, ids: Ids) -> Self {
        Self {
            shared,
            partial: Partial::default(),
            providers: Numbers::new(&shared.providers),
            file_types: Numbers::new(&shared.file_types),
            error_types: Numbers::new(&shared.error_types),
            ids,
            id_hashes: Vec::with_capacity(ID_BATCH),
            fast: FastReader::default(),
            placement: Placement::new(shared.plan, timeline),
            last_place: None,
            placed_by: Vec::new(),
            unplaced: false,
        }
    }

    /// Places what follows by this timeline.
    fn place_by(&mut self, timeline: &Arc<Timeline>) {
        if !Arc::ptr_eq(self.placement.timeline(), timeline) {
            self.placement = Placement::new(self.shared.plan, Arc::clone(timeline));
            self.last_place = None;
        }
        if self.placed_by.last().is_none_or(|(last, _)| !Arc::ptr_eq(last, timeline)) {
            self.placed_by.push((Arc::clone(timeline), None));
        }
    }

    /// Where a line of a file belongs, as [`Placement::place`] says.
    #[inline]
    fn place(&mut self, file_stage: Option<usize>, own: Option<&str>, start: EpochNanos) -> Result<Placed, String> {
        if file_stage.is_none() && own.is_none() {
            if let Some((_, span)) = self.placed_by.last_mut() {
                *span = join_spans(*span, Some((start, start)));
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
        self.placement.place(file_stage, own, start)
    }

    /// Gives what was folded since the last time.
    pub(super) fn hand_over(&mut self) -> Batch {
        self.hand_over_ids();
        Batch {
            parts: std::mem::take(&mut self.partial).into(),
            placed_by: std::mem::take(&mut self.placed_by),
            unplaced: std::mem::take(&mut self.unplaced),
        }
    }

    fn hand_over_ids(&mut self) {
        self.shared.request_ids.lock().expect("no worker panicked").extend(&self.id_hashes);
        self.id_hashes.clear();
    }

    /// Folds a chunk, placed by the timeline that was known when it was read.
    pub(super) fn chunk(&mut self, chunk: &Chunk<Arc<Timeline>>) {
        let mut ledger = ChunkLedger::default();
        let file_stage = self.shared.sources[chunk.source].stage;
        self.place_by(&chunk.mark);
        match &chunk.content {
            Content::TooLong(text) => {
                ledger.lines = 1;
                ledger.reject(Reject::too_long(), text.as_bytes());
            }
            Content::Lines(lines) if self.shared.sources[chunk.source].mapping.is_some() => {
                lines.parts().iter().for_each(|part| self.mapped_lines(part, chunk.source, &mut ledger));
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
        let mut builder = self.shared.ledgers[chunk.source].lock().expect("no worker panicked");
        builder.add(chunk.sequence, ledger);
    }

    /// Lines of UTF-8: fast where they have the logger's layout.
    fn text_lines(&mut self, text: &str, file_stage: Option<usize>, ledger: &mut ChunkLedger) {
        let mut rest = text;
        let marks = self.shared.plan.input.timestamp_marks;
        while !rest.is_empty() {
            ledger.lines += 1;
            if let Some((upload, length)) = self.fast.read(rest) {
                let line = &rest[..length - 1];
                rest = &rest[length..];
                // Longer lines are rejected, whatever they hold.
                let fits = line.len() <= MAX_LINE_BYTES;
                match if fits { self.upload(line, &upload, file_stage, marks) } else { Err(Reject::too_long()) } {
                    Ok(()) => ledger.upload(&upload),
                    Err(reject) => ledger.reject(reject, line.as_bytes()),
                }
                continue;
            }
            let end = memchr::memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
            let line = &rest[..end];
            let line = line.strip_suffix('\r').unwrap_or(line);
            self.line(line.as_bytes(), Ok(line), file_stage, ledger);
            rest = rest.get(end + 1..).unwrap_or_default();
        }
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
            Line::Upload(upload) => {
                self.upload(text, &upload, file_stage, self.shared.plan.input.timestamp_marks)?;
                ledger.upload(&upload);
            }
            Line::Event(event) => {
                ledger.event(&event.event_type);
                self.event(event, file_stage);
            }
        }
        Ok(())
    }

    #[expect(clippy::cast_possible_truncation, reason = "whole nanoseconds of a year, and stages fewer than 256")]
    fn upload(
        &mut self,
        line: &str,
        upload: &Upload<'_>,
        file_stage: Option<usize>,
        marks: TimestampMarks,
    ) -> Result<(), Reject> {
        let duration_ns = (upload.duration_ms.unwrap_or(0.0) * NANOS_PER_MS).round() as i64;
        let (start, end) = match marks {
            TimestampMarks::End => (upload.timestamp - duration_ns, upload.timestamp),
            TimestampMarks::Start => (upload.timestamp, upload.timestamp + duration_ns),
        };
        let own = upload.stage.as_deref();
        let placed = self.place(file_stage, own, start).map_err(|message| match own {
            Some(_) if upload.stage_offset > 0 => {
                Reject::at(RejectReason::NoStage, line.as_bytes(), upload.stage_offset, message)
            }
            _ => Reject::whole_line(RejectReason::NoStage, message),
        })?;
        let placed_in = match &self.shared.plan.by_day {
            None => Some(placed.stage),
            Some(by_day) => by_day.stage(placed.stage, end),
        };
        // Of another day: read, counted, and no part of this day's report.
        let Some(stage) = placed_in else { return Ok(()) };
        if placed.by_timeline {
            self.partial.placed_span = join_spans(self.partial.placed_span, Some((start, start)));
        }
        if let Some(id) = upload.request_id.as_ref().filter(|_| self.ids == Ids::Count) {
            self.id_hashes.push(xxhash_rust::xxh3::xxh3_64(id.as_bytes()));
            if self.id_hashes.len() >= ID_BATCH {
                self.hand_over_ids();
            }
        }
        let failed = !upload.success;
        let place = Place {
            stage: stage as u64,
            provider: self.providers.number(upload.provider.as_deref()),
            file_type: self.file_types.number(upload.file_type.as_deref()),
            size_bucket: size_bucket(upload.file_size_mb, &self.shared.plan.analysis.size_bounds_mb),
            error_type: failed.then(|| self.error_types.number(upload.error_type.as_deref())),
            start,
            end,
        };
        self.partial.upload(upload, &place);
        if failed {
            self.critical_upload(upload, &place);
        }
        Ok(())
    }

    /// A critical error counts by the minute, not by the hour as the others do: the clock for a
    /// rollback starts with it.
    #[expect(clippy::cast_possible_truncation, reason = "whole nanoseconds of a year, and stages fewer than 256")]
    fn critical_upload(&mut self, upload: &Upload<'_>, place: &Place) {
        let critical = &self.shared.plan.analysis.critical_errors;
        let Some(name) = upload.error_type.as_deref().filter(|name| critical.iter().any(|known| known == name)) else {
            return;
        };
        let minute = place.end - place.end.rem_euclid(60 * NANOS_PER_SECOND);
        let kind = f64::from(upload.execution_type as u8);
        self.partial.event((minute, CRITICAL_UPLOAD.into(), place.stage as u8, kind.to_bits(), name.to_owned()));
    }

    #[expect(clippy::cast_possible_truncation, reason = "whole nanoseconds of a year, and stages fewer than 256")]
    fn event(&mut self, event: Event, file_stage: Option<usize>) {
        let Some(at) = event.timestamp else { return };
        let placed = self.place(file_stage, None, at).ok().map(|placed| placed.stage);
        let stage = match &self.shared.plan.by_day {
            None => placed,
            // A day tells what happened on it.
            Some(by_day) => match placed.and_then(|stage| by_day.stage(stage, at)) {
                None => return,
                stage => stage,
            },
        };
        let stage = stage.map_or(NO_STAGE, |stage| stage as u8);
        let value = match event.kind {
            EventKind::MemorySample { rss_mb } => {
                self.partial.memory_sample(at, stage, rss_mb);
                return;
            }
            EventKind::RolloutStage { percentage } => percentage,
            EventKind::Complaint { count } => count as f64,
            EventKind::Rollback | EventKind::CriticalError | EventKind::Simulation | EventKind::Unknown => 0.0,
        };
        self.partial.event((at, event.event_type, stage, value.to_bits(), event.text));
    }
}

/// The number of the first bound that is not below the size; then "above the last", then "unknown".
fn size_bucket(size_mb: Option<f64>, bounds: &[f64]) -> u64 {
    match size_mb {
        Some(size) => bounds.iter().position(|bound| size <= *bound).unwrap_or(bounds.len()) as u64,
        None => bounds.len() as u64 + 1,
    }
}
