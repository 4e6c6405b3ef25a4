//! Latency and volume over time, the stages shaded, rollbacks marked.

use chrono::DateTime;

use super::canvas::{ALARM, CONTROL, Canvas, GRID, Hold, INK, LIMIT, MUTED, SHADE, TREATED, draw};
use super::chart::{Chart, Readout, duration, short};
use super::scale::Scale;
use crate::format;
use crate::metric::Unit;
use crate::report::model::{Report, SeriesPoint, TriggerSeverity};
use crate::schema::record::Words;

/// Edges of the plot.
const LEFT: f64 = 52.0;
const RIGHT: f64 = 40.0;
/// Rows of the table.
const MOST_ROWS: usize = 700;
const LATENCY_TOP: f64 = 34.0;
const LATENCY_HEIGHT: f64 = 170.0;
const VOLUME_TOP: f64 = LATENCY_TOP + LATENCY_HEIGHT + 34.0;
const VOLUME_HEIGHT: f64 = 90.0;
const HEIGHT: u32 = (VOLUME_TOP + VOLUME_HEIGHT) as u32 + 44;

fn seconds(rfc3339: &str) -> f64 {
    DateTime::parse_from_rfc3339(rfc3339).map(|time| time.timestamp() as f64).unwrap_or(0.0)
}

pub(super) fn chart(report: &Report) -> Option<Chart> {
    let points = &report.series.points;
    let (first, last) = (points.first()?, points.last()?);
    let width_s = report.series.bucket_hours as f64 * 3600.0;
    let (from, to) = (seconds(&first.at), seconds(&last.at) + width_s);
    let uploads: u64 = points.iter().map(|point| point.n).sum();
    let description = format!(
        "Median and 95 % quantile of latency (of at least 5 and 20 successful {many}), and {many} per {}, {}; {} in all",
        bucket_name(report.series.bucket_hours),
        format::period(&first.at, &last.at),
        report.words.counted(uploads),
        many = report.words.many
    );
    let mut chart =
        Chart::new(("timeline", "timeline"), "Latency and volume over time", format!("{description}."), |width| {
            draw(width, HEIGHT, |canvas| {
                let narrow = width < 500;
                let (left, right) = (LEFT, f64::from(width) - RIGHT);
                let time = Scale::linear(from, to, left, right);
                stages(canvas, report, &time, narrow);
                latency(canvas, points, &time, width_s, (left, right));
                volume(canvas, report, &time, width_s, (left, right));
                days(canvas, from, to, &time, narrow);
                incidents(canvas, report, &time);
                change_points(canvas, report, &time);
                rollbacks(canvas, report, &time);
            })
        })
        .with_table(
            &["From", "Stage", &report.words.heading(), "Failures", "p50", "p95"],
            points.iter().take(MOST_ROWS).map(cells).collect(),
        );
    let told: Vec<(f64, String)> =
        points.iter().map(|point| (seconds(&point.at), readout(&report.words, point))).collect();
    chart.readout = Some(Readout {
        left: LEFT,
        right: RIGHT,
        from,
        to,
        points: serde_json::to_string(&told).expect("numbers and strings"),
    });
    Some(chart)
}

fn latency_text(value: Option<f64>) -> String {
    value.map_or_else(|| "too few".into(), |ms| format::value(ms, &Unit::Milliseconds))
}

fn cells(point: &SeriesPoint) -> Vec<String> {
    vec![
        format::date_time(&point.at),
        point.stage.clone(),
        format::count(point.n),
        format::count(point.n - point.successes),
        latency_text(point.latency_p50_ms),
        latency_text(point.latency_p95_ms),
    ]
}

/// What the cursor reads of a bucket.
fn readout(words: &Words, point: &SeriesPoint) -> String {
    let [at, stage, uploads, failures, p50, p95]: [String; 6] = cells(point).try_into().expect("six columns");
    format!("{at} · {stage} · {uploads} {}, {failures} failed · p50 {p50} · p95 {p95}", words.noun(point.n))
}

/// Incidents as bars below the stage names: rollbacks solid, reviews hollow.
fn incidents(canvas: &Canvas<'_>, report: &Report, time: &Scale) {
    for trigger in report.triggers.iter().filter(|trigger| trigger.fired) {
        let (start, end) = (time.at(seconds(&trigger.from)), time.at(seconds(&trigger.to)));
        let (end, top) = (end.max(start + 4.0), LATENCY_TOP - 14.0);
        if trigger.severity == TriggerSeverity::Rollback {
            canvas.rectangle((start, top), (end, top + 8.0), ALARM);
            canvas.line((start, top), (start, VOLUME_TOP + VOLUME_HEIGHT), ALARM, 1);
        } else {
            canvas.line((start, top + 4.0), (end, top + 4.0), ALARM, 2);
        }
    }
}

/// Change points as ticks on the lower edge of the latency plot.
fn change_points(canvas: &Canvas<'_>, report: &Report, time: &Scale) {
    let bottom = LATENCY_TOP + LATENCY_HEIGHT;
    for point in &report.change_points {
        let x = time.at(seconds(&point.at));
        canvas.path(&[(x - 5.0, bottom + 9.0), (x, bottom + 1.0), (x + 5.0, bottom + 9.0)], INK, 2);
    }
}

fn bucket_name(hours: u64) -> String {
    match hours {
        1 => "hour".into(),
        24 => "day".into(),
        168 => "week".into(),
        hours => format!("{hours} hours"),
    }
}

/// A band for each run of points of one stage, every second one shaded.
fn stages(canvas: &Canvas<'_>, report: &Report, time: &Scale, narrow: bool) {
    let width_s = report.series.bucket_hours as f64 * 3600.0;
    let bands = report.series.points.chunk_by(|a, b| a.stage == b.stage);
    let mut label_end = f64::NEG_INFINITY;
    for (index, band) in bands.enumerate() {
        let (start, end) = (time.at(seconds(&band[0].at)), time.at(seconds(&band[band.len() - 1].at) + width_s));
        if index % 2 == 0 {
            canvas.rectangle((start, 20.0), (end, VOLUME_TOP + VOLUME_HEIGHT), SHADE);
        }
        let characters = ((end - start) / 7.0) as usize;
        let name = short(&band[0].stage, characters.clamp(3, if narrow { 10 } else { 24 }));
        // A stage that comes and goes many times would print its name over itself.
        if start > label_end && (characters >= 2 || !narrow) {
            canvas.text((start + 3.0, 10.0), &name, Hold::Start, 12, INK);
            label_end = start + name.chars().count() as f64 * 7.0;
        }
    }
}

fn latency(canvas: &Canvas<'_>, points: &[SeriesPoint], time: &Scale, width_s: f64, (left, right): (f64, f64)) {
    let values = points.iter().flat_map(|point| [point.latency_p50_ms, point.latency_p95_ms]).flatten();
    let (low, high) = values.fold((f64::INFINITY, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
    let bottom = LATENCY_TOP + LATENCY_HEIGHT;
    canvas.text((2.0, 10.0), "latency", Hold::Start, 11, MUTED);
    if high <= 0.0 {
        canvas.text((left + 8.0, bottom - 20.0), format::NOT_MEASURED, Hold::Start, 12, MUTED);
        return;
    }
    let scale = Scale::logarithmic(low.max(0.01) * 0.8, high * 1.2, bottom, LATENCY_TOP);
    for tick in scale.ticks(6) {
        let shown = duration(tick);
        canvas.line((left, scale.at(tick)), (right, scale.at(tick)), GRID, 1);
        canvas.text((left - 6.0, scale.at(tick)), &shown, Hold::End, 11, MUTED);
    }
    for (label, colour, of) in [
        ("p95", CONTROL, (|point: &SeriesPoint| point.latency_p95_ms) as fn(&SeriesPoint) -> Option<f64>),
        ("p50", TREATED, |point: &SeriesPoint| point.latency_p50_ms),
    ] {
        let mut last = None;
        // The line breaks where there is no data: a gap is not a straight line.
        for run in points.chunk_by(|a, b| seconds(&b.at) - seconds(&a.at) <= width_s * 1.5) {
            let line: Vec<_> = run
                .iter()
                .filter_map(|point| {
                    of(point).map(|value| (time.at(seconds(&point.at) + width_s / 2.0), scale.at(value)))
                })
                .collect();
            match line.as_slice() {
                [] => continue,
                [single] => canvas.dot(*single, 1, colour),
                _ => canvas.path(&line, colour, 1),
            }
            last = line.last().copied();
        }
        if let Some((x, y)) = last {
            canvas.text((x + 5.0, y), label, Hold::Start, 12, colour);
        }
    }
}

fn volume(canvas: &Canvas<'_>, report: &Report, time: &Scale, width_s: f64, (left, right): (f64, f64)) {
    let points = &report.series.points;
    let highest = points.iter().map(|point| point.n).max().unwrap_or(0);
    let bottom = VOLUME_TOP + VOLUME_HEIGHT;
    let scale = Scale::linear(0.0, highest as f64, bottom, VOLUME_TOP);
    let label = format!("{} per {}", report.words.many, bucket_name(report.series.bucket_hours));
    canvas.text((2.0, VOLUME_TOP - 12.0), &label, Hold::Start, 11, MUTED);
    for tick in scale.ticks(3) {
        canvas.line((left, scale.at(tick)), (right, scale.at(tick)), GRID, 1);
        canvas.text((left - 6.0, scale.at(tick)), &format::count(tick as u64), Hold::End, 11, MUTED);
    }
    for point in points {
        let start = time.at(seconds(&point.at));
        let end = time.at(seconds(&point.at) + width_s);
        canvas.rectangle((start, scale.at(point.n as f64)), ((end - 0.5).max(start + 1.0), bottom), MUTED);
    }
}

/// Dates below, so many as fit.
fn days(canvas: &Canvas<'_>, from: f64, to: f64, time: &Scale, narrow: bool) {
    const DAY: f64 = 86_400.0;
    let wanted = if narrow { 4.0 } else { 10.0 };
    let steps = [1.0, 2.0, 3.0, 7.0, 14.0, 28.0, 91.0, 365.0];
    let step = DAY * steps.into_iter().find(|step| (to - from) / DAY / step <= wanted).unwrap_or(365.0);
    let bottom = VOLUME_TOP + VOLUME_HEIGHT;
    let mut day = (from / DAY).ceil() * DAY;
    while day <= to {
        let label =
            DateTime::from_timestamp(day as i64, 0).map(|time| time.format("%-d %b").to_string()).unwrap_or_default();
        canvas.line((time.at(day), bottom), (time.at(day), bottom + 4.0), MUTED, 1);
        canvas.text((time.at(day), bottom + 14.0), &label, Hold::Middle, 11, MUTED);
        day += step;
    }
    let key = if narrow {
        "UTC · ■ incident · ˄ shift"
    } else {
        "UTC; bands: stages; red bar: rollback incident, red line: review; ˄: shift of a level"
    };
    canvas.text((time.at(from), bottom + 32.0), key, Hold::Start, 11, MUTED);
}

fn rollbacks(canvas: &Canvas<'_>, report: &Report, time: &Scale) {
    for event in report.events.iter().filter(|event| event.event_type == "rollback") {
        let x = time.at(seconds(&event.at));
        canvas.line((x, 20.0), (x, VOLUME_TOP + VOLUME_HEIGHT), LIMIT, 2);
        canvas.text((x + 4.0, LATENCY_TOP - 6.0), "rollback", Hold::Start, 11, LIMIT);
    }
}
