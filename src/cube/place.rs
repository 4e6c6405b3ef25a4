//! Where the files of a cube lie: in a folder, or, one behind the other, in one file (POSIX tar), as pipes, shuffles and
//! object stores want it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Position, Result};
use crate::files;
use crate::ingest::source::{CUBE_HEADER, is_cube_file};

/// How the name of a cube in one file ends.
const FILE_ENDING: &str = "tar";
/// Files that one holds at most; a cube has eleven.
const MOST_FILES: usize = 64;

/// Whether a cube of this name is written as one file.
pub(super) fn is_named_file(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == FILE_ENDING)
}

/// Whether a cube stands there.
pub(super) fn is_cube(path: &Path) -> bool {
    path.join(CUBE_HEADER).is_file() || is_cube_file(path)
}

/// The file of a table.
pub(super) fn table_file(name: &str) -> String {
    format!("{name}.parquet")
}

/// Packs the files of a folder into one, the header first. The same files give the same bytes.
pub(super) fn pack(folder: &Path, out: impl Write) -> io::Result<()> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
    names.sort_by_key(|name| (name != CUBE_HEADER, name.clone()));
    let mut packed = tar::Builder::new(out);
    packed.mode(tar::HeaderMode::Deterministic);
    for name in names {
        packed.append_path_with_name(folder.join(&name), &name)?;
    }
    packed.into_inner()?.flush()
}

/// Where the files of a cube lie.
#[derive(Debug)]
pub(super) enum Place {
    Folder(PathBuf),
    /// By name: where each begins, and its bytes.
    File {
        path: PathBuf,
        files: BTreeMap<String, (u64, u64)>,
    },
}

impl Place {
    /// # Errors
    /// The file cannot be read, or holds something else.
    pub(super) fn open(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Ok(Self::Folder(path.to_path_buf()));
        }
        let fail = |message: String| Error::new(message).at(Position::file(path.display().to_string()));
        let cannot = |error: io::Error| fail(format!("cannot read: {error}"));
        let mut archive = tar::Archive::new(File::open(path).map_err(cannot)?);
        let mut files = BTreeMap::new();
        for entry in archive.entries_with_seek().map_err(cannot)? {
            let entry = entry.map_err(cannot)?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let whole = entry.header().entry_type().is_file() && !files.contains_key(&name);
            if !whole || files.len() == MOST_FILES {
                return Err(fail(format!("holds {name:?}, which no cube does")));
            }
            files.insert(name, (entry.raw_file_position(), entry.size()));
        }
        Ok(Self::File { path: path.to_path_buf(), files })
    }

    /// What a file of the cube is called in messages.
    pub(super) fn name(&self, file: &str) -> PathBuf {
        match self {
            Self::Folder(path) | Self::File { path, .. } => path.join(file),
        }
    }

    /// The bytes of a file of the cube, at most `most`.
    ///
    /// # Errors
    /// It is not there, larger, or cannot be read.
    pub(super) fn read(&self, file: &str, most: u64) -> Result<Vec<u8>> {
        let name = self.name(file);
        let (path, files) = match self {
            Self::Folder(_) => return files::read(&name, &name.display().to_string(), most),
            Self::File { path, files } => (path, files),
        };
        let fail = |message: String| Error::new(message).at(Position::file(name.display().to_string()));
        let (begins, bytes) = *files.get(file).ok_or_else(|| fail("is missing".into()))?;
        if bytes > most {
            return Err(fail(format!("it has more than {most} bytes, and so is not read")));
        }
        let read = || -> io::Result<Vec<u8>> {
            let mut raw = File::open(path)?;
            raw.seek(SeekFrom::Start(begins))?;
            // What it says of its length is what somebody wrote there.
            let mut content = Vec::new();
            raw.take(bytes).read_to_end(&mut content)?;
            if content.len() as u64 == bytes { Ok(content) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
        };
        read().map_err(|error| fail(format!("cannot read: {error}")))
    }
}
