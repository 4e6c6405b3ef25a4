//! One stage and scope that is watched, and how a run of windows becomes a trigger.

use stagegate_stats::scan::Window;

use crate::config::Plan;
use crate::cube::slice::{Arm, MinuteSums};
use crate::format::{self, rfc3339_minute};
use crate::metric::Unit;
use crate::report::model::{Trigger, TriggerSeverity};

/// One stage and scope with its minutes.
pub(super) struct Watched<'a> {
    pub plan: &'a Plan,
    pub stage: usize,
    pub arm: Arm,
    pub minutes: &'a [MinuteSums],
}

/// What a trigger is called, how bad it is, and what it counts in.
pub(super) struct Kind {
    pub word: String,
    pub severity: TriggerSeverity,
    pub threshold: f64,
    pub told: Told,
    /// Whether less is worse.
    pub falls: bool,
}

/// What the worst value of a trigger is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    SuccessRate,
    ErrorRate,
    LatencyTimesBaseline,
    Latency,
    MemoryTimesHourBefore,
    /// The mean of a measure, by its name.
    Measure(String, Unit),
    MeasureTimesBaseline(String),
}

/// A run of windows of one kind.
pub(super) struct WindowRun<'a> {
    pub windows: &'a [Window],
    pub fired: bool,
    pub worst: f64,
    pub p_value: Option<f64>,
    /// Uploads from the first window's start to the last one's end.
    pub uploads: u64,
}

impl Watched<'_> {
    fn stage_name(&self) -> &str {
        &self.plan.stages[self.stage].name
    }

    /// Uploads from a window's first minute to another's last.
    pub(super) fn uploads(&self, first: &Window, last: &Window) -> u64 {
        self.minutes[first.first..=last.last].iter().map(|minute| minute.uploads).sum()
    }

    pub(super) fn trigger(&self, kind: &Kind, run: &WindowRun<'_>, text: String) -> Option<Trigger> {
        let (first, last) = (run.windows.first()?, run.windows.last()?);
        let base = format!("triggers.{}.{}.{}", self.stage_name(), self.arm.name(), kind.word);
        Some(Trigger {
            id: if run.fired { format!("{base}.{}", rfc3339_minute(first.from)) } else { base },
            trigger: kind.word.clone(),
            severity: kind.severity,
            fired: run.fired,
            stage: self.stage_name().into(),
            scope: self.arm.name().into(),
            from: rfc3339_minute(first.from),
            to: rfc3339_minute(last.to),
            first_fired_at: run.fired.then(|| rfc3339_minute(first.to)),
            windows: run.windows.len() as u64,
            worst: run.worst,
            threshold: kind.threshold,
            n: run.uploads,
            p_value: run.p_value,
            answer: None,
            answered_after_seconds: None,
            control_only: false,
            both_arms: false,
            text,
        })
    }
}

/// "crossed in 41 windows, none beyond chance".
pub(super) fn crossings_text(count: usize) -> String {
    format!("crossed in {}, none beyond chance", format::counted(count as u64, "window"))
}

impl Kind {
    /// How the worst value is told.
    pub(super) fn worst_text(&self, worst: f64) -> String {
        match &self.told {
            Told::SuccessRate => format!("success rate {} at worst", format::value(worst, &Unit::Fraction)),
            Told::ErrorRate => format!("error rate {} at worst", format::value(worst, &Unit::Fraction)),
            Told::LatencyTimesBaseline => {
                format!("latency {} the baseline's at worst", format::value(worst, &Unit::Ratio))
            }
            Told::Latency => format!("latency {} at worst", format::value(worst, &Unit::Milliseconds)),
            Told::MemoryTimesHourBefore => {
                format!("memory {} that of the hour before at worst", format::value(worst, &Unit::Ratio))
            }
            Told::Measure(name, unit) => format!("mean {name} {} at worst", format::value(worst, unit)),
            Told::MeasureTimesBaseline(name) => {
                format!("mean {name} {} the baseline's at worst", format::value(worst, &Unit::Ratio))
            }
        }
    }
}

/// Seconds since 1970 of a time that the triggers wrote themselves.
pub(super) fn seconds(rfc3339: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(rfc3339).map_or(0, |time| time.timestamp())
}
