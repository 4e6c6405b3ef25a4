//! What is being written, beside its place until it is whole. A run that was killed leaves its folder behind; the next
//! one that writes there finishes what was decided, and removes the rest.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use tempfile::TempDir;

use crate::packing::{Hashed, sha256};

/// How a folder of a run begins; six random characters follow.
const PREFIX: &str = ".stagegate-";
/// In it: the files as they shall lie in the folder beside it, and, once all are there, which ones they are.
const NEW: &str = "new";
const DECIDED: &str = "decided";
/// In the first bytes of every picture of a report: its title, as a picture of its own has it.
const DRAWN_AS_FILE: &str = "-file-title";
const HEAD_OF_PICTURE: u64 = 256;

/// A folder of this run, removed when it is dropped. While it is there it is locked.
#[derive(Debug)]
pub struct Staging {
    folder: TempDir,
    /// The lock lasts as long as the file is open.
    _lock: Option<File>,
}

impl Staging {
    /// Makes a folder in `beside`, which is made where it is missing. Folders of runs that ended before their time are
    /// finished or removed first.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn new(beside: &Path) -> io::Result<Self> {
        fs::create_dir_all(beside)?;
        clear(beside);
        // Whoever clears at this moment may take a folder that is not locked yet for one that was left behind.
        for _ in 0..8 {
            let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(beside)?;
            let lock = lock(folder.path());
            if folder.path().is_dir() {
                return Ok(Self { folder, _lock: lock });
            }
        }
        Err(io::Error::other("another run removes what this one writes"))
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file that is to lie at `path` below the folder beside this one.
    ///
    /// # Errors
    /// The path leaves its folder, or the disk refuses.
    pub fn stage(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        if !stays_below(path) {
            return Err(io::Error::other("the path leaves its folder"));
        }
        let place = self.path().join(NEW).join(path);
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(place, content)
    }

    /// Puts all staged files in place. What happens from here on is decided: a run that is killed now is finished by
    /// the next one.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn commit(self, beside: &Path) -> io::Result<()> {
        let new = self.path().join(NEW);
        let mut decided = Vec::new();
        for path in files_below(&new)? {
            let digest = Hashed::new(File::open(new.join(&path))?, sha2::Sha256::default()).finish()?;
            writeln!(decided, "{digest} {}", path.display())?;
        }
        let draft = self.path().join("draft");
        fs::write(&draft, decided)?;
        fs::rename(draft, self.path().join(DECIDED))?;
        // Folders first: a text is never newer than the pictures that it shows.
        let mut entries: Vec<PathBuf> = fs::read_dir(&new)?.flatten().map(|entry| entry.path()).collect();
        entries.sort_by_key(|path| (!path.is_dir(), path.clone()));
        for entry in entries {
            let target = beside.join(entry.file_name().unwrap_or_default());
            if entry.is_dir() { put_folder(&entry, &target)? } else { put_file(&entry, &target)? }
        }
        Ok(())
    }
}

/// Puts the folder `fresh` where `target` is, in one step where the system can; what stood there ends in its place.
///
/// # Errors
/// The disk refuses.
pub fn replace_folder(fresh: &Path, target: &Path) -> io::Result<()> {
    if target.symlink_metadata().is_err() {
        return fs::rename(fresh, target);
    }
    if exchange(fresh, target).is_ok() {
        return Ok(());
    }
    let old = fresh.with_extension("old");
    fs::rename(target, &old)?;
    fs::rename(fresh, target)
}

#[cfg(target_os = "linux")]
fn exchange(a: &Path, b: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE)?)
}

#[cfg(not(target_os = "linux"))]
fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// What stood at `target` takes the place of what is put there: to free it here would take longer than all else, and
/// the fewer moments lie between the first file and the last, the better.
fn put_file(fresh: &Path, target: &Path) -> io::Result<()> {
    if target.is_file() && exchange(fresh, target).is_ok() {
        return Ok(());
    }
    fs::rename(fresh, target)
}

/// Whether a file is a picture that a report drew: by its first bytes.
fn is_ours(path: &Path) -> bool {
    let mut head = Vec::new();
    let mut read = || File::open(path)?.take(HEAD_OF_PICTURE).read_to_end(&mut head);
    path.extension().is_some_and(|ending| ending == "svg")
        && read().is_ok()
        && head.starts_with(b"<svg ")
        && memchr::memmem::find(&head, DRAWN_AS_FILE.as_bytes()).is_some()
}

/// A folder of pictures takes the place of another in one step; into one that holds something else its files go one by
/// one.
fn put_folder(fresh: &Path, target: &Path) -> io::Result<()> {
    let known = if target.is_dir() { files_below(target)? } else { Vec::new() };
    let (ours, others): (Vec<PathBuf>, Vec<PathBuf>) = known.into_iter().partition(|path| is_ours(&target.join(path)));
    if others.is_empty() && !target.is_symlink() {
        return replace_folder(fresh, target);
    }
    let new = files_below(fresh)?;
    for old in ours.iter().filter(|old| !new.contains(old)) {
        fs::remove_file(target.join(old))?;
    }
    for path in new {
        let place = target.join(&path);
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent)?;
        }
        put_file(&fresh.join(&path), &place)?;
    }
    Ok(())
}

/// Finishes or removes what runs left behind that are no more. What cannot be removed stays: it is in nobody's way.
fn clear(beside: &Path) {
    let Ok(entries) = fs::read_dir(beside) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        if !ours || !path.is_dir() || path.is_symlink() {
            continue;
        }
        // Locked by a run that lives, or by one that clears as this one does.
        let Some(_lock) = lock(&path) else { continue };
        let _ = finish(&path, beside);
        let _ = fs::remove_dir_all(&path);
    }
}

/// Puts what was decided in place, as far as that was not done.
fn finish(left: &Path, beside: &Path) -> io::Result<()> {
    let Ok(decided) = fs::read_to_string(left.join(DECIDED)) else { return Ok(()) };
    for line in decided.lines() {
        let Some((digest, path)) = line.split_once(' ') else { continue };
        let (from, to) = (left.join(NEW).join(path), beside.join(path));
        // An exchange may have put the old file where the new one was.
        let is_new = fs::read(&from).is_ok_and(|content| sha256(content) == digest);
        if stays_below(Path::new(path)) && is_new {
            if let Some(parent) = to.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::rename(from, to)?;
        }
    }
    Ok(())
}

/// A lock on a folder; `None` where somebody holds it, or the system has none.
fn lock(folder: &Path) -> Option<File> {
    let file = File::open(folder).ok()?;
    file.try_lock().ok()?;
    Some(file)
}

fn stays_below(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_)))
}

/// The files below a folder, relative to it, sorted.
fn files_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut files, mut folders) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(below) = folders.pop() {
        for entry in fs::read_dir(folder.join(&below))? {
            let entry = entry?;
            let path = below.join(entry.file_name());
            if entry.file_type()?.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        files_below(folder).unwrap().iter().map(|path| path.display().to_string()).collect()
    }

    fn staged(beside: &Path, word: &str) -> Staging {
        let staging = Staging::new(beside).unwrap();
        staging.stage(Path::new("charts/a.svg"), word.as_bytes()).unwrap();
        staging.stage(Path::new("report.md"), word.as_bytes()).unwrap();
        staging
    }

    /// As a run leaves it that is killed: its folder stays, its lock does not.
    fn killed(staging: Staging) -> PathBuf {
        staging.folder.keep()
    }

    #[test]
    fn a_run_that_was_killed_before_it_decided_leaves_nothing_behind() {
        let beside = tempfile::tempdir().unwrap();
        staged(beside.path(), "one").commit(beside.path()).unwrap();
        killed(staged(beside.path(), "two"));
        assert_eq!(names(beside.path()).len(), 4);
        drop(Staging::new(beside.path()).unwrap());
        assert_eq!(names(beside.path()), ["charts/a.svg", "report.md"]);
        assert_eq!(fs::read_to_string(beside.path().join("report.md")).unwrap(), "one");
    }

    #[test]
    fn what_was_decided_is_finished_by_the_next_run_wherever_it_stopped() {
        for done in 0..=2 {
            let beside = tempfile::tempdir().unwrap();
            staged(beside.path(), "one").commit(beside.path()).unwrap();
            let left = killed(staged(beside.path(), "two"));
            let digest = sha256("two");
            fs::write(left.join(DECIDED), format!("{digest} charts/a.svg\n{digest} report.md\n")).unwrap();
            if done > 0 {
                put_folder(&left.join("new/charts"), &beside.path().join("charts")).unwrap();
            }
            if done > 1 {
                fs::rename(left.join("new/report.md"), beside.path().join("report.md")).unwrap();
            }
            drop(Staging::new(beside.path()).unwrap());
            for name in names(beside.path()) {
                assert_eq!(fs::read_to_string(beside.path().join(&name)).unwrap(), "two", "{name} after {done}");
            }
            assert_eq!(names(beside.path()), ["charts/a.svg", "report.md"]);
        }
    }

    #[test]
    fn what_a_living_run_writes_is_left_alone() {
        let beside = tempfile::tempdir().unwrap();
        let living = staged(beside.path(), "one");
        staged(beside.path(), "two").commit(beside.path()).unwrap();
        living.commit(beside.path()).unwrap();
        assert_eq!(fs::read_to_string(beside.path().join("charts/a.svg")).unwrap(), "one");
    }

    #[test]
    fn what_is_not_ours_stays_and_no_path_leaves_the_folder() {
        let beside = tempfile::tempdir().unwrap();
        fs::create_dir(beside.path().join("charts")).unwrap();
        fs::write(beside.path().join("charts/mine.txt"), "kept").unwrap();
        staged(beside.path(), "one").commit(beside.path()).unwrap();
        assert_eq!(names(beside.path()), ["charts/a.svg", "charts/mine.txt", "report.md"]);
        // Pictures that the report has no more go, those of others stay.
        let old = "<svg role=\"img\" aria-labelledby=\"old-file-title\"></svg>";
        for others in [&["charts/mine.txt", "charts/mine.svg"][..], &["charts/mine.svg"], &[]] {
            for name in ["charts/mine.txt", "charts/mine.svg"] {
                let _ = fs::remove_file(beside.path().join(name));
            }
            others.iter().for_each(|name| fs::write(beside.path().join(name), "<svg></svg>").unwrap());
            fs::write(beside.path().join("charts/old.svg"), old).unwrap();
            staged(beside.path(), "two").commit(beside.path()).unwrap();
            let mut left = [&["charts/a.svg", "report.md"], others].concat();
            left.sort_unstable();
            assert_eq!(names(beside.path()), left);
        }
        assert!(Staging::new(beside.path()).unwrap().stage(Path::new("../b.txt"), b"").is_err());
        let left = killed(Staging::new(beside.path()).unwrap());
        fs::create_dir(left.join(NEW)).unwrap();
        fs::write(left.join(DECIDED), format!("{} ../../b.txt\n", sha256("x"))).unwrap();
        drop(Staging::new(beside.path()).unwrap());
        assert!(!left.exists());
    }
}
