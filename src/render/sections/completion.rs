//! Is the rollout complete?

use serde::Serialize;

use super::super::anchors::anchor;
use super::super::marks::{self, Mark};
use crate::report::model::Completion;

#[derive(Serialize)]
pub(crate) struct CompletionView {
    anchor: String,
    label: String,
    status: Mark,
    evidence: String,
}

pub(crate) fn completion(item: &Completion) -> CompletionView {
    CompletionView {
        anchor: anchor(&format!("completion.{}", item.id)),
        label: item.label.clone(),
        status: marks::completion(item.status),
        evidence: item.evidence.clone(),
    }
}
