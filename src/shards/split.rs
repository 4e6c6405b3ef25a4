//! Files -> a plan: large ones in ranges, small ones together.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use serde::Deserialize;

use super::plan::{Config, FORMAT, PlannedFile, PlannedRange, ReadAs, ShardPlan, VERSION};
use crate::config::{self, Plan};
use crate::cube::this_program;
use crate::error::{Error, Position, Result};
use crate::files;
use crate::ingest::inputs;
use crate::ingest::source::Source;
use crate::ingest::timeline::Timeline;
use crate::packing::{Compression, PACKED_TIMES};
use crate::schema::mapping::Form;

/// Bytes at either end of a file that it is known by.
const EDGE_BYTES: u64 = 4096;
/// Parts of a plan, at most.
const MOST_PARTS: u64 = 1_000_000;
/// Largest listing that is read, in bytes.
const MAX_LISTING_BYTES: u64 = 1 << 30;

/// A file that lies where only others can read it: in an object store.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    pub name: String,
    pub bytes: u64,
}

/// The files that a listing names, one JSON object a line: `{"name": "s3://bucket/a.jsonl", "bytes": 1024}`.
///
/// # Errors
/// The listing cannot be read, or a line of it.
pub fn listing(path: &Path) -> Result<Vec<Listed>> {
    let name = path.display().to_string();
    let text = files::read_text(path, &name, MAX_LISTING_BYTES)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let read = lines.map(|(number, line)| {
        serde_json::from_str(line).map_err(|error| {
            Error::new(format!("not a line of a listing: {error}"))
                .at(Position::at(&*name, number as u64 + 1, error.column() as u64))
                .help("write {\"name\": \"s3://bucket/a.jsonl\", \"bytes\": 1024}, one file a line")
        })
    });
    read.collect()
}

/// A file, and whether it can be read in ranges.
type Found = (PlannedFile, bool);

/// Makes a plan of files that lie here (`sources`) and elsewhere (`listed`): parts of about `split` bytes.
///
/// # Errors
/// A file cannot be read, or stands there twice; more parts than a plan has.
pub fn make(
    plan: &Plan,
    (sources, listed): (&[Source], &[Listed]),
    timeline: Option<Timeline>,
    (keep, split): (&[String], u64),
) -> Result<ShardPlan> {
    let name = plan.file.as_ref().map(|file| file.display().to_string());
    let config = name.zip(config::text_of(plan)?).map(|(name, text)| Config { name, text });
    let here = sources.iter().map(|source| planned(source, plan));
    let elsewhere = listed.iter().map(|listed| Ok(listed_file(listed, plan)));
    let mut found = here.chain(elsewhere).collect::<Result<Vec<Found>>>()?;
    found.sort_by(|a, b| a.0.name.cmp(&b.0.name));
    if let Some(pair) = found.windows(2).find(|pair| pair[0].0.name == pair[1].0.name) {
        return Err(Error::new("stands in the plan twice").at(Position::file(&pair[0].0.name)));
    }
    let parts = parts(&found, split)?;
    let files = found.into_iter().map(|(file, _)| file).collect();
    ShardPlan {
        format: FORMAT.into(),
        version: VERSION,
        id: String::new(),
        made_by: this_program(),
        config,
        keep: keep.to_vec(),
        timeline,
        files,
        parts,
    }
    .identified()
}

fn planned(source: &Source, plan: &Plan) -> Result<Found> {
    let fail = |error: io::Error| Error::new(format!("cannot read: {error}")).at(Position::file(&source.name));
    // What a quoted newline is depends on all that stands before it.
    let of_lines = source.mapping.as_ref().is_none_or(|mapping| !matches!(mapping.form, Form::Csv { .. }));
    let file = PlannedFile {
        name: source.name.clone(),
        path: source.path.to_string_lossy().into_owned(),
        bytes: source.bytes,
        reads: ReadAs::of(source, plan),
        stage: source.stage,
        edges: Some(edges(&source.path, source.bytes).map_err(fail)?),
    };
    Ok((file, source.packing.is_plain() && of_lines))
}

/// What its name and the config tell of it.
fn listed_file(listed: &Listed, plan: &Plan) -> Found {
    let Listed { name, bytes } = listed;
    let (stage, mapping) = inputs::treatment_by_name(name, plan);
    let number = mapping
        .as_ref()
        .and_then(|mapping| plan.sources.iter().position(|source| std::sync::Arc::ptr_eq(&source.mapping, mapping)));
    let of_lines = mapping.as_ref().is_none_or(|mapping| !matches!(mapping.form, Form::Csv { .. }));
    let is_plain = Compression::named(Path::new(name)) == Compression::None;
    let reads = number.map_or(ReadAs::Native, ReadAs::Source);
    let file = PlannedFile { name: name.clone(), path: name.clone(), bytes: *bytes, reads, stage, edges: None };
    (file, of_lines && is_plain)
}

/// BLAKE3 of the first and of the last bytes of a file that has so many.
///
/// # Errors
/// It cannot be read, or is shorter.
pub(super) fn edges(path: &Path, bytes: u64) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = blake3::Hasher::new();
    let mut edge = vec![0; usize::try_from(bytes.min(EDGE_BYTES)).unwrap_or_default()];
    for from in [0, bytes.saturating_sub(EDGE_BYTES)] {
        file.seek(SeekFrom::Start(from))?;
        file.read_exact(&mut edge)?;
        hasher.update(&edge);
    }
    Ok(hasher.finalize().to_string())
}

fn parts(found: &[Found], split: u64) -> Result<Vec<Vec<PlannedRange>>> {
    let mut parts = Vec::new();
    let (mut together, mut held) = (Vec::new(), 0);
    let count: u64 = found.iter().map(|(file, splits)| if *splits { file.bytes.div_ceil(split) } else { 1 }).sum();
    if count > MOST_PARTS {
        return Err(Error::new(format!("{count} parts, more than {MOST_PARTS}")).help("make them larger: --split 10GB"));
    }
    for (number, (file, splits)) in found.iter().enumerate() {
        let cost = if *splits { file.bytes } else { file.bytes.saturating_mul(PACKED_TIMES) };
        if *splits && file.bytes > split {
            let ranges = file.bytes.div_ceil(split);
            // No product of two lengths: a listing may tell any.
            let at = |range: u64| file.bytes / ranges * range + (file.bytes % ranges) * range / ranges;
            parts.extend((0..ranges).map(|range| vec![PlannedRange(number, at(range), at(range + 1))]));
            continue;
        }
        // Of what lies elsewhere a process is fed one file.
        let alone = file.edges.is_none();
        if !together.is_empty() && (held + cost > split || alone) {
            parts.push(std::mem::take(&mut together));
            held = 0;
        }
        together.push(PlannedRange(number, 0, file.bytes));
        held += cost;
        if alone {
            parts.push(std::mem::take(&mut together));
            held = 0;
        }
    }
    parts.extend((!together.is_empty()).then_some(together));
    Ok(parts)
}
