//! A change at a glance: its value and interval beside no change, on the target's band.

use super::canvas::{BAND, Canvas, GRID, INK, TREATED, draw};
use super::chart::themed;
use super::scale::Scale;
use crate::report::model::Change;

const WIDTH: u32 = 220;
const HEIGHT: u32 = 22;
const EDGE: f64 = 8.0;
/// Ratios from which a change is drawn as a multiple.
const MULTIPLE: f64 = 2.0;
/// The smallest rise that the scale of a fall has room for.
const ROOM_ABOVE: f64 = 1.1;

/// The picture; the line of the table says the same in words, so it is hidden from those who listen.
pub fn bar(change: &Change) -> String {
    let svg = draw(WIDTH, HEIGHT, |canvas| {
        let scale = scale(change);
        let (top, bottom, middle) = (2.0, f64::from(HEIGHT) - 2.0, f64::from(HEIGHT) / 2.0);
        let (left, right) = (EDGE, f64::from(WIDTH) - EDGE);
        if let Some([least, most]) = change.target {
            let (from, to) = (least.map_or(left, |end| scale.at(end)), most.map_or(right, |end| scale.at(end)));
            canvas.rectangle((from, top), (to, bottom), BAND);
        }
        canvas.line((left, middle), (right, middle), GRID, 1);
        canvas.line((scale.at(1.0), top), (scale.at(1.0), bottom), INK, 1);
        interval(canvas, change, &scale, middle);
        canvas.dot((scale.at(change.ratio), middle), 5, TREATED);
    });
    let svg = themed(&svg);
    svg.split_once("<svg ")
        .map_or_else(String::new, |(_, rest)| format!("<svg class=\"bar\" aria-hidden=\"true\" {rest}"))
}

/// From nothing to no change and a little more; for a multiple as far as it goes.
fn scale(change: &Change) -> Scale {
    let known = |end: f64| end.is_finite().then_some(end);
    let high = change.ci.and_then(|ends| known(ends.high)).unwrap_or(change.ratio).max(change.ratio);
    let target = change.target.into_iter().flatten().flatten().fold(0.0, f64::max);
    let most =
        if high > MULTIPLE || target > MULTIPLE { high.max(target) * 1.1 } else { high.max(target).max(ROOM_ABOVE) };
    Scale::linear(0.0, most, EDGE, f64::from(WIDTH) - EDGE)
}

fn interval(canvas: &Canvas<'_>, change: &Change, scale: &Scale, middle: f64) {
    let Some(ends) = change.ci else { return };
    let (from, to) = (scale.at(ends.low), scale.at(ends.high));
    canvas.line((from, middle), (to, middle), TREATED, 4);
    for end in [from, to] {
        canvas.line((end, middle - 5.0), (end, middle + 5.0), TREATED, 2);
    }
}
