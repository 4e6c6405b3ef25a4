//! The report: its model, the claims that can be linked to, and the summary made of them.

pub mod claims;
pub mod model;
pub mod summary;

use crate::analysis::Findings;
use crate::config::Plan;
use model::{Generator, Report, SCHEMA_VERSION, Tests};

/// Puts the findings together; `generated_at` is RFC 3339.
pub fn assemble(plan: &Plan, findings: Findings, generated_at: String) -> Report {
    let Findings { simulated, inputs, data_quality, stages, improvements, criteria, events, series } = findings;
    let claims = claims::claims(&inputs, &stages, &improvements, &criteria);
    Report {
        schema_version: SCHEMA_VERSION,
        generator: Generator { name: "stagegate".into(), version: env!("CARGO_PKG_VERSION").into() },
        title: plan.title.clone(),
        generated_at,
        simulated,
        decision: None,
        summary: summary::summary(&claims, &stages, &improvements, &criteria, &data_quality),
        inputs,
        data_quality,
        stages,
        improvements,
        criteria,
        comparisons: Vec::new(),
        triggers: Vec::new(),
        events,
        series,
        tests: Tests::default(),
        variants: Vec::new(),
        completion: Vec::new(),
        validation: None,
        claims,
    }
}

/// The JSON Schema of report.json.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Report).to_value()
}
