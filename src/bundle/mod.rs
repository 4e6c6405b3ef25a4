//! What carries the proof to an outside reviewer: the code at a commit, the metrics, test results and reports in
//! a bag (BagIt) with a signed in-toto statement, a request, and the same packed for a model's context. Nothing is
//! written unless everything was searched for secrets.

pub mod answer;
mod archive;
mod content;
mod context;
mod gather;
mod keys;
pub mod manifest;
mod names;
mod payload;
mod reading_order;
mod redact;
mod repository;
pub mod secrets;
pub mod statement;
mod tags;
mod tokens;
pub mod verify;

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::error::{Error, Position, Result};
use crate::run::Run;
use crate::staging::{self, Staging};
pub use content::{Bundled, Content, Options};
pub use keys::read_key;
use payload::{Intake, Payload};
pub use redact::Redaction;
pub use repository::Repository;

/// The bundle's folder, and the stem of its archive.
pub const TOP: &str = "validation-bundle";

fn cannot(path: &Path, error: &io::Error) -> Error {
    Error::new(format!("cannot write: {error}")).at(Position::file(path.display().to_string()))
}

/// Writes the bundle.
///
/// # Errors
/// A secret was found; a file cannot be read; the disk refuses. Then nothing was written.
pub fn write(content: &mut Content<'_>, options: &Options<'_>, run: &Run) -> Result<Bundled> {
    let signing_key = options.signing_key.as_deref().map(statement::signing_key).transpose().map_err(|error| {
        Error::new(format!("--sign-key: {error}")).help("openssl genpkey -algorithm ed25519 makes one")
    })?;
    let target = options.out.join(TOP);
    if target.symlink_metadata().is_ok() && !target.join(manifest::DECLARATION).is_file() {
        return Err(Error::new("something that is not a bundle stands there")
            .at(Position::file(target.display().to_string()))
            .help("remove it, or give another --out"));
    }
    let staging = Staging::new(options.out).map_err(|error| cannot(options.out, &error))?;
    let root = staging.path().join(TOP);
    fs::create_dir(&root).map_err(|error| cannot(&root, &error))?;

    let report = gather::hidden(content.report, content.redaction);
    let (tasks, left_out) = gather::tasks(content, options, &report, &root)?;
    let scanner = secrets::Scanner::new();
    let intake =
        Intake { root: &root, repository: content.repository, scanner: &scanner, redaction: content.redaction, run };
    run.begin(tasks.iter().map(|task| task.bytes).sum());
    let (mut files, leaks) = run.time("gather", || intake.take_all(&tasks))?;
    let warnings = gather::refuse_leaks(&leaks, content.plan)?;

    let evidence = manifest::evidence_digest(&manifest::text(&files));
    let digest = format!("sha256:{evidence}");
    let request = tags::request(content, options, &report, &digest, &files, left_out.len());
    files.extend(intake.hash_all(&request)?);
    let limits = reading_order::limits(content.plan, options);
    let (parts, context) = reading_order::pack(content.plan, &root, &files, limits, &evidence[..8], &intake, run)?;
    files.extend(context);
    files.sort_by(|a, b| a.name.cmp(&b.name));

    let tags = tags::tags(content, &report, &files, &left_out, signing_key.as_ref(), &intake)?;
    let all: Vec<Payload> = tags.iter().chain(&files).cloned().collect();
    run.begin(all.iter().map(|file| file.bytes).sum());
    let archive = staging.path().join("bundle.zip");
    run.time("zip", || {
        let mut zip = File::create(&archive).map_err(|error| cannot(&archive, &error))?;
        archive::write(&root, TOP, &all, &mut zip, run).map_err(|error| cannot(&archive, &error))
    })?;
    let archive_target = options.out.join(format!("{TOP}.zip"));
    staging::replace_folder(&root, &target).map_err(|error| cannot(&target, &error))?;
    fs::rename(&archive, &archive_target).map_err(|error| cannot(&archive_target, &error))?;
    Ok(Bundled {
        folder: target,
        archive: archive_target,
        digest,
        files: files.len(),
        bytes: files.iter().map(|file| file.bytes).sum(),
        left_out: left_out.len(),
        parts: parts.len(),
        tokens: parts.iter().map(|part| part.tokens).sum(),
        signed: signing_key.is_some(),
        warnings,
    })
}
