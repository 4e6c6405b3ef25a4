//! The headline improvements: each on its own scale, its target band drawn, its interval as a line.

use super::canvas::{BAND, Canvas, GRID, Hold, INK, LIMIT, MUTED, SHADE, TREATED, draw};
use super::chart::{Chart, short};
use super::scale::Scale;
use crate::format;
use crate::metric::Unit;
use crate::report::model::{Improvement, Report, Target};
use stagegate_stats::Interval;

const ROW: f64 = 76.0;

pub(super) fn chart(report: &Report) -> Option<Chart> {
    let improvements = &report.improvements;
    if improvements.is_empty() {
        return None;
    }
    let phrases: Vec<String> = improvements.iter().map(phrase).collect();
    let description = format!("{}.", phrases.join("; "));
    let rows = improvements.iter().map(cells).collect();
    let chart =
        Chart::new(("improvements", "improvements"), "Improvements against their targets", description, |width| {
            draw(width, (improvements.len() as f64 * ROW) as u32 + 8, |canvas| {
                for (index, improvement) in improvements.iter().enumerate() {
                    row(canvas, improvement, f64::from(width), index as f64 * ROW + 4.0);
                }
            })
        });
    Some(chart.with_table(&["Improvement", "Value", "95 % interval", "Target"], rows))
}

fn cells(improvement: &Improvement) -> Vec<String> {
    let (value, interval) = value_text(improvement).unwrap_or_else(|| (format::NOT_MEASURED.into(), None));
    vec![improvement.label.clone(), value, interval.unwrap_or_else(|| "–".into()), target_text(improvement)]
}

/// The target band, between `edges` where it is open, and a line at the end that must be reached: each from one
/// height to another.
fn draw_band(
    canvas: &Canvas<'_>,
    target: Target,
    scale: &Scale,
    edges: (f64, f64),
    (band, line): ((f64, f64), (f64, f64)),
) {
    let (from, to) = (target.min.map(|min| scale.at(min)), target.max.map(|max| scale.at(max)));
    canvas.rectangle((from.unwrap_or(edges.0), band.0), (to.unwrap_or(edges.1), band.1), BAND);
    if let Some(limit) = from.or(to) {
        canvas.line((limit, line.0), (limit, line.1), LIMIT, 2);
    }
}

/// Its value as a dot and its interval as a line with ends.
fn mark(canvas: &Canvas<'_>, improvement: &Improvement, scale: &Scale, middle: f64) {
    let Some(value) = improvement.value else { return };
    if let Some(Interval { low, high }) = improvement.ci {
        let (from, to) = (scale.at(low), scale.at(high));
        canvas.line((from, middle), (to, middle), TREATED, 3);
        for end in [from, to] {
            canvas.line((end, middle - 6.0), (end, middle + 6.0), TREATED, 2);
        }
    }
    canvas.dot((scale.at(value), middle), 5, TREATED);
}

/// Reductions from 0 (or the interval's lower end, at least -1) to 1; ratios from 0.
fn scale_of(improvement: &Improvement, left: f64, right: f64) -> Scale {
    let interval = improvement.ci;
    let known = |end: f64| end.is_finite().then_some(end);
    let low_end = interval.and_then(|ends| known(ends.low)).or(improvement.value).unwrap_or(0.0);
    let high_end = interval.and_then(|ends| known(ends.high)).or(improvement.value).unwrap_or(0.0);
    let (low, high) = match improvement.unit {
        Unit::Fraction => (low_end.clamp(-1.0, 0.0), 1.0),
        _ => (0.0, high_end.max(improvement.target.and_then(|target| target.max.or(target.min)).unwrap_or(1.0)) * 1.12),
    };
    Scale::linear(low, high, left, right)
}

fn value_text(improvement: &Improvement) -> Option<(String, Option<String>)> {
    let unit = &improvement.unit;
    improvement.value.map(|value| format::figure(value, improvement.ci, unit))
}

fn phrase(improvement: &Improvement) -> String {
    let label = improvement.label.clone();
    match value_text(improvement) {
        None => format!("{label}: {}", format::NOT_MEASURED),
        Some((value, None)) => format!("{label}: {value}, no interval; target {}", target_text(improvement)),
        Some((value, Some(interval))) => {
            format!("{label}: {value}, 95 % interval {interval}; target {}", target_text(improvement))
        }
    }
}

/// `80 to 90 %`, `at least 95 %`, `at most 1.1×` or `none set`
pub fn target_text(improvement: &Improvement) -> String {
    let unit = &improvement.unit;
    let (scale, sign) = if *unit == Unit::Fraction { (100.0, "\u{202f}%") } else { (1.0, "×") };
    let show = |value: f64| format::plain(value * scale);
    match improvement.target.map(|target| (target.min, target.max)) {
        Some((Some(min), Some(max))) => format!("{} to {}{sign}", show(min), show(max)),
        Some((Some(min), None)) => format!("at least {}{sign}", show(min)),
        Some((None, Some(max))) => format!("at most {}{sign}", show(max)),
        Some((None, None)) | None => "none set".into(),
    }
}

fn row(canvas: &Canvas<'_>, improvement: &Improvement, width: f64, top: f64) {
    let (left, right) = (2.0, width - 14.0);
    let scale = scale_of(improvement, left, right);
    let (low, high) = scale.range();
    canvas.text((left, top + 9.0), &short(&improvement.label, 40), Hold::Start, 14, INK);
    let (band_top, band_bottom, middle) = (top + 22.0, top + 46.0, top + 34.0);
    canvas.rectangle((left, band_top), (right, band_bottom), SHADE);
    if let Some(target) = improvement.target {
        let heights = ((band_top, band_bottom), (band_top - 2.0, band_bottom + 2.0));
        draw_band(canvas, target, &scale, (scale.at(low), scale.at(high)), heights);
    }
    for tick in scale.ticks(5) {
        canvas.line((scale.at(tick), band_bottom), (scale.at(tick), band_bottom + 3.0), GRID, 1);
        let shown = if improvement.unit == Unit::Fraction {
            format!("{} %", format::plain(tick * 100.0))
        } else {
            format!("{}x", format::plain(tick))
        };
        let hold = if tick <= low {
            Hold::Start
        } else if tick >= high {
            Hold::End
        } else {
            Hold::Middle
        };
        canvas.text((scale.at(tick), band_bottom + 11.0), &shown, hold, 11, MUTED);
    }
    let Some((value, _)) = value_text(improvement) else {
        canvas.text((left + 8.0, middle), format::NOT_MEASURED, Hold::Start, 13, MUTED);
        return;
    };
    mark(canvas, improvement, &scale, middle);
    canvas.text((right, top + 9.0), &format!("{value}  (target {})", target_text(improvement)), Hold::End, 13, MUTED);
}
