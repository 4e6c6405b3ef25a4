//! The cube -> the sections of the report, one question per file. No file is read and no text
//! is laid out here.

mod criteria;
mod figure;
mod group;
mod improvements;
mod quality;
mod ratio;
mod series;
mod split;
mod stages;

use crate::config::Plan;
use crate::cube::Cube;
use crate::error::Result;
use crate::format::rfc3339;
use crate::report::model::{Criterion, DataQuality, Event, Improvement, Input, Series, Stage};

/// Events that the report lists: the first ones.
const EVENTS_LISTED: usize = 500;

/// What the analysis found.
pub struct Findings {
    pub simulated: Option<String>,
    pub inputs: Vec<Input>,
    pub data_quality: DataQuality,
    pub stages: Vec<Stage>,
    pub improvements: Vec<Improvement>,
    pub criteria: Vec<Criterion>,
    pub events: Vec<Event>,
    pub series: Series,
}

/// Answers every question.
///
/// # Errors
/// The cube is damaged.
pub fn run(plan: &Plan, cube: &Cube) -> Result<Findings> {
    let data = stages::gather(plan, cube)?;
    let stages = stages::stages(plan, cube, &data)?;
    let logged = cube.events()?;
    let simulated = logged.iter().find(|event| event.event_type == "simulation").map(|event| event.text.clone());
    let listed = logged.into_iter().take(EVENTS_LISTED);
    Ok(Findings {
        simulated,
        inputs: quality::inputs(cube),
        data_quality: quality::quality(plan, cube, &data, &stages),
        improvements: improvements::improvements(plan, &data),
        criteria: criteria::criteria(plan, &data),
        events: listed
            .map(|event| Event { at: rfc3339(event.at), event_type: event.event_type, text: event.text })
            .collect(),
        series: series::series(plan, &data),
        stages,
    })
}
