//! Incidents, and thresholds that chance crossed.

use serde::Serialize;

use super::super::anchors::anchor;
use crate::format;
use crate::report::model::{Report, Trigger, TriggerSeverity};
use crate::report::words::answer_text;

#[derive(Serialize)]
pub(crate) struct IncidentView {
    anchor: String,
    class: &'static str,
    severity: &'static str,
    trigger: String,
    stage: String,
    scope: String,
    period: String,
    text: String,
    /// With the noun.
    n: String,
    windows: String,
    p_value: String,
    answer: String,
}

pub(crate) fn incident(report: &Report, trigger: &Trigger) -> IncidentView {
    let (class, severity) = match (trigger.fired, trigger.severity) {
        (true, TriggerSeverity::Rollback) => ("rollback", "rollback"),
        (true, TriggerSeverity::Review) => ("review", "review"),
        (false, _) => ("chance", "chance"),
    };
    IncidentView {
        anchor: anchor(&trigger.id),
        class,
        severity,
        trigger: trigger.trigger.replace('_', " "),
        stage: trigger.stage.clone(),
        scope: trigger.scope.clone(),
        period: format::period(&trigger.from, &trigger.to),
        text: trigger.text.clone(),
        n: report.words.counted(trigger.n),
        windows: format::count(trigger.windows),
        p_value: trigger.p_value.map_or_else(|| "–".into(), format::p_value),
        answer: answer_text(trigger).unwrap_or_else(|| "–".into()),
    }
}
