//! A report opened in the browser of the desktop.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::{Error, Result};

/// The program of the platform that opens a file.
const OPENER: &str = if cfg!(target_os = "macos") {
    "open"
} else if cfg!(windows) {
    "explorer"
} else {
    "xdg-open"
};

/// Opens a page; BROWSER names a program to open it with.
///
/// # Errors
/// There is no such program, or it refused.
pub fn open(page: &Path) -> Result<()> {
    let program = std::env::var_os("BROWSER").filter(|name| !name.is_empty()).unwrap_or_else(|| OPENER.into());
    let fail = |message: String| {
        let help = format!("open {} yourself, or name a program: BROWSER=firefox", page.display());
        Error::new(format!("--open: {}: {message}", program.display())).help(help)
    };
    let null = Stdio::null;
    let started = Command::new(&program).arg(page).stdin(null()).stdout(null()).stderr(null()).status();
    let status = started.map_err(|error| fail(format!("cannot be started: {error}")))?;
    // Explorer answers 1 when all went well.
    if status.success() || cfg!(windows) { Ok(()) } else { Err(fail(format!("ended with {status}"))) }
}
