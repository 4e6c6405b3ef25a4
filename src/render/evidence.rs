//! What speaks for the rollout beside its figures, as the pages show it: completion, variants, error scenarios,
//! tests, the external review, notes.

use std::collections::BTreeMap;

use serde::Serialize;

use super::notes;
use super::view::{StatusView, anchor};
use crate::format;
use crate::metric::Unit;
use crate::report::model::{
    ClaimReview, Completion, CompletionStatus, ErrorScenario, Note, Report, TestPhase, Validation, Variant,
};

#[derive(Serialize)]
pub(super) struct EvidenceView {
    completion: Vec<CompletionView>,
    matrix: MatrixView,
    scenarios: Vec<ScenarioView>,
    tests: TestsView,
    validation: Option<ValidationView>,
    notes: Vec<NoteView>,
}

/// Lays the evidence out.
pub(super) fn of(report: &Report) -> EvidenceView {
    EvidenceView {
        completion: report.completion.iter().map(completion).collect(),
        matrix: matrix(&report.variants),
        scenarios: report.error_scenarios.iter().map(scenario).collect(),
        tests: tests(report),
        validation: report.validation.as_ref().map(validation),
        notes: report.notes.iter().map(note).collect(),
    }
}

#[derive(Serialize)]
struct ScenarioView {
    label: String,
    failures: String,
    treated: String,
    /// `TimeoutError: 12`
    error_types: Vec<String>,
}

fn scenario(scenario: &ErrorScenario) -> ScenarioView {
    ScenarioView {
        label: scenario.scenario.replace('_', " "),
        failures: format::count(scenario.failures),
        treated: format::count(scenario.treated_failures),
        error_types: scenario
            .error_types
            .iter()
            .map(|(name, count)| format!("{name}: {}", format::count(*count)))
            .collect(),
    }
}

#[derive(Serialize)]
struct ValidationView {
    status: StatusView,
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
    status: StatusView,
    comment: String,
}

fn validation(review: &Validation) -> ValidationView {
    let status = match review.verdict.as_str() {
        "approved" => StatusView::new("met", "✓", "approved"),
        "rejected" => StatusView::new("not-met", "✕", "rejected"),
        _ => StatusView::new("inconclusive", "?", "approved with objections"),
    };
    let claim = |claim: &ClaimReview| ClaimView {
        id: claim.id.clone(),
        anchor: anchor(&claim.id),
        status: match claim.answer.as_deref() {
            Some("agree") => StatusView::new("met", "✓", "agrees"),
            Some("disagree") => StatusView::new("not-met", "✕", "disagrees"),
            Some(_) => StatusView::new("inconclusive", "?", "cannot tell"),
            None => StatusView::new("not-measured", "–", "no answer"),
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
        recorded_at: format::date_time(&review.recorded_at),
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

#[derive(Serialize)]
struct TestsView {
    phases: Vec<PhaseView>,
    coverage: Option<String>,
}

#[derive(Serialize)]
struct PhaseView {
    name: String,
    status: StatusView,
    expected: String,
    passed: String,
    failed: String,
    skipped: String,
    missing: String,
    failing: Vec<[String; 2]>,
    flaky: Vec<String>,
    /// `None` without a run before.
    regressed: Option<Vec<String>>,
    fixed: Option<Vec<String>>,
}

#[derive(Serialize)]
struct NoteView {
    title: &'static str,
    file: String,
    html: String,
    quotation: String,
}

#[derive(Serialize)]
struct CompletionView {
    anchor: String,
    label: String,
    status: StatusView,
    evidence: String,
}

/// File type by size; each cell lists the providers.
#[derive(Serialize)]
struct MatrixView {
    sizes: Vec<String>,
    rows: Vec<MatrixRow>,
    touched: String,
    all: String,
}

#[derive(Serialize)]
struct MatrixRow {
    file_type: String,
    cells: Vec<Vec<MatrixCell>>,
}

#[derive(Serialize)]
struct MatrixCell {
    provider: String,
    uploads: String,
    rate: Option<String>,
    about: String,
}

fn completion(item: &Completion) -> CompletionView {
    CompletionView {
        anchor: anchor(&format!("completion.{}", item.id)),
        label: item.label.clone(),
        status: match item.status {
            CompletionStatus::Met => StatusView::new("met", "✓", "met"),
            CompletionStatus::NotMet => StatusView::new("not-met", "✕", "not met"),
            CompletionStatus::NotEvidenced => StatusView::new("not-measured", "–", "no evidence"),
        },
        evidence: item.evidence.clone(),
    }
}

fn tests(report: &Report) -> TestsView {
    let phase = |phase: &TestPhase| {
        let bad = phase.failed + phase.errors;
        PhaseView {
            name: phase.name.clone(),
            status: match (bad, phase.missing + phase.skipped, phase.files.is_empty()) {
                (_, _, true) => StatusView::new("not-measured", "–", "no results"),
                (0, 0, _) => StatusView::new("met", "✓", "passed"),
                (0, _, _) => StatusView::new("inconclusive", "?", "incomplete"),
                _ => StatusView::new("not-met", "✕", "failed"),
            },
            expected: format::count(phase.expected),
            passed: format::count(phase.passed),
            failed: format::count(bad),
            skipped: format::count(phase.skipped),
            missing: format::count(phase.missing),
            failing: phase.failing.iter().map(|test| [test.name.clone(), test.message.clone()]).collect(),
            flaky: phase.flaky.clone(),
            regressed: phase.regressed.clone(),
            fixed: phase.fixed.clone(),
        }
    };
    TestsView {
        phases: report.tests.phases.iter().map(phase).collect(),
        coverage: report.tests.coverage.map(format::rounded_share),
    }
}

fn note(note: &Note) -> NoteView {
    NoteView {
        title: match note.kind.as_str() {
            "findings" => "Findings",
            "lessons_learned" => "Lessons learned",
            _ => "Recommendations",
        },
        file: note.file.clone(),
        html: notes::to_html(&note.markdown),
        quotation: notes::to_quotation(&note.markdown),
    }
}

/// File types that the matrix shows: those with most uploads first would hide what was never touched.
const MATRIX_ROWS: usize = 60;

fn matrix(variants: &[Variant]) -> MatrixView {
    let mut sizes: Vec<String> = variants.iter().map(|variant| variant.size.clone()).collect();
    // Buckets rise as their names do not: by their first number, `<=` first, `>` and `unknown` last.
    let order = |name: &str| {
        let digits: String =
            name.chars().skip_while(|c| !c.is_ascii_digit()).take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        let number: f64 = digits.parse().unwrap_or(f64::MAX);
        (!name.starts_with("<="), name == "unknown", name.starts_with('>'), number)
    };
    sizes.sort_by(|a, b| order(a).partial_cmp(&order(b)).unwrap_or(std::cmp::Ordering::Equal));
    sizes.dedup();
    let mut rows: BTreeMap<&str, Vec<Vec<MatrixCell>>> = BTreeMap::new();
    for variant in variants {
        let Some(column) = sizes.iter().position(|size| *size == variant.size) else { continue };
        let cells = rows.entry(&variant.file_type).or_insert_with(|| sizes.iter().map(|_| Vec::new()).collect());
        let rate =
            variant.success_rate.as_ref().map(|figure| format::estimate(figure.value, figure.ci, Unit::Fraction));
        cells[column].push(MatrixCell {
            provider: variant.provider.clone(),
            uploads: format::count(variant.uploads),
            about: rate.clone().map_or_else(|| "never uploaded".into(), |rate| format!("success rate {rate}")),
            rate: variant.success_rate.as_ref().map(|figure| format::rounded_share(figure.value)),
        });
    }
    let touched = variants.iter().filter(|variant| variant.uploads > 0).count() as u64;
    MatrixView {
        sizes,
        rows: rows
            .into_iter()
            .take(MATRIX_ROWS)
            .map(|(file_type, cells)| MatrixRow { file_type: file_type.into(), cells })
            .collect(),
        touched: format::count(touched),
        all: format::counted(variants.len() as u64, "combination"),
    }
}
