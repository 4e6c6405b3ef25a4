//! What changed, at a glance: one line a thing, the old value beside the new one.

use serde::Serialize;

use super::super::anchors::anchor;
use super::super::charts::change_bar;
use super::super::marks::{self, Mark};
use crate::format;
use crate::metric::Unit;
use crate::report::changes::before_and_now;
use crate::report::model::{Headline, Reading, Report};
use crate::report::words::{change_text, join, target_text};

#[derive(Serialize)]
pub(crate) struct HeadlineView {
    anchor: String,
    label: String,
    before: Option<String>,
    now: Option<String>,
    /// Records in flight before and now.
    in_flight: Option<[String; 2]>,
    change: Option<String>,
    interval: Option<String>,
    target: Option<String>,
    same_hours: Option<String>,
    same_hours_interval: Option<String>,
    status: Mark,
    note: Option<String>,
    /// Where the change comes from, in one line.
    about: String,
    /// A small picture: change and interval beside no change, on the target.
    bar: String,
}

/// The heads of the columns, and the lines.
#[derive(Serialize)]
pub(crate) struct HeadlinesView {
    before: String,
    now: String,
    same_hours: Option<String>,
    lines: Vec<HeadlineView>,
}

pub(crate) fn headlines(report: &Report) -> HeadlinesView {
    let all = || report.headlines.iter();
    let stage = |reading: Option<&Reading>| {
        let group = &reading?.group;
        group.rsplit_once('/').map(|(stage, _)| stage.to_owned())
    };
    let mut stages: Vec<String> = Vec::new();
    for same in all().filter_map(|line| line.same_hours.as_ref()) {
        stages.extend(same.stages.iter().filter(|stage| !stages.contains(stage)).cloned().collect::<Vec<_>>());
    }
    // In the order of the rollout.
    let order = |name: &String| report.stages.iter().position(|stage| stage.name == *name);
    stages.sort_by_key(order);
    HeadlinesView {
        before: all().find_map(|line| stage(line.before.as_ref())).unwrap_or_else(|| "baseline".into()),
        now: all().find_map(|line| stage(line.now.as_ref())).unwrap_or_else(|| "no stage yet".into()),
        same_hours: (!stages.is_empty()).then(|| join(&stages, "and")),
        lines: all().map(|line| headline(report, line)).collect(),
    }
}

fn headline(report: &Report, line: &Headline) -> HeadlineView {
    let metric = report.metric(&line.metric);
    let unit = metric.map_or(&Unit::Count, |metric| &metric.unit);
    let shown = line.change.as_ref().map(|change| change_text(change.ratio, change.ci));
    let within = line.same_hours.as_ref().map(|same| change_text(same.value, same.ci));
    let groups = [&line.before, &line.now]
        .map(|reading| reading.as_ref().map(|reading| format!("n = {} ({})", format::count(reading.n), reading.group)));
    let about: Vec<String> =
        metric.map(|metric| metric.definition.clone()).into_iter().chain(groups.into_iter().flatten()).collect();
    let [before, now] = before_and_now(line, unit);
    let target = line.change.as_ref().and_then(|change| change.target).and_then(target_text);
    HeadlineView {
        anchor: anchor(&line.finding),
        label: line.label.clone(),
        before,
        now,
        in_flight: line.in_flight.map(|both| both.map(|one| format!("{one:.1}"))),
        change: shown.as_ref().map(|(value, _)| value.clone()),
        interval: shown.and_then(|(_, interval)| interval),
        target,
        same_hours: within.as_ref().map(|(value, _)| value.clone()),
        same_hours_interval: within.and_then(|(_, interval)| interval),
        status: marks::headline(line),
        note: line.reason.clone(),
        about: about.join(" · "),
        bar: line.change.as_ref().map_or_else(String::new, change_bar),
    }
}
