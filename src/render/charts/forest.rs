//! What changed for whom: the ratio of each segment with its interval, beside that of all records and the margin beyond
//! which it counts as worse.

use super::canvas::{ALARM, ALARM_BAND, Canvas, GRID, Hold, INK, MUTED, TREATED, draw};
use super::chart::{Chart, short};
use super::scale::Scale;
use crate::format;
use crate::metric::{Better, Metric, Unit};
use crate::render::marks;
use crate::report::model::{Comparison, ComparisonKind, RegressionVerdict, Report};
use stagegate_stats::Interval;

const ROW: f64 = 18.0;
const TOP: f64 = 30.0;
const FOOT: f64 = 46.0;
/// Segments that the picture shows; the table has more.
const MOST_ROWS_DRAWN: usize = 28;
const MOST_ROWS: usize = 200;
/// Segments that the description names.
const MOST_TOLD: usize = 12;
/// Metrics beside each other.
const MOST_PANELS: usize = 2;
/// The axis goes no further than these, however far an interval does.
const WIDEST: [f64; 2] = [0.05, 20.0];

/// Ratios within this factor of each other stand on a linear axis, whose ticks are closer.
const NEAR: f64 = 2.5;

/// A segment, or all records, and what changed for it by metric.
struct Row<'a> {
    name: String,
    is_all: bool,
    cells: Vec<Option<&'a Comparison>>,
}

/// The judged ratio, where it has a place on an axis of ratios.
fn judged(comparison: &Comparison) -> Option<(f64, Option<Interval>)> {
    comparison.judged().filter(|(ratio, _)| *ratio > 0.0)
}

/// The pair whose segments are shown: split at random and last, else before and after.
fn pair(report: &Report) -> Option<&Comparison> {
    let with_segments = || report.comparisons.iter().filter(|comparison| !comparison.segment.is_empty());
    let of = |kind| with_segments().rfind(|comparison| comparison.kind == kind && judged(comparison).is_some());
    of(ComparisonKind::Concurrent).or_else(|| of(ComparisonKind::BeforeAfter))
}

pub(super) fn chart(report: &Report) -> Option<Chart> {
    let shown = pair(report)?;
    let same =
        |comparison: &&Comparison| comparison.reference == shown.reference && comparison.candidate == shown.candidate;
    let of_pair = || report.comparisons.iter().filter(same);
    let mut metrics: Vec<&Metric> = Vec::new();
    for comparison in of_pair().filter(|comparison| !comparison.segment.is_empty()) {
        let Some(metric) = report.metric(&comparison.metric) else { continue };
        if !metrics.iter().any(|known| known.id == metric.id) && metrics.len() < MOST_PANELS {
            metrics.push(metric);
        }
    }
    let rows = rows(of_pair(), &metrics, report);
    let drawn = &rows[..rows.len().min(MOST_ROWS_DRAWN)];
    let margin = report.regressions.margin;
    let more = (rows.len() > drawn.len())
        .then(|| format!("and {}", format::counted((rows.len() - drawn.len()) as u64, "further segment")));
    // All, and whoever is not surely within the margin; the table has the others.
    let settled = |row: &&Row<'_>| {
        let mut verdicts = row.cells.iter().flatten().map(|comparison| comparison.verdict);
        !row.is_all && verdicts.all(|verdict| verdict == Some(RegressionVerdict::WithinMargin))
    };
    let mut told: Vec<String> =
        rows.iter().filter(|row| !settled(row)).take(MOST_TOLD).map(|row| phrase(row, &metrics)).collect();
    let within = rows.iter().filter(settled).count() as u64;
    if within > 0 {
        told.push(format!("{} surely within the margin", format::counted(within, "segment")));
    }
    let title = format!("What changed for whom: {} to {}", shown.reference, shown.candidate);
    let chart = Chart::new(("segments", "regressions"), &title, format!("{}.", told.join("; ")), |width| {
        let narrow = width < 500;
        let across = if narrow { 1 } else { metrics.len() };
        let height = TOP + drawn.len() as f64 * ROW + FOOT;
        draw(width, (height * metrics.len().div_ceil(across) as f64) as u32, |canvas| {
            let names = if narrow { 116.0 } else { 150.0 };
            let panel = (f64::from(width) - names) / across as f64;
            for (index, metric) in metrics.iter().enumerate() {
                let corner = (names + (index % across) as f64 * panel, (index / across) as f64 * height);
                if index % across == 0 {
                    for (place, row) in drawn.iter().enumerate() {
                        let y = corner.1 + TOP + (place as f64 + 0.5) * ROW;
                        canvas.text((4.0, y), &short(&row.name, if narrow { 15 } else { 20 }), Hold::Start, 12, INK);
                    }
                }
                picture(canvas, metric, (index, drawn), margin, corner, panel);
            }
            if let Some(more) = &more {
                canvas.text((4.0, height - 12.0), more, Hold::Start, 12, MUTED);
            }
        })
    });
    let cells = rows.iter().take(MOST_ROWS).flat_map(|row| cells(row, &metrics)).collect();
    Some(chart.with_table(&["Segment", "Metric", "Ratio", "95 % interval", "Observations", "Verdict"], cells))
}

/// All records first, then each segment in the order of the report, worst and open ones before the rest where not all fit.
fn rows<'a>(comparisons: impl Iterator<Item = &'a Comparison>, metrics: &[&Metric], report: &Report) -> Vec<Row<'a>> {
    let mut rows: Vec<Row<'a>> = Vec::new();
    for comparison in comparisons {
        let Some(column) = metrics.iter().position(|metric| metric.id == comparison.metric) else { continue };
        let is_all = comparison.segment.is_empty();
        let name = if is_all { format!("all {}", report.words.many) } else { comparison.segment_text() };
        let place = rows.iter().position(|row| row.name == name).unwrap_or_else(|| {
            rows.push(Row { name, is_all, cells: vec![None; metrics.len()] });
            rows.len() - 1
        });
        rows[place].cells[column] = Some(comparison);
    }
    let all_fit = rows.len() <= MOST_ROWS_DRAWN;
    rows.sort_by_key(|row| {
        let has = |wanted| row.cells.iter().flatten().any(|comparison| comparison.verdict == Some(wanted));
        let rank = [row.is_all, has(RegressionVerdict::Regression), all_fit || has(RegressionVerdict::Open), true];
        rank.iter().position(|is_it| *is_it)
    });
    rows
}

fn picture(
    canvas: &Canvas<'_>,
    metric: &Metric,
    (column, rows): (usize, &[Row<'_>]),
    margin: f64,
    (x, y): (f64, f64),
    width: f64,
) {
    let (left, right) = (x + 8.0, x + width - 18.0);
    let (top, bottom) = (y + TOP, y + TOP + rows.len() as f64 * ROW);
    let worse = if metric.better == Better::Higher { 1.0 / (1.0 + margin) } else { 1.0 + margin };
    let known = || rows.iter().filter_map(|row| row.cells[column]).filter_map(judged);
    // By the values and by half of each interval: a segment of a few records must not press all others together.
    let reach = known().flat_map(|(ratio, ci)| {
        let near = |end: f64| if end > 0.0 { (ratio * end).sqrt() } else { ratio };
        [ratio, ci.map_or(ratio, |ci| near(ci.low)), ci.map_or(ratio, |ci| near(ci.high))]
    });
    let (low, high) =
        reach.chain([worse, 1.0]).fold((f64::INFINITY, 0.0_f64), |(low, high), end| (low.min(end), high.max(end)));
    let (low, high) = ((low / 1.03).max(WIDEST[0]), (high * 1.03).min(WIDEST[1]));
    let scale = if high / low < NEAR {
        Scale::linear(low, high, left, right)
    } else {
        Scale::logarithmic(low, high, left, right)
    };
    let at = |ratio: f64| scale.at(ratio.clamp(low, high));
    canvas.text((left, y + 9.0), &short(&metric.label, 34), Hold::Start, 13, INK);
    let (edge, far) = if worse > 1.0 { (at(worse), right) } else { (left, at(worse)) };
    canvas.rectangle((edge, top), (far, bottom), ALARM_BAND);
    for tick in scale.ticks(((right - left) / 90.0) as usize) {
        canvas.line((scale.at(tick), top), (scale.at(tick), bottom), GRID, 1);
        canvas.text((scale.at(tick), bottom + 12.0), &format!("{}×", format::plain(tick)), Hold::Middle, 12, MUTED);
    }
    canvas.line((at(1.0), top), (at(1.0), bottom), INK, 1);
    let (hold, from) = if worse > 1.0 { (Hold::End, right) } else { (Hold::Start, left) };
    let key = format!("band: worse by more than {}; ring: open", format::share(margin));
    canvas.text((from, bottom + 30.0), &key, hold, 12, MUTED);
    for (place, row) in rows.iter().enumerate() {
        let middle = top + (place as f64 + 0.5) * ROW;
        let Some(comparison) = row.cells[column] else { continue };
        let Some((ratio, ci)) = judged(comparison) else {
            canvas.text((at(1.0) + 6.0, middle), format::NOT_MEASURED, Hold::Start, 12, MUTED);
            continue;
        };
        let regression = comparison.verdict == Some(RegressionVerdict::Regression);
        let colour = if regression { ALARM } else { TREATED };
        if let Some([from, to]) = ci.map(Interval::ends) {
            // An end that lies beyond the axis says so.
            for (beyond, x, arrow) in [(from < low, left, "◂"), (to > high, right, "▸")] {
                if beyond {
                    canvas.text((x, middle), arrow, Hold::Middle, 12, colour);
                }
            }
            canvas.line((at(from), middle), (at(to), middle), colour, if row.is_all { 5 } else { 3 });
        }
        // Full: surely within the margin; a ring: open; a triangle: worse.
        match comparison.verdict {
            Some(RegressionVerdict::Regression) => {
                canvas.text((at(ratio), middle), "▲", Hold::Middle, 14, colour);
            }
            Some(RegressionVerdict::Open) => canvas.ring((at(ratio), middle), 4, colour),
            _ => canvas.dot((at(ratio), middle), if row.is_all { 5 } else { 4 }, colour),
        }
    }
}

fn phrase(row: &Row<'_>, metrics: &[&Metric]) -> String {
    let of = |(comparison, metric): (&Option<&Comparison>, &&Metric)| {
        let comparison = (*comparison)?;
        let (ratio, ci) = judged(comparison)?;
        let told = match comparison.verdict {
            Some(RegressionVerdict::WithinMargin) | None => String::new(),
            verdict => format!(", {}", marks::verdict(verdict).word),
        };
        Some(format!("{} {}{told}", metric.label.to_lowercase(), format::estimate(ratio, ci, &Unit::Ratio)))
    };
    let told: Vec<String> = row.cells.iter().zip(metrics).filter_map(of).collect();
    format!("{}: {}", row.name, if told.is_empty() { format::NOT_MEASURED.into() } else { told.join(", ") })
}

fn cells(row: &Row<'_>, metrics: &[&Metric]) -> Vec<Vec<String>> {
    let cell = |(comparison, metric): (&Option<&Comparison>, &&Metric)| {
        let comparison = (*comparison)?;
        let (ratio, interval) = judged(comparison)
            .map_or_else(|| (format::NOT_MEASURED.into(), None), |(ratio, ci)| format::figure(ratio, ci, &Unit::Ratio));
        let n = comparison.n.map_or_else(
            || "–".into(),
            |[reference, candidate]| format!("{} and {}", format::count(reference), format::count(candidate)),
        );
        let interval = interval.unwrap_or_else(|| "–".into());
        Some(vec![
            row.name.clone(),
            metric.label.clone(),
            ratio,
            interval,
            n,
            marks::verdict(comparison.verdict).word.into(),
        ])
    };
    row.cells.iter().zip(metrics).filter_map(cell).collect()
}
