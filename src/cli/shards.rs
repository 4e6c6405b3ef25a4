//! Cubes, and the fold of one log by many processes.

use std::path::PathBuf;

use clap::Args;

use super::input::InputArguments;

#[derive(Debug, Args)]
pub struct CubeArguments {
    #[command(flatten)]
    pub input: InputArguments,
    /// Folder that the cube is written to; NAME.tar is one file, - is standard output.
    #[arg(short, long, value_name = "FOLDER")]
    pub output: PathBuf,
    /// What else knows rollout_stage and rollback events: logs, lists of events (stagegate timeline), cubes.
    #[arg(long, value_name = "FILES", num_args = 1.., conflicts_with = "plan")]
    pub timeline: Vec<String>,
    #[command(flatten)]
    pub shard: ShardArguments,
    /// Fold the lines of one log that begin in these bytes, such as 0-1073741824.
    #[arg(long, value_name = "START-END", value_parser = range, conflicts_with_all = ["plan", "stream_name", "stream_bytes"])]
    pub range: Option<std::ops::Range<u64>>,
    /// What the log from standard input is called.
    #[arg(long = "name", value_name = "NAME", conflicts_with = "plan")]
    pub stream_name: Option<String>,
    /// How many bytes standard input must bring: a stream that ends early is an error.
    #[arg(long = "bytes", value_name = "BYTES", conflicts_with = "plan")]
    pub stream_bytes: Option<u64>,
}

/// One fold by many processes.
#[derive(Debug, Args)]
pub struct ShardArguments {
    /// The plan of a fold (stagegate plan): fold a part of it, or merge the cubes of all.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["config", "keep"])]
    pub plan: Option<PathBuf>,
    /// The part to fold, by its number from 0; auto takes it from JOB_COMPLETION_INDEX, AWS_BATCH_JOB_ARRAY_INDEX,
    /// SLURM_ARRAY_TASK_ID or NOMAD_ALLOC_INDEX.
    #[arg(long, value_name = "NUMBER|auto", requires = "plan")]
    pub part: Option<Index>,
    /// The parts to fold: of N jobs the I-th, from 0, folds all whose number leaves I when divided by N; I may be auto.
    #[arg(long, value_name = "I/N", value_parser = shard, requires = "plan", conflicts_with = "part")]
    pub shard: Option<(Index, usize)>,
    /// Folder that the paths of the plan are relative to [default: the working directory].
    #[arg(long, value_name = "FOLDER", requires = "plan")]
    pub root: Option<PathBuf>,
}

/// A number, or that of this job in its array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Index {
    Number(usize),
    Auto,
}

impl std::str::FromStr for Index {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        text.parse().map(Self::Number).map_err(|_| format!("{text:?} is no number from 0, and not auto"))
    }
}

fn shard(text: &str) -> Result<(Index, usize), String> {
    let (index, of) = text.split_once('/').ok_or("write I/N, such as 3/16")?;
    let of = of.parse().ok().filter(|of| *of > 0).ok_or_else(|| format!("{of:?} is no number of jobs"))?;
    match index.parse()? {
        Index::Number(index) if index >= of => {
            Err(format!("of {of} jobs none has the number {index}: they count from 0"))
        }
        index => Ok((index, of)),
    }
}

fn range(text: &str) -> Result<std::ops::Range<u64>, String> {
    let ends = text.split_once('-').and_then(|(start, end)| Some((start.parse().ok()?, end.parse().ok()?)));
    match ends {
        Some((start, end)) if start < end => Ok(start..end),
        Some(_) => Err("the range is empty".into()),
        None => Err("write the first byte and the one behind the last, such as 0-1073741824".into()),
    }
}

/// A number of bytes, such as 1GB or 256MiB.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        other => return Err(format!("{other:?} is no unit: B, kB, MB, GB, KiB, MiB or GiB")),
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| "write a number of bytes, such as 1GB".into())
}

#[derive(Debug, Args)]
pub struct PlanArguments {
    #[command(flatten)]
    pub input: InputArguments,
    /// File that the plan is written to; - is standard output.
    #[arg(short, long, default_value = "-", value_name = "FILE")]
    pub output: PathBuf,
    /// About how large a part is.
    #[arg(long, default_value = "1GB", value_name = "SIZE", value_parser = size)]
    pub split: u64,
    /// What knows all rollout_stage and rollback events: logs, lists of events (stagegate timeline), cubes; then the logs
    /// are not searched for them.
    #[arg(long, value_name = "FILES", num_args = 1..)]
    pub timeline: Vec<String>,
    /// Logs that this machine cannot read, one JSON object a line: {"name": "s3://bucket/a.jsonl", "bytes": 1024}.
    #[arg(long, value_name = "FILE")]
    pub listing: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct TimelineArguments {
    #[command(flatten)]
    pub input: InputArguments,
    #[command(flatten)]
    pub shard: ShardArguments,
}
