//! Arguments -> one call -> exit code.

use std::process::ExitCode;

use clap::Parser;
use stagegate::cli::Cli;
use stagegate::{commands, console};

/// Usage, config or input error.
const FAILURE: u8 = 2;

fn main() -> ExitCode {
    match commands::run(&Cli::parse()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            console::error(&error);
            ExitCode::from(FAILURE)
        }
    }
}
