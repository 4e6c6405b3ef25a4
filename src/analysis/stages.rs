//! What was measured in each stage and arm?

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::figure::figure;
use super::group::{GroupData, StageData};
use super::split;
use crate::config::Plan;
use crate::cube::Cube;
use crate::cube::slice::Arm;
use crate::error::Result;
use crate::format::rfc3339_minute;
use crate::report::model::{Group, Groups, Stage, StageState};
use crate::schema::record::MEMORY;

/// Asks the cube for every group.
///
/// # Errors
/// The cube is damaged.
pub(super) fn gather(plan: &Plan, cube: &Cube) -> Result<Vec<StageData>> {
    (0..plan.stages.len()).into_par_iter().map(|stage| StageData::new(plan, cube, stage)).collect()
}

/// The stages of the report.
///
/// # Errors
/// The cube is damaged.
pub(super) fn stages(plan: &Plan, cube: &Cube, data: &[StageData]) -> Result<Vec<Stage>> {
    let figures = data.par_iter().map(|stage| Arm::ALL.map(|arm| group(plan, cube, stage.arm(arm))));
    let figures: Vec<[Result<Group>; 4]> = figures.collect();
    let mut stages = Vec::new();
    for ((stage, data), [all, treated, control, per_protocol]) in plan.stages.iter().zip(data).zip(figures) {
        let minutes = &data.minutes_with_uploads;
        stages.push(Stage {
            name: stage.name.clone(),
            percentage: stage.percentage,
            from: minutes.first().map(|minute| rfc3339_minute(*minute)),
            to: minutes.last().map(|minute| rfc3339_minute(minute + 1)),
            state: StageState::default(),
            groups: Groups { all: all?, treated: treated?, control: control?, per_protocol: per_protocol? },
            split: split::check(stage.percentage, data),
        });
    }
    Ok(stages)
}

fn group(plan: &Plan, cube: &Cube, data: &GroupData) -> Result<Group> {
    let prefix = format!("stages.{}.{}", plan.stages[data.stage].name, data.arm.name());
    let measured = plan.metrics.par_iter().map(|metric| {
        let id = format!("{prefix}.{}", metric.id);
        (metric.id.clone(), figure(data, metric.estimator, &plan.analysis, &id))
    });
    let mut figures = BTreeMap::new();
    let mut not_measured = BTreeMap::new();
    for (id, figure) in measured.collect::<Vec<_>>() {
        if let Err(reason) = &figure {
            not_measured.insert(id.clone(), reason.clone());
        }
        figures.insert(id, figure.ok());
    }
    Ok(Group {
        n: data.uploads(),
        busy_seconds: data.busy_seconds(),
        errors: cube.errors(data.stage, data.arm)?,
        not_measured,
        memory_source: data.measures[MEMORY].as_ref().map(|memory| memory.source),
        figures,
    })
}
