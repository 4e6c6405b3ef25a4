//! Commands that only print: `stagegate schema`, `stagegate completions`.

use clap::CommandFactory;

use crate::cli::{Cli, CompletionsArguments, SchemaArguments, SchemaOf};
use crate::error::Result;
use crate::{config, console, report};

pub(super) fn schema(arguments: &SchemaArguments) -> Result<u8> {
    let schema = match arguments.of {
        SchemaOf::Config => config::schema(),
        SchemaOf::Report => report::schema(),
    };
    console::print(&format!("{schema:#}\n"))?;
    Ok(0)
}

pub(super) fn completions(arguments: &CompletionsArguments) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "stagegate", &mut script);
    console::print(&String::from_utf8_lossy(&script))?;
    Ok(0)
}
