//! What can go wrong with an upload, and whether the log lived through it.

use serde::Serialize;

use crate::format;
use crate::report::model::ErrorScenario;

#[derive(Serialize)]
pub(crate) struct ScenarioView {
    label: String,
    failures: String,
    treated: String,
    /// `TimeoutError: 12`
    error_types: Vec<String>,
}

pub(crate) fn scenario(scenario: &ErrorScenario) -> ScenarioView {
    ScenarioView {
        label: scenario.scenario.replace('_', " "),
        failures: format::count(scenario.failures),
        treated: format::count(scenario.treated_failures),
        error_types: scenario
            .error_types
            .iter()
            .map(|(name, count)| format!("{name}: {}", format::count(*count)))
            .collect(),
    }
}
