//! Success rate of each stage with its interval and the threshold of its criterion.

use super::canvas::{Hold, INK, LIMIT, MUTED, SHADE, TREATED, draw};
use super::scale::Scale;
use super::{Chart, short};
use crate::format;
use crate::metric::Unit;
use crate::report::model::{CriterionMetric, Figure, Report, Stage};

const ROW: f64 = 34.0;

/// One row: the stage, its success rate in the scope of its criterion, and the threshold.
struct Row<'a> {
    stage: &'a Stage,
    scope: &'static str,
    figure: Option<&'a Figure>,
    threshold: Option<f64>,
}

pub fn chart(report: &Report) -> Option<Chart> {
    let rows: Vec<Row<'_>> = report.stages.iter().map(|stage| row(report, stage)).collect();
    let ends = rows
        .iter()
        .flat_map(|row| row.figure.into_iter().flat_map(|figure| figure.ci.map_or([figure.value; 2], |ci| ci)));
    let lowest = ends.chain(rows.iter().filter_map(|row| row.threshold)).fold(f64::INFINITY, f64::min);
    if rows.iter().all(|row| row.figure.is_none()) {
        return None;
    }
    // A margin below, so that the lowest mark is not the edge.
    let low = (lowest - (1.0 - lowest) * 0.08 - 0.001).max(0.0);
    let description = rows.iter().map(phrase).collect::<Vec<_>>().join("; ");
    Some(Chart::new("success-rate", "Success rate by stage", format!("{description}."), |width| {
        draw(width, (rows.len() as f64 * ROW) as u32 + 44, |canvas| {
            let narrow = width < 500;
            let left = if narrow { 82.0 } else { 150.0 };
            let right = f64::from(width) - if narrow { 68.0 } else { 78.0 };
            let scale = Scale::linear(low, 1.0, left, right);
            let bottom = rows.len() as f64 * ROW + 8.0;
            for tick in scale.ticks(if narrow { 3 } else { 6 }) {
                canvas.line((scale.at(tick), 8.0), (scale.at(tick), bottom), super::canvas::GRID, 1);
                canvas.text(
                    (scale.at(tick), bottom + 12.0),
                    &format!("{} %", format::plain(tick * 100.0)),
                    Hold::Middle,
                    11,
                    MUTED,
                );
            }
            canvas.text((left, bottom + 28.0), "green tick: threshold of the criterion", Hold::Start, 11, LIMIT);
            for (index, row) in rows.iter().enumerate() {
                let middle = 8.0 + (index as f64 + 0.5) * ROW;
                if index % 2 == 0 {
                    canvas.rectangle((0.0, middle - ROW / 2.0), (left - 6.0, middle + ROW / 2.0), SHADE);
                }
                canvas.text(
                    (4.0, middle - 6.0),
                    &short(&row.stage.name, if narrow { 11 } else { 20 }),
                    Hold::Start,
                    13,
                    INK,
                );
                canvas.text((4.0, middle + 8.0), row.scope, Hold::Start, 11, MUTED);
                if let Some(threshold) = row.threshold {
                    let x = scale.at(threshold);
                    canvas.rectangle((x - 1.0, middle - 13.0), (x + 2.0, middle + 13.0), LIMIT);
                }
                let Some(figure) = row.figure else {
                    canvas.text((left + 8.0, middle), format::NOT_MEASURED, Hold::Start, 12, MUTED);
                    continue;
                };
                if let Some([from, to]) = figure.ci {
                    canvas.line((scale.at(from), middle), (scale.at(to), middle), TREATED, 3);
                }
                canvas.dot((scale.at(figure.value), middle), 5, TREATED);
                let value = format::figure(figure.value, figure.ci.map(|[low, high]| (low, high)), Unit::Fraction).0;
                canvas.text((f64::from(width) - 4.0, middle), &value, Hold::End, 12, INK);
            }
        })
    }))
}

fn row<'a>(report: &'a Report, stage: &'a Stage) -> Row<'a> {
    let of_stage = |metric| report.criteria.iter().find(|c| c.stage == stage.name && c.metric == metric);
    let criterion = of_stage(CriterionMetric::SuccessRate);
    let treated = criterion.map_or(stage.percentage > 0.0, |criterion| criterion.scope == "treated");
    let (scope, group) = if treated { ("treated", &stage.groups.treated) } else { ("all uploads", &stage.groups.all) };
    Row {
        stage,
        scope,
        figure: group.figures.get("success_rate").and_then(Option::as_ref),
        threshold: criterion.map(|criterion| criterion.threshold),
    }
}

fn phrase(row: &Row<'_>) -> String {
    let threshold =
        row.threshold.map_or_else(String::new, |threshold| format!(", threshold {}", format::share(threshold)));
    match row.figure {
        None => format!("{}: {}", row.stage.name, format::NOT_MEASURED),
        Some(figure) => {
            let (value, interval) =
                format::figure(figure.value, figure.ci.map(|[low, high]| (low, high)), Unit::Fraction);
            let interval = interval.map_or_else(String::new, |interval| format!(" ({interval})"));
            format!("{}: {value}{interval}{threshold}", row.stage.name)
        }
    }
}
