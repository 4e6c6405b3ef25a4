//! The stages as a strip: how far the rollout is, and how each stage went.

use chrono::DateTime;
use serde::Serialize;

use super::super::anchors::anchor;
use super::super::marks::{self, Mark};
use crate::format;
use crate::report::model::{DecisionValue, Group, Report, Stage, StageState, Status};

/// Stages that the strip shows: the first, and the last ones.
const MOST_STAGES: usize = 8;
const SECONDS_OF_A_DAY: f64 = 86_400.0;

#[derive(Serialize)]
pub(crate) struct StripView {
    anchor: String,
    name: String,
    /// How it stands against its criteria; `None` for the baseline.
    status: Option<Mark>,
    /// `5 days, running`
    time: String,
    counts: String,
    /// Stages left out before this one.
    left_out: Option<String>,
}

pub(crate) fn strip(report: &Report) -> Vec<StripView> {
    let stages = &report.stages;
    let left_out = stages.len().saturating_sub(MOST_STAGES);
    let shown = stages.iter().enumerate().filter(|(index, _)| *index == 0 || *index > left_out);
    shown
        .map(|(index, stage)| {
            let after_gap = left_out > 0 && index == left_out + 1;
            StripView {
                left_out: after_gap.then(|| format::counted(left_out as u64, "stage")),
                ..of_stage(report, stage)
            }
        })
        .collect()
}

fn of_stage(report: &Report, stage: &Stage) -> StripView {
    let words = &report.words;
    let treated = &stage.groups.treated;
    let failed = |group: &Group| format!(", {} failed", format::count(group.errors.values().sum()));
    let is_treated = stage.percentage > 0.0;
    let counts = match (is_treated, treated.n) {
        (_, _) if stage.groups.all.n == 0 => "no traffic yet".to_owned(),
        (true, n) => format!("{} {}{}", format::count(n), words.treated, failed(treated)),
        (false, _) => format!("{}{}", words.counted(stage.groups.all.n), failed(&stage.groups.all)),
    };
    let running = stage.state == StageState::Running && is_treated;
    let time = match (length(stage), running) {
        (Some(length), true) => format!("{length}, running"),
        (Some(length), false) => length,
        (None, _) => "not begun".into(),
    };
    StripView {
        anchor: anchor(&format!("stages.{}", stage.name)),
        name: stage.name.clone(),
        status: is_treated.then(|| status(report, stage)).flatten(),
        time,
        counts,
        left_out: None,
    }
}

/// From its first record to its last: `5 days`, below a day and a half in hours.
fn length(stage: &Stage) -> Option<String> {
    let at = |text: &Option<String>| DateTime::parse_from_rfc3339(text.as_deref()?).ok();
    let seconds = (at(&stage.to)? - at(&stage.from)?).num_seconds() as f64;
    if seconds < 1.5 * SECONDS_OF_A_DAY {
        return Some(format::seconds((seconds / 3600.0).ceil() * 3600.0));
    }
    Some(format::counted((seconds / SECONDS_OF_A_DAY).round() as u64, "day"))
}

/// What its criteria mean for the decision, the worst first; a stage without a criterion has none.
fn status(report: &Report, stage: &Stage) -> Option<Mark> {
    let of_stage = || report.criteria.iter().filter(|criterion| criterion.stage == stage.name && !criterion.trial);
    let standing = of_stage().filter_map(|criterion| criterion.standing.as_ref()?.level).max();
    let all_met = of_stage().all(|criterion| criterion.status == Status::Met);
    let status = match standing {
        _ if of_stage().next().is_none() || stage.groups.all.n == 0 => return None,
        Some(DecisionValue::NoGo | DecisionValue::Rollback) => Status::NotMet,
        Some(_) => Status::Open,
        None if all_met => Status::Met,
        // What is open and decides nothing was settled by what came after, or is yet to come.
        None if stage.state == StageState::Running => Status::Open,
        None => Status::Met,
    };
    Some(marks::status(status))
}
