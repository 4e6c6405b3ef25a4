//! Which day is reported, and the report of it.

use crate::config::{self, Plan};
use crate::error::{Error, Result};
use crate::growth::{self, Cache, Memory};
use crate::ingest;
use crate::report::model::Report;
use crate::run::Run;

/// A day of the plan's logs -> its report against the baseline and the day before; and the day, since
/// 1970-01-01. Without `day` it is the last one of the log. With `cache`, a folder and the conditions of the command line,
/// what was folded before is taken from there.
///
/// # Errors
/// See [`crate::cube_of`]; a cube among the inputs, which does not know days by themselves; no upload that day.
pub fn report(
    plan: &Plan,
    day: Option<i64>,
    generated_at: String,
    cache: Cache<'_>,
    run: &Run,
) -> Result<(Report, i64)> {
    let inputs = ingest::recognise::inputs(plan)?;
    if !inputs.cubes.is_empty() {
        return Err(Error::new("a daily report needs the logs: a cube holds segments of whole stages")
            .help("give the log files instead of the cube"));
    }
    let whole = match cache {
        None => crate::cube_of(plan, &inputs, &[], run)?,
        Some((folder, keep)) => Memory::in_folder(folder, plan, keep)?.cube(plan, &inputs, run)?.0,
    };
    crate::usable(&inputs, &whole)?;
    let stages_by_day = whole.stages_by_day(plan.schema.words.timezone)?;
    let Some(day) = day.or_else(|| stages_by_day.keys().next_back().copied()) else {
        return Err(Error::new("the log holds no usable upload: there is no day to report"));
    };
    let Some(today) = stages_by_day.get(&day).copied() else {
        let (first, last) = (stages_by_day.keys().next(), stages_by_day.keys().next_back());
        let name = |day: Option<&i64>| day.map_or_else(String::new, |day| config::daily::date_folder(*day));
        return Err(Error::new(format!("no upload ended on {}", config::daily::date_folder(day))).help(format!(
            "the log reaches from {} to {}",
            name(first),
            name(last)
        )));
    };
    let yesterday = stages_by_day.get(&(day - 1)).copied().unwrap_or(today);
    let plan = config::daily::daily(plan, day, today, yesterday)
        .ok_or_else(|| Error::new("a daily report needs a baseline stage"))?;
    let report = growth::report(&plan, generated_at, cache, run)?;
    Ok((report, day))
}
