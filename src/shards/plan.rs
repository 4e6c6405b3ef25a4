//! The plan of a fold, as it lies on disk; `docs/cluster.md` describes it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::config::{self, Plan};
use crate::cube::counted_numbers;
use crate::error::{Error, Position, Result};
use crate::files;
use crate::ingest::source::Source;
use crate::ingest::timeline::Timeline;

/// Version of the file; a change of meaning raises it.
pub(super) const VERSION: u32 = 1;
pub(super) const FORMAT: &str = "stagegate-plan";
/// Largest plan that is read, in bytes.
const MAX_BYTES: u64 = 1 << 30;

/// A plan, as it lies on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardPlan {
    /// `stagegate-plan`.
    pub(super) format: String,
    pub(super) version: u32,
    /// BLAKE3 of all else, as compact JSON in the order of the fields: what parts are known by.
    pub id: String,
    pub(super) made_by: String,
    /// The rollout.toml; `None` for the built-in rollout.
    pub(super) config: Option<Config>,
    /// Conditions that all rows must fulfil, beside those of the config.
    pub(super) keep: Vec<String>,
    /// All stage events of all files, and of the config; `None` where they are not known yet.
    pub timeline: Option<Timeline>,
    /// Sorted by name.
    pub files: Vec<PlannedFile>,
    /// What each process folds.
    pub parts: Vec<Vec<PlannedRange>>,
}

/// The text of a config: what lies elsewhere cannot be asked for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    pub name: String,
    pub text: String,
}

/// A log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedFile {
    /// What the report calls it.
    pub name: String,
    /// Where it lies: relative to the folder of the process, or to its `--root`; or a URL.
    pub path: String,
    /// As it lies there. What it grows by later is not read.
    pub bytes: u64,
    pub(super) reads: ReadAs,
    /// Number of the stage whose `files` globs name it.
    pub(super) stage: Option<usize>,
    /// BLAKE3 of its first and of its last bytes, where they were seen: another file of that name has others.
    pub(super) edges: Option<String>,
}

/// How the rows of a file are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ReadAs {
    /// stagegate's own format.
    Native,
    /// By the `[[sources]]` of this number, from 0.
    Source(usize),
    /// As it was recognised.
    Preset(String),
}

/// Number of a file, first byte, and the one behind the last. A line belongs to the range that holds its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedRange(pub usize, pub u64, pub u64);

impl ReadAs {
    pub(super) fn of(source: &Source, plan: &Plan) -> Self {
        let Some(mapping) = &source.mapping else { return Self::Native };
        let of_sources =
            plan.sources.iter().position(|of| Arc::ptr_eq(&of.mapping, mapping) || of.mapping.name == mapping.name);
        let of_presets = plan.presets.iter().find(|(_, of)| Arc::ptr_eq(of, mapping));
        match (of_presets, of_sources) {
            (Some((name, _)), _) => Self::Preset((*name).to_owned()),
            (None, Some(number)) => Self::Source(number),
            (None, None) => Self::Native,
        }
    }
}

impl ShardPlan {
    /// The plan in a file.
    ///
    /// # Errors
    /// It cannot be read, is none, of another version, or was changed.
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let fail =
            |message: String| Error::new(message).at(Position::file(&name)).help("make it again with `stagegate plan`");
        let text = files::read_text(path, &name, MAX_BYTES)?;
        let plan: Self = serde_json::from_str(&text).map_err(|error| {
            let at = Position::at(name.clone(), error.line() as u64, error.column() as u64);
            Error::new(format!("not a plan of a fold: {error}")).at(at).help("stagegate plan makes one")
        })?;
        if plan.format != FORMAT || plan.version != VERSION {
            return Err(fail(format!("a plan of version {}; this stagegate reads version {VERSION}", plan.version)));
        }
        if plan.identified()?.id != plan.id {
            return Err(fail("its content is not what its id says".into()));
        }
        plan.check().map_err(fail)?;
        Ok(plan)
    }

    /// As it lies on disk.
    ///
    /// # Errors
    /// None that a log can cause.
    pub fn text(&self) -> Result<String> {
        serde_json::to_string(self).map(|text| text + "\n").map_err(|error| Error::new(error.to_string()))
    }

    pub(super) fn identified(&self) -> Result<Self> {
        let without = Self { id: String::new(), ..self.clone() };
        let id = blake3::hash(without.text()?.as_bytes()).to_string();
        Ok(Self { id, ..without })
    }

    /// Whether its ranges tile its files.
    fn check(&self) -> Result<(), String> {
        let mut ranges: Vec<PlannedRange> = self.parts.iter().flatten().copied().collect();
        ranges.sort_by_key(|PlannedRange(file, start, end)| (*file, *start, *end));
        let mut expected = self.files.iter().enumerate();
        for ranges in ranges.chunk_by(|a, b| a.0 == b.0) {
            let of = expected.next().filter(|(number, _)| *number == ranges[0].0);
            let Some((_, file)) = of else { return Err(format!("no part reads file {}", ranges[0].0)) };
            let ends = std::iter::once(0).chain(ranges.iter().map(|range| range.2));
            let tiles = ranges.iter().zip(ends).all(|(range, end)| range.1 == end && range.2 >= range.1);
            if !tiles || ranges.last().map(|range| range.2) != Some(file.bytes) {
                return Err(format!("its ranges do not tile {}", file.name));
            }
        }
        if expected.next().is_some() { Err("a file is in no part".into()) } else { Ok(()) }
    }

    /// The plan of the rollout.
    ///
    /// # Errors
    /// The config is none.
    pub fn rollout(&self) -> Result<Plan> {
        let (name, text) = match &self.config {
            Some(Config { name, text }) => (name.as_str(), text.as_str()),
            None => ("built-in rollout", ""),
        };
        config::parse_kept(name, text, &self.keep)
    }

    /// Refuses numbers of parts that it does not have.
    ///
    /// # Errors
    /// It has no such part.
    pub fn parts_of(&self, numbers: &[usize]) -> Result<()> {
        let beyond: Vec<usize> = numbers.iter().copied().filter(|number| *number >= self.parts.len()).collect();
        if beyond.is_empty() {
            return Ok(());
        }
        let last = self.parts.len().saturating_sub(1);
        Err(Error::new(format!("the plan has no {}", counted_numbers("part", &beyond)))
            .help(format!("its parts are numbered from 0 to {last}")))
    }

    /// Where a file lies for this process.
    pub(super) fn place(file: &PlannedFile, root: &Path) -> PathBuf {
        root.join(&file.path)
    }
}
