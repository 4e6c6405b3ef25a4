//! `stagegate doctor`: what this installation is, what it finds, and what would keep it from working. Writes nothing.

use std::fmt::Write;
use std::io::Write as _;

use super::session::{Session, load};
use crate::cli::DoctorArguments;
use crate::config::{MAX_STAGES, Plan};
use crate::console;
use crate::error::{Error, Result};
use crate::format;
use crate::ingest::chunks::MAX_LINE_BYTES;
use crate::ingest::recognise;
use crate::pdf;
use crate::render::escape::plain_lines;
use crate::schema::record::MAX_DIMENSIONS;

/// Logs that are named.
const LOGS_NAMED: usize = 5;
/// Exit code where something would keep the commands from working.
const FAULTY: u8 = 2;

/// What was found, one a line, and whether something is wrong.
struct Findings {
    text: String,
    faulty: bool,
}

impl Findings {
    fn line(&mut self, mark: &str, what: &str, told: &str) {
        let _ = writeln!(self.text, "{mark:<5} {what:<12} {told}");
    }

    fn ok(&mut self, what: &str, told: &str) {
        self.line("ok", what, told);
    }

    /// What a command may miss that not everybody needs.
    fn missing(&mut self, what: &str, told: &str) {
        self.line("–", what, told);
    }

    fn fault(&mut self, what: &str, error: &Error) {
        self.faulty = true;
        self.line("FAULT", what, &error.to_string().trim_end().replace('\n', "\n                   "));
    }
}

pub(super) fn run(session: &Session, arguments: &DoctorArguments) -> Result<u8> {
    let mut found = Findings { text: String::new(), faulty: false };
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    found.ok("version", &format!("stagegate {} on {os} {arch}", env!("CARGO_PKG_VERSION")));
    found.ok("threads", &format!("{} (--threads)", session.run.threads));
    match load(&arguments.input) {
        Err(error) => found.fault("config", &error),
        Ok(plan) => with_plan(&mut found, &plan),
    }
    found.ok("time zones", &format!("{} of IANA {}", chrono_tz::TZ_VARIANTS.len(), chrono_tz::IANA_TZDB_VERSION));
    match temporary() {
        Ok(folder) => found.ok("temporary", &folder),
        Err(error) => found.fault("temporary", &error),
    }
    match pdf::browser() {
        Some(browser) => found.ok("Chromium", &format!("{} (--pdf)", browser.display())),
        None => found.missing("Chromium", "not found: --pdf needs one, nothing else does"),
    }
    found.ok(
        "limits",
        &format!("lines of {}, {MAX_DIMENSIONS} dimensions, {MAX_STAGES} stages", format::bytes(MAX_LINE_BYTES as u64)),
    );
    console::print(&plain_lines(&found.text))?;
    Ok(if found.faulty { FAULTY } else { 0 })
}

fn with_plan(found: &mut Findings, plan: &Plan) {
    match &plan.file {
        Some(file) => found.ok("config", &format!("{}, {} stages", file.display(), plan.stages.len())),
        None => found.missing("config", "no rollout.toml here or above: the built-in plan (stagegate init writes one)"),
    }
    match recognise::inputs(plan) {
        Err(error) => found.fault("log", &error),
        Ok(inputs) => {
            for log in inputs.logs.iter().take(LOGS_NAMED) {
                let how = log.mapping.as_ref().map_or("stagegate's own format", |mapping| &mapping.name);
                found.ok("log", &format!("{}, {}, read as {how}", log.name, format::bytes(log.bytes)));
            }
            let more = inputs.logs.len().saturating_sub(LOGS_NAMED) as u64;
            if more > 0 {
                found.ok("log", &format!("and {} more", format::count(more)));
            }
            inputs.cubes.iter().take(LOGS_NAMED).for_each(|(name, _)| found.ok("cube", name));
        }
    }
}

/// The folder in which streams are kept while they are read, where it can be written.
fn temporary() -> Result<String> {
    let folder = std::env::temp_dir();
    let fail = |error: std::io::Error| {
        Error::new(format!("{}: cannot be written: {error}", folder.display())).help("set TMPDIR to a folder with room")
    };
    let mut file = tempfile::NamedTempFile::new().map_err(fail)?;
    file.write_all(&[0; 1 << 16]).map_err(fail)?;
    Ok(format!("{} (TMPDIR; standard input and pipes are kept there while they are read)", folder.display()))
}
