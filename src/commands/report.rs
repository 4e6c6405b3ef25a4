//! `stagegate report`: the log -> report.html, report.md, report.json and charts.

use std::time::Duration;

use super::check::exit_code;
use super::session::{REPORT_FILES, Session, clock, config_told, load, written};
use crate::cli::ReportArguments;
use crate::config::Plan;
use crate::console;
use crate::error::Result;
use crate::growth::{self, Folded, Memory};
use crate::render::{Reload, terminal};
use crate::report::model::Report;
use crate::{browser, figures, format, ingest, output, pdf, render};

/// How often a watched log is looked at.
const WATCH_PAUSE: Duration = Duration::from_millis(500);

pub(super) fn run(session: &Session, arguments: &ReportArguments) -> Result<u8> {
    let ReportArguments { input, generated_at, cache, .. } = arguments;
    let plan = load(input)?;
    if arguments.watch {
        return watch(session, arguments, &plan);
    }
    let generated_at = clock(generated_at.as_deref())?;
    let cache = cache.as_deref().map(|folder| (folder, input.keep.as_slice()));
    let report = session.with_progress(|| growth::report(&plan, generated_at, cache, &session.run))?;
    write(session, arguments, &plan, &report)?;
    if arguments.open {
        browser::open(&arguments.out.join("report.html"))?;
    }
    Ok(if arguments.check { exit_code(report.decision.value, arguments.fail_on) } else { 0 })
}

/// Writes the files, and says what they say.
fn write(session: &Session, arguments: &ReportArguments, plan: &Plan, report: &Report) -> Result<()> {
    let ReportArguments { out, summary, pdf, watch, .. } = arguments;
    let reload = if *watch { Reload::Often } else { Reload::Never };
    let mut files = session.run.time("render", || render::all(report, reload));
    files.extend(session.run.time("figures", || figures::files(report))?);
    let mut names = REPORT_FILES.to_vec();
    if *pdf {
        files.push(session.run.time("pdf", || pdf::of(&files))?);
        names.push("report.pdf");
    }
    output::write(out, &files)?;
    if *summary {
        return console::print(&terminal::digest(report));
    }
    session.console.tell(&config_told(plan))?;
    session.console.tell(&terminal::summary(report, session.console.colour))?;
    session.console.tell(&written(out, &names))
}

/// Writes the report whenever the logs have changed. A log that is not there yet, or has no usable line yet, is waited
/// for: what is wrong with it is told once.
fn watch(session: &Session, arguments: &ReportArguments, plan: &Plan) -> Result<u8> {
    ingest::inputs::refuse_streams(plan)?;
    let mut memory = match &arguments.cache {
        None => Memory::default(),
        Some(folder) => Memory::in_folder(folder, plan, &arguments.input.keep)?,
    };
    let mut opened = !arguments.open;
    let mut told = String::new();
    loop {
        let seen = ingest::inputs::seen(plan);
        let generated_at = clock(None)?;
        match session.with_progress(|| memory.report(plan, generated_at, &session.run)) {
            Ok((report, Folded { bytes, of })) => {
                write(session, arguments, plan, &report)?;
                let (bytes, of) = (format::bytes(bytes), format::bytes(of));
                session.console.tell(&format!("\nfolded {bytes} of {of}; waiting for more (Ctrl-C ends)\n"))?;
                if !std::mem::replace(&mut opened, true) {
                    browser::open(&arguments.out.join("report.html"))?;
                }
                told.clear();
            }
            Err(error) if error.to_string() == told => {}
            Err(error) => {
                told = error.to_string();
                session.console.note(&format!("{told}\nwaiting (Ctrl-C ends)"))?;
            }
        }
        while ingest::inputs::seen(plan) == seen {
            std::thread::sleep(WATCH_PAUSE);
        }
    }
}
