//! `stagegate daily`: the report of one day.

use super::session::{REPORT_FILES, Session, clock, load, written};
use crate::cli::DailyArguments;
use crate::config::daily::{date_folder, parse_date};
use crate::error::{Error, Result};
use crate::render::terminal;
use crate::{daily, figures, output, render};

pub(super) fn run(session: &Session, arguments: &DailyArguments) -> Result<u8> {
    let DailyArguments { input, date, out, generated_at, cache } = arguments;
    let plan = load(input)?;
    let day = date.as_deref().map(parse_day).transpose()?;
    let generated_at = clock(generated_at.as_deref())?;
    let cache = cache.as_deref().map(|folder| (folder, input.keep.as_slice()));
    let (report, day) = session.with_progress(|| daily::report(&plan, day, generated_at, cache, &session.run))?;
    let folder = out.join("daily").join(date_folder(day));
    let mut files = render::all(&report, render::Reload::Never);
    files.extend(figures::files(&report)?);
    output::write(&folder, &files)?;
    session.console.tell(&terminal::summary(&report, session.console.colour))?;
    session.console.tell(&written(&folder, &REPORT_FILES))?;
    Ok(0)
}

/// A day of the calendar, in days since 1970-01-01.
fn parse_day(text: &str) -> Result<i64> {
    parse_date(text).ok_or_else(|| Error::new(format!("--date {text:?} is not a day")).help("write it like 2025-11-12"))
}
