//! The attempts of a rollout that was taken back; nothing where there was one, and it was not.

use serde::Serialize;

use super::super::anchors::anchor;
use crate::format;
use crate::report::model::{Attempt, AttemptEnd, Report};
use crate::schema::record::Words;

#[derive(Serialize)]
pub(crate) struct AttemptView {
    anchor: String,
    number: String,
    period: String,
    stages: String,
    n: String,
    failed: String,
    end: String,
}

pub(crate) fn attempts(report: &Report) -> Vec<AttemptView> {
    let attempts = &report.attempts;
    let is_plain = attempts.len() <= 1 && attempts.iter().all(|attempt| attempt.end == AttemptEnd::Open);
    if is_plain { Vec::new() } else { attempts.iter().map(|told| attempt(&report.words, told)).collect() }
}

fn attempt(words: &Words, attempt: &Attempt) -> AttemptView {
    let at = attempt.ended_at.as_deref().map_or_else(String::new, |at| format!(" on {}", words.date_time(at)));
    AttemptView {
        anchor: anchor(&format!("attempts.{}", attempt.number)),
        number: attempt.number.to_string(),
        period: words.period(&attempt.from, &attempt.to),
        stages: attempt.stages.join(", "),
        n: format::count(attempt.n),
        failed: format!("{} of {}", format::count(attempt.treated_failures), format::count(attempt.treated)),
        end: match attempt.end {
            AttemptEnd::Open => "not taken back".into(),
            AttemptEnd::RolledBack => format!("rolled back{at}"),
            AttemptEnd::SteppedBack => format!("stepped back{at}"),
        },
    }
}
