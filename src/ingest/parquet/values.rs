//! A value of a column -> JSON.

use std::io::Write;
use std::ops::Range;

use chrono::{Datelike, Timelike};
use polars_arrow::array::{
    Array, BinaryArray, BinaryViewArray, BooleanArray, DictionaryArray, DictionaryKey, FixedSizeBinaryArray,
    FixedSizeListArray, ListArray, MapArray, PrimitiveArray, StructArray, Utf8Array, Utf8ViewArray,
};
use polars_arrow::datatypes::{ArrowDataType, IntegerType, TimeUnit};
use polars_arrow::offset::Offset;
use polars_arrow::types::NativeType;
use polars_core::prelude::{PolarsResult, polars_bail};

use crate::packing::hex;

const SECONDS_PER_DAY: i64 = 86_400;

fn of<T: 'static>(array: &dyn Array) -> &T {
    array.as_any().downcast_ref().expect("an array is of its type")
}

/// Writes a value as JSON.
///
/// # Errors
/// A type that is not read, a time that no calendar has.
pub(super) fn write_value(array: &dyn Array, row: usize, out: &mut Vec<u8>) -> PolarsResult<()> {
    if array.is_null(row) {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    match array.dtype() {
        ArrowDataType::Null => out.extend_from_slice(b"null"),
        ArrowDataType::Boolean => json(&of::<BooleanArray>(array).value(row), out),
        ArrowDataType::Int8 => json(&number::<i8>(array, row), out),
        ArrowDataType::Int16 => json(&number::<i16>(array, row), out),
        ArrowDataType::Int32 => json(&number::<i32>(array, row), out),
        ArrowDataType::Int64 => json(&number::<i64>(array, row), out),
        ArrowDataType::UInt8 => json(&number::<u8>(array, row), out),
        ArrowDataType::UInt16 => json(&number::<u16>(array, row), out),
        ArrowDataType::UInt32 => json(&number::<u32>(array, row), out),
        ArrowDataType::UInt64 => json(&number::<u64>(array, row), out),
        ArrowDataType::Float32 => float(number::<f32>(array, row), f32::is_finite, out),
        ArrowDataType::Float64 => float(number::<f64>(array, row), f64::is_finite, out),
        ArrowDataType::Decimal(_, scale) => decimal(number::<i128>(array, row), *scale, out),
        ArrowDataType::Utf8 => json(of::<Utf8Array<i32>>(array).value(row), out),
        ArrowDataType::LargeUtf8 => json(of::<Utf8Array<i64>>(array).value(row), out),
        ArrowDataType::Utf8View => json(of::<Utf8ViewArray>(array).value(row), out),
        ArrowDataType::Binary => bytes(of::<BinaryArray<i32>>(array).value(row), out),
        ArrowDataType::LargeBinary => bytes(of::<BinaryArray<i64>>(array).value(row), out),
        ArrowDataType::BinaryView => bytes(of::<BinaryViewArray>(array).value(row), out),
        ArrowDataType::FixedSizeBinary(_) => bytes(of::<FixedSizeBinaryArray>(array).value(row), out),
        ArrowDataType::Timestamp(unit, zone) => {
            moment(number::<i64>(array, row), *unit, zone.is_some(), out)?;
        }
        ArrowDataType::Date32 => {
            let seconds = i64::from(number::<i32>(array, row)) * SECONDS_PER_DAY;
            moment(seconds, TimeUnit::Second, false, out)?;
        }
        ArrowDataType::Date64 => moment(number::<i64>(array, row), TimeUnit::Millisecond, false, out)?,
        ArrowDataType::Time32(unit) => elapsed(i64::from(number::<i32>(array, row)), *unit, out),
        ArrowDataType::Time64(unit) | ArrowDataType::Duration(unit) => elapsed(number::<i64>(array, row), *unit, out),
        ArrowDataType::Dictionary(keys, ..) => match keys {
            IntegerType::Int8 => entry::<i8>(array, row, out)?,
            IntegerType::Int16 => entry::<i16>(array, row, out)?,
            IntegerType::Int32 => entry::<i32>(array, row, out)?,
            IntegerType::Int64 => entry::<i64>(array, row, out)?,
            IntegerType::UInt8 => entry::<u8>(array, row, out)?,
            IntegerType::UInt16 => entry::<u16>(array, row, out)?,
            IntegerType::UInt32 => entry::<u32>(array, row, out)?,
            IntegerType::UInt64 => entry::<u64>(array, row, out)?,
            _ => unknown(array)?,
        },
        ArrowDataType::Struct(_) => {
            let fields = of::<StructArray>(array);
            out.push(b'{');
            for (index, (field, values)) in fields.fields().iter().zip(fields.values()).enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                json(field.name.as_str(), out);
                out.push(b':');
                write_value(&**values, row, out)?;
            }
            out.push(b'}');
        }
        ArrowDataType::List(_) => items(of::<ListArray<i32>>(array), row, out)?,
        ArrowDataType::LargeList(_) => items(of::<ListArray<i64>>(array), row, out)?,
        ArrowDataType::FixedSizeList(_, size) => {
            let values = &**of::<FixedSizeListArray>(array).values();
            list(values, row * size..(row + 1) * size, out)?;
        }
        // Pairs, in which a path finds a value by its key.
        ArrowDataType::Map(..) => {
            let map = of::<MapArray>(array);
            let (start, end) = map.offsets().start_end(row);
            pairs(&**map.field(), start..end, out)?;
        }
        _ => unknown(array)?,
    }
    Ok(())
}

fn unknown(array: &dyn Array) -> PolarsResult<()> {
    polars_bail!(ComputeError: "values of the type {:?} are not read: leave the column out, or write it as text", array.dtype());
}

fn number<T: NativeType>(array: &dyn Array, row: usize) -> T {
    of::<PrimitiveArray<T>>(array).value(row)
}

fn json(value: &(impl serde::Serialize + ?Sized), out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("a number or a text is JSON, and memory takes it");
}

fn float<T: serde::Serialize + std::fmt::Display + Copy>(value: T, is_finite: fn(T) -> bool, out: &mut Vec<u8>) {
    match is_finite(value) {
        true => json(&value, out),
        // As Python writes them: no number is missing because it is none.
        false => out.extend_from_slice(format!("{value}").replace("inf", "Infinity").as_bytes()),
    }
}

fn decimal(value: i128, scale: usize, out: &mut Vec<u8>) {
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, part) = digits.split_at(digits.len() - scale);
    let sign = if value < 0 { "-" } else { "" };
    let point = if part.is_empty() { "" } else { "." };
    out.extend_from_slice(format!("{sign}{whole}{point}{part}").as_bytes());
}

/// A text, where the bytes are one; else their hexadecimal.
fn bytes(value: &[u8], out: &mut Vec<u8>) {
    match std::str::from_utf8(value) {
        Ok(text) => json(text, out),
        Err(_) => json(&hex(value), out),
    }
}

fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// A time of ISO 8601, with as many digits as the unit has.
fn moment(value: i64, unit: TimeUnit, in_utc: bool, out: &mut Vec<u8>) -> PolarsResult<()> {
    let per_second = per_second(unit);
    let Some(at) = chrono::DateTime::from_timestamp(value.div_euclid(per_second), 0) else {
        polars_bail!(ComputeError: "{value} is no time of a calendar");
    };
    let (date, time) = (at.date_naive(), at.time());
    let parts = [date.month(), date.day(), time.hour(), time.minute(), time.second()];
    out.push(b'"');
    write!(out, "{:04}", date.year())?;
    for (mark, part) in b"--T::".iter().zip(parts) {
        out.push(*mark);
        digits(u64::from(part), 2, out);
    }
    if per_second > 1 {
        out.push(b'.');
        digits(value.rem_euclid(per_second).unsigned_abs(), per_second.ilog10(), out);
    }
    out.extend_from_slice(if in_utc { b"Z\"" } else { b"\"" });
    Ok(())
}

/// The last `count` digits of a number. Every row has a time, and `write!` takes longer than all else.
fn digits(value: u64, count: u32, out: &mut Vec<u8>) {
    out.extend((0..count).rev().map(|place| b'0' + (value / 10_u64.pow(place) % 10) as u8));
}

/// How long something took, with its unit.
fn elapsed(value: i64, unit: TimeUnit, out: &mut Vec<u8>) {
    let unit = match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    };
    out.extend_from_slice(format!("\"{value}{unit}\"").as_bytes());
}

fn entry<K: DictionaryKey>(array: &dyn Array, row: usize, out: &mut Vec<u8>) -> PolarsResult<()> {
    let entries = of::<DictionaryArray<K>>(array);
    write_value(&**entries.values(), entries.key_value(row), out)
}

fn items<O: Offset>(array: &ListArray<O>, row: usize, out: &mut Vec<u8>) -> PolarsResult<()> {
    let (start, end) = array.offsets().start_end(row);
    list(&**array.values(), start..end, out)
}

fn list(values: &dyn Array, range: Range<usize>, out: &mut Vec<u8>) -> PolarsResult<()> {
    out.push(b'[');
    for index in range.clone() {
        if index > range.start {
            out.push(b',');
        }
        write_value(values, index, out)?;
    }
    out.push(b']');
    Ok(())
}

fn pairs(entries: &dyn Array, range: Range<usize>, out: &mut Vec<u8>) -> PolarsResult<()> {
    let [keys, values] = of::<StructArray>(entries).values() else { return unknown(entries) };
    out.push(b'[');
    for index in range.clone() {
        out.extend_from_slice(if index > range.start { b",{\"key\":" } else { b"{\"key\":" });
        write_value(&**keys, index, out)?;
        out.extend_from_slice(b",\"value\":");
        write_value(&**values, index, out)?;
        out.push(b'}');
    }
    out.push(b']');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_values() {
        let text = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            write(&mut out);
            String::from_utf8(out).unwrap()
        };
        for (value, scale, expected) in [(5, 3, "0.005"), (-12_345, 2, "-123.45"), (7, 0, "7"), (-1, 1, "-0.1")] {
            assert_eq!(text(&|out| decimal(value, scale, out)), expected);
        }
        for (value, unit, expected) in [
            (-1, TimeUnit::Millisecond, "\"1969-12-31T23:59:59.999Z\""),
            (1_772_409_600, TimeUnit::Second, "\"2026-03-02T00:00:00Z\""),
            (1, TimeUnit::Nanosecond, "\"1970-01-01T00:00:00.000000001Z\""),
        ] {
            assert_eq!(text(&|out| moment(value, unit, true, out).unwrap()), expected);
        }
        assert!(moment(i64::MAX, TimeUnit::Second, true, &mut Vec::new()).is_err());
        for (value, expected) in [(f64::NAN, "NaN"), (f64::NEG_INFINITY, "-Infinity"), (0.1, "0.1")] {
            assert_eq!(text(&|out| float(value, f64::is_finite, out)), expected);
        }
        assert_eq!(text(&|out| bytes(b"a\"b", out)), "\"a\\\"b\"");
        assert_eq!(text(&|out| bytes(&[0xff, 0], out)), "\"ff00\"");
    }
}
