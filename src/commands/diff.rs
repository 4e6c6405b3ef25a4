//! `stagegate diff`: what changed between two reports.

use super::session::Session;
use crate::cli::DiffArguments;
use crate::error::Result;
use crate::render::diff;
use crate::{console, reports};

pub(super) fn run(session: &Session, arguments: &DiffArguments) -> Result<u8> {
    let (before, after) = (reports::read(&arguments.before)?, reports::read(&arguments.after)?);
    console::print(&diff::text(&before, &after, session.console.colour))?;
    Ok(0)
}
