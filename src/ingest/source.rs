//! One log and its bytes: a file, a range of one, a spooled stream, or a stream as it comes; `.gz`, `.zst` and Parquet are
//! known by their magic numbers. It never looks into a line.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use super::feed::HEAD_BYTES;

use super::feed::Feed;
use super::parquet;
use super::ranged::Ranged;
use crate::error::{Error, Position, Result};
use crate::packing::{Compression, Unpacked, fill};
use crate::schema::mapping::{Form, Mapping};

/// One log file. Its length is fixed when the run starts, so that every pass over a log
/// that is still being written sees the same bytes.
#[derive(Debug)]
pub struct Source {
    /// What messages and the report call it.
    pub name: String,
    pub path: PathBuf,
    /// Bytes of the file as it lies on disk.
    pub bytes: u64,
    pub packing: Packing,
    /// The stage whose `files` globs name it.
    pub stage: Option<usize>,
    /// How its rows are read; `None` for stagegate's own format.
    pub mapping: Option<Arc<Mapping>>,
    /// What is known to be lost before a byte is read.
    pub loss: Option<String>,
    /// The part of it that is read, in bytes: see [`super::ranged`].
    pub range: Option<Range<u64>>,
    /// Keeps the spool of a stream alive.
    pub(super) spool: Option<tempfile::NamedTempFile>,
    /// Where it is a stream that is read as it comes, once.
    pub feed: Option<Feed>,
}

impl Source {
    /// Whether it came as a stream, of which only this run's copy is left.
    pub fn is_spooled(&self) -> bool {
        self.spool.is_some()
    }

    /// How it is read, as ledgers tell: `native`, a preset, or `mapping`.
    pub fn format(&self) -> &str {
        self.mapping.as_ref().map_or("native", |mapping| if mapping.is_own() { "native" } else { &mapping.name })
    }

    /// Whether its lines can be read in ranges.
    pub fn is_ranged(&self) -> bool {
        let is_csv = self.mapping.as_ref().is_some_and(|mapping| matches!(mapping.form, Form::Csv { .. }));
        self.packing.is_plain() && !is_csv
    }

    /// The same file, or a range of it that [`in_range`] would take; no stream.
    #[must_use]
    pub fn again(&self, range: Option<Range<u64>>) -> Self {
        let Self { name, path, bytes, packing, stage, mapping, loss, .. } = self;
        let (name, path, mapping, loss) = (name.clone(), path.clone(), mapping.clone(), loss.clone());
        Self {
            name,
            path,
            bytes: *bytes,
            packing: *packing,
            stage: *stage,
            mapping,
            loss,
            range,
            spool: None,
            feed: None,
        }
    }

    /// Whether the rows of a table are read for a column: its mapping looks at it.
    pub fn wants(&self, column: &str) -> bool {
        self.mapping.as_ref().is_none_or(|mapping| mapping.looks_at(column))
    }
}

/// How the lines of a file are had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    Lines(Compression),
    /// Its rows are made lines.
    Parquet,
}

impl Packing {
    /// By the first four bytes of a file.
    pub fn of(head: &[u8]) -> Self {
        if head == parquet::MAGIC { Self::Parquet } else { Self::Lines(Compression::of(head)) }
    }

    /// The lines of a file from its beginning, of a table with all columns.
    ///
    /// # Errors
    /// The file is not packed so.
    pub fn lines(self, file: io::Take<File>) -> io::Result<Box<dyn Read>> {
        Ok(match self {
            Self::Lines(compression) => Box::new(Unpacked::new(file, compression)?),
            // What it holds stands at its end.
            Self::Parquet => Box::new(parquet::Lines::open(file.into_inner(), |_| true)?),
        })
    }

    /// Whether the lines lie on disk as they are.
    pub fn is_plain(self) -> bool {
        self == Self::Lines(Compression::None)
    }
}

/// The file by which a folder is known to be a cube.
pub const CUBE_HEADER: &str = "header.json";

/// Whether a file is a cube in one file: a tar whose first entry is a cube's header.
pub fn is_cube_file(path: &Path) -> bool {
    let mut head = [0; 512];
    let filled = File::open(path).map_or(0, |mut file| fill(&mut file, &mut head).0);
    filled == head.len()
        && head.starts_with(CUBE_HEADER.as_bytes())
        && head[CUBE_HEADER.len()] == 0
        && &head[257..262] == b"ustar"
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::new(format!("cannot read: {error}")).at(Position::file(path.display().to_string()))
}

/// Where a file belongs, and how it is read.
pub type Treatment = (Option<usize>, Option<Arc<Mapping>>);

pub(super) fn source(
    name: String,
    path: PathBuf,
    (stage, mapping): Treatment,
    spool: Option<tempfile::NamedTempFile>,
) -> Result<Source> {
    let mut file = File::open(&path).map_err(|error| unreadable(&path, &error))?;
    let bytes = file.metadata().map_err(|error| unreadable(&path, &error))?.len();
    let mut magic = Vec::new();
    file.by_ref().take(4).read_to_end(&mut magic).map_err(|error| unreadable(&path, &error))?;
    let packing = Packing::of(&magic);
    let mapping = if packing == Packing::Parquet { mapping.map(Mapping::of_table) } else { mapping };
    let named_packed = path.extension().is_some_and(|ending| ending == "gz" || ending == "zst");
    let loss = (bytes == 0 && named_packed).then(|| "the archive is empty: not even its header was written".to_owned());
    Ok(Source { name, path, bytes, packing, stage, mapping, loss, range: None, spool, feed: None })
}

pub(super) fn of_feed(name: String, bytes: u64, (stage, mapping): Treatment, feed: Feed) -> Source {
    let packing = Packing::of(feed.head());
    let path = PathBuf::from("-");
    Source { name, path, bytes, packing, stage, mapping, loss: None, range: None, spool: None, feed: Some(feed) }
}

/// A range of a log of `bytes` bytes that comes as a stream.
///
/// # Errors
/// What is packed cannot be read in ranges.
pub fn fed(name: String, bytes: u64, range: Range<u64>, treatment: Treatment, feed: Feed) -> Result<Source> {
    let mut source = of_feed(name, bytes, treatment, feed);
    if range.start > 0 {
        source.packing = Packing::Lines(Compression::None);
    }
    in_range(source, range)
}

/// A range of the log at `path`, of which `bytes` bytes are read.
///
/// # Errors
/// It cannot be read; what is packed cannot be read in ranges.
pub fn planned(name: String, path: PathBuf, bytes: u64, range: Range<u64>, treatment: Treatment) -> Result<Source> {
    let mut source = source(name, path, treatment, None)?;
    source.bytes = bytes;
    in_range(source, range)
}

/// The lines of a range of a source.
///
/// # Errors
/// It is packed, or CSV, where a range is not lines; the range is not inside of it.
pub fn in_range(mut source: Source, range: Range<u64>) -> Result<Source> {
    let all = range == (0..source.bytes);
    if range.start > range.end || range.end > source.bytes || range.is_empty() && !all {
        let message = format!("bytes {} to {} are no range of its {} bytes", range.start, range.end, source.bytes);
        return Err(Error::new(message).at(Position::file(&source.name)));
    }
    if source.is_ranged() {
        source.range = Some(range);
    } else if !all {
        return Err(Error::new("cannot be read in ranges: it is packed, or CSV, whose quotes may hold newlines")
            .at(Position::file(&source.name))
            .help("read it as one part"));
    }
    Ok(source)
}

/// A stream is read twice (timeline, then lines), so it is put into a file first.
pub(super) fn spooled(name: String, stream: &mut dyn Read, treatment: Treatment) -> Result<Source> {
    let fail = |error: io::Error| {
        Error::new(format!("cannot spool it: {error}"))
            .at(Position::file(if name == "-" { "standard input" } else { &name }))
            .help("set TMPDIR to a folder with room")
    };
    let mut spool = tempfile::NamedTempFile::new().map_err(fail)?;
    io::copy(stream, spool.as_file_mut()).map_err(fail)?;
    let path = spool.path().to_path_buf();
    source(name, path, treatment, Some(spool))
}

/// The bytes of a source as they lie on disk, to the length it had when the run started.
///
/// # Errors
/// The file cannot be opened.
pub fn open(source: &Source) -> Result<io::Take<File>> {
    let raw = File::open(&source.path).map_err(|error| unreadable(Path::new(&source.name), &error))?;
    Ok(raw.take(source.bytes))
}

/// The bytes of a source in their order; of a range those from where [`Ranged`] begins.
///
/// # Errors
/// The file cannot be opened; the stream was read already.
pub fn stream(source: &Source) -> Result<Box<dyn Read + '_>> {
    if let Some(feed) = &source.feed {
        return Ok(Box::new(feed.stream()?));
    }
    let mut file = open(source)?;
    if let Some(range) = &source.range {
        let begins = Ranged::<File>::begins(range);
        file.get_mut().seek(io::SeekFrom::Start(begins)).map_err(|error| unreadable(&source.path, &error))?;
    }
    Ok(Box::new(file))
}

/// Bytes that BLAKE3 takes together: those of the last of them change its digest as a log grows.
const DIGESTED: u64 = blake3::CHUNK_LEN as u64;

/// Behind which line all of a plain log up to there is settled, whatever it grows by: the last one, from `from` on, that
/// ends before the last whole KiB does; `from` where there is none.
///
/// # Errors
/// The file cannot be read.
pub fn settled_end(source: &Source, from: u64) -> Result<u64> {
    let fail = |error: io::Error| unreadable(&source.path, &error);
    let mut end = source.bytes.saturating_sub(1) / DIGESTED * DIGESTED;
    let mut raw = open(source)?.into_inner();
    let mut block = vec![0; HEAD_BYTES];
    while end > from {
        let start = from.max(end.saturating_sub(block.len() as u64));
        let part = &mut block[..usize::try_from(end - start).unwrap_or(HEAD_BYTES)];
        raw.seek(io::SeekFrom::Start(start)).and_then(|_| raw.read_exact(part)).map_err(fail)?;
        if let Some(newline) = memchr::memrchr(b'\n', part) {
            return Ok(start + newline as u64 + 1);
        }
        end = start;
    }
    Ok(from)
}

/// Lines of the middle and of the end of a log: a rollout begins with the old way, and its first lines know no other.
/// Nothing of a short log, or of one that is packed.
pub fn later_lines(source: &Source) -> Vec<u8> {
    let read = |from: u64| -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; HEAD_BYTES];
        let mut raw = open(source).map_err(io::Error::other)?.into_inner();
        raw.seek(io::SeekFrom::Start(from))?;
        let filled = fill(&mut raw, &mut bytes).0;
        bytes.truncate(filled);
        // From the first whole line to the last one.
        let start = memchr::memchr(b'\n', &bytes).map_or(filled, |end| end + 1);
        let end = memchr::memrchr(b'\n', &bytes).map_or(start, |end| end + 1).max(start);
        Ok(bytes[start..end].to_vec())
    };
    let part = HEAD_BYTES as u64;
    if !source.packing.is_plain() || source.feed.is_some() || source.bytes < 4 * part {
        return Vec::new();
    }
    [source.bytes / 2, source.bytes - part].into_iter().filter_map(|from| read(from).ok()).flatten().collect()
}

/// The first bytes of a log, unpacked where they are packed in a way that is read; empty where they cannot be had.
pub fn head(source: &Source) -> Vec<u8> {
    let mut bytes = vec![0; HEAD_BYTES];
    if let Some(feed) = &source.feed {
        let unpacked = match source.packing {
            Packing::Lines(compression) => Unpacked::new(feed.head(), compression),
            Packing::Parquet => return Vec::new(),
        };
        let filled = unpacked.map_or(0, |mut stream| fill(&mut stream, &mut bytes).0);
        bytes.truncate(filled);
        return bytes;
    }
    let Ok(raw) = open(source) else { return Vec::new() };
    let Ok(mut stream) = source.packing.lines(raw) else { return Vec::new() };
    let mut filled = fill(&mut *stream, &mut bytes).0;
    // Rows may be long: a head holds some of them whole.
    while filled == bytes.len() && filled < MOST_HEAD_BYTES && memchr::memchr_iter(b'\n', &bytes).nth(2).is_none() {
        bytes.resize(filled * 4, 0);
        filled += fill(&mut *stream, &mut bytes[filled..]).0;
    }
    bytes.truncate(filled);
    bytes
}

/// Of a log whose rows are long.
const MOST_HEAD_BYTES: usize = 64 * HEAD_BYTES;
