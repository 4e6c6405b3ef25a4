//! `stagegate init`: a rollout.toml with every key and a comment each, or one for a log of somebody's own.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::power;
use super::session::Session;
use crate::cli::InitArguments;
use crate::error::{Error, Position, Result};
use crate::ingest::inputs;
use crate::ingest::recognise::recognise;
use crate::ingest::sample::sample;
use crate::ingest::source::{self, Source};
use crate::ingest::survey::survey;
use crate::ingest::unusable;
use crate::propose::propose;
use crate::render::escape::plain_lines;
use crate::{config, output};

/// Rows that are tried with the config that is proposed.
const ROWS_TRIED: usize = 200;

pub(super) fn run(session: &Session, arguments: &InitArguments) -> Result<u8> {
    let is_config = |path: &&PathBuf| path.extension().is_some_and(|ending| ending == "toml");
    let mut configs = arguments.files.iter().filter(is_config).chain(&arguments.output);
    let path = configs.next().cloned().unwrap_or_else(|| PathBuf::from("rollout.toml"));
    if let Some(other) = configs.next() {
        return Err(
            Error::new(format!("two files to write: {} and {}", path.display(), other.display())).help("give one")
        );
    }
    let logs: Vec<String> =
        arguments.files.iter().filter(|file| !is_config(file)).map(|file| file.display().to_string()).collect();
    if logs.is_empty() {
        output::write_new(&path, config::commented_rollout_file().as_bytes())?;
        session.console.tell(&format!("wrote {}\n", path.display()))?;
        return Ok(0);
    }
    let mut plan = config::parse("built-in rollout", "", PathBuf::new())?;
    plan.input.files.clone_from(&logs);
    plan.files_from_command_line = true;
    let sources = inputs::resolve(&plan)?.logs;
    let log = sources.first().ok_or_else(|| Error::new("no log to look at").help("give the files of a log"))?;
    let head = source::head(log);
    if let Some(error) = unusable::of_head(log, &head) {
        return Err(error);
    }
    let recognised = recognise(&head);
    let survey = survey(&head, &source::later_lines(log));
    if recognised.is_none()
        && survey.as_ref().is_none_or(|survey| survey.rows == 1)
        && let Some(error) = unusable::without_lines(log, &head)
    {
        return Err(error);
    }
    if survey.is_none() && recognised.is_none() && !is_text(&head) {
        return Err(Error::new("it is no text").at(Position::file(&log.name)).help("give a log of lines"));
    }
    let pattern = if logs.len() == 1 { logs[0].clone() } else { log.name.clone() };
    let proposal = propose(&pattern, survey.as_ref(), recognised.as_ref());
    output::write_new(&path, proposal.text.as_bytes())?;
    let mut text = format!("wrote {}\n\nDecide before it is used:\n", path.display());
    for open in &proposal.open {
        let _ = writeln!(text, "  {open}");
    }
    text.push_str(&tried(&path, &proposal.text, log));
    // What does not parse was told already.
    let plan = config::parse(&path.display().to_string(), &proposal.text, PathBuf::new());
    let beyond = plan.map_or_else(|_| String::new(), |plan| power::cannot_show(&plan, |_| true));
    if !beyond.is_empty() {
        let _ = write!(text, "\nWhat the numbers of its stages cannot show:\n{beyond}");
    }
    session.console.tell(&plain_lines(&text))?;
    Ok(0)
}

/// Whether bytes are text, perhaps cut within a character.
fn is_text(head: &[u8]) -> bool {
    let whole = std::str::from_utf8(head).map_or_else(|error| error.error_len().is_none(), |_| true);
    !head.is_empty() && !head.contains(&0) && whole
}

/// How the first rows fare with the config as it stands.
fn tried(path: &Path, text: &str, log: &Source) -> String {
    let name = path.display().to_string();
    let mut plan = match config::parse(&name, text, PathBuf::new()) {
        Ok(plan) => plan,
        Err(error) => return format!("\nIt cannot be used as it stands: {error}\n"),
    };
    plan.input.files = vec![log.path.display().to_string()];
    plan.files_from_command_line = true;
    plan.sources.iter_mut().for_each(|source| source.files.clear());
    let Ok(inputs) = inputs::resolve(&plan) else { return String::new() };
    let Some(log) = inputs.logs.first() else { return String::new() };
    let rows = sample(log, ROWS_TRIED);
    let rejected = rows.iter().filter(|shown| shown.became.starts_with("rejected")).count();
    let first = rows.iter().find(|shown| shown.became.starts_with("rejected"));
    let first = first.map_or_else(String::new, |shown| format!(", the first: {}", shown.became));
    format!(
        "\nAs it stands, {} of the first {} rows are rejected{first}\n\nThen: stagegate inspect --config {name}\n",
        rejected,
        rows.len()
    )
}
