//! Every figure of every stage and arm.

use std::collections::BTreeSet;

use serde::Serialize;

use super::super::anchors::anchor;
use super::super::marks;
use crate::format;
use crate::metric::{Metric, Unit};
use crate::report::model::{Figure, FigureWarning, Group, MeasureSource, Report, SplitStatus, Stage};

#[derive(Serialize)]
pub(crate) struct StageView {
    anchor: String,
    name: String,
    percentage: String,
    period: Option<String>,
    split: Option<String>,
    memory_source: Option<String>,
    arms: Vec<ArmView>,
    metrics: Vec<MetricView>,
    errors: Vec<ErrorView>,
    few_hours: bool,
}

#[derive(Serialize)]
struct ArmView {
    name: String,
    /// With the noun.
    n: String,
    /// Without.
    count: String,
    busy_seconds: String,
}

#[derive(Serialize)]
struct MetricView {
    label: String,
    definition: String,
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

pub(crate) fn stage(report: &Report, stage: &Stage) -> StageView {
    let words = &report.words;
    let all = format!("All {}", words.many);
    let groups = &stage.groups;
    let arms = [
        (all.as_str(), "all", &groups.all),
        ("Treated", "treated", &groups.treated),
        ("Control", "control", &groups.control),
        ("Per protocol", "per_protocol", &groups.per_protocol),
    ];
    // Arms without a record would be columns of nothing; the JSON has them all.
    let shown: Vec<_> = arms.into_iter().filter(|(_, id, group)| *id == "all" || group.n > 0).collect();
    let names: BTreeSet<&String> = shown.iter().flat_map(|(_, _, group)| group.errors.keys()).collect();
    let few_hours = |group: &Group| {
        group.figures.values().flatten().any(|figure| figure.warnings.contains(&FigureWarning::FewHours))
    };
    StageView {
        anchor: anchor(&format!("stages.{}", stage.name)),
        name: stage.name.clone(),
        percentage: format!("{}\u{202f}%", format::plain(stage.percentage)),
        period: stage.from.as_ref().zip(stage.to.as_ref()).map(|(from, to)| words.period(from, to)),
        split: split(report, stage),
        memory_source: groups.all.memory_source.map(|source| match source {
            MeasureSource::Records => format!("the {} that carry it", words.many),
            MeasureSource::MemorySamples => "memory_sample events of the process".to_owned(),
        }),
        arms: shown
            .iter()
            .map(|(name, _, group)| ArmView {
                name: (*name).to_owned(),
                n: words.counted(group.n),
                count: format::count(group.n),
                busy_seconds: format::count(group.busy_seconds),
            })
            .collect(),
        metrics: report
            .metrics
            .iter()
            .map(|metric| MetricView {
                label: metric.label.clone(),
                definition: metric.definition.clone(),
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

fn split(report: &Report, stage: &Stage) -> Option<String> {
    let (expected, observed) = (stage.split.expected_share?, stage.split.observed_share?);
    let chance = stage.split.p_value.map_or_else(String::new, |p| format!(" ({})", format::p_value(p)));
    let verdict = match stage.split.status {
        SplitStatus::Mismatch => "the traffic split is not what was set",
        _ => "no sign against it",
    };
    Some(format!(
        "{} of the {} are treated, {} were set: {verdict}{chance}",
        format::value(observed, &Unit::Fraction),
        report.words.many,
        format::share(expected)
    ))
}

fn cell(metric: &Metric, stage: &str, arm: &str, group: &Group) -> CellView {
    let anchor = anchor(&format!("stages.{stage}.{arm}.{}", metric.id));
    match group.figure(&metric.id) {
        None => {
            let reason = group.not_measured.get(&metric.id).map_or("no reason given", String::as_str);
            CellView {
                anchor,
                value: None,
                interval: None,
                n: String::new(),
                about: format!("{}: {reason}", format::NOT_MEASURED),
            }
        }
        Some(figure) => {
            let (value, interval) = format::figure(figure.value, figure.ci, &metric.unit);
            CellView { anchor, value: Some(value), interval, n: format::count(figure.n), about: about(figure) }
        }
    }
}

fn about(figure: &Figure) -> String {
    let mut parts = vec![format!("n = {}", format::count(figure.n)), format::counted(figure.hours, "hour")];
    parts.push(
        figure.interval_method.map_or_else(|| "no interval is defined".into(), |used| marks::method(used).to_owned()),
    );
    if let Some(effect) = figure.design_effect {
        parts.push(format!("design effect {effect:.2}"));
    }
    parts.extend(marks::warnings(&figure.warnings));
    parts.join("; ")
}
