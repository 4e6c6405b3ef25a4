//! `check --stage`: the rollout as it was when one of its stages ended. May it go on from there?

use super::attempts::Attempts;
use crate::config::{EpochNanos, Plan};
use crate::cube::Cube;
use crate::cube::slice::Visit;
use crate::error::{Error, Result, did_you_mean};
use crate::ingest::timestamp::NANOS_PER_MINUTE;
use crate::report::model::{Finding, Severity};

/// What the log held when the stage ended.
pub(super) struct UpTo {
    /// Without later stages, and without what is asked of the whole rollout alone.
    pub plan: Plan,
    pub cube: Cube,
    /// When a later stage began; `None` where none has.
    pub ended_at: Option<EpochNanos>,
    pub finding: Option<Finding>,
}

/// Leaves out what came after a stage of the attempt that is judged: its later stages and the events since then.
///
/// # Errors
/// Nothing has run in the stage; the cube is damaged.
pub(super) fn up_to(plan: &Plan, cube: &Cube, visits: &[Visit], stage: usize) -> Result<UpTo> {
    let attempts = Attempts::new(plan, cube, visits);
    let own = attempts.judged_visits();
    let named = &plan.stages[stage];
    let Some(visit) = own.iter().find(|visit| visit.stage == stage) else {
        let begun: Vec<&str> = own.iter().map(|visit| plan.stages[visit.stage].name.as_str()).collect();
        let begun = if begun.is_empty() { "none has yet".to_owned() } else { begun.join(", ") };
        let words = &plan.schema.words;
        return Err(Error::new(format!("--stage {}: the stage has no {} to judge", named.name, words.many))
            .help(format!("stages with {} above 0 %: {begun}", words.many)));
    };
    let later: Vec<&Visit> = own.iter().copied().filter(|visit| visit.stage > stage).collect();
    let began = visit.minutes.0 * NANOS_PER_MINUTE;
    let first_later = later.iter().map(|visit| visit.minutes.0 * NANOS_PER_MINUTE).min();
    let ended_at = cube.header.timeline.first_above(named.percentage, began).or(first_later);
    let kept = visits.iter().filter(|visit| !later.contains(visit)).map(|visit| (visit.period, visit.stage));
    let mut cut = cube.of_visits(&kept.collect::<Vec<_>>())?;
    if let Some(at) = ended_at {
        cut.header.timeline = cube.header.timeline.until(at);
    }
    let left_out: u64 = later.iter().map(|visit| visit.records).sum();
    let finding = (left_out > 0).then(|| {
        let text = format!(
            "{} of later stages are left out: the question is stage {}",
            plan.schema.words.counted(left_out),
            named.name
        );
        Finding::of_quality("later_stages", Severity::Info, text)
    });
    let mut judged = plan.clone();
    judged.rollout_stages = Some(judged.stages.clone());
    judged.stages.truncate(stage + 1);
    judged.improvements.clear();
    judged.completion.criteria.clear();
    Ok(UpTo { plan: judged, cube: cut, ended_at, finding })
}

/// The position of a stage by its name, or by its percentage where the name is another.
///
/// # Errors
/// The plan has none, or nothing is treated in it.
pub fn stage_of(plan: &Plan, name: &str) -> Result<usize> {
    let by_name = plan.stages.iter().position(|stage| stage.name == name);
    let percentage = || name.trim().trim_end_matches('%').trim_end().parse::<f64>().ok();
    let by_percentage =
        || percentage().and_then(|wanted| plan.stages.iter().position(|stage| stage.percentage == wanted));
    let names = || plan.stages.iter().map(|stage| stage.name.as_str());
    let Some(stage) = by_name.or_else(by_percentage) else {
        let near = did_you_mean(name, names());
        let known = names().collect::<Vec<_>>().join(", ");
        return Err(Error::new(format!("--stage {name}: the plan has no such stage{near}"))
            .help(format!("its stages: {known}")));
    };
    if plan.stages[stage].percentage == 0.0 {
        return Err(Error::new(format!(
            "--stage {name}: nothing is treated at 0 %, so that there is nothing to judge"
        )));
    }
    Ok(stage)
}
