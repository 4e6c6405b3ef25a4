//! What the workers folded -> the tables of the cube, sorted, in the numbers of the finished
//! dimensions.

use std::collections::BTreeMap;

use polars_core::prelude::*;
use rustc_hash::FxHashSet;

use super::add_up::add_up;
use super::busy::BusySeconds;
use super::cells::{RecordSums, merge_cells};
use super::dimension::Interner;
use super::header::{Cube, Header, join_spans};
use super::key::{FINE_BIN_BITS, MINUTE_BIN_BITS, NAME_BITS, SEGMENT_BIN_BITS, SEGMENT_BITS, Visits, key_bits, split};
use super::partial::{EventKey, MAX_EVENTS, Partial, SampleSums};
use super::renumber::{BinRuns, Renumberings};
use super::request_ids::RequestIds;
use super::runs::{PackedRun, entries};
use super::segments::{SegmentInterner, SegmentList, Tuple, renumbered, settle};
use super::table::{
    self, Add, DURATION_SCALE, Field, HistogramColumns, TableSpec, UNIT_SCALE, Value, count_column, max_column,
    sum_column,
};
use crate::config::EpochNanos;
use crate::schema::record::Dimension;

/// Names and combinations, in the numbers of the fold.
pub(super) struct Interned {
    pub dimensions: Vec<Dimension>,
    /// By dimension; `None` where its values are buckets.
    pub names: Vec<Option<Interner>>,
    pub segments: SegmentInterner,
    pub error_types: Interner,
}

/// The workers' parts -> tables, in the numbers of the finished dimensions.
pub(super) fn assemble<const M: usize>(
    mut header: Header,
    parts: Vec<Parts<M>>,
    interned: Interned,
    request_ids: RequestIds,
) -> PolarsResult<Cube> {
    let specs = &table::specs(&header.rules.measures);
    let parts = parts.into_iter().reduce(Parts::join).unwrap_or_default();
    (header.placed_span, header.numbered_span) = (parts.placed_span, parts.numbered_span);
    let visits = Visits { stages: header.rules.stage_numbers() };
    let (mut segments, mut errors) = rayon::join(|| merge_cells(parts.segments), || merge_cells(parts.errors));
    let used_errors = used_error_types(&errors);
    let (error_types, error_numbers) = interned.error_types.finish(|number| used_errors[usize::from(number)]);
    header.error_types = error_types;
    let (segment_list, segment_numbers) = settle_segments(&mut header, interned, &segments);
    let numbers = Renumberings::new(segment_numbers, error_numbers, &used_errors);
    numbers.renumber_cells(&specs[table::SEGMENTS], &mut segments);
    numbers.renumber_cells(&specs[table::ERRORS], &mut errors);

    let minutes = || {
        let bins = BinRuns::new(parts.minute_bins, MINUTE_BIN_BITS);
        record_table(&specs[table::MINUTES], visits, &merge_cells(parts.minutes), bins, &numbers)
    };
    let segments = || {
        let bins = BinRuns::new(parts.segment_bins, SEGMENT_BIN_BITS);
        record_table(&specs[table::SEGMENTS], visits, &segments, bins, &numbers)
    };
    let fine = || fine_table(&specs[table::FINE], visits, BinRuns::new(parts.fine, FINE_BIN_BITS), &numbers);
    let fine_segments =
        || fine_table(&specs[table::FINE_SEGMENTS], visits, BinRuns::new(parts.fine_segments, FINE_BIN_BITS), &numbers);
    let ((minutes, segments), (fine, fine_segments)) =
        rayon::join(|| rayon::join(minutes, segments), || rayon::join(fine, fine_segments));
    let tables = [
        minutes?,
        segments?,
        fine?,
        fine_segments?,
        error_table(&specs[table::ERRORS], visits, errors)?,
        busy_table(&specs[table::BUSY], visits, parts.busy)?,
        memory_sample_table(visits, parts.memory_samples)?,
        event_table(&specs[table::EVENTS], parts.events)?,
    ];
    header.absorbed_dimensions = segment_list.absorbed;
    Ok(Cube { header, tables, segments: segment_list.tuples, request_ids })
}

/// The finished names and segments, and the segments' numbers of the fold -> theirs.
#[expect(clippy::cast_possible_truncation, reason = "a field of a key is as wide as it was packed")]
fn settle_segments<const M: usize>(
    header: &mut Header,
    interned: Interned,
    cells: &[(u64, RecordSums<M>)],
) -> (SegmentList, Vec<u32>) {
    let (tuples, absorbed) = interned.segments.into_tuples();
    let mut used = vec![false; tuples.len()];
    for (key, _) in cells {
        let mut key = *key;
        used[split(&mut key, SEGMENT_BITS) as usize] = true;
    }
    let used_ones: Vec<usize> = (0..tuples.len()).filter(|number| used[*number]).collect();
    let used_tuples: Vec<Tuple> = used_ones.iter().map(|number| tuples[*number]).collect();
    let mut renumberings = Vec::new();
    for (index, interner) in interned.names.iter().enumerate() {
        let (names, numbers) = match interner {
            Some(interner) => {
                let used: FxHashSet<u16> = used_tuples.iter().map(|tuple| tuple[index]).collect();
                interner.finish(|number| used.contains(&number))
            }
            None => Default::default(),
        };
        header.dimensions.push(names);
        renumberings.push(numbers);
    }
    let mut parts = [renumbered(&used_tuples, &renumberings)];
    let (list, mut numbers) = settle(&interned.dimensions, &mut header.dimensions, &mut parts, absorbed);
    let mut by_old = vec![0; tuples.len()];
    for (old, new) in used_ones.into_iter().zip(numbers.remove(0)) {
        by_old[old] = new;
    }
    (list, by_old)
}

/// What was folded, in sorted runs.
#[derive(Default)]
pub(super) struct Parts<const M: usize> {
    minutes: Vec<Vec<(u64, RecordSums<M>)>>,
    segments: Vec<Vec<(u64, RecordSums<M>)>>,
    errors: Vec<Vec<(u64, u64)>>,
    minute_bins: Vec<PackedRun>,
    segment_bins: Vec<PackedRun>,
    fine: Vec<PackedRun>,
    fine_segments: Vec<PackedRun>,
    busy: BTreeMap<u64, BusySeconds>,
    memory_samples: BTreeMap<(i64, u8), SampleSums>,
    events: BTreeMap<EventKey, u64>,
    placed_span: Option<(EpochNanos, EpochNanos)>,
    numbered_span: Option<(EpochNanos, EpochNanos)>,
}

impl<const M: usize, const L: usize> From<Partial<M, L>> for Parts<M> {
    fn from(partial: Partial<M, L>) -> Self {
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
            numbered_span: partial.numbered_span,
        }
    }
}

impl<const M: usize> Parts<M> {
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
        self.numbered_span = join_spans(self.numbered_span, other.numbered_span);
        self
    }
}

/// Which numbers of error types some failure uses.
#[expect(clippy::cast_possible_truncation, reason = "a field of a key is as wide as it was packed")]
fn used_error_types(errors: &[(u64, u64)]) -> Vec<bool> {
    let mut used = vec![false; 1 << NAME_BITS];
    for (key, _) in errors {
        let mut key = *key;
        used[split(&mut key, NAME_BITS) as usize] = true;
    }
    used
}

/// Packed keys -> the key columns of a table.
#[expect(clippy::cast_possible_truncation, reason = "a field of a key is as wide as it was packed")]
fn key_columns(spec: &TableSpec, visits: Visits, keys: &[u64]) -> Vec<Column> {
    let mut keys = keys.to_vec();
    let mut periods = Vec::new();
    let mut columns: Vec<Column> = spec
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
                "segment" => {
                    UInt32Chunked::from_iter_values((*name).into(), fields.map(|field| field as u32)).into_series()
                }
                "error_type" => {
                    UInt16Chunked::from_iter_values((*name).into(), fields.map(|field| field as u16)).into_series()
                }
                // A visit is both, and the stage comes first from behind.
                "stage" => {
                    let parts = fields.map(|field| visits.parts(field as u8));
                    let (own, stages): (Vec<u8>, Vec<u8>) = parts.unzip();
                    periods = own;
                    UInt8Chunked::from_vec("stage".into(), stages).into_series()
                }
                "period" => UInt8Chunked::from_vec("period".into(), std::mem::take(&mut periods)).into_series(),
                _ => UInt8Chunked::from_iter_values((*name).into(), fields.map(|field| field as u8)).into_series(),
            };
            series.into()
        })
        .collect();
    columns.reverse();
    columns
}

fn record_table<const M: usize>(
    spec: &TableSpec,
    visits: Visits,
    cells: &[(u64, RecordSums<M>)],
    bins: BinRuns,
    numbers: &Renumberings,
) -> PolarsResult<DataFrame> {
    // Twins are cells whose sums would have overflowed 64 bits: the columns are wider.
    let groups: Vec<&[(u64, RecordSums<M>)]> = cells.chunk_by(|a, b| a.0 == b.0).collect();
    let keys: Vec<u64> = groups.iter().map(|group| group[0].0).collect();
    let mut columns = key_columns(spec, visits, &keys);
    columns.extend(spec.values.iter().map(|value| record_column(value, &groups)));
    let mut histograms = HistogramColumns::with_capacity(keys.len(), entries(&bins.runs));
    let mut rest = keys.iter();
    bins.each_row(spec, numbers, |key, row| {
        // Cells without a success have no row.
        rest.by_ref().take_while(|of| **of != key).for_each(|_| histograms.push_row((&[], &[])));
        histograms.push_row(row);
    });
    rest.for_each(|_| histograms.push_row((&[], &[])));
    columns.extend(histograms.finish());
    DataFrame::new_infer_height(columns)
}

#[expect(clippy::cast_possible_truncation, reason = "counts of records fit 64 bits")]
fn record_column<const M: usize>(value: &Value, groups: &[&[(u64, RecordSums<M>)]]) -> Column {
    let integer = |sums: &RecordSums<M>| match value.field {
        Field::N => sums.n,
        Field::Successes => sums.successes,
        Field::SuccessSize => sums.success_size_nano_mb,
        Field::Duration => sums.duration_ns,
        Field::SuccessDuration => sums.success_duration_ns,
        Field::MeasureN(measure) => sums.measures[measure].n,
        Field::MeasureSum(measure) => sums.measures[measure].nano,
        other => unreachable!("{other:?} is not a sum of records"),
    };
    let largest = |sums: &RecordSums<M>| match value.field {
        Field::SuccessDurationMax => sums.success_duration_max_ms,
        Field::MeasureMax(measure) => sums.measures[measure].max,
        other => unreachable!("{other:?} is not a maximum of records"),
    };
    let each = |group: &&[(u64, RecordSums<M>)]| group.iter().map(|(_, sums)| i128::from(integer(sums))).sum::<i128>();
    match value.add {
        Add::Count => count_column(&value.name, groups.iter().map(|group| each(group) as u64).collect()),
        Add::Sum { scale } => sum_column(&value.name, groups.iter().map(each).collect(), scale),
        Add::Max => max_column(
            &value.name,
            groups.iter().map(|group| group.iter().map(|(_, sums)| largest(sums)).fold(0.0, f64::max)).collect(),
        ),
        Add::Bits => unreachable!("records have no bit column"),
    }
}

fn fine_table(spec: &TableSpec, visits: Visits, bins: BinRuns, numbers: &Renumberings) -> PolarsResult<DataFrame> {
    let mut histograms = HistogramColumns::with_capacity(0, entries(&bins.runs));
    let mut keys = Vec::new();
    bins.each_row(spec, numbers, |key, row| {
        keys.push(key);
        histograms.push_row(row);
    });
    let mut columns = key_columns(spec, visits, &keys);
    columns.extend(histograms.finish());
    DataFrame::new_infer_height(columns)
}

fn error_table(spec: &TableSpec, visits: Visits, errors: Vec<(u64, u64)>) -> PolarsResult<DataFrame> {
    let keys: Vec<u64> = errors.iter().map(|(key, _)| *key).collect();
    let mut columns = key_columns(spec, visits, &keys);
    columns.push(count_column("failures", errors.into_iter().map(|(_, count)| count).collect()));
    DataFrame::new_infer_height(columns)
}

fn busy_table(spec: &TableSpec, visits: Visits, busy: BTreeMap<u64, BusySeconds>) -> PolarsResult<DataFrame> {
    let keys: Vec<u64> = busy.keys().copied().collect();
    let mut columns = key_columns(spec, visits, &keys);
    let seconds: Vec<&[u8]> = busy.values().map(|seconds| &seconds.0[..]).collect();
    columns.push(Series::new("seconds".into(), seconds).into());
    DataFrame::new_infer_height(columns)
}

#[expect(clippy::cast_possible_truncation, reason = "a field of a key is as wide as it was packed")]
fn memory_sample_table(visits: Visits, samples: BTreeMap<(i64, u8), SampleSums>) -> PolarsResult<DataFrame> {
    let column = |name: &str, values: Vec<u8>| UInt8Chunked::from_vec(name.into(), values).into_series().into();
    let minutes: Vec<i32> = samples.keys().map(|(minute, _)| *minute as i32).collect();
    DataFrame::new_infer_height(vec![
        Int32Chunked::from_vec("minute".into(), minutes).into_series().into(),
        column("period", samples.keys().map(|(_, visit)| visits.parts(*visit).0).collect()),
        column("stage", samples.keys().map(|(_, visit)| visits.parts(*visit).1).collect()),
        count_column("samples", samples.values().map(|sample| sample.0).collect()),
        sum_column("memory_mb", samples.values().map(|sample| sample.1 as i128).collect(), UNIT_SCALE),
        max_column("memory_max_mb", samples.values().map(|sample| sample.2).collect()),
    ])
}

fn event_table(spec: &TableSpec, events: BTreeMap<EventKey, u64>) -> PolarsResult<DataFrame> {
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
    add_up(spec, vec![table])
}

const _: () = assert!(DURATION_SCALE == 6 && UNIT_SCALE == 9, "the sums above are in nanoseconds and 10^-9 of a unit");
