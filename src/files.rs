//! Files of any kind: read whole and bounded.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, Position, Result};

/// A file that a run writes, relative to its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFile {
    pub path: PathBuf,
    pub content: Vec<u8>,
}

impl OutputFile {
    pub fn new(path: impl Into<PathBuf>, content: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), content: content.into() }
    }
}

/// The bytes of a file of at most `most` bytes, which messages call `name`.
///
/// # Errors
/// It cannot be read, or is larger.
pub fn read(path: &Path, name: &str, most: u64) -> Result<Vec<u8>> {
    let fail = |message: String| Error::new(message).at(Position::file(name));
    let cannot = |error: std::io::Error| fail(format!("cannot read: {error}"));
    let mut bytes = Vec::new();
    // Whatever its size says: a pipe has none, and a file may grow while it is read.
    File::open(path).map_err(cannot)?.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > most {
        return Err(fail(format!("the file has more than {most} bytes, and so is not read")));
    }
    Ok(bytes)
}

/// As [`read`], of a text.
///
/// # Errors
/// See [`read`]; it is not UTF-8.
pub fn read_text(path: &Path, name: &str, most: u64) -> Result<String> {
    String::from_utf8(read(path, name, most)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::new(format!("not UTF-8 from byte {at}")).at(Position::file(name))
    })
}

/// The folder that a path lies in.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_are_read_whole_and_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, b"1234").unwrap();
        assert_eq!(read_text(&path, "a", 4).unwrap(), "1234");
        assert_eq!(
            read(&path, "a", 3).unwrap_err().to_string(),
            "a: the file has more than 3 bytes, and so is not read"
        );
        fs::write(&path, b"12\xff").unwrap();
        assert_eq!(read_text(&path, "a", 4).unwrap_err().to_string(), "a: not UTF-8 from byte 2");
        assert!(read(&folder.path().join("b"), "b", 4).unwrap_err().to_string().starts_with("b: cannot read: "));
    }
}
