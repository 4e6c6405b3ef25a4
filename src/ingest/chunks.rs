//! Sources -> chunks of whole lines, handed to worker threads. One thread reads (and
//! decompresses) a file, several files at a time; memory is a few chunks, whatever the log's
//! size. A line over 16 MiB is never held: its first characters are kept and the rest skipped.

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::csv::{self, Quoting};
use super::parquet;
use super::ranged::Ranged;
use super::reject::cut_bytes;
use super::source::{self, Packing, Source};
use crate::digest::Subtrees;
use crate::error::{Error, Position, Result};
use crate::packing::{Hashed, Unpacked, fill};
use crate::run::Run;
use crate::schema::mapping::Form;

/// Longest line that is read, in bytes.
pub const MAX_LINE_BYTES: usize = 16 << 20;
/// Bytes read before a chunk is cut at its last newline.
const CHUNK_BYTES: usize = 1 << 20;

/// Where a chunk stands among all that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// Index of the source.
    pub source: usize,
    /// Number of the chunk within its source, from 0.
    pub sequence: usize,
}

/// A run of whole lines of one source.
pub struct Chunk<Mark> {
    pub origin: Origin,
    pub content: Content,
    /// What the reader knew when it had read as far as this chunk.
    pub mark: Mark,
}

/// What a chunk holds.
pub enum Content {
    Lines(Lines),
    /// One line that was too long: its first characters.
    TooLong(String),
}

/// Lines, each ended by a newline but perhaps the last of the file. They are not copied out of the block that was
/// read, but for the first one, which begins in the block before.
pub struct Lines {
    head: Vec<u8>,
    block: Option<(Arc<Block>, Range<usize>)>,
    /// Whether a byte-order mark may stand in front.
    first: bool,
}

impl Lines {
    /// The line that two blocks share, and those of the block; either may be empty.
    pub fn parts(&self) -> [&[u8]; 2] {
        let body = self.block.as_ref().map_or(&[][..], |(block, range)| &block.bytes[range.clone()]);
        let without_mark = |bytes: &'_ [u8]| if self.first && bytes.starts_with(BYTE_ORDER_MARK) { 3 } else { 0 };
        match self.head.is_empty() {
            true => [&[], &body[without_mark(body)..]],
            false => [&self.head[without_mark(&self.head)..], body],
        }
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Bytes as they were read; the buffer goes back to the readers when nobody needs it any more.
struct Block {
    bytes: Vec<u8>,
    filled: usize,
    pool: Sender<Vec<u8>>,
}

impl Drop for Block {
    fn drop(&mut self) {
        // The readers may be gone already; then nobody needs the buffer.
        let _ = self.pool.send(std::mem::take(&mut self.bytes));
    }
}

/// What is known of a source once it was read.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// What was lost because the file is damaged.
    pub loss: Option<String>,
    /// Of the file as it lies on disk, as [`crate::packing::Digest::text`] writes it; empty of a range.
    pub digest: String,
    /// Bytes as they lie on disk; of a range those of its lines.
    pub bytes: u64,
    pub subtrees: Option<Subtrees>,
}

/// The outcomes of sources, with their numbers.
pub type Outcomes = Vec<(usize, Outcome)>;

/// Reads the sources numbered `which` once and folds each chunk into the state of some worker.
///
/// `mark` sees the chunks of a source in order, before any worker does, and what it returns travels with the chunk.
/// Which worker gets which chunk is chance, so `step` must not depend on the order. Returns the workers' states
/// and the outcome of each source, with its number.
///
/// # Errors
/// A file that cannot be opened or read.
pub fn scan<State: Send, Mark: Send>(
    sources: &[Source],
    which: &[usize],
    run: &Run,
    mark: impl Fn(&Source, &Content, Origin) -> Mark + Sync,
    state: impl Fn() -> State + Sync,
    step: impl Fn(&mut State, &Chunk<Mark>) + Sync,
) -> Result<(Vec<State>, Outcomes)> {
    let threads = run.threads;
    // Of many files a small one is folded where it was read: handing it over would cost more.
    let (small, large): (Vec<usize>, Vec<usize>) =
        which.iter().partition(|index| which.len() > threads && sources[**index].bytes < CHUNK_BYTES as u64);
    let (small, large) = (&Queue::new(small), &Queue::new(large));
    let (full, chunks) = bounded::<Chunk<Mark>>(threads + 1);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..threads.min(large.items.len()))
            .map(|_| {
                let (full, mark) = (full.clone(), &mark);
                scope.spawn(move || {
                    let pool = Pool::default();
                    let send = |chunk| {
                        // A closed channel means that a worker stopped; its join says why.
                        let _ = full.send(chunk);
                    };
                    large.map(|index| Ok((index, read(index, &sources[index], &pool, run, mark, send)?)))
                })
            })
            .collect();
        drop(full);
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                let (chunks, mark, state, step) = (chunks.clone(), &mark, &state, &step);
                scope.spawn(move || {
                    let mut state = state();
                    let pool = Pool::default();
                    let outcomes = small.map(|index| {
                        chunks.try_iter().for_each(|chunk| step(&mut state, &chunk));
                        let step = |chunk| step(&mut state, &chunk);
                        Ok((index, read(index, &sources[index], &pool, run, mark, step)?))
                    });
                    chunks.iter().for_each(|chunk| step(&mut state, &chunk));
                    outcomes.map(|outcomes| (state, outcomes))
                })
            })
            .collect();
        drop(chunks);
        let (mut states, mut outcomes) = (Vec::new(), Vec::new());
        for worker in workers {
            let (state, read) = join(worker)?;
            states.push(state);
            outcomes.extend(read);
        }
        for reader in readers {
            outcomes.extend(join(reader)?);
        }
        Ok((states, outcomes))
    })
}

/// Work that threads take from the front.
pub struct Queue<T> {
    items: Vec<T>,
    next: AtomicUsize,
}

impl<T: Clone> Queue<T> {
    pub fn new(items: Vec<T>) -> Self {
        Self { items, next: AtomicUsize::new(0) }
    }

    /// Does the work that no other thread has taken, until there is none or one fails.
    ///
    /// # Errors
    /// Of the first that fails.
    pub fn map<R>(&self, mut work: impl FnMut(T) -> Result<R>) -> Result<Vec<R>> {
        let next = || self.items.get(self.next.fetch_add(1, Ordering::Relaxed)).cloned();
        std::iter::from_fn(next).map(&mut work).collect()
    }
}

/// What `work` makes of each number below `count`, in their order, by the run's threads. Not by rayon: a thread that waits
/// for a part of its work would begin another meanwhile, and of many one within the other.
///
/// # Errors
/// Of the first that fails.
pub fn side_by_side<R: Send>(count: usize, run: &Run, work: impl Fn(usize) -> Result<R> + Sync) -> Result<Vec<R>> {
    let queue = &Queue::new((0..count).collect());
    let working = || queue.map(|number| Ok((number, work(number)?)));
    let done: Result<Vec<Vec<(usize, R)>>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..run.threads.min(count)).map(|_| scope.spawn(working)).collect();
        threads.into_iter().map(join).collect()
    });
    let mut done: Vec<(usize, R)> = done?.into_iter().flatten().collect();
    done.sort_by_key(|(number, _)| *number);
    Ok(done.into_iter().map(|(_, made)| made).collect())
}

/// A panic of a worker is a bug and goes on as one.
pub fn join<T>(handle: std::thread::ScopedJoinHandle<'_, T>) -> T {
    handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Buffers that are used again.
pub struct Pool(Sender<Vec<u8>>, Receiver<Vec<u8>>);

impl Default for Pool {
    fn default() -> Self {
        let (give, take) = unbounded();
        Self(give, take)
    }
}

/// Reads one source, whose number is `index`, and hands its chunks to `each`, in order.
///
/// # Errors
/// The file cannot be opened or read.
pub fn read<Mark>(
    index: usize,
    source: &Source,
    pool: &Pool,
    run: &Run,
    mark: impl Fn(&Source, &Content, Origin) -> Mark,
    mut each: impl FnMut(Chunk<Mark>),
) -> Result<Outcome> {
    let mut origin = Origin { source: index, sequence: 0 };
    read_source(source, pool, |content| {
        if let Content::Lines(lines) = &content {
            run.add_bytes(lines.parts().iter().map(|part| part.len() as u64).sum());
        }
        let mark = mark(source, &content, origin);
        each(Chunk { origin, content, mark });
        origin.sequence += 1;
    })
}

/// Cuts one source into chunks, and hashes it on the way, as it lies on disk.
fn read_source(source: &Source, pool: &Pool, send: impl FnMut(Content)) -> Result<Outcome> {
    let fail = |error: std::io::Error| unreadable(source, &error);
    let stream = source::stream(source)?;
    if let Some(range) = &source.range {
        let mut lines = Ranged::new(stream, range.clone(), source.bytes);
        let loss = Cutter::new(source, send).cut(&mut lines, pool)?;
        let (bytes, subtrees) = lines.finish().map_err(fail)?;
        return Ok(Outcome { loss, digest: String::new(), bytes, subtrees: Some(subtrees) });
    }
    let stream = Hashed::new(stream, blake3::Hasher::new());
    let (loss, stream) = match source.packing {
        Packing::Lines(compression) => {
            let mut unpacked = Unpacked::new(stream, compression).map_err(fail)?;
            let loss = Cutter::new(source, send).cut(&mut unpacked, pool)?;
            (loss, unpacked.into_inner())
        }
        Packing::Parquet => {
            let file = source::open(source)?.into_inner();
            let mut lines = parquet::Lines::open(file, |column| source.wants(column)).map_err(|error| {
                unreadable(source, &error).help("is it a whole Parquet file? What wrote it must have ended")
            })?;
            (Cutter::new(source, send).cut(&mut lines, pool)?, stream)
        }
    };
    let (digest, bytes) = stream.finish_with_length().map_err(fail)?;
    Ok(Outcome { loss, digest, bytes, subtrees: None })
}

fn unreadable(source: &Source, error: &std::io::Error) -> Error {
    Error::new(format!("cannot read: {error}")).at(Position::file(&source.name))
}

/// Cuts a stream at newlines.
struct Cutter<'s, Send> {
    source: &'s Source,
    send: Send,
    /// The beginning of a line whose end was not read yet.
    carried: Vec<u8>,
    /// The first characters of a line that is too long, until its end is found.
    too_long: Option<String>,
    first: bool,
    /// Of CSV: the byte between columns, and whether a newline stands between quotes.
    quoting: Option<(u8, Quoting)>,
}

impl<'s, Send: FnMut(Content)> Cutter<'s, Send> {
    fn new(source: &'s Source, send: Send) -> Self {
        let quoting = match source.mapping.as_ref().map(|mapping| &mapping.form) {
            Some(Form::Csv { separator, .. }) => Some((*separator, Quoting::default())),
            _ => None,
        };
        let first = source.range.as_ref().is_none_or(|range| range.start == 0);
        Self { source, send, carried: Vec::new(), too_long: None, first, quoting }
    }

    /// Reads to the end. A damaged archive ends the stream: what was read counts, and the
    /// loss is returned as a sentence.
    fn cut(mut self, stream: &mut impl Read, pool: &Pool) -> Result<Option<String>> {
        let mut read = 0;
        loop {
            let mut bytes = pool.1.try_recv().unwrap_or_default();
            bytes.resize(CHUNK_BYTES, 0);
            let (filled, failed) = fill(stream, &mut bytes);
            read += filled as u64;
            if filled > 0 {
                let block = Arc::new(Block { bytes, filled, pool: pool.0.clone() });
                self.block(&block);
            }
            if let Some(error) = failed {
                if self.source.packing.is_plain() {
                    return Err(unreadable(self.source, &error));
                }
                self.end();
                let damage = match self.source.packing {
                    Packing::Parquet => format!("the table is damaged ({error})"),
                    Packing::Lines(_) => {
                        format!("the archive is damaged or cut short after {read} uncompressed bytes ({error})")
                    }
                };
                return Ok(Some(format!("{damage}: what follows is lost")));
            }
            if filled < CHUNK_BYTES {
                self.end();
                return Ok(None);
            }
        }
    }

    /// Where the first and the last newline stand that end a line.
    fn newlines(&mut self, bytes: &[u8]) -> Option<(usize, usize)> {
        match &mut self.quoting {
            None => Some((memchr::memchr(b'\n', bytes)?, memchr::memrchr(b'\n', bytes)?)),
            Some((separator, quoting)) => {
                let mut ends = csv::ends(bytes, *separator, quoting);
                let first = ends.next()?;
                Some((first - 1, ends.last().unwrap_or(first) - 1))
            }
        }
    }

    fn block(&mut self, block: &Arc<Block>) {
        let bytes = &block.bytes[..block.filled];
        let Some((newline, last)) = self.newlines(bytes) else {
            if self.too_long.is_none() {
                self.carried.extend_from_slice(bytes);
                if self.carried.len() > MAX_LINE_BYTES && !self.give_up_quote() {
                    self.too_long = Some(cut_bytes(&std::mem::take(&mut self.carried)));
                }
            }
            return;
        };
        let mut start = 0;
        if let Some(text) = self.too_long.take() {
            (self.send)(Content::TooLong(text));
            start = newline + 1;
        } else if !self.carried.is_empty() {
            self.carried.extend_from_slice(&bytes[..=newline]);
            start = newline + 1;
        }
        let (end, head) = (last + 1, std::mem::take(&mut self.carried));
        self.carried.extend_from_slice(&bytes[end..]);
        if head.is_empty() && start == end {
            return;
        }
        let body = (start < end).then(|| (Arc::clone(block), start..end));
        self.lines(head, body);
    }

    /// A quote that is not closed within the longest line is none: what it took in are lines. Whether there are some.
    fn give_up_quote(&mut self) -> bool {
        let last = memchr::memrchr(b'\n', &self.carried);
        let (Some((separator, quoting)), Some(last)) = (&mut self.quoting, last) else { return false };
        let rest = self.carried.split_off(last + 1);
        *quoting = Quoting::default();
        csv::ends(&rest, *separator, quoting).for_each(drop);
        let lines = std::mem::replace(&mut self.carried, rest);
        self.lines(lines, None);
        true
    }

    fn lines(&mut self, head: Vec<u8>, block: Option<(Arc<Block>, Range<usize>)>) {
        let first = std::mem::take(&mut self.first);
        (self.send)(Content::Lines(Lines { head, block, first }));
    }

    /// The last line may lack its newline.
    fn end(&mut self) {
        if let Some(text) = self.too_long.take() {
            (self.send)(Content::TooLong(text));
        } else if !self.carried.is_empty() {
            let head = std::mem::take(&mut self.carried);
            self.lines(head, None);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives as many bytes at a time as it is told, over and over.
    struct Trickle<'a>(&'a [u8], std::iter::Cycle<std::slice::Iter<'a, u8>>);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let wanted = usize::from(*self.1.next().unwrap_or(&0)) + 1;
            let (now, later) = self.0.split_at(wanted.min(buffer.len()).min(self.0.len()));
            buffer[..now.len()].copy_from_slice(now);
            self.0 = later;
            Ok(now.len())
        }
    }

    /// A plain log, whose name is all that the cutter asks for.
    fn some_source() -> Source {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut plan = crate::config::parse("rollout.toml", "", Default::default()).unwrap();
        plan.input.files = vec![file.path().to_str().unwrap().to_owned()];
        super::super::inputs::resolve(&plan).unwrap().logs.remove(0)
    }

    fn lines(source: &Source, bytes: &[u8], steps: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        let each = |content: Content| match content {
            Content::Lines(lines) => {
                for part in lines.parts() {
                    let text = |range: Range<usize>| String::from_utf8_lossy(&part[range]).into_owned();
                    found.extend(line_ranges(part).map(text));
                }
            }
            Content::TooLong(text) => found.push(text),
        };
        let mut stream = Trickle(bytes, steps.iter().cycle());
        Cutter::new(source, each).cut(&mut stream, &Pool::default()).unwrap();
        found
    }

    /// However a stream comes, its lines are those of the whole.
    #[test]
    fn lines_are_the_same_however_few_bytes_come_at_a_time() {
        let source = some_source();
        bolero::check!().with_type::<(Vec<u8>, Vec<u8>, u8)>().with_iterations(200).for_each(
            |(bytes, steps, newlines)| {
                let with_newlines: Vec<u8> =
                    bytes.iter().map(|byte| if byte % 8 < newlines % 8 { b'\n' } else { *byte }).collect();
                let whole: Vec<String> = {
                    let bytes = with_newlines.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&with_newlines);
                    line_ranges(bytes).map(|range| String::from_utf8_lossy(&bytes[range]).into_owned()).collect()
                };
                assert_eq!(lines(&source, &with_newlines, steps), whole);
            },
        );
    }
}
