//! `[report]` and `[notes]`: how the report tells what it found, and what people add.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::zone::Zone;

/// `[report]`
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a table of the report")]
pub struct ReportSection {
    /// The zone in which times are told and days are cut; report.json is in UTC always.
    pub timezone: Zone,
}

/// `[notes]`
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a table of notes")]
pub struct NotesSection {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub findings: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lessons_learned: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recommendations: Option<String>,
}
