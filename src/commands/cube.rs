//! `stagegate cube`: logs -> a cube; cubes -> the cube of all.

use std::io;
use std::path::Path;

use super::session::{Session, load};
use super::shard;
use crate::cli::CubeArguments;
use crate::config::Stream;
use crate::console;
use crate::cube::{Cube, PartsOfPlan, store};
use crate::error::{Error, Position, Result};
use crate::ingest::{parts, recognise, source};
use crate::shards::ShardPlan;

pub(super) fn run(session: &Session, arguments: &CubeArguments) -> Result<u8> {
    let CubeArguments { input, output, shard, .. } = arguments;
    if let Some(asked) = shard::asked(shard, &input.files)? {
        if asked.is_there(output) {
            session.console.note(&format!("{} is there already", output.display()))?;
            return Ok(0);
        }
        let cube = session.with_progress(|| asked.fold(&session.run))?;
        return write(session, cube, output);
    }
    let cube = match &shard.plan {
        Some(path) => merged(session, &ShardPlan::read(path)?, path, &input.files)?,
        None => folded(session, arguments)?,
    };
    if cube.header.made_by.len() > 1 {
        console::warn(&format!("the parts were made by {}: make all by one", cube.header.made_by.join(" and ")))?;
    }
    write(session, cube, output)
}

fn folded(session: &Session, arguments: &CubeArguments) -> Result<Cube> {
    let CubeArguments { input, timeline, range, stream_name, stream_bytes, .. } = arguments;
    let mut plan = load(input)?;
    let alone = plan.input.files == ["-"];
    if !alone && (stream_name.is_some() || stream_bytes.is_some()) {
        return Err(
            Error::new("--name and --bytes are of standard input, and of it alone").help("give - as the only file")
        );
    }
    // Where the events are told, or stand before what they place, one reading is enough.
    plan.stream = Stream { name: stream_name.clone(), bytes: *stream_bytes, once: alone && !timeline.is_empty() };
    if alone && stream_bytes.is_some() {
        plan.stream.once = true;
    }
    let cube = session.with_progress(|| {
        let mut inputs = recognise::inputs(&plan)?;
        if let Some(range) = range {
            if inputs.logs.len() != 1 || !inputs.cubes.is_empty() {
                return Err(Error::new("--range is of one log").help("give one; stagegate plan cuts many"));
            }
            let log = inputs.logs.remove(0);
            inputs.logs.push(source::in_range(log, range.clone())?);
        }
        crate::cube_of(&plan, &inputs, timeline, &session.run)
    })?;
    if let Err(error) = cube.whole() {
        session.console.note(&error.to_string())?;
    }
    Ok(cube)
}

/// The cube of all parts of a plan.
fn merged(session: &Session, shards: &ShardPlan, path: &Path, files: &[String]) -> Result<Cube> {
    let mut rollout = shards.rollout()?;
    if files.is_empty() {
        return Err(Error::new("no cube is given")
            .help("give --part NUMBER to fold one, or the cubes of all parts to merge them"));
    }
    rollout.input.files = files.to_vec();
    rollout.files_from_command_line = true;
    let cube = session.with_progress(|| {
        let inputs = recognise::inputs(&rollout)?;
        if let Some(log) = inputs.logs.first() {
            return Err(Error::new("is a log: a plan's parts are merged as cubes").at(Position::file(&log.name)));
        }
        for (name, path) in &inputs.cubes {
            let plans = crate::cube::opened::header(name, path)?.plans;
            if !plans.iter().any(|plan| plan.id == shards.id) || plans.len() > 1 {
                return Err(Error::new("is not a part of this plan: it was folded by another, or by none")
                    .at(Position::file(name))
                    .help("fold it again by this plan, or leave it out"));
            }
        }
        crate::cube_of(&rollout, &inputs, &[], &session.run)
    })?;
    if let Some(missing) = cube.header.plans.iter().find_map(PartsOfPlan::missing) {
        return Err(Error::new(format!("{missing} not among the inputs"))
            .at(Position::file(path.display().to_string()))
            .help("fold what is missing: stagegate cube --plan PLAN --part NUMBER"));
    }
    parts::whole(&cube.header.files)?;
    Ok(cube)
}

fn write(session: &Session, mut cube: Cube, output: &Path) -> Result<u8> {
    if output == Path::new("-") {
        let mut file = session.run.time("write", || store::packed(&mut cube))?;
        console::print_with(|out| io::copy(&mut file, out).map(drop))?;
        return Ok(0);
    }
    session.run.time("write", || store::write(&mut cube, output))?;
    session.console.tell(&format!("wrote {}\n", output.display()))?;
    Ok(0)
}
