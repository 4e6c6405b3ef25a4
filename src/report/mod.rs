//! The report: its model, the words for it, the claims that can be linked to, and the summary made of them.

pub mod claims;
pub mod model;
pub mod summary;
pub mod words;

use crate::analysis::Findings;
use crate::config::Plan;
use model::{Generator, Report, SCHEMA_VERSION};

/// Puts the findings together; `generated_at` is RFC 3339.
pub fn assemble(plan: &Plan, findings: Findings, generated_at: String) -> Report {
    Report {
        schema_version: SCHEMA_VERSION,
        generator: Generator { name: "stagegate".into(), version: env!("CARGO_PKG_VERSION").into() },
        title: plan.title.clone(),
        generated_at,
        summary: summary::summary(&findings.claims, &findings),
        simulated: findings.simulated,
        decision: findings.decision,
        next_steps: findings.next_steps,
        inputs: findings.inputs,
        data_quality: findings.data_quality,
        stages: findings.stages,
        improvements: findings.improvements,
        criteria: findings.criteria,
        comparisons: findings.comparisons,
        regressions: findings.regressions,
        intention_to_treat: findings.intention_to_treat,
        triggers: findings.triggers,
        change_points: findings.change_points,
        change_point_searches: findings.change_point_searches,
        events: findings.events,
        series: findings.series,
        tests: findings.tests,
        notes: findings.notes,
        variants: findings.variants,
        error_scenarios: findings.error_scenarios,
        completion: findings.completion,
        validation: findings.validation,
        claims: findings.claims,
    }
}

/// The JSON Schema of report.json.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Report).to_value()
}
