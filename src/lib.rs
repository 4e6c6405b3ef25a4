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
pub mod digest;
pub mod error;
pub mod evidence;
pub mod figures;
pub mod files;
pub mod format;
pub mod growth;
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
pub mod shards;
pub mod simulate;
pub mod staging;
pub mod zone;

use config::Plan;
use cube::merge::Input;
use cube::opened::Opened;
use cube::{Cube, Events};
use error::{Error, Result};
use ingest::chunks;
use ingest::inputs::Inputs;
use ingest::timeline::Timeline;
use report::model::Report;
use run::Run;

/// The plan's logs and cubes -> the report, as of `generated_at` (RFC 3339).
///
/// # Errors
/// See [`cube_of`]; no line of the logs can be used; evidence that the plan names cannot be read.
pub fn report(plan: &Plan, generated_at: String, run: &Run) -> Result<Report> {
    let inputs = ingest::recognise::inputs(plan)?;
    let cube = cube_of(plan, &inputs, &[], run)?;
    usable(&inputs, &cube)?;
    report_of(plan, &cube, generated_at, run)
}

/// A report of nothing would be one that nobody should get.
///
/// # Errors
/// No line of the logs can be used, or a part of them is missing.
pub fn usable(inputs: &Inputs, cube: &Cube) -> Result<()> {
    cube.whole()?;
    if cube.has_uploads() { Ok(()) } else { Err(ingest::unusable::error(&inputs.logs, &cube.header.files)) }
}

/// What the cube, which is [`usable`], and the plan's evidence say.
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
/// See [`cube_of`].
pub fn cube(plan: &Plan, timeline_files: &[String], run: &Run) -> Result<Cube> {
    cube_of(plan, &ingest::recognise::inputs(plan)?, timeline_files, run)
}

/// As [`cube()`], of inputs that were resolved already: standard input is there only once.
///
/// # Errors
/// A file is missing, unreadable or no cube, or cubes do not fit each other or the plan.
pub fn cube_of(plan: &Plan, inputs: &Inputs, timeline_files: &[String], run: &Run) -> Result<Cube> {
    let open = |number: usize| {
        let (name, path) = &inputs.cubes[number];
        Ok(Input::Opened(Box::new(Opened::open(name, path, plan)?)))
    };
    let mut cubes = run.time("cubes", || chunks::side_by_side(inputs.cubes.len(), run, open))?;
    let beside = events_beside(plan, timeline_files, run)?;
    // The events of a cube hold for the logs beside it, too.
    let known = Timeline::of_plan(plan).union(&beside);
    let known = cubes.iter().fold(known, |timeline, cube| timeline.union(&cube.header().timeline));
    // Cubes alone need no fold, but for the events beside them.
    if cubes.is_empty() || !inputs.logs.is_empty() || !timeline_files.is_empty() {
        let folded = cube::fold(plan, &inputs.logs, Events::Of(known), run)?;
        cubes.push(run.time("tables", || folded.into_cube())?.into());
    }
    run.time("merge", || Cube::merge(cubes, plan))
}

/// The stage events of logs, lists of events, and cubes, that are searched for nothing else.
///
/// # Errors
/// A file is missing or unreadable, or none of them holds an event.
pub fn events_beside(plan: &Plan, files: &[String], run: &Run) -> Result<Timeline> {
    let Some(inputs) = ingest::inputs::resolve_beside(plan, files)? else { return Ok(Timeline::default()) };
    let of_logs = run.time("timeline", || ingest::timeline::collect_all(&inputs.logs, run))?;
    let headers = inputs.cubes.iter().map(|(name, path)| cube::opened::header(name, path));
    let all = headers.into_iter().try_fold(of_logs, |all, header| Ok(all.union(&header?.timeline)))?;
    // An empty list is what a search found that found nothing.
    let searched = inputs.cubes.is_empty() && inputs.logs.iter().all(|log| log.bytes == 0);
    if all.events().is_empty() && !searched {
        return Err(Error::new(format!("{}: no rollout_stage or rollback event", files.join(", ")))
            .help("--timeline wants the logs, a list of events (stagegate timeline LOGS) or a cube that hold them"));
    }
    Ok(all)
}
