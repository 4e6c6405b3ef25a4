//! The code: the files that git tracks at a commit, read from git's objects and never from the working
//! tree. git itself is asked, with commands that run no hook and read no ignore file of the machine.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::error::{Error, Result};

/// Files of one commit.
const MAX_FILES: usize = 1_000_000;
/// Largest .gitignore that is read, in bytes.
const MAX_IGNORE_BYTES: u64 = 1 << 20;

/// What git tracks under a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    File,
    Symlink,
    Submodule,
}

/// One tracked path.
#[derive(Debug, Clone)]
pub struct Entry {
    /// As git has it: any bytes but NUL, parts separated by `/`.
    pub path: Vec<u8>,
    pub kind: Kind,
    /// The object's id, hexadecimal.
    pub object: String,
    /// 0 for a submodule.
    pub bytes: u64,
}

/// A repository at a commit.
#[derive(Debug)]
pub struct Repository {
    root: PathBuf,
    /// The commit's id, hexadecimal.
    pub commit: String,
    /// When it was committed, in seconds since 1970-01-01.
    pub committed_at: i64,
}

fn fail(message: impl Into<String>) -> Error {
    Error::new(message)
}

fn git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    // Settings of a repository may name programs; none of these commands needs them.
    command.arg("-c").arg("core.fsmonitor=false").arg("-c").arg("core.quotePath=false");
    command.arg("-C").arg(if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    command.env("GIT_OPTIONAL_LOCKS", "0").env("LC_ALL", "C").env("GIT_NO_LAZY_FETCH", "1").stdin(Stdio::null());
    command
}

fn run(command: &mut Command, what: &str) -> Result<Vec<u8>> {
    let output = command.output().map_err(|error| {
        fail(format!("cannot run git: {error}")).help("install git, or leave the code out with --no-code")
    })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().next().unwrap_or("it gave no reason").trim_start_matches("fatal: ").to_owned();
    Err(fail(format!("{what}: {said}")))
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned()
}

impl Repository {
    /// The repository that `folder` lies in, at `revision`.
    ///
    /// # Errors
    /// git is missing, the folder lies in no repository, or the revision names no commit.
    pub fn open(folder: &Path, revision: &str) -> Result<Self> {
        let top =
            run(git(folder).args(["rev-parse", "--show-toplevel"]), "cannot bundle the code").map_err(|error| {
                error.help(
                    "the code is what git tracks: commit it, point [bundle] code at its folder, or give --no-code",
                )
            })?;
        let root = PathBuf::from(text(top));
        let asked = format!("{revision}^{{commit}}");
        let commit = run(
            git(&root).args(["rev-parse", "--verify", "--quiet", "--end-of-options", &asked]),
            &format!("no commit {revision:?}"),
        )
        .map_err(|error| error.help("give --commit a commit, branch or tag of the repository"))?;
        let commit = text(commit);
        let time = text(run(
            git(&root).args(["show", "-s", "--no-show-signature", "--format=%ct", &commit]),
            "cannot read the commit",
        )?);
        let committed_at = time.parse().map_err(|_| fail(format!("the commit {commit} has no time: {time:?}")))?;
        Ok(Self { root, commit, committed_at })
    }

    /// Everything that the commit tracks, in git's order.
    ///
    /// # Errors
    /// git fails, or there are more than a million files.
    pub fn entries(&self) -> Result<Vec<Entry>> {
        let listing = run(
            git(&self.root).args(["ls-tree", "-r", "-z", "-l", "--full-tree", &self.commit]),
            "cannot list the commit's files",
        )?;
        let entries: Vec<Entry> =
            listing.split(|byte| *byte == 0).filter(|row| !row.is_empty()).filter_map(entry).collect();
        if entries.len() > MAX_FILES {
            return Err(fail(format!("the commit has {} files; at most {MAX_FILES} are bundled", entries.len())));
        }
        Ok(entries)
    }

    /// Whether the working tree differs from the commit checked out.
    pub fn is_dirty(&self) -> bool {
        let status = git(&self.root).args(["status", "--porcelain", "--untracked-files=no"]).output();
        status.is_ok_and(|output| !output.stdout.is_empty())
    }

    /// A path on disk as the repository would name it; `None` outside of it.
    pub fn tracked_name(&self, path: &Path) -> Option<Vec<u8>> {
        let root = self.root.canonicalize().ok()?;
        let below = path.canonicalize().ok()?.strip_prefix(root).ok()?.to_path_buf();
        Some(below.to_string_lossy().replace('\\', "/").into_bytes())
    }

    /// A reader of objects, one process for all it reads.
    ///
    /// # Errors
    /// git cannot be started.
    pub fn objects(&self) -> Result<Objects> {
        let mut child = git(&self.root)
            .args(["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| fail(format!("cannot run git: {error}")))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(fail("cannot talk to git"));
        };
        Ok(Objects { child, asks: stdin, answers: BufReader::with_capacity(1 << 18, stdout) })
    }
}

/// `mode SP type SP object SP+ size TAB path`
fn entry(row: &[u8]) -> Option<Entry> {
    let tab = row.iter().position(|byte| *byte == b'\t')?;
    let head = std::str::from_utf8(&row[..tab]).ok()?;
    let mut words = head.split_ascii_whitespace();
    let (mode, _, object, size) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let kind = match mode {
        "120000" => Kind::Symlink,
        "160000" => Kind::Submodule,
        _ => Kind::File,
    };
    Some(Entry { path: row[tab + 1..].to_vec(), kind, object: object.into(), bytes: size.parse().unwrap_or(0) })
}

/// Reads objects of a repository.
#[derive(Debug)]
pub struct Objects {
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Objects {
    /// Hands the content of an object to `read`, which may leave some of it.
    ///
    /// # Errors
    /// The object is missing (a partial clone), or `read` fails.
    pub fn content<T>(&mut self, object: &str, read: impl FnOnce(&mut dyn Read) -> io::Result<T>) -> io::Result<T> {
        writeln!(self.asks, "{object}")?;
        self.asks.flush()?;
        let mut head = String::new();
        self.answers.read_line(&mut head)?;
        let size = head.split_ascii_whitespace().nth(2).and_then(|size| size.parse::<u64>().ok());
        let Some(size) = size else {
            return Err(io::Error::other(format!("git does not have the object {object}: fetch it first")));
        };
        let mut content = (&mut self.answers).take(size);
        let outcome = read(&mut content)?;
        io::copy(&mut content, &mut io::sink())?;
        self.answers.read_exact(&mut [0])?;
        Ok(outcome)
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The rules of the commit's .gitignore files, and of the config's `exclude`.
#[derive(Debug)]
pub(super) struct Ignored {
    /// Deepest folder first: its path, and the rules that stand in it.
    rules: Vec<(String, Gitignore)>,
    exclude: Gitignore,
}

impl Ignored {
    /// Reads the rules among `entries`.
    ///
    /// # Errors
    /// A pattern of `exclude` cannot be read, or git fails.
    pub(super) fn read(entries: &[Entry], objects: &mut Objects, exclude: &[String]) -> Result<Self> {
        let mut rules = Vec::new();
        for entry in entries {
            let path = String::from_utf8_lossy(&entry.path);
            let Some(folder) = path.strip_suffix(".gitignore") else { continue };
            if entry.kind != Kind::File || !(folder.is_empty() || folder.ends_with('/')) {
                continue;
            }
            let mut lines = Vec::new();
            objects
                .content(&entry.object, |content| content.take(MAX_IGNORE_BYTES).read_to_end(&mut lines))
                .map_err(|error| fail(format!("cannot read {path}: {error}")))?;
            let mut builder = GitignoreBuilder::new("");
            for line in String::from_utf8_lossy(&lines).lines() {
                // git passes over a line that it cannot read, and so do we.
                let _ = builder.add_line(None, line);
            }
            let built = builder.build().map_err(|error| fail(format!("cannot use {path}: {error}")))?;
            rules.push((folder.to_owned(), built));
        }
        rules.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.0.cmp(&b.0)));
        let mut builder = GitignoreBuilder::new("");
        for pattern in exclude {
            builder
                .add_line(None, pattern)
                .map_err(|error| Error::new(format!("bad pattern {pattern:?} in [bundle] exclude: {error}")))?;
        }
        let exclude = builder.build().map_err(|error| fail(format!("cannot use [bundle] exclude: {error}")))?;
        Ok(Self { rules, exclude })
    }

    /// Why a path is left out; `None` where it is not.
    pub(super) fn reason(&self, path: &str) -> Option<&'static str> {
        if self.exclude.matched_path_or_any_parents(path, false).is_ignore() {
            return Some("excluded by [bundle] exclude");
        }
        for (folder, rules) in &self.rules {
            let Some(below) = path.strip_prefix(folder.as_str()) else { continue };
            let matched = rules.matched_path_or_any_parents(below, false);
            if matched.is_ignore() {
                return Some("ignored by .gitignore");
            }
            if matched.is_whitelist() {
                return None;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_git_are_read_whatever_the_name_holds() {
        let file = entry(b"100644 blob 0123 \x20   42\ta\nb\t\xff").unwrap();
        assert_eq!((file.path.as_slice(), file.kind, file.bytes), (&b"a\nb\t\xff"[..], Kind::File, 42));
        assert_eq!(entry(b"120000 blob 01 9\tlink").unwrap().kind, Kind::Symlink);
        assert_eq!(entry(b"160000 commit 01       -\tsub").unwrap().kind, Kind::Submodule);
        assert!(entry(b"nonsense").is_none());
    }
}
