//! What people take upon themselves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::values::Moment;

/// `[[accept]]`: a person takes a reason that speaks against going on upon themselves. The report shows it.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a waiver: finding, reason and by")]
pub struct AcceptSection {
    /// Id of the finding, as `check` prints it behind the reason.
    pub finding: String,
    /// Why it is accepted.
    pub reason: String,
    /// Who accepts it.
    pub by: String,
    /// From when on it decides again; RFC 3339, or a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
}

/// What is wrong with an entry of a list: its position, the key, why, and what to do.
pub(super) type Wrong = (usize, &'static str, String, &'static str);

/// The first waiver that leaves a text empty.
pub(super) fn first_wrong(accept: &[AcceptSection]) -> Option<Wrong> {
    accept.iter().enumerate().find_map(|(index, accept)| {
        let texts = [("finding", &accept.finding), ("reason", &accept.reason), ("by", &accept.by)];
        let (key, _) = texts.into_iter().find(|(_, text)| text.trim().is_empty())?;
        Some((index, key, format!("{key} is empty"), "say what is accepted, why, and by whom"))
    })
}
