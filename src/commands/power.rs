//! `stagegate power`: what a plan can show before its first record. Reads no log.

use std::fmt::Write;

use super::session::load;
use crate::cli::PowerArguments;
use crate::config::{Bound, Criterion, Looks, Plan, RECORDS, Stage};
use crate::console;
use crate::error::Result;
use crate::format;
use crate::metric::{Estimator, Share};
use crate::render::escape::plain_lines;
use stagegate_stats::Level;
use stagegate_stats::looks::every_look;
use stagegate_stats::proportion::{fewest_to_show, needed_for_power};

/// True shares of the allowed failures that the plan is tried with.
const TENTH: f64 = 0.1;
const HALF: f64 = 0.5;

pub(super) fn run(arguments: &PowerArguments) -> Result<u8> {
    let plan = load(&arguments.input)?;
    let mut text = String::new();
    for stage in &plan.stages {
        for (bound, level) in questions(&plan, stage) {
            let _ = writeln!(text, "{}", told(&plan, stage, (bound, level), arguments.per_day));
        }
    }
    if text.is_empty() {
        text.push_str("No stage asks for a success or error rate: there is nothing that a number of records could fail to show.\n");
    } else {
        let looks = match plan.analysis.looks {
            Looks::Every => "at every look while a stage grows ([analysis] looks = \"every\")",
            Looks::Once => "at one look ([analysis] looks = \"once\")",
        };
        let _ = writeln!(
            text,
            "\n95 % intervals {looks}, power 80 %; records taken as independent: hours that are alike ask for more."
        );
    }
    console::print(&plain_lines(&text))?;
    Ok(0)
}

/// The success rates that a stage asks for, each with the level that it is judged at.
fn questions(plan: &Plan, stage: &Stage) -> Vec<(f64, Level)> {
    // At the planned number.
    let level = match plan.analysis.looks {
        Looks::Every => every_look(1.0, plan.analysis.level()),
        Looks::Once => plan.analysis.level(),
    };
    let mut bounds: Vec<f64> = stage.criteria().iter().filter_map(|asked| success_bound(plan, asked)).collect();
    // An error rate that says the same as a success rate is one fact.
    bounds.dedup_by(|next, kept| (*next - *kept).abs() < 1e-9);
    bounds.into_iter().map(|bound| (bound, level)).collect()
}

/// What the numbers of these stages cannot show, a line each; empty where they can show all that is asked.
pub(super) fn cannot_show(plan: &Plan, is_asked: impl Fn(&Stage) -> bool) -> String {
    let mut text = String::new();
    for stage in plan.stages.iter().filter(|stage| is_asked(stage)) {
        for (rate, level) in questions(plan, stage) {
            let fewest = fewest_to_show(rate, level);
            let Some(planned) = planned(stage).filter(|planned| *planned < fewest) else { continue };
            let words = &plan.schema.words;
            let _ = writeln!(
                text,
                "  {}: {} cannot show a success rate of {}: it takes {} without a failure (stagegate power)",
                stage.name,
                words.counted_as(planned, &words.treated),
                format::share(rate),
                format::count(fewest)
            );
        }
    }
    text
}

/// The number of records that a stage asks for.
fn planned(stage: &Stage) -> Option<u64> {
    let asked = stage.criteria().iter().find(|asked| asked.metric == RECORDS)?;
    match asked.bound()? {
        Bound::AtLeast(count) => Some(count.ceil() as u64),
        _ => None,
    }
}

/// The success rate that a criterion asks for, by itself or as an error rate.
fn success_bound(plan: &Plan, criterion: &Criterion) -> Option<f64> {
    let estimator = plan.metric(&criterion.metric)?.estimator;
    match (estimator, criterion.bound()?) {
        (Estimator::Rate(Share::Successes), Bound::AtLeast(rate)) => Some(rate),
        (Estimator::Rate(Share::Failures), Bound::AtMost(rate)) => Some(1.0 - rate),
        _ => None,
    }
    .filter(|rate| *rate > 0.0 && *rate < 1.0)
}

/// `1%: 100 async uploads cannot show 99.5 %: 765 without a failure at least, …`
fn told(plan: &Plan, stage: &Stage, (rate, level): (f64, Level), per_day: Option<f64>) -> String {
    let words = &plan.schema.words;
    let fewest = fewest_to_show(rate, level);
    let of = |share: f64| needed_for_power(rate, (1.0 - rate) * share, level);
    let (tenth, half) = (of(TENTH), of(HALF));
    let count = |n: Option<u64>| n.map_or_else(|| "more than ten million".into(), format::count);
    let what = format!("a success rate of {}", format::share(rate));
    let verdict = match planned(stage) {
        None => format!("{}: no number is planned; to show {what}", stage.name),
        Some(planned) => {
            let records = words.counted_as(planned, &words.treated);
            let can = match (planned < fewest, tenth.is_some_and(|tenth| planned >= tenth)) {
                (true, _) => "cannot show",
                (false, false) => "may show",
                (false, true) => "can show",
            };
            format!("{}: {records} {can} {what}:", stage.name)
        }
    };
    let days = per_day.filter(|_| stage.percentage > 0.0).zip(tenth).map(|(per_day, tenth)| {
        let treated = per_day * stage.percentage / 100.0;
        let days = (tenth as f64 / treated).ceil() as u64;
        format!(
            "; the second takes {} at {} a day",
            format::counted(days.max(1), "day"),
            format::count(treated.round() as u64)
        )
    });
    format!(
        "{verdict} it takes {} without a failure; for 80 % power {} where a tenth of the allowed failures happen, {} where half of them do{}",
        format::count(fewest),
        count(tenth),
        count(half),
        days.unwrap_or_default()
    )
}
