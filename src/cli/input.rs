//! What every command that reads logs is given.

use std::path::PathBuf;

use clap::Args;

/// What is read.
#[derive(Debug, Args)]
pub struct InputArguments {
    /// rollout.toml [default: that of the working directory or the nearest above it, else the built-in rollout].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Logs (globs, .gz, .zst, Parquet, - for standard input) or cubes; they replace the files of the config.
    #[arg(value_name = "FILES")]
    pub files: Vec<String>,
    /// Read only the rows for which this holds, such as 'service == "upload"'; several must all hold.
    #[arg(long, value_name = "CONDITION")]
    pub keep: Vec<String>,
}
