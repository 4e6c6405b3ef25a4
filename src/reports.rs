//! Reports that earlier runs wrote: read back for the status dashboard and for differences.

use std::path::Path;

use crate::error::{Error, Position, Result};
use crate::files;
use crate::render::dashboard::Found;
use crate::report::model::{Report, SCHEMA_VERSION};

/// Largest report.json that is read, in bytes.
const MAX_BYTES: u64 = 256 << 20;
/// Daily reports that the dashboard lists: the latest.
const MOST_DAYS: usize = 400;

/// The report in a report.json, or in the folder that has one.
///
/// # Errors
/// The file is missing, too large, or no report of this version.
pub fn read(path: &Path) -> Result<Report> {
    let inside = path.join("report.json");
    let path = if path.is_dir() { &inside } else { path };
    let name = path.display().to_string();
    let text = files::read_text(path, &name, MAX_BYTES)?;
    let fail = |message: String| Error::new(message).at(Position::file(&name));
    let report: Report = serde_json::from_str(&text).map_err(|error| {
        fail(format!("not a report of this version of stagegate: {error}"))
            .help("write it again with `stagegate report`")
    })?;
    if report.schema_version != SCHEMA_VERSION {
        return Err(fail(format!("schema version {}; this stagegate reads {SCHEMA_VERSION}", report.schema_version)));
    }
    Ok(report)
}

/// The reports of a folder: its own, and those of daily/* that can be read, with why others cannot.
///
/// # Errors
/// The folder's own report.json is there and cannot be read.
pub fn find(folder: &Path) -> Result<(Vec<Found>, Vec<Error>)> {
    let own = folder.join("report.json");
    let mut found = Vec::new();
    if own.is_file() {
        found.push(Found { folder: ".".into(), report: read(&own)? });
    }
    let mut days: Vec<String> = std::fs::read_dir(folder.join("daily"))
        .map(|entries| entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
        .unwrap_or_default();
    days.sort();
    let mut damaged = Vec::new();
    for day in days.iter().rev().take(MOST_DAYS) {
        let path = folder.join("daily").join(day).join("report.json");
        match path.is_file().then(|| read(&path)) {
            Some(Ok(report)) => found.push(Found { folder: format!("daily/{day}"), report }),
            // One day must not hide the others.
            Some(Err(error)) => damaged.push(error),
            None => {}
        }
    }
    Ok((found, damaged))
}
