//! Can the log be trusted, and what became of every line?

use serde::Serialize;

use super::super::anchors::anchor;
use crate::format;
use crate::metric::Unit;
use crate::report::model::{Gate, Report, Severity};

#[derive(Serialize)]
pub(crate) struct QualityView {
    failed: bool,
    lines: String,
    rejected: String,
    rejected_share: String,
    limit: String,
    duplicates: String,
    out_of_order: String,
    findings: Vec<FindingView>,
    reasons: Vec<ReasonView>,
    gaps: Vec<GapView>,
}

#[derive(Serialize)]
struct FindingView {
    anchor: String,
    severity: &'static str,
    text: String,
}

#[derive(Serialize)]
struct ReasonView {
    reason: String,
    count: String,
    examples: Vec<ExampleView>,
}

#[derive(Serialize)]
struct ExampleView {
    place: String,
    message: String,
    text: String,
}

#[derive(Serialize)]
struct GapView {
    stage: String,
    period: String,
    minutes: String,
}

pub(crate) fn quality(report: &Report) -> QualityView {
    let quality = &report.data_quality;
    let lines: u64 = report.inputs.iter().map(|input| input.lines).sum();
    let at_least = if quality.duplicate_request_ids_at_least { "at least " } else { "" };
    QualityView {
        failed: quality.gate == Gate::Failed,
        lines: format::count(lines),
        rejected: format::count(quality.rejected_total),
        rejected_share: format::value(quality.rejected_share, &Unit::Fraction),
        limit: format::share(quality.max_rejected_share),
        duplicates: format!("{at_least}{}", format::count(quality.duplicate_request_ids)),
        out_of_order: format::count(quality.out_of_order),
        findings: quality
            .findings
            .iter()
            .map(|finding| FindingView {
                anchor: anchor(&finding.id),
                severity: match finding.severity {
                    Severity::Error => "error",
                    Severity::Warning => "warning",
                    Severity::Info => "info",
                },
                text: finding.text.clone(),
            })
            .collect(),
        reasons: quality
            .rejected
            .iter()
            .map(|rejected| ReasonView {
                reason: rejected.reason.replace('_', " "),
                count: format::count(rejected.count),
                examples: rejected
                    .examples
                    .iter()
                    .map(|example| ExampleView {
                        place: match example.column {
                            Some(column) => format!("{}:{}:{column}", example.path, example.line),
                            None => format!("{}:{}", example.path, example.line),
                        },
                        message: example.message.clone(),
                        text: example.text.clone(),
                    })
                    .collect(),
            })
            .collect(),
        gaps: quality
            .gaps
            .iter()
            .map(|gap| GapView {
                stage: gap.stage.clone(),
                period: report.words.period(&gap.from, &gap.to),
                minutes: format::count(gap.minutes),
            })
            .collect(),
    }
}
