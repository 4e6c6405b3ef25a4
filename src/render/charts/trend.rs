//! Headline figures over the days, each with its interval.

use chrono::NaiveDate;

use super::canvas::{Canvas, GRID, Hold, INK, MUTED, TREATED, draw};
use super::chart::{Chart, short};
use super::scale::Scale;
use crate::format;
use crate::metric::{Distribution, Estimator, Metric, Share};
use crate::report::model::{Figure, Report};
use crate::schema::record::MEMORY;
use stagegate_stats::Interval;

const HEIGHT: u32 = 190;
const KINDS: [(&str, &str, Estimator); 4] = [
    ("trend-success-rate", "Success rate by day", Estimator::Rate(Share::Successes)),
    ("trend-latency", "Median latency by day", Estimator::Quantile(Distribution::Latency, 0.5)),
    ("trend-throughput", "Throughput by day", Estimator::RecordThroughput),
    ("trend-memory", "Mean memory by day", Estimator::Mean(Distribution::Measure(MEMORY))),
];

/// The trends of daily reports, given as (day, report) in order; those with at least two days that have the figure.
pub fn charts(days: &[(&str, &Report)]) -> Vec<Chart> {
    KINDS.iter().filter_map(|kind| chart(*kind, days)).collect()
}

fn chart((id, title, estimator): (&str, &str, Estimator), days: &[(&str, &Report)]) -> Option<Chart> {
    let metric = days.iter().find_map(|(_, report)| report.metric_by(estimator))?;
    let points: Vec<(&str, &Figure)> = days
        .iter()
        .filter_map(|(day, report)| Some((date(day).map(|_| *day)?, headline(report, estimator)?.0)))
        .collect();
    if points.len() < 2 {
        return None;
    }
    let show = |figure: &Figure| format::figure(figure.value, figure.ci, &metric.unit);
    let first = date(points[0].0)?;
    let cells = |(day, figure): &(&str, &Figure)| {
        let (value, interval) = show(figure);
        vec![(*day).to_owned(), value, interval.unwrap_or_else(|| "–".into()), format::count(figure.n)]
    };
    let mut rows = Vec::new();
    // Days without a report are told: a gap is not a straight line.
    let mut expected = first;
    for point in &points {
        let day = date(point.0)?;
        if day > expected {
            rows.push(vec![missing(expected, day), "no report".into(), "–".into(), "–".into()]);
        }
        rows.push(cells(point));
        expected = day.succ_opt()?;
    }
    let described: Vec<String> = points.iter().map(|(day, figure)| format!("{day}: {}", show(figure).0)).collect();
    let chart = Chart::new((id, "trends"), title, format!("{}.", described.join("; ")), |width| {
        draw(width, HEIGHT, |canvas| picture(canvas, metric, &points, f64::from(width)))
    });
    Some(chart.with_table(&["Day", "Value", "95 % interval", "n"], rows))
}

fn date(day: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()
}

/// The days from one to the one before another.
fn missing(from: NaiveDate, until: NaiveDate) -> String {
    match until.pred_opt().filter(|last| *last > from) {
        Some(last) => format!("{from} to {last}"),
        None => from.to_string(),
    }
}

fn picture(canvas: &Canvas<'_>, metric: &Metric, points: &[(&str, &Figure)], width: f64) {
    let ends = points.iter().flat_map(|(_, figure)| figure.ci.map_or([figure.value; 2], Interval::ends));
    let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), end| (low.min(end), high.max(end)));
    let margin = ((high - low) * 0.1).max(high.abs() * 1e-3).max(1e-9);
    let (top, bottom) = (10.0, f64::from(HEIGHT) - 30.0);
    let scale = Scale::linear(low - margin, high + margin, bottom, top);
    let left = 70.0;
    for tick in scale.ticks(4) {
        canvas.line((left, scale.at(tick)), (width - 10.0, scale.at(tick)), GRID, 1);
        canvas.text((left - 6.0, scale.at(tick)), &format::value(tick, &metric.unit), Hold::End, 12, MUTED);
    }
    let days: Vec<NaiveDate> = points.iter().filter_map(|(day, _)| date(day)).collect();
    let since = |day: NaiveDate| day.signed_duration_since(days[0]).num_days() as f64;
    let step = (width - left - 40.0) / since(days[days.len() - 1]).max(1.0);
    let at = |index: usize| left + 20.0 + since(days[index]) * step;
    let indices: Vec<usize> = (0..points.len()).collect();
    for run in indices.chunk_by(|a, b| since(days[*b]) - since(days[*a]) <= 1.0) {
        let line: Vec<_> = run.iter().map(|index| (at(*index), scale.at(points[*index].1.value))).collect();
        if line.len() > 1 {
            canvas.path(&line, TREATED, 1);
        }
    }
    // As many dates as fit.
    let mut label_end = f64::NEG_INFINITY;
    for (index, (day, figure)) in points.iter().enumerate() {
        let x = at(index);
        if let Some([from, to]) = figure.ci.map(Interval::ends) {
            canvas.line((x, scale.at(from)), (x, scale.at(to)), TREATED, 3);
        }
        canvas.dot((x, scale.at(figure.value)), 4, TREATED);
        if x - 22.0 > label_end {
            canvas.text((x, bottom + 14.0), &short(day.get(5..).unwrap_or(day), 6), Hold::Middle, 12, INK);
            label_end = x + 30.0;
        }
    }
}

/// A headline figure of the last stage that has records: treated where it has any, else all.
pub fn headline(report: &Report, estimator: Estimator) -> Option<(&Figure, &Metric)> {
    let stage = report.stages.iter().rfind(|stage| stage.groups.all.n > 0)?;
    let groups = &stage.groups;
    let group = if groups.treated.n > 0 { &groups.treated } else { &groups.all };
    let metric = report.metric_by(estimator)?;
    Some((group.figure(&metric.id)?, metric))
}
