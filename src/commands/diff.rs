//! `stagegate diff`: what changed between two reports.

use crate::cli::DiffArguments;
use crate::error::Result;
use crate::render::diff;
use crate::{console, reports};

pub(super) fn run(arguments: &DiffArguments) -> Result<u8> {
    let (before, after) = (reports::read(&arguments.before)?, reports::read(&arguments.after)?);
    console::print(&diff::text(&before, &after, console::colour()))?;
    Ok(0)
}
