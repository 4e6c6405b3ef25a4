//! Files on their way into a bundle: each is copied, hashed and searched for secrets in one reading, in
//! blocks, by several threads.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use sha2::{Digest, Sha256};

use super::redact::Redaction;
use super::repository::{Objects, Repository};
use super::secrets::{FileScan, Finding, Scanner};
use crate::error::{Error, Position, Result};
use crate::ingest::source::Packing;
use crate::packing::{Compression, fill, hex, pack};
use crate::run::Run;

const BLOCK: usize = 1 << 20;
/// Unpacked bytes of one packed file that are searched for secrets.
const MAX_UNPACKED: u64 = 4 << 30;
/// Longest line of a log that keeps its content when fields are hidden, in bytes.
const MAX_LINE: u64 = 1 << 20;
/// Of a log whose personal data was hidden.
const ZSTD_LEVEL: i32 = 3;

/// A file of the bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// Inside the bundle, with `/`.
    pub name: String,
    pub bytes: u64,
    /// Hexadecimal.
    pub sha256: String,
    /// Lines of UTF-8 text; `None` for anything else, and for text with a line of a megabyte.
    pub lines: Option<u64>,
    /// Whether something in it was hidden.
    pub redacted: bool,
}

/// Where a file comes from.
#[derive(Debug)]
pub(super) enum Origin {
    /// An object of the repository.
    Object(String),
    /// A text or log on disk, whose personal data is hidden.
    Redacted(PathBuf),
    /// Made by this run.
    Made(Vec<u8>),
    /// Written into the bundle already.
    Written,
}

/// A file that is to go in.
#[derive(Debug)]
pub(super) struct Task {
    pub name: String,
    /// What messages call it.
    pub shown: String,
    pub origin: Origin,
    /// As far as known before.
    pub bytes: u64,
}

impl Task {
    /// A file of this run's own making.
    pub(super) fn made(name: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        let (name, content) = (name.into(), content.into());
        Self { shown: name.clone(), name, bytes: content.len() as u64, origin: Origin::Made(content) }
    }

    /// A file that lies in the bundle already.
    pub(super) fn written(name: String, bytes: u64) -> Self {
        Self { shown: name.clone(), name, bytes, origin: Origin::Written }
    }
}

/// A secret in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leak {
    pub file: String,
    pub finding: Finding,
}

/// A file that was taken in, and the secrets in it.
type Taken = (Payload, Vec<Leak>);

/// What a thread keeps from file to file.
struct Worker {
    objects: Option<Objects>,
    block: Vec<u8>,
}

/// What takes files in.
#[derive(Debug)]
pub(super) struct Intake<'a> {
    /// The bundle's folder while it is being made.
    pub root: &'a Path,
    pub repository: Option<&'a Repository>,
    pub scanner: &'a Scanner,
    pub redaction: &'a Redaction,
    pub run: &'a Run,
}

fn cannot(shown: &str, error: &io::Error) -> Error {
    Error::new(format!("cannot bundle: {error}")).at(Position::file(shown))
}

impl Intake<'_> {
    /// Takes all of them in; the outcome has the order of the tasks, whatever the threads do.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub(super) fn take_all(&self, tasks: &[Task]) -> Result<(Vec<Payload>, Vec<Leak>)> {
        let next = AtomicUsize::new(0);
        let done: Mutex<Vec<(usize, Result<Taken>)>> = Mutex::default();
        std::thread::scope(|scope| {
            for _ in 0..self.run.threads.min(tasks.len()).max(1) {
                scope.spawn(|| {
                    let mut worker = Worker { objects: None, block: vec![0; BLOCK] };
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(task) = tasks.get(index) else { break };
                        let outcome = self.take(task, &mut worker);
                        let failed = outcome.is_err();
                        self.run.advance(task.bytes);
                        done.lock().expect("no worker panicked").push((index, outcome));
                        if failed {
                            next.store(tasks.len(), Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let mut done = done.into_inner().expect("no worker panicked");
        done.sort_by_key(|(index, _)| *index);
        let (mut payloads, mut leaks) = (Vec::with_capacity(tasks.len()), Vec::new());
        for (_, outcome) in done {
            let (payload, found) = outcome?;
            payloads.push(payload);
            leaks.extend(found);
        }
        Ok((payloads, leaks))
    }

    /// Takes in what is made of what was searched already.
    ///
    /// # Errors
    /// As [`Self::take_all`].
    pub(super) fn hash_all(&self, tasks: &[Task]) -> Result<Vec<Payload>> {
        Ok(self.take_all(tasks)?.0)
    }

    fn take(&self, task: &Task, worker: &mut Worker) -> Result<Taken> {
        let Worker { objects, block } = worker;
        let fail = |error: io::Error| cannot(&task.shown, &error);
        let target = self.root.join(&task.name);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(fail)?;
        }
        let mut copy = Copying::new(self.scanner.file(&task.shown));
        let mut redacted = false;
        match &task.origin {
            Origin::Object(object) => {
                let repository = self.repository.expect("objects come from a repository");
                let objects = match objects {
                    Some(objects) => objects,
                    None => objects.insert(repository.objects()?),
                };
                let mut out = create(&target).map_err(fail)?;
                objects.content(object, |content| copy.all(content, &mut out, block)).map_err(fail)?;
            }
            Origin::Made(content) => {
                copy.all(&mut content.as_slice(), &mut create(&target).map_err(fail)?, block).map_err(fail)?;
            }
            Origin::Written => {
                copy.all(&mut File::open(&target).map_err(fail)?, &mut io::sink(), block).map_err(fail)?;
            }
            Origin::Redacted(path) => {
                redacted = self.redact(path, &target).map_err(fail)?;
                let source = if redacted { &target } else { path };
                let mut source = File::open(source).map_err(fail)?;
                if redacted {
                    copy.all(&mut source, &mut io::sink(), block).map_err(fail)?;
                } else {
                    copy.all(&mut source, &mut create(&target).map_err(fail)?, block).map_err(fail)?;
                }
            }
        }
        let packed = copy.packing();
        let (payload, mut findings) = copy.finish(&task.name, redacted);
        if !packed.is_plain() {
            findings.extend(self.scan_packed(&target, packed, &task.shown, block).map_err(fail)?);
        }
        let leak = |finding| Leak { file: task.shown.clone(), finding };
        Ok((payload, findings.into_iter().map(leak).collect()))
    }

    fn scan_packed(&self, path: &Path, packing: Packing, shown: &str, block: &mut [u8]) -> io::Result<Vec<Finding>> {
        // `settings.yml.gz` is read by the rules of `settings.yml`.
        let inner = shown.strip_suffix(".gz").or_else(|| shown.strip_suffix(".zst")).unwrap_or(shown);
        let mut scan = Copying::new(self.scanner.file(inner));
        // What only looks packed, or is damaged, is searched as far as it unpacks.
        if let Ok(lines) = packing.lines(File::open(path)?.take(u64::MAX)) {
            let _ = scan.all(&mut lines.take(MAX_UNPACKED), &mut io::sink(), block);
        }
        Ok(scan.scan.finish())
    }

    /// Writes `path` to `target` with its personal data hidden; `false`, and nothing written, where there is none.
    fn redact(&self, path: &Path, target: &Path) -> io::Result<bool> {
        let mut head = [0; 4];
        let read = File::open(path)?.take(4).read(&mut head)?;
        let packing = Packing::of(&head[..read]);
        let fields_are_hidden = !self.redaction.fields().is_empty();
        let mut lines = Lines::open(path, packing, fields_are_hidden)?;
        loop {
            match lines.next()? {
                None => return Ok(false),
                Some(line) if matches!(self.redaction.apply(line), Cow::Owned(_)) => break,
                Some(_) => {}
            }
        }
        let mut lines = Lines::open(path, packing, fields_are_hidden)?;
        let out = io::BufWriter::with_capacity(BLOCK, create(target)?);
        let compression = match packing {
            Packing::Lines(compression) => compression,
            // What is no table any more is its rows, which are read as well.
            Packing::Parquet => Compression::Zstandard,
        };
        pack(out, compression, ZSTD_LEVEL, |out| {
            while let Some(line) = lines.next()? {
                out.write_all(&self.redaction.apply(line))?;
            }
            Ok(())
        })?;
        Ok(true)
    }
}

fn create(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).open(path)
}

/// Lines with their newline, one at a time, in bounded memory.
struct Lines {
    reader: BufReader<Box<dyn Read>>,
    line: Vec<u8>,
    fields_are_hidden: bool,
}

impl Lines {
    fn open(path: &Path, packing: Packing, fields_are_hidden: bool) -> io::Result<Self> {
        let reader = BufReader::with_capacity(BLOCK, packing.lines(File::open(path)?.take(u64::MAX))?);
        Ok(Self { reader, line: Vec::new(), fields_are_hidden })
    }

    /// The next line. One that is too long comes in pieces; or, where fields are hidden, as a note in its place,
    /// because a field could lie across two pieces.
    fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.line.clear();
        let read = (&mut self.reader).take(MAX_LINE).read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(None);
        }
        if self.fields_are_hidden && read as u64 == MAX_LINE && self.line.last() != Some(&b'\n') {
            self.reader.skip_until(b'\n')?;
            self.line = b"(a line of more than 1 MiB was left out)\n".to_vec();
        }
        Ok(Some(&self.line))
    }
}

/// One reading: copies, hashes, scans, and learns whether it is text.
struct Copying<'a> {
    scan: FileScan<'a>,
    digest: Sha256,
    bytes: u64,
    lines: u64,
    last: u8,
    head: [u8; 4],
    /// Bytes of a character that the last block cut.
    cut: Vec<u8>,
    text: bool,
}

impl<'a> Copying<'a> {
    fn new(scan: FileScan<'a>) -> Self {
        Self { scan, digest: Sha256::new(), bytes: 0, lines: 0, last: b'\n', head: [0; 4], cut: Vec::new(), text: true }
    }

    fn all(&mut self, from: &mut dyn Read, to: &mut dyn Write, block: &mut [u8]) -> io::Result<()> {
        loop {
            let (filled, failed) = fill(from, block);
            // Of a damaged archive, too, what it gave before counts.
            if filled > 0 {
                to.write_all(&block[..filled])?;
                self.look(&block[..filled]);
            }
            match failed {
                Some(error) => return Err(error),
                None if filled == 0 => return Ok(()),
                None => {}
            }
        }
    }

    fn look(&mut self, part: &[u8]) {
        if self.bytes == 0 {
            let known = part.len().min(4);
            self.head[..known].copy_from_slice(&part[..known]);
        }
        self.bytes += part.len() as u64;
        self.digest.update(part);
        self.scan.feed(part);
        let newlines = memchr::memchr_iter(b'\n', part).count() as u64;
        self.lines += newlines;
        self.text &= newlines > 0 || part.len() < BLOCK;
        self.last = part[part.len() - 1];
        if self.text {
            let whole = if self.cut.is_empty() { Cow::Borrowed(part) } else { Cow::Owned([&self.cut, part].concat()) };
            let cut = match std::str::from_utf8(&whole) {
                Ok(_) => 0,
                Err(error) if error.error_len().is_none() => whole.len() - error.valid_up_to(),
                Err(_) => {
                    self.text = false;
                    0
                }
            };
            self.text &= memchr::memchr(0, &whole).is_none();
            self.cut = whole[whole.len() - cut..].to_vec();
        }
    }

    fn packing(&self) -> Packing {
        Packing::of(&self.head[..self.bytes.min(4) as usize])
    }

    fn finish(self, name: &str, redacted: bool) -> (Payload, Vec<Finding>) {
        let lines = self.lines + u64::from(self.last != b'\n');
        let payload = Payload {
            name: name.into(),
            bytes: self.bytes,
            sha256: hex(&self.digest.finalize()),
            lines: (self.text && self.cut.is_empty()).then_some(lines),
            redacted,
        };
        (payload, self.scan.finish())
    }
}
