//! Which files a run reads, and their bytes: globs resolved, standard input and pipes spooled,
//! `.gz` and `.zst` opened by their magic numbers. It never looks into a line.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::parquet;
use crate::config::{Glob, Plan, Stage};
use crate::error::{Error, Position, Result};
use crate::packing::{Compression, Unpacked, fill};
use crate::schema::mapping::Mapping;

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
    /// Keeps the spool of a stream alive.
    spool: Option<tempfile::NamedTempFile>,
}

impl Source {
    /// Whether it came as a stream, of which only this run's copy is left.
    pub fn is_spooled(&self) -> bool {
        self.spool.is_some()
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

/// What a run reads.
#[derive(Debug)]
pub struct Inputs {
    /// Sorted by name.
    pub logs: Vec<Source>,
    /// Folders that `stagegate cube` wrote: name, path.
    pub cubes: Vec<(String, PathBuf)>,
}

/// Name and size of every log, for those who wait for one to grow.
///
/// # Errors
/// See [`resolve`]; standard input or a pipe, which nobody can wait for.
pub fn sizes(plan: &Plan) -> Result<Vec<(String, u64)>> {
    let once = plan.input.files.iter().find(|file| *file == "-" || is_pipe(&literal(file, plan)));
    if let Some(once) = once {
        return Err(Error::new("a stream can be read only once, and does not grow when it has ended")
            .at(Position::file(once))
            .help("--watch needs files that another program appends to"));
    }
    Ok(resolve(plan)?.logs.into_iter().map(|source| (source.name, source.bytes)).collect())
}

/// The file by which a folder is known to be a cube.
pub const CUBE_HEADER: &str = "header.json";

/// Resolves the plan's files.
///
/// # Errors
/// No file matches; a file cannot be read; a folder that is no cube.
pub fn resolve(plan: &Plan) -> Result<Inputs> {
    let mut inputs = Inputs { logs: Vec::new(), cubes: Vec::new() };
    let mut seen = FxHashSet::default();
    let mut folders = Folders::default();
    for pattern in &plan.input.files {
        if pattern == "-" {
            if seen.insert(PathBuf::from("-")) {
                inputs.logs.push(spooled("-".into(), &mut io::stdin().lock(), plan)?);
            }
            continue;
        }
        let found = expand(pattern, plan)?;
        if found.is_empty() && (plan.files_from_command_line || !is_glob(pattern) && plan.input.files.len() > 1) {
            return Err(missing(pattern, plan));
        }
        for path in found {
            if is_pipe(&path) {
                if seen.insert(path.clone()) {
                    let mut pipe = File::open(&path).map_err(|error| unreadable(&path, &error))?;
                    inputs.logs.push(spooled(display_name(&path, plan), &mut pipe, plan)?);
                }
                continue;
            }
            let canonical = folders.canonical(&path).map_err(|error| unreadable(&path, &error))?;
            if seen.insert(canonical.clone()) {
                add(path, &canonical, plan, &mut inputs)?;
            }
        }
    }
    if inputs.logs.is_empty() && inputs.cubes.is_empty() {
        return Err(no_match(&format!("no file matches {}", plan.input.files.join(", "))));
    }
    inputs.logs.sort_by(|a, b| a.name.cmp(&b.name));
    inputs.cubes.sort();
    Ok(inputs)
}

/// The logs among `files` (globs, relative to the working directory) for the timeline alone.
///
/// # Errors
/// As [`resolve`].
pub fn resolve_beside(plan: &Plan, files: &[String]) -> Result<Vec<Source>> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let mut beside = plan.clone();
    beside.input.files = files.to_vec();
    beside.files_from_command_line = true;
    Ok(resolve(&beside)?.logs)
}

/// Canonical paths of folders: the files of one share it, and to ask for each of 100 000 takes seconds.
#[derive(Default)]
struct Folders {
    last: Option<(PathBuf, PathBuf)>,
}

impl Folders {
    fn canonical(&mut self, path: &Path) -> io::Result<PathBuf> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return path.canonicalize() };
        if path.symlink_metadata()?.is_symlink() {
            return path.canonicalize();
        }
        match &self.last {
            Some((known, canonical)) if known == folder => Ok(canonical.join(name)),
            _ => {
                let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
                let canonical = here.canonicalize()?;
                self.last = Some((folder.to_path_buf(), canonical.clone()));
                Ok(canonical.join(name))
            }
        }
    }
}

/// Whether a pattern may match several files, and so none.
fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?', '['])
}

/// A file that was asked for by name and is not there: half of a log gives figures of a half.
fn missing(pattern: &str, plan: &Plan) -> Error {
    let error = no_match(&format!("no file matches {pattern:?}"));
    match plan.file.as_ref().filter(|_| !plan.files_from_command_line) {
        None => error,
        Some(file) => error
            .at(Position::file(file.display().to_string()))
            .help("correct the name in [input] files, or take it out where the log is whole without it"),
    }
}

fn no_match(message: &str) -> Error {
    Error::new(message).help("give the log files on the command line, or set [input] files in rollout.toml")
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::new(format!("cannot read: {error}")).at(Position::file(path.display().to_string()))
}

/// Where the plan's files are relative to.
fn base_of(plan: &Plan) -> &Path {
    if plan.files_from_command_line { Path::new("") } else { &plan.base }
}

/// The path that a pattern is where it is none.
fn literal(pattern: &str, plan: &Plan) -> PathBuf {
    base_of(plan).join(pattern)
}

/// The paths a pattern names: itself where such a file exists (names may hold brackets), else its matches.
fn expand(pattern: &str, plan: &Plan) -> Result<Vec<PathBuf>> {
    let literal = literal(pattern, plan);
    if literal.symlink_metadata().is_ok() {
        return Ok(vec![literal]);
    }
    let base_text = glob::Pattern::escape(&base_of(plan).to_string_lossy());
    let full = Path::new(&base_text).join(pattern);
    let bad = |message: String| Error::new(message);
    let matches = glob::glob(&full.to_string_lossy()).map_err(|error| bad(format!("bad glob {pattern:?}: {error}")))?;
    let mut paths = Vec::new();
    for path in matches {
        let path = path.map_err(|error| unreadable(error.path(), error.error()))?;
        if !path.is_dir() || path.join(CUBE_HEADER).is_file() {
            paths.push(path);
        }
    }
    Ok(paths)
}

fn add(path: PathBuf, canonical: &Path, plan: &Plan, inputs: &mut Inputs) -> Result<()> {
    let name = display_name(&path, plan);
    if path.is_dir() {
        if !path.join(CUBE_HEADER).is_file() {
            return Err(Error::new("is a directory, not a log")
                .at(Position::file(&name))
                .help(format!("give its files: {name}/*.jsonl")));
        }
        inputs.cubes.push((name, path));
        return Ok(());
    }
    let below_base = || below_base(canonical, plan);
    let stage = file_stage(&name, below_base, plan)?;
    let mapping = mapping(&name, below_base, plan);
    inputs.logs.push(source(name, path, (stage, mapping), None)?);
    Ok(())
}

/// A path as the report shows it: relative to the config file, or as given on the command line.
fn display_name(path: &Path, plan: &Plan) -> String {
    let shown = if plan.files_from_command_line { path } else { path.strip_prefix(&plan.base).unwrap_or(path) };
    shown.to_string_lossy().replace('\\', "/")
}

/// A path as seen from the config file's folder, where it lies below it.
fn below_base(canonical: &Path, plan: &Plan) -> Option<String> {
    let base = if plan.base.as_os_str().is_empty() { Path::new(".") } else { &plan.base };
    let base = base.canonicalize().ok()?;
    canonical.strip_prefix(base).map(|path| path.to_string_lossy().replace('\\', "/")).ok()
}

/// The stage whose `files` name the file, if any.
fn file_stage(name: &str, below_base: impl Fn() -> Option<String>, plan: &Plan) -> Result<Option<usize>> {
    if plan.placing_stages().iter().all(|stage| stage.files.is_empty()) {
        return Ok(None);
    }
    let below_base = below_base();
    let names_it = |(_, stage): &(usize, &Stage)| any_matches(&stage.files, name, below_base.as_deref());
    let mut naming = plan.placing_stages().iter().enumerate().filter(names_it);
    match (naming.next(), naming.next()) {
        (Some((_, first)), Some((_, second))) => {
            let message = format!("the files of the stages {:?} and {:?} both name it", first.name, second.name);
            Err(Error::new(message)
                .at(Position::file(name))
                .help("a file belongs to one stage: let the patterns under [[stages]] files not overlap"))
        }
        (first, _) => Ok(first.map(|(index, _)| index)),
    }
}

/// The mapping of the first source that names the file, or that names none.
fn mapping(name: &str, below_base: impl Fn() -> Option<String>, plan: &Plan) -> Option<Arc<Mapping>> {
    let reads = |source: &&crate::config::Source| {
        source.files.is_empty() || any_matches(&source.files, name, below_base().as_deref())
    };
    plan.sources.iter().find(reads).map(|source| Arc::clone(&source.mapping))
}

fn any_matches(patterns: &[Glob], name: &str, below_base: Option<&str>) -> bool {
    let options = glob::MatchOptions { require_literal_separator: true, ..Default::default() };
    let matches = |pattern: &Glob| {
        pattern.matches_with(name, options) || below_base.is_some_and(|path| pattern.matches_with(path, options))
    };
    patterns.iter().any(matches)
}

/// Where a file belongs, and how it is read.
type Treatment = (Option<usize>, Option<Arc<Mapping>>);

fn source(
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
    Ok(Source { name, path, bytes, packing, stage, mapping, loss, spool })
}

/// Whether a path is what can be read only once and has no length: a pipe, a process substitution, a device.
fn is_pipe(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

/// A stream is read twice (timeline, then lines), so it is put into a file first.
fn spooled(name: String, stream: &mut dyn Read, plan: &Plan) -> Result<Source> {
    let fail = |error: io::Error| {
        Error::new(format!("cannot spool it: {error}"))
            .at(Position::file(if name == "-" { "standard input" } else { &name }))
            .help("set TMPDIR to a folder with room")
    };
    let mut spool = tempfile::NamedTempFile::new().map_err(fail)?;
    io::copy(stream, spool.as_file_mut()).map_err(fail)?;
    let path = spool.path().to_path_buf();
    let is_named = |stage: &Stage| stage.files.iter().any(|pattern| pattern.as_str() == name);
    let stage = plan.placing_stages().iter().position(is_named);
    let mapping = mapping(&name, || None, plan);
    source(name, path, (stage, mapping), Some(spool))
}

/// The bytes of a source as they lie on disk, to the length it had when the run started.
///
/// # Errors
/// The file cannot be opened.
pub fn open(source: &Source) -> Result<io::Take<File>> {
    let raw = File::open(&source.path).map_err(|error| unreadable(Path::new(&source.name), &error))?;
    Ok(raw.take(source.bytes))
}

/// Bytes at the beginning of a log that are looked at.
pub const HEAD_BYTES: usize = 1 << 16;

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
    if !source.packing.is_plain() || source.bytes < 4 * part {
        return Vec::new();
    }
    [source.bytes / 2, source.bytes - part].into_iter().filter_map(|from| read(from).ok()).flatten().collect()
}

/// The first bytes of a log, unpacked where they are packed in a way that is read; empty where they cannot be had.
pub fn head(source: &Source) -> Vec<u8> {
    let mut bytes = vec![0; HEAD_BYTES];
    let Ok(raw) = open(source) else { return Vec::new() };
    let filled = source.packing.lines(raw).map_or(0, |mut stream| fill(&mut *stream, &mut bytes).0);
    bytes.truncate(filled);
    bytes
}
