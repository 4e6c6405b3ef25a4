//! The headline improvements: each on its own scale, its target band drawn, its interval as a line.

use super::Chart;
use super::canvas::{BAND, Canvas, GRID, Hold, INK, LIMIT, MUTED, TREATED, draw};
use super::scale::Scale;
use crate::format;
use crate::metric::Unit;
use crate::report::claims::improvement_text;
use crate::report::model::{Improvement, Report};

const ROW: f64 = 76.0;

pub fn chart(report: &Report) -> Option<Chart> {
    let improvements = &report.improvements;
    if improvements.is_empty() {
        return None;
    }
    let phrases: Vec<String> = improvements.iter().map(phrase).collect();
    let description = format!("{}.", phrases.join("; "));
    Some(Chart::new("improvements", "Improvements against their targets", description, |width| {
        draw(width, (improvements.len() as f64 * ROW) as u32 + 8, |canvas| {
            for (index, improvement) in improvements.iter().enumerate() {
                row(canvas, improvement, f64::from(width), index as f64 * ROW + 4.0);
            }
        })
    }))
}

fn value_text(improvement: &Improvement) -> Option<(String, Option<String>)> {
    let unit = improvement_text(&improvement.id).unit;
    improvement.value.map(|value| format::figure(value, format::open_interval(improvement.ci), unit))
}

fn phrase(improvement: &Improvement) -> String {
    let label = improvement_text(&improvement.id).label;
    match value_text(improvement) {
        None => format!("{label}: {}", format::NOT_MEASURED),
        Some((value, None)) => format!("{label}: {value}, no interval; target {}", target_text(improvement)),
        Some((value, Some(interval))) => {
            format!("{label}: {value}, 95 % interval {interval}; target {}", target_text(improvement))
        }
    }
}

/// `80 to 90 %` or `at least 95 %`
pub fn target_text(improvement: &Improvement) -> String {
    let unit = improvement_text(&improvement.id).unit;
    let (scale, sign) = if unit == Unit::Fraction { (100.0, "\u{202f}%") } else { (1.0, "×") };
    let show = |value: f64| format::plain(value * scale);
    match improvement.target.max {
        Some(max) => format!("{} to {}{sign}", show(improvement.target.min), show(max)),
        None => format!("at least {}{sign}", show(improvement.target.min)),
    }
}

fn row(canvas: &Canvas<'_>, improvement: &Improvement, width: f64, top: f64) {
    let text = improvement_text(&improvement.id);
    let (left, right) = (2.0, width - 14.0);
    let target = improvement.target;
    let interval = format::open_interval(improvement.ci);
    let known = |end: f64| end.is_finite().then_some(end);
    let low_end = interval.and_then(|(low, _)| known(low)).or(improvement.value).unwrap_or(0.0);
    let high_end = interval.and_then(|(_, high)| known(high)).or(improvement.value).unwrap_or(0.0);
    let (low, high) = match text.unit {
        Unit::Fraction => (low_end.clamp(-1.0, 0.0), 1.0),
        _ => (0.0, high_end.max(target.max.unwrap_or(target.min)) * 1.12),
    };
    let scale = Scale::linear(low, high, left, right);
    canvas.text((left, top + 9.0), text.label, Hold::Start, 14, INK);
    let (band_top, band_bottom, middle) = (top + 22.0, top + 46.0, top + 34.0);
    canvas.rectangle((left, band_top), (right, band_bottom), super::canvas::SHADE);
    canvas.rectangle((scale.at(target.min), band_top), (scale.at(target.max.unwrap_or(high)), band_bottom), BAND);
    canvas.line((scale.at(target.min), band_top - 2.0), (scale.at(target.min), band_bottom + 2.0), LIMIT, 2);
    for tick in scale.ticks(5) {
        canvas.line((scale.at(tick), band_bottom), (scale.at(tick), band_bottom + 3.0), GRID, 1);
        let shown = if text.unit == Unit::Fraction {
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
    let at = scale.at(improvement.value.unwrap_or(0.0));
    if let Some((low, high)) = interval {
        let (from, to) = (scale.at(low), scale.at(high));
        canvas.line((from, middle), (to, middle), TREATED, 3);
        for end in [from, to] {
            canvas.line((end, middle - 6.0), (end, middle + 6.0), TREATED, 2);
        }
    }
    canvas.dot((at, middle), 5, TREATED);
    canvas.text((right, top + 9.0), &format!("{value}  (target {})", target_text(improvement)), Hold::End, 13, MUTED);
}
