//! Latency quantiles by stage: p50, p90, p95 and p99 on one logarithmic line per arm.

use super::canvas::{CONTROL, Canvas, GRID, Hold, INK, MUTED, SHADE, TREATED, draw};
use super::chart::{Chart, duration, short};
use super::scale::Scale;
use crate::format;
use crate::metric::Unit;
use crate::report::model::{Figure, Group, Report, Stage};
use crate::schema::record::Words;
use stagegate_stats::Interval;

const ROW: f64 = 40.0;
const QUANTILES: [(&str, &str); 4] =
    [("latency_p50_ms", "p50"), ("latency_p90_ms", "p90"), ("latency_p95_ms", "p95"), ("latency_p99_ms", "p99")];

/// One line: an arm of a stage.
struct Row<'a> {
    stage: &'a Stage,
    arm: String,
    treated: bool,
    quantiles: Vec<(&'static str, &'a Figure)>,
}

pub(super) fn chart(report: &Report) -> Option<Chart> {
    let rows: Vec<Row<'_>> = report.stages.iter().flat_map(|stage| rows(&report.words, stage)).collect();
    let figures = || rows.iter().flat_map(|row| row.quantiles.iter().map(|(_, figure)| *figure));
    let ends = figures().flat_map(|figure| figure.ci.map_or([figure.value; 2], Interval::ends));
    let (low, high) = ends.fold((f64::INFINITY, 0.0_f64), |(low, high), end| (low.min(end), high.max(end)));
    if high <= 0.0 {
        return None;
    }
    let description = rows.iter().map(phrase).collect::<Vec<_>>().join("; ");
    let table = rows.iter().flat_map(cells).collect();
    let chart = Chart::new(("latency", "figures"), "Latency quantiles by stage", format!("{description}."), |width| {
        draw(width, (rows.len() as f64 * ROW) as u32 + 30, |canvas| {
            let narrow = width < 500;
            let (left, right) = (if narrow { 82.0 } else { 150.0 }, f64::from(width) - 24.0);
            let scale = Scale::logarithmic(low.max(0.01) * 0.9, high * 1.1, left, right);
            let bottom = rows.len() as f64 * ROW + 6.0;
            for tick in scale.ticks(if narrow { 4 } else { 8 }) {
                canvas.line((scale.at(tick), 6.0), (scale.at(tick), bottom), GRID, 1);
                canvas.text((scale.at(tick), bottom + 12.0), &duration(tick), Hold::Middle, 12, MUTED);
            }
            for (index, row) in rows.iter().enumerate() {
                line(canvas, row, &scale, 6.0 + (index as f64 + 0.5) * ROW, if narrow { 11 } else { 20 });
            }
        })
    });
    Some(chart.with_table(&["Stage", "Arm", "Quantile", "Value", "95 % interval", "n"], table))
}

fn cells(row: &Row<'_>) -> Vec<Vec<String>> {
    let cell = |(name, figure): &(&'static str, &Figure)| {
        let ci = figure.ci;
        let (value, interval) = format::figure(figure.value, ci, &Unit::Milliseconds);
        vec![
            row.stage.name.clone(),
            row.arm.clone(),
            (*name).into(),
            value,
            interval.unwrap_or_else(|| "–".into()),
            format::count(figure.n),
        ]
    };
    row.quantiles.iter().map(cell).collect()
}

fn rows<'a>(words: &Words, stage: &'a Stage) -> Vec<Row<'a>> {
    let groups = &stage.groups;
    let mut rows = Vec::new();
    let mut add = |arm: String, treated, group: &'static str| {
        let data: &Group = match group {
            "treated" => &groups.treated,
            "control" => &groups.control,
            _ => &groups.all,
        };
        let found = QUANTILES.iter().filter_map(|(id, name)| Some((*name, data.figure(id)?)));
        rows.push(Row { stage, arm, treated, quantiles: found.collect() });
    };
    if stage.percentage > 0.0 && groups.treated.n > 0 {
        add("treated".to_owned(), true, "treated");
        if groups.control.n > 0 {
            add(words.control.clone(), false, "control");
        }
    } else {
        add(format!("all {}", words.many), false, "all");
    }
    rows
}

fn line(canvas: &Canvas<'_>, row: &Row<'_>, scale: &Scale, middle: f64, characters: usize) {
    let colour = if row.treated { TREATED } else { CONTROL };
    canvas.text((4.0, middle - 6.0), &short(&row.stage.name, characters), Hold::Start, 13, INK);
    canvas.text((4.0, middle + 8.0), &short(&row.arm, characters + 2), Hold::Start, 12, colour);
    let (Some(first), Some(last)) = (row.quantiles.first(), row.quantiles.last()) else {
        canvas.text((scale.at(0.0) + 8.0, middle), format::NOT_MEASURED, Hold::Start, 12, MUTED);
        return;
    };
    canvas.line((scale.at(first.1.value), middle), (scale.at(last.1.value), middle), GRID, 2);
    let mut last_label = f64::NEG_INFINITY;
    for (name, figure) in &row.quantiles {
        let x = scale.at(figure.value);
        if let Some([low, high]) = figure.ci.map(Interval::ends) {
            canvas.rectangle((scale.at(low), middle - 4.0), (scale.at(high), middle + 5.0), SHADE);
            canvas.line((scale.at(low), middle), (scale.at(high), middle), colour, 2);
            for end in [scale.at(low), scale.at(high)] {
                canvas.line((end, middle - 4.0), (end, middle + 4.0), colour, 1);
            }
        }
        if *name == "p50" {
            canvas.dot((x, middle), 5, colour)
        } else {
            canvas.ring((x, middle), 4, colour)
        }
        // Labels that would run into each other are left out; the table has them all.
        if x - last_label > 24.0 {
            canvas.text((x, middle - 12.0), name, Hold::Middle, 12, MUTED);
            last_label = x;
        }
    }
}

fn phrase(row: &Row<'_>) -> String {
    let quantiles: Vec<String> = row
        .quantiles
        .iter()
        .map(|(name, figure)| format!("{name} {}", format::value(figure.value, &Unit::Milliseconds)))
        .collect();
    let shown = if quantiles.is_empty() { format::NOT_MEASURED.to_owned() } else { quantiles.join(", ") };
    format!("{}, {}: {shown}", row.stage.name, row.arm)
}
