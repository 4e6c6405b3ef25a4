//! Packed keys: while a log is folded, a cell or bin is one number whose order is the order of
//! the tables' keys.

/// The metrics of the fine tables: the duration, samples of memory, then each measure of the records.
pub(super) const METRIC_DURATION: usize = 0;
pub(super) const METRIC_MEMORY_SAMPLE: usize = 1;
pub(super) const METRIC_MEASURES: usize = 2;
/// The stage of an event that none places.
pub(super) const NO_STAGE: u8 = 255;

// Widths of the fields. Time comes first: a log is nearly in time order, so that runs hardly overlap.
pub(super) const STAGE_BITS: u32 = 6;
pub(super) const EXECUTION_TYPE_BITS: u32 = 2;
pub(super) const NAME_BITS: u32 = 9;
pub(super) const SEGMENT_BITS: u32 = 22;
pub(super) const METRIC_BITS: u32 = 4;
pub(super) const FINE_BIN_BITS: u32 = 15;
pub(super) const MINUTE_BIN_BITS: u32 = 10;
pub(super) const SEGMENT_BIN_BITS: u32 = 9;

/// Puts a field of `width` bits below a key.
#[inline]
pub(super) fn join(key: u64, width: u32, field: u64) -> u64 {
    debug_assert!(field < 1 << width, "{field} does not fit {width} bits");
    (key << width) | field
}

/// Takes the lowest field off a key.
pub(super) fn split(key: &mut u64, width: u32) -> u64 {
    let field = *key & ((1 << width) - 1);
    *key >>= width;
    field
}

/// Width of a key column in its packed key.
pub(super) fn key_bits(column: &str) -> u32 {
    match column {
        "stage" => STAGE_BITS,
        "execution_type" => EXECUTION_TYPE_BITS,
        "error_type" => NAME_BITS,
        "segment" => SEGMENT_BITS,
        "metric" => METRIC_BITS,
        // Time stands first and takes what is left.
        _ => 63,
    }
}
