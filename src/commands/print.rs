//! Commands about the program itself: `stagegate schema`, `stagegate completions`, `stagegate man`.

use clap::CommandFactory;

use super::session::Session;
use crate::cli::{Cli, CompletionsArguments, ManArguments, SchemaArguments, SchemaOf};
use crate::error::{Error, Result};
use crate::files::OutputFile;
use crate::{config, console, output, report};

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

/// The pages of the program and of each command, as `man` reads them.
pub(super) fn man(session: &Session, arguments: &ManArguments) -> Result<u8> {
    let mut program = Cli::command();
    program.build();
    let mut pages = Vec::new();
    gather(&program, &mut pages)?;
    output::write(&arguments.out, &pages)?;
    session.console.tell(&format!("wrote {} manual pages to {}\n", pages.len(), arguments.out.display()))?;
    Ok(0)
}

/// The page of a command and those of its own commands, by names such as `stagegate-validation-record`.
fn gather(command: &clap::Command, pages: &mut Vec<OutputFile>) -> Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let mut text = Vec::new();
    let page = clap_mangen::Man::new(command.clone());
    page.render(&mut text).map_err(|error| Error::new(format!("cannot write the page of {name}: {error}")))?;
    pages.push(OutputFile::new(format!("{name}.1"), text));
    command.get_subcommands().filter(|inner| inner.get_name() != "help").try_for_each(|inner| gather(inner, pages))
}
