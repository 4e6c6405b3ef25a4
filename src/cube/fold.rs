//! The one pass: every line of the logs -> the cube. Each worker folds the chunks it gets into
//! its own sums and runs; what they hold is merged once at the end.

use std::collections::BTreeMap;
use std::sync::Mutex;

use polars::prelude::*;
use rustc_hash::FxHashMap;

use super::busy::{BusySeconds, split_by_hour};
use super::cells::{Cells, Sum, UploadSums, merge_cells};
use super::dimension::{Dimension, Interner, Numbers, Renumbering};
use super::histogram::{Grid, fine_bin};
use super::request_ids::RequestIds;
use super::runs::{PackedRun, Runs, merge};
use super::table::{
    self, Add, DURATION_SCALE, HistogramColumns, MB_SCALE, TABLES, count_column, max_column, sum_column,
};
use super::{CUBE_VERSION, Cube, Header, ListedNames, damaged, join_spans, renumber_all};
use crate::config::{EpochNanos, Plan, TimestampMarks};
use crate::error::Result;
use crate::ingest::chunks::{self, Chunk, Content, MAX_LINE_BYTES};
use crate::ingest::ledger::{ChunkLedger, FileLedgerBuilder};
use crate::ingest::native::{self, Event, EventKind, Line, Upload};
use crate::ingest::reject::{Reject, RejectReason};
use crate::ingest::source::{self, Source};
use crate::ingest::timeline::{Placement, Timeline};
use crate::ingest::timestamp::NANOS_PER_SECOND;
use crate::phases::Phases;

/// The metrics of the fine tables.
pub const METRIC_DURATION: u64 = 0;
pub const METRIC_MEMORY: u64 = 1;
pub const METRIC_MEMORY_SAMPLE: u64 = 2;
/// The stage of an event that none places.
pub const NO_STAGE: u8 = 255;

const NANOS_PER_MS: f64 = 1e6;
const NANOS_PER_MINUTE: i64 = 60 * NANOS_PER_SECOND;
const NANOS_PER_HOUR: i64 = 3600 * NANOS_PER_SECOND;
const NANO_MB_PER_MB: f64 = 1e9;
/// Distinct events that a worker keeps; a log with more keeps the earliest.
const MAX_EVENTS: usize = 100_000;

/// Widths of the fields of a packed key. Time comes first: a log is nearly in time order, so
/// that runs hardly overlap.
const STAGE_BITS: u32 = 6;
const EXECUTION_TYPE_BITS: u32 = 2;
const NAME_BITS: u32 = 9;
const SIZE_BITS: u32 = 4;
const METRIC_BITS: u32 = 2;
const FINE_BIN_BITS: u32 = 15;
const MINUTE_BIN_BITS: u32 = 10;
const SEGMENT_BIN_BITS: u32 = 9;

fn join(key: u64, width: u32, field: u64) -> u64 {
    debug_assert!(field < 1 << width, "{field} does not fit {width} bits");
    (key << width) | field
}

/// Takes the lowest field off a key.
fn split(key: &mut u64, width: u32) -> u64 {
    let field = *key & ((1 << width) - 1);
    *key >>= width;
    field
}

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
        .map(|(((builder, source), sha256), loss)| builder.finish(source.name.clone(), source.bytes, sha256, loss))
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

type EventKey = (EpochNanos, String, u8, u64, String);

/// What one worker has folded.
#[derive(Default)]
struct Partial {
    minutes: Cells<UploadSums>,
    segments: Cells<UploadSums>,
    errors: Cells<u64>,
    minute_bins: Runs,
    segment_bins: Runs,
    fine: Runs,
    fine_segments: Runs,
    busy: FxHashMap<u64, BusySeconds>,
    memory_samples: BTreeMap<(i64, u8), (u64, u128, f64)>,
    events: BTreeMap<EventKey, u64>,
    placed_span: Option<(EpochNanos, EpochNanos)>,
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
        if placed.by_timeline {
            self.partial.placed_span = join_spans(self.partial.placed_span, Some((start, start)));
        }
        self.add(upload, placed.stage as u64, start, end, duration_ns);
        Ok(())
    }

    fn add(&mut self, upload: &Upload<'_>, stage: u64, start: EpochNanos, end: EpochNanos, duration_ns: i64) {
        let execution_type = upload.execution_type as u64;
        let minute = (end / NANOS_PER_MINUTE) as u64;
        let hour = (end / NANOS_PER_HOUR) as u64;
        let stage_key = |time| join(join(time, STAGE_BITS, stage), EXECUTION_TYPE_BITS, execution_type);
        let segment_of = |key| {
            let key = join(key, NAME_BITS, u64::from(self.providers.number(upload.provider.as_deref())));
            let key = join(key, NAME_BITS, u64::from(self.file_types.number(upload.file_type.as_deref())));
            join(key, SIZE_BITS, size_bucket(upload.file_size_mb, &self.shared.plan.analysis.size_bounds_mb))
        };
        let mut segment_of = segment_of;
        let (minute_key, hour_key) = (stage_key(minute), stage_key(hour));
        let (segment_key, whole_segment_key) = (segment_of(hour_key), segment_of(stage_key(0)));
        let sums = upload_sums(upload, duration_ns);
        let partial = &mut self.partial;
        partial.minutes.add(minute_key, &sums);
        partial.segments.add(segment_key, &sums);
        if upload.success {
            let bin = fine_bin(upload.duration_ms);
            partial.minute_bins.push(join(minute_key, MINUTE_BIN_BITS, u64::from(Grid::MINUTE.coarsen(bin))));
            partial.segment_bins.push(join(segment_key, SEGMENT_BIN_BITS, u64::from(Grid::SEGMENT.coarsen(bin))));
            partial.fine(hour_key, whole_segment_key, METRIC_DURATION, u64::from(bin));
        } else {
            let error = self.error_types.number(upload.error_type.as_deref());
            partial.errors.add(join(segment_key, NAME_BITS, u64::from(error)), &1);
        }
        if let Some(memory_mb) = upload.memory_mb {
            partial.fine(hour_key, whole_segment_key, METRIC_MEMORY, u64::from(fine_bin(memory_mb)));
        }
        let second = |at: EpochNanos| at.div_euclid(NANOS_PER_SECOND);
        for (hour, first, last) in split_by_hour(second(start), second(end)) {
            partial.busy.entry(stage_key(hour as u64)).or_default().mark(first, last);
        }
        if let Some(id) = &upload.request_id {
            self.id_hashes.push(xxhash_rust::xxh3::xxh3_64(id.as_bytes()));
            if self.id_hashes.len() >= ID_BATCH {
                self.hand_over_ids();
            }
        }
    }

    fn event(&mut self, event: Event, file_stage: Option<usize>) {
        let Some(at) = event.timestamp else { return };
        let stage = self.shared.placement.place(file_stage, None, at).map_or(NO_STAGE, |placed| placed.stage as u8);
        let value = match event.kind {
            EventKind::MemorySample { rss_mb } => {
                self.partial.memory_sample(at, stage, rss_mb);
                return;
            }
            EventKind::RolloutStage { percentage } => percentage,
            EventKind::Complaint { count } => count as f64,
            EventKind::Rollback | EventKind::CriticalError | EventKind::Simulation | EventKind::Unknown => 0.0,
        };
        let events = &mut self.partial.events;
        *events.entry((at, event.event_type, stage, value.to_bits(), event.text)).or_default() += 1;
        if events.len() > MAX_EVENTS {
            events.pop_last();
        }
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

fn upload_sums(upload: &Upload<'_>, duration_ns: i64) -> UploadSums {
    let nano_mb = |mb: Option<f64>| mb.map_or(0, |mb| (mb * NANO_MB_PER_MB).round() as u64);
    let if_success = |value: u64| if upload.success { value } else { 0 };
    UploadSums {
        uploads: 1,
        successes: u64::from(upload.success),
        success_size_nano_mb: if_success(nano_mb(upload.file_size_mb)),
        duration_ns: duration_ns as u64,
        success_duration_ns: if_success(duration_ns as u64),
        memory_uploads: u64::from(upload.memory_mb.is_some()),
        memory_nano_mb: nano_mb(upload.memory_mb),
        success_duration_max_ms: if upload.success { upload.duration_ms } else { 0.0 },
        memory_max_mb: upload.memory_mb.unwrap_or(0.0),
    }
}

impl Partial {
    fn fine(&mut self, hour_key: u64, segment_key: u64, metric: u64, bin: u64) {
        self.fine.push(join(join(hour_key, METRIC_BITS, metric), FINE_BIN_BITS, bin));
        self.fine_segments.push(join(join(segment_key, METRIC_BITS, metric), FINE_BIN_BITS, bin));
    }

    fn memory_sample(&mut self, at: EpochNanos, stage: u8, rss_mb: f64) {
        let sample = self.memory_samples.entry((at / NANOS_PER_MINUTE, stage)).or_default();
        sample.0 += 1;
        sample.1 += (rss_mb * NANO_MB_PER_MB).round() as u128;
        sample.2 = sample.2.max(rss_mb);
        if stage != NO_STAGE {
            let key = join(join((at / NANOS_PER_HOUR) as u64, STAGE_BITS, u64::from(stage)), EXECUTION_TYPE_BITS, 0);
            let key = join(join(key, METRIC_BITS, METRIC_MEMORY_SAMPLE), FINE_BIN_BITS, u64::from(fine_bin(rss_mb)));
            self.fine.push(key);
        }
    }
}

/// The workers' parts -> tables, in the numbers of the finished dimensions.
fn assemble(
    mut header: Header,
    partials: Vec<Partial>,
    interners: &[Interner; 3],
    request_ids: RequestIds,
) -> PolarsResult<Cube> {
    let mut parts = Parts::default();
    for partial in partials {
        parts.minutes.extend(partial.minutes.finish());
        parts.segments.extend(partial.segments.finish());
        parts.errors.extend(partial.errors.finish());
        parts.minute_bins.extend(partial.minute_bins.finish());
        parts.segment_bins.extend(partial.segment_bins.finish());
        parts.fine.extend(partial.fine.finish());
        parts.fine_segments.extend(partial.fine_segments.finish());
        for (key, seconds) in partial.busy {
            parts.busy.entry(key).or_default().union(&seconds.0[..]);
        }
        for (key, (samples, sum, max)) in partial.memory_samples {
            let sample = parts.memory_samples.entry(key).or_default();
            *sample = (sample.0 + samples, sample.1 + sum, sample.2.max(max));
        }
        for (key, count) in partial.events {
            *parts.events.entry(key).or_default() += count;
        }
    }
    let (mut tables, used) = parts.tables()?;
    let mut numbers: [Renumbering; 3] = Default::default();
    let dimensions = [&mut header.providers, &mut header.file_types, &mut header.error_types];
    for (((dimension, numbers), interner), used) in dimensions.into_iter().zip(&mut numbers).zip(interners).zip(&used) {
        (*dimension, *numbers) = interner.finish(|number| used[usize::from(number)]);
    }
    for (spec, table) in TABLES.iter().zip(&mut tables) {
        renumber_all(table, &numbers)?;
        // Names that the config does not list were numbered as they came: then rows change places.
        let moved = numbers.iter().zip(&used).any(|(numbers, used)| {
            let mut in_use = numbers.iter().zip(used).filter(|(_, used)| **used).map(|(number, _)| *number);
            let mut last = None;
            !in_use.all(|number| last.replace(number).is_none_or(|last| last < number))
        });
        if moved && spec.keys.iter().any(|key| super::DIMENSION_COLUMNS.contains(key)) {
            *table = table::normalise(spec, table)?;
        }
    }
    Ok(Cube { header, tables, request_ids })
}

/// The workers' runs, side by side.
#[derive(Default)]
struct Parts {
    minutes: Vec<Vec<(u64, UploadSums)>>,
    segments: Vec<Vec<(u64, UploadSums)>>,
    errors: Vec<Vec<(u64, u64)>>,
    minute_bins: Vec<PackedRun>,
    segment_bins: Vec<PackedRun>,
    fine: Vec<PackedRun>,
    fine_segments: Vec<PackedRun>,
    busy: BTreeMap<u64, BusySeconds>,
    memory_samples: BTreeMap<(i64, u8), (u64, u128, f64)>,
    events: BTreeMap<EventKey, u64>,
}

/// For each dimension, which numbers some upload uses.
type Used = [Vec<bool>; 3];

impl Parts {
    /// The tables in the interners' numbers, sorted by key.
    fn tables(self) -> PolarsResult<([DataFrame; TABLES.len()], Used)> {
        let segments = merge_cells(self.segments);
        let errors = merge_cells(self.errors);
        let used = used_numbers(&segments, &errors);
        let minutes = upload_table(table::MINUTES, &merge_cells(self.minutes), self.minute_bins, MINUTE_BIN_BITS)?;
        let segments = upload_table(table::SEGMENTS, &segments, self.segment_bins, SEGMENT_BIN_BITS)?;
        let tables = [
            minutes,
            segments,
            fine_table(table::FINE, self.fine)?,
            fine_table(table::FINE_SEGMENTS, self.fine_segments)?,
            error_table(errors)?,
            busy_table(self.busy)?,
            memory_sample_table(self.memory_samples)?,
            event_table(self.events)?,
        ];
        Ok((tables, used))
    }
}

fn used_numbers(segments: &[(u64, UploadSums)], errors: &[(u64, u64)]) -> Used {
    let mut used: Used = std::array::from_fn(|_| vec![false; 1 << NAME_BITS]);
    for (key, _) in segments {
        let mut key = *key;
        split(&mut key, SIZE_BITS);
        used[1][split(&mut key, NAME_BITS) as usize] = true;
        used[0][split(&mut key, NAME_BITS) as usize] = true;
    }
    for (key, _) in errors {
        let mut key = *key;
        used[2][split(&mut key, NAME_BITS) as usize] = true;
    }
    used
}

/// Width of a key column in its packed key.
fn key_bits(column: &str) -> u32 {
    match column {
        "stage" => STAGE_BITS,
        "execution_type" => EXECUTION_TYPE_BITS,
        "provider" | "file_type" | "error_type" => NAME_BITS,
        "size_bucket" => SIZE_BITS,
        "metric" => METRIC_BITS,
        // Time stands first and takes what is left.
        _ => 63,
    }
}

/// Packed keys -> the key columns of a table.
fn key_columns(table: usize, keys: &[u64]) -> Vec<Column> {
    let mut keys = keys.to_vec();
    let mut columns: Vec<Column> = TABLES[table]
        .keys
        .iter()
        .rev()
        .map(|name| {
            let bits = key_bits(name);
            let fields = keys.iter_mut().map(|key| split(key, bits));
            let series = match *name {
                "minute" | "hour" => Int32Chunked::from_iter_values((*name).into(), fields.map(|field| field as i32)).into_series(),
                "provider" | "file_type" | "error_type" => {
                    UInt16Chunked::from_iter_values((*name).into(), fields.map(|field| field as u16)).into_series()
                }
                _ => UInt8Chunked::from_iter_values((*name).into(), fields.map(|field| field as u8)).into_series(),
            };
            series.into()
        })
        .collect();
    columns.reverse();
    columns
}

fn upload_table(table: usize, cells: &[(u64, UploadSums)], bins: Vec<PackedRun>, bin_bits: u32) -> PolarsResult<DataFrame> {
    // Twins are cells whose sums would have overflowed 64 bits: the columns are wider.
    let groups: Vec<&[(u64, UploadSums)]> = cells.chunk_by(|a, b| a.0 == b.0).collect();
    let keys: Vec<u64> = groups.iter().map(|group| group[0].0).collect();
    let mut columns = key_columns(table, &keys);
    for (name, add) in TABLES[table].values {
        columns.push(upload_column(name, *add, &groups));
    }
    let mut bins = merge(bins).peekable();
    let mut histograms = HistogramColumns::with_capacity(keys.len());
    for key in &keys {
        while let Some((bin, count)) = bins.next_if(|(bin, _)| bin >> bin_bits == *key) {
            histograms.push_bin((bin & ((1 << bin_bits) - 1)) as u16, count);
        }
        histograms.end_row();
    }
    columns.extend(histograms.finish());
    DataFrame::new_infer_height(columns)
}

fn upload_column(name: &str, add: Add, groups: &[&[(u64, UploadSums)]]) -> Column {
    let integer = |sums: &UploadSums| match name {
        "uploads" => sums.uploads,
        "successes" => sums.successes,
        "success_size_mb" => sums.success_size_nano_mb,
        "duration_ms" => sums.duration_ns,
        "success_duration_ms" => sums.success_duration_ns,
        "memory_uploads" => sums.memory_uploads,
        "memory_mb" => sums.memory_nano_mb,
        other => unreachable!("{other} is not a sum of uploads"),
    };
    let largest = |sums: &UploadSums| match name {
        "success_duration_max_ms" => sums.success_duration_max_ms,
        "memory_max_mb" => sums.memory_max_mb,
        other => unreachable!("{other} is not a maximum of uploads"),
    };
    let each = |group: &&[(u64, UploadSums)]| group.iter().map(|(_, sums)| i128::from(integer(sums))).sum::<i128>();
    match add {
        Add::Count => count_column(name, groups.iter().map(|group| each(group) as u64).collect()),
        Add::Sum { scale } => sum_column(name, groups.iter().map(each).collect(), scale),
        Add::Max => max_column(
            name,
            groups.iter().map(|group| group.iter().map(|(_, sums)| largest(sums)).fold(0.0, f64::max)).collect(),
        ),
        Add::Bits => unreachable!("uploads have no bit column"),
    }
}

fn fine_table(table: usize, bins: Vec<PackedRun>) -> PolarsResult<DataFrame> {
    let mut keys: Vec<u64> = Vec::new();
    let mut histograms = HistogramColumns::with_capacity(0);
    for (mut key, count) in merge(bins) {
        let bin = split(&mut key, FINE_BIN_BITS) as u16;
        if keys.last().is_some_and(|last| *last != key) {
            histograms.end_row();
        }
        if keys.last() != Some(&key) {
            keys.push(key);
        }
        histograms.push_bin(bin, count);
    }
    if !keys.is_empty() {
        histograms.end_row();
    }
    let mut columns = key_columns(table, &keys);
    columns.extend(histograms.finish());
    DataFrame::new_infer_height(columns)
}

fn error_table(mut errors: Vec<(u64, u64)>) -> PolarsResult<DataFrame> {
    errors.dedup_by(|next, kept| next.0 == kept.0 && kept.1.try_add(&next.1));
    let keys: Vec<u64> = errors.iter().map(|(key, _)| *key).collect();
    let mut columns = key_columns(table::ERRORS, &keys);
    columns.push(count_column("failures", errors.into_iter().map(|(_, count)| count).collect()));
    DataFrame::new_infer_height(columns)
}

fn busy_table(busy: BTreeMap<u64, BusySeconds>) -> PolarsResult<DataFrame> {
    let keys: Vec<u64> = busy.keys().copied().collect();
    let mut columns = key_columns(table::BUSY, &keys);
    let seconds: Vec<&[u8]> = busy.values().map(|seconds| &seconds.0[..]).collect();
    columns.push(Series::new("seconds".into(), seconds).into());
    DataFrame::new_infer_height(columns)
}

fn memory_sample_table(samples: BTreeMap<(i64, u8), (u64, u128, f64)>) -> PolarsResult<DataFrame> {
    let column = |name: &str, values: Vec<u8>| UInt8Chunked::from_vec(name.into(), values).into_series().into();
    let minutes: Vec<i32> = samples.keys().map(|(minute, _)| *minute as i32).collect();
    DataFrame::new_infer_height(vec![
        Int32Chunked::from_vec("minute".into(), minutes).into_series().into(),
        column("stage", samples.keys().map(|(_, stage)| *stage).collect()),
        count_column("samples", samples.values().map(|sample| sample.0).collect()),
        sum_column("memory_mb", samples.values().map(|sample| sample.1 as i128).collect(), MB_SCALE),
        max_column("memory_max_mb", samples.values().map(|sample| sample.2).collect()),
    ])
}

fn event_table(events: BTreeMap<EventKey, u64>) -> PolarsResult<DataFrame> {
    let events: Vec<_> = events.into_iter().take(MAX_EVENTS).collect();
    let texts = |name: &str, of: fn(&EventKey) -> &str| -> Column {
        Series::new(name.into(), events.iter().map(|(key, _)| of(key)).collect::<Vec<_>>()).into()
    };
    let table = DataFrame::new_infer_height(vec![
        Int64Chunked::from_iter_values("at_ns".into(), events.iter().map(|(key, _)| key.0)).into_series().into(),
        texts("event_type", |key| &key.1),
        UInt8Chunked::from_iter_values("stage".into(), events.iter().map(|(key, _)| key.2)).into_series().into(),
        max_column("value", events.iter().map(|(key, _)| f64::from_bits(key.3)).collect()),
        texts("text", |key| &key.4),
        count_column("count", events.iter().map(|(_, count)| *count).collect()),
    ])?;
    table::normalise(&TABLES[table::EVENTS], &table)
}

const _: () = assert!(DURATION_SCALE == 6 && MB_SCALE == 9, "the sums above are in nanoseconds and 10^-9 MB");
