//! A metric of each stage, control and treated on one row, as a ring and a dot with their intervals: success rate with
//! its thresholds, then throughput, concurrency, memory, timeouts.

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
}

/// Success rate, throughput, concurrency, the mean of each measure, timeouts.
fn kinds(report: &Report) -> Vec<Kind<'_>> {
    let words = &report.words;
    let kind = |id: &str, section, estimator, title: String| {
        let metric = report.metric_by(estimator)?;
        Some(Kind { id: id.to_owned(), section, metric, title })
    };
    let rate = |share| Estimator::Rate(share);
    let mut kinds = vec![
        kind("success-rate", "criteria", rate(Share::Successes), "Success rate by stage".into()),
        kind(
            "throughput",
            "figures",
            Estimator::RecordThroughput,
            format!("Throughput by stage: successful {} per busy second", words.many),
        ),
        kind("concurrency", "figures", Estimator::Concurrency, format!("{} in flight by stage", words.heading())),
    ];
    for metric in &report.metrics {
        if let Estimator::Mean(Distribution::Measure(_)) = metric.estimator {
            let name = metric.label.split(',').next().unwrap_or_default().to_lowercase();
            let title = format!("Mean {name} by stage");
            // Other charts have names, too.
            let id = if name == "memory" { name.clone() } else { format!("measure-{}", name.replace(' ', "-")) };
            kinds.push(kind(&id, "figures", metric.estimator, title));
        }
    }
    kinds.push(kind("timeouts", "figures", rate(Share::Timeouts), "Timeout rate by stage".into()));
    kinds.into_iter().flatten().collect()
}

/// One row: a stage, its arms on one line.
struct Row<'a> {
    stage: &'a Stage,
    /// The control first, so that the treated lies above it.
    arms: Vec<ArmMark<'a>>,
    /// Of its criterion, where the chart is of that metric.
    threshold: Option<f64>,
}

struct ArmMark<'a> {
    arm: String,
    treated: bool,
    figure: Option<&'a Figure>,
}

impl Row<'_> {
    fn figures(&self) -> impl Iterator<Item = &Figure> {
        self.arms.iter().filter_map(|arm| arm.figure)
    }
}

/// The charts whose metric the report has anywhere.
pub(super) fn charts(report: &Report) -> Vec<Chart> {
    kinds(report).iter().filter_map(|kind| chart(report, kind)).collect()
}

fn chart(report: &Report, kind: &Kind<'_>) -> Option<Chart> {
    let metric = kind.metric;
    let rows: Vec<Row<'_>> = report.stages.iter().map(|stage| row(report, kind, stage)).collect();
    if rows.iter().all(|row| row.figures().next().is_none()) {
        return None;
    }
    let range = range(metric, &rows);
    let has_threshold = rows.iter().any(|row| row.threshold.is_some());
    let description = rows.iter().map(|row| phrase(metric, row)).collect::<Vec<_>>().join("; ");
    let table = rows.iter().flat_map(|row| cells(metric, row)).collect();
    let chart = Chart::new((&kind.id, kind.section), &kind.title, format!("{description}."), |width| {
        let height = rows.len() as f64 * ROW + if has_threshold { 44.0 } else { 28.0 };
        draw(width, height as u32, |canvas| picture(canvas, metric, &rows, f64::from(width), range, has_threshold))
    });
    Some(chart.with_table(&["Stage", "Arm", "Value", "95 % interval", "n"], table))
}

fn row<'a>(report: &'a Report, kind: &Kind<'_>, stage: &'a Stage) -> Row<'a> {
    let arm = |arm: &str, treated, group: &'a Group| ArmMark {
        arm: arm.to_owned(),
        treated,
        figure: group.figure(&kind.metric.id),
    };
    let (groups, words) = (&stage.groups, &report.words);
    let mut arms = Vec::new();
    if groups.control.n > 0 {
        arms.push(arm(&words.control, false, &groups.control));
    }
    if groups.treated.n > 0 {
        arms.push(arm(&words.treated, true, &groups.treated));
    }
    // What belongs to no record belongs to no arm.
    if arms.iter().all(|arm| arm.figure.is_none()) {
        arms = vec![arm(&format!("all {}", words.many), stage.percentage > 0.0, &groups.all)];
    }
    let criterion = report.criteria.iter().find(|known| known.stage == stage.name && known.metric == kind.metric.id);
    Row { stage, arms, threshold: criterion.map(|criterion| criterion.threshold) }
}

/// Low and high end of the axis.
fn range(metric: &Metric, rows: &[Row<'_>]) -> (f64, f64) {
    let figures = rows.iter().flat_map(Row::figures);
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
        canvas.text((scale.at(tick), bottom + 12.0), &tick_text(&metric.unit, tick), Hold::Middle, 12, MUTED);
    }
    if has_threshold {
        canvas.text((left, bottom + 28.0), "green tick: threshold of the criterion", Hold::Start, 12, LIMIT);
    }
    for (index, row) in rows.iter().enumerate() {
        let middle = 8.0 + (index as f64 + 0.5) * ROW;
        if index % 2 == 0 {
            canvas.rectangle((0.0, middle - ROW / 2.0), (left - 6.0, middle + ROW / 2.0), SHADE);
        }
        canvas.text((4.0, middle), &short(&row.stage.name, if narrow { 11 } else { 20 }), Hold::Start, 13, INK);
        if let Some(threshold) = row.threshold {
            let x = scale.at(threshold);
            canvas.rectangle((x - 1.0, middle - 13.0), (x + 2.0, middle + 13.0), LIMIT);
        }
        let known: Vec<(&ArmMark<'_>, &Figure)> =
            row.arms.iter().filter_map(|arm| arm.figure.map(|figure| (arm, figure))).collect();
        if known.is_empty() {
            canvas.text((left + 8.0, middle), format::NOT_MEASURED, Hold::Start, 12, MUTED);
        }
        if let [(_, one), (_, other)] = known.as_slice() {
            canvas.line((scale.at(one.value), middle), (scale.at(other.value), middle), GRID, 2);
        }
        for (place, (arm, figure)) in known.iter().enumerate() {
            let colour = if arm.treated { TREATED } else { CONTROL };
            // Two arms stand a little apart, so that neither hides the other's interval.
            let apart = if known.len() == 2 { place as f64 * 12.0 - 6.0 } else { 0.0 };
            let y = middle + apart;
            if let Some([from, to]) = figure.ci.map(Interval::ends) {
                canvas.line((scale.at(from), y), (scale.at(to), y), colour, 3);
            }
            // Shape as well as colour tells the arms apart.
            if arm.treated {
                canvas.dot((scale.at(figure.value), y), 5, colour);
            } else {
                canvas.ring((scale.at(figure.value), y), 4, colour);
            }
            let value = format::figure(figure.value, figure.ci, &metric.unit).0;
            canvas.text((width - 4.0, middle + apart * 1.2), &value, Hold::End, 12, colour);
        }
    }
}

fn tick_text(unit: &Unit, tick: f64) -> String {
    match unit {
        Unit::Fraction => format!("{} %", format::plain(tick * 100.0)),
        _ => format::threshold(tick, unit),
    }
}

fn cells(metric: &Metric, row: &Row<'_>) -> Vec<Vec<String>> {
    let cell = |arm: &ArmMark<'_>| {
        let (value, interval, n) = match arm.figure {
            None => (format::NOT_MEASURED.to_owned(), None, String::new()),
            Some(figure) => {
                let (value, interval) = format::figure(figure.value, figure.ci, &metric.unit);
                (value, interval, format::count(figure.n))
            }
        };
        vec![row.stage.name.clone(), arm.arm.clone(), value, interval.unwrap_or_else(|| "–".into()), n]
    };
    row.arms.iter().map(cell).collect()
}

fn phrase(metric: &Metric, row: &Row<'_>) -> String {
    let threshold = row
        .threshold
        .map_or_else(String::new, |threshold| format!(", threshold {}", format::threshold(threshold, &metric.unit)));
    let of = |arm: &ArmMark<'_>| match arm.figure {
        None => format!("{} {}", arm.arm, format::NOT_MEASURED),
        Some(figure) => format!("{} {}", arm.arm, format::estimate(figure.value, figure.ci, &metric.unit)),
    };
    let told: Vec<String> = row.arms.iter().map(of).collect();
    format!("{}: {}{threshold}", row.stage.name, told.join(", "))
}
