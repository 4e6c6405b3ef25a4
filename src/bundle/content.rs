//! What a bundle is made of, how, and what was made.

use std::path::{Path, PathBuf};

use super::manifest;
use super::redact::Redaction;
use super::repository::Repository;
use crate::config::Plan;
use crate::cube::Cube;
use crate::format;
use crate::ingest::source;
use crate::report::model::Report;

/// How a bundle is made.
#[derive(Debug)]
pub struct Options<'a> {
    /// Where the bundle goes: `validation-bundle/` and `.zip` below it.
    pub out: &'a Path,
    pub raw_logs: bool,
    /// PKCS#8 PEM.
    pub signing_key: Option<String>,
    pub max_tokens: Option<u64>,
    pub max_part_mb: Option<u64>,
}

/// What was made.
#[derive(Debug)]
pub struct Bundled {
    pub folder: PathBuf,
    pub archive: PathBuf,
    /// `sha256:…`, by which an answer names the bundle.
    pub digest: String,
    pub files: usize,
    pub bytes: u64,
    pub left_out: usize,
    pub parts: usize,
    pub tokens: u64,
    pub signed: bool,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl Bundled {
    /// What was made, in lines.
    pub fn text(&self) -> String {
        format!(
            "wrote\n  {}\n  {}\n{}, {}; {} left out (contents.json says why); {}; {} of context in {}\n{}\nask the reviewer with {}\n",
            self.folder.display(),
            self.archive.display(),
            format::counted(self.files as u64, "file"),
            format::bytes(self.bytes),
            format::count(self.left_out as u64),
            if self.signed { "signed" } else { "not signed" },
            format::counted(self.tokens, "token"),
            format::counted(self.parts as u64, "part"),
            self.digest,
            self.folder.join(manifest::REQUEST).display(),
        )
    }
}

/// Everything that a bundle is made of.
#[derive(Debug)]
pub struct Content<'a> {
    pub plan: &'a Plan,
    /// What the cube was folded from.
    pub logs: &'a [source::Source],
    /// Rewritten by the redaction.
    pub cube: &'a mut Cube,
    pub report: &'a Report,
    /// The code; `None` leaves it out.
    pub repository: Option<&'a Repository>,
    pub redaction: &'a Redaction,
}

/// A file that stays out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub(super) struct LeftOut {
    pub file: String,
    pub reason: String,
}
