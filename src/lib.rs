//! stagegate: the metrics log of a staged rollout -> a final report that claims only what was
//! measured. The pipeline in one screen; ARCHITECTURE.md has the map.

pub mod analysis;
pub mod bundle;
pub mod cli;
pub mod clock;
pub mod config;
pub mod cube;
pub mod error;
pub mod evidence;
pub mod format;
pub mod ingest;
pub mod metric;
pub mod output;
pub mod pdf;
pub mod phases;
pub mod render;
pub mod report;
pub mod reports;
pub mod simulate;
pub mod stats;

use std::path::Path;

use config::Plan;
use cube::Cube;
use error::{Boundary, Error, Result};
use ingest::source::Inputs;
use phases::Phases;
use rayon::prelude::*;
use report::model::Report;

/// The plan's logs and cubes -> one cube.
///
/// # Errors
/// A file is missing, unreadable or no cube, or cubes do not fit each other or the plan.
pub fn cube(plan: &Plan, timeline_files: &[String], phases: &Phases) -> Result<Cube> {
    cube_of(plan, &ingest::source::resolve(plan)?, timeline_files, phases)
}

/// As [`cube`], of inputs that were resolved already: standard input is there only once.
fn cube_of(plan: &Plan, inputs: &Inputs, timeline_files: &[String], phases: &Phases) -> Result<Cube> {
    let beside = ingest::source::resolve_beside(plan, timeline_files)?;
    let mut cubes = phases.time("cubes", || {
        let cubes = inputs.cubes.par_iter();
        let read: Vec<_> = cubes.map(|(name, path)| cube::store::read(name, path, plan)).collect();
        // Of several errors the first is told, whichever came first.
        read.into_iter().collect::<Result<Vec<Cube>>>()
    })?;
    let beside = phases.time("timeline", || ingest::timeline::collect_all(&beside, phases))?;
    // The events of a cube hold for the logs beside it, too.
    let known = cubes.iter().fold(beside, |timeline, cube| timeline.union(&cube.header.timeline));
    // Cubes alone need no fold, but for the events beside them.
    if cubes.is_empty() || !inputs.logs.is_empty() || !timeline_files.is_empty() {
        let folded = cube::fold(plan, &inputs.logs, known, phases)?;
        cubes.push(phases.time("tables", || folded.into_cube())?);
    }
    phases.time("merge", || Cube::merge(cubes, plan))
}

/// A day of the plan's logs -> its report against the baseline and the day before; and the day, since
/// 1970-01-01. Without `day` it is the last one of the log.
///
/// # Errors
/// See [`cube`]; a cube among the inputs, which does not know days by themselves; no upload that day.
pub fn daily(plan: &Plan, day: Option<i64>, generated_at: String, phases: &Phases) -> Result<(Report, i64)> {
    let fail = |message: String| Error::new(Boundary::Input, message);
    let inputs = ingest::source::resolve(plan)?;
    if !inputs.cubes.is_empty() {
        return Err(fail("a daily report needs the logs: a cube holds segments of whole stages".into())
            .help("give the log files instead of the cube"));
    }
    let stages_by_day = cube_of(plan, &inputs, &[], phases)?.stages_by_day()?;
    let Some(day) = day.or_else(|| stages_by_day.keys().next_back().copied()) else {
        return Err(fail("the log holds no usable upload: there is no day to report".into()));
    };
    let Some(today) = stages_by_day.get(&day).copied() else {
        let (first, last) = (stages_by_day.keys().next(), stages_by_day.keys().next_back());
        let name = |day: Option<&i64>| day.map_or_else(String::new, |day| config::daily::date_folder(*day));
        return Err(fail(format!("no upload ended on {}", config::daily::date_folder(day))).help(format!(
            "the log reaches from {} to {}",
            name(first),
            name(last)
        )));
    };
    let yesterday = stages_by_day.get(&(day - 1)).copied().unwrap_or(today);
    let plan = config::daily::daily(plan, day, today, yesterday)
        .ok_or_else(|| fail("a daily report needs a baseline stage".into()))?;
    Ok((report(&plan, generated_at, phases)?, day))
}

/// The code of the plan at `commit`; nothing where there is to be none.
///
/// # Errors
/// See [`bundle::Repository::open`].
pub fn repository(plan: &Plan, commit: Option<&String>) -> Result<Option<bundle::Repository>> {
    commit.map(|commit| bundle::Repository::open(&plan.base.join(&plan.bundle.code), commit)).transpose()
}

/// The plan's logs, evidence and code -> the bundle for the external reviewer.
///
/// # Errors
/// See [`cube`] and [`bundle::write`].
pub fn bundle(
    plan: &Plan,
    repository: Option<&bundle::Repository>,
    redaction: &bundle::Redaction,
    options: &bundle::Options<'_>,
    generated_at: String,
    phases: &Phases,
) -> Result<bundle::Bundled> {
    let inputs = ingest::source::resolve(plan)?;
    let mut cube = cube_of(plan, &inputs, &[], phases)?;
    let keyed =
        |id: u64| redaction.keyed(&id.to_le_bytes())[..8].iter().fold(0, |hash, byte| hash << 8 | u64::from(*byte));
    let hides_ids = redaction.fields().iter().any(|field| field == "request_id");
    cube.rewrite(|text| redaction.text(text), |id| if hides_ids { keyed(id) } else { id })?;
    let report = report_of(plan, &cube, generated_at, phases)?;
    let logs = &inputs.logs;
    let mut content = bundle::Content { plan, logs, cube: &mut cube, report: &report, repository, redaction };
    let mut bundled = bundle::write(&mut content, options, phases)?;
    if repository.is_some_and(bundle::Repository::is_dirty) {
        bundled.warnings.push("the working tree has changes that are not committed, and so not in the bundle".into());
    }
    Ok(bundled)
}

/// The reviewer's answer in `response`, checked against the bundle that it answers and kept for the report; what was
/// recorded, in lines.
///
/// # Errors
/// The bundle is not what was sent, the answer is to another one, or it is no answer.
pub fn record_validation(
    plan: &Plan,
    response: &Path,
    bundle: &Path,
    recorded_at: String,
    phases: &Phases,
) -> Result<String> {
    let file = evidence::read_response(response)?;
    let verified = bundle::verify::verify(bundle, None, phases)?;
    if !verified.problems.is_empty() {
        let text = verified.text(&bundle.display().to_string());
        return Err(
            Error::new(Boundary::Input, text.trim_end()).help("record the answer against the bundle that was sent")
        );
    }
    let record = bundle::answer::check(plan, &response.display().to_string(), &file, &verified, recorded_at)?;
    let kept = plan.base.join(&plan.response);
    let name = evidence::validation::record_name(&plan.response);
    output::write_at(&kept, file.as_bytes())?;
    output::write_at(&plan.base.join(&name), record.text().as_bytes())?;
    let answered = record.response.claims.len();
    Ok(format!(
        "recorded: {}, {answered} of {} answered, {}\n  {}\n  {}\n",
        record.response.verdict.word(),
        format::counted(record.asked.len() as u64, "claim"),
        format::counted(record.response.objections.len() as u64, "objection"),
        kept.display(),
        plan.base.join(name).display()
    ))
}

/// The plan's logs and cubes -> the report, as of `generated_at` (RFC 3339).
///
/// # Errors
/// See [`cube`].
pub fn report(plan: &Plan, generated_at: String, phases: &Phases) -> Result<Report> {
    report_of(plan, &cube(plan, &[], phases)?, generated_at, phases)
}

/// What the cube and the plan's evidence say.
fn report_of(plan: &Plan, cube: &Cube, generated_at: String, phases: &Phases) -> Result<Report> {
    let evidence = evidence::read(plan)?;
    let findings = phases.time("analysis", || analysis::run(plan, cube, &evidence))?;
    Ok(report::assemble(plan, findings, generated_at))
}
