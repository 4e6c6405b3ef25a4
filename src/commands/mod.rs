//! One file a command: arguments -> work -> what is written and printed -> exit code.

mod bundle;
mod check;
mod cube;
mod daily;
mod diff;
mod doctor;
mod explain;
mod formats;
mod generate;
mod init;
mod inspect;
mod plan;
mod power;
mod print;
mod report;
mod session;
mod shard;
mod status;
mod timeline;
mod validation;
mod verify;

use crate::cli::{Cli, Command};
use crate::console::{self, Console};
use crate::error::Result;
use crate::run::Run;
use session::Session;

/// Runs the command; its exit code.
///
/// # Errors
/// What the user can mend.
pub fn run(cli: &Cli) -> Result<u8> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let session = Session {
        console: Console { quiet: cli.quiet, colour: console::colour(cli.color) },
        run: Run::new(cli.threads.map_or(cores, usize::from)),
    };
    let code = match &cli.command {
        Command::Report(arguments) => report::run(&session, arguments),
        Command::Daily(arguments) => daily::run(&session, arguments),
        Command::Status(arguments) => status::run(&session, arguments),
        Command::Diff(arguments) => diff::run(&session, arguments),
        Command::Explain(arguments) => explain::run(arguments),
        Command::Man(arguments) => print::man(&session, arguments),
        Command::Check(arguments) => check::run(&session, arguments),
        Command::Cube(arguments) => cube::run(&session, arguments),
        Command::Plan(arguments) => plan::run(&session, arguments),
        Command::Timeline(arguments) => timeline::run(&session, arguments),
        Command::Bundle(arguments) => bundle::run(&session, arguments),
        Command::Verify(arguments) => verify::run(&session, arguments),
        Command::Validation(arguments) => validation::run(&session, arguments),
        Command::Generate(arguments) => generate::run(arguments),
        Command::Init(arguments) => init::run(&session, arguments),
        Command::Inspect(arguments) => inspect::run(&session, arguments),
        Command::Power(arguments) => power::run(arguments),
        Command::Doctor(arguments) => doctor::run(&session, arguments),
        Command::Formats(arguments) => formats::run(arguments),
        Command::Schema(arguments) => print::schema(arguments),
        Command::Completions(arguments) => print::completions(arguments),
    }?;
    if cli.verbose {
        console::print_times(&session.run);
    }
    Ok(code)
}
