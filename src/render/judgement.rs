//! The judged parts of the report as the pages show them: decision, comparisons, regressions,
//! incidents, change points.

use serde::Serialize;

use super::evidence::{self, EvidenceView};
use super::view::{StatusView, anchor, warnings};
use crate::format;
use crate::metric::{METRICS, Metric, Unit};
use crate::report::model::{
    ChangePoint, Comparison, ComparisonKind, CompletionStatus, DecisionValue, IntentionToTreat, RegressionVerdict,
    Report, Trigger, TriggerSeverity,
};
use crate::report::words::{answer_text, decision_words};
use crate::stats::Interval;

#[derive(Serialize)]
pub struct JudgementView {
    decision: DecisionView,
    next_steps: Vec<LinkView>,
    not_measured: Vec<LinkView>,
    pairs: Vec<PairView>,
    regressions: RegressionsView,
    intention_to_treat: Vec<IntentionToTreatView>,
    incidents: Vec<IncidentView>,
    crossings: Vec<IncidentView>,
    change_points: Vec<ChangePointView>,
    searches: Vec<SearchView>,
    #[serde(flatten)]
    evidence: EvidenceView,
}

/// A sentence that leads to its finding.
#[derive(Serialize)]
struct LinkView {
    anchor: String,
    text: String,
}

#[derive(Serialize)]
struct DecisionView {
    class: &'static str,
    word: &'static str,
    meaning: &'static str,
    reasons: Vec<ReasonView>,
}

#[derive(Serialize)]
struct ReasonView {
    class: &'static str,
    level: &'static str,
    anchor: String,
    text: String,
}

/// One group against another: a table of metrics.
#[derive(Serialize)]
struct PairView {
    reference: String,
    candidate: String,
    kind: &'static str,
    /// The headline pair, and the concurrent one with most traffic.
    open: bool,
    rows: Vec<RatioView>,
}

#[derive(Serialize)]
struct RatioView {
    anchor: String,
    label: String,
    crude: Option<String>,
    crude_interval: Option<String>,
    adjusted: Option<String>,
    adjusted_interval: Option<String>,
    mix_covered: Option<String>,
    n: String,
    mix_changed: bool,
    note: String,
}

#[derive(Serialize)]
struct RegressionsView {
    text: String,
    /// Regressions and what is not settled first.
    open: Vec<SegmentView>,
    within: Vec<SegmentView>,
}

#[derive(Serialize)]
struct SegmentView {
    anchor: String,
    segment: String,
    pair: String,
    label: String,
    ratio: String,
    interval: String,
    p_adjusted: String,
    status: StatusView,
    note: String,
}

#[derive(Serialize)]
struct IntentionToTreatView {
    anchor: String,
    stage: String,
    text: String,
    rows: Vec<[String; 3]>,
}

#[derive(Serialize)]
struct IncidentView {
    anchor: String,
    class: &'static str,
    severity: &'static str,
    trigger: String,
    stage: String,
    scope: String,
    period: String,
    text: String,
    uploads: String,
    windows: String,
    p_value: String,
    answer: String,
}

#[derive(Serialize)]
struct ChangePointView {
    anchor: String,
    at: String,
    stage: String,
    scope: String,
    label: String,
    change: String,
    coincidences: Vec<String>,
}

#[derive(Serialize)]
struct SearchView {
    stage: String,
    scope: String,
    label: String,
    buckets: String,
    found: String,
}

/// Lays the judgement out.
pub fn of(report: &Report) -> JudgementView {
    let (segments, groups): (Vec<&Comparison>, Vec<&Comparison>) =
        report.comparisons.iter().partition(|comparison| !comparison.segment.is_empty());
    let (fired, chance): (Vec<&Trigger>, Vec<&Trigger>) = report.triggers.iter().partition(|trigger| trigger.fired);
    JudgementView {
        decision: decision(report),
        next_steps: report
            .next_steps
            .iter()
            .map(|step| LinkView { anchor: anchor(&step.finding), text: step.text.clone() })
            .collect(),
        not_measured: not_measured(report),
        pairs: pairs(&groups),
        regressions: regressions(report, &segments),
        intention_to_treat: report.intention_to_treat.iter().map(intention_to_treat).collect(),
        incidents: fired.into_iter().map(incident).collect(),
        crossings: chance.into_iter().map(incident).collect(),
        change_points: report.change_points.iter().map(change_point).collect(),
        searches: searches(report),
        evidence: evidence::of(report),
    }
}

pub(super) fn level(value: DecisionValue) -> &'static str {
    match value {
        DecisionValue::Go => "go",
        DecisionValue::Incomplete => "incomplete",
        DecisionValue::Review => "review",
        DecisionValue::NoGo => "no-go",
        DecisionValue::Rollback => "rollback",
    }
}

fn decision(report: &Report) -> DecisionView {
    let (word, meaning) = decision_words(report.decision.value);
    let reasons: Vec<ReasonView> = report
        .decision
        .reasons
        .iter()
        .map(|reason| ReasonView {
            class: level(reason.level),
            level: decision_words(reason.level).0,
            anchor: anchor(&reason.finding),
            text: reason.text.clone(),
        })
        .collect();
    DecisionView { class: level(report.decision.value), word, meaning, reasons }
}

/// Improvements, criteria and completion that nothing in the log speaks for.
fn not_measured(report: &Report) -> Vec<LinkView> {
    use crate::report::model::Status;
    let improvements = report.improvements.iter().filter(|improvement| improvement.status == Status::NotMeasured);
    let mut list: Vec<LinkView> = improvements
        .map(|improvement| {
            let label = crate::report::words::improvement_text(&improvement.id).label;
            LinkView { anchor: anchor(&format!("improvements.{}", improvement.id)), text: label.into() }
        })
        .collect();
    let mut stages: Vec<&str> = Vec::new();
    for criterion in report.criteria.iter().filter(|criterion| criterion.status == Status::NotMeasured) {
        if !stages.contains(&criterion.stage.as_str()) {
            stages.push(&criterion.stage);
            list.push(LinkView {
                anchor: anchor(&format!("stages.{}", criterion.stage)),
                text: format!("Stage {}", criterion.stage),
            });
        }
    }
    let open = report.completion.iter().filter(|item| {
        item.status == CompletionStatus::NotEvidenced
            && (item.id == "tests" || item.id == "validation" && report.validation.is_none())
    });
    list.extend(
        open.map(|item| LinkView { anchor: anchor(&format!("completion.{}", item.id)), text: item.label.clone() }),
    );
    list
}

fn metric(id: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.id == id)
}

fn label(id: &str) -> String {
    metric(id).map_or_else(|| id.to_owned(), |metric| metric.label.to_owned())
}

fn kind(kind: ComparisonKind) -> &'static str {
    match kind {
        ComparisonKind::BeforeAfter => "before and after: other things changed, too",
        ComparisonKind::Concurrent => "concurrent: split at random, the difference is the effect",
        ComparisonKind::Observational => "at the same time, but not split at random",
    }
}

fn pairs(comparisons: &[&Comparison]) -> Vec<PairView> {
    let mut pairs: Vec<PairView> = Vec::new();
    for comparison in comparisons {
        let row = ratio(comparison);
        match pairs.last_mut() {
            Some(pair) if pair.reference == comparison.reference && pair.candidate == comparison.candidate => {
                pair.rows.push(row);
            }
            _ => pairs.push(PairView {
                reference: comparison.reference.clone(),
                candidate: comparison.candidate.clone(),
                kind: kind(comparison.kind),
                open: false,
                rows: vec![row],
            }),
        }
    }
    for wanted in [ComparisonKind::BeforeAfter, ComparisonKind::Concurrent] {
        let words = kind(wanted);
        let first = pairs.iter().find(|pair| pair.kind == words).map(|pair| pair.reference.clone());
        // Baseline to the final stage; sync against async where the stage is last.
        let of_kind = |pair: &&mut PairView| {
            pair.kind == words && (wanted == ComparisonKind::Concurrent || Some(&pair.reference) == first.as_ref())
        };
        if let Some(pair) = pairs.iter_mut().rfind(of_kind) {
            pair.open = true;
        }
    }
    pairs
}

/// A ratio and its interval as text.
fn shown(ratio: f64, ci: Option<Interval>) -> (String, Option<String>) {
    format::figure(ratio, ci, Unit::Ratio)
}

fn ratio(comparison: &Comparison) -> RatioView {
    let crude = comparison.crude.as_ref().map(|crude| shown(crude.ratio, crude.ci));
    let adjusted = comparison.adjusted.as_ref().map(|adjusted| shown(adjusted.ratio, adjusted.ci));
    let mut notes: Vec<String> = comparison.reason.iter().cloned().collect();
    notes.extend(power(comparison));
    notes.extend(warnings(&comparison.warnings));
    RatioView {
        anchor: anchor(&format!("comparisons.{}", comparison.id)),
        label: label(&comparison.metric),
        crude: crude.as_ref().map(|(value, _)| value.clone()),
        crude_interval: crude.and_then(|(_, interval)| interval),
        adjusted: adjusted.as_ref().map(|(value, _)| value.clone()),
        adjusted_interval: adjusted.and_then(|(_, interval)| interval),
        mix_covered: comparison.adjusted.as_ref().map(|adjusted| format::value(adjusted.mix_covered, Unit::Fraction)),
        n: comparison.n.map_or_else(String::new, |[reference, candidate]| {
            format!("{} and {}", format::count(reference), format::count(candidate))
        }),
        mix_changed: comparison.mix_changed,
        note: notes.join("; "),
    }
}

/// Where no difference is shown: how large one would have had to be.
fn power(comparison: &Comparison) -> Option<String> {
    let interval = comparison.crude.as_ref()?.ci?;
    let detectable = comparison.smallest_detectable?;
    interval.holds(1.0).then(|| {
        if detectable > 1.5 {
            format!("too few uploads to see less than a factor of {}", format::value(detectable, Unit::Ratio))
        } else {
            let share = format::value(detectable - 1.0, Unit::Fraction);
            format!("no difference shown; one of {share} would have been seen")
        }
    })
}

fn regressions(report: &Report, segments: &[&Comparison]) -> RegressionsView {
    let regressions = &report.regressions;
    let margin = format::share(regressions.margin);
    let text = format!(
        "{} of provider, file type and size were tested for being worse by more than {margin} (success rate and headline latency, with the reference's mix where half of it can be compared), corrected for testing many (Benjamini-Hochberg, false discovery rate {}): {} worse, {} surely within the margin, {} not settled, {} not measured.",
        format::counted(regressions.tested, "segment figure"),
        format::share(regressions.false_discovery_rate),
        format::count(regressions.found.len() as u64),
        format::count(regressions.within_margin),
        format::count(regressions.unsettled),
        format::count(regressions.not_measured)
    );
    let mut order: Vec<&&Comparison> = segments.iter().collect();
    order.sort_by_key(|comparison| match comparison.verdict {
        Some(RegressionVerdict::Regression) => 0,
        Some(RegressionVerdict::Unsettled) => 1,
        None => 2,
        Some(RegressionVerdict::WithinMargin) => 3,
    });
    let (within, open): (Vec<&Comparison>, Vec<&Comparison>) =
        order.into_iter().partition(|comparison| comparison.verdict == Some(RegressionVerdict::WithinMargin));
    RegressionsView {
        text,
        open: open.into_iter().map(segment).collect(),
        within: within.into_iter().map(segment).collect(),
    }
}

fn segment(comparison: &Comparison) -> SegmentView {
    let names: Vec<String> =
        comparison.segment.iter().map(|(dimension, name)| format!("{} {name}", dimension.replace('_', " "))).collect();
    let adjusted = comparison.adjusted.as_ref().filter(|adjusted| adjusted.mix_covered >= 0.5);
    let judged = adjusted
        .map(|adjusted| shown(adjusted.ratio, adjusted.ci))
        .or_else(|| comparison.crude.as_ref().map(|crude| shown(crude.ratio, crude.ci)));
    let (ratio, interval) = judged.unwrap_or_else(|| (format::NOT_MEASURED.into(), None));
    let status = match comparison.verdict {
        Some(RegressionVerdict::Regression) => StatusView::new("not-met", "✕", "worse"),
        Some(RegressionVerdict::WithinMargin) => StatusView::new("met", "✓", "within margin"),
        Some(RegressionVerdict::Unsettled) => StatusView::new("inconclusive", "?", "not settled"),
        None => StatusView::new("not-measured", "–", format::NOT_MEASURED),
    };
    let mut notes: Vec<String> = comparison.reason.iter().cloned().collect();
    notes.extend(warnings(&comparison.warnings));
    SegmentView {
        anchor: anchor(&format!("comparisons.{}", comparison.id)),
        segment: names.join(", "),
        pair: format!("{} to {}", comparison.reference, comparison.candidate),
        label: label(&comparison.metric),
        ratio,
        interval: interval.unwrap_or_else(|| "no interval".into()),
        p_adjusted: comparison.p_adjusted.map_or_else(|| "–".into(), format::p_value),
        status,
        note: notes.join("; "),
    }
}

fn intention_to_treat(stage: &IntentionToTreat) -> IntentionToTreatView {
    let row = |figure: &crate::report::model::IntentionToTreatFigure| {
        let show = |value| metric(&figure.metric).map_or_else(String::new, |metric| format::value(value, metric.unit));
        [label(&figure.metric), show(figure.intention_to_treat), show(figure.per_protocol)]
    };
    IntentionToTreatView {
        anchor: anchor(&format!("fallbacks.{}", stage.stage)),
        stage: stage.stage.clone(),
        text: stage.text.clone(),
        rows: stage.figures.iter().map(row).collect(),
    }
}

fn incident(trigger: &Trigger) -> IncidentView {
    let (class, severity) = match (trigger.fired, trigger.severity) {
        (true, TriggerSeverity::Rollback) => ("rollback", "rollback"),
        (true, TriggerSeverity::Review) => ("review", "review"),
        (false, _) => ("chance", "chance"),
    };
    IncidentView {
        anchor: anchor(&trigger.id),
        class,
        severity,
        trigger: trigger.trigger.replace('_', " "),
        stage: trigger.stage.clone(),
        scope: trigger.scope.clone(),
        period: format::period(&trigger.from, &trigger.to),
        text: trigger.text.clone(),
        uploads: format::count(trigger.uploads),
        windows: format::count(trigger.windows),
        p_value: trigger.p_value.map_or_else(|| "–".into(), format::p_value),
        answer: answer_text(trigger).unwrap_or_else(|| "–".into()),
    }
}

fn change_point(point: &ChangePoint) -> ChangePointView {
    let show = |value| metric(&point.metric).map_or_else(String::new, |metric| format::value(value, metric.unit));
    ChangePointView {
        anchor: anchor(&point.id),
        at: format::date_time(&point.at),
        stage: point.stage.clone(),
        scope: point.scope.clone(),
        label: label(&point.metric),
        change: format!("{} → {}", show(point.before), show(point.after)),
        coincidences: point.coincidences.clone(),
    }
}

fn searches(report: &Report) -> Vec<SearchView> {
    let view = |search: &crate::report::model::ChangePointSearch| SearchView {
        stage: search.stage.clone(),
        scope: search.scope.clone(),
        label: label(&search.metric),
        buckets: search.bucket_hours.map_or_else(
            || "–".into(),
            |hours| format!("{} of {}", format::count(search.buckets), format::counted(hours, "hour")),
        ),
        found: search
            .reason
            .clone()
            .map_or_else(|| format::counted(search.found, "shift"), |reason| format!("not searched: {reason}")),
    };
    report.change_point_searches.iter().map(view).collect()
}
