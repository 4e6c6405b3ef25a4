//! Which parts of which plan a command is asked for.

use std::path::{Path, PathBuf};

use crate::cli::{Index, ShardArguments};
use crate::config::Plan;
use crate::cube::Cube;
use crate::error::{Error, Result};
use crate::ingest::source::Source;
use crate::run::Run;
use crate::shards::{self, ShardPlan};

/// Where systems that run arrays of jobs tell a job its number.
const INDEX_VARIABLES: [&str; 4] =
    ["JOB_COMPLETION_INDEX", "AWS_BATCH_JOB_ARRAY_INDEX", "SLURM_ARRAY_TASK_ID", "NOMAD_ALLOC_INDEX"];

/// Parts of a plan.
pub(super) struct Asked {
    pub plan: ShardPlan,
    pub rollout: Plan,
    /// Rising.
    pub numbers: Vec<usize>,
    root: PathBuf,
    /// Whether standard input brings what is read.
    fed: bool,
}

/// The parts that are asked for; `None` where no part is.
///
/// # Errors
/// The plan cannot be read, or has no such part; files are given that the plan names.
pub(super) fn asked(arguments: &ShardArguments, files: &[String]) -> Result<Option<Asked>> {
    let Some(path) = &arguments.plan else { return Ok(None) };
    if arguments.part.is_none() && arguments.shard.is_none() {
        return Ok(None);
    }
    let fed = files == ["-"];
    if !files.is_empty() && !fed {
        return Err(Error::new("a part reads the files that its plan names")
            .help("leave the files out; - is the one file, or the range of one, from standard input"));
    }
    let plan = ShardPlan::read(path)?;
    let numbers = match (arguments.part, arguments.shard) {
        (Some(part), _) => vec![number(part)?],
        (None, Some((index, of))) => {
            let index = number(index)?;
            if index >= of {
                return Err(Error::new(format!("of {of} jobs none has the number {index}: they count from 0")));
            }
            (index..plan.parts.len()).step_by(of).collect()
        }
        (None, None) => Vec::new(),
    };
    plan.parts_of(&numbers)?;
    let rollout = plan.rollout()?;
    let root = arguments.root.clone().unwrap_or_default();
    Ok(Some(Asked { plan, rollout, numbers, root, fed }))
}

fn number(index: Index) -> Result<usize> {
    let told = match index {
        Index::Number(number) => return Ok(number),
        Index::Auto => INDEX_VARIABLES.into_iter().find_map(|name| Some((name, std::env::var(name).ok()?))),
    };
    let (name, text) = told.ok_or_else(|| {
        Error::new(format!("auto: none of {} is set", INDEX_VARIABLES.join(", "))).help("give the number itself")
    })?;
    text.trim().parse().map_err(|_| Error::new(format!("{name} is {text:?}, which is no number from 0")))
}

impl Asked {
    /// What the parts read.
    ///
    /// # Errors
    /// A file is not there, or not the one that was planned.
    pub(super) fn sources(&self) -> Result<Vec<Source>> {
        shards::sources(&self.plan, &self.rollout, &self.numbers, (&self.root, self.fed))
    }

    /// The cube of the parts.
    ///
    /// # Errors
    /// See [`shards::fold`].
    pub(super) fn fold(&self, run: &Run) -> Result<Cube> {
        shards::fold(&self.plan, &self.rollout, &self.numbers, &self.sources()?, run)
    }

    /// Whether the cube at a path is that of these parts: then another try of the job has made it.
    pub(super) fn is_there(&self, path: &Path) -> bool {
        let Ok(header) = crate::cube::opened::header("", path) else { return false };
        matches!(header.plans.as_slice(), [only] if only.id == self.plan.id && only.parts == self.numbers)
    }
}
