//! Sorting of packed keys. A buffer of keys differs in few of its bits (a log is nearly in time order), and those
//! alone cost passes: LSD radix sort (Knuth 1973, 5.2.5) by digits that begin at a bit that differs.

/// Below this the comparison sort is faster.
const SMALL: usize = 512;
/// Bits of a digit: its counters fit the first-level cache.
const DIGIT_BITS: u32 = 11;

/// Sorts `keys`; `scratch` keeps its room for the next call.
pub fn sort(keys: &mut [u64], scratch: &mut Vec<u64>) {
    let Some(first) = keys.first().copied() else { return };
    if keys.len() < SMALL {
        keys.sort_unstable();
        return;
    }
    let mut differing = keys.iter().fold(0, |bits, key| bits | (key ^ first));
    scratch.resize(keys.len(), 0);
    let (mut from, mut to): (&mut [u64], &mut [u64]) = (keys, scratch);
    let mut in_scratch = false;
    while differing != 0 {
        let shift = differing.trailing_zeros();
        let digit = |key: u64| (key >> shift) as usize & ((1 << DIGIT_BITS) - 1);
        differing = differing
            .checked_shr(shift + DIGIT_BITS)
            .and_then(|rest| rest.checked_shl(shift + DIGIT_BITS))
            .unwrap_or(0);
        let mut starts = [0_u32; 1 << DIGIT_BITS];
        from.iter().for_each(|key| starts[digit(*key)] += 1);
        let mut sum = 0;
        for start in &mut starts {
            (*start, sum) = (sum, sum + *start);
        }
        for key in from.iter() {
            let place = &mut starts[digit(*key)];
            to[*place as usize] = *key;
            *place += 1;
        }
        std::mem::swap(&mut from, &mut to);
        in_scratch = !in_scratch;
    }
    if in_scratch {
        to.copy_from_slice(from);
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
            let keys = (0..length).map(|index| next(index).wrapping_mul(index as u64 | 1) & mask);
            let mut keys: Vec<u64> = keys.collect();
            let mut want = keys.clone();
            want.sort_unstable();
            sort(&mut keys, &mut Vec::new());
            prop_assert_eq!(keys, want);
        }
    }
}
