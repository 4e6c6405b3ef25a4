//! What the commands share: who they talk to, the plan, the clock.

use std::path::Path;

use crate::cli::InputArguments;
use crate::clock;
use crate::config::{self, Plan};
use crate::console::Console;
use crate::error::Result;
use crate::run::Run;

/// What every command is given beside its own arguments.
pub(super) struct Session {
    pub console: Console,
    pub run: Run,
}

impl Session {
    /// See [`Console::with_progress`].
    pub(super) fn with_progress<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        self.console.with_progress(&self.run, work)
    }
}

/// The plan that the arguments name.
pub(super) fn load(input: &InputArguments) -> Result<Plan> {
    config::load(input.config.as_deref(), &input.files, &input.keep)
}

/// Which plan is judged by, where that cannot be seen: it was found above the working directory, or nowhere.
pub(super) fn config_told(plan: &Plan) -> String {
    match &plan.file {
        None => "no rollout.toml here or above: the built-in plan (stagegate init writes one)\n".into(),
        Some(file) if plan.file_found_above => format!("config {}\n", file.display()),
        Some(_) => String::new(),
    }
}

/// When a run says that it happened: as asked, else SOURCE_DATE_EPOCH, else now.
pub(super) fn clock(argument: Option<&str>) -> Result<String> {
    clock_or(argument, None)
}

/// As [`clock`], but `time` (seconds since 1970-01-01) stands in for now.
pub(super) fn clock_or(argument: Option<&str>, time: Option<i64>) -> Result<String> {
    let epoch = std::env::var("SOURCE_DATE_EPOCH").ok().or_else(|| time.map(|time| time.to_string()));
    clock::generated_at(argument, epoch.as_deref())
}

/// What was written, in lines.
pub(super) fn written(folder: &Path, names: &[&str]) -> String {
    let lines: String = names.iter().map(|name| format!("  {}\n", folder.join(name).display())).collect();
    format!("\nwrote\n{lines}")
}

/// The files of a report.
pub(super) const REPORT_FILES: [&str; 6] =
    ["report.html", "report.md", "report.json", "figures.csv", "figures.parquet", "charts/"];
