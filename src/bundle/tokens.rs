//! How many tokens a text may have in a model's context: an estimate without any vendor's vocabulary, on the high
//! side.
//!
//! Held against o200k_base, a large public vocabulary, it is 1.05 to 1.25 times the true count of code, prose, JSON,
//! Markdown and hexadecimal digits, and up to 4 times that of scripts whose words the vocabulary knows whole (Russian,
//! Chinese): docs/bundle.md has the table. Counts of lines add up, because nothing is counted across a line's end.

/// Letters and digits in a row from which a word is taken for a random value, which no vocabulary knows.
const RANDOM_FROM: usize = 24;

/// Tokens of a text, estimated.
pub(super) fn tokens(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut tokens = 0;
    let mut at = 0;
    while at < bytes.len() {
        let run = |is: fn(u8) -> bool| bytes[at..].iter().take_while(|byte| is(**byte)).count();
        let (length, count) = match bytes[at] {
            byte if byte.is_ascii_alphanumeric() => {
                let length = run(|byte| byte.is_ascii_alphanumeric());
                (length, word(&bytes[at..at + length]))
            }
            b' ' | b'\t' => {
                let length = run(|byte| matches!(byte, b' ' | b'\t'));
                // One space belongs to the word behind it.
                (length, u64::from(length > 1))
            }
            b'\n' | b'\r' => (1, 1),
            byte if byte.is_ascii() => {
                let length =
                    run(|byte| byte.is_ascii() && !byte.is_ascii_alphanumeric() && !byte.is_ascii_whitespace());
                (length.max(1), (length as u64).div_ceil(2).max(1))
            }
            // By the length of the character in UTF-8: two bytes one token, three bytes two, four bytes three.
            byte => {
                let length = if byte >= 0xf0 {
                    4
                } else if byte >= 0xe0 {
                    3
                } else {
                    2
                };
                (length, length as u64 - 1)
            }
        };
        tokens += count;
        at += length;
    }
    tokens
}

/// Letters in pieces of five, cut where a capital follows a small letter; digits in pieces of three.
fn word(word: &[u8]) -> u64 {
    if word.len() > RANDOM_FROM {
        return (word.len() as u64 * 18).div_ceil(25);
    }
    let cut = |a: &u8, b: &u8| {
        a.is_ascii_digit() == b.is_ascii_digit() && !(a.is_ascii_lowercase() && b.is_ascii_uppercase())
    };
    word.chunk_by(cut)
        .map(|piece| match piece[0].is_ascii_digit() {
            true => (piece.len() as u64).div_ceil(3),
            false => 1 + (piece.len() as u64).saturating_sub(2) / 5,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What the packing rests on.
        #[test]
        fn tokens_of_lines_add_up(lines in prop::collection::vec("[ \\ta-zA-Z0-9/{}().;'é日🚀#=-]{0,60}", 1..40)) {
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            let sum: u64 = lines.iter().map(|line| tokens(&format!("{line}\n"))).sum();
            prop_assert_eq!(tokens(&text), sum);
        }
    }
}
