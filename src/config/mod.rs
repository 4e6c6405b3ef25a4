//! rollout.toml -> [`Plan`]: validated, defaults filled in, with the fingerprint of
//! the parts that a cube depends on. It never looks at the log.

mod accept;
mod asked;
mod by_day;
pub mod daily;
mod exclude;
mod init;
mod locate;
mod overlap;
mod plan;
mod report;
mod sections;
mod sources;
mod triggers;
mod validate;
mod values;

use std::path::{Path, PathBuf};

pub use asked::{Bound, Criterion, Form, HEADLINE_LATENCY, Improvement, Mode, RECORDS, Scope, THROUGHPUT};
pub use exclude::ExcludeSection;
pub use init::commented_rollout_file;
pub use plan::{DimensionRule, FoldingRules, Plan, Source, StageRule, Stream};
pub use sections::{
    AnalysisSection, CompletionCriterion, Looks, ProviderSection, RolloutFile, Stage, TestPhaseSection, schema,
};
pub use triggers::{Severity, Watch};
pub use validate::MAX_STAGES;
pub use values::{EpochNanos, Glob, Moment};

pub use crate::schema::source::TimestampMarks;

use crate::error::Result;
use crate::files;
use locate::Located;

/// The config's name where none is given.
const CONFIG_FILE: &str = "rollout.toml";
/// Folders above the working directory that are searched for it.
const MOST_ABOVE: usize = 64;

/// `rollout.toml` of the working directory, or of the nearest folder above it that has one, as a relative path.
fn nearest() -> Option<PathBuf> {
    let here = Path::new(CONFIG_FILE);
    // What is there and cannot be read is an error, and not the built-in plan.
    let stands = |path: &Path| path.symlink_metadata().is_ok();
    if stands(here) {
        return Some(here.to_path_buf());
    }
    let folders = std::env::current_dir().ok()?.components().count().saturating_sub(1).min(MOST_ABOVE);
    (1..=folders).map(|up| "../".repeat(up) + CONFIG_FILE).map(PathBuf::from).find(|path| stands(path))
}

/// Loads the plan: `config` if given, else `rollout.toml` of the working directory or of the nearest folder above it, else
/// the built-in rollout. `files` replace `[input] files` unless empty; `keep` are conditions that all rows must fulfil,
/// beside those of the config.
pub fn load(config: Option<&Path>, files: &[String], keep: &[String]) -> Result<Plan> {
    let found = if config.is_none() { nearest() } else { None };
    let file_found_above = found.as_deref().is_some_and(|path| path != Path::new(CONFIG_FILE));
    let mut plan = match config.or(found.as_deref()) {
        Some(path) => {
            let name = path.display().to_string();
            let text = read_config(path, &name)?;
            let base = path.parent().map(Path::to_path_buf).unwrap_or_default();
            Plan { file: Some(path.to_path_buf()), file_found_above, ..parse(&name, &text, base)? }
        }
        None => parse("built-in rollout", "", PathBuf::new())?,
    };
    if !files.is_empty() {
        plan.input.files = files.to_vec();
        plan.files_from_command_line = true;
    }
    sources::keep(&mut plan, keep)?;
    Ok(plan)
}

/// As [`parse`], with conditions that all rows must fulfil, beside those of the config; relative to the working directory.
///
/// # Errors
/// See [`parse`]; a condition that is none.
pub fn parse_kept(name: &str, text: &str, keep: &[String]) -> Result<Plan> {
    let mut plan = parse(name, text, PathBuf::new())?;
    sources::keep(&mut plan, keep)?;
    Ok(plan)
}

/// The text of the plan's config; `None` of the built-in rollout.
///
/// # Errors
/// It cannot be read.
pub fn text_of(plan: &Plan) -> Result<Option<String>> {
    plan.file.as_deref().map(|file| read_config(file, &file.display().to_string())).transpose()
}

/// Largest config file that is read, in bytes.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

fn read_config(path: &Path, name: &str) -> Result<String> {
    files::read_text(path, name, MAX_CONFIG_BYTES)
        .map_err(|error| error.help("stagegate init writes a config with every key"))
}

/// Parses and validates the text of a config file called `name`.
pub fn parse(name: &str, text: &str, base: PathBuf) -> Result<Plan> {
    let located = Located::parse(name, text)?;
    located.refuse_unknown_keys(&schema())?;
    let file: RolloutFile = toml::from_str(text).map_err(|error| locate::syntax_error(name, text, &error))?;
    validate::plan(file, &located, base)
}
