//! What the workers folded -> the tables of the cube, sorted, in the numbers of the finished
//! dimensions.

use std::collections::BTreeMap;

use polars::prelude::*;

use super::busy::BusySeconds;
use super::cells::{UploadSums, add_up_twins, merge_cells};
use super::dimension::{Interner, Renumbering};
use super::key::{FINE_BIN_BITS, MINUTE_BIN_BITS, NAME_BITS, SEGMENT_BIN_BITS, SIZE_BITS, key_bits, split};
use super::partial::{EventKey, MAX_EVENTS, Partial, SampleSums};
use super::request_ids::RequestIds;
use super::runs::{PackedRun, entries, merge};
use super::table::{
    self, Add, DURATION_SCALE, HistogramColumns, MB_SCALE, TABLES, count_column, max_column, sum_column,
};
use super::{Cube, Header, renumber_all};

/// The workers' parts -> tables, in the numbers of the finished dimensions.
pub fn assemble(
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
    // Names that the config does not list were numbered as they came: then rows change places.
    let moved = numbers.iter().zip(&used).any(|(numbers, used)| {
        let in_use = numbers.iter().zip(used).filter(|(_, used)| **used).map(|(number, _)| *number);
        !in_use.is_sorted_by(|a, b| a < b)
    });
    for (spec, table) in TABLES.iter().zip(&mut tables) {
        renumber_all(table, &numbers)?;
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
    memory_samples: BTreeMap<(i64, u8), SampleSums>,
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
    bins: Vec<PackedRun>,
    bin_bits: u32,
) -> PolarsResult<DataFrame> {
    // Twins are cells whose sums would have overflowed 64 bits: the columns are wider.
    let groups: Vec<&[(u64, UploadSums)]> = cells.chunk_by(|a, b| a.0 == b.0).collect();
    let keys: Vec<u64> = groups.iter().map(|group| group[0].0).collect();
    let mut columns = key_columns(table, &keys);
    for (name, add) in TABLES[table].values {
        columns.push(upload_column(name, *add, &groups));
    }
    let mut histograms = HistogramColumns::with_capacity(keys.len(), entries(&bins));
    let mut bins = merge(bins).peekable();
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
    let mut histograms = HistogramColumns::with_capacity(0, entries(&bins));
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
    add_up_twins(&mut errors);
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
    table::normalise(&TABLES[table::EVENTS], &table)
}

const _: () = assert!(DURATION_SCALE == 6 && MB_SCALE == 9, "the sums above are in nanoseconds and 10^-9 MB");
