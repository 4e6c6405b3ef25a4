//! What leaving the fallbacks out would have claimed.

use serde::Serialize;

use super::super::anchors::anchor;
use crate::format;
use crate::metric;
use crate::report::model::{IntentionToTreat, IntentionToTreatFigure};

#[derive(Serialize)]
pub(crate) struct IntentionToTreatView {
    anchor: String,
    stage: String,
    text: String,
    rows: Vec<[String; 3]>,
}

pub(crate) fn intention_to_treat(stage: &IntentionToTreat) -> IntentionToTreatView {
    let row = |figure: &IntentionToTreatFigure| {
        let show = |value| format::metric(&figure.metric, value);
        [metric::label(&figure.metric), show(figure.intention_to_treat), show(figure.per_protocol)]
    };
    IntentionToTreatView {
        anchor: anchor(&format!("fallbacks.{}", stage.stage)),
        stage: stage.stage.clone(),
        text: stage.text.clone(),
        rows: stage.figures.iter().map(row).collect(),
    }
}
