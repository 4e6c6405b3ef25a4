//! `stagegate verify`: is a bundle what was sent?

use super::session::Session;
use crate::bundle::{read_key, verify};
use crate::cli::VerifyArguments;
use crate::console;
use crate::error::Result;

pub(super) fn run(session: &Session, arguments: &VerifyArguments) -> Result<u8> {
    let VerifyArguments { bundle, public_key } = arguments;
    let key = public_key.as_deref().map(read_key).transpose()?;
    let verified = session.with_progress(|| verify::verify(bundle, key.as_deref(), &session.run))?;
    let text = verified.text(&bundle.display().to_string());
    if verified.problems.is_empty() {
        session.console.tell(&text)?;
    } else {
        console::print(&text)?;
    }
    Ok(u8::from(!verified.problems.is_empty()))
}
