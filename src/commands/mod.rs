//! One file a command: arguments -> work -> what is written and printed -> exit code.

mod bundle;
mod check;
mod cube;
mod daily;
mod diff;
mod generate;
mod init;
mod print;
mod report;
mod status;
mod validation;
mod verify;

use std::path::Path;

use crate::cli::{Cli, Command, InputArguments};
use crate::clock;
use crate::config::{self, Plan};
use crate::console::{self, Console};
use crate::error::Result;
use crate::run::Run;

/// What every command is given beside its own arguments.
struct Session {
    console: Console,
    run: Run,
}

impl Session {
    /// See [`Console::with_progress`].
    fn with_progress<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        self.console.with_progress(&self.run, work)
    }
}

/// Runs the command; its exit code.
///
/// # Errors
/// What the user can mend.
pub fn run(cli: &Cli) -> Result<u8> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let session =
        Session { console: Console { quiet: cli.quiet }, run: Run::new(cli.threads.map_or(cores, usize::from)) };
    let code = match &cli.command {
        Command::Report(arguments) => report::run(&session, arguments),
        Command::Daily(arguments) => daily::run(&session, arguments),
        Command::Status(arguments) => status::run(&session, arguments),
        Command::Diff(arguments) => diff::run(arguments),
        Command::Check(arguments) => check::run(&session, arguments),
        Command::Cube(arguments) => cube::run(&session, arguments),
        Command::Bundle(arguments) => bundle::run(&session, arguments),
        Command::Verify(arguments) => verify::run(&session, arguments),
        Command::Validation(arguments) => validation::run(&session, arguments),
        Command::Generate(arguments) => generate::run(arguments),
        Command::Init(arguments) => init::run(&session, arguments),
        Command::Schema(arguments) => print::schema(arguments),
        Command::Completions(arguments) => print::completions(arguments),
    }?;
    if cli.verbose {
        console::print_times(&session.run);
    }
    Ok(code)
}

fn load(input: &InputArguments) -> Result<Plan> {
    config::load(input.config.as_deref(), &input.files)
}

/// When a run says that it happened: as asked, else SOURCE_DATE_EPOCH, else now.
fn clock(argument: Option<&str>) -> Result<String> {
    clock_or(argument, None)
}

/// As [`clock`], but `time` (seconds since 1970-01-01) stands in for now.
fn clock_or(argument: Option<&str>, time: Option<i64>) -> Result<String> {
    let epoch = std::env::var("SOURCE_DATE_EPOCH").ok().or_else(|| time.map(|time| time.to_string()));
    clock::generated_at(argument, epoch.as_deref())
}

/// What was written, in lines.
fn written(folder: &Path, names: &[&str]) -> String {
    let lines: String = names.iter().map(|name| format!("  {}\n", folder.join(name).display())).collect();
    format!("\nwrote\n{lines}")
}

/// The files of a report.
const REPORT_FILES: [&str; 4] = ["report.html", "report.md", "report.json", "charts/"];
