//! The lines of a range of a file, and the digest of its bytes. A line belongs to the range that holds its first byte, so
//! ranges that tile a file read each line once, wherever they are cut: inside a line, a character, between `\r` and `\n`.

use std::io::{self, Read};
use std::ops::Range;

use crate::digest::{RangeHasher, Subtrees};
use crate::packing::fill;

/// A stream of a file from where [`Ranged::begins`] says -> the bytes of the lines of a range.
pub struct Ranged<R> {
    raw: R,
    range: Range<u64>,
    /// Bytes of the file.
    size: u64,
    /// Where the next byte of the stream stands in the file.
    at: u64,
    state: State,
    hasher: RangeHasher,
    /// Bytes of its lines so far.
    own: u64,
}

#[derive(PartialEq)]
enum State {
    /// In a line that began before the range.
    Before,
    Inside,
    Behind,
}

impl<R: Read> Ranged<R> {
    /// Where the stream of a range begins: with the byte before it, which tells whether a line begins at its start.
    pub fn begins(range: &Range<u64>) -> u64 {
        range.start.saturating_sub(1)
    }

    pub fn new(raw: R, range: Range<u64>, size: u64) -> Self {
        Self {
            raw,
            size,
            at: Self::begins(&range),
            state: if range.start == 0 { State::Inside } else { State::Before },
            hasher: RangeHasher::new(&range, size),
            range,
            own: 0,
        }
    }

    /// The bytes of the lines of the range, and the subtrees of the range, of which what was not read yet is read.
    ///
    /// # Errors
    /// The stream ends too early, or cannot be read.
    pub fn finish(mut self) -> io::Result<(u64, Subtrees)> {
        io::copy(&mut self, &mut io::sink())?;
        let mut rest = [0; blake3::CHUNK_LEN];
        while !self.hasher.wants().is_empty() {
            let (filled, failed) = fill(&mut self.raw, &mut rest);
            if let Some(error) = failed {
                return Err(error);
            }
            if filled == 0 {
                return Err(self.ends_early());
            }
            self.hasher.update(self.at, &rest[..filled]);
            self.at += filled as u64;
        }
        let early = self.ends_early();
        Ok((self.own, self.hasher.finish().ok_or(early)?))
    }

    fn ends_early(&self) -> io::Error {
        io::Error::other(format!("it ends after {} of {} bytes", self.at, self.size))
    }
}

impl<R: Read> Read for Ranged<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.state != State::Behind && !buffer.is_empty() {
            // No byte behind the file as it was: it may have grown.
            let room = usize::try_from(self.size - self.at).unwrap_or(usize::MAX).min(buffer.len());
            if room == 0 {
                self.state = State::Behind;
                break;
            }
            let read = self.raw.read(&mut buffer[..room])?;
            if read == 0 {
                return Err(self.ends_early());
            }
            let from = self.at;
            self.hasher.update(from, &buffer[..read]);
            self.at += read as u64;
            let start = match self.state {
                State::Before => match memchr::memchr(b'\n', &buffer[..read]) {
                    None => continue,
                    Some(newline) => newline + 1,
                },
                _ => 0,
            };
            self.state = State::Inside;
            // A newline at the byte before the end, or behind it, ends the last line.
            let last = usize::try_from(self.range.end.saturating_sub(1).saturating_sub(from)).unwrap_or(usize::MAX);
            let end = match buffer.get(last.max(start.saturating_sub(1))..read) {
                Some(tail) => memchr::memchr(b'\n', tail).map(|at| read - tail.len() + at + 1),
                None => None,
            };
            if end.is_some() || self.range.is_empty() {
                self.state = State::Behind;
            }
            let end = if self.range.is_empty() { start } else { end.unwrap_or(read) };
            buffer.copy_within(start..end, 0);
            self.own += (end - start) as u64;
            if end > start {
                return Ok(end - start);
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::packing::blake3_text;

    /// Gives at most `step` bytes at a time.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(buffer.len()).min(self.0.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn ranged(bytes: &[u8], range: Range<u64>, step: usize) -> Ranged<Trickle<'_>> {
        let from = Ranged::<Trickle<'_>>::begins(&range) as usize;
        Ranged::new(Trickle(&bytes[from..], step), range, bytes.len() as u64)
    }

    proptest! {
        /// Each line once, whole, in the range that holds its first byte.
        #[test]
        fn ranges_hold_each_line_once(
            bytes in prop::collection::vec(prop_oneof![3 => Just(b'\n'), 1 => Just(b'\r'), 5 => any::<u8>()], 1..300),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6), step in 1usize..40, room in 1usize..40,
        ) {
            let size = bytes.len();
            let mut at: Vec<u64> = cuts.iter().map(|cut| cut.index(size) as u64).chain([0, size as u64]).collect();
            at.sort_unstable();
            let mut subtrees: Option<Subtrees> = None;
            let mut all = Vec::new();
            for pair in at.windows(2) {
                let mut lines = Vec::new();
                let mut reader = ranged(&bytes, pair[0]..pair[1], step);
                let mut buffer = vec![0; room];
                loop {
                    let read = reader.read(&mut buffer).unwrap();
                    lines.extend_from_slice(&buffer[..read]);
                    if read == 0 { break; }
                }
                // It begins behind a newline, in the range, or holds nothing.
                let start = all.len();
                if !lines.is_empty() {
                    prop_assert!((pair[0]..pair[1]).contains(&(start as u64)));
                    prop_assert!(start == 0 || bytes[start - 1] == b'\n');
                }
                let (own, of_range) = reader.finish().unwrap();
                prop_assert_eq!(own as usize, lines.len());
                all.extend(lines);
                subtrees = Some(match subtrees { None => of_range, Some(before) => before.join(&of_range, size as u64).unwrap() });
            }
            prop_assert_eq!(&all, &bytes);
            prop_assert_eq!(subtrees.unwrap().digest(size as u64), Some(blake3_text(&blake3::hash(&bytes))));
        }
    }

    #[test]
    fn a_stream_that_ends_too_early_is_an_error() {
        let bytes = b"one\ntwo\nthree\n";
        let short = Ranged::new(Trickle(&bytes[3..9], 4), 4..14, 14);
        assert_eq!(short.finish().unwrap_err().to_string(), "it ends after 9 of 14 bytes");
    }
}
