//! Two reports, and what changed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub struct DiffArguments {
    /// report.json of the earlier report, or its folder.
    pub before: PathBuf,
    /// report.json of the later one, or its folder.
    pub after: PathBuf,
    /// How the changes are printed.
    #[arg(long, value_enum, default_value_t = DiffFormat::Text)]
    pub format: DiffFormat,
    /// What is exit code 1.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub fail_on: Option<DiffFailOn>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    Text,
    Json,
    /// For a merge request.
    Markdown,
    /// A page of its own.
    Html,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiffFailOn {
    /// Something got worse.
    Worse,
    /// Something changed at all.
    Changed,
}
