//! Failures by type, old against new, per 1 000 records.

use super::canvas::{ALARM, CONTROL, Canvas, GRID, Hold, INK, MUTED, TREATED, draw};
use super::chart::{Chart, short};
use super::scale::Scale;
use crate::format;
use crate::report::model::{ErrorType, Report};
use crate::schema::record::Words;

const ROW: f64 = 34.0;
const TOP: f64 = 22.0;
/// Types that the picture shows. The table has more.
const MOST_ROWS_DRAWN: usize = 12;
const MOST_ROWS: usize = 100;

pub(super) fn chart(report: &Report) -> Option<Chart> {
    let types = &report.error_types;
    let shown = &types[..types.len().min(MOST_ROWS_DRAWN)];
    shown.first()?;
    let words = &report.words;
    let more = match types.len() - shown.len() {
        0 => String::new(),
        hidden => format!("and {}", format::counted(hidden as u64, "further type")),
    };
    let phrases: Vec<String> = shown.iter().map(phrase).collect();
    let description = format!(
        "Per 1 000 {}: {}{}.",
        words.many,
        phrases.join("; "),
        if more.is_empty() { String::new() } else { format!("; {more}") }
    );
    let title = format!("Failures per 1\u{202f}000 {}, before and now", words.many);
    let most = shown.iter().flat_map(|kind| [kind.before, kind.now]).flatten().map(per_thousand).fold(0.0, f64::max);
    let names = [("before", CONTROL), ("now", TREATED)];
    let chart = Chart::new(("errors", "errors"), &title, description, |width| {
        let width_px = f64::from(width);
        let narrow = width < 500;
        let (left, right) = (if narrow { 128.0 } else { 230.0 }, width_px - if narrow { 60.0 } else { 110.0 });
        let footer = if more.is_empty() { 26.0 } else { 44.0 };
        draw(width, (TOP + shown.len() as f64 * ROW + footer) as u32, |canvas| {
            let scale = Scale::linear(0.0, if most > 0.0 { most } else { 1.0 }, left, right);
            let bottom = TOP + shown.len() as f64 * ROW;
            for (index, (name, colour)) in names.into_iter().enumerate() {
                canvas.text((left + index as f64 * 60.0, 9.0), name, Hold::Start, 12, colour);
            }
            for tick in scale.ticks(if narrow { 3 } else { 6 }) {
                canvas.line((scale.at(tick), TOP), (scale.at(tick), bottom), GRID, 1);
                canvas.text((scale.at(tick), bottom + 12.0), &format::plain(tick), Hold::Middle, 12, MUTED);
            }
            for (index, kind) in shown.iter().enumerate() {
                row(canvas, (words, kind), &scale, TOP + (index as f64 + 0.5) * ROW, (narrow, width_px));
            }
            if !more.is_empty() {
                canvas.text((left, bottom + 32.0), &more, Hold::Start, 12, MUTED);
            }
        })
    });
    let rows = types.iter().take(MOST_ROWS).map(|kind| cells(report, kind)).collect();
    Some(chart.with_table(&["Error type", "Before", "Now", "Rose", "In all stages", "First seen", "Last seen"], rows))
}

fn per_thousand([failures, n]: [u64; 2]) -> f64 {
    if n == 0 { 0.0 } else { failures as f64 / n as f64 * 1000.0 }
}

fn shown(rate: Option<[u64; 2]>) -> String {
    rate.map_or_else(|| format::NOT_MEASURED.into(), |rate| format::rounded(per_thousand(rate)))
}

fn phrase(kind: &ErrorType) -> String {
    let rose = if kind.rose { ", it rose" } else { "" };
    format!("{} {} before and {} now{rose}", kind.error_type, shown(kind.before), shown(kind.now))
}

/// Of a type that was not there before: since when it is.
fn since(words: &Words, kind: &ErrorType) -> Option<String> {
    let is_new = kind.before.is_some_and(|[failures, n]| failures == 0 && n > 0);
    let first = kind.first_seen.as_ref().filter(|_| is_new)?;
    Some(format!("new: first {}", words.date_time(first)))
}

fn cells(report: &Report, kind: &ErrorType) -> Vec<String> {
    let counted = |rate: Option<[u64; 2]>| {
        rate.map_or_else(
            || format::NOT_MEASURED.to_owned(),
            |[failures, n]| {
                format!(
                    "{} ({} of {})",
                    format::rounded(per_thousand([failures, n])),
                    format::count(failures),
                    report.words.counted(n)
                )
            },
        )
    };
    let rose = if kind.rose { "rose" } else { "–" };
    let at = |time: &Option<String>| time.as_ref().map_or_else(|| "–".into(), |at| report.words.date_time(at));
    vec![
        kind.error_type.clone(),
        counted(kind.before),
        counted(kind.now),
        rose.into(),
        format::count(kind.failures),
        at(&kind.first_seen),
        at(&kind.last_seen),
    ]
}

fn row(
    canvas: &Canvas<'_>,
    (words, kind): (&Words, &ErrorType),
    scale: &Scale,
    middle: f64,
    (narrow, width): (bool, f64),
) {
    let name = short(&kind.error_type, if narrow { 17 } else { 30 });
    let (name, colour) = if kind.rose { (format!("▲ {name}"), ALARM) } else { (name, INK) };
    canvas.text((4.0, middle), &name, Hold::Start, 12, colour);
    let left = scale.at(0.0);
    for (rate, colour, y) in [(kind.before, CONTROL, middle - 7.0), (kind.now, TREATED, middle + 7.0)] {
        let Some(rate) = rate else { continue };
        let end = scale.at(per_thousand(rate)).max(left + 1.0);
        let new = if rate[0] == 0 { since(words, kind).filter(|_| !narrow) } else { None };
        canvas.rectangle((left, y - 5.0), (end, y + 5.0), colour);
        let value = format::rounded(per_thousand(rate));
        let told = new.map_or_else(|| value.clone(), |new| format!("{value} · {new}"));
        canvas.text((end + 6.0, y), &told, Hold::Start, 12, colour);
    }
    if kind.rose {
        canvas.text((width - 4.0, middle), "rose", Hold::End, 12, ALARM);
    }
}
