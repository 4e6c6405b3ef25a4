//! Failures by error type: one bar a type, its share of the uploads of each stage as text.

use std::collections::BTreeMap;

use super::canvas::{CONTROL, GRID, Hold, INK, MUTED, draw};
use super::chart::{Chart, short};
use super::scale::Scale;
use crate::format;
use crate::report::model::Report;

const ROW: f64 = 30.0;
/// Types that the picture shows: those with most failures. The table has more.
const MOST_BARS: usize = 12;
const MOST_ROWS: usize = 100;

pub(super) fn chart(report: &Report) -> Option<Chart> {
    let mut totals: BTreeMap<&str, u64> = BTreeMap::new();
    for stage in &report.stages {
        for (name, failures) in &stage.groups.all.errors {
            *totals.entry(name).or_default() += failures;
        }
    }
    let mut types: Vec<(&str, u64)> = totals.into_iter().collect();
    types.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let most = types.first()?.1;
    let uploads: u64 = report.stages.iter().map(|stage| stage.groups.all.n).sum();
    let shown = &types[..types.len().min(MOST_BARS)];
    let more = match types.len() - shown.len() {
        0 => String::new(),
        hidden => format!("; and {} of less", format::counted(hidden as u64, "further type")),
    };
    let phrases: Vec<String> =
        shown.iter().map(|(name, failures)| format!("{name} {}", format::count(*failures))).collect();
    let description = format!("Failures among {}: {}{more}.", report.words.counted(uploads), phrases.join(", "));
    let chart = Chart::new(("errors", "errors"), "Failures by error type, all stages", description, |width| {
        let width_px = f64::from(width);
        let narrow = width < 500;
        let (left, right) = (if narrow { 124.0 } else { 190.0 }, width_px - 70.0);
        let footer = if more.is_empty() { 26.0 } else { 44.0 };
        draw(width, (shown.len() as f64 * ROW + footer) as u32, |canvas| {
            let scale = Scale::linear(0.0, most as f64, left, right);
            let bottom = shown.len() as f64 * ROW + 4.0;
            for tick in scale.ticks(if narrow { 3 } else { 6 }).into_iter().filter(|tick| tick.fract() == 0.0) {
                canvas.line((scale.at(tick), 4.0), (scale.at(tick), bottom), GRID, 1);
                canvas.text((scale.at(tick), bottom + 12.0), &format::count(tick as u64), Hold::Middle, 11, MUTED);
            }
            for (index, (name, failures)) in shown.iter().enumerate() {
                let middle = 4.0 + (index as f64 + 0.5) * ROW;
                canvas.text((4.0, middle), &short(name, if narrow { 17 } else { 26 }), Hold::Start, 12, INK);
                canvas.rectangle(
                    (left, middle - 8.0),
                    (scale.at(*failures as f64).max(left + 1.0), middle + 8.0),
                    CONTROL,
                );
                let x = scale.at(*failures as f64) + 6.0;
                canvas.text((x, middle), &format::count(*failures), Hold::Start, 12, INK);
            }
            if !more.is_empty() {
                canvas.text((left, bottom + 30.0), more.trim_start_matches("; "), Hold::Start, 11, MUTED);
            }
        })
    });
    let row = |(name, _): &(&str, u64)| {
        let by_stage: Vec<String> = report
            .stages
            .iter()
            .filter_map(|stage| {
                let failures = stage.groups.all.errors.get(*name)?;
                let of = report.words.counted(stage.groups.all.n);
                Some(format!("{}: {} of {of}", stage.name, format::count(*failures)))
            })
            .collect();
        by_stage.join("; ")
    };
    let rows =
        types.iter().take(MOST_ROWS).map(|kind| vec![kind.0.to_owned(), format::count(kind.1), row(kind)]).collect();
    Some(chart.with_table(&["Error type", "Failures", "By stage"], rows))
}
