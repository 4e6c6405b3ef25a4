//! A log that grows: what was folded of it is kept as a cube, and the next run folds what came since. What was folded is
//! read again for its digest alone, a tenth of the work: a log that was rewritten is folded anew, whatever its length or
//! its time says. The result is the cube of one reading.
//!
//! Of each plain log the lines up to the last whole KiB are kept (`settled`), as the digest of what follows may change;
//! the rest, its `tail`, is folded by each run. Packed logs, tables and CSV are kept whole, and folded whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::{self, Plan};
use crate::cube::merge::Input;
use crate::cube::opened::Opened;
use crate::cube::{self, Cube, Events, store};
use crate::digest::RangeHasher;
use crate::error::Result;
use crate::files;
use crate::ingest::chunks;
use crate::ingest::inputs::Inputs;
use crate::ingest::ledger::{FileLedger, Part};
use crate::ingest::recognise;
use crate::ingest::source::{self, Source};
use crate::ingest::timeline::{self, Timeline};
use crate::packing::{Hashed, PACKED_TIMES, fill};
use crate::report::model::Report;
use crate::run::Run;

/// What is folded is kept when more than this share of the logs came since: to write it takes as long as to fold that.
const KEPT_SHARE: u64 = 16;
/// Cubes of other configs that a folder keeps beside that of this one.
const MOST_KEPT: usize = 8;

/// A folder that keeps what is folded, and the conditions of the command line.
pub type Cache<'c> = Option<(&'c Path, &'c [String])>;

/// As [`crate::report()`], by way of the cache where there is one.
///
/// # Errors
/// See [`Memory::report`].
pub fn report(plan: &Plan, generated_at: String, cache: Cache<'_>, run: &Run) -> Result<Report> {
    match cache {
        None => crate::report(plan, generated_at, run),
        Some((folder, keep)) => Ok(Memory::in_folder(folder, plan, keep)?.report(plan, generated_at, run)?.0),
    }
}

/// What was folded before.
#[derive(Debug, Default)]
pub struct Memory {
    /// The settled lines.
    settled: Option<Cube>,
    /// Where it is kept for the next process.
    file: Option<PathBuf>,
    /// Bytes that were folded since it was kept.
    unkept: u64,
}

/// How much of the logs a run folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Folded {
    /// Bytes that were folded, of those that there are.
    pub bytes: u64,
    pub of: u64,
}

impl Memory {
    /// Of a folder, where other processes find it again under the same config (`keep` are conditions of the command line)
    /// and version. What cannot be read there is as if it were not there.
    ///
    /// # Errors
    /// The config cannot be read.
    pub fn in_folder(folder: &Path, plan: &Plan, keep: &[String]) -> Result<Self> {
        let config = config::text_of(plan)?.unwrap_or_default();
        let mut key = blake3::Hasher::new();
        // Of a day: which one it is.
        let rules = serde_json::to_string(&plan.folding_rules()).unwrap_or_default();
        for text in [cube::this_program().as_bytes(), config.as_bytes(), rules.as_bytes()]
            .into_iter()
            .chain(keep.iter().map(String::as_bytes))
        {
            key.update(&(text.len() as u64).to_le_bytes()).update(text);
        }
        let file = folder.join(format!("{}.cube", &key.finalize().to_hex()[..32]));
        let settled = Opened::open("the cache", &file, plan).and_then(Opened::into_cube).ok();
        Ok(Self { settled, file: Some(file), unkept: 0 })
    }

    /// The cube of the logs as they are now, and how much of them was folded for it.
    ///
    /// # Errors
    /// See [`crate::cube_of`]; the cache cannot be written.
    pub fn cube(&mut self, plan: &Plan, inputs: &Inputs, run: &Run) -> Result<(Cube, Folded)> {
        let of = inputs.logs.iter().map(|log| log.bytes).sum();
        // A stream is there only once; which try of a request counts, new lines may change.
        let grows =
            plan.schema.tries.is_all() && inputs.cubes.is_empty() && !inputs.logs.iter().any(Source::is_spooled);
        if !grows {
            return Ok((crate::cube_of(plan, inputs, &[], run)?, Folded { bytes: of, of }));
        }
        let before = self.settled.take().filter(|cube| run.time("known", || is_unchanged(cube, inputs, run)));
        let grown = match before {
            None => None,
            Some(before) => grown(plan, inputs, before, run)?,
        };
        let Grown { whole, settled, bytes, new } = match grown {
            Some(grown) => grown,
            None => anew(plan, inputs, run)?,
        };
        self.settled = Some(settled);
        self.unkept += new;
        if self.unkept > of.saturating_sub(new) / KEPT_SHARE {
            self.keep(run)?;
        }
        Ok((whole, Folded { bytes, of }))
    }

    /// As [`crate::report()`], of logs of which only what is new is folded.
    ///
    /// # Errors
    /// See [`crate::report()`]; the cache cannot be written.
    pub fn report(&mut self, plan: &Plan, generated_at: String, run: &Run) -> Result<(Report, Folded)> {
        let inputs = recognise::inputs(plan)?;
        let (cube, folded) = self.cube(plan, &inputs, run)?;
        crate::usable(&inputs, &cube)?;
        Ok((crate::report_of(plan, &cube, generated_at, run)?, folded))
    }

    fn keep(&mut self, run: &Run) -> Result<()> {
        let (Some(file), Some(settled)) = (&self.file, &mut self.settled) else { return Ok(()) };
        run.time("cache", || store::write(settled, file))?;
        self.unkept = 0;
        forget_others(file);
        Ok(())
    }
}

/// Removes the oldest cubes of other configs.
fn forget_others(file: &Path) {
    let Ok(entries) = std::fs::read_dir(files::folder_of(file)) else { return };
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".cube"));
        path != file && name.is_some_and(|name| name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    let mut others: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_ours).collect();
    others.sort_by_key(|path| std::cmp::Reverse(path.metadata().and_then(|metadata| metadata.modified()).ok()));
    for old in others.iter().skip(MOST_KEPT) {
        // Another process may be faster.
        let _ = std::fs::remove_dir_all(old);
    }
}

/// The ledgers of a cube by the names of their files.
fn ledgers(cube: &Cube) -> BTreeMap<&str, &FileLedger> {
    cube.header.files.iter().map(|file| (file.path.as_str(), file)).collect()
}

/// Whether all that a cube was folded of is there as it was.
fn is_unchanged(cube: &Cube, inputs: &Inputs, run: &Run) -> bool {
    let known = ledgers(cube);
    let there = inputs.logs.iter().filter(|log| known.contains_key(log.name.as_str())).count();
    // A file that is gone, or two of one name.
    if there != known.len() || known.len() != cube.header.files.len() {
        return false;
    }
    let check = |number: usize| {
        let log = &inputs.logs[number];
        Ok(known.get(log.name.as_str()).is_none_or(|file| begins_as(log, file).unwrap_or(false)))
    };
    chunks::side_by_side(inputs.logs.len(), run, check).is_ok_and(|same| same.into_iter().all(|same| same))
}

/// Whether a log has the bytes, and is read as they were, of which a ledger tells.
fn begins_as(log: &Source, file: &FileLedger) -> Result<bool> {
    if log.format() != file.format {
        return Ok(false);
    }
    let Some(part) = &file.part else {
        let whole = log.bytes == file.bytes;
        return Ok(whole
            && Hashed::new(source::open(log)?, blake3::Hasher::new())
                .finish()
                .is_ok_and(|digest| digest == file.digest));
    };
    if log.bytes <= part.range.end || part.range.start != 0 {
        return Ok(false);
    }
    let mut hasher = RangeHasher::new(&part.range, log.bytes);
    let (mut stream, mut at, mut block) = (source::open(log)?, 0, vec![0; 1 << 20]);
    while !hasher.wants().is_empty() {
        let (filled, _) = fill(&mut stream, &mut block);
        if filled == 0 {
            return Ok(false);
        }
        hasher.update(at, &block[..filled]);
        at += filled as u64;
    }
    Ok(hasher.finish() == part.subtrees.under(log.bytes))
}

/// What a run folds of the logs, beside what it knows of them: what is settled from now on, and the tails.
fn new_lines(logs: &[Source], known: &BTreeMap<&str, &FileLedger>) -> Result<[Vec<Source>; 2]> {
    let (mut settled, mut tails) = (Vec::new(), Vec::new());
    for log in logs {
        let file = known.get(log.name.as_str());
        if !log.is_ranged() {
            settled.extend(file.is_none().then(|| log.again(None)));
            continue;
        }
        let from = file.and_then(|file| file.part.as_ref()).map_or(0, |part| part.range.end);
        let to = source::settled_end(log, from)?;
        settled.extend((to > from).then(|| log.again(Some(from..to))));
        // An empty log is a tail of nothing.
        tails.extend((to < log.bytes || to == 0).then(|| log.again(Some(to..log.bytes))));
    }
    Ok([settled, tails])
}

fn bytes_of(logs: &[Source]) -> u64 {
    logs.iter().map(|log| log.range.as_ref().map_or(log.bytes, |range| range.end - range.start)).sum()
}

/// Bytes, those that are packed as what they unpack to, about.
fn cost_of(logs: &[Source]) -> u64 {
    let cost = |log: &Source| if log.packing.is_plain() { 1 } else { PACKED_TIMES };
    logs.iter().map(|log| bytes_of(std::slice::from_ref(log)) * cost(log)).sum()
}

/// What a run made of the logs.
struct Grown {
    whole: Cube,
    settled: Cube,
    /// Bytes that were folded.
    bytes: u64,
    /// Of what is settled now, as [`cost_of`] counts.
    new: u64,
}

fn fold(plan: &Plan, logs: &[Source], timeline: &Timeline, run: &Run) -> Result<Cube> {
    let folded = cube::fold(plan, logs, Events::All(timeline.clone()), run)?;
    run.time("tables", || folded.into_cube())
}

/// What is settled and, where there are tails, they.
fn with_tails(plan: &Plan, settled: &Cube, tails: &[Source], timeline: &Timeline, run: &Run) -> Result<Cube> {
    if tails.is_empty() {
        return Ok(settled.clone());
    }
    let tail = fold(plan, tails, timeline, run)?;
    run.time("merge", || Cube::merge(vec![Input::from(settled.clone()), tail.into()], plan))
}

/// Folds all of it.
fn anew(plan: &Plan, inputs: &Inputs, run: &Run) -> Result<Grown> {
    let timeline = run.time("timeline", || Timeline::of_plan(plan).and_of(&inputs.logs, run))?;
    let [settled, tails] = new_lines(&inputs.logs, &BTreeMap::new())?;
    let (new, bytes) = (cost_of(&settled), bytes_of(&settled) + bytes_of(&tails));
    let settled = fold(plan, &settled, &timeline, run)?;
    let whole = with_tails(plan, &settled, &tails, &timeline, run)?;
    Ok(Grown { whole, settled, bytes, new })
}

/// Folds what came since `before`; `None` where what came changes what was folded before.
fn grown(plan: &Plan, inputs: &Inputs, mut before: Cube, run: &Run) -> Result<Option<Grown>> {
    let [settled, tails] = new_lines(&inputs.logs, &ledgers(&before))?;
    let sizes: BTreeMap<&str, u64> = inputs.logs.iter().map(|log| (log.name.as_str(), log.bytes)).collect();
    for file in &mut before.header.files {
        if let (Some(part), Some(now)) = (&mut file.part, sizes.get(file.path.as_str())) {
            let Some(subtrees) = part.subtrees.under(*now) else { return Ok(None) };
            *part = Part { size: *now, subtrees, ..part.clone() };
        }
    }
    let known = before.header.timeline.clone();
    let timeline = if timeline::is_needless(&inputs.logs) {
        Some(known)
    } else {
        let new: Vec<Source> = settled.iter().chain(&tails).map(|log| log.again(log.range.clone())).collect();
        run.time("timeline", || known.with_later(&new, run))?
    };
    let Some(timeline) = timeline else { return Ok(None) };
    let (new, bytes) = (cost_of(&settled), bytes_of(&settled) + bytes_of(&tails));
    if !settled.is_empty() {
        let more = fold(plan, &settled, &timeline, run)?;
        // Events that come late, for a time that was folded, are an error of the merge: then all is folded anew.
        let Ok(merged) = run.time("merge", || Cube::merge(vec![before.into(), more.into()], plan)) else {
            return Ok(None);
        };
        before = merged;
    }
    let Ok(whole) = with_tails(plan, &before, &tails, &timeline, run) else { return Ok(None) };
    Ok(whole.whole().is_ok().then_some(Grown { whole, settled: before, bytes, new }))
}
