//! What the workers folded -> the tables of the cube, sorted, in the numbers of the finished
//! dimensions.

use std::collections::BTreeMap;
use std::ops::Range;

use polars_core::prelude::*;

use super::busy::BusySeconds;
use super::cells::{Sum, UploadSums, add_up_twins, merge_cells};
use super::dimension::{Interner, Renumbering};
use super::header::{Cube, DIMENSION_COLUMNS, Header, join_spans};
use super::histogram::Histogram;
use super::key::{FINE_BIN_BITS, MINUTE_BIN_BITS, NAME_BITS, SEGMENT_BIN_BITS, SIZE_BITS, key_bits, split};
use super::partial::{EventKey, MAX_EVENTS, Partial, SampleSums};
use super::request_ids::RequestIds;
use super::runs::{PackedRun, entries, merge};
use super::table::{
    self, Add, DURATION_SCALE, HistogramColumns, MB_SCALE, TABLES, TableSpec, count_column, max_column, sum_column,
};
use crate::config::EpochNanos;

/// The workers' parts -> tables, in the numbers of the finished dimensions.
pub(super) fn assemble(
    mut header: Header,
    parts: Vec<Parts>,
    interners: &[Interner; 3],
    request_ids: RequestIds,
) -> PolarsResult<Cube> {
    let parts = parts.into_iter().reduce(Parts::join).unwrap_or_default();
    header.placed_span = parts.placed_span;
    let (mut segments, mut errors) = rayon::join(|| merge_cells(parts.segments), || merge_cells(parts.errors));
    let used = used_numbers(&segments, &errors);
    let mut numbers = Renumberings::default();
    let dimensions = [&mut header.providers, &mut header.file_types, &mut header.error_types];
    for (((dimension, numbers), interner), used) in
        dimensions.into_iter().zip(&mut numbers.maps).zip(interners).zip(&used)
    {
        (*dimension, *numbers) = interner.finish(|number| used[usize::from(number)]);
    }
    numbers.moved = numbers.maps.iter().zip(&used).any(|(map, used)| {
        map.iter().zip(used).enumerate().any(|(old, (new, used))| *used && old != usize::from(*new))
    });
    numbers.renumber_cells(&TABLES[table::SEGMENTS], &mut segments);
    numbers.renumber_cells(&TABLES[table::ERRORS], &mut errors);

    let minutes = || {
        let bins = BinRuns::new(parts.minute_bins, MINUTE_BIN_BITS);
        upload_table(table::MINUTES, &merge_cells(parts.minutes), bins, &numbers)
    };
    let segments = || {
        let bins = BinRuns::new(parts.segment_bins, SEGMENT_BIN_BITS);
        upload_table(table::SEGMENTS, &segments, bins, &numbers)
    };
    let fine = || fine_table(table::FINE, BinRuns::new(parts.fine, FINE_BIN_BITS), &numbers);
    let fine_segments = || fine_table(table::FINE_SEGMENTS, BinRuns::new(parts.fine_segments, FINE_BIN_BITS), &numbers);
    let ((minutes, segments), (fine, fine_segments)) =
        rayon::join(|| rayon::join(minutes, segments), || rayon::join(fine, fine_segments));
    let tables = [
        minutes?,
        segments?,
        fine?,
        fine_segments?,
        error_table(errors)?,
        busy_table(parts.busy)?,
        memory_sample_table(parts.memory_samples)?,
        event_table(parts.events)?,
    ];
    Ok(Cube { header, tables, request_ids })
}

/// What was folded, in sorted runs.
#[derive(Default)]
pub(super) struct Parts {
    minutes: Vec<Vec<(u64, UploadSums)>>,
    segments: Vec<Vec<(u64, UploadSums)>>,
    errors: Vec<Vec<(u64, u64)>>,
    minute_bins: Vec<PackedRun>,
    segment_bins: Vec<PackedRun>,
    fine: Vec<PackedRun>,
    fine_segments: Vec<PackedRun>,
    busy: BTreeMap<u64, BusySeconds>,
    memory_samples: BTreeMap<(i64, u8), SampleSums>,
    events: BTreeMap<EventKey, u64>,
    placed_span: Option<(EpochNanos, EpochNanos)>,
}

impl From<Partial> for Parts {
    fn from(partial: Partial) -> Self {
        let (minutes, segments) = (partial.minutes.finish(), partial.segments.finish());
        Self {
            minutes: minutes.sums,
            segments: segments.sums,
            errors: partial.errors.finish().sums,
            minute_bins: minutes.bins,
            segment_bins: segments.bins,
            fine: partial.fine.finish().bins,
            fine_segments: partial.fine_segments.finish().bins,
            busy: partial.busy.into_iter().collect(),
            memory_samples: partial.memory_samples,
            events: partial.events,
            placed_span: partial.placed_span,
        }
    }
}

impl Parts {
    fn join(mut self, other: Self) -> Self {
        self.minutes.extend(other.minutes);
        self.segments.extend(other.segments);
        self.errors.extend(other.errors);
        self.minute_bins.extend(other.minute_bins);
        self.segment_bins.extend(other.segment_bins);
        self.fine.extend(other.fine);
        self.fine_segments.extend(other.fine_segments);
        for (key, seconds) in other.busy {
            self.busy.entry(key).or_default().union(&seconds.0[..]);
        }
        for (key, (samples, sum, max)) in other.memory_samples {
            let sample = self.memory_samples.entry(key).or_default();
            *sample = (sample.0 + samples, sample.1 + sum, sample.2.max(max));
        }
        for (key, count) in other.events {
            *self.events.entry(key).or_default() += count;
        }
        self.placed_span = join_spans(self.placed_span, other.placed_span);
        self
    }
}

/// For each dimension, which numbers some upload uses.
#[expect(clippy::cast_possible_truncation, reason = "a field of a key is as wide as it was packed")]
fn used_numbers(segments: &[(u64, UploadSums)], errors: &[(u64, u64)]) -> [Vec<bool>; 3] {
    let mut used: [Vec<bool>; 3] = std::array::from_fn(|_| vec![false; 1 << NAME_BITS]);
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

/// For each dimension, the numbers that the names got when they came -> those of the finished dimension. Names that
/// the config does not list change places, and rows with them.
#[derive(Default)]
struct Renumberings {
    maps: [Renumbering; 3],
    /// Whether any that is in use changes.
    moved: bool,
}

impl Renumberings {
    /// Whether rows of a table change places.
    fn moves(&self, spec: &TableSpec) -> bool {
        self.moved && spec.keys.iter().any(|key| DIMENSION_COLUMNS.contains(key))
    }

    fn renumber_cells<V: Sum>(&self, spec: &TableSpec, cells: &mut Vec<(u64, V)>) {
        if self.moves(spec) {
            let renumber = self.of_keys(spec);
            cells.iter_mut().for_each(|(key, _)| *key = renumber(*key));
            cells.sort_unstable_by_key(|(key, _)| *key);
            // Names may have become `other`.
            add_up_twins(cells);
        }
    }

    /// A packed row key of the table -> the same in the new numbers.
    #[expect(clippy::cast_possible_truncation, reason = "a field of a key is as wide as it was packed")]
    fn of_keys(&self, spec: &TableSpec) -> impl Fn(u64) -> u64 {
        let of = |column: &str| DIMENSION_COLUMNS.iter().position(|name| *name == column);
        let fields = spec.keys.iter().rev().map(|column| (key_bits(column), of(column).map(|of| &self.maps[of])));
        let fields: Vec<(u32, Option<&Renumbering>)> = fields.collect();
        move |mut rest| {
            let (mut key, mut shift) = (0, 0);
            for (bits, map) in &fields {
                let field = split(&mut rest, *bits);
                key |= map.map_or(field, |map| u64::from(map[field as usize])) << shift;
                shift += bits;
            }
            key
        }
    }
}

/// The histograms of a table, in runs whose keys are a row's key and `bin_bits` of bin.
struct BinRuns {
    runs: Vec<PackedRun>,
    bin_bits: u32,
}

impl BinRuns {
    fn new(runs: Vec<PackedRun>, bin_bits: u32) -> Self {
        Self { runs, bin_bits }
    }

    /// Calls `each` with key, bins and counts of every row in the new numbers, rising, each key once. One row is held
    /// at a time, or all of them where rows change places.
    fn each_row(self, spec: &TableSpec, numbers: &Renumberings, mut each: impl FnMut(u64, (&[u16], &[u32]))) {
        if !numbers.moves(spec) {
            return self.each_row_as_it_came(each);
        }
        let renumber = numbers.of_keys(spec);
        let entries = entries(&self.runs);
        let (mut rows, mut bins, mut counts) = (Vec::new(), Vec::with_capacity(entries), Vec::with_capacity(entries));
        self.each_row_as_it_came(|key, row| {
            rows.push((renumber(key), bins.len()..bins.len() + row.0.len()));
            bins.extend_from_slice(row.0);
            counts.extend_from_slice(row.1);
        });
        rows.sort_by_key(|(key, _)| *key);
        let row = |range: &Range<usize>| (&bins[range.clone()], &counts[range.clone()]);
        for same in rows.chunk_by(|a, b| a.0 == b.0) {
            match same {
                [(key, range)] => each(*key, row(range)),
                several => each(several[0].0, Histogram::sum(several.iter().map(|(_, range)| row(range))).columns()),
            }
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "a field of a key is as wide as it was packed")]
    fn each_row_as_it_came(self, mut each: impl FnMut(u64, (&[u16], &[u32]))) {
        let mut histogram = Histogram::default();
        let mut row = None;
        for (mut key, count) in merge(self.runs) {
            let bin = split(&mut key, self.bin_bits) as u16;
            if let Some(done) = row.replace(key).filter(|done| *done != key) {
                each(done, histogram.columns());
                histogram.clear();
            }
            histogram.push(bin, count);
        }
        if let Some(done) = row {
            each(done, histogram.columns());
        }
    }
}

/// Packed keys -> the key columns of a table.
#[expect(clippy::cast_possible_truncation, reason = "a field of a key is as wide as it was packed")]
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
                "minute" | "hour" => {
                    Int32Chunked::from_iter_values((*name).into(), fields.map(|field| field as i32)).into_series()
                }
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

fn upload_table(
    table: usize,
    cells: &[(u64, UploadSums)],
    bins: BinRuns,
    numbers: &Renumberings,
) -> PolarsResult<DataFrame> {
    // Twins are cells whose sums would have overflowed 64 bits: the columns are wider.
    let groups: Vec<&[(u64, UploadSums)]> = cells.chunk_by(|a, b| a.0 == b.0).collect();
    let keys: Vec<u64> = groups.iter().map(|group| group[0].0).collect();
    let mut columns = key_columns(table, &keys);
    for (name, add) in TABLES[table].values {
        columns.push(upload_column(name, *add, &groups));
    }
    let mut histograms = HistogramColumns::with_capacity(keys.len(), entries(&bins.runs));
    let mut rest = keys.iter();
    bins.each_row(&TABLES[table], numbers, |key, row| {
        // Cells without a success have no row.
        rest.by_ref().take_while(|of| **of != key).for_each(|_| histograms.push_row((&[], &[])));
        histograms.push_row(row);
    });
    rest.for_each(|_| histograms.push_row((&[], &[])));
    columns.extend(histograms.finish());
    DataFrame::new_infer_height(columns)
}

#[expect(clippy::cast_possible_truncation, reason = "a field of a key is as wide as it was packed")]
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

fn fine_table(table: usize, bins: BinRuns, numbers: &Renumberings) -> PolarsResult<DataFrame> {
    let mut histograms = HistogramColumns::with_capacity(0, entries(&bins.runs));
    let mut keys = Vec::new();
    bins.each_row(&TABLES[table], numbers, |key, row| {
        keys.push(key);
        histograms.push_row(row);
    });
    let mut columns = key_columns(table, &keys);
    columns.extend(histograms.finish());
    DataFrame::new_infer_height(columns)
}

fn error_table(errors: Vec<(u64, u64)>) -> PolarsResult<DataFrame> {
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

#[expect(clippy::cast_possible_truncation, reason = "a field of a key is as wide as it was packed")]
fn memory_sample_table(samples: BTreeMap<(i64, u8), SampleSums>) -> PolarsResult<DataFrame> {
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
    table::normalise(&TABLES[table::EVENTS], table)
}

const _: () = assert!(DURATION_SCALE == 6 && MB_SCALE == 9, "the sums above are in nanoseconds and 10^-9 MB");
