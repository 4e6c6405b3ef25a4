//! Test results and coverage.

use serde::Serialize;

use super::super::marks::Mark;
use crate::format;
use crate::report::model::{Report, TestPhase};

#[derive(Serialize)]
pub(crate) struct TestsView {
    phases: Vec<PhaseView>,
    coverage: Option<String>,
}

#[derive(Serialize)]
struct PhaseView {
    name: String,
    status: Mark,
    expected: String,
    passed: String,
    failed: String,
    skipped: String,
    missing: String,
    failing: Vec<[String; 2]>,
    flaky: Vec<String>,
    disagreements: Vec<String>,
    /// `None` without a run before.
    regressed: Option<Vec<String>>,
    fixed: Option<Vec<String>>,
}

pub(crate) fn tests(report: &Report) -> TestsView {
    let phase = |phase: &TestPhase| {
        let bad = phase.failed + phase.errors;
        PhaseView {
            name: phase.name.clone(),
            status: match (bad, phase.missing + phase.skipped, phase.files.is_empty()) {
                (_, _, true) => Mark::new("not-measured", "–", "no results"),
                (0, 0, _) if phase.disagreements.is_empty() => Mark::new("met", "✓", "passed"),
                (0, _, _) => Mark::new("open", "?", "incomplete"),
                _ => Mark::new("not-met", "✕", "failed"),
            },
            expected: format::count(phase.expected),
            passed: format::count(phase.passed),
            failed: format::count(bad),
            skipped: format::count(phase.skipped),
            missing: format::count(phase.missing),
            failing: phase.failing.iter().map(|test| [test.name.clone(), test.message.clone()]).collect(),
            flaky: phase.flaky.clone(),
            disagreements: phase.disagreements.clone(),
            regressed: phase.regressed.clone(),
            fixed: phase.fixed.clone(),
        }
    };
    TestsView {
        phases: report.tests.phases.iter().map(phase).collect(),
        coverage: report.tests.coverage.map(format::rounded_share),
    }
}
