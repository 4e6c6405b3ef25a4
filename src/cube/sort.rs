//! Sorting of hashes: LSD radix sort (Knuth 1973, 5.2.5) by their upper bits, which tell nearly all of them apart; what
//! shares these is sorted by comparison.

/// Below this the comparison sort is faster.
const SMALL: usize = 512;
/// Bits of a digit: its counters fit the first-level cache.
const DIGIT_BITS: u32 = 11;
/// Digits that are sorted by: 33 bits.
const DIGITS: u32 = 3;

/// Sorts `hashes`; `scratch` keeps its room for the next call.
#[expect(clippy::cast_possible_truncation, reason = "one digit of the hash")]
pub(super) fn sort_hashes(hashes: &mut Vec<u64>, scratch: &mut Vec<u64>) {
    if hashes.len() < SMALL {
        hashes.sort_unstable();
        return;
    }
    scratch.resize(hashes.len(), 0);
    for digit in 0..DIGITS {
        let shift = u64::BITS - DIGIT_BITS * (DIGITS - digit);
        let digit = |hash: u64| (hash >> shift) as usize & ((1 << DIGIT_BITS) - 1);
        let mut starts = [0_u32; 1 << DIGIT_BITS];
        hashes.iter().for_each(|hash| starts[digit(*hash)] += 1);
        let mut sum = 0;
        for start in &mut starts {
            (*start, sum) = (sum, sum + *start);
        }
        for hash in hashes.iter() {
            let place = &mut starts[digit(*hash)];
            scratch[*place as usize] = *hash;
            *place += 1;
        }
        std::mem::swap(hashes, scratch);
    }
    let upper = |hash: &u64| hash >> (u64::BITS - DIGIT_BITS * DIGITS);
    for same in hashes.chunk_by_mut(|a, b| upper(a) == upper(b)) {
        same.sort_unstable();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sorts_as_the_standard_library_does(
            seeds in prop::collection::vec(any::<u64>(), 0..40), length in 0_usize..3000, mask in any::<u64>(),
        ) {
            let next = |index: usize| seeds.get(index % seeds.len().max(1)).copied().unwrap_or(7);
            let hashes = (0..length).map(|index| next(index).wrapping_mul(index as u64 | 1) & mask);
            let mut hashes: Vec<u64> = hashes.collect();
            let mut want = hashes.clone();
            want.sort_unstable();
            sort_hashes(&mut hashes, &mut Vec::new());
            prop_assert_eq!(hashes, want);
        }
    }
}
