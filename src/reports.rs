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

/// The reports of a folder: its own, and those of daily/*.
///
/// # Errors
/// A report.json that is there and cannot be read.
pub fn find(folder: &Path) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    let mut add = |name: String, path: &Path| -> Result<()> {
        if path.is_file() {
            found.push(Found { folder: name, report: read(path)? });
        }
        Ok(())
    };
    add(".".into(), &folder.join("report.json"))?;
    let mut days: Vec<String> = std::fs::read_dir(folder.join("daily"))
        .map(|entries| entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
        .unwrap_or_default();
    days.sort();
    for day in days.iter().rev().take(MOST_DAYS) {
        add(format!("daily/{day}"), &folder.join("daily").join(day).join("report.json"))?;
    }
    Ok(found)
}
