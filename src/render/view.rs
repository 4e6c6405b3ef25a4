//! The report as the pages show it: every number already text, every list in its order. Both the
//! HTML and the Markdown page are laid out from it.

use base64::Engine;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::charts::{Chart, Readout, improvement_bar, improvement_target};
use super::judgement::{self, JudgementView};
use crate::format;
use crate::metric::{METRICS, Metric, Unit};
use crate::report::model::{
    ComparisonKind, Criterion, CriterionMetric, Direction, Figure, FigureWarning, Gate, Group, Improvement,
    IntervalMethod, MemorySource, Report, Severity, SplitStatus, Stage, Status,
};
use crate::report::words::{criterion_text, improvement_text};

/// What the page runs: a convenience, allowed by its hash alone.
const SCRIPT: &str = include_str!("../../templates/page.js");

#[derive(Serialize)]
pub struct View<'a> {
    title: &'a str,
    generated_at: String,
    version: &'a str,
    simulated: Option<&'a str>,
    period: Option<String>,
    uploads: String,
    summary: &'a [String],
    judgement: JudgementView,
    improvements: Vec<ImprovementView>,
    criteria: Vec<CriterionView>,
    stages: Vec<StageView>,
    charts: Vec<ChartView<'a>>,
    quality: QualityView,
    inputs: Vec<InputView>,
    events: Vec<EventView>,
    has_errors: bool,
    sources: String,
    script: &'static str,
    script_hash: String,
}

#[derive(Serialize)]
pub(super) struct StatusView {
    class: &'static str,
    mark: &'static str,
    word: &'static str,
}

impl StatusView {
    pub(super) fn new(class: &'static str, mark: &'static str, word: &'static str) -> Self {
        Self { class, mark, word }
    }
}

#[derive(Serialize)]
struct ImprovementView {
    anchor: String,
    label: &'static str,
    definition: &'static str,
    value: Option<String>,
    interval: Option<String>,
    target: String,
    status: StatusView,
    kind: &'static str,
    n: Option<String>,
    note: Option<String>,
    /// Where the value comes from, in one line.
    about: String,
    adjusted: Option<String>,
    adjusted_interval: Option<String>,
    mix_covered: Option<String>,
    mix_changed: bool,
    detectable: Option<String>,
    /// A small picture: value and interval on the target band.
    bar: String,
}

#[derive(Serialize)]
struct CriterionView {
    anchor: String,
    stage: String,
    label: &'static str,
    scope: String,
    value: Option<String>,
    interval: Option<String>,
    n: String,
    needs: String,
    status: StatusView,
    note: Option<String>,
    about: String,
}

#[derive(Serialize)]
struct StageView {
    anchor: String,
    name: String,
    percentage: String,
    period: Option<String>,
    split: Option<String>,
    split_mismatch: bool,
    memory_source: Option<&'static str>,
    arms: Vec<ArmView>,
    metrics: Vec<MetricView>,
    errors: Vec<ErrorView>,
    few_hours: bool,
}

#[derive(Serialize)]
struct ArmView {
    name: &'static str,
    uploads: String,
    busy_seconds: String,
}

#[derive(Serialize)]
struct MetricView {
    label: &'static str,
    definition: &'static str,
    cells: Vec<CellView>,
}

#[derive(Serialize)]
struct CellView {
    anchor: String,
    value: Option<String>,
    interval: Option<String>,
    n: String,
    /// How it came about, or why it was not measured.
    about: String,
}

#[derive(Serialize)]
struct ErrorView {
    name: String,
    counts: Vec<String>,
}

#[derive(Serialize)]
struct ChartView<'a> {
    id: &'a str,
    section: &'a str,
    title: &'a str,
    description: &'a str,
    wide: String,
    narrow: String,
    columns: &'a [&'static str],
    rows: &'a [Vec<String>],
    readout: Option<&'a Readout>,
}

#[derive(Serialize)]
struct QualityView {
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

#[derive(Serialize)]
struct InputView {
    path: String,
    size: String,
    lines: String,
    uploads: String,
    events: String,
    rejected: String,
    blank: String,
    sha256: String,
}

#[derive(Serialize)]
struct EventView {
    at: String,
    event_type: String,
    text: String,
}

/// Lays the report out.
pub fn of<'a>(report: &'a Report, charts: &'a [Chart]) -> View<'a> {
    let uploads: u64 = report.stages.iter().map(|stage| stage.groups.all.uploads).sum();
    View {
        title: &report.title,
        generated_at: format::date_time(&report.generated_at),
        version: &report.generator.version,
        simulated: report.simulated.as_deref(),
        period: period(report),
        uploads: format::counted(uploads, "upload"),
        summary: &report.summary,
        judgement: judgement::of(report),
        improvements: report.improvements.iter().map(improvement).collect(),
        criteria: report.criteria.iter().map(criterion).collect(),
        stages: report.stages.iter().map(stage).collect(),
        charts: charts.iter().map(chart).collect(),
        quality: quality(report),
        inputs: inputs(report),
        events: report
            .events
            .iter()
            .map(|event| EventView {
                at: format::date_time(&event.at),
                event_type: event.event_type.clone(),
                text: event.text.clone(),
            })
            .collect(),
        sources: sources(report),
        has_errors: report.stages.iter().any(|stage| !stage.groups.all.errors.is_empty()),
        script: SCRIPT,
        script_hash: base64::engine::general_purpose::STANDARD.encode(Sha256::digest(SCRIPT)),
    }
}

fn period(report: &Report) -> Option<String> {
    let from = report.stages.iter().filter_map(|stage| stage.from.as_deref()).min()?;
    let to = report.stages.iter().filter_map(|stage| stage.to.as_deref()).max()?;
    Some(format::period(from, to))
}

fn status(status: Status) -> StatusView {
    let (class, mark, word) = match status {
        Status::Met => ("met", "✓", "met"),
        Status::Exceeded => ("met", "✓✓", "exceeded"),
        Status::NotMet => ("not-met", "✕", "not met"),
        Status::Inconclusive => ("inconclusive", "?", "inconclusive"),
        Status::NotMeasured => ("not-measured", "–", format::NOT_MEASURED),
    };
    StatusView::new(class, mark, word)
}

fn method(method: IntervalMethod) -> &'static str {
    match method {
        IntervalMethod::Wilson => "Wilson score on effective counts",
        IntervalMethod::Koopman => "Koopman score on effective counts",
        IntervalMethod::StudentisedBootstrap => "studentised bootstrap of clock hours",
        IntervalMethod::Woodruff => "Woodruff on effective counts",
        IntervalMethod::BlockBootstrap => "bootstrap of clock hours",
        IntervalMethod::MinuteBootstrap => "bootstrap of minutes",
        IntervalMethod::UploadBootstrap => "bootstrap of single uploads",
    }
}

fn warning(warning: FigureWarning) -> &'static str {
    match warning {
        FigureWarning::FewHours => {
            "fewer than 8 hours: uploads are taken as independent, the interval may be too narrow"
        }
        FigureWarning::TooFewUploads => "too few uploads for an interval",
        FigureWarning::MixChanged => "the mix of files changed, and the figure with it",
        FigureWarning::SplitMismatch => "the split is not what was set: the arms may differ in more than the treatment",
    }
}

pub(super) fn warnings(list: &[FigureWarning]) -> Option<String> {
    let texts: Vec<&str> = list.iter().map(|item| warning(*item)).collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}

fn improvement(improvement: &Improvement) -> ImprovementView {
    let text = improvement_text(&improvement.id);
    let ends = improvement.ci;
    let shown = improvement.value.map(|value| format::figure(value, ends, text.unit));
    let kind = match improvement.kind {
        ComparisonKind::BeforeAfter => "Before and after: other things may have changed, too",
        ComparisonKind::Concurrent => "Concurrent: split at random",
        ComparisonKind::Observational => "At the same time, but not split at random",
    };
    let n = improvement.n.map(|[reference, candidate]| {
        format!(
            "n = {} ({}) and {} ({})",
            format::count(reference),
            improvement.reference,
            format::count(candidate),
            improvement.candidate
        )
    });
    let method = improvement.interval_method.map(|used| format!("interval: {}", method(used)));
    let about: Vec<String> =
        [Some(text.definition.to_owned()), n.clone(), method, Some(kind.to_owned())].into_iter().flatten().collect();
    let notes: Vec<String> =
        [improvement.reason.clone(), warnings(&improvement.warnings)].into_iter().flatten().collect();
    let adjusted = improvement.adjusted.as_ref().map(|adjusted| format::figure(adjusted.value, adjusted.ci, text.unit));
    ImprovementView {
        about: about.join(" · "),
        adjusted: adjusted.as_ref().map(|(value, _)| value.clone()),
        adjusted_interval: adjusted.and_then(|(_, interval)| interval),
        mix_covered: improvement.adjusted.as_ref().map(|adjusted| format::value(adjusted.mix_covered, Unit::Fraction)),
        mix_changed: improvement.mix_changed,
        detectable: improvement
            .smallest_detectable
            .map(|least| format!("a change of {} would have been seen", format::value(least, text.unit))),
        bar: improvement_bar(improvement),
        anchor: anchor(&format!("improvements.{}", improvement.id)),
        label: text.label,
        definition: text.definition,
        interval: shown.as_ref().and_then(|(_, interval)| interval.clone()),
        value: shown.map(|(value, _)| value),
        target: improvement_target(improvement),
        status: status(improvement.status),
        kind,
        n,
        note: (!notes.is_empty()).then(|| notes.join("; ")),
    }
}

/// An id for a link: what is not a letter, digit, dot, dash or underscore becomes its code point.
pub(super) fn anchor(claim: &str) -> String {
    let mut id = String::from("claims.");
    for character in claim.chars() {
        match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' | '_' => id.push(character),
            other => id.push_str(&format!("~{:x}", other as u32)),
        }
    }
    id
}

fn criterion(criterion: &Criterion) -> CriterionView {
    let (word, label, unit, definition) = criterion_text(criterion.metric);
    let shown = criterion.value.map(|value| format::figure(value, criterion.ci, unit));
    let threshold = match criterion.metric {
        CriterionMetric::Uploads => format::count(criterion.threshold as u64),
        CriterionMetric::LatencyVsBaseline => format!("{}×", format::plain(criterion.threshold)),
        CriterionMetric::SuccessRate | CriterionMetric::ErrorRate => format::share(criterion.threshold),
    };
    let sign = match criterion.direction {
        Direction::AtLeast => "≥",
        Direction::AtMost => "≤",
    };
    let more = match (criterion.status, criterion.more_uploads_needed) {
        (Status::Inconclusive, Some(more)) => {
            Some(format!("about {} like these would settle it", format::counted(more, "more upload")))
        }
        _ => None,
    };
    let detectable = criterion.smallest_detectable.map(|least| {
        format!("a distance of {} from the threshold would have been seen (power 80 %)", format::value(least, unit))
    });
    let about: Vec<String> =
        [Some(definition.to_owned()), Some(format!("n = {}", format::count(criterion.n))), detectable]
            .into_iter()
            .flatten()
            .collect();
    let notes: Vec<String> =
        [criterion.reason.clone(), more, warnings(&criterion.warnings)].into_iter().flatten().collect();
    CriterionView {
        about: about.join(" · "),
        anchor: anchor(&format!("criteria.{}.{word}", criterion.stage)),
        stage: criterion.stage.clone(),
        label,
        scope: criterion.scope.clone(),
        interval: shown.as_ref().and_then(|(_, interval)| interval.clone()),
        value: shown.map(|(value, _)| value),
        n: format::count(criterion.n),
        needs: format!("{sign} {threshold}"),
        status: status(criterion.status),
        note: (!notes.is_empty()).then(|| notes.join("; ")),
    }
}

fn stage(stage: &Stage) -> StageView {
    let groups = &stage.groups;
    let arms = [
        ("All uploads", "all", &groups.all),
        ("Treated", "treated", &groups.treated),
        ("Control", "control", &groups.control),
        ("Per protocol", "per_protocol", &groups.per_protocol),
    ];
    // Arms without an upload would be columns of nothing; the JSON has them all.
    let shown: Vec<_> = arms.into_iter().filter(|(_, id, group)| *id == "all" || group.uploads > 0).collect();
    let names: std::collections::BTreeSet<&String> =
        shown.iter().flat_map(|(_, _, group)| group.errors.keys()).collect();
    let few_hours = |group: &Group| {
        group.figures.values().flatten().any(|figure| figure.warnings.contains(&FigureWarning::FewHours))
    };
    StageView {
        anchor: anchor(&format!("stages.{}", stage.name)),
        name: stage.name.clone(),
        percentage: format!("{}\u{202f}%", format::plain(stage.percentage)),
        period: stage.from.as_ref().zip(stage.to.as_ref()).map(|(from, to)| format::period(from, to)),
        split: split(stage),
        split_mismatch: stage.split.status == SplitStatus::Mismatch,
        memory_source: groups.all.memory_source.map(|source| match source {
            MemorySource::Uploads => "memory_mb of the uploads",
            MemorySource::MemorySamples => "memory_sample events of the process",
        }),
        arms: shown
            .iter()
            .map(|(name, _, group)| ArmView {
                name,
                uploads: format::count(group.uploads),
                busy_seconds: format::count(group.busy_seconds),
            })
            .collect(),
        metrics: METRICS
            .iter()
            .map(|metric| MetricView {
                label: metric.label,
                definition: metric.definition,
                cells: shown.iter().map(|(_, id, group)| cell(metric, &stage.name, id, group)).collect(),
            })
            .collect(),
        errors: names
            .into_iter()
            .map(|name| ErrorView {
                name: name.clone(),
                counts: shown
                    .iter()
                    .map(|(_, _, group)| format::count(group.errors.get(name).copied().unwrap_or(0)))
                    .collect(),
            })
            .collect(),
        few_hours: shown.iter().any(|(_, _, group)| few_hours(group)),
    }
}

fn split(stage: &Stage) -> Option<String> {
    let (expected, observed, p_value) =
        (stage.split.expected_share?, stage.split.observed_share?, stage.split.p_value?);
    let verdict = match stage.split.status {
        SplitStatus::Mismatch => "the traffic split is not what was set",
        _ => "no sign against it",
    };
    Some(format!(
        "{} of the uploads are treated, {} were set: {verdict} ({})",
        format::value(observed, Unit::Fraction),
        format::share(expected),
        format::p_value(p_value)
    ))
}

fn cell(metric: &Metric, stage: &str, arm: &str, group: &Group) -> CellView {
    let anchor = anchor(&format!("stages.{stage}.{arm}.{}", metric.id));
    match group.figures.get(metric.id).and_then(Option::as_ref) {
        None => {
            let reason = group.not_measured.get(metric.id).map_or("no reason given", String::as_str);
            CellView {
                anchor,
                value: None,
                interval: None,
                n: String::new(),
                about: format!("{}: {reason}", format::NOT_MEASURED),
            }
        }
        Some(figure) => {
            let (value, interval) = format::figure(figure.value, figure.ci, metric.unit);
            CellView { anchor, value: Some(value), interval, n: format::count(figure.n), about: about(figure) }
        }
    }
}

/// Where figures come from: the file, or how many.
fn sources(report: &Report) -> String {
    match report.inputs.as_slice() {
        [only] => format!("from {}", only.path.chars().take(60).collect::<String>()),
        many => format!("from {}, listed under Inputs", format::counted(many.len() as u64, "file")),
    }
}

fn about(figure: &Figure) -> String {
    let mut parts = vec![format!("n = {}", format::count(figure.n)), format::counted(figure.hours, "hour")];
    parts.push(figure.interval_method.map_or_else(|| "no interval is defined".into(), |used| method(used).to_owned()));
    if let Some(effect) = figure.design_effect {
        parts.push(format!("design effect {effect:.2}"));
    }
    parts.extend(warnings(&figure.warnings));
    parts.join("; ")
}

fn chart(chart: &Chart) -> ChartView<'_> {
    let [wide, narrow] = chart.inline();
    ChartView {
        id: chart.id,
        section: chart.section,
        title: chart.title,
        description: &chart.description,
        wide,
        narrow,
        columns: &chart.columns,
        rows: &chart.rows,
        readout: chart.readout.as_ref(),
    }
}

fn quality(report: &Report) -> QualityView {
    let quality = &report.data_quality;
    let lines: u64 = report.inputs.iter().map(|input| input.lines).sum();
    let at_least = if quality.duplicate_request_ids_at_least { "at least " } else { "" };
    QualityView {
        failed: quality.gate == Gate::Failed,
        lines: format::count(lines),
        rejected: format::count(quality.rejected_total),
        rejected_share: format::value(quality.rejected_share, Unit::Fraction),
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
                period: format::period(&gap.from, &gap.to),
                minutes: format::count(gap.minutes),
            })
            .collect(),
    }
}

fn inputs(report: &Report) -> Vec<InputView> {
    let view = |input: &crate::report::model::Input| InputView {
        path: input.path.clone(),
        size: format::bytes(input.bytes),
        lines: format::count(input.lines),
        uploads: format::count(input.uploads),
        events: format::count(input.events),
        rejected: format::count(input.rejected),
        blank: format::count(input.blank),
        sha256: input.sha256.clone(),
    };
    report.inputs.iter().map(view).collect()
}
