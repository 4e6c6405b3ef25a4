//! Numbers of JSON, eight digits at a time: as exact decimals, and to the nearest f64 (Clinger 1990; Lemire 2021,
//! "Number parsing at a gigabyte per second").

/// Powers of ten that an f64 holds exactly.
pub const POWERS_OF_TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];
/// Most digits that a u64 holds whatever they are.
const MAX_DIGITS: u32 = 19;
/// As many digits are below 2^53: one division rounds once.
const EXACT_DIGITS: u32 = 15;
const TENS: [u64; 20] = {
    let mut tens = [1; 20];
    let mut at = 1;
    while at < tens.len() {
        tens[at] = tens[at - 1] * 10;
        at += 1;
    }
    tens
};
/// Most decimals of [`nearest`]: 5^27 is the last power that 63 bits hold.
const MAX_DECIMALS: usize = 27;
/// 2^k / 5^n, rounded up, for n from 0 to 27, with k such that it has 128 bits: its upper and its lower half.
const FIFTHS: [(u64, u64); MAX_DECIMALS + 1] = {
    let mut powers = [(1 << 63, 0); MAX_DECIMALS + 1];
    let (mut divisor, mut at) = (1_u64, 1);
    while at < powers.len() {
        divisor *= 5;
        // Long division of a power of two, from the last that is smaller than the divisor.
        let (mut rest, mut quotient, mut bit) = (1 << (63 - divisor.leading_zeros()), 0_u128, 0);
        while bit < 128 {
            rest *= 2;
            quotient <<= 1;
            if rest >= divisor {
                rest -= divisor;
                quotient |= 1;
            }
            bit += 1;
        }
        quotient += 1;
        powers[at] = ((quotient >> 64) as u64, quotient as u64);
        at += 1;
    }
    powers
};

/// A number as it is written: `mantissa` × 10^-`decimals`, of `digits` digits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Decimal {
    pub mantissa: u64,
    pub decimals: u8,
    /// 0 where the number is not that: it is negative, has an exponent or more than 19 digits.
    digits: u8,
}

impl Decimal {
    /// Whether mantissa and decimals are the number.
    #[inline(always)]
    pub fn is_exact(self) -> bool {
        self.digits > 0
    }

    /// The nearest f64 of the number, which is written so; infinite where it is too large.
    #[inline(always)]
    pub fn value_of(self, text: &str) -> f64 {
        self.shifted(0).unwrap_or_else(|| text.parse().unwrap_or(f64::INFINITY))
    }

    /// The nearest f64 of the number divided by 10^`shift`; `None` where it is not exact, or too small.
    #[inline(always)]
    pub fn shifted(self, shift: i32) -> Option<f64> {
        let decimals = i32::from(self.decimals) + shift;
        if !self.is_exact() {
            return None;
        }
        match u32::from(self.digits) <= EXACT_DIGITS {
            true if (0..=22).contains(&decimals) => Some(self.mantissa as f64 / POWERS_OF_TEN[decimals as usize]),
            true if (-7..0).contains(&decimals) => {
                // At most 15 digits and 7 zeros: exact, where it stays below 2^53; else one product rounds once.
                Some(self.mantissa as f64 * POWERS_OF_TEN[decimals.unsigned_abs() as usize])
            }
            _ => nearest(self.mantissa, usize::try_from(decimals).ok()?),
        }
    }
}

/// The number that a text is, where it is written as JSON writes numbers.
#[inline]
pub fn of_text(text: &str) -> Option<Decimal> {
    let mut padded = [0; 40];
    padded.get_mut(..text.len()).filter(|_| text.len() <= 32)?.copy_from_slice(text.as_bytes());
    let mut decimal = Decimal::default();
    let after = read(&padded, &mut decimal)?;
    (padded.len() - after.len() == text.len()).then_some(decimal)
}

/// Reads a number, and gives what follows it. `None` where it is none, or fewer than eight bytes follow.
#[inline(always)]
pub fn read<'a>(rest: &'a [u8], to: &mut Decimal) -> Option<&'a [u8]> {
    let negative = *rest.first()? == b'-';
    let digits = &rest[usize::from(negative)..];
    let mut mantissa = 0;
    let (whole, mut after) = run(digits, &mut mantissa)?;
    if whole == 0 || whole > 1 && digits[0] == b'0' {
        return None;
    }
    let mut decimals = 0;
    if *after.first()? == b'.' {
        (decimals, after) = run(&after[1..], &mut mantissa)?;
        if decimals == 0 {
            return None;
        }
    }
    let mut exact = !negative && whole + decimals <= MAX_DIGITS;
    if *after.first()? | 0x20 == b'e' {
        let sign = usize::from(matches!(after.get(1)?, b'+' | b'-'));
        let (count, behind) = run(&after[1 + sign..], &mut 0)?;
        if count == 0 {
            return None;
        }
        (after, exact) = (behind, false);
    }
    let digits = if exact { (whole + decimals) as u8 } else { 0 };
    *to = Decimal { mantissa, decimals: decimals as u8, digits };
    Some(after)
}

/// Takes digits off the front: how many there were, and what follows. `mantissa` wraps around.
#[inline(always)]
fn run<'a>(mut rest: &'a [u8], mantissa: &mut u64) -> Option<(u32, &'a [u8])> {
    let mut count = 0;
    loop {
        let digits = u64::from_le_bytes(*rest.first_chunk()?) ^ 0x3030_3030_3030_3030;
        // The top bit of each byte that is above 9, exact up to the first of them.
        let others = (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080;
        let length = others.trailing_zeros() / 8;
        if length > 0 {
            *mantissa = mantissa.wrapping_mul(TENS[length as usize]).wrapping_add(number(digits, length));
        }
        count += length;
        rest = rest.get(length as usize..)?;
        if length < 8 {
            return Some((count, rest));
        }
    }
}

/// The number that the first `count` of eight digits are, 1 to 8: pairs, fours, eights.
#[inline(always)]
fn number(digits: u64, count: u32) -> u64 {
    let digits = digits << (64 - 8 * count);
    let pairs = (digits & 0x0f0f_0f0f_0f0f_0f0f).wrapping_mul(10 << 8 | 1) >> 8;
    let fours = (pairs & 0x00ff_00ff_00ff_00ff).wrapping_mul(100 << 16 | 1) >> 16;
    (fours & 0x0000_ffff_0000_ffff).wrapping_mul(10_000 << 32 | 1) >> 32
}

/// The f64 nearest to `mantissa` × 10^-`decimals`, for up to 27 decimals: the upper 64 bits of a product with 2^k/5^n,
/// and more of them where those do not decide (Lemire 2021, with Mushtak and Lemire 2023 for why that is enough).
#[inline]
pub fn nearest(mantissa: u64, decimals: usize) -> Option<f64> {
    let (upper, lower) = *FIFTHS.get(decimals)?;
    if mantissa == 0 {
        return Some(0.0);
    }
    let zeros = mantissa.leading_zeros();
    let shifted = u128::from(mantissa << zeros);
    let product = shifted * u128::from(upper);
    let (mut high, mut low) = ((product >> 64) as u64, product as u64);
    if high & 0x1ff == 0x1ff {
        let carried;
        (low, carried) = low.overflowing_add(((shifted * u128::from(lower)) >> 64) as u64);
        high += u64::from(carried);
    }
    let upper_bit = (high >> 63) as i32;
    let shift = upper_bit + 64 - 52 - 3;
    let mut bits = high >> shift;
    // log2 of 10^-decimals, rounded down, by a fraction that holds far beyond 27.
    let log2 = (-(decimals as i32) * 217_706) >> 16;
    let mut exponent = log2 + 63 + upper_bit - zeros as i32 + 1023;
    // Half-way between two: to the even one.
    if low <= 1 && decimals <= 4 && bits & 3 == 1 && bits << shift == high {
        bits &= !1;
    }
    bits = (bits + (bits & 1)) >> 1;
    if bits >= 2 << 52 {
        bits = 1 << 52;
        exponent += 1;
    }
    Some(f64::from_bits(bits & !(1 << 52) | (exponent as u64) << 52))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_text(text: &str) -> Option<(Decimal, usize)> {
        let padded = format!("{text},{}", " ".repeat(16));
        let mut decimal = Decimal::default();
        let after = read(padded.as_bytes(), &mut decimal)?;
        Some((decimal, padded.len() - after.len()))
    }

    #[test]
    fn numbers_of_json_alone_are_read() {
        for text in [
            "0",
            "-0",
            "7",
            "1834.21",
            "1e5",
            "1.5E-7",
            "12345678",
            "0.1234567890123456789012",
            "-1.5",
            "1189.2647824950852",
        ] {
            assert_eq!(read_text(text).map(|(_, length)| length), Some(text.len()), "{text}");
        }
        for text in ["", "-", "01", "1.", ".5", "1e", "1e+", "+1", "NaN"] {
            assert_eq!(read_text(text), None, "{text}");
        }
        let (decimal, _) = read_text("1189.2647824950852").unwrap();
        assert_eq!((decimal.mantissa, decimal.decimals), (11_892_647_824_950_852, 13));
        assert_eq!(decimal.shifted(0), Some(1189.2647824950852));
        assert_eq!(read_text("-1").unwrap().0.shifted(0), None);
    }

    #[test]
    fn half_way_cases_are_rounded_to_even() {
        for text in [
            "9007199254740993",
            "9007199254740995",
            "4503599627370496.5",
            "4503599627370497.5",
            "2251799813685248.25",
            "1125899906842624.125",
            "0.5",
            "0.0",
        ] {
            assert_eq!(read_text(text).unwrap().0.shifted(0), text.parse().ok(), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn values_are_those_of_the_standard_library(mantissa in any::<u64>(), bits in 0_u32..64, decimals in 0_usize..=27) {
            let mantissa = mantissa >> bits;
            let want: f64 = format!("{mantissa}e-{decimals}").parse().unwrap();
            prop_assert_eq!(nearest(mantissa, decimals).map(f64::to_bits), Some(want.to_bits()));
        }

        /// The digits that loggers write, and those in the middle between two floats.
        #[test]
        fn printed_floats_are_read_back(value in 0.0_f64..1e9, shift in -3_i32..=6, odd in 0_u64..1 << 20, halves in 0_u32..12) {
            for value in [value, odd as f64 / f64::from(1 << halves)] {
                let text = format!("{value:?}");
                let (decimal, length) = read_text(&text).unwrap();
                prop_assert_eq!(length, text.len());
                if decimal.is_exact() {
                    prop_assert_eq!(decimal.shifted(0), Some(value));
                    let want: f64 = format!("{text}e{}", -shift).parse().unwrap();
                    prop_assert!(decimal.shifted(shift).is_none_or(|shifted| shifted == want), "{} {}", text, shift);
                }
            }
        }
    }
}
