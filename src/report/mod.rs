//! The report: its model, the words for it, the claims that can be linked to, and the summary made of them.

pub mod changes;
pub mod claims;
pub mod model;
pub mod summary;
pub mod words;

use model::Report;

/// The JSON Schema of report.json.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Report).to_value()
}
