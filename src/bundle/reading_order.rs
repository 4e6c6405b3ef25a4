//! Which files of a bundle are packed for a model's context, and in which order.

use std::collections::HashSet;
use std::path::Path;

use super::content::Options;
use super::context::{self, Limits, Part};
use super::manifest;
use super::payload::{Intake, Payload, Task};
use crate::config::Plan;
use crate::error::Result;
use crate::run::Run;

/// The strictest of the command line, the config and its providers.
pub(super) fn limits(plan: &Plan, options: &Options<'_>) -> Limits {
    let bundle = &plan.bundle;
    let mut limits = Limits {
        max_tokens: options.max_tokens.unwrap_or(bundle.max_tokens),
        max_bytes: options.max_part_mb.unwrap_or(bundle.max_part_mb) * MB,
    };
    for provider in bundle.providers.values() {
        limits.max_tokens = limits.max_tokens.min(provider.max_tokens.unwrap_or(u64::MAX));
        limits.max_bytes = limits.max_bytes.min(provider.max_part_mb.map_or(u64::MAX, |size| size.saturating_mul(MB)));
    }
    limits
}

/// In which order files are packed for a model: the request first, the bulk last.
fn reading_order(name: &str) -> Option<(u8, &str)> {
    let rank = match name.strip_prefix("data/")? {
        "REQUEST.md" => 0,
        "reports/report.md" => 1,
        below if below.starts_with("config/") => 2,
        below if below.starts_with("notes/") => 3,
        below if below.starts_with("tests/") => 4,
        below if below.starts_with("code/") => 5,
        "reports/report.json" => 6,
        _ => return None,
    };
    Some((rank, name))
}

pub(super) fn pack(
    plan: &Plan,
    root: &Path,
    files: &[Payload],
    limits: Limits,
    mark: &str,
    intake: &Intake<'_>,
    run: &Run,
) -> Result<(Vec<Part>, Vec<Payload>)> {
    let mut texts: Vec<(&Payload, u64)> = files
        .iter()
        .filter(|file| reading_order(&file.name).is_some())
        .filter_map(|file| Some((file, file.lines?)))
        .filter(|(file, _)| file.bytes > 0)
        .collect();
    texts.sort_by_key(|(file, _)| reading_order(&file.name));
    let sources: Vec<context::Source> =
        texts.iter().map(|(file, lines)| context::Source { name: file.name.clone(), lines: *lines }).collect();
    run.begin(texts.iter().map(|(file, _)| file.bytes).sum());
    let folder = root.join("data/context");
    let parts = run.time("context", || context::pack(root, &folder, &sources, limits, mark, run))?;
    let names: HashSet<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    let listed: Vec<&Payload> = files.iter().filter(|file| !names.contains(file.name.as_str())).collect();
    let index = context::index(&parts, &listed, limits, &plan.bundle.providers);
    let index = Task::made(format!("{}index.md", manifest::CONTEXT), index);
    // What is packed was searched for secrets where it came from.
    let mut packed: Vec<Payload> = parts
        .iter()
        .map(|part| Payload {
            name: format!("{}{}", manifest::CONTEXT, part.name),
            bytes: part.bytes,
            sha256: part.sha256.clone(),
            lines: None,
            redacted: false,
        })
        .collect();
    packed.extend(intake.hash_all(&[index])?);
    Ok((parts, packed))
}

const MB: u64 = 1 << 20;
