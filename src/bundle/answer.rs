//! Does the reviewer's answer belong to the bundle that was sent?

use serde::Deserialize;

use super::verify::Verified;
use crate::config::Plan;
use crate::error::{Error, Position, Result};
use crate::evidence::response::{self, Asked};
use crate::evidence::validation::Record;

/// What `data/request.json` asks.
#[derive(Deserialize)]
struct Request {
    consultation_id: Option<String>,
    figures: String,
    #[serde(flatten)]
    asked: Asked,
}

/// The record of the answer `text`, called `name`, to the verified bundle.
///
/// # Errors
/// The answer names another bundle or consultation, or is none.
pub fn check(plan: &Plan, name: &str, text: &str, bundle: &Verified, recorded_at: String) -> Result<Record> {
    let fail = |message: String| Error::new(message).at(Position::file(name));
    let request = bundle.request.as_deref().map(|text| serde_json::from_str::<Request>(&String::from_utf8_lossy(text)));
    let request = match request {
        Some(Ok(request)) => request,
        Some(Err(error)) => return Err(fail(format!("the bundle's request cannot be read: {error}"))),
        None => return Err(fail("the bundle asks for nothing".into())),
    };
    let response = response::parse(name, text, &request.asked)?;
    if response.bundle != bundle.digest {
        return Err(fail(format!("the answer is to bundle {}; this is {}", response.bundle, bundle.digest))
            .help("give the bundle that was sent with --bundle, or ask the reviewer about this one"));
    }
    let wanted = request.consultation_id.as_ref().or(plan.validation.consultation_id.as_ref());
    if wanted.is_some() && response.consultation_id.as_ref() != wanted {
        let (given, wanted) =
            (response.consultation_id.as_deref().unwrap_or("none"), wanted.map_or("", String::as_str));
        return Err(fail(format!("the answer is of consultation {given}; the request was of {wanted}")));
    }
    let asked = request.asked.claims.into_iter().map(|claim| claim.id).collect();
    Ok(Record::new(response, text.as_bytes(), request.figures, asked, recorded_at))
}
