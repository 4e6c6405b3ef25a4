//! stagegate: the metrics log of a staged rollout -> a final report that claims only what was
//! measured. The pipeline in one screen; ARCHITECTURE.md has the map.

pub mod analysis;
pub mod browser;
pub mod bundle;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod console;
pub mod cube;
pub mod daily;
#[cfg(test)]
mod damage;
pub mod error;
pub mod evidence;
pub mod figures;
pub mod files;
pub mod format;
pub mod ingest;
pub mod metric;
pub mod output;
pub mod packing;
pub mod pdf;
pub mod propose;
mod quiet;
pub mod render;
pub mod report;
pub mod reports;
pub mod run;
pub mod schema;
pub mod simulate;
pub mod staging;

use config::Plan;
use cube::Cube;
use error::Result;
use ingest::source::Inputs;
use ingest::timeline::Timeline;
use rayon::prelude::*;
use report::model::Report;
use run::Run;

/// The plan's logs and cubes -> the report, as of `generated_at` (RFC 3339).
///
/// # Errors
/// See [`cube()`]; no line of the logs can be used; evidence that the plan names cannot be read.
pub fn report(plan: &Plan, generated_at: String, run: &Run) -> Result<Report> {
    let inputs = ingest::recognise::inputs(plan)?;
    let cube = cube_of(plan, &inputs, &[], run)?;
    usable(&inputs, &cube)?;
    report_of(plan, &cube, generated_at, run)
}

/// A report of nothing would be one that nobody should get.
///
/// # Errors
/// No line of the logs can be used.
pub fn usable(inputs: &Inputs, cube: &Cube) -> Result<()> {
    if cube.has_uploads() { Ok(()) } else { Err(ingest::unusable::error(&inputs.logs, &cube.header.files)) }
}

/// What the cube and the plan's evidence say.
///
/// # Errors
/// The cube is damaged; evidence that the plan names cannot be read.
pub fn report_of(plan: &Plan, cube: &Cube, generated_at: String, run: &Run) -> Result<Report> {
    let evidence = evidence::read(plan)?;
    run.time("analysis", || analysis::report(plan, cube, &evidence, generated_at))
}

/// The plan's logs and cubes -> one cube.
///
/// # Errors
/// A file is missing, unreadable or no cube, or cubes do not fit each other or the plan.
pub fn cube(plan: &Plan, timeline_files: &[String], run: &Run) -> Result<Cube> {
    cube_of(plan, &ingest::recognise::inputs(plan)?, timeline_files, run)
}

/// As [`cube()`], of inputs that were resolved already: standard input is there only once.
///
/// # Errors
/// See [`cube()`].
pub fn cube_of(plan: &Plan, inputs: &Inputs, timeline_files: &[String], run: &Run) -> Result<Cube> {
    let beside = ingest::source::resolve_beside(plan, timeline_files)?;
    let mut cubes = run.time("cubes", || {
        let cubes = inputs.cubes.par_iter();
        let read: Vec<_> = cubes.map(|(name, path)| cube::store::read(name, path, plan)).collect();
        // Of several errors the first is told, whichever came first.
        read.into_iter().collect::<Result<Vec<Cube>>>()
    })?;
    let beside = run.time("timeline", || ingest::timeline::collect_all(&beside, run))?;
    // The events of a cube hold for the logs beside it, too.
    let known = Timeline::of_plan(plan).union(&beside);
    let known = cubes.iter().fold(known, |timeline, cube| timeline.union(&cube.header.timeline));
    // Cubes alone need no fold, but for the events beside them.
    if cubes.is_empty() || !inputs.logs.is_empty() || !timeline_files.is_empty() {
        let folded = cube::fold(plan, &inputs.logs, known, run)?;
        cubes.push(run.time("tables", || folded.into_cube())?);
    }
    run.time("merge", || Cube::merge(cubes, plan))
}
