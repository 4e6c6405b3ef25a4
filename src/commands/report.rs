//! `stagegate report`: the log -> report.html, report.md, report.json and charts.

use std::time::Duration;

use super::check::exit_code;
use super::session::{REPORT_FILES, Session, clock, config_told, load, written};
use crate::cli::ReportArguments;
use crate::console;
use crate::error::Result;
use crate::render::terminal;
use crate::{browser, figures, ingest, output, pdf, render};

/// How often a watched log is looked at.
const WATCH_PAUSE: Duration = Duration::from_millis(500);

pub(super) fn run(session: &Session, arguments: &ReportArguments) -> Result<u8> {
    let ReportArguments { input, out, generated_at, summary, pdf, open, watch, check, fail_on } = arguments;
    let plan = load(input)?;
    loop {
        let seen = if *watch { ingest::inputs::sizes(&plan)? } else { Vec::new() };
        let generated_at = clock(generated_at.as_deref())?;
        let report = session.with_progress(|| crate::report(&plan, generated_at, &session.run))?;
        let mut files = session.run.time("render", || render::all(&report));
        files.extend(session.run.time("figures", || figures::files(&report))?);
        let mut names = REPORT_FILES.to_vec();
        if *pdf {
            files.push(session.run.time("pdf", || pdf::of(&files))?);
            names.push("report.pdf");
        }
        output::write(out, &files)?;
        if *summary {
            console::print(&terminal::digest(&report))?;
        } else {
            session.console.tell(&config_told(&plan))?;
            session.console.tell(&terminal::summary(&report, session.console.colour))?;
            session.console.tell(&written(out, &names))?;
        }
        if *open {
            browser::open(&out.join("report.html"))?;
        }
        if !*watch {
            return Ok(if *check { exit_code(report.decision.value, *fail_on) } else { 0 });
        }
        while ingest::inputs::sizes(&plan)? == seen {
            std::thread::sleep(WATCH_PAUSE);
        }
    }
}
