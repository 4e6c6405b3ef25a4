//! What did the external reviewer say, and of these figures?

use crate::config::Plan;
use crate::evidence::validation::Record;
use crate::format;
use crate::report::claims::figures_digest;
use crate::report::model::{Claim, ClaimReview, QuestionReview, Validation};

/// The recorded review beside the claims of this report.
pub(super) fn validation(plan: &Plan, record: &Record, claims: &[Claim]) -> Validation {
    let response = &record.response;
    let review = |id: &String| {
        let given = response.claims.iter().find(|answer| answer.id == *id);
        ClaimReview {
            id: id.clone(),
            answer: given.map(|answer| answer.answer.word().to_owned()),
            comment: given.map(|answer| answer.comment.clone()).unwrap_or_default(),
        }
    };
    let reviews: Vec<ClaimReview> = record.asked.iter().map(review).collect();
    let count =
        |wanted: Option<&str>| reviews.iter().filter(|review| review.answer.as_deref() == wanted).count() as u64;
    let question = |answer: &crate::evidence::response::QuestionAnswer| QuestionReview {
        id: answer.id.clone(),
        answer: answer.answer.clone(),
    };
    Validation {
        consultation_id: response.consultation_id.clone(),
        verdict: response.verdict.word().to_owned(),
        bundle: response.bundle.clone(),
        recorded_at: record.recorded_at.clone(),
        current: record.figures == figures_digest(claims),
        agreed: count(Some("agree")),
        disagreed: count(Some("disagree")),
        cannot_tell: count(Some("cannot_tell")),
        not_answered: count(None),
        questions: response.questions.iter().map(question).collect(),
        objections: response.objections.clone(),
        file: plan.validation.response.clone(),
        claims: reviews,
    }
}

/// Whether the review leaves something to settle: an objection, or a claim that is disputed.
pub(super) fn is_open(review: &Validation) -> bool {
    !review.objections.is_empty() || review.disagreed > 0 || review.verdict == "approved_with_objections"
}

/// The review in a few words.
pub(super) fn told(review: &Validation) -> String {
    let asked = review.claims.len() as u64;
    let mut told = format!(
        "{}: {} of {} agreed",
        review.verdict.replace('_', " "),
        format::count(review.agreed),
        format::counted(asked, "claim")
    );
    for (number, words) in [
        (review.disagreed, "disputed"),
        (review.cannot_tell, "that cannot be told"),
        (review.not_answered, "not answered"),
    ] {
        if number > 0 {
            told.push_str(&format!(", {} {words}", format::count(number)));
        }
    }
    if !review.objections.is_empty() {
        told.push_str(&format!("; {}", format::counted(review.objections.len() as u64, "open objection")));
    }
    told
}
