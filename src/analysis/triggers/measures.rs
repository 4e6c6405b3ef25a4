//! Means of measures that are watched minute by minute.

use super::crossings::{Crossing, triggers};
use super::rates::{MOST_MINUTES, severity_of};
use super::watched::{Kind, Told, Watched};
use crate::analysis::figure::point;
use crate::analysis::group::{NANO_PER_UNIT, StageData};
use crate::config::{Bound, Plan};
use crate::cube::slice::{Arm, MinuteSums};
use crate::metric::{Distribution, Estimator};
use crate::report::model::{Trigger, TriggerSeverity};
use stagegate_stats::distributions::t_upper_tail;
use stagegate_stats::scan::{Minute, Reach, Window, windows};

/// Fewest minutes with the measure that a window is judged by.
const FEWEST_MINUTES: usize = 3;

/// A measure that is watched.
pub(super) struct MeasureAlarm {
    kind: Kind,
    measure: usize,
    /// What the mean must not pass, in the measure's unit.
    limit: f64,
    /// What the worst value is told in: the baseline's mean, or 1.
    unit: f64,
}

/// The measures that the plan watches; those that are held against a baseline without them are left out.
pub(super) fn alarms(plan: &Plan, data: &[StageData]) -> Vec<MeasureAlarm> {
    let baseline = plan.baseline().map(|stage| data[stage].arm(Arm::All));
    let alarm = |watch: crate::config::Watch| {
        let metric = plan.metric(&watch.metric)?;
        let Estimator::Mean(Distribution::Measure(measure)) = metric.estimator else { return None };
        let name = plan.schema.measures[measure].text();
        let (threshold, times, falls) = match watch.bound()? {
            Bound::AtMost(limit) => (limit, false, false),
            Bound::AtLeast(limit) => (limit, false, true),
            Bound::AtMostTimesBaseline(limit) => (limit, true, false),
            Bound::AtLeastTimesBaseline(_) => return None,
        };
        let unit = if times { point(baseline?, metric.estimator).ok()?.0 } else { 1.0 };
        let told = if times { Told::MeasureTimesBaseline(name) } else { Told::Measure(name, metric.unit.clone()) };
        let kind = Kind { word: watch.name.clone(), severity: severity_of(&watch), threshold, told, falls };
        Some(MeasureAlarm { kind, measure, limit: threshold * unit, unit })
    };
    plan.triggers.watched().into_iter().filter_map(alarm).collect()
}

impl MeasureAlarm {
    pub(super) fn severity(&self) -> TriggerSeverity {
        self.kind.severity
    }

    /// Windows whose mean is surely beyond the limit: a t test over the means of their minutes, weighted by how many
    /// records each holds (the minutes are the clusters), at the level that the day may spend.
    pub(super) fn incidents(&self, watched: &Watched<'_>, reach_minutes: i64, level: f64) -> Vec<Trigger> {
        let minutes: Vec<Minute> = watched
            .minutes
            .iter()
            .map(|minute| Minute { minute: minute.minute, uploads: minute.measures[self.measure].n, n: 0, events: 0 })
            .collect();
        let fewest_uploads = watched.plan.analysis.min_window_uploads;
        let reach = Reach { minutes: reach_minutes, most_minutes: MOST_MINUTES, fewest_uploads };
        let windows = windows(&minutes, reach);
        let crossing = |(index, window): (usize, &Window)| {
            let (value, p_value) = self.test(&watched.minutes[window.first..=window.last])?;
            Some(Crossing { window: index, value: value / self.unit, p_value })
        };
        let crossings: Vec<Crossing> = windows.iter().enumerate().filter_map(crossing).collect();
        triggers(watched, &self.kind, &windows, &crossings, level)
    }

    /// Mean of some minutes and its p-value; `None` where it keeps the limit, or there is too little.
    fn test(&self, minutes: &[MinuteSums]) -> Option<(f64, f64)> {
        let of = |minute: &MinuteSums| {
            let sum = minute.measures[self.measure];
            (sum.nano as f64 / NANO_PER_UNIT, sum.n as f64)
        };
        let carrying: Vec<(f64, f64)> = minutes.iter().map(of).filter(|(_, n)| *n > 0.0).collect();
        let (total, n) = carrying.iter().fold((0.0, 0.0), |sums, (y, n)| (sums.0 + y, sums.1 + n));
        if carrying.len() < FEWEST_MINUTES {
            return None;
        }
        let mean = total / n;
        let beyond = if self.kind.falls { self.limit - mean } else { mean - self.limit };
        if beyond <= 0.0 {
            return None;
        }
        // Of a ratio of sums over clusters: Cochran 1977, 6.3.
        let clusters = carrying.len() as f64;
        let squares: f64 = carrying.iter().map(|(y, n)| (y - mean * n).powi(2)).sum();
        let error = (squares * clusters / (clusters - 1.0)).sqrt() / n;
        let p_value = if error > 0.0 { t_upper_tail(beyond / error, clusters - 1.0) } else { 0.0 };
        Some((mean, p_value))
    }
}
