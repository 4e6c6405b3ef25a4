//! The only writer of a run's files: all of them beside their place first, then renamed, so that
//! a reader never sees half a file.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, Position, Result};
use crate::files::{OutputFile, folder_of};
use crate::packing::{Compression, pack};
use crate::staging::Staging;

const ZSTD_LEVEL: i32 = 6;

fn cannot(path: &Path, error: impl std::fmt::Display) -> Error {
    Error::new(format!("cannot write: {error}")).at(Position::file(path.display().to_string()))
}

/// Writes the files below `folder`, which is made where it is missing. Nothing is replaced until
/// everything has been written, and then all at once.
///
/// # Errors
/// A path that leaves the folder, or a disk that refuses.
pub fn write(folder: &Path, files: &[OutputFile]) -> Result<()> {
    let staging = Staging::new(folder).map_err(|error| cannot(folder, error))?;
    for file in files {
        staging.stage(&file.path, &file.content).map_err(|error| cannot(&folder.join(&file.path), error))?;
    }
    staging.commit(folder).map_err(|error| cannot(folder, error))
}

/// The bytes of a file that another program wrote for us; `None` where it did not.
pub fn read(path: &Path) -> Option<Vec<u8>> {
    fs::read(path).ok()
}

/// Writes one new file, such as `stagegate init` does.
///
/// # Errors
/// The file exists already, or the disk refuses.
pub fn write_new(path: &Path, content: &[u8]) -> Result<()> {
    if path.symlink_metadata().is_ok() {
        return Err(Error::new("exists already")
            .at(Position::file(path.display().to_string()))
            .help("remove it first, or give another name"));
    }
    write_at(path, content)
}

/// Writes one file, replacing what stands there.
///
/// # Errors
/// `path` names no file, or the disk refuses.
pub fn write_at(path: &Path, content: &[u8]) -> Result<()> {
    if is_no_file(path) {
        let write = || fs::OpenOptions::new().write(true).open(path)?.write_all(content);
        return write().map_err(|error| cannot(path, error));
    }
    let path = &behind_link(path);
    let folder = folder_of(path);
    let name = path.file_name().ok_or_else(|| cannot(path, "this is not a file name"))?;
    write(folder, &[OutputFile::new(name, content)])
}

/// Writes one file that only its owner may read.
///
/// # Errors
/// The disk refuses.
pub fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let staging = Staging::new(folder_of(path))?;
        // Temporary files are their owner's alone.
        let mut private = tempfile::NamedTempFile::new_in(staging.path())?;
        private.write_all(content)?;
        private.persist(path).map(|_| ()).map_err(|error| error.error)
    };
    write().map_err(|error| cannot(path, error))
}

/// Whether a device or a pipe stands there: it is written to, and not replaced.
fn is_no_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir())
}

/// Where a link leads, so that it stays one; else the path itself.
fn behind_link(path: &Path) -> PathBuf {
    let is_link = path.symlink_metadata().is_ok_and(|found| found.file_type().is_symlink());
    if is_link { path.canonicalize().unwrap_or_else(|_| path.to_path_buf()) } else { path.to_path_buf() }
}

/// Streams one file that may be large, packed as its name says (.gz, .zst), replacing what
/// stands there once it is whole.
///
/// # Errors
/// `path` names no file, or the disk refuses.
pub fn stream_packed(path: &Path, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    let target = behind_link(path);
    let stream = || -> std::io::Result<()> {
        if is_no_file(path) {
            let out = std::io::BufWriter::with_capacity(1 << 20, fs::OpenOptions::new().write(true).open(path)?);
            return pack(out, Compression::named(path), ZSTD_LEVEL, write);
        }
        let path = target.as_path();
        let staging = Staging::new(folder_of(path))?;
        let fresh = staging.path().join("whole");
        let out = std::io::BufWriter::with_capacity(1 << 20, fs::File::create(&fresh)?);
        pack(out, Compression::named(path), ZSTD_LEVEL, write)?;
        fs::rename(fresh, path)
    };
    stream().map_err(|error| cannot(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_when_one_path_leaves_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let files = [OutputFile::new("a.txt", "a"), OutputFile::new("../b.txt", "b")];
        assert!(write(folder.path(), &files).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn files_are_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[OutputFile::new("charts/a.svg", "one")]).unwrap();
        write(folder.path(), &[OutputFile::new("charts/a.svg", "two")]).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("charts/a.svg")).unwrap(), "two");
        assert_eq!(fs::read_dir(folder.path().join("charts")).unwrap().count(), 1);
        assert!(write_new(&folder.path().join("charts/a.svg"), b"three").is_err());
    }
}
