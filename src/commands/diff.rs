//! `stagegate diff`: what changed between two reports.

use super::session::Session;
use crate::cli::{DiffArguments, DiffFailOn, DiffFormat};
use crate::error::Result;
use crate::render::diff::Difference;
use crate::{console, reports};

pub(super) fn run(session: &Session, arguments: &DiffArguments) -> Result<u8> {
    let DiffArguments { before, after, format, fail_on } = arguments;
    let difference = Difference::between(&reports::read(before)?, &reports::read(after)?);
    console::print(&match format {
        DiffFormat::Text => difference.text(session.console.colour),
        DiffFormat::Json => difference.json(),
        DiffFormat::Markdown => difference.markdown(),
        DiffFormat::Html => difference.html(),
    })?;
    let (changed, worse) = difference.verdict();
    Ok(u8::from(match fail_on {
        None => false,
        Some(DiffFailOn::Worse) => worse,
        Some(DiffFailOn::Changed) => changed,
    }))
}
