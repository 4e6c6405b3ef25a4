//! Key files: bounded, and one of our own where none is given.

use std::path::Path;

use crate::error::{Error, Result};
use crate::files;
use crate::output;
use crate::packing::hex;

/// Largest key file, in bytes.
const MAX_KEY_BYTES: u64 = 64 << 10;

/// The key that hides fields where none is given: made once, beside the bundle, never in it.
const REDACT_KEY: &str = ".redact.key";

/// Reads a key file.
///
/// # Errors
/// It is missing, too large, or not text.
pub fn read_key(path: &Path) -> Result<String> {
    files::read_text(path, &path.display().to_string(), MAX_KEY_BYTES)
}

/// The key that hides fields: that of `path`, else one beside the bundles of `out`, made where it is missing.
///
/// # Errors
/// It cannot be read or written.
pub(super) fn redaction_key(path: Option<&Path>, out: &Path) -> Result<Vec<u8>> {
    if let Some(path) = path {
        return read_key(path).map(String::into_bytes);
    }
    let path = out.join(REDACT_KEY);
    if !path.exists() {
        let mut key = [0; 32];
        getrandom::fill(&mut key)
            .map_err(|error| Error::new(format!("cannot draw a key: {error}")).help("give one with --redact-key"))?;
        output::write_private(&path, format!("{}\n", hex(&key)).as_bytes())?;
    }
    read_key(&path).map(String::into_bytes)
}
