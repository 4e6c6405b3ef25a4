//! Windows that cross a limit, each with its own test -> incidents.

use super::watched::{Kind, Watched, WindowRun, crossings_text};
use crate::report::model::Trigger;
use stagegate_stats::scan::{Window, incidents, spent};

/// A window that crosses its limit.
pub(super) struct Crossing {
    pub window: usize,
    /// In what the kind is told in.
    pub value: f64,
    pub p_value: f64,
}

/// Incidents where crossings are beyond chance, the level spent forward in time, and one entry for those that are not.
pub(super) fn triggers(
    watched: &Watched<'_>,
    kind: &Kind,
    windows: &[Window],
    crossings: &[Crossing],
    family_level: f64,
) -> Vec<Trigger> {
    let start = watched.minutes.first().map_or(0, |minute| minute.minute);
    let of = |index: usize| crossings.iter().find(|crossing| crossing.window == index);
    let level = |index: usize| spent(family_level, windows[index].to - start);
    let fires = |index: usize| of(index).is_some_and(|crossing| crossing.p_value <= level(index));
    let mut found = Vec::new();
    let runs = incidents(windows, fires);
    for (first, last) in &runs {
        let fired: Vec<&Crossing> = (*first..=*last).filter(|index| fires(*index)).filter_map(of).collect();
        found.extend(run(watched, kind, windows, &fired, true));
    }
    let inside = |index: usize| runs.iter().any(|(first, last)| (*first..=*last).contains(&index));
    let chance: Vec<&Crossing> = crossings.iter().filter(|crossing| !inside(crossing.window)).collect();
    found.extend(run(watched, kind, windows, &chance, false));
    found
}

fn run(
    watched: &Watched<'_>,
    kind: &Kind,
    windows: &[Window],
    crossings: &[&Crossing],
    fired: bool,
) -> Option<Trigger> {
    let held: Vec<Window> = crossings.iter().map(|crossing| windows[crossing.window]).collect();
    let worst = crossings.iter().max_by(|a, b| severity(kind, a.value).total_cmp(&severity(kind, b.value)))?;
    let uploads = match (held.first(), held.last()) {
        (Some(first), Some(last)) if fired => watched.uploads(first, last),
        _ => windows[worst.window].uploads,
    };
    let run = WindowRun {
        windows: &held,
        fired,
        worst: worst.value,
        p_value: crossings.iter().map(|crossing| crossing.p_value).reduce(f64::min),
        uploads,
    };
    let text = if fired { kind.worst_text(worst.value) } else { crossings_text(held.len()) };
    watched.trigger(kind, &run, text)
}

/// The larger the worse.
fn severity(kind: &Kind, value: f64) -> f64 {
    if kind.falls { -value } else { value }
}
