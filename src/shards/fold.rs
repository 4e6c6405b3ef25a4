//! Parts of a plan -> a cube.

use std::io;
use std::path::Path;

use super::plan::{PlannedFile, PlannedRange, ReadAs, ShardPlan};
use super::split::edges;
use crate::config::Plan;
use crate::cube::{self, Cube, Events, PartsOfPlan};
use crate::error::{Error, Position, Result};
use crate::ingest::feed::Feed;
use crate::ingest::parts;
use crate::ingest::ranged::Ranged;
use crate::ingest::source::{self, Source};
use crate::run::Run;

/// What the parts numbered `numbers` read: files below `root`, or, where `fed`, standard input, which brings the one file
/// or range of a part.
///
/// # Errors
/// A file is not there, or not the one that was planned; a part cannot be fed.
pub fn sources(
    shards: &ShardPlan,
    rollout: &Plan,
    numbers: &[usize],
    (root, fed): (&Path, bool),
) -> Result<Vec<Source>> {
    shards.parts_of(numbers)?;
    let ranges: Vec<PlannedRange> = numbers.iter().flat_map(|number| &shards.parts[*number]).copied().collect();
    if fed && ranges.len() != 1 {
        return Err(Error::new(format!("standard input brings one file or range, not {}", ranges.len()))
            .help("give one part that reads one file; parts of several files read them by their paths"));
    }
    let open = |range: &PlannedRange| {
        let file = &shards.files[range.0];
        let fail = |error: io::Error| Error::new(format!("cannot read: {error}")).at(Position::file(&file.name));
        let of_range = range.1..range.2;
        let treatment = (file.stage, mapping(file, rollout)?);
        if fed {
            let begins = Ranged::<io::Empty>::begins(&of_range);
            let feed = Feed::open(Box::new(io::stdin()), Some(file.bytes), begins).map_err(fail)?;
            return source::fed(file.name.clone(), file.bytes, of_range, treatment, feed);
        }
        let path = ShardPlan::place(file, root);
        let changed = |message: String| {
            Error::new(message).at(Position::file(path.display().to_string())).help("plan again with `stagegate plan`")
        };
        let length = path.metadata().map_err(fail)?.len();
        if length < file.bytes {
            return Err(changed(format!("has {length} bytes, where the plan has {}", file.bytes)));
        }
        if let Some(planned) = &file.edges
            && edges(&path, file.bytes).map_err(fail)? != *planned
        {
            return Err(changed("is not the file that was planned: its first or last bytes are others".into()));
        }
        source::planned(file.name.clone(), path, file.bytes, of_range, treatment)
    };
    ranges.iter().map(open).collect()
}

/// What reads a file.
fn mapping(file: &PlannedFile, rollout: &Plan) -> Result<Option<std::sync::Arc<crate::schema::mapping::Mapping>>> {
    let found = match &file.reads {
        ReadAs::Native => return Ok(None),
        ReadAs::Source(number) => rollout.sources.get(*number).map(|source| &source.mapping),
        ReadAs::Preset(name) => rollout.presets.get(name.as_str()),
    };
    let mapping = found.ok_or_else(|| Error::new("the plan reads it by a source that its config does not have"));
    Ok(Some(std::sync::Arc::clone(mapping.map_err(|error| error.at(Position::file(&file.name)))?)))
}

/// The cube of the parts numbered `numbers`, which [`sources`] opened.
///
/// # Errors
/// The plan does not know the stage events; a file cannot be read.
pub fn fold(shards: &ShardPlan, rollout: &Plan, numbers: &[usize], sources: &[Source], run: &Run) -> Result<Cube> {
    let timeline = shards.timeline.clone().ok_or_else(|| {
        Error::new("the plan does not know the stage events of its files, which place their records").help(
            "search them with `stagegate timeline --plan PLAN --part NUMBER`, part by part, and plan again with --timeline",
        )
    })?;
    let folded = cube::fold(rollout, sources, Events::All(timeline), run)?;
    let mut cube = run.time("tables", || folded.into_cube())?;
    cube.header.files = parts::join(cube.header.files)?;
    let mut parts = numbers.to_vec();
    parts.sort_unstable();
    cube.header.plans = vec![PartsOfPlan { id: shards.id.clone(), of: shards.parts.len(), parts }];
    Ok(cube)
}
