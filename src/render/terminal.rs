//! What a run prints: statuses in words and colour, colour only where it is wanted.

use std::fmt::Write;

use crate::format;
use crate::report::claims::{criterion_text, improvement_text};
use crate::report::model::{Criterion, Direction, Gate, Improvement, Report, Severity, Status};

/// Whether to colour what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    Always,
    Never,
}

const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const DIM: &str = "2";
const BOLD: &str = "1";

impl Colour {
    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::Always => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Self::Never => text.to_owned(),
        }
    }
}

/// Text from outside without control characters: a log must not steer a terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn status(status: Status, colour: Colour) -> String {
    let (code, word) = match status {
        Status::Met => (GREEN, "met"),
        Status::Exceeded => (GREEN, "exceeded"),
        Status::NotMet => (RED, "NOT MET"),
        Status::Inconclusive => (YELLOW, "inconclusive"),
        Status::NotMeasured => (DIM, format::NOT_MEASURED),
    };
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

/// What `stagegate check` prints: improvements and criteria, one a line.
pub fn check(report: &Report, colour: Colour) -> String {
    let mut text = heading(report, colour);
    let _ = writeln!(text, "\n{}", colour.paint(BOLD, "Improvements"));
    report.improvements.iter().for_each(|improvement| improvement_line(&mut text, improvement, colour));
    let _ = writeln!(text, "\n{}", colour.paint(BOLD, "Criteria"));
    report.criteria.iter().for_each(|criterion| criterion_line(&mut text, criterion, colour));
    text.push_str(&findings(report, colour));
    text
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

fn improvement_line(text: &mut String, improvement: &Improvement, colour: Colour) {
    let words = improvement_text(&improvement.id);
    let ends = format::open_interval(improvement.ci);
    let shown = match (improvement.value, &improvement.reason) {
        (Some(value), _) => match format::figure(value, ends, words.unit) {
            (value, Some(interval)) => format!("{value} ({interval})"),
            (value, None) => format!("{value} (no interval)"),
        },
        (None, Some(reason)) => reason.clone(),
        (None, None) => String::new(),
    };
    let _ = writeln!(text, "  {} {:<20} {}", status(improvement.status, colour), words.label, plain(&shown));
}

fn criterion_line(text: &mut String, criterion: &Criterion, colour: Colour) {
    let (_, label, unit, _) = criterion_text(criterion.metric);
    let sign = if criterion.direction == Direction::AtLeast { "≥" } else { "≤" };
    let needs = format!("{sign} {}", format::value(criterion.threshold, unit));
    let shown = match (criterion.value, &criterion.reason) {
        (Some(value), _) => match format::figure(value, criterion.ci.map(|[low, high]| (low, high)), unit) {
            (value, Some(interval)) => format!("{value} ({interval})"),
            (value, None) => value,
        },
        (None, reason) => reason.clone().unwrap_or_default(),
    };
    let more = criterion
        .more_uploads_needed
        .map_or_else(String::new, |more| format!("; {} would settle it", format::counted(more, "more upload")));
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
    text
}

/// `stagegate check --format json`: the judged parts of report.json.
pub fn check_json(report: &Report) -> String {
    let value = serde_json::json!({
        "improvements": report.improvements,
        "criteria": report.criteria,
        "data_quality": {"gate": report.data_quality.gate, "findings": report.data_quality.findings},
    });
    format!("{value:#}\n")
}

/// `stagegate check --format github`: an annotation for everything that is not met or not settled.
pub fn check_github(report: &Report) -> String {
    let mut text = String::new();
    let mut annotate = |status: Status, title: String, line: &dyn Fn(&mut String)| {
        let level = match status {
            Status::Met | Status::Exceeded => return,
            Status::NotMet => "error",
            Status::Inconclusive | Status::NotMeasured => "warning",
        };
        let mut message = String::new();
        line(&mut message);
        let _ = writeln!(text, "::{level} title={}::{}", github_property(&title), github_data(message.trim()));
    };
    for improvement in &report.improvements {
        let title = improvement_text(&improvement.id).label.to_owned();
        annotate(improvement.status, title, &|text| improvement_line(text, improvement, Colour::Never));
    }
    for criterion in &report.criteria {
        let title = format!("{} at {}", criterion_text(criterion.metric).1, plain(&criterion.stage));
        annotate(criterion.status, title, &|text| criterion_line(text, criterion, Colour::Never));
    }
    if report.data_quality.gate == Gate::Failed {
        let _ = writeln!(text, "::error title=Data quality::the data-quality gate failed");
    }
    text
}

/// Text in an annotation: a log must not write commands of its own.
fn github_data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn github_property(text: &str) -> String {
    github_data(text).replace(':', "%3A").replace(',', "%2C")
}
