//! Incidents, and thresholds that chance crossed.

use serde::Serialize;

use super::super::anchors::anchor;
use crate::format;
use crate::report::model::{Report, Trigger, TriggerSeverity};
use crate::report::words::answer_text;

#[derive(Serialize)]
pub(crate) struct IncidentView {
    anchor: String,
    /// Ids of the other triggers of the same stretch of time.
    others: Vec<String>,
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

/// One line a stretch of time: an outage pulls several triggers in both scopes.
pub(crate) fn incidents(report: &Report) -> Vec<IncidentView> {
    let mut together: Vec<Vec<&Trigger>> = Vec::new();
    for trigger in report.triggers.iter().filter(|trigger| trigger.fired) {
        let overlaps = |other: &&Trigger| {
            other.stage == trigger.stage
                && other.severity == trigger.severity
                && other.from <= trigger.to
                && trigger.from <= other.to
        };
        match together.iter_mut().find(|group| group.iter().any(overlaps)) {
            Some(group) => group.push(trigger),
            None => together.push(vec![trigger]),
        }
    }
    together.iter().map(|group| merged(report, group)).collect()
}

/// What the triggers of one stretch say together; numbers are of the treated where one of them is.
fn merged(report: &Report, group: &[&Trigger]) -> IncidentView {
    let main = group.iter().find(|trigger| trigger.scope == "treated").unwrap_or(&group[0]);
    let unique = |of: &dyn Fn(&Trigger) -> String| {
        let mut texts: Vec<String> = Vec::new();
        for text in group.iter().map(|trigger| of(trigger)) {
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        texts
    };
    let of_main =
        |trigger: &Trigger| if trigger.scope == main.scope { trigger.text.clone() } else { main.text.clone() };
    let from = group.iter().map(|trigger| &trigger.from).min().unwrap_or(&main.from);
    let to = group.iter().map(|trigger| &trigger.to).max().unwrap_or(&main.to);
    let ids = group.iter().map(|trigger| anchor(&trigger.id)).filter(|id| *id != anchor(&main.id));
    IncidentView {
        trigger: unique(&|trigger| trigger.trigger.replace('_', " ")).join(", "),
        scope: unique(&|trigger| trigger.scope.clone()).join(" and "),
        period: report.words.period(from, to),
        text: unique(&of_main).join("; "),
        others: ids.collect(),
        ..incident(report, main)
    }
}

/// One trigger as it is.
pub(crate) fn incident(report: &Report, trigger: &Trigger) -> IncidentView {
    let (class, severity) = match (trigger.fired, trigger.severity) {
        (true, TriggerSeverity::Rollback) => ("rollback", "rollback"),
        (true, TriggerSeverity::Review) => ("review", "review"),
        (false, _) => ("chance", "chance"),
    };
    IncidentView {
        anchor: anchor(&trigger.id),
        others: Vec::new(),
        class,
        severity,
        trigger: trigger.trigger.replace('_', " "),
        stage: trigger.stage.clone(),
        scope: trigger.scope.clone(),
        period: report.words.period(&trigger.from, &trigger.to),
        text: trigger.text.clone(),
        n: report.words.counted(trigger.n),
        windows: format::count(trigger.windows),
        p_value: trigger.p_value.map_or_else(|| "–".into(), format::p_value),
        answer: answer_text(trigger).unwrap_or_else(|| "–".into()),
    }
}
