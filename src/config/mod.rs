//! rollout.toml -> [`Plan`]: validated, defaults filled in, with the fingerprint of
//! the parts that a cube depends on. It never looks at the log.

mod accept;
mod asked;
mod by_day;
pub mod daily;
mod init;
mod locate;
mod overlap;
mod plan;
mod sections;
mod sources;
mod triggers;
mod validate;
mod values;

use std::path::{Path, PathBuf};

pub use asked::{Bound, Criterion, Form, HEADLINE_LATENCY, Improvement, RECORDS, Scope, THROUGHPUT};
pub use init::commented_rollout_file;
pub use plan::{DimensionRule, FoldingRules, Plan, Source, StageRule};
pub use sections::{
    AnalysisSection, CompletionCriterion, Looks, ProviderSection, RolloutFile, Stage, TestPhaseSection, schema,
};
pub use triggers::{Severity, Watch};
pub use values::{EpochNanos, Glob, Moment};

pub use crate::schema::source::TimestampMarks;

use crate::error::Result;
use crate::files;
use locate::Located;

/// Loads the plan: `config` if given, else `rollout.toml` of the working directory, else
/// the built-in rollout. `files` replace `[input] files` unless empty; `keep` are conditions that all rows must fulfil,
/// beside those of the config.
pub fn load(config: Option<&Path>, files: &[String], keep: &[String]) -> Result<Plan> {
    let default = Path::new("rollout.toml");
    let path = match config {
        Some(path) => Some(path),
        None => default.is_file().then_some(default),
    };
    let mut plan = match path {
        Some(path) => {
            let name = path.display().to_string();
            let text = read_config(path, &name)?;
            let base = path.parent().map(Path::to_path_buf).unwrap_or_default();
            Plan { file: Some(path.to_path_buf()), ..parse(&name, &text, base)? }
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
