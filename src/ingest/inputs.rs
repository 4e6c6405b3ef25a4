//! Which files a run reads: globs resolved, standard input and pipes spooled or taken as they come, cubes told from logs.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustc_hash::FxHashSet;

use super::feed::Feed;
use super::source::{
    CUBE_HEADER, HEAD_BYTES, Packing, Source, Treatment, head, is_cube_file, of_feed, source, spooled, unreadable,
};
use crate::config::{Glob, Plan, Stage};
use crate::error::{Error, Position, Result};
use crate::schema::mapping::Mapping;

/// What a run reads.
#[derive(Debug)]
pub struct Inputs {
    /// Sorted by name.
    pub logs: Vec<Source>,
    /// What `stagegate cube` wrote: name, path.
    pub cubes: Vec<(String, PathBuf)>,
    /// Keeps the spools of cubes that came as streams alive.
    spools: Vec<tempfile::NamedTempFile>,
}

impl Inputs {
    /// A stream may be a cube in one file.
    fn add_stream(&mut self, mut source: Source) {
        match source.spool.take_if(|spool| is_cube_file(spool.path())) {
            None => self.logs.push(source),
            Some(spool) => {
                self.cubes.push((source.name, source.path));
                self.spools.push(spool);
            }
        }
    }
}

/// Refuses what nobody can wait for.
///
/// # Errors
/// Standard input or a pipe is among the logs.
pub fn refuse_streams(plan: &Plan) -> Result<()> {
    let once = plan.input.files.iter().find(|file| *file == "-" || is_pipe(&literal(file, plan)));
    let Some(once) = once else { return Ok(()) };
    Err(Error::new("a stream can be read only once, and does not grow when it has ended")
        .at(Position::file(once))
        .help("--watch needs files that another program appends to"))
}

/// Name, size and time of the last change of every log, for those who wait for one to grow.
///
/// # Errors
/// See [`resolve`].
pub fn seen(plan: &Plan) -> Result<Vec<(String, u64, Option<SystemTime>)>> {
    let changed = |source: &Source| source.path.metadata().and_then(|metadata| metadata.modified()).ok();
    let logs = resolve(plan)?.logs.into_iter();
    Ok(logs.map(|source| (source.name.clone(), source.bytes, changed(&source))).collect())
}

/// Resolves the plan's files.
///
/// # Errors
/// No file matches; a file cannot be read; a folder that is no cube.
pub fn resolve(plan: &Plan) -> Result<Inputs> {
    let mut inputs = Inputs { logs: Vec::new(), cubes: Vec::new(), spools: Vec::new() };
    let mut seen = FxHashSet::default();
    let mut folders = Folders::default();
    for pattern in &plan.input.files {
        if pattern == "-" {
            if seen.insert(PathBuf::from("-")) {
                inputs.add_stream(standard_input(plan)?);
            }
            continue;
        }
        let found = expand(pattern, plan)?;
        if found.is_empty() && (plan.files_from_command_line || !is_glob(pattern) && plan.input.files.len() > 1) {
            return Err(missing(pattern, plan));
        }
        for path in found {
            if is_pipe(&path) {
                // Nobody may write to it, and then a run would wait for ever.
                if is_glob(pattern) {
                    return Err(Error::new(format!("{pattern} matches it, and it is a pipe"))
                        .at(Position::file(display_name(&path, plan)))
                        .help("name it by itself to read it, or narrow the pattern"));
                }
                if seen.insert(path.clone()) {
                    let mut pipe = File::open(&path).map_err(|error| unreadable(&path, &error))?;
                    let name = display_name(&path, plan);
                    let treatment = treatment_by_name(&name, plan);
                    inputs.add_stream(spooled(name, &mut pipe, treatment)?);
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

/// What `files` (globs, relative to the working directory) name for the timeline alone; `None` where there are none. A
/// file of events alone is read as such, whatever format the plan's logs have.
///
/// # Errors
/// As [`resolve`].
pub fn resolve_beside(plan: &Plan, files: &[String]) -> Result<Option<Inputs>> {
    if files.is_empty() {
        return Ok(None);
    }
    let mut beside = plan.clone();
    beside.input.files = files.to_vec();
    beside.files_from_command_line = true;
    // Whose stage a file is does not matter to what it tells of others.
    beside.stages.iter_mut().for_each(|stage| stage.files.clear());
    let mut inputs = resolve(&beside)?;
    for log in &mut inputs.logs {
        let mut text = head(log);
        if text.len() >= HEAD_BYTES {
            text.truncate(memchr::memrchr(b'\n', &text).unwrap_or(text.len()));
        }
        let mut lines = text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).peekable();
        if lines.peek().is_some() && lines.all(|line| memchr::memmem::find(line, b"\"event_type\"").is_some()) {
            log.mapping = None;
        }
    }
    Ok(Some(inputs))
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
    names_are_text(&full)?;
    Ok(paths)
}

/// The patterns pass over names that are no UTF-8: such a file would be missing without a word.
fn names_are_text(full: &Path) -> Result<()> {
    let (Some(folder), Some(Ok(pattern))) =
        (full.parent(), full.file_name().map(|name| glob::Pattern::new(&name.to_string_lossy())))
    else {
        return Ok(());
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let Ok(entries) = folder.read_dir() else { return Ok(()) };
    let names = entries.flatten().map(|entry| entry.file_name());
    let unreadable = names.filter(|name| name.to_str().is_none());
    match unreadable.map(|name| name.to_string_lossy().into_owned()).find(|name| pattern.matches(name)) {
        None => Ok(()),
        Some(name) => Err(Error::new(format!("the file name {name:?} is not UTF-8"))
            .at(Position::file(folder.display().to_string()))
            .help("rename it: no pattern can name it, and its records would be missing")),
    }
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
    if path.extension().is_some_and(|ending| ending == "tar") && is_cube_file(&path) {
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

/// Whether a path is what can be read only once and has no length: a pipe, a process substitution, a device.
fn is_pipe(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

/// Standard input: as it comes where the plan says that once is enough, else put into a file first.
fn standard_input(plan: &Plan) -> Result<Source> {
    let name = plan.stream.name.clone().unwrap_or_else(|| "-".into());
    let treatment = treatment_by_name(&name, plan);
    if !plan.stream.once {
        return spooled(name, &mut io::stdin().lock(), treatment);
    }
    let feed = Feed::open(Box::new(io::stdin()), plan.stream.bytes, 0)
        .map_err(|error| Error::new(format!("cannot read: {error}")).at(Position::file("standard input")))?;
    let packing = Packing::of(feed.head());
    if packing == Packing::Parquet {
        return spooled(name, &mut feed.stream()?, treatment);
    }
    Ok(of_feed(name, plan.stream.bytes.unwrap_or(0), treatment, feed))
}

/// The stage and the mapping of a log of which only the name is known.
pub fn treatment_by_name(name: &str, plan: &Plan) -> Treatment {
    let is_named = |stage: &Stage| stage.files.iter().any(|pattern| pattern.as_str() == name || pattern.matches(name));
    (plan.placing_stages().iter().position(is_named), mapping(name, || None, plan))
}
