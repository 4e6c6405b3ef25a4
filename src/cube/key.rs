//! Packed keys: while a log is folded, a cell or bin is one number whose order is the order of
//! the tables' keys.

/// The metrics of the fine tables: the duration, samples of memory, then each measure of the records.
pub(super) const METRIC_DURATION: usize = 0;
pub(super) const METRIC_MEMORY_SAMPLE: usize = 1;
pub(super) const METRIC_MEASURES: usize = 2;
/// The stage of an event that none places.
pub(super) const NO_STAGE: u8 = 255;

/// Stages in a period of the timeline, by number: together they fit a byte below [`NO_STAGE`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Visits {
    /// Numbers of stages: see `FoldingRules::stage_numbers`.
    pub stages: usize,
}

impl Visits {
    /// Number of a stage in a period (from 1). Where a log has more periods than fit, the last ones are one.
    #[expect(clippy::cast_possible_truncation, reason = "limited to a byte")]
    pub(super) fn number(self, period: usize, stage: usize) -> u8 {
        let most = usize::from(NO_STAGE) / self.stages;
        ((period.min(most) - 1) * self.stages + stage) as u8
    }

    /// The period and stage of a number.
    #[expect(clippy::cast_possible_truncation, reason = "no larger than the number, but for one")]
    pub(super) fn parts(self, number: u8) -> (u8, u8) {
        match number {
            NO_STAGE => (NO_STAGE, NO_STAGE),
            _ => ((usize::from(number) / self.stages + 1) as u8, (usize::from(number) % self.stages) as u8),
        }
    }
}

// Widths of the fields. Time comes first: a log is nearly in time order, so that runs hardly overlap.
/// Of a stage in a period.
pub(super) const VISIT_BITS: u32 = 8;
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
        "stage" => VISIT_BITS,
        // Stands in the number of the visit.
        "period" => 0,
        "execution_type" => EXECUTION_TYPE_BITS,
        "error_type" => NAME_BITS,
        "segment" => SEGMENT_BITS,
        "metric" => METRIC_BITS,
        // Time stands first and takes what is left.
        _ => 63,
    }
}
