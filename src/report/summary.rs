//! The executive summary: plain sentences. A figure enters a sentence only as a claim.

use super::claims::{criterion_text, improvement_text};
use super::model::{Claim, Criterion, DataQuality, Gate, Improvement, SplitStatus, Stage, Status};
use crate::format;

/// Three to six sentences.
pub fn summary(
    claims: &[Claim],
    stages: &[Stage],
    improvements: &[Improvement],
    criteria: &[Criterion],
    quality: &DataQuality,
) -> Vec<String> {
    let mut sentences = vec![scope(stages)];
    sentences.extend(improvement_sentences(claims, improvements));
    sentences.extend(criteria_sentences(criteria));
    sentences.extend(split_sentence(stages));
    if quality.gate == Gate::Failed {
        sentences.push("The log fails the data-quality gate: read every figure with the findings below.".into());
    }
    sentences
}

fn scope(stages: &[Stage]) -> String {
    let measured = stages.iter().filter(|stage| stage.groups.all.uploads > 0);
    let names: Vec<&str> = measured.clone().map(|stage| stage.name.as_str()).collect();
    let uploads: u64 = measured.map(|stage| stage.groups.all.uploads).sum();
    match names.as_slice() {
        [] => "The log holds no usable upload: nothing is measured.".into(),
        [only] => format!("The log holds {}, all in stage {only}.", format::counted(uploads, "upload")),
        [.., _] => {
            let stages = join(&names);
            format!("The log holds {} in {} stages: {stages}.", format::counted(uploads, "upload"), names.len())
        }
    }
}

fn split_sentence(stages: &[Stage]) -> Option<String> {
    let wrong = stages.iter().filter(|stage| stage.split.status == SplitStatus::Mismatch);
    let names: Vec<&str> = wrong.map(|stage| stage.name.as_str()).collect();
    let stages = if names.len() == 1 { "stage" } else { "stages" };
    (!names.is_empty()).then(|| format!("The traffic split of {stages} {} is not what was set.", join(&names)))
}

/// `a, b and c`
fn join(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [only] => (*only).into(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

fn improvement_sentences(claims: &[Claim], improvements: &[Improvement]) -> Vec<String> {
    let mut sentences = Vec::new();
    let phrase = |improvement: &Improvement| {
        let id = format!("improvements.{}", improvement.id);
        let claim = claims.iter().find(|claim| claim.id == id)?;
        let text = improvement_text(&improvement.id);
        let ends = format::open_interval(claim.ci);
        let (value, interval) = format::figure(claim.value, ends, text.unit);
        let interval =
            interval.map_or_else(|| ", no interval".into(), |interval| format!(" (95 % interval {interval})"));
        Some(format!("{} {value}{interval}", text.label.to_lowercase()))
    };
    for (status, words) in [
        (Status::Exceeded, "Above the target band"),
        (Status::Met, "Target reached"),
        (Status::NotMet, "Target missed"),
        (Status::Inconclusive, "Not settled by this log"),
    ] {
        let phrases: Vec<String> =
            improvements.iter().filter(|improvement| improvement.status == status).filter_map(phrase).collect();
        if !phrases.is_empty() {
            sentences.push(format!("{words}: {}.", phrases.join("; ")));
        }
    }
    let missing: Vec<String> = improvements
        .iter()
        .filter(|improvement| improvement.status == Status::NotMeasured)
        .map(|improvement| {
            let reason = improvement.reason.as_deref().unwrap_or("an ingredient is missing");
            format!("{} ({reason})", improvement_text(&improvement.id).label.to_lowercase())
        })
        .collect();
    if !missing.is_empty() {
        sentences.push(format!("Not measured: {}.", missing.join("; ")));
    }
    sentences
}

fn criteria_sentences(criteria: &[Criterion]) -> Vec<String> {
    if criteria.is_empty() {
        return Vec::new();
    }
    let count = |status| criteria.iter().filter(|criterion| criterion.status == status).count();
    let mut parts = vec![format!("{} of {} stage criteria are met", count(Status::Met), criteria.len())];
    for (status, words) in
        [(Status::NotMet, "not met"), (Status::Inconclusive, "inconclusive"), (Status::NotMeasured, "not measured")]
    {
        if count(status) > 0 {
            parts.push(format!("{} {words}", count(status)));
        }
    }
    let mut sentences = vec![format!("{}.", parts.join(", "))];
    let missed: Vec<String> = criteria
        .iter()
        .filter(|criterion| criterion.status == Status::NotMet)
        .map(|criterion| format!("{} at {}", criterion_text(criterion.metric).1.to_lowercase(), criterion.stage))
        .collect();
    if !missed.is_empty() {
        sentences.push(format!("Not met: {}.", missed.join("; ")));
    }
    sentences
}
