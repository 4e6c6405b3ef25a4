//! What a simulation planted.

use std::collections::BTreeMap;

use serde::Serialize;

use super::scenario::Scenario;

/// What was planted, and what the log holds.
#[derive(Debug, Serialize)]
pub struct Truth {
    pub scenario: Scenario,
    pub seed: u64,
    /// What is out of the ordinary, in words.
    pub planted: Vec<String>,
    pub stages: Vec<StageTruth>,
    pub lines: u64,
    pub events: u64,
    pub blank: u64,
    /// Lines that cannot be used, by the reason they must be rejected for.
    pub rejected: BTreeMap<&'static str, u64>,
    pub duplicate_request_ids: u64,
    /// Factors that the simulation multiplies with; what async does to one upload.
    pub async_latency_factor: f64,
    pub async_memory_factor: f64,
    pub sync_timeout_rate: f64,
    pub async_timeout_rate: f64,
}

/// What the log holds of one stage.
#[derive(Debug, Serialize)]
pub struct StageTruth {
    pub name: &'static str,
    pub percentage: f64,
    pub from_epoch_s: f64,
    /// By execution type.
    pub uploads: BTreeMap<&'static str, u64>,
    pub successes: BTreeMap<&'static str, u64>,
}
