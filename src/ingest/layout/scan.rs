//! Values of JSON, eight bytes at a time: where a value ends, and the digits of a number. As strict as the general
//! parser, and never wider: what is `None` here is left to it.

use crate::ingest::decimal::{self, Decimal};

/// Deepest nesting that is skipped.
const MAX_DEPTH: u32 = 63;

/// A text's length up to its closing quote, and whether it holds escapes; its opening quote is taken.
#[inline(always)]
pub(super) fn string(text: &[u8]) -> Option<(usize, bool)> {
    let mut rest = text;
    loop {
        let stops = stops(u64::from_le_bytes(*rest.first_chunk()?));
        if stops != 0 {
            rest = rest.get(stops.trailing_zeros() as usize / 8..)?;
            let length = text.len() - rest.len();
            return match rest.first()? {
                b'"' => Some((length, false)),
                b'\\' => Some((length + escaped(rest)?, true)),
                _ => None,
            };
        }
        rest = &rest[8..];
    }
}

/// The top bit of each byte that is a quote, a backslash or a control character; of those behind the first such byte it
/// may be set for others, too.
#[inline(always)]
fn stops(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let below = |bytes: u64, least: u64| bytes.wrapping_sub(ONES * least) & !bytes;
    (below(word ^ (ONES * b'"' as u64), 1) | below(word ^ (ONES * b'\\' as u64), 1) | below(word, 0x20)) & TOPS
}

/// The length of the rest of a text that begins with an escape. Every escape is checked.
#[inline(never)]
fn escaped(text: &[u8]) -> Option<usize> {
    let mut rest = text;
    loop {
        rest = match rest.first()? {
            b'"' => return Some(text.len() - rest.len()),
            b'\\' => match rest.get(1)? {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => &rest[2..],
                b'u' if rest.get(2..6)?.iter().all(u8::is_ascii_hexdigit) => &rest[6..],
                _ => return None,
            },
            0..0x20 => return None,
            _ => &rest[1..],
        }
    }
}

/// What follows a value that nobody asked for.
#[inline(always)]
pub(super) fn skip(rest: &[u8]) -> Option<&[u8]> {
    match *rest.first()? {
        b'"' => rest.get(string(&rest[1..])?.0 + 2..),
        b'-' | b'0'..=b'9' => decimal::read(rest, &mut Decimal::default()),
        b't' => word(rest, b"true"),
        b'f' => word(rest, b"false"),
        b'n' => word(rest, b"null"),
        b'[' | b'{' => nested(rest),
        _ => None,
    }
}

/// What follows a word, where it stands here.
#[inline(always)]
pub(super) fn word<'a, const N: usize>(rest: &'a [u8], word: &[u8; N]) -> Option<&'a [u8]> {
    let (found, after) = rest.split_first_chunk::<N>()?;
    (found == word).then_some(after)
}

pub(super) fn space(mut rest: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', after @ ..] = rest {
        rest = after;
    }
    rest
}

/// What follows a list or an object, all of which is checked. Which of the two is open is a bit per level.
#[inline(never)]
fn nested(mut rest: &[u8]) -> Option<&[u8]> {
    let (mut objects, mut depth) = (0_u64, 0);
    loop {
        rest = space(rest);
        match *rest.first()? {
            open @ (b'[' | b'{') => {
                let object = open == b'{';
                rest = space(&rest[1..]);
                // The closing bracket stands two behind the opening one.
                if *rest.first()? == open + 2 {
                    rest = &rest[1..];
                } else if depth == MAX_DEPTH {
                    return None;
                } else {
                    objects = objects << 1 | u64::from(object);
                    depth += 1;
                    if object {
                        rest = after_key(rest)?;
                    }
                    continue;
                }
            }
            _ => rest = skip(rest)?,
        }
        // A value ended: close what ends with it.
        loop {
            if depth == 0 {
                return Some(rest);
            }
            rest = space(rest);
            let object = objects & 1 == 1;
            match *rest.first()? {
                b',' => {
                    rest = &rest[1..];
                    if object {
                        rest = after_key(rest)?;
                    }
                    break;
                }
                b'}' if object => {}
                b']' if !object => {}
                _ => return None,
            }
            rest = &rest[1..];
            objects >>= 1;
            depth -= 1;
        }
    }
}

fn after_key(rest: &[u8]) -> Option<&[u8]> {
    let text = space(rest).strip_prefix(b"\"")?;
    let length = string(text)?.0;
    space(&text[length + 1..]).strip_prefix(b":")
}
