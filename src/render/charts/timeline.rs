//! The rollout over time: failures, latency and what the plan wants improved, each arm a line, on one time axis with
//! the stages shaded, incidents as bands and events as lines that say their time.

use chrono::DateTime;

use super::canvas::{ALARM, ALARM_BAND, CONTROL, Canvas, GRID, Hold, INK, LIMIT, MUTED, SHADE, TREATED, draw};
use super::chart::{Chart, Readout, duration, short};
use super::scale::Scale;
use crate::format;
use crate::metric::{Estimator, Share, Unit};
use crate::report::model::{Report, SeriesArm, SeriesPoint, TriggerSeverity};
use crate::schema::record::Words;
use crate::zone::Zone;

/// Edges of the plots.
const LEFT: f64 = 58.0;
const RIGHT: f64 = 44.0;
/// Rows of the table.
const MOST_ROWS: usize = 300;
/// Stage names and the labels of events stand above the first panel.
const TOP: f64 = 46.0;
const PANEL: f64 = 62.0;
const PANEL_GAP: f64 = 26.0;
/// Fewest records of a bucket whose failures are drawn: of fewer, one is a peak.
const FEWEST_RECORDS: u64 = 5;
/// Events that are named.
const MOST_EVENTS: usize = 8;
/// Measures that have a panel.
const MOST_MEASURES: usize = 2;
const NANOS_PER_SECOND: f64 = 1e9;

fn seconds(rfc3339: &str) -> f64 {
    DateTime::parse_from_rfc3339(rfc3339).map(|time| time.timestamp() as f64).unwrap_or(0.0)
}

/// One arm of a panel over time; a point is the middle of its bucket.
struct Line {
    label: String,
    treated: bool,
    width: u32,
    points: Vec<(f64, f64)>,
}

struct Panel {
    title: String,
    unit: Unit,
    logarithmic: bool,
    lines: Vec<Line>,
}

/// What the panels show, and the axis.
struct Plot<'a> {
    report: &'a Report,
    panels: Vec<Panel>,
    from: f64,
    to: f64,
    bucket_s: f64,
}

pub(super) fn chart(report: &Report) -> Option<Chart> {
    let points = &report.series.points;
    let (first, last) = (points.first()?, points.last()?);
    let bucket_s = report.series.bucket_hours as f64 * 3600.0;
    let (from, to) = (seconds(&first.at), seconds(&last.at) + bucket_s);
    let plot = Plot { report, panels: panels(report, bucket_s), from, to, bucket_s };
    let words = &report.words;
    let named: Vec<String> = plot.panels.iter().map(|panel| panel.title.clone()).collect();
    let description = format!(
        "{}, per {}, {}; {} in all. Failures of at least {FEWEST_RECORDS}, p50 and means of at least 5, p95 of at least 20 {} a bucket.",
        named.join("; "),
        bucket_name(report.series.bucket_hours),
        words.period(&first.at, &last.at),
        words.counted(points.iter().map(|point| point.n).sum()),
        words.many,
    );
    let title = format!("{} and {} over time", format::capitalised(&words.control), words.treated);
    let mut chart = Chart::new(("timeline", "timeline"), &title, description, |width| {
        draw(width, plot.height(), |canvas| plot.picture(canvas, f64::from(width)))
    });
    let columns = columns(report);
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    chart = chart.with_table(&columns, points.iter().take(MOST_ROWS).map(|point| cells(words, point)).collect());
    let told: Vec<(f64, String)> = points.iter().map(|point| (seconds(&point.at), readout(report, point))).collect();
    chart.readout = Some(Readout {
        left: LEFT,
        right: RIGHT,
        from,
        to,
        points: serde_json::to_string(&told).expect("numbers and strings"),
    });
    Some(chart)
}

fn failure_rate(arm: &SeriesArm) -> Option<f64> {
    (arm.n >= FEWEST_RECORDS).then(|| (arm.n - arm.successes) as f64 / arm.n as f64)
}

/// Failures, latency, the means of what the plan wants improved, and how much there was to do.
fn panels(report: &Report, bucket_s: f64) -> Vec<Panel> {
    let words = &report.words;
    let line = |label: &str, treated: bool, width: u32, of: &dyn Fn(&SeriesArm) -> Option<f64>| {
        let of_point = |point: &SeriesPoint| {
            let arm = if treated { &point.treated } else { &point.control };
            Some((seconds(&point.at) + bucket_s / 2.0, of(arm.as_ref()?)?))
        };
        let points: Vec<(f64, f64)> = report.series.points.iter().filter_map(of_point).collect();
        (!points.is_empty()).then(|| Line { label: label.to_owned(), treated, width, points })
    };
    let both = |of: &dyn Fn(&SeriesArm) -> Option<f64>| -> Vec<Line> {
        [line(&words.control, false, 2, of), line(&words.treated, true, 2, of)].into_iter().flatten().collect()
    };
    let failed =
        report.metric_by(Estimator::Rate(Share::Failures)).map_or(Unit::Fraction, |metric| metric.unit.clone());
    let mut panels = vec![Panel {
        title: format!("failed {}", words.many),
        unit: failed,
        logarithmic: false,
        lines: both(&failure_rate),
    }];
    let p95 = |arm: &SeriesArm| arm.latency_p95_ms;
    let mut latency = both(&|arm| arm.latency_p50_ms);
    latency.extend([line("p95", false, 1, &p95), line("p95", true, 1, &p95)].into_iter().flatten());
    let title = "latency, p50 thick, p95 thin".to_owned();
    panels.push(Panel { title, unit: Unit::Milliseconds, logarithmic: true, lines: latency });
    let mut measured: Vec<&String> = report
        .series
        .points
        .iter()
        .flat_map(|point| [&point.treated, &point.control])
        .flatten()
        .flat_map(|arm| arm.means.keys())
        .collect();
    measured.sort();
    measured.dedup();
    for id in measured.into_iter().take(MOST_MEASURES) {
        let Some(metric) = report.metric(id) else { continue };
        let lines = both(&|arm| arm.means.get(id).copied());
        let title = match &metric.unit {
            Unit::Of(unit) => format!("{}, {unit}", metric.label.to_lowercase()),
            _ => metric.label.to_lowercase(),
        };
        panels.push(Panel { title, unit: metric.unit.clone(), logarithmic: true, lines });
    }
    let per = format!("{} per {}", words.many, bucket_name(report.series.bucket_hours));
    panels.push(Panel { title: per, unit: Unit::Count, logarithmic: false, lines: both(&|arm| Some(arm.n as f64)) });
    panels.retain(|panel| !panel.lines.is_empty());
    panels
}

impl Plot<'_> {
    fn top(&self, index: usize) -> f64 {
        TOP + index as f64 * (PANEL + PANEL_GAP)
    }

    /// The lower edge of the last panel.
    fn bottom(&self) -> f64 {
        self.top(self.panels.len().max(1) - 1) + PANEL
    }

    fn height(&self) -> u32 {
        self.bottom() as u32 + 46
    }

    fn picture(&self, canvas: &Canvas<'_>, width: f64) {
        let narrow = width < 500.0;
        let edges = (LEFT, width - RIGHT);
        let time = Scale::linear(self.from, self.to, edges.0, edges.1);
        self.stages(canvas, &time, narrow);
        self.incidents(canvas, &time, narrow);
        for (index, panel) in self.panels.iter().enumerate() {
            self.panel(canvas, panel, &time, self.top(index), edges);
        }
        self.days(canvas, &time, narrow);
        self.change_points(canvas, &time);
        self.events(canvas, &time, narrow);
    }

    fn panel(&self, canvas: &Canvas<'_>, panel: &Panel, time: &Scale, top: f64, (left, right): (f64, f64)) {
        let values = || panel.lines.iter().flat_map(|line| line.points.iter().map(|(_, value)| *value));
        let (low, high) =
            values().fold((f64::INFINITY, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        let bottom = top + PANEL;
        let scale = if panel.logarithmic && low > 0.0 {
            Scale::logarithmic(low * 0.85, high * 1.15, bottom, top)
        } else {
            Scale::linear(0.0, if high > 0.0 { high * 1.05 } else { 0.01 }, bottom, top)
        };
        canvas.text((left, top - 9.0), &panel.title, Hold::Start, 12, INK);
        for tick in scale.ticks(4) {
            canvas.line((left, scale.at(tick)), (right, scale.at(tick)), GRID, 1);
            canvas.text((left - 6.0, scale.at(tick)), &tick_text(&panel.unit, tick), Hold::End, 12, MUTED);
        }
        let mut labels: Vec<f64> = Vec::new();
        for line in &panel.lines {
            let colour = if line.treated { TREATED } else { CONTROL };
            // The line breaks where there is no data: a gap is not a straight line.
            for run in line.points.chunk_by(|a, b| b.0 - a.0 <= self.bucket_s * 2.5) {
                let path: Vec<_> = run.iter().map(|(at, value)| (time.at(*at), scale.at(*value))).collect();
                match path.as_slice() {
                    [single] => canvas.dot(*single, 2, colour),
                    _ => canvas.path(&path, colour, line.width),
                }
            }
            let Some((at, value)) = line.points.last() else { continue };
            // Names that would stand over each other move apart.
            let mut y = scale.at(*value);
            while labels.iter().any(|taken| (taken - y).abs() < 12.0) {
                y -= 12.0;
            }
            labels.push(y);
            canvas.text((time.at(*at) + 5.0, y), &short(&line.label, 7), Hold::Start, 12, colour);
        }
    }

    /// A band for each run of points of one stage, every second one shaded.
    fn stages(&self, canvas: &Canvas<'_>, time: &Scale, narrow: bool) {
        let mut label_end = f64::NEG_INFINITY;
        for (index, band) in self.report.series.points.chunk_by(|a, b| a.stage == b.stage).enumerate() {
            let (start, end) =
                (time.at(seconds(&band[0].at)), time.at(seconds(&band[band.len() - 1].at) + self.bucket_s));
            if index % 2 == 0 {
                canvas.rectangle((start, 18.0), (end, self.bottom()), SHADE);
            }
            let characters = ((end - start) / 7.0) as usize;
            let name = short(&band[0].stage, characters.clamp(3, if narrow { 10 } else { 24 }));
            // A stage that comes and goes many times would print its name over itself.
            if start > label_end && (characters >= 2 || !narrow) {
                canvas.text((start + 3.0, 9.0), &name, Hold::Start, 12, INK);
                label_end = start + name.chars().count() as f64 * 7.0;
            }
        }
    }

    /// Incidents as bands: rollbacks filled with a bar above, reviews a bar alone; the first one says when it began.
    fn incidents(&self, canvas: &Canvas<'_>, time: &Scale, narrow: bool) {
        let clock = |at: &str| self.report.words.timezone.clock(at);
        let mut named = f64::NEG_INFINITY;
        for trigger in self.report.triggers.iter().filter(|trigger| trigger.fired) {
            let (start, end) = (time.at(seconds(&trigger.from)), time.at(seconds(&trigger.to)));
            let end = end.max(start + 4.0);
            if trigger.severity == TriggerSeverity::Rollback {
                canvas.rectangle((start, 18.0), (end, self.bottom()), ALARM_BAND);
                canvas.rectangle((start, 18.0), (end, 23.0), ALARM);
            } else {
                canvas.line((start, 21.0), (end, 21.0), ALARM, 2);
            }
            let label = if narrow { clock(&trigger.from) } else { format!("{} {}", clock(&trigger.from), "incident") };
            if trigger.severity == TriggerSeverity::Rollback && start > named {
                canvas.text((start - 4.0, 30.0), &label, Hold::End, 12, ALARM);
                named = end + 60.0;
            }
        }
    }

    /// Change points as ticks on the lower edge.
    fn change_points(&self, canvas: &Canvas<'_>, time: &Scale) {
        let bottom = self.bottom();
        for point in &self.report.change_points {
            let x = time.at(seconds(&point.at));
            canvas.path(&[(x - 5.0, bottom + 9.0), (x, bottom + 1.0), (x + 5.0, bottom + 9.0)], INK, 2);
        }
    }

    /// What the log tells beside its stages, by time and name.
    fn events(&self, canvas: &Canvas<'_>, time: &Scale, narrow: bool) {
        let told = |name: &str| !matches!(name, "rollout_stage" | "simulation" | "memory_sample");
        let within = |at: f64| (self.from..=self.to).contains(&at);
        let events = self.report.events.iter().filter(|event| told(&event.event_type) && within(seconds(&event.at)));
        let mut label_end = f64::NEG_INFINITY;
        for event in events.take(MOST_EVENTS) {
            let x = time.at(seconds(&event.at));
            canvas.line((x, 24.0), (x, self.bottom()), LIMIT, 2);
            let name = short(&event.event_type.replace('_', " "), if narrow { 10 } else { 18 });
            let label = format!("{} {name}", self.report.words.timezone.clock(&event.at));
            if x > label_end {
                canvas.text((x + 4.0, 30.0), &label, Hold::Start, 12, LIMIT);
                label_end = x + label.chars().count() as f64 * 7.0;
            }
        }
    }

    /// Dates below, so many as fit.
    fn days(&self, canvas: &Canvas<'_>, time: &Scale, narrow: bool) {
        const DAY: f64 = 86_400.0;
        let wanted = if narrow { 4.0 } else { 10.0 };
        let fits = |step: &i64| (self.to - self.from) / DAY / *step as f64 <= wanted;
        let step = [1, 2, 3, 7, 14, 28, 91, 365].into_iter().find(fits).unwrap_or(365);
        let zone = self.report.words.timezone;
        let bottom = self.bottom();
        let mut day = zone.day(((self.from - 1.0) * NANOS_PER_SECOND) as i64) + 1;
        loop {
            let midnight = zone.start_of_day(day) as f64 / NANOS_PER_SECOND;
            if midnight > self.to {
                break;
            }
            canvas.line((time.at(midnight), bottom), (time.at(midnight), bottom + 4.0), MUTED, 1);
            canvas.text((time.at(midnight), bottom + 15.0), &Zone::day_name(day), Hold::Middle, 12, MUTED);
            day += step;
        }
        let name = zone.name();
        let key = if narrow {
            format!("{name} · bands: stages, incidents · ˄ shift")
        } else {
            format!(
                "{name}; bands: stages; red band: rollback incident, red line: review; green line: event; ˄: shift of a level"
            )
        };
        canvas.text((time.at(self.from), bottom + 34.0), &key, Hold::Start, 12, MUTED);
    }
}

fn tick_text(unit: &Unit, tick: f64) -> String {
    match unit {
        Unit::Fraction => format!("{} %", format::plain(tick * 100.0)),
        Unit::Milliseconds => duration(tick),
        Unit::Count => format::count(tick as u64),
        _ => format::plain(tick),
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

/// The arms by the names of the log.
fn columns(report: &Report) -> Vec<String> {
    let mut columns = vec!["From".to_owned(), "Stage".into()];
    for arm in [&report.words.control, &report.words.treated] {
        columns.extend([arm.clone(), format!("{arm}: failed"), format!("{arm}: p50"), format!("{arm}: p95")]);
    }
    columns
}

fn cells(words: &Words, point: &SeriesPoint) -> Vec<String> {
    let mut cells = vec![words.date_time(&point.at), point.stage.clone()];
    let latency = |value: Option<f64>| value.map_or_else(|| "–".into(), |ms| format::value(ms, &Unit::Milliseconds));
    for arm in [&point.control, &point.treated] {
        match arm {
            None => cells.extend(["0".to_owned(), "–".into(), "–".into(), "–".into()]),
            Some(arm) => cells.extend([
                format::count(arm.n),
                format::count(arm.n - arm.successes),
                latency(arm.latency_p50_ms),
                latency(arm.latency_p95_ms),
            ]),
        }
    }
    cells
}

/// What the cursor reads of a bucket.
fn readout(report: &Report, point: &SeriesPoint) -> String {
    let of = |name: &str, arm: &Option<SeriesArm>| {
        let arm = arm.as_ref()?;
        let p50 = arm
            .latency_p50_ms
            .map_or_else(String::new, |ms| format!(", p50 {}", format::value(ms, &Unit::Milliseconds)));
        Some(format!("{name} {}, {} failed{p50}", format::count(arm.n), format::count(arm.n - arm.successes)))
    };
    let arms = [of(&report.words.control, &point.control), of(&report.words.treated, &point.treated)];
    let told: Vec<String> = arms.into_iter().flatten().collect();
    format!("{} · {} · {}", report.words.date_time(&point.at), point.stage, told.join(" · "))
}
