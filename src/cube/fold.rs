//! The one pass: every line of the logs -> the cube. Each worker folds the chunks it gets into
//! its own sums and runs; what they hold is merged once at the end.

use std::sync::Mutex;

use super::assemble::assemble;
use super::dimension::{Dimension, Interner, Numbers};
use super::key::NO_STAGE;
use super::partial::{Partial, Place};
use super::request_ids::RequestIds;
use super::slice::CRITICAL_UPLOAD;
use super::{CUBE_VERSION, Cube, Header, ListedNames, damaged, join_spans};
use crate::config::{Plan, TimestampMarks};
use crate::error::Result;
use crate::ingest::chunks::{self, Chunk, Content, MAX_LINE_BYTES};
use crate::ingest::ledger::{ChunkLedger, FileLedgerBuilder};
use crate::ingest::native::{self, Event, EventKind, Line, Upload};
use crate::ingest::reject::{Reject, RejectReason};
use crate::ingest::source::{self, Source};
use crate::ingest::timeline::{Placement, Timeline};
use crate::ingest::timestamp::NANOS_PER_SECOND;
use crate::phases::Phases;

const NANOS_PER_MS: f64 = 1e6;

/// Folds the logs under the plan and timeline.
///
/// # Errors
/// A file that cannot be read.
pub fn fold(plan: &Plan, sources: &[Source], timeline: &Timeline, phases: &Phases) -> Result<Folded> {
    let shared = Shared::new(plan, sources, timeline);
    let (hashes, scanned) = std::thread::scope(|scope| {
        let hashes = scope.spawn(|| sources.iter().map(source::sha256).collect::<Result<Vec<_>>>());
        let scanned = chunks::scan(sources, phases, || Worker::new(&shared), |worker, chunk| worker.chunk(chunk));
        (hashes.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), scanned)
    });
    let (workers, losses) = scanned?;
    let partials: Vec<Partial> = workers.into_iter().map(Worker::finish).collect();
    let builders = shared.ledgers.into_iter().map(|ledger| ledger.into_inner().expect("no worker panicked"));
    let files = builders
        .zip(sources)
        .zip(hashes?)
        .zip(losses)
        .map(|(((builder, source), sha256), loss)| {
            let loss = loss.or_else(|| source.loss.clone());
            builder.finish(source.name.clone(), source.bytes, sha256, loss)
        })
        .collect();
    let mut request_ids = shared.request_ids.into_inner().expect("no worker panicked");
    request_ids.settle();
    let header = Header {
        format: "stagegate-cube".into(),
        version: CUBE_VERSION,
        rules: plan.folding_rules(),
        timeline: timeline.clone(),
        placed_span: partials.iter().fold(None, |span, partial| join_spans(span, partial.placed_span)),
        providers: Dimension::default(),
        file_types: Dimension::default(),
        error_types: Dimension::default(),
        files,
    };
    Ok(Folded { header, partials, interners: [shared.providers, shared.file_types, shared.error_types], request_ids })
}

/// What the workers folded, not yet one cube.
pub struct Folded {
    header: Header,
    partials: Vec<Partial>,
    interners: [Interner; 3],
    request_ids: RequestIds,
}

impl Folded {
    /// Merges the workers' parts into tables.
    ///
    /// # Errors
    /// None that a log can cause.
    pub fn into_cube(self) -> Result<Cube> {
        assemble(self.header, self.partials, &self.interners, self.request_ids).map_err(damaged)
    }
}

/// What the workers share.
struct Shared<'p> {
    plan: &'p Plan,
    sources: &'p [Source],
    placement: Placement<'p>,
    providers: Interner,
    file_types: Interner,
    error_types: Interner,
    ledgers: Vec<Mutex<FileLedgerBuilder>>,
    request_ids: Mutex<RequestIds>,
}

impl<'p> Shared<'p> {
    fn new(plan: &'p Plan, sources: &'p [Source], timeline: &'p Timeline) -> Self {
        let listed = ListedNames::of(plan);
        Self {
            plan,
            sources,
            placement: Placement::new(plan, timeline),
            providers: Interner::new(listed.providers, plan.max_distinct),
            file_types: Interner::new(listed.file_types, plan.max_distinct),
            error_types: Interner::new(listed.error_types, plan.max_distinct),
            ledgers: sources.iter().map(|_| Mutex::default()).collect(),
            request_ids: Mutex::default(),
        }
    }
}

struct Worker<'s> {
    shared: &'s Shared<'s>,
    partial: Partial,
    providers: Numbers<'s>,
    file_types: Numbers<'s>,
    error_types: Numbers<'s>,
    id_hashes: Vec<u64>,
}

/// Request ids that a worker collects before it takes the lock.
const ID_BATCH: usize = 1 << 15;

impl<'s> Worker<'s> {
    fn new(shared: &'s Shared<'s>) -> Self {
        Self {
            shared,
            partial: Partial::default(),
            providers: Numbers::new(&shared.providers),
            file_types: Numbers::new(&shared.file_types),
            error_types: Numbers::new(&shared.error_types),
            id_hashes: Vec::with_capacity(ID_BATCH),
        }
    }

    fn finish(mut self) -> Partial {
        self.hand_over_ids();
        self.partial
    }

    fn hand_over_ids(&mut self) {
        self.shared.request_ids.lock().expect("no worker panicked").extend(&self.id_hashes);
        self.id_hashes.clear();
    }

    fn chunk(&mut self, chunk: &Chunk) {
        let mut ledger = ChunkLedger::default();
        let file_stage = self.shared.sources[chunk.source].stage;
        match &chunk.content {
            Content::TooLong(text) => {
                ledger.lines = 1;
                ledger.reject(too_long(), text.as_bytes());
            }
            Content::Lines(bytes) => {
                let bytes = chunks::without_bom(bytes, chunk.sequence);
                // One check of a whole chunk is much faster than one per line.
                let text = std::str::from_utf8(bytes).ok();
                for range in chunks::line_ranges(bytes) {
                    ledger.lines += 1;
                    let line = &bytes[range.clone()];
                    match text {
                        Some(text) => self.line(line, Ok(&text[range]), file_stage, &mut ledger),
                        None => self.line(line, std::str::from_utf8(line), file_stage, &mut ledger),
                    }
                }
            }
        }
        let mut builder = self.shared.ledgers[chunk.source].lock().expect("no worker panicked");
        builder.add(chunk.sequence, ledger);
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
        let placed = self.shared.placement.place(file_stage, own, start).map_err(|message| match own {
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
        if let Some(id) = &upload.request_id {
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
        let placed = self.shared.placement.place(file_stage, None, at).ok().map(|placed| placed.stage);
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
