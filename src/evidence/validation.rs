//! The external review as it was recorded: what was answered, and to which figures.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::response::Response;
use crate::config::Plan;
use crate::error::{Error, Position, Result};
use crate::files;

/// Version of the record's form.
const RECORD_VERSION: u32 = 1;
/// Largest answer that is kept, in bytes; its record may be four times as large.
const MAX_ANSWER_BYTES: u64 = 1 << 20;

/// `NAME.record.json` beside the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub record_version: u32,
    /// RFC 3339.
    pub recorded_at: String,
    /// Digest over the claims of the report that was in the bundle: a report with other figures was not validated.
    pub figures: String,
    /// SHA-256 of the answer's file.
    pub response_sha256: String,
    /// Ids of the claims that were to be answered.
    pub asked: Vec<String>,
    /// The answer, checked against the bundle.
    pub response: Response,
}

impl Record {
    /// The record of an answer whose file has the content `file`.
    pub fn new(response: Response, file: &[u8], figures: String, asked: Vec<String>, recorded_at: String) -> Self {
        let response_sha256 = digest(file);
        Self { record_version: RECORD_VERSION, recorded_at, figures, response_sha256, asked, response }
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("strings and lists");
        text.push('\n');
        text
    }
}

/// What the record beside an answer is called.
pub fn record_name(response: &str) -> String {
    let stem = response.rsplit_once('.').filter(|(_, ending)| !ending.contains('/')).map_or(response, |(stem, _)| stem);
    format!("{stem}.record.json")
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The plan's recorded review; `None` where none was recorded.
///
/// # Errors
/// The record cannot be read, or the answer beside it was changed since.
pub(super) fn read(plan: &Plan) -> Result<Option<Record>> {
    let name = record_name(&plan.validation.response);
    if !plan.base.join(&name).exists() {
        return Ok(None);
    }
    let help = "record the answer again: stagegate validation record";
    let text = files::read_text(&plan.base.join(&name), &name, MAX_ANSWER_BYTES * 4)?;
    let record: Record = serde_json::from_str(&text).map_err(|error| {
        let at = Position::at(&name, error.line() as u64, error.column() as u64);
        Error::new(format!("not the record of a review: {error}")).at(at).help(help)
    })?;
    let fail = |message: &str, file: &str| Error::new(message).at(Position::file(file)).help(help);
    if record.record_version != RECORD_VERSION {
        return Err(fail("a record of another version", &name));
    }
    let answer =
        files::read_text(&plan.base.join(&plan.validation.response), &plan.validation.response, MAX_ANSWER_BYTES)?;
    if digest(answer.as_bytes()) != record.response_sha256 {
        return Err(fail("the answer was changed after it was recorded", &plan.validation.response));
    }
    Ok(Some(record))
}
