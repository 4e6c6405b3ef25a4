//! `stagegate status`: a folder of reports -> its index.html.

use super::session::{Session, clock};
use crate::cli::StatusArguments;
use crate::error::Result;
use crate::files::OutputFile;
use crate::render::dashboard;
use crate::{output, reports};

pub(super) fn run(session: &Session, arguments: &StatusArguments) -> Result<u8> {
    let StatusArguments { out, generated_at } = arguments;
    let generated_at = clock(generated_at.as_deref())?;
    let (found, damaged) = reports::find(out)?;
    output::write(out, &[OutputFile::new("index.html", dashboard::html(&found, &generated_at))])?;
    for error in damaged {
        session.console.note(&format!("left out: {error}"))?;
    }
    session.console.tell(&format!("wrote {} ({} reports)\n", out.join("index.html").display(), found.len()))?;
    Ok(0)
}
