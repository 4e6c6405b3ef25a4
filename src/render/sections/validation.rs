//! What the external reviewer said.

use serde::Serialize;

use super::super::anchors::anchor;
use super::super::marks::Mark;
use crate::format;
use crate::report::model::{ClaimReview, Validation};
use crate::schema::record::Words;

#[derive(Serialize)]
pub(crate) struct ValidationView {
    status: Mark,
    recorded_at: String,
    current: bool,
    consultation_id: Option<String>,
    bundle: String,
    file: String,
    counts: String,
    claims: Vec<ClaimView>,
    questions: Vec<[String; 2]>,
    objections: Vec<String>,
}

#[derive(Serialize)]
struct ClaimView {
    id: String,
    anchor: String,
    status: Mark,
    comment: String,
}

pub(crate) fn validation(words: &Words, review: &Validation) -> ValidationView {
    let status = match review.verdict.as_str() {
        "approved" => Mark::new("met", "✓", "approved"),
        "rejected" => Mark::new("not-met", "✕", "rejected"),
        _ => Mark::new("open", "?", "approved with objections"),
    };
    let claim = |claim: &ClaimReview| ClaimView {
        id: claim.id.clone(),
        anchor: anchor(&claim.id),
        status: match claim.answer.as_deref() {
            Some("agree") => Mark::new("met", "✓", "agrees"),
            Some("disagree") => Mark::new("not-met", "✕", "disagrees"),
            Some(_) => Mark::new("open", "?", "cannot tell"),
            None => Mark::new("not-measured", "–", "no answer"),
        },
        comment: claim.comment.clone(),
    };
    // What is in dispute first.
    let rank = |claim: &&ClaimReview| match claim.answer.as_deref() {
        Some("disagree") => 0,
        Some("cannot_tell") => 1,
        None => 2,
        Some(_) => 3,
    };
    let mut claims: Vec<&ClaimReview> = review.claims.iter().collect();
    claims.sort_by_key(rank);
    ValidationView {
        status,
        recorded_at: words.date_time(&review.recorded_at),
        current: review.current,
        consultation_id: review.consultation_id.clone(),
        bundle: review.bundle.clone(),
        file: review.file.clone(),
        counts: format!(
            "{} agreed, {} disputed, {} that cannot be told, {} without an answer",
            format::count(review.agreed),
            format::count(review.disagreed),
            format::count(review.cannot_tell),
            format::count(review.not_answered)
        ),
        claims: claims.into_iter().map(claim).collect(),
        questions: review.questions.iter().map(|question| [question.id.clone(), question.answer.clone()]).collect(),
        objections: review.objections.clone(),
    }
}
