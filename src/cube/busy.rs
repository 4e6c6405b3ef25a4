//! Which seconds of an hour had an upload in flight: 3600 bits, so that the union of any
//! uploads, files or shards is a bitwise or.

/// Bytes of an hour's set: bit i (least significant first) is second i.
pub const BYTES: usize = 450;
const SECONDS_PER_HOUR: i64 = 3600;

/// The busy seconds of one hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusySeconds(pub Box<[u8; BYTES]>);

impl Default for BusySeconds {
    fn default() -> Self {
        Self(Box::new([0; BYTES]))
    }
}

impl BusySeconds {
    /// From the bytes of a cube; `None` for any other length.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes: [u8; BYTES]| Self(Box::new(bytes)))
    }

    /// Marks the seconds `first..=last` of the hour, both 0 to 3599.
    #[inline]
    pub fn mark(&mut self, first: usize, last: usize) {
        let (first_byte, last_byte) = (first / 8, last / 8);
        let head = 0xff_u8 << (first % 8);
        let tail = 0xff_u8 >> (7 - last % 8);
        if first_byte == last_byte {
            self.0[first_byte] |= head & tail;
        } else {
            self.0[first_byte] |= head;
            self.0[first_byte + 1..last_byte].fill(0xff);
            self.0[last_byte] |= tail;
        }
    }

    /// Adds the seconds of `other`.
    pub fn union(&mut self, other: &[u8]) {
        self.0.iter_mut().zip(other).for_each(|(byte, more)| *byte |= more);
    }

    /// How many seconds are marked, 0 to 3600.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|byte| u64::from(byte.count_ones())).sum()
    }

    /// How many seconds of a minute of the hour (0 to 59) are marked, 0 to 60.
    pub fn count_in_minute(&self, minute: usize) -> u64 {
        (minute * 60..(minute + 1) * 60).filter(|second| self.0[second / 8] >> (second % 8) & 1 == 1).count() as u64
    }
}

/// Splits the epoch seconds `first..=last` by hour: hour, first and last second within it.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "seconds of one hour")]
pub fn split_by_hour(first: i64, last: i64) -> impl Iterator<Item = (i64, usize, usize)> {
    (first.div_euclid(SECONDS_PER_HOUR)..=last.div_euclid(SECONDS_PER_HOUR)).map(move |hour| {
        let start = hour * SECONDS_PER_HOUR;
        ((hour), (first - start).max(0) as usize, (last - start).min(SECONDS_PER_HOUR - 1) as usize)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn marks_exactly_the_seconds(spans in prop::collection::vec((0i64..10_000, 0i64..5_000), 0..12)) {
            let mut hours = std::collections::BTreeMap::<i64, BusySeconds>::new();
            let mut want = BTreeSet::new();
            for (first, length) in spans {
                want.extend(first..=first + length);
                for (hour, from, to) in split_by_hour(first, first + length) {
                    hours.entry(hour).or_default().mark(from, to);
                }
            }
            prop_assert_eq!(hours.values().map(BusySeconds::count).sum::<u64>(), want.len() as u64);
            let by_minute: u64 = hours.values().flat_map(|hour| (0..60).map(|minute| hour.count_in_minute(minute))).sum();
            prop_assert_eq!(by_minute, want.len() as u64);
        }
    }
}
