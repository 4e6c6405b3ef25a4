//! `stagegate inspect`: how a log is read, shown on its first rows, and what became of all of them. Nothing is written.

use std::fmt::Write;

use super::session::{Session, load};
use crate::cli::InspectArguments;
use crate::config::Plan;
use crate::console;
use crate::cube::Cube;
use crate::cube::dimension::NameList;
use crate::cube::slice::Arm;
use crate::error::{Position, Result};
use crate::format;
use crate::ingest::inputs::Inputs;
use crate::ingest::ledger::FileLedger;
use crate::ingest::recognise;
use crate::ingest::sample::{Shown, sample};
use crate::ingest::source::Source;
use crate::render::escape::plain_lines;
use crate::schema::record::UNKNOWN;

/// Files that are listed by name.
const FILES_LISTED: usize = 20;
/// Characters of a row that are shown.
const ROW_CHARACTERS: usize = 400;
/// Names of a dimension that are listed.
const NAMES_LISTED: usize = 12;

pub(super) fn run(session: &Session, arguments: &InspectArguments) -> Result<u8> {
    let plan = load(&arguments.input)?;
    let inputs = recognise::inputs(&plan)?;
    let cube = session.with_progress(|| crate::cube_of(&plan, &inputs, &[], &session.run))?;
    let mut text = String::new();
    sources(&mut text, &inputs, arguments.rows);
    files(&mut text, &plan, &cube);
    if cube.has_uploads() {
        stages(&mut text, &plan, &cube)?;
        names(&mut text, &cube);
    }
    console::print(&plain_lines(&text))?;
    crate::usable(&inputs, &cube)?;
    Ok(0)
}

/// What reads the files, and the first rows of the first file of each kind.
fn sources(text: &mut String, inputs: &Inputs, rows: usize) {
    let mut seen: Vec<String> = Vec::new();
    for log in &inputs.logs {
        let how = how(log);
        if seen.contains(&how) {
            continue;
        }
        let _ = writeln!(text, "{}: {how}", log.name);
        for Shown { row, became } in sample(log, rows) {
            let short: String = row.trim_end().chars().take(ROW_CHARACTERS).collect();
            let cut = if short.len() < row.trim_end().len() { "…" } else { "" };
            let _ = writeln!(text, "  {short}{cut}\n    -> {became}");
        }
        text.push('\n');
        seen.push(how);
    }
}

fn how(log: &Source) -> String {
    match log.mapping.as_ref().map(|mapping| mapping.preset()) {
        None => "stagegate's own format".into(),
        Some(None) => "a mapping of [[sources]]".into(),
        Some(Some(preset)) => format!("the preset {preset}"),
    }
}

fn files(text: &mut String, plan: &Plan, cube: &Cube) {
    let files = &cube.header.files;
    for file in files.iter().take(FILES_LISTED) {
        let parts = [
            (file.lines, "line"),
            (file.events, "event"),
            (file.other_rows, "other row"),
            (file.other_tries, "retried row"),
            (file.blank, "line without a row"),
        ];
        let mut counts: Vec<String> =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, noun)| format::counted(*count, noun)).collect();
        if file.uploads > 0 {
            counts.insert(counts.len().min(1), plan.schema.words.counted(file.uploads));
        }
        let rejected = match file.rejected_total() {
            0 => String::new(),
            count => format!(", {} rejected", format::count(count)),
        };
        let _ = writeln!(text, "{}: {}{rejected}", file.path, counts.join(", "));
        rejects(text, file);
    }
    if files.len() > FILES_LISTED {
        let _ = writeln!(text, "… and {}", format::counted((files.len() - FILES_LISTED) as u64, "more file"));
    }
}

fn rejects(text: &mut String, file: &FileLedger) {
    for (reason, count) in &file.rejected {
        let first = file.examples.iter().find(|example| example.reason == *reason);
        let place = first.map_or_else(String::new, |first| {
            let place = Position { file: file.path.clone(), line: Some(first.line), column: first.column };
            format!(", first {place}: {}", first.message)
        });
        let _ = writeln!(text, "  {} {}{place}", format::count(*count), reason.word());
    }
}

fn stages(text: &mut String, plan: &Plan, cube: &Cube) -> Result<()> {
    text.push('\n');
    for (index, stage) in plan.stages.iter().enumerate() {
        let minutes = cube.minutes(index, Arm::All)?;
        let (Some((first, _)), Some((last, _))) = (minutes.first_key_value(), minutes.last_key_value()) else {
            let _ = writeln!(text, "stage {}: no {}", stage.name, plan.schema.words.many);
            continue;
        };
        let uploads: u64 = minutes.values().map(|minute| minute.uploads).sum();
        let successes: u64 = minutes.values().map(|minute| minute.successes).sum();
        let treated: u64 = cube.minutes(index, Arm::Treated)?.values().map(|minute| minute.uploads).sum();
        let _ = writeln!(
            text,
            "stage {}: {}, {} {} ({} set), {} successful, {}",
            stage.name,
            plan.schema.words.counted(uploads),
            format::share(treated as f64 / uploads.max(1) as f64),
            plan.schema.words.treated,
            format::share(stage.percentage / 100.0),
            format::share(successes as f64 / uploads.max(1) as f64),
            plan.schema.words.period(&format::rfc3339_minute(*first), &format::rfc3339_minute(*last)),
        );
    }
    Ok(())
}

fn names(text: &mut String, cube: &Cube) {
    let header = &cube.header;
    let dimensions = header.rules.dimensions.iter().map(|rule| rule.name.replace('_', " ")).zip(&header.dimensions);
    for (what, NameList { names, overflowed }) in dimensions.chain([("error type".to_owned(), &header.error_types)]) {
        if names.is_empty() || names.len() == 1 && names[0] == UNKNOWN {
            continue;
        }
        let mut listed: Vec<&str> = names.iter().take(NAMES_LISTED).map(String::as_str).collect();
        if names.len() > NAMES_LISTED || *overflowed {
            listed.push("…");
        }
        let _ = writeln!(text, "{what}s: {}", listed.join(", "));
    }
}
