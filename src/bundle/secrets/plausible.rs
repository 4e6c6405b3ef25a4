//! Could what stands there be a secret, or is it a word, a variable, a placeholder?

use super::rule::{Rule, Where};

pub(super) fn is_random_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'_' | b'-' | b'=')
}

/// Whether what a pattern found can be a secret rather than a placeholder or a word.
pub(super) fn is_secret(rule: &Rule, secret: &[u8]) -> bool {
    if entropy(secret) < rule.entropy || is_placeholder(secret, rule.place == Where::Anywhere) {
        return false;
    }
    match rule.id {
        "secret-in-code" | "environment-secret" | "secret-in-settings" => !reads_like_words(secret),
        "password-in-url" => !is_variable(secret),
        _ => true,
    }
}

/// Shannon entropy in bits per byte, 0 to 8.
pub(super) fn entropy(text: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    text.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let n = text.len() as f64;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / n)
        .map(|share| -share * share.log2())
        .sum()
}

/// Words that documentation puts where a secret would stand.
pub(super) const PLACEHOLDERS: [&str; 22] = [
    "example",
    "placeholder",
    "changeme",
    "change_me",
    "change-me",
    "your",
    "dummy",
    "redacted",
    "replace",
    "insert",
    "xxxx",
    "****",
    "....",
    "fake",
    "sample",
    "todo",
    "none",
    "null",
    "undefined",
    "secret_here",
    "1234567890",
    "abcdefgh",
];

/// Whether a value is one of documentation. A text whose form alone is proof is let off only where it says so itself.
pub(super) fn is_placeholder(secret: &[u8], form_is_proof: bool) -> bool {
    let lower = String::from_utf8_lossy(secret).to_ascii_lowercase();
    if form_is_proof {
        return lower.contains("example") || lower.contains("xxxxxxxx") || lower.contains("00000000000");
    }
    PLACEHOLDERS.iter().any(|word| lower.contains(word))
}

/// `user`, `PASSWORD`, `pass`: names that stand for a password.
pub(super) fn is_variable(secret: &[u8]) -> bool {
    let lower = String::from_utf8_lossy(secret).to_ascii_lowercase();
    let names = [
        "pass",
        "password",
        "passwd",
        "pwd",
        "pw",
        "secret",
        "token",
        "key",
        "pass_word",
        "foo",
        "bar",
        "baz",
        "abc",
        "123",
        "pas",
    ];
    names.contains(&lower.as_str())
        || secret.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_')
        || secret.starts_with(b"%")
}

/// Lower case, upper case, digit, anything else.
pub(super) fn kind(byte: u8) -> usize {
    match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    }
}

/// How many there are of each kind.
pub(super) fn kinds(text: &[u8]) -> [usize; 4] {
    let mut kinds = [0; 4];
    text.iter().for_each(|byte| kinds[kind(*byte)] += 1);
    kinds
}

/// Whether a value is made of words, as names, paths and messages are: no digit stands in it, or only at the
/// end of words, or it is one kind of character throughout.
pub(super) fn reads_like_words(secret: &[u8]) -> bool {
    let kinds = kinds(secret);
    let letters = kinds[0] + kinds[1];
    if letters == 0 || kinds[2] == 0 && kinds[3] == 0 {
        // Numbers and dates; or a single word, in one or two cases.
        return kinds[2] == 0 || letters == 0;
    }
    if kinds[2] == 0 {
        // Letters and marks: a password has marks that names do not have.
        return !secret.iter().any(|byte| matches!(byte, b'!' | b'@' | b'#' | b'%' | b'^' | b'&' | b'*' | b'~' | b'?'))
            || secret.ends_with(b"!")
            || secret.ends_with(b"?");
    }
    // Words split at marks: `v1.2`, `sha2-256`, `utf8`: every part is letters with a few digits behind them.
    secret.split(|byte| matches!(byte, b'_' | b'-' | b'.' | b'/' | b',' | b':')).all(|part| {
        let digits = part.iter().filter(|byte| byte.is_ascii_digit()).count();
        let tail = part.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        digits == tail
            && (digits <= 2 || part.len() == digits)
            && part.len() <= 16 + digits
            && part.iter().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// Whether a value has the mix and the order of one drawn at random.
pub(super) fn looks_random(value: &[u8]) -> bool {
    let seen = kinds(value);
    let changes = value.windows(2).filter(|pair| kind(pair[0]) != kind(pair[1])).count();
    let rising = value.windows(2).filter(|pair| pair[1] == pair[0].wrapping_add(1)).count();
    seen[0] >= 4
        && seen[1] >= 4
        && seen[2] >= 2
        && changes * 3 >= value.len()
        && rising * 6 < value.len()
        && entropy(value) >= RANDOM_ENTROPY
        && !is_placeholder(value, false)
        && !PUBLIC_KEYS.iter().any(|start| value.starts_with(start))
}

/// Shortest random value, in characters.
pub(super) const MIN_RANDOM: usize = 32;

pub(super) const MAX_RANDOM: usize = 128;

/// Least entropy of a random value, in bits per character.
pub(super) const RANDOM_ENTROPY: f64 = 4.6;

/// How an encoded public key begins.
pub(super) const PUBLIC_KEYS: [&[u8]; 4] = [b"MFkwEwYHKoZIzj0", b"MIIBIjANBgkqhki", b"MCowBQYDK2Vw", b"AAAAB3NzaC1"];
