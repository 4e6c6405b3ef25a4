//! A metric of each stage and arm as a dot with its interval: success rate with its thresholds, then
//! throughput, concurrency, memory, timeouts.

use super::canvas::{CONTROL, Canvas, GRID, Hold, INK, LIMIT, MUTED, SHADE, TREATED, draw};
use super::chart::{Chart, short};
use super::scale::Scale;
use crate::format;
use crate::metric::{Distribution, Estimator, Metric, Share, Unit};
use crate::report::model::{Figure, Group, Report, Stage};
use stagegate_stats::Interval;

const ROW: f64 = 32.0;

/// One chart of this kind.
struct Kind<'a> {
    id: String,
    section: &'static str,
    metric: &'a Metric,
    title: String,
    /// Whether stages with both arms show them both, or only what their criterion looks at.
    both_arms: bool,
}

/// Success rate, throughput, concurrency, the mean of each measure, timeouts.
fn kinds(report: &Report) -> Vec<Kind<'_>> {
    let words = &report.words;
    let kind = |id: &str, section, estimator, title: String, both_arms| {
        let metric = report.metric_by(estimator)?;
        Some(Kind { id: id.to_owned(), section, metric, title, both_arms })
    };
    let rate = |share| Estimator::Rate(share);
    let mut kinds = vec![
        kind("success-rate", "criteria", rate(Share::Successes), "Success rate by stage".into(), false),
        kind(
            "throughput",
            "figures",
            Estimator::RecordThroughput,
            format!("Throughput by stage: successful {} per busy second", words.many),
            true,
        ),
        kind("concurrency", "figures", Estimator::Concurrency, format!("{} in flight by stage", words.heading()), true),
    ];
    for metric in &report.metrics {
        if let Estimator::Mean(Distribution::Measure(_)) = metric.estimator {
            let name = metric.label.split(',').next().unwrap_or_default().to_lowercase();
            let title = format!("Mean {name} by stage");
            // Other charts have names, too.
            let id = if name == "memory" { name.clone() } else { format!("measure-{}", name.replace(' ', "-")) };
            kinds.push(kind(&id, "figures", metric.estimator, title, true));
        }
    }
    kinds.push(kind("timeouts", "errors", rate(Share::Timeouts), "Timeout rate by stage".into(), true));
    kinds.into_iter().flatten().collect()
}

/// One row: an arm of a stage.
struct Row<'a> {
    stage: &'a Stage,
    arm: String,
    treated: bool,
    figure: Option<&'a Figure>,
    threshold: Option<f64>,
}

/// The charts whose metric the report has anywhere.
pub(super) fn charts(report: &Report) -> Vec<Chart> {
    kinds(report).iter().filter_map(|kind| chart(report, kind)).collect()
}

fn chart(report: &Report, kind: &Kind<'_>) -> Option<Chart> {
    let metric = kind.metric;
    let rows: Vec<Row<'_>> = report.stages.iter().flat_map(|stage| rows(report, kind, stage)).collect();
    if rows.iter().all(|row| row.figure.is_none()) {
        return None;
    }
    let range = range(metric, &rows);
    let has_threshold = rows.iter().any(|row| row.threshold.is_some());
    let description = rows.iter().map(|row| phrase(metric, row)).collect::<Vec<_>>().join("; ");
    let table = rows.iter().map(|row| cells(metric, row)).collect();
    let chart = Chart::new((&kind.id, kind.section), &kind.title, format!("{description}."), |width| {
        let height = rows.len() as f64 * ROW + if has_threshold { 44.0 } else { 28.0 };
        draw(width, height as u32, |canvas| picture(canvas, metric, &rows, f64::from(width), range, has_threshold))
    });
    Some(chart.with_table(&["Stage", "Arm", "Value", "95 % interval", "n"], table))
}

fn rows<'a>(report: &'a Report, kind: &Kind<'_>, stage: &'a Stage) -> Vec<Row<'a>> {
    let of_stage = |metric| report.criteria.iter().find(|c| c.stage == stage.name && c.metric == metric);
    let criterion = of_stage("success_rate");
    let treated = criterion.map_or(stage.percentage > 0.0, |criterion| criterion.scope == "treated");
    let row = |arm: &str, treated, group: &'a Group, threshold| Row {
        stage,
        arm: arm.to_owned(),
        treated,
        figure: group.figure(&kind.metric.id),
        threshold,
    };
    let groups = &stage.groups;
    if !treated {
        let threshold = criterion.filter(|_| !kind.both_arms).map(|criterion| criterion.threshold);
        return vec![row(&format!("all {}", report.words.many), false, &groups.all, threshold)];
    }
    if !kind.both_arms {
        return vec![row("treated", true, &groups.treated, criterion.map(|criterion| criterion.threshold))];
    }
    let mut rows = vec![row("treated", true, &groups.treated, None)];
    if groups.control.n > 0 {
        rows.push(row(&report.words.control, false, &groups.control, None));
    }
    rows
}

/// Low and high end of the axis.
fn range(metric: &Metric, rows: &[Row<'_>]) -> (f64, f64) {
    let figures = rows.iter().filter_map(|row| row.figure);
    let ends = figures.flat_map(|figure| figure.ci.map_or([figure.value; 2], Interval::ends));
    let all = ends.chain(rows.iter().filter_map(|row| row.threshold));
    let (low, high) = all.fold((f64::INFINITY, 0.0_f64), |(low, high), end| (low.min(end), high.max(end)));
    if metric.id == "success_rate" {
        // A margin below, so that the lowest mark is not the edge.
        return ((low - (1.0 - low) * 0.08 - 0.001).max(0.0), 1.0);
    }
    (0.0, if high > 0.0 { high * 1.05 } else { 1.0 })
}

fn picture(
    canvas: &Canvas<'_>,
    metric: &Metric,
    rows: &[Row<'_>],
    width: f64,
    (low, high): (f64, f64),
    has_threshold: bool,
) {
    let narrow = width < 500.0;
    let left = if narrow { 82.0 } else { 150.0 };
    let right = width - if narrow { 76.0 } else { 92.0 };
    let scale = Scale::linear(low, high, left, right);
    let bottom = rows.len() as f64 * ROW + 8.0;
    for tick in scale.ticks(if narrow { 3 } else { 6 }) {
        canvas.line((scale.at(tick), 8.0), (scale.at(tick), bottom), GRID, 1);
        canvas.text((scale.at(tick), bottom + 12.0), &tick_text(&metric.unit, tick), Hold::Middle, 11, MUTED);
    }
    if has_threshold {
        canvas.text((left, bottom + 28.0), "green tick: threshold of the criterion", Hold::Start, 11, LIMIT);
    }
    for (index, row) in rows.iter().enumerate() {
        let middle = 8.0 + (index as f64 + 0.5) * ROW;
        if index % 2 == 0 {
            canvas.rectangle((0.0, middle - ROW / 2.0), (left - 6.0, middle + ROW / 2.0), SHADE);
        }
        let colour = if row.treated { TREATED } else { CONTROL };
        canvas.text((4.0, middle - 6.0), &short(&row.stage.name, if narrow { 11 } else { 20 }), Hold::Start, 13, INK);
        canvas.text((4.0, middle + 8.0), &short(&row.arm, if narrow { 12 } else { 22 }), Hold::Start, 11, colour);
        if let Some(threshold) = row.threshold {
            let x = scale.at(threshold);
            canvas.rectangle((x - 1.0, middle - 13.0), (x + 2.0, middle + 13.0), LIMIT);
        }
        let Some(figure) = row.figure else {
            canvas.text((left + 8.0, middle), format::NOT_MEASURED, Hold::Start, 12, MUTED);
            continue;
        };
        if let Some([from, to]) = figure.ci.map(Interval::ends) {
            canvas.line((scale.at(from), middle), (scale.at(to), middle), colour, 3);
        }
        // Shape as well as colour tells the arms apart.
        if row.treated {
            canvas.dot((scale.at(figure.value), middle), 5, colour);
        } else {
            canvas.ring((scale.at(figure.value), middle), 5, colour);
        }
        let value = format::figure(figure.value, figure.ci, &metric.unit).0;
        canvas.text((width - 4.0, middle), &value, Hold::End, 12, INK);
    }
}

fn tick_text(unit: &Unit, tick: f64) -> String {
    match unit {
        Unit::Fraction => format!("{} %", format::plain(tick * 100.0)),
        _ => format::threshold(tick, unit),
    }
}

fn cells(metric: &Metric, row: &Row<'_>) -> Vec<String> {
    let (value, interval, n) = match row.figure {
        None => (format::NOT_MEASURED.to_owned(), None, String::new()),
        Some(figure) => {
            let (value, interval) = format::figure(figure.value, figure.ci, &metric.unit);
            (value, interval, format::count(figure.n))
        }
    };
    vec![row.stage.name.clone(), row.arm.clone(), value, interval.unwrap_or_else(|| "–".into()), n]
}

fn phrase(metric: &Metric, row: &Row<'_>) -> String {
    let threshold =
        row.threshold.map_or_else(String::new, |threshold| format!(", threshold {}", format::share(threshold)));
    let name = format!("{}, {}", row.stage.name, row.arm);
    match row.figure {
        None => format!("{name}: {}", format::NOT_MEASURED),
        Some(figure) => {
            let estimate = format::estimate(figure.value, figure.ci, &metric.unit);
            format!("{name}: {estimate}{threshold}")
        }
    }
}
