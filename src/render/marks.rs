//! How a status is shown: class, sign and word; what figures were made with, and what they are warned of.

use serde::Serialize;

use crate::format;
use crate::report::model::{
    ChangeDirection, CompletionStatus, DecisionValue, FigureWarning, Headline, IntervalMethod, RegressionVerdict,
    Status,
};
use crate::report::words::{completion_word, status_word};

/// A status: its class on the page, sign and word.
#[derive(Serialize)]
pub(super) struct Mark {
    pub class: &'static str,
    pub mark: &'static str,
    pub word: &'static str,
}

impl Mark {
    pub(super) fn new(class: &'static str, mark: &'static str, word: &'static str) -> Self {
        Self { class, mark, word }
    }
}

/// The mark of a criterion or improvement.
pub(super) fn status(status: Status) -> Mark {
    let (class, mark) = match status {
        Status::Met => ("met", "✓"),
        Status::Exceeded => ("met", "✓✓"),
        Status::NotMet => ("not-met", "✕"),
        Status::Open => ("open", "?"),
        Status::NotMeasured | Status::NotJudged => ("not-measured", "–"),
    };
    Mark::new(class, mark, status_word(status))
}

/// The mark of a line of what changed: against the plan; where it asks for nothing, which way it went.
pub(super) fn headline(line: &Headline) -> Mark {
    match (line.status, line.direction) {
        (Status::NotJudged, Some(ChangeDirection::Better)) => Mark::new("plain", "✓", "better"),
        (Status::NotJudged, Some(ChangeDirection::Worse)) => Mark::new("not-met", "✕", "worse"),
        (Status::NotJudged, Some(ChangeDirection::Unsure)) => Mark::new("plain", "=", "no sure change"),
        (Status::NotJudged, None) => Mark::new("not-measured", "–", status_word(Status::NotMeasured)),
        (judged, _) => status(judged),
    }
}

/// The mark of a completion criterion.
pub(super) fn completion(status: CompletionStatus) -> Mark {
    let (class, mark) = match status {
        CompletionStatus::Met => ("met", "✓"),
        CompletionStatus::NotMet => ("not-met", "✕"),
        CompletionStatus::NotEvidenced => ("not-measured", "–"),
    };
    Mark::new(class, mark, completion_word(status))
}

/// The mark of a segment that was tested for a regression.
pub(super) fn verdict(verdict: Option<RegressionVerdict>) -> Mark {
    match verdict {
        Some(RegressionVerdict::Regression) => Mark::new("not-met", "✕", "worse"),
        Some(RegressionVerdict::WithinMargin) => Mark::new("met", "✓", "within margin"),
        Some(RegressionVerdict::Open) => Mark::new("open", "?", status_word(Status::Open)),
        None => Mark::new("not-measured", "–", format::NOT_MEASURED),
    }
}

/// The class of a decision.
pub(super) fn level(value: DecisionValue) -> &'static str {
    match value {
        DecisionValue::Go => "go",
        DecisionValue::Incomplete => "incomplete",
        DecisionValue::Review => "review",
        DecisionValue::NoGo => "no-go",
        DecisionValue::Rollback => "rollback",
    }
}

/// The sign of a decision beside its word.
pub(super) fn sign(value: DecisionValue) -> &'static str {
    match value {
        DecisionValue::Go => "✓",
        DecisionValue::Incomplete => "…",
        DecisionValue::Review => "?",
        DecisionValue::NoGo => "✕",
        DecisionValue::Rollback => "↩",
    }
}

/// How an interval was made.
pub(super) fn method(method: IntervalMethod) -> &'static str {
    match method {
        IntervalMethod::Wilson => "Wilson score on effective counts",
        IntervalMethod::Koopman => "Koopman score on effective counts",
        IntervalMethod::StudentisedBootstrap => "studentised bootstrap of clock hours",
        IntervalMethod::Woodruff => "Woodruff on effective counts",
        IntervalMethod::BlockBootstrap => "bootstrap of clock hours",
        IntervalMethod::MinuteBootstrap => "bootstrap of minutes",
        IntervalMethod::RecordBootstrap => "bootstrap of single records",
    }
}

fn warning(warning: FigureWarning) -> &'static str {
    match warning {
        FigureWarning::FewHours => {
            "fewer than 8 hours: records are taken as independent, the interval may be too narrow"
        }
        FigureWarning::HoursCorrelated => "hours resemble the one before: the interval is wider for it",
        FigureWarning::DaysDiffer => "days differ: the interval is one of whole days",
        FigureWarning::TooFew => "too few for an interval",
        FigureWarning::MixChanged => "the mix changed, and the figure with it",
        FigureWarning::SplitMismatch => "the split is not what was set: the arms may differ in more than the treatment",
    }
}

/// All warnings of a figure.
pub(super) fn warnings(list: &[FigureWarning]) -> Option<String> {
    let texts: Vec<&str> = list.iter().map(|item| warning(*item)).collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}
