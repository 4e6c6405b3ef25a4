//! `stagegate init`: a rollout.toml with every key and a comment each.

use super::session::Session;
use crate::cli::InitArguments;
use crate::error::Result;
use crate::{config, output};

pub(super) fn run(session: &Session, arguments: &InitArguments) -> Result<u8> {
    let path = &arguments.path;
    output::write_new(path, config::commented_rollout_file().as_bytes())?;
    session.console.tell(&format!("wrote {}\n", path.display()))?;
    Ok(0)
}
