//! The one pass: every line of the logs -> the cube. Each worker folds the chunks it gets into
//! its own sums and runs; what they hold is merged once at the end.

use std::sync::{Arc, Mutex};

use rayon::prelude::*;

use super::assemble::{Parts, assemble};
use super::dimension::{Dimension, Interner, Numbers};
use super::key::NO_STAGE;
use super::partial::{Partial, Place};
use super::request_ids::RequestIds;
use super::slice::CRITICAL_UPLOAD;
use super::{CUBE_VERSION, Cube, Header, ListedNames, damaged, join_spans};
use crate::config::{EpochNanos, Plan, TimestampMarks};
use crate::error::Result;
use crate::ingest::chunks::{self, Chunk, Content, MAX_LINE_BYTES, Outcome, Outcomes, Pool, Queue};
use crate::ingest::fast::FastReader;
use crate::ingest::ledger::{ChunkLedger, FileLedgerBuilder};
use crate::ingest::native::{self, Event, EventKind, Line, Upload};
use crate::ingest::reject::{Reject, RejectReason};
use crate::ingest::source::{Compression, Source};
use crate::ingest::timeline::{self, GrowingTimeline, Placed, Placement, Timeline};
use crate::ingest::timestamp::NANOS_PER_SECOND;
use crate::phases::Phases;

const NANOS_PER_MS: f64 = 1e6;

/// Folds the logs under the plan; `known` are stage events of other inputs.
///
/// Which stage an upload belongs to depends on events that may stand behind it, or in another file. One log, and
/// archives, are read once all the same: their lines are placed by the events read so far, and what a later one shows
/// to have been wrong (a log that is not in the order of time) is read again. In plain files among several the events
/// are searched first, which is faster than a second reading.
///
/// # Errors
/// A file that cannot be read.
pub fn fold(plan: &Plan, sources: &[Source], known: Timeline, phases: &Phases) -> Result<Folded> {
    let all: Vec<usize> = (0..sources.len()).collect();
    if let [source] = sources
        && source.stage.is_none()
    {
        let growing = GrowingTimeline::from(known);
        let folded = phases.time("read", || fold_under(plan, sources, &growing, phases))?;
        if folded.misplaced {
            let whole = GrowingTimeline::whole(Timeline::clone(&growing.now()));
            return phases.time("read again", || fold_under(plan, sources, &whole, phases));
        }
        return Ok(folded);
    }
    let archives = sources.iter().any(|source| source.compression != Compression::None);
    // Uploads of other days are left out by where they are placed: then what was counted cannot be mended.
    if archives
        && plan.by_day.is_none()
        && !timeline::is_needless(sources)
        && let Some(folded) = fold_unpacking_once(plan, sources, &known, phases)?
    {
        return Ok(folded);
    }
    let own = phases.time("timeline", || timeline::collect(sources, &all, phases))?;
    let whole = GrowingTimeline::whole(known.union(&own));
    phases.time("read", || fold_under(plan, sources, &whole, phases))
}

fn fold_under(plan: &Plan, sources: &[Source], timeline: &GrowingTimeline, phases: &Phases) -> Result<Folded> {
    let shared = Shared::new(plan, sources);
    let all: Vec<usize> = (0..sources.len()).collect();
    let (workers, outcomes) = scan(&shared, &all, timeline, phases)?;
    let whole = timeline.now();
    let misplaced = workers.iter().any(|worker| worker.misplaced(&whole));
    let parts: Vec<Parts> = workers.into_par_iter().map(|mut worker| worker.hand_over().parts).collect();
    Ok(Folded { misplaced, ..shared.folded(&whole, parts, outcomes) })
}

fn scan<'s>(
    shared: &'s Shared<'_>,
    which: &[usize],
    timeline: &GrowingTimeline,
    phases: &Phases,
) -> Result<(Vec<Worker<'s>>, Outcomes)> {
    chunks::scan(
        shared.sources,
        which,
        phases,
        |content| timeline.see(content),
        || Worker::new(shared, timeline.now()),
        |worker, chunk| worker.chunk(chunk),
    )
}

/// Packed bytes that are folded by themselves, at least: what a wrongly placed line costs to read again.
const UNIT_BYTES: u64 = 4 << 20;
/// Units of a run, about: what each of them folded is held until the whole timeline is known.
const UNITS: u64 = 64;

/// Folds archives each by one thread, without knowing the events of the others, and those that this placed wrongly
/// again; then the plain files. `None` where a line could not be placed, before or after: it was counted, or not, as
/// if that were certain.
fn fold_unpacking_once(plan: &Plan, sources: &[Source], known: &Timeline, phases: &Phases) -> Result<Option<Folded>> {
    let shared = Shared::new(plan, sources);
    let (plain, packed): (Vec<usize>, Vec<usize>) =
        (0..sources.len()).partition(|index| sources[*index].compression == Compression::None);
    let of_plain = phases.time("timeline", || timeline::collect(sources, &plain, phases))?;
    let growing = GrowingTimeline::from(known.union(&of_plain));
    let folded = phases.time("read", || fold_units(&shared, units(sources, &packed), &growing, Ids::Count, phases))?;
    let whole = growing.now();
    let (wrong, mut right): (Vec<Unit>, Vec<Unit>) = folded.into_iter().partition(|unit| unit.misplaced(&whole));
    let whole = GrowingTimeline::whole(Timeline::clone(&whole));
    if !wrong.is_empty() {
        for (index, _) in wrong.iter().flat_map(|unit| &unit.outcomes) {
            *shared.ledgers[*index].lock().expect("no worker panicked") = FileLedgerBuilder::default();
        }
        let units = wrong.iter().map(|unit| unit.outcomes.iter().map(|(index, _)| *index).collect()).collect();
        let again = phases.time("read again", || fold_units(&shared, units, &whole, Ids::Known, phases))?;
        if wrong.iter().chain(&again).any(|unit| unit.unplaced) {
            return Ok(None);
        }
        right.extend(again);
    }
    let (mut parts, mut outcomes) = (Vec::new(), Vec::new());
    if !plain.is_empty() {
        let (workers, read) = phases.time("read", || scan(&shared, &plain, &whole, phases))?;
        parts.extend(workers.into_iter().map(|mut worker| worker.hand_over().parts));
        outcomes = read;
    }
    for unit in right {
        parts.push(unit.parts);
        outcomes.extend(unit.outcomes);
    }
    Ok(Some(shared.folded(&whole.now(), parts, outcomes)))
}

/// Sources that follow each other, put together.
fn units(sources: &[Source], which: &[usize]) -> Vec<Vec<usize>> {
    let all: u64 = which.iter().map(|index| sources[*index].bytes).sum();
    let enough = UNIT_BYTES.max(all / UNITS);
    let (mut units, mut unit, mut bytes) = (Vec::new(), Vec::new(), 0);
    for index in which {
        unit.push(*index);
        bytes += sources[*index].bytes;
        if bytes >= enough {
            units.push(std::mem::take(&mut unit));
            bytes = 0;
        }
    }
    units.extend((!unit.is_empty()).then_some(unit));
    units
}

/// Folds units of sources, each by one thread.
fn fold_units(
    shared: &Shared<'_>,
    units: Vec<Vec<usize>>,
    timeline: &GrowingTimeline,
    ids: Ids,
    phases: &Phases,
) -> Result<Vec<Unit>> {
    let threads = phases.threads.min(units.len());
    let units = &Queue::new(units);
    std::thread::scope(|scope| {
        let folding = || {
            let mut worker = Worker { ids, ..Worker::new(shared, timeline.now()) };
            let pool = Pool::default();
            units.map(|unit| {
                let mark = |content: &Content| timeline.see(content);
                let outcomes: Result<_> = unit
                    .into_iter()
                    .map(|index| {
                        let source = &shared.sources[index];
                        let outcome = chunks::read(index, source, &pool, phases, mark, |chunk| worker.chunk(&chunk))?;
                        Ok((index, outcome))
                    })
                    .collect();
                Ok(Unit { outcomes: outcomes?, ..worker.hand_over() })
            })
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(folding)).collect();
        let folded: Result<Vec<_>> = threads.into_iter().map(chunks::join).collect();
        Ok(folded?.into_iter().flatten().collect())
    })
}

/// What a worker folded since it last handed something over.
struct Unit {
    /// Of its sources, with their numbers, where they are its own.
    outcomes: Outcomes,
    parts: Parts,
    placed_by: Vec<(Arc<Timeline>, Span)>,
    unplaced: bool,
}

impl Unit {
    /// Whether the whole timeline places something elsewhere than it was placed.
    fn misplaced(&self, whole: &Timeline) -> bool {
        misplaced(&self.placed_by, whole)
    }
}

fn misplaced(placed_by: &[(Arc<Timeline>, Span)], whole: &Timeline) -> bool {
    placed_by
        .iter()
        .any(|(timeline, span)| span.is_some_and(|(from, to)| timeline.first_disagreement(whole, from, to).is_some()))
}

/// Whether request ids are counted, or were when the same lines were read before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ids {
    Count,
    Known,
}

/// What the workers folded, not yet one cube.
pub struct Folded {
    header: Header,
    parts: Vec<Parts>,
    interners: [Interner; 3],
    request_ids: RequestIds,
    /// Whether a line was placed by events that a later one contradicts.
    misplaced: bool,
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
struct Shared<'p> {
    plan: &'p Plan,
    sources: &'p [Source],
    providers: Interner,
    file_types: Interner,
    error_types: Interner,
    ledgers: Vec<Mutex<FileLedgerBuilder>>,
    request_ids: Mutex<RequestIds>,
}

impl<'p> Shared<'p> {
    fn new(plan: &'p Plan, sources: &'p [Source]) -> Self {
        let listed = ListedNames::of(plan);
        Self {
            plan,
            sources,
            providers: Interner::new(listed.providers, plan.max_distinct),
            file_types: Interner::new(listed.file_types, plan.max_distinct),
            error_types: Interner::new(listed.error_types, plan.max_distinct),
            ledgers: sources.iter().map(|_| Mutex::default()).collect(),
            request_ids: Mutex::default(),
        }
    }

    /// What was folded of all sources, under the whole timeline.
    fn folded(self, whole: &Timeline, parts: Vec<Parts>, outcomes: Outcomes) -> Folded {
        let mut by_source = vec![Outcome::default(); self.sources.len()];
        outcomes.into_iter().for_each(|(index, outcome)| by_source[index] = outcome);
        let builders = self.ledgers.into_iter().map(|ledger| ledger.into_inner().expect("no worker panicked"));
        let files = builders
            .zip(self.sources)
            .zip(by_source)
            .map(|((builder, source), outcome)| {
                let loss = outcome.loss.or_else(|| source.loss.clone());
                builder.finish(source.name.clone(), source.bytes, outcome.sha256, loss)
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
            providers: Dimension::default(),
            file_types: Dimension::default(),
            error_types: Dimension::default(),
            files,
        };
        let interners = [self.providers, self.file_types, self.error_types];
        Folded { header, parts, interners, request_ids, misplaced: false }
    }
}

struct Worker<'s> {
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
    fn new(shared: &'s Shared<'s>, timeline: Arc<Timeline>) -> Self {
        Self {
            shared,
            partial: Partial::default(),
            providers: Numbers::new(&shared.providers),
            file_types: Numbers::new(&shared.file_types),
            error_types: Numbers::new(&shared.error_types),
            ids: Ids::Count,
            id_hashes: Vec::with_capacity(ID_BATCH),
            fast: FastReader::default(),
            placement: Placement::new(shared.plan, timeline),
            last_place: None,
            placed_by: Vec::new(),
            unplaced: false,
        }
    }

    /// Whether the whole timeline places something elsewhere than it was placed.
    fn misplaced(&self, whole: &Timeline) -> bool {
        misplaced(&self.placed_by, whole)
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
    fn hand_over(&mut self) -> Unit {
        self.hand_over_ids();
        Unit {
            outcomes: Vec::new(),
            parts: std::mem::take(&mut self.partial).into(),
            placed_by: std::mem::take(&mut self.placed_by),
            unplaced: std::mem::take(&mut self.unplaced),
        }
    }

    fn hand_over_ids(&mut self) {
        self.shared.request_ids.lock().expect("no worker panicked").extend(&self.id_hashes);
        self.id_hashes.clear();
    }

    fn chunk(&mut self, chunk: &Chunk<Arc<Timeline>>) {
        let mut ledger = ChunkLedger::default();
        let file_stage = self.shared.sources[chunk.source].stage;
        self.place_by(&chunk.mark);
        match &chunk.content {
            Content::TooLong(text) => {
                ledger.lines = 1;
                ledger.reject(too_long(), text.as_bytes());
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
        while !rest.is_empty() {
            ledger.lines += 1;
            if let Some((upload, length)) = self.fast.read(rest) {
                let line = &rest[..length - 1];
                rest = &rest[length..];
                // Longer lines are rejected, whatever they hold.
                let fits = line.len() <= MAX_LINE_BYTES;
                match if fits { self.upload(line, &upload, file_stage) } else { Err(too_long()) } {
                    Ok(()) => ledger.upload(upload.timestamp),
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
        if line.iter().all(u8::is_ascii_whitespace) {
            ledger.blank += 1;
            return;
        }
        if line.len() > MAX_LINE_BYTES {
            ledger.reject(too_long(), line);
            return;
        }
        let outcome = match text {
            Ok(text) => self.text(text, file_stage, ledger),
            Err(error) => {
                let offset = error.valid_up_to();
                let message = format!("byte {:#04x} is not UTF-8", line[offset]);
                Err(Reject::at(RejectReason::InvalidUtf8, line, offset, message))
            }
        };
        if let Err(reject) = outcome {
            ledger.reject(reject, line);
        }
    }

    fn text(&mut self, text: &str, file_stage: Option<usize>, ledger: &mut ChunkLedger) -> Result<(), Reject> {
        match native::parse_line(text)? {
            Line::Upload(upload) => {
                self.upload(text, &upload, file_stage)?;
                ledger.upload(upload.timestamp);
            }
            Line::Event(event) => {
                ledger.event(&event.event_type);
                self.event(event, file_stage);
            }
        }
        Ok(())
    }

    fn upload(&mut self, line: &str, upload: &Upload<'_>, file_stage: Option<usize>) -> Result<(), Reject> {
        let duration_ns = (upload.duration_ms * NANOS_PER_MS).round() as i64;
        let (start, end) = match self.shared.plan.timestamp_marks {
            TimestampMarks::End => (upload.timestamp - duration_ns, upload.timestamp),
            TimestampMarks::Start => (upload.timestamp, upload.timestamp + duration_ns),
        };
        let own = upload.stage.as_deref();
        let placed = self.place(file_stage, own, start).map_err(|message| match own {
            Some(_) => Reject::at(RejectReason::NoStage, line.as_bytes(), upload.stage_offset, message),
            None => Reject::whole_line(RejectReason::NoStage, message),
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
    fn critical_upload(&mut self, upload: &Upload<'_>, place: &Place) {
        let critical = &self.shared.plan.analysis.critical_errors;
        let Some(name) = upload.error_type.as_deref().filter(|name| critical.iter().any(|known| known == name)) else {
            return;
        };
        let minute = place.end - place.end.rem_euclid(60 * NANOS_PER_SECOND);
        let kind = f64::from(upload.execution_type as u8);
        self.partial.event((minute, CRITICAL_UPLOAD.into(), place.stage as u8, kind.to_bits(), name.to_owned()));
    }

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

fn too_long() -> Reject {
    Reject::whole_line(RejectReason::LineTooLong, "the line is longer than 16 MiB")
}

/// The number of the first bound that is not below the size; then "above the last", then "unknown".
fn size_bucket(size_mb: Option<f64>, bounds: &[f64]) -> u64 {
    match size_mb {
        Some(size) => bounds.iter().position(|bound| size <= *bound).unwrap_or(bounds.len()) as u64,
        None => bounds.len() as u64 + 1,
    }
}
