//! What goes into a bundle, under which name, and what stays out.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::content::{Content, LeftOut, Options};
use super::names::{self, Names};
use super::payload::{Leak, Origin, Task};
use super::redact::Redaction;
use super::repository::{Ignored, Kind, Repository};
use crate::config::Plan;
use crate::cube;
use crate::error::{Error, Position, Result};
use crate::format;
use crate::render;
use crate::report::model::Report;

/// Why a file is not among the code.
const RAW_LOG: &str = "a raw log: only with --raw";

const ELSEWHERE: &str = "no code: the config, notes and tests have folders of their own, logs too with --raw";

/// Leaks that an error lists.
const LEAKS_LISTED: usize = 50;

/// The report without personal data.
pub(super) fn hidden(report: &Report, redaction: &Redaction) -> Report {
    let mut value = serde_json::to_value(report).expect("the model has only string keys and finite numbers");
    redaction.value(&mut value);
    // From text, as reports are read elsewhere: a second reader of the whole model takes seconds to compile.
    serde_json::from_str(&value.to_string()).expect("texts stay texts")
}

/// Everything that goes in, named, but what is made of it; and what stays out.
pub(super) fn tasks(
    content: &mut Content<'_>,
    options: &Options<'_>,
    report: &Report,
    root: &Path,
) -> Result<(Vec<Task>, Vec<LeftOut>)> {
    let mut names = Names::default();
    let mut tasks = Vec::new();
    let mut left_out = Vec::new();
    let plan = content.plan;
    let logs = content.logs;

    for file in render::all(report, render::Reload::Never) {
        let name = file.path.to_string_lossy().replace('\\', "/");
        tasks.push(Task::made(names.place("data/reports", name.as_bytes()), file.content));
    }
    cube::store::write(content.cube, &root.join("data/metrics/cube"))?;
    let folder = root.join("data/metrics/cube");
    let unreadable = |error: std::io::Error| {
        Error::new(format!("cannot read: {error}")).at(Position::file(folder.display().to_string()))
    };
    let tables = fs::read_dir(&folder).map_err(unreadable)?;
    let mut tables: Vec<PathBuf> = tables.flatten().map(|entry| entry.path()).collect();
    tables.sort();
    for table in tables {
        let name = names.place("data/metrics/cube", table.file_name().unwrap_or_default().as_encoded_bytes());
        tasks.push(Task::written(name, size(&table)));
    }
    // What is bundled with its personal data hidden must not come along with the code as it is.
    let mut elsewhere: Vec<PathBuf> = logs.iter().map(|log| log.path.clone()).collect();
    let mut evidence = |folder: &str, file: &str, path: PathBuf| {
        if path.is_file() {
            elsewhere.push(path.clone());
            let below = file.trim_start_matches(['/', '.']);
            let name = names.place(folder, below.as_bytes());
            tasks.push(Task { name, shown: file.into(), bytes: size(&path), origin: Origin::Redacted(path) });
        }
    };
    if let Some(file) = &plan.file {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        evidence("data/config", &name, file.clone());
    }
    for phase in &report.tests.phases {
        let folder = format!("data/tests/{}", safe_folder(&phase.name));
        phase.files.iter().for_each(|file| evidence(&folder, file, plan.base.join(file)));
    }
    if let Some(file) = &plan.coverage.file {
        evidence("data/tests/coverage", file, plan.base.join(file));
    }
    for note in &report.notes {
        evidence("data/notes", &note.file, plan.base.join(&note.file));
    }
    for log in logs {
        if options.raw_logs && log.path.is_file() && !log.is_spooled() {
            evidence("data/metrics/logs", &log.name, log.path.clone());
        } else {
            let reason = if options.raw_logs { "a stream is not kept" } else { RAW_LOG };
            left_out.push(LeftOut { file: content.redaction.text(&log.name), reason: reason.into() });
        }
    }
    if let Some(repository) = content.repository {
        code(repository, plan, &elsewhere, &mut names, &mut tasks, &mut left_out)?;
    }
    left_out.sort();
    left_out.dedup();
    Ok((tasks, left_out))
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// A phase's name as one part of a path.
fn safe_folder(name: &str) -> String {
    let safe: String =
        name.chars().map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' }).collect();
    if safe.is_empty() { "_".into() } else { safe.chars().take(60).collect() }
}

/// The files that git tracks.
fn code(
    repository: &Repository,
    plan: &Plan,
    elsewhere: &[PathBuf],
    names: &mut Names,
    tasks: &mut Vec<Task>,
    left_out: &mut Vec<LeftOut>,
) -> Result<()> {
    let entries = repository.entries()?;
    let ignored = Ignored::read(&entries, &mut repository.objects()?, &plan.bundle.exclude)?;
    let elsewhere: HashSet<Vec<u8>> = elsewhere.iter().filter_map(|path| repository.tracked_name(path)).collect();
    for entry in entries {
        let shown = String::from_utf8_lossy(&entry.path).into_owned();
        let reason = match entry.kind {
            Kind::Symlink => Some("a symbolic link"),
            Kind::Submodule => Some("a submodule"),
            Kind::File if elsewhere.contains(&entry.path) => Some(ELSEWHERE),
            Kind::File => names::forbidden(&shown).or_else(|| ignored.reason(&shown)),
        };
        match reason {
            Some(reason) => {
                let reason = match entry.kind {
                    Kind::Submodule => format!("{reason} at commit {}", entry.object),
                    _ => reason.to_owned(),
                };
                left_out.push(LeftOut { file: shown, reason });
            }
            None => {
                let name = names.place("data/code", &entry.path);
                tasks.push(Task { name, shown, bytes: entry.bytes, origin: Origin::Object(entry.object) });
            }
        }
    }
    Ok(())
}

/// Secrets that the config does not allow are an error; allowed ones that are gone are worth a word.
pub(super) fn refuse_leaks(leaks: &[Leak], plan: &Plan) -> Result<Vec<String>> {
    let allowed = |leak: &&Leak| plan.bundle.allow.iter().any(|allow| allow.fingerprint == leak.finding.fingerprint);
    let open: Vec<&Leak> = leaks.iter().filter(|leak| !allowed(leak)).collect();
    if open.is_empty() {
        let unused = plan
            .bundle
            .allow
            .iter()
            .filter(|allow| !leaks.iter().any(|leak| leak.finding.fingerprint == allow.fingerprint));
        return Ok(unused
            .map(|allow| format!("[[bundle.allow]] {} matches nothing any more", allow.fingerprint))
            .collect());
    }
    let mut message =
        format!("{} in what was to be bundled; nothing was written", format::counted(open.len() as u64, "secret"));
    for leak in open.iter().take(LEAKS_LISTED) {
        let Leak { file, finding } = leak;
        let file = names::printable(file);
        message.push_str(&format!(
            "\n  {file}:{}:{}: {}: {} [{}]",
            finding.line, finding.column, finding.rule, finding.masked, finding.fingerprint
        ));
    }
    if open.len() > LEAKS_LISTED {
        message.push_str(&format!("\n  … and {} more", open.len() - LEAKS_LISTED));
    }
    let mut help = "take it out and revoke it, exclude the file ([bundle] exclude), or, where it is none, paste this into the config and say why:".to_owned();
    let fingerprints: BTreeSet<&str> = open.iter().map(|leak| leak.finding.fingerprint.as_str()).collect();
    for fingerprint in fingerprints.iter().take(LEAKS_LISTED) {
        help.push_str(&format!("\n  [[bundle.allow]]\n  fingerprint = \"{fingerprint}\"\n  reason = \"\""));
    }
    Err(Error::new(message).help(help))
}
