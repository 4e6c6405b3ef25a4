//! stagegate: the metrics log of a staged rollout -> a final report that claims only what was
//! measured. The pipeline in one screen; ARCHITECTURE.md has the map.

pub mod analysis;
pub mod cli;
pub mod clock;
pub mod config;
pub mod cube;
pub mod error;
pub mod evidence;
pub mod format;
pub mod ingest;
pub mod metric;
pub mod output;
pub mod phases;
pub mod render;
pub mod report;
pub mod simulate;
pub mod stats;

use config::Plan;
use cube::Cube;
use error::Result;
use phases::Phases;
use report::model::Report;

/// The plan's logs and cubes -> one cube.
///
/// # Errors
/// A file is missing, unreadable or no cube, or cubes do not fit each other or the plan.
pub fn cube(plan: &Plan, timeline_files: &[String], phases: &Phases) -> Result<Cube> {
    let inputs = ingest::source::resolve(plan)?;
    let beside = ingest::source::resolve_beside(plan, timeline_files)?;
    let cubes = phases.time("cubes", || {
        let cubes = inputs.cubes.iter();
        cubes.map(|(name, path)| cube::store::read(name, path, plan)).collect::<Result<Vec<Cube>>>()
    })?;
    let timeline = phases.time("timeline", || {
        let own = ingest::timeline::collect(&inputs.logs, phases)?;
        let beside = ingest::timeline::collect(&beside, phases)?;
        // The events of a cube hold for the logs beside it, too.
        Ok(cubes.iter().fold(own.union(&beside), |timeline, cube| timeline.union(&cube.header.timeline)))
    })?;
    let folded = phases.time("read", || cube::fold(plan, &inputs.logs, &timeline, phases))?;
    phases.time("cube", || {
        // Without a log the folded part is empty and merges with anything.
        cubes.into_iter().try_fold(folded.into_cube()?, |whole, cube| whole.merge(cube, plan))
    })
}

/// The plan's logs and cubes -> the report, as of `generated_at` (RFC 3339).
///
/// # Errors
/// See [`cube`].
pub fn report(plan: &Plan, generated_at: String, phases: &Phases) -> Result<Report> {
    let cube = cube(plan, &[], phases)?;
    let evidence = evidence::read(plan)?;
    let findings = phases.time("analysis", || analysis::run(plan, &cube, &evidence))?;
    Ok(report::assemble(plan, findings, generated_at))
}
