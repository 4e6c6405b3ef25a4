//! What a run prints: statuses in words and colour, colour only where it is wanted.

use std::fmt::Write;

use super::escape::plain;
use super::marks::{self, Mark};
use crate::error::Position;
use crate::format;
use crate::report::changes::line_text;
use crate::report::model::{
    Completion, CompletionStatus, Criterion, DecisionValue, Direction, Gate, Headline, Improvement, Report, Severity,
    Status, Trigger, TriggerSeverity,
};
use crate::report::summary::left_out;
use crate::report::words::{
    accepted_text, answer_text, attempt_text, completion_word, decision_meaning, decision_words, read_as, status_word,
};
use crate::schema::record::Words;

/// Whether to colour what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    Always,
    Never,
}

pub(super) const RED: &str = "31";
pub(super) const GREEN: &str = "32";
const YELLOW: &str = "33";
const DIM: &str = "2";
const BOLD: &str = "1";

impl Colour {
    pub(super) fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::Always => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Self::Never => text.to_owned(),
        }
    }
}

fn status(status: Status, colour: Colour) -> String {
    painted(&marks::status(status), colour)
}

/// The word of a mark as a column; what misses its target is loud.
fn painted(mark: &Mark, colour: Colour) -> String {
    let code = match mark.class {
        "met" => GREEN,
        "not-met" => RED,
        "open" => YELLOW,
        _ => DIM,
    };
    let word = if mark.word == status_word(Status::NotMet) { mark.word.to_uppercase() } else { mark.word.to_owned() };
    colour.paint(code, &format!("{word:<12}"))
}

/// The summary that `stagegate report` prints.
pub fn summary(report: &Report, colour: Colour) -> String {
    let mut text = heading(report, colour);
    for sentence in &report.summary {
        let _ = writeln!(text, "{}", plain(sentence));
    }
    text.push_str(&findings(report, colour));
    text
}

/// Files of another format that are named.
const FILES_NAMED: usize = 10;
/// Lines of a digest.
const DIGEST_LINES: usize = 15;
/// Characters of a line of it: a mail shows that many.
const DIGEST_WIDTH: usize = 110;

/// What `stagegate report --summary` prints: at most 15 plain lines for a chat or a mail.
pub fn digest(report: &Report) -> String {
    let mut lines = vec![plain(&report.title)];
    if let Some(scenario) = &report.simulated {
        lines.push(format!("simulated data, not a measurement: {}", plain(scenario)));
    }
    lines.push(format!("{}.", decision_line(report)));
    for reason in report.decision.reasons.iter().take(3) {
        lines.push(format!("- {}", plain(&reason.text)));
    }
    let more = report.decision.reasons.len().saturating_sub(3);
    if more > 0 {
        lines.push(format!("- and {} more", format::counted(more as u64, "reason")));
    }
    lines.extend(report.headlines.iter().map(|line| headline_text(report, line)));
    for (index, step) in report.next_steps.iter().take(3).enumerate() {
        lines.push(format!("next {}: {}", index + 1, plain(&step.text)));
    }
    lines.truncate(DIGEST_LINES);
    let cut = |line: String| {
        if line.chars().count() <= DIGEST_WIDTH {
            return line;
        }
        format!("{}…", line.chars().take(DIGEST_WIDTH - 1).collect::<String>())
    };
    lines.into_iter().map(|line| cut(line) + "\n").collect()
}

/// What `stagegate check` prints: the decision with its reasons, improvements, criteria, triggers,
/// completion, one a line.
pub fn check(report: &Report, colour: Colour) -> String {
    let mut text = heading(report, colour);
    decision(&mut text, report, colour);
    accepted(&mut text, report, colour);
    if let Some(told) = left_out(report) {
        let _ = writeln!(text, "  {} {}", colour.paint(YELLOW, &format!("{:<12}", "left out")), plain(&told));
    }
    let title = |text: &mut String, words: &str| {
        let _ = writeln!(text, "\n{}", colour.paint(BOLD, words));
    };
    if report.attempts.len() > 1 {
        title(&mut text, "Attempts");
        for attempt in &report.attempts {
            let when = report.words.period(&attempt.from, &attempt.to);
            let told = attempt_text(attempt, &report.words);
            let _ = writeln!(text, "  {when}: {}", plain(&told));
        }
    }
    // What is not asked for has no heading.
    if !report.headlines.is_empty() {
        title(&mut text, "What changed");
    }
    report.headlines.iter().for_each(|line| headline_line(&mut text, report, line, colour));
    title(&mut text, "Criteria");
    report.criteria.iter().for_each(|criterion| criterion_line(&mut text, &report.words, criterion, colour));
    title(&mut text, "Triggers");
    triggers(&mut text, &report.words, &report.triggers, colour);
    if !report.completion.is_empty() {
        title(&mut text, "Completion");
    }
    report.completion.iter().for_each(|item| completion_line(&mut text, item, colour));
    text.push_str(&findings(report, colour));
    text
}

fn decision_code(value: DecisionValue) -> &'static str {
    match value {
        DecisionValue::Go => GREEN,
        DecisionValue::Incomplete | DecisionValue::Review => YELLOW,
        DecisionValue::NoGo | DecisionValue::Rollback => RED,
    }
}

/// The decision in one line.
pub(super) fn decision_line(report: &Report) -> String {
    format!("{}: {}", decision_words(report.decision.value).0, plain(&decision_meaning(report)))
}

fn decision(text: &mut String, report: &Report, colour: Colour) {
    let (word, meaning) = (decision_words(report.decision.value).0, plain(&decision_meaning(report)));
    let _ = writeln!(text, "\n{}: {meaning}", colour.paint(decision_code(report.decision.value), &word.to_uppercase()));
    for reason in &report.decision.reasons {
        let word = decision_words(reason.level).0.to_lowercase();
        let mark = colour.paint(decision_code(reason.level), &format!("{word:<12}"));
        let _ = writeln!(text, "  {mark} {}  {}", plain(&reason.text), colour.paint(DIM, &plain(&reason.finding)));
    }
}

/// What people took upon themselves, one a line.
fn accepted(text: &mut String, report: &Report, colour: Colour) {
    for accepted in &report.decision.accepted {
        let mark = colour.paint(YELLOW, &format!("{:<12}", "accepted"));
        let told = plain(&accepted_text(accepted, &report.words));
        let _ = writeln!(text, "  {mark} {told}  {}", colour.paint(DIM, &plain(&accepted.reason.finding)));
    }
}

/// An incident in one line.
pub(super) fn trigger_text(words: &Words, trigger: &Trigger) -> String {
    let answer = answer_text(trigger).map_or_else(String::new, |answer| format!("; {answer}"));
    let p_value = trigger.p_value.map_or_else(String::new, |p| format!(", {}", format::p_value(p)));
    plain(&format!(
        "{}, {}; {}{p_value}{answer}",
        words.period(&trigger.from, &trigger.to),
        words.counted(trigger.n),
        trigger.text
    ))
}

fn triggers(text: &mut String, words: &Words, triggers: &[Trigger], colour: Colour) {
    for trigger in triggers.iter().filter(|trigger| trigger.fired) {
        let (code, word) = match trigger.severity {
            TriggerSeverity::Rollback => (RED, "ROLLBACK"),
            TriggerSeverity::Review => (YELLOW, "review"),
        };
        let stage = plain(&trigger.stage);
        let _ = writeln!(
            text,
            "  {} {stage:<10} {:<22} {:<8} {}",
            colour.paint(code, &format!("{word:<12}")),
            trigger.trigger,
            trigger.scope,
            trigger_text(words, trigger)
        );
    }
    let chance: u64 = triggers.iter().filter(|trigger| !trigger.fired).map(|trigger| trigger.windows).sum();
    let fired = triggers.iter().filter(|trigger| trigger.fired).count();
    if fired == 0 {
        let _ = writeln!(text, "  {} no trigger fired", colour.paint(GREEN, &format!("{:<12}", "none")));
    }
    if chance > 0 {
        let windows = format::counted(chance, "window");
        let _ = writeln!(text, "  {:<12} thresholds were crossed in {windows} that chance explains", "");
    }
}

fn completion_line(text: &mut String, item: &Completion, colour: Colour) {
    let code = match item.status {
        CompletionStatus::Met => GREEN,
        CompletionStatus::NotMet => RED,
        CompletionStatus::NotEvidenced => DIM,
    };
    let word = match item.status {
        CompletionStatus::NotMet => completion_word(item.status).to_uppercase(),
        _ => completion_word(item.status).to_owned(),
    };
    let _ =
        writeln!(text, "  {} {:<32} {}", colour.paint(code, &format!("{word:<12}")), item.label, plain(&item.evidence));
}

fn heading(report: &Report, colour: Colour) -> String {
    let mut text = format!("{}\n", colour.paint(BOLD, &plain(&report.title)));
    if let Some(scenario) = &report.simulated {
        let _ = writeln!(
            text,
            "{}",
            colour.paint(YELLOW, &format!("simulated data, not a measurement: {}", plain(scenario)))
        );
    }
    text
}

/// What changed of one thing in one line, without the columns of a terminal.
pub(super) fn headline_text(report: &Report, line: &Headline) -> String {
    plain(&format!("{}: {}: {}", line.label, marks::headline(line).word, line_text(report.metric(&line.metric), line)))
}

fn headline_line(text: &mut String, report: &Report, line: &Headline, colour: Colour) {
    let (label, told) = (plain(&line.label), plain(&line_text(report.metric(&line.metric), line)));
    let _ = writeln!(text, "  {} {label:<20} {told}", painted(&marks::headline(line), colour));
}

pub(super) fn improvement_line(text: &mut String, improvement: &Improvement, colour: Colour) {
    let shown = improvement_shown(improvement);
    let _ =
        writeln!(text, "  {} {:<20} {}", status(improvement.status, colour), plain(&improvement.label), plain(&shown));
}

fn improvement_shown(improvement: &Improvement) -> String {
    match (improvement.value, &improvement.reason) {
        (Some(value), _) => match format::figure(value, improvement.ci, &improvement.unit) {
            (value, Some(interval)) => format!("{value} ({interval})"),
            (value, None) => format!("{value} (no interval)"),
        },
        (None, Some(reason)) => reason.clone(),
        (None, None) => String::new(),
    }
}

pub(super) fn criterion_line(text: &mut String, words: &Words, criterion: &Criterion, colour: Colour) {
    let (label, unit) = (plain(&criterion.label), &criterion.unit);
    let sign = if criterion.direction == Direction::AtLeast { "≥" } else { "≤" };
    let needs = format!("{sign} {}", format::value(criterion.threshold, unit));
    let shown = match (criterion.value, &criterion.reason) {
        (Some(value), _) => match format::figure(value, criterion.ci, unit) {
            (value, Some(interval)) => format!("{value} ({interval})"),
            (value, None) => value,
        },
        (None, reason) => reason.clone().unwrap_or_default(),
    };
    let waits = criterion.standing.as_ref().is_some_and(|standing| standing.level.is_some());
    let more = criterion
        .more_needed
        .filter(|_| waits)
        .map_or_else(String::new, |more| format!("; {} would settle it", words.counted_as(more, "more")));
    let stage = plain(&criterion.stage);
    let _ = writeln!(
        text,
        "  {} {stage:<10} {label:<20} {shown}; {needs}, n = {}{more}",
        status(criterion.status, colour),
        format::count(criterion.n)
    );
}

fn findings(report: &Report, colour: Colour) -> String {
    let mut text = String::new();
    let quality = &report.data_quality;
    let gate = match quality.gate {
        Gate::Passed => colour.paint(GREEN, "passed"),
        Gate::Failed => colour.paint(RED, "FAILED"),
    };
    let _ = writeln!(text, "\nData quality: {gate}");
    for finding in &quality.findings {
        let (code, word) = match finding.severity {
            Severity::Error => (RED, "error"),
            Severity::Warning => (YELLOW, "warning"),
            Severity::Info => (DIM, "info"),
        };
        let _ = writeln!(text, "  {} {}", colour.paint(code, &format!("{word:<8}")), plain(&finding.text));
    }
    for (path, read_as) in
        report.inputs.iter().filter_map(|input| Some((&input.path, read_as(input)?))).take(FILES_NAMED)
    {
        let _ = writeln!(text, "  {} {}", colour.paint(DIM, "format  "), plain(&format!("{path}: {read_as}")));
    }
    for rejected in &quality.rejected {
        let first = rejected.examples.first().map_or_else(String::new, |first| {
            let place = Position { file: first.path.clone(), line: Some(first.line), column: first.column };
            format!("; the first is {place}: {}", first.message)
        });
        let line = format!("{} {}{first}", format::count(rejected.count), rejected.reason);
        let _ = writeln!(text, "  {} {}", colour.paint(DIM, "rejected"), plain(&line));
    }
    text
}
