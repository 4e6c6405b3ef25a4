//! A stream that is read once, as it comes: standard input of a run that knows what it would look for in a first reading.

use std::fmt;
use std::io::{self, Cursor, Read};
use std::sync::Mutex;

use crate::error::{Error, Result};
use crate::packing::fill;

/// Bytes at the beginning of a log that are looked at.
pub const HEAD_BYTES: usize = 1 << 16;

/// A stream that is read as it comes.
pub struct Feed {
    /// Its first bytes.
    head: Vec<u8>,
    rest: Mutex<Option<Fed>>,
}

impl fmt::Debug for Feed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a stream")
    }
}

impl Feed {
    /// Reads its first bytes. With `bytes` there must be as many, of which the stream has those from `begins` on: what
    /// feeds it may die, and a pipe that ends says nothing of why.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(stream: Box<dyn Read + Send>, bytes: Option<u64>, begins: u64) -> io::Result<Self> {
        let mut fed = Fed { stream, at: begins, bytes };
        let mut head = vec![0; HEAD_BYTES];
        let (filled, failed) = fill(&mut fed, &mut head);
        head.truncate(filled);
        match failed {
            Some(error) => Err(error),
            None => Ok(Self { head, rest: Mutex::new(Some(fed)) }),
        }
    }

    /// Its first bytes, at most 64 KiB.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// All of it.
    ///
    /// # Errors
    /// It was read already.
    pub fn stream(&self) -> Result<impl Read + '_> {
        let rest = self.rest.lock().expect("no reader panicked").take();
        let rest = rest.ok_or_else(|| {
            Error::new("it cannot be read again: its stage events stand behind what they place")
                .help("give a log or a cube with all stage events as --timeline, or the log as a file")
        })?;
        Ok(Cursor::new(&self.head).chain(rest))
    }
}

/// What comes in, counted.
struct Fed {
    stream: Box<dyn Read + Send>,
    /// Where the next byte stands.
    at: u64,
    bytes: Option<u64>,
}

impl Read for Fed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer)?;
        self.at += read as u64;
        match self.bytes {
            Some(bytes) if read == 0 && !buffer.is_empty() && self.at < bytes => {
                Err(io::Error::other(format!("it ends after {} of {bytes} bytes", self.at)))
            }
            Some(bytes) if self.at > bytes => {
                Err(io::Error::other(format!("it goes on behind the {bytes} bytes that it was to have")))
            }
            _ => Ok(read),
        }
    }
}
