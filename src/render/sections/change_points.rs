//! Levels that shifted inside a stage.

use serde::Serialize;

use super::super::anchors::anchor;
use crate::format;
use crate::report::model::{ChangePoint, ChangePointSearch, Report};

#[derive(Serialize)]
pub(crate) struct ChangePointView {
    anchor: String,
    at: String,
    stage: String,
    scope: String,
    label: String,
    change: String,
    coincidences: Vec<String>,
}

#[derive(Serialize)]
pub(crate) struct SearchView {
    stage: String,
    scope: String,
    label: String,
    buckets: String,
    found: String,
}

pub(crate) fn change_point(report: &Report, point: &ChangePoint) -> ChangePointView {
    let metric = report.metric(&point.metric);
    let show = |value| metric.map_or_else(String::new, |metric| format::metric(metric, value));
    ChangePointView {
        anchor: anchor(&point.id),
        at: report.words.date_time(&point.at),
        stage: point.stage.clone(),
        scope: point.scope.clone(),
        label: report.label(&point.metric),
        change: format!("{} → {}", show(point.before), show(point.after)),
        coincidences: point.coincidences.clone(),
    }
}

pub(crate) fn search(report: &Report, search: &ChangePointSearch) -> SearchView {
    SearchView {
        stage: search.stage.clone(),
        scope: search.scope.clone(),
        label: report.label(&search.metric),
        buckets: search.bucket_hours.map_or_else(
            || "–".into(),
            |hours| format!("{} of {}", format::count(search.buckets), format::counted(hours, "hour")),
        ),
        found: search
            .reason
            .clone()
            .map_or_else(|| format::counted(search.found, "shift"), |reason| format!("not searched: {reason}")),
    }
}
