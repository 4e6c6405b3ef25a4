//! What leaving the fallbacks out would have claimed.

use serde::Serialize;

use super::super::anchors::anchor;
use crate::format;
use crate::report::model::{IntentionToTreat, IntentionToTreatFigure, Report};

#[derive(Serialize)]
pub(crate) struct IntentionToTreatView {
    anchor: String,
    stage: String,
    text: String,
    rows: Vec<[String; 3]>,
}

pub(crate) fn intention_to_treat(report: &Report, stage: &IntentionToTreat) -> IntentionToTreatView {
    let row = |figure: &IntentionToTreatFigure| {
        let metric = report.metric(&figure.metric);
        let show = |value| metric.map_or_else(String::new, |metric| format::metric(metric, value));
        [report.label(&figure.metric), show(figure.intention_to_treat), show(figure.per_protocol)]
    };
    IntentionToTreatView {
        anchor: anchor(&format!("fallbacks.{}", stage.stage)),
        stage: stage.stage.clone(),
        text: stage.text.clone(),
        rows: stage.figures.iter().map(row).collect(),
    }
}
