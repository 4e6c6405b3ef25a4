//! How values are spread before and now: the share of the records at or below each value.

use super::canvas::{CONTROL, Canvas, GRID, Hold, INK, MUTED, TREATED, draw};
use super::chart::{Chart, duration, short};
use super::scale::Scale;
use crate::format;
use crate::metric::Unit;
use crate::report::model::{Report, Spread, SpreadGroup};

const PLOT: f64 = 170.0;
const TOP: f64 = 26.0;
const HEIGHT: f64 = TOP + PLOT + 34.0;
const LEFT: f64 = 46.0;
/// Shares that have a line and a name.
const MARKS: [(f64, &str); 5] = [(0.05, "5 %"), (0.25, "25 %"), (0.5, "50 %"), (0.75, "75 %"), (0.95, "95 %")];
/// Panels beside each other on a desk.
const MOST: usize = 3;

pub(super) fn chart(report: &Report) -> Option<Chart> {
    let spreads: Vec<&Spread> = report.spreads.iter().take(MOST).collect();
    if spreads.is_empty() {
        return None;
    }
    let described: Vec<String> = spreads.iter().map(|spread| phrase(spread)).collect();
    let title = format!("How {} are spread, before and now", report.words.many);
    let chart = Chart::new(("spreads", "comparisons"), &title, format!("{}.", described.join("; ")), |width| {
        let narrow = width < 500;
        let across = if narrow { 1 } else { spreads.len() };
        let rows = spreads.len().div_ceil(across);
        draw(width, (HEIGHT * rows as f64) as u32, |canvas| {
            let panel = f64::from(width) / across as f64;
            for (index, spread) in spreads.iter().enumerate() {
                let corner = ((index % across) as f64 * panel, (index / across) as f64 * HEIGHT);
                picture(canvas, spread, corner, panel);
            }
        })
    });
    let rows = spreads.iter().flat_map(|spread| cells(spread)).collect();
    Some(chart.with_table(&["Of", "Share at or below", "Before", "Now"], rows))
}

fn value(unit: &Unit, value: f64) -> String {
    format::value(value, unit)
}

fn at(group: &SpreadGroup, share: f64) -> Option<f64> {
    group.quantiles.iter().find(|[known, _]| (known - share).abs() < 1e-9).map(|[_, value]| *value)
}

fn phrase(spread: &Spread) -> String {
    let groups = spread.groups.iter().map(|group| {
        let told = MARKS
            .iter()
            .filter_map(|(share, name)| Some(format!("{name} {}", value(&spread.unit, at(group, *share)?))));
        format!("{} {}", group.group, told.collect::<Vec<_>>().join(", "))
    });
    format!("{}, shares at or below: {}", spread.of, groups.collect::<Vec<_>>().join("; "))
}

fn cells(spread: &Spread) -> Vec<Vec<String>> {
    let mut shares: Vec<f64> =
        spread.groups.iter().flat_map(|group| group.quantiles.iter().map(|[share, _]| *share)).collect();
    shares.sort_by(f64::total_cmp);
    shares.dedup();
    let show = |group: Option<&SpreadGroup>, share| {
        group.and_then(|group| at(group, share)).map_or_else(|| "–".to_owned(), |found| value(&spread.unit, found))
    };
    let row = |share: f64| {
        vec![
            spread.of.clone(),
            format::share(share),
            show(spread.groups.first(), share),
            show(spread.groups.get(1), share),
        ]
    };
    shares.into_iter().map(row).collect()
}

fn picture(canvas: &Canvas<'_>, spread: &Spread, (x, y): (f64, f64), width: f64) {
    let (left, right) = (x + LEFT, x + width - 14.0);
    let (top, bottom) = (y + TOP, y + TOP + PLOT);
    let values = || spread.groups.iter().flat_map(|group| group.quantiles.iter().map(|[_, value]| *value));
    let (low, high) = values().fold((f64::INFINITY, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
    // A logarithm has no place for zero.
    let scale = if low > 0.0 {
        Scale::logarithmic(low * 0.9, high * 1.1, left, right)
    } else {
        Scale::linear(low, high, left, right)
    };
    let shares = Scale::linear(0.0, 1.0, bottom, top);
    let title = match &spread.unit {
        Unit::Of(unit) => format!("{}, {unit}", spread.of),
        _ => spread.of.clone(),
    };
    canvas.text((left, y + 9.0), &short(&title, 30), Hold::Start, 13, INK);
    for (share, name) in MARKS {
        canvas.line((left, shares.at(share)), (right, shares.at(share)), GRID, 1);
        canvas.text((left - 5.0, shares.at(share)), name, Hold::End, 12, MUTED);
    }
    for tick in scale.ticks(((right - left) / 55.0) as usize) {
        canvas.line((scale.at(tick), bottom), (scale.at(tick), bottom + 4.0), MUTED, 1);
        let shown = if spread.unit == Unit::Milliseconds { duration(tick) } else { format::plain(tick) };
        canvas.text((scale.at(tick), bottom + 14.0), &shown, Hold::Middle, 12, MUTED);
    }
    for (index, group) in spread.groups.iter().enumerate() {
        let colour = if group.treated { TREATED } else { CONTROL };
        let path: Vec<_> = group.quantiles.iter().map(|[share, value]| (scale.at(*value), shares.at(*share))).collect();
        canvas.path(&path, colour, 2);
        for [share, low, high] in &group.intervals {
            canvas.line((scale.at(*low), shares.at(*share)), (scale.at(*high), shares.at(*share)), colour, 4);
        }
        // Ring and dot as well as colour tell them apart.
        if let Some(median) = at(group, 0.5) {
            let centre = (scale.at(median), shares.at(0.5));
            if group.treated { canvas.dot(centre, 5, colour) } else { canvas.ring(centre, 5, colour) }
        }
        let name = short(&group.group, 24);
        canvas.text((right, bottom - 26.0 + index as f64 * 15.0), &name, Hold::End, 12, colour);
    }
}
