//! A bundle on disk, folder or .zip, with its names, sizes and links judged.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rawzip::{CompressionMethod, FileReader, RECOMMENDED_BUFFER_SIZE, ZipArchive, ZipArchiveEntryWayfinder};

use crate::bundle::names;

/// Files of a bundle.
const MAX_ITEMS: usize = 1_000_000;
/// Deepest folder.
const MAX_DEPTH: usize = 100;
/// A deflated byte holds at most so many.
const MAX_RATIO: u64 = 1032;
/// An archive unpacks to at most so many times its size, and some room for small ones.
const MAX_TOTAL_RATIO: u64 = 200;
const TOTAL_ROOM: u64 = 64 << 20;
/// The type bits of a Unix mode.
const TYPE: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;

/// A file of the bundle.
#[derive(Debug)]
pub(super) struct Item {
    /// Inside the bundle, with `/`.
    pub name: String,
    pub bytes: u64,
    entry: Option<(ZipArchiveEntryWayfinder, CompressionMethod)>,
}

/// A bundle that can be read.
#[derive(Debug)]
pub(super) struct Opened {
    pub items: Vec<Item>,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Folder(PathBuf),
    Archive(Box<ZipArchive<FileReader>>),
}

impl Opened {
    /// The content of a file, no more than its size says.
    pub(super) fn read(&self, item: &Item) -> io::Result<Box<dyn Read + '_>> {
        match (&self.place, &item.entry) {
            (Place::Folder(root), _) => Ok(Box::new(File::open(root.join(&item.name))?.take(item.bytes + 1))),
            (Place::Archive(archive), Some((wayfinder, method))) => {
                let entry = archive.get_entry(*wayfinder).map_err(io::Error::other)?;
                Ok(match *method {
                    CompressionMethod::STORE => Box::new(entry.verifying_reader(entry.reader().take(item.bytes + 1))),
                    _ => {
                        let inflated = flate2::read::DeflateDecoder::new(entry.reader());
                        Box::new(entry.verifying_reader(inflated.take(item.bytes + 1)))
                    }
                })
            }
            (Place::Archive(_), None) => Err(io::Error::other("not an entry of the archive")),
        }
    }
}

/// Names that were seen, and what is wrong with the next.
#[derive(Default)]
struct Seen {
    by_key: HashMap<String, String>,
    problems: Vec<String>,
}

impl Seen {
    /// Whether a file may have this name beside the others.
    fn take(&mut self, name: &str) -> bool {
        if let Err(why) = names::check(name) {
            self.problems.push(format!("{name}: {why}"));
            return false;
        }
        match self.by_key.insert(names::folded(name), name.to_owned()) {
            Some(earlier) if earlier == name => self.problems.push(format!("{name}: stands in it twice")),
            Some(earlier) => {
                self.problems.push(format!("{name}: the same as {earlier} where case or accents do not count"))
            }
            None => return true,
        }
        false
    }

    /// A file cannot be a folder of another.
    fn finish(mut self, items: &[Item]) -> Vec<String> {
        for item in items {
            let key = names::folded(&item.name);
            for (at, _) in key.match_indices('/') {
                if let Some(file) = self.by_key.get(&key[..at]) {
                    self.problems.push(format!("{}: lies in {file}, which is a file", item.name));
                }
            }
        }
        self.problems
    }
}

/// The bundle in a folder. Links are not followed.
pub(super) fn folder(root: &Path) -> io::Result<(Option<Opened>, Vec<String>)> {
    let mut items = Vec::new();
    let mut seen = Seen::default();
    let mut folders = vec![(root.to_path_buf(), String::new(), 0)];
    while let Some((folder, prefix, depth)) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let Some(name) = entry.file_name().to_str().map(|name| format!("{prefix}{name}")) else {
                seen.problems.push(format!("{prefix}{}: the name is not UTF-8", entry.file_name().to_string_lossy()));
                continue;
            };
            let metadata = entry.metadata()?;
            let kind = metadata.file_type();
            if kind.is_dir() && depth < MAX_DEPTH {
                folders.push((entry.path(), format!("{name}/"), depth + 1));
            } else if kind.is_file() {
                if seen.take(&name) {
                    items.push(Item { name, bytes: metadata.len(), entry: None });
                }
            } else {
                let what = if kind.is_symlink() { "a symbolic link" } else { "not a file" };
                seen.problems.push(format!("{name}: {what}"));
            }
            if items.len() > MAX_ITEMS {
                seen.problems.push(format!("more than {MAX_ITEMS} files"));
                return Ok((None, seen.problems));
            }
        }
    }
    items.sort_by(|a, b| a.name.cmp(&b.name));
    let problems = seen.finish(&items);
    Ok((Some(Opened { items, place: Place::Folder(root.to_path_buf()) }), problems))
}

/// The bundle in a .zip, below the one folder that everything in it lies in.
pub(super) fn archive(path: &Path) -> io::Result<(Option<Opened>, Vec<String>)> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
    let archive = match ZipArchive::from_file(file, &mut buffer) {
        Ok(archive) => archive,
        Err(error) => return Ok((None, vec![format!("not a whole .zip archive: {error}")])),
    };
    let mut reading = Reading { size, ..Reading::default() };
    if let Err(error) = reading.entries(&archive, &mut buffer) {
        reading.seen.problems.push(format!("a damaged .zip archive: {error}"));
        return Ok((None, reading.seen.problems));
    }
    reading.whole(&archive);
    let problems = reading.seen.finish(&reading.items);
    let mut items = reading.items;
    items.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((Some(Opened { items, place: Place::Archive(Box::new(archive)) }), problems))
}

/// What reading an archive's directory gathers.
#[derive(Default)]
struct Reading {
    /// Of the archive, in bytes.
    size: u64,
    /// The folder that everything lies in, with its `/`.
    top: Option<String>,
    items: Vec<Item>,
    seen: Seen,
    /// Local header and end of data of each entry.
    ranges: Vec<(u64, u64)>,
    unpacked: u64,
    entries: u64,
}

impl Reading {
    fn entries(&mut self, archive: &ZipArchive<FileReader>, buffer: &mut [u8]) -> Result<(), rawzip::Error> {
        let mut local = vec![0; 1 << 17];
        let mut entries = archive.entries(buffer);
        while let Some(entry) = entries.next_entry()? {
            self.entries += 1;
            if self.entries as usize > MAX_ITEMS {
                self.seen.problems.push(format!("more than {MAX_ITEMS} files"));
                return Ok(());
            }
            let path = entry.file_path();
            let raw: &[u8] = path.as_bytes();
            let mut refuse = |why: &str| self.seen.problems.push(format!("{}: {why}", String::from_utf8_lossy(raw)));
            let Ok(name) = std::str::from_utf8(raw) else {
                refuse("the name is not UTF-8");
                continue;
            };
            let kind = entry.external_attributes() >> 16 & TYPE;
            let is_folder = name.ends_with('/');
            if ![0, REGULAR, DIRECTORY].contains(&kind) || kind == DIRECTORY && !is_folder {
                refuse("a symbolic link or no file at all");
                continue;
            }
            let wayfinder = entry.wayfinder();
            let found = archive.get_entry(wayfinder)?;
            let header = found.local_header(&mut local)?;
            if header.file_path().as_bytes() != raw {
                refuse("the archive gives two names for it");
                continue;
            }
            if entry.flags().is_encrypted() {
                refuse("it is encrypted");
                continue;
            }
            let (packed, bytes) = (entry.compressed_size_hint(), entry.uncompressed_size_hint());
            let method = entry.compression_method();
            let possible = match method {
                CompressionMethod::STORE => packed == bytes,
                CompressionMethod::DEFLATE => bytes / MAX_RATIO <= packed,
                _ => {
                    refuse("packed by a method that is not read here");
                    continue;
                }
            };
            if !possible {
                refuse("its sizes cannot be true: a bomb");
                continue;
            }
            self.ranges.push((entry.local_header_offset(), found.compressed_data_range().1));
            self.unpacked = self.unpacked.saturating_add(bytes);
            if is_folder {
                if let Err(why) = names::check(name.trim_end_matches('/')) {
                    self.seen.problems.push(format!("{name}: {why}"));
                }
                continue;
            }
            let name = name.to_owned();
            self.add(&name, bytes, (wayfinder, method));
        }
        Ok(())
    }

    fn add(&mut self, name: &str, bytes: u64, entry: (ZipArchiveEntryWayfinder, CompressionMethod)) {
        if let Err(why) = names::check(name) {
            self.seen.problems.push(format!("{name}: {why}"));
            return;
        }
        let top = self.top.get_or_insert_with(|| {
            let (first, _) = name.split_once('/').unwrap_or_default();
            if first.is_empty() || first == "data" { String::new() } else { format!("{first}/") }
        });
        let Some(below) = name.strip_prefix(top.as_str()) else {
            self.seen.problems.push(format!("{name}: lies outside of {top}"));
            return;
        };
        if self.seen.take(below) {
            self.items.push(Item { name: below.to_owned(), bytes, entry: Some(entry) });
        }
    }

    /// What only the archive as a whole can show.
    fn whole(&mut self, archive: &ZipArchive<FileReader>) {
        let problems = &mut self.seen.problems;
        if self.entries != archive.entries_hint() {
            problems.push(format!("the archive says {} entries and has {}", archive.entries_hint(), self.entries));
        }
        self.ranges.sort_unstable();
        if self.ranges.first().is_some_and(|first| first.0 != 0) {
            problems.push("something stands in front of the archive".into());
        }
        if archive.end_offset() != self.size {
            problems.push("something stands behind the archive".into());
        }
        if self.ranges.windows(2).any(|pair| pair[0].1 > pair[1].0)
            || self.ranges.last().is_some_and(|last| last.1 > archive.directory_offset())
        {
            problems.push("entries of the archive overlap: a bomb".into());
        }
        if self.unpacked > self.size.saturating_mul(MAX_TOTAL_RATIO).saturating_add(TOTAL_ROOM) {
            problems.push("it would unpack to more than 200 times its size: a bomb".into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::archive;
    use crate::bundle::payload::Payload;
    use crate::run::Run;

    /// A damaged archive is refused, or gives no file more than its size says and none outside of its folder.
    #[test]
    fn a_damaged_archive_is_refused_or_stays_within_its_bounds() {
        let folder = tempfile::tempdir().unwrap();
        let payload = |name: &str, content: &str| {
            fs::create_dir_all(folder.path().join("data")).unwrap();
            fs::write(folder.path().join(name), content).unwrap();
            let sha256 = crate::packing::sha256(content);
            Payload { name: name.into(), bytes: content.len() as u64, sha256, lines: None, redacted: false }
        };
        let files = [payload("bagit.txt", "BagIt"), payload("data/a.txt", &"lines of text\n".repeat(200))];
        let path = folder.path().join("b.zip");
        archive::write(folder.path(), "b", &files, &mut File::create(&path).unwrap(), &Run::new(1)).unwrap();
        let sound = fs::read(&path).unwrap();
        crate::damage::for_each_damage(&sound, |bytes| {
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(file.path(), bytes).unwrap();
            let (opened, problems) = super::archive(file.path()).unwrap();
            let Some(opened) = opened else { return assert!(!problems.is_empty()) };
            for item in &opened.items {
                assert!(!item.name.split('/').any(|part| part == "..") || !problems.is_empty(), "{}", item.name);
                let mut content = Vec::new();
                let read = opened.read(item).and_then(|mut stream| stream.read_to_end(&mut content));
                assert!(read.is_err() || content.len() as u64 <= item.bytes + 1);
            }
        });
    }
}
