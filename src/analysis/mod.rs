//! The cube -> the sections of the report, one question per file. No file is read and no text
//! is laid out here.

mod accepted;
mod attempts;
mod causes;
mod change_points;
mod comparisons;
mod completion;
mod criteria;
mod decision;
mod dimensions;
mod doubts;
mod error_scenarios;
mod error_types;
mod figure;
mod gates;
mod group;
mod headlines;
mod improvements;
mod intention_to_treat;
mod left_out;
mod looks;
mod next_steps;
mod outages;
mod pair;
mod plausibility;
mod quality;
mod ratio;
mod replicates;
mod same_hours;
mod sampling;
mod series;
mod split;
mod spreads;
mod stage_events;
mod stages;
mod strata;
mod tests;
mod triggers;
pub mod up_to;
mod validation;
mod variants;

use crate::config::Plan;
use crate::config::daily::date_folder;
use crate::cube::Cube;
use crate::cube::slice::{CRITICAL_UPLOAD, LoggedEvent};
use crate::error::{Error, Result};
use crate::evidence;
use crate::format::rfc3339;
use crate::ingest::timestamp::NANOS_PER_MINUTE;
use crate::report::model::{Event, Generator, Report, ReportedDay, SCHEMA_VERSION};
use crate::report::{claims, summary};
use completion::Facts;
use decision::Judged;
use same_hours::Within;

/// Events that are counted against a baseline, or against nothing.
const COUNTED_EVENTS: [&str; 3] = ["complaint", "critical_error", CRITICAL_UPLOAD];
/// Events that the report lists: the first ones.
const EVENTS_LISTED: usize = 500;

/// Answers every question; `generated_at` is RFC 3339.
///
/// # Errors
/// The cube is damaged.
pub fn report(plan: &Plan, cube: &Cube, evidence: &evidence::Evidence, generated_at: String) -> Result<Report> {
    let mut report = if plan.exclude.is_empty() {
        judge(plan, cube, evidence, generated_at)?
    } else {
        let minutes = cube.left_out()?;
        let (without, with) = cube.without_and_with_left_out()?;
        let whole_plan = Plan { exclude: Vec::new(), ..plan.clone() };
        let (report, whole) = rayon::join(
            || judge(plan, &without, evidence, generated_at.clone()),
            || judge(&whole_plan, &with, evidence, generated_at.clone()),
        );
        let mut report = report?;
        left_out::tell(plan, &minutes, &mut report, whole?);
        report
    };
    report.summary = summary::summary(&report);
    Ok(report)
}

/// The report of a cube in which nothing is left out any more, without its summary.
fn judge(plan: &Plan, cube: &Cube, evidence: &evidence::Evidence, generated_at: String) -> Result<Report> {
    let visits = cube.visits()?;
    let up_to = plan.up_to.map(|stage| up_to::up_to(plan, cube, &visits, stage)).transpose()?;
    let whole_plan = plan;
    let (plan, cube) = up_to.as_ref().map_or((plan, cube), |up_to| (&up_to.plan, &up_to.cube));
    let visits = if up_to.is_some() { cube.visits()? } else { visits };
    // Earlier attempts may have gone further.
    let attempts = attempts::Attempts::new(whole_plan, cube, &visits);
    let ended_at = up_to.as_ref().and_then(|up_to| up_to.ended_at);
    let mut all_events = cube.events()?;
    all_events.retain(|event| ended_at.is_none_or(|ended_at| event.at < ended_at));
    // What happened stays; what counts against the rollout is left out with its minute.
    let counts = |event: &LoggedEvent| COUNTED_EVENTS.contains(&&*event.event_type);
    all_events.retain(|event| !counts(event) || !plan.leaves_out(event.at, event.at + NANOS_PER_MINUTE));
    let judged_cube = attempts.cube(cube)?;
    let cube = judged_cube.as_ref().unwrap_or(cube);
    let gather = |cube: &Cube| {
        let (data, segmented) = rayon::join(|| stages::gather(plan, cube), || comparisons::Segmented::new(plan, cube));
        Ok::<_, Error>((data?, segmented?))
    };
    let (mut data, mut segmented) = gather(cube)?;
    let other_unit = plausibility::in_another_unit(&data, &visits);
    let no_cube = other_unit.as_ref().map(|_| cube.of_visits(&[])).transpose()?;
    if let Some(nothing) = &no_cube {
        (data, segmented) = gather(nothing)?;
    }
    let cube = no_cube.as_ref().unwrap_or(cube);
    let names = dimensions::Names::new(&plan.schema, cube);
    let logged = attempts.events(&all_events);
    let changes = || {
        let stages = stages::stages(plan, cube, &data)?;
        let (comparisons, regressions) = comparisons::comparisons(plan, cube, &data, &stages, &segmented);
        let mut improvements = improvements::improvements(plan, &data, &comparisons);
        Within::new(plan, &data, &stages, &comparisons).judge(&mut improvements);
        looks::judge(plan, &data, &mut improvements);
        doubts::judge(plan, &data, &stages, &mut improvements);
        Ok::<_, Error>((stages, comparisons, regressions, improvements))
    };
    let (changes, (criteria, intention_to_treat, triggers)) = rayon::join(changes, || {
        let criteria = criteria::criteria(plan, &data);
        let intention_to_treat = intention_to_treat::intention_to_treat(plan, &data);
        (criteria, intention_to_treat, triggers::triggers(plan, cube, &data, &logged))
    });
    let ((mut stages, comparisons, regressions, improvements), triggers) = (changes?, triggers?);
    let mut criteria = criteria;
    let within = Within::new(plan, &data, &stages, &comparisons);
    within.judge_criteria(&mut criteria);
    looks::judge_criteria(plan, &data, &mut criteria);
    let progress = gates::judge(plan, &data, &attempts, &mut stages, &mut criteria);
    let headlines = headlines::headlines(plan, &data, &stages, &comparisons, &within, (&improvements, &criteria));
    let error_types = error_types::error_types(plan, cube, &data, &stages)?;
    let spreads = spreads::spreads(plan, &data, &stages);
    let (change_points, change_point_searches) = change_points::change_points(plan, cube, &data, &logged, &triggers)?;
    let mut data_quality = quality::quality(plan, cube, &data, &stages, {
        let of_stage = up_to.as_ref().and_then(|up_to| up_to.finding.clone());
        attempts.findings().into_iter().chain(other_unit).chain(of_stage).collect()
    });
    let carried = variants::carried(plan, &names, &segmented);
    let error_scenarios = error_scenarios::error_scenarios(plan, &stages);
    let tests = tests::tests(evidence);
    let inputs = quality::inputs(cube);
    let claims = claims::claims(&plan.metrics, &inputs, &stages, &improvements, &criteria);
    let validation = evidence.validation.as_ref().map(|record| validation::validation(plan, record, &claims));
    let completion = completion::completion(&Facts {
        plan,
        cube,
        stages: &stages,
        criteria: &criteria,
        improvements: &improvements,
        carried: &carried,
        tests: &tests,
        validation: validation.as_ref(),
    });
    let attempts = attempts.told();
    let last_rollback_at = logged.iter().rfind(|event| event.is_rollback()).map(|event| rfc3339(event.at));
    let judged = Judged {
        plan,
        progress,
        attempts: &attempts,
        stages: &stages,
        criteria: &criteria,
        improvements: &improvements,
        comparisons: &comparisons,
        regressions: &regressions,
        error_types: &error_types,
        headlines: &headlines,
        intention_to_treat: &intention_to_treat,
        triggers: &triggers,
        last_rollback_at: last_rollback_at.as_deref(),
        quality: &data_quality,
        completion: &completion,
        validation: validation.as_ref(),
    };
    let mut decision = decision::decide(&judged);
    let of_waivers = accepted::apply(plan, &generated_at, &mut decision);
    let next_steps = next_steps::next_steps(plan, &judged, &decision);
    data_quality.findings.extend(of_waivers);
    let simulated = all_events.iter().find(|event| event.event_type == "simulation").map(|event| event.text.clone());
    let told = all_events.into_iter().filter(|event| event.event_type != CRITICAL_UPLOAD).take(EVENTS_LISTED);
    Ok(Report {
        schema_version: SCHEMA_VERSION,
        generator: Generator { name: "stagegate".into(), version: env!("CARGO_PKG_VERSION").into() },
        title: plan.title.clone(),
        generated_at,
        words: plan.schema.words.clone(),
        metrics: plan.metrics.to_vec(),
        day: plan
            .by_day
            .as_ref()
            .map(|by_day| ReportedDay { date: date_folder(by_day.day), stage: by_day.stage_of_day().name.clone() }),
        simulated,
        decision,
        left_out: None,
        summary: Vec::new(),
        next_steps,
        inputs,
        data_quality,
        series: series::series(plan, &data),
        attempts,
        stages,
        headlines,
        spreads,
        error_types,
        improvements,
        criteria,
        comparisons,
        regressions,
        intention_to_treat,
        triggers,
        change_points,
        change_point_searches,
        events: told
            .map(|event| Event { at: rfc3339(event.at), event_type: event.event_type, text: event.text })
            .collect(),
        tests,
        notes: tests::notes(evidence),
        variants: carried.variants,
        variant_dimensions: carried.dimensions,
        error_scenarios,
        completion,
        validation,
        claims,
    })
}
