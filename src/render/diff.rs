//! What changed from one report to another: statuses, values beyond both intervals, incidents.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use super::escape::{markdown_text, plain};
use super::templates::render;
use super::terminal::Colour;
use crate::format;
use crate::metric::{Better, Unit};
use crate::report::model::{CompletionStatus, Improvement, Report, Status};
use crate::report::words::{completion_word, decision_words, status_word};

/// One of two reports.
#[derive(Serialize)]
struct Side {
    title: String,
    generated_at: String,
    /// What it counts, in words.
    counted: String,
    decision: &'static str,
}

/// What changed from one report to another.
#[derive(Serialize)]
pub struct Difference {
    before: Side,
    after: Side,
    changes: Vec<Change>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Direction {
    Better,
    Worse,
    Other,
}

#[derive(Serialize)]
struct Change {
    direction: Direction,
    #[serde(rename = "text")]
    line: String,
}

/// What is said where nothing changed.
const THE_SAME: &str =
    "Nothing changed: decision, improvements, criteria, incidents, regressions, completion and inputs are the same.";

impl Difference {
    /// What changed from `before` to `after`.
    pub fn between(before: &Report, after: &Report) -> Self {
        let mut changes: Vec<Change> = decision(before, after).into_iter().collect();
        changes.extend(improvements(before, after));
        changes.extend(criteria(before, after));
        changes.extend(names(before, after));
        changes.extend(completion(before, after));
        changes.extend(inputs(before, after));
        Self { before: side(before), after: side(after), changes }
    }

    /// Whether something changed at all, and whether something got worse.
    pub fn verdict(&self) -> (bool, bool) {
        (!self.changes.is_empty(), self.changes.iter().any(|change| change.direction == Direction::Worse))
    }

    /// For a terminal, one change a line.
    pub fn text(&self, colour: Colour) -> String {
        let Self { before, after, changes } = self;
        let mut text = format!(
            "{}\n  from {} ({})\n  to   {} ({})\n\n",
            plain(&after.title),
            before.generated_at,
            before.counted,
            after.generated_at,
            after.counted
        );
        for Change { direction, line } in changes {
            let mark = match direction {
                Direction::Better => colour.paint(super::terminal::GREEN, "+"),
                Direction::Worse => colour.paint(super::terminal::RED, "-"),
                Direction::Other => " ".into(),
            };
            let _ = writeln!(text, "{mark} {}", plain(line));
        }
        if changes.is_empty() {
            let _ = writeln!(text, "{THE_SAME}");
        }
        text
    }

    /// For a merge request.
    pub fn markdown(&self) -> String {
        let Self { before, after, changes } = self;
        let mut text = format!(
            "## {}\n\nFrom {} ({}): {}\\\nto {} ({}): **{}**\n\n",
            markdown_text(&after.title),
            before.generated_at,
            before.counted,
            before.decision,
            after.generated_at,
            after.counted,
            after.decision
        );
        for Change { direction, line } in changes {
            let word = match direction {
                Direction::Better => "**better**: ",
                Direction::Worse => "**worse**: ",
                Direction::Other => "",
            };
            let _ = writeln!(text, "- {word}{}", markdown_text(&with_arrows(line)));
        }
        if changes.is_empty() {
            let _ = writeln!(text, "{THE_SAME}");
        }
        text
    }

    /// For machines: `before`, `after`, and `changes`, each with its `direction` (`better`, `worse`, `other`) and `text`.
    pub fn json(&self) -> String {
        format!("{:#}\n", serde_json::json!(self))
    }

    /// A page of its own.
    pub fn html(&self) -> String {
        let Self { before, after, changes } = self;
        let written = |change: &Change| Change { direction: change.direction, line: with_arrows(&change.line) };
        let changes: Vec<Change> = changes.iter().map(written).collect();
        let page = serde_json::json!({"before": before, "after": after, "changes": changes, "the_same": THE_SAME});
        render("diff.html", &page)
    }
}

/// As a page writes it.
fn with_arrows(line: &str) -> String {
    line.replace(" -> ", " → ")
}

fn side(report: &Report) -> Side {
    Side {
        title: report.title.clone(),
        generated_at: report.words.date_time(&report.generated_at),
        counted: report.words.counted(report.stages.iter().map(|stage| stage.groups.all.n).sum()),
        decision: decision_words(report.decision.value).0,
    }
}

fn change(direction: Direction, line: String) -> Change {
    Change { direction, line }
}

fn decision(before: &Report, after: &Report) -> Option<Change> {
    let (from, to) = (before.decision.value, after.decision.value);
    let direction = if to < from { Direction::Better } else { Direction::Worse };
    (from != to).then(|| change(direction, format!("decision: {} -> {}", decision_words(from).0, decision_words(to).0)))
}

fn rank(status: Status) -> u8 {
    match status {
        Status::NotMet => 0,
        Status::NotMeasured | Status::NotJudged => 1,
        Status::Open => 2,
        Status::Met => 3,
        Status::Exceeded => 4,
    }
}

fn of_status(from: Status, to: Status) -> Direction {
    match rank(to).cmp(&rank(from)) {
        std::cmp::Ordering::Greater => Direction::Better,
        std::cmp::Ordering::Less => Direction::Worse,
        std::cmp::Ordering::Equal => Direction::Other,
    }
}

/// Status changes, and values that moved out of the other's interval.
fn improvements(before: &Report, after: &Report) -> Vec<Change> {
    let mut changes = Vec::new();
    for now in &after.improvements {
        let Some(then) = before.improvements.iter().find(|then| then.id == now.id) else { continue };
        let show = |improvement: &Improvement| {
            improvement.value.map_or_else(
                || format::NOT_MEASURED.to_owned(),
                |value| format::estimate(value, improvement.ci, &improvement.unit),
            )
        };
        let apart = match (then.ci, now.ci) {
            (Some(a), Some(b)) => a.is_apart_from(b),
            _ => false,
        };
        if then.status != now.status || apart {
            let direction = match of_status(then.status, now.status) {
                Direction::Other => moved(after, now, then),
                direction => direction,
            };
            let line = format!(
                "{}: {}, {} -> {}, {}",
                now.label.to_lowercase(),
                status_word(then.status),
                show(then),
                status_word(now.status),
                show(now)
            );
            changes.push(change(direction, line));
        }
    }
    changes
}

/// Whether a value that moved out of the other's interval got better: by its metric, and a reduction by its size.
fn moved(after: &Report, now: &Improvement, then: &Improvement) -> Direction {
    let better = match (&now.unit, after.metric(&now.metric)) {
        (Unit::Ratio, Some(metric)) => metric.better,
        (Unit::Ratio, None) => Better::Neither,
        _ => Better::Higher,
    };
    match (better, now.value > then.value) {
        (Better::Neither, _) => Direction::Other,
        (Better::Higher, true) | (Better::Lower, false) => Direction::Better,
        (Better::Higher, false) | (Better::Lower, true) => Direction::Worse,
    }
}

fn criteria(before: &Report, after: &Report) -> Vec<Change> {
    let mut changes = Vec::new();
    for now in &after.criteria {
        let then = before.criteria.iter().find(|then| then.stage == now.stage && then.metric == now.metric);
        let Some(then) = then.filter(|then| then.status != now.status) else { continue };
        let show = |criterion: &crate::report::model::Criterion| {
            criterion.value.map_or_else(
                || format::NOT_MEASURED.to_owned(),
                |value| format::estimate(value, criterion.ci, &criterion.unit),
            )
        };
        let line = format!(
            "{} at {}: {}, {} -> {}, {}",
            now.label.to_lowercase(),
            now.stage,
            status_word(then.status),
            show(then),
            status_word(now.status),
            show(now)
        );
        changes.push(change(of_status(then.status, now.status), line));
    }
    changes
}

/// Incidents, regressions and change points that came or went.
fn names(before: &Report, after: &Report) -> Vec<Change> {
    let listed = |report: &Report| -> BTreeMap<String, &'static str> {
        let fired =
            report.triggers.iter().filter(|trigger| trigger.fired).map(|trigger| (trigger.id.clone(), "incident"));
        let worse = report.regressions.found.iter().map(|id| (id.clone(), "regression"));
        let shifts = report.change_points.iter().map(|point| (point.id.clone(), "shift"));
        fired.chain(worse).chain(shifts).collect()
    };
    let (then, now) = (listed(before), listed(after));
    let direction = |kind: &str, came: bool| match (kind, came) {
        ("shift", _) => Direction::Other,
        (_, true) => Direction::Worse,
        (_, false) => Direction::Better,
    };
    let came = now.iter().filter(|(id, _)| !then.contains_key(*id));
    let went = then.iter().filter(|(id, _)| !now.contains_key(*id));
    let came = came.map(|(id, kind)| change(direction(kind, true), format!("new {kind}: {id}")));
    came.chain(went.map(|(id, kind)| change(direction(kind, false), format!("no more {kind}: {id}")))).collect()
}

fn completion(before: &Report, after: &Report) -> Vec<Change> {
    let turned = after.completion.iter().filter_map(|now| {
        let then = before.completion.iter().find(|then| then.id == now.id).filter(|then| then.status != now.status)?;
        let direction = if now.status == CompletionStatus::Met { Direction::Better } else { Direction::Worse };
        let line = format!(
            "completion, {}: {} -> {}",
            now.label.to_lowercase(),
            completion_word(then.status),
            completion_word(now.status)
        );
        Some(change(direction, line))
    });
    turned.collect()
}

fn inputs(before: &Report, after: &Report) -> Vec<Change> {
    let digest = |report: &Report| -> BTreeMap<String, String> {
        report.inputs.iter().map(|input| (input.path.clone(), input.digest.clone())).collect()
    };
    // Digests of two kinds tell nothing of each other.
    let algorithm = |digest: &str| digest.split_once(':').map(|(algorithm, _)| algorithm.to_owned());
    let (then, now) = (digest(before), digest(after));
    let mut changes = Vec::new();
    for (path, digest) in &now {
        match then.get(path) {
            None => changes.push(change(Direction::Other, format!("new input: {path}"))),
            Some(old) if old != digest && algorithm(old) == algorithm(digest) => {
                changes.push(change(Direction::Other, format!("changed input: {path}")))
            }
            Some(_) => {}
        }
    }
    let gone = then.keys().filter(|path| !now.contains_key(*path));
    changes.extend(gone.map(|path| change(Direction::Other, format!("no more input: {path}"))));
    changes
}
