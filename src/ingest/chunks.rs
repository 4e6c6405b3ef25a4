//! Sources -> chunks of whole lines, handed to worker threads. One thread reads (and
//! decompresses) a file, several files at a time; memory is a few chunks, whatever the log's
//! size. A line over 16 MiB is never held: its first characters are kept and the rest skipped.

use std::io::Read;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::reject::cut_bytes;
use super::source::{self, Compression, Source};
use crate::error::{Boundary, Error, Position, Result};
use crate::phases::Phases;

/// Longest line that is read, in bytes.
pub const MAX_LINE_BYTES: usize = 16 << 20;
/// Bytes read before a chunk is cut at its last newline.
const CHUNK_BYTES: usize = 1 << 20;

/// A run of whole lines of one source.
pub struct Chunk {
    /// Index of the source.
    pub source: usize,
    /// Number of the chunk within its source, from 0.
    pub sequence: usize,
    pub content: Content,
}

/// What a chunk holds.
pub enum Content {
    /// Lines, each ended by a newline but perhaps the last of the file.
    Lines(Vec<u8>),
    /// One line that was too long: its first characters.
    TooLong(String),
}

/// Reads every source once and folds each chunk into the state of some worker.
///
/// Which worker gets which chunk is chance, so `step` must not depend on the order. Returns the
/// workers' states and, per source, what was lost because the file is damaged.
///
/// # Errors
/// A file that cannot be opened or read.
pub fn scan<State: Send>(
    sources: &[Source],
    phases: &Phases,
    state: impl Fn() -> State + Sync,
    step: impl Fn(&mut State, &Chunk) + Sync,
) -> Result<(Vec<State>, Vec<Option<String>>)> {
    let threads = phases.threads;
    let next_source = AtomicUsize::new(0);
    let (full, chunks) = bounded::<Chunk>(threads + 1);
    let (empty, buffers) = unbounded::<Vec<u8>>();
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..threads.min(sources.len()))
            .map(|_| {
                let (full, buffers, next_source) = (full.clone(), buffers.clone(), &next_source);
                scope.spawn(move || read_sources(sources, next_source, &full, &buffers, phases))
            })
            .collect();
        drop(full);
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                let (chunks, empty, state, step) = (chunks.clone(), empty.clone(), &state, &step);
                scope.spawn(move || work(&chunks, &empty, state(), step))
            })
            .collect();
        drop(chunks);
        let states = workers.into_iter().map(join).collect();
        let mut losses = vec![None; sources.len()];
        for reader in readers {
            for (source, loss) in join(reader)? {
                losses[source] = loss;
            }
        }
        Ok((states, losses))
    })
}

/// A panic of a worker is a bug and goes on as one.
fn join<T>(handle: std::thread::ScopedJoinHandle<'_, T>) -> T {
    handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn work<State>(
    chunks: &Receiver<Chunk>,
    empty: &Sender<Vec<u8>>,
    mut state: State,
    step: &impl Fn(&mut State, &Chunk),
) -> State {
    for chunk in chunks {
        step(&mut state, &chunk);
        if let Content::Lines(mut bytes) = chunk.content
            && bytes.capacity() <= 2 * CHUNK_BYTES
        {
            bytes.clear();
            // The readers may be gone already; then nobody needs the buffer.
            let _ = empty.send(bytes);
        }
    }
    state
}

type Losses = Vec<(usize, Option<String>)>;

fn read_sources(
    sources: &[Source],
    next: &AtomicUsize,
    full: &Sender<Chunk>,
    buffers: &Receiver<Vec<u8>>,
    phases: &Phases,
) -> Result<Losses> {
    let mut losses = Vec::new();
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(source) = sources.get(index) else { return Ok(losses) };
        let mut sequence = 0;
        let send = |content| {
            if let Content::Lines(bytes) = &content {
                phases.add_bytes(bytes.len() as u64);
            }
            // A closed channel means that a worker panicked; the join reports it.
            let _ = full.send(Chunk { source: index, sequence, content });
            sequence += 1;
        };
        let fresh = || buffers.try_recv().unwrap_or_default();
        losses.push((index, cut_into_chunks(source::open(source)?, source, send, fresh)?));
    }
}

/// Cuts a stream at newlines. A damaged archive ends the stream: what was read counts, and the
/// loss is returned as a sentence.
fn cut_into_chunks(
    mut reader: impl Read,
    source: &Source,
    mut send: impl FnMut(Content),
    fresh: impl Fn() -> Vec<u8>,
) -> Result<Option<String>> {
    let mut buffer = fresh();
    let mut too_long: Option<String> = None;
    let mut read = 0_u64;
    loop {
        let carried = buffer.len();
        buffer.reserve(CHUNK_BYTES);
        let outcome = reader.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut buffer);
        let got = buffer.len() - carried;
        read += got as u64;
        if too_long.is_some() {
            let Some(newline) = memchr::memchr(b'\n', &buffer) else {
                buffer.clear();
                if let Some(end) = finished(outcome, got, source, read)? {
                    too_long.take().map(Content::TooLong).into_iter().for_each(send);
                    return Ok(end);
                }
                continue;
            };
            buffer.drain(..=newline);
            too_long.take().map(Content::TooLong).into_iter().for_each(&mut send);
        }
        let end = finished(outcome, got, source, read)?;
        let searched = carried.min(buffer.len());
        match memchr::memrchr(b'\n', &buffer[searched..]).map(|at| searched + at) {
            Some(newline) => {
                let mut next = fresh();
                next.extend_from_slice(&buffer[newline + 1..]);
                buffer.truncate(newline + 1);
                send(Content::Lines(std::mem::replace(&mut buffer, next)));
            }
            None if buffer.len() > MAX_LINE_BYTES => {
                too_long = Some(cut_bytes(&buffer));
                buffer = fresh();
            }
            None => {}
        }
        if let Some(end) = end {
            if let Some(text) = too_long {
                send(Content::TooLong(text));
            } else if !buffer.is_empty() {
                send(Content::Lines(buffer));
            }
            return Ok(end);
        }
    }
}

/// `None` while there is more to read; at the end, the loss if there was one.
fn finished(outcome: std::io::Result<usize>, got: usize, source: &Source, read: u64) -> Result<Option<Option<String>>> {
    match outcome {
        Ok(_) if got == 0 => Ok(Some(None)),
        Ok(_) => Ok(None),
        Err(error) if source.compression != Compression::None => Ok(Some(Some(format!(
            "the archive is damaged or cut short after {read} uncompressed bytes ({error}): what follows is lost"
        )))),
        Err(error) => {
            Err(Error::new(Boundary::Input, format!("cannot read: {error}")).at(Position::file(&source.name)))
        }
    }
}

/// Where the lines of a chunk stand, without `\n` or `\r\n`.
pub fn line_ranges(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    let mut newlines = memchr::memchr_iter(b'\n', bytes);
    std::iter::from_fn(move || {
        let end = match newlines.next() {
            Some(newline) => newline,
            None if start < bytes.len() => bytes.len(),
            None => return None,
        };
        let line = &bytes[start..end];
        let range = start..start + line.strip_suffix(b"\r").unwrap_or(line).len();
        start = end + 1;
        Some(range)
    })
}

/// A chunk's bytes without the byte-order mark that a file may begin with.
pub fn without_bom(bytes: &[u8], sequence: usize) -> &[u8] {
    if sequence == 0 { bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes) } else { bytes }
}
