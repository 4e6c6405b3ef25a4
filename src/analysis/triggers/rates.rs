//! Triggers on shares of uploads: failures, and uploads that are slower than the baseline allows.

use super::watched::{Kind, Watched, WindowRun, crossings_text};
use crate::analysis::figure::{headline_latency, point};
use crate::analysis::group::{GroupData, StageData};
use crate::config::Plan;
use crate::cube::histogram::{Grid, Histogram};
use crate::cube::slice::{Arm, MinuteSums};
use crate::metric::{Distribution, Estimator};
use crate::report::model::{Trigger, TriggerSeverity};
use stagegate_stats::clusters::squared_variation_of_rates;
use stagegate_stats::scan::{Alarm, Minute, Ordinary, Reach, Verdict, Window, incidents, windows};

/// The plan's thresholds.
const LOW_SUCCESS_RATE: f64 = 0.95;
const DEGRADED_SUCCESS_RATE: f64 = 0.97;
const DEGRADED_LATENCY: f64 = 1.20;
/// Minutes of a rollback window, of a review window, and up to which either grows.
const ROLLBACK_MINUTES: i64 = 5;
const REVIEW_MINUTES: i64 = 30;
pub const MOST_MINUTES: i64 = 60;

/// What the baseline says of ordinary hours, and the levels of the alarms.
pub struct RateAlarms {
    rollback_level: f64,
    review_level: f64,
    fewest_uploads: u64,
    baseline_error_rate: f64,
    /// Squared coefficient of variation of the baseline's hourly error rates.
    error_variation: f64,
    latency: Option<LatencyLimit>,
}

/// Uploads slower than `limit_ms` are the bad ones.
#[derive(Debug, Clone, Copy)]
struct LatencyLimit {
    baseline_ms: f64,
    limit_ms: f64,
    /// The share of slower uploads at which the headline latency is exactly at the limit.
    share: f64,
    /// Squared coefficient of variation of the baseline's hourly shares of slower uploads.
    squared_variation: f64,
}

impl RateAlarms {
    /// `rollback_level` and `review_level`: the chance of any false alarm of one trigger in one stage and scope.
    pub fn new(plan: &Plan, data: &[StageData], rollback_level: f64, review_level: f64) -> Self {
        let baseline = plan.baseline().map(|stage| data[stage].arm(Arm::All)).filter(|group| group.uploads() > 0);
        let failures = |group: &GroupData| {
            let hours = group.hours.iter().map(|hour| (hour.uploads - hour.successes, hour.uploads));
            hours.collect::<Vec<_>>()
        };
        let hours = baseline.map(failures).unwrap_or_default();
        let (failed, uploads) = hours.iter().fold((0, 0), |sum, (y, n)| (sum.0 + y, sum.1 + n));
        Self {
            rollback_level,
            review_level,
            fewest_uploads: plan.analysis.min_window_uploads,
            baseline_error_rate: if uploads > 0 { failed as f64 / uploads as f64 } else { 0.0 },
            error_variation: squared_variation_of_rates(hours.into_iter()),
            latency: baseline.and_then(|group| LatencyLimit::new(plan, group)),
        }
    }

    /// The incidents and crossings of a stage's scope.
    pub(super) fn incidents(&self, watched: &Watched<'_>) -> Vec<Trigger> {
        let failures: Vec<Minute> = watched
            .minutes
            .iter()
            .map(|minute| Minute {
                minute: minute.minute,
                uploads: minute.uploads,
                n: minute.uploads,
                events: minute.uploads - minute.successes,
            })
            .collect();
        let low = self.failures(&failures, ROLLBACK_MINUTES, 1.0 - LOW_SUCCESS_RATE, self.rollback_level);
        let mut found = low.triggers(watched, &SUCCESS_RATE_LOW, |share| 1.0 - share);
        found.extend(low.triggers(watched, &ERROR_RATE_HIGH, |share| share));
        let mut degraded = self.failures(&failures, REVIEW_MINUTES, 1.0 - DEGRADED_SUCCESS_RATE, self.review_level);
        degraded.without_what_fired_worse(&low);
        found.extend(degraded.triggers(watched, &SUCCESS_RATE_DEGRADED, |share| 1.0 - share));
        found.extend(self.latency.and_then(|limit| self.slow(watched, limit)).unwrap_or_default());
        found
    }

    /// Windows of failures against an error rate.
    ///
    /// What is ordinary is the stage's own rate outside the window, but never more than the threshold; of
    /// a review trigger also the baseline's rate, which the rollout did not cause.
    fn failures(&self, minutes: &[Minute], reach: i64, threshold: f64, level: f64) -> Scanned {
        let most = if reach == REVIEW_MINUTES { threshold.max(self.baseline_error_rate) } else { threshold };
        self.scan(minutes, reach, threshold, level, (most, self.error_variation))
    }

    fn scan(
        &self,
        minutes: &[Minute],
        reach: i64,
        threshold: f64,
        level: f64,
        (most, squared_variation): (f64, f64),
    ) -> Scanned {
        let reach = Reach { minutes: reach, most_minutes: MOST_MINUTES, fewest_uploads: self.fewest_uploads };
        let windows = windows(minutes, reach);
        let (events, n) = minutes.iter().fold((0, 0), |sum, minute| (sum.0 + minute.events, sum.1 + minute.n));
        let ordinary = Ordinary { events, n, most, squared_variation };
        let alarm = Alarm { threshold, ordinary, family_level: level, windows: windows.len() };
        let verdicts = windows.iter().map(|window| alarm.test(window)).collect();
        Scanned { windows, verdicts }
    }

    /// Windows of slow uploads against the share that the limit stands for.
    fn slow(&self, watched: &Watched<'_>, limit: LatencyLimit) -> Option<Vec<Trigger>> {
        let minute = |sums: &MinuteSums| {
            let faster = Grid::MINUTE.at_most(&sums.durations, limit.limit_ms).round() as u64;
            Minute {
                minute: sums.minute,
                uploads: sums.uploads,
                n: sums.successes,
                events: sums.successes - faster.min(sums.successes),
            }
        };
        let minutes: Vec<Minute> = watched.minutes.iter().map(minute).collect();
        let ordinary = (limit.share, limit.squared_variation);
        let scanned = self.scan(&minutes, REVIEW_MINUTES, limit.share, self.review_level, ordinary);
        let latency = |window: &Window| {
            let mut pooled = Histogram::default();
            watched.minutes[window.first..=window.last].iter().for_each(|minute| pooled.add(&minute.durations));
            pooled.quantile(Grid::MINUTE, 1.0 - limit.share).unwrap_or(0.0) / limit.baseline_ms
        };
        Some(scanned.triggers_by(watched, &LATENCY_DEGRADED, |windows| windows.iter().map(latency).fold(0.0, f64::max)))
    }
}

impl LatencyLimit {
    fn new(plan: &Plan, baseline: &GroupData) -> Option<Self> {
        let estimator = headline_latency(plan.analysis.latency_statistic);
        let (baseline_ms, _) = point(baseline, estimator).ok()?;
        let limit_ms = baseline_ms * DEGRADED_LATENCY;
        let slower = |histogram: &Histogram, than_ms: f64| {
            let n = histogram.total();
            (n - (Grid::FINE.at_most(histogram, than_ms).round() as u64).min(n), n)
        };
        let share = match estimator {
            Estimator::Quantile(Distribution::Latency, q) => 1.0 - q,
            // The mean lies at some quantile of the baseline: that one stands in for it.
            _ => {
                let (slow, n) = slower(&baseline.latency.pooled, baseline_ms);
                slow as f64 / n.max(1) as f64
            }
        };
        let hours: Vec<(u64, u64)> =
            baseline.latency.hours.iter().map(|(_, histogram)| slower(histogram, limit_ms)).collect();
        let squared_variation = squared_variation_of_rates(hours.into_iter());
        Some(Self { baseline_ms, limit_ms, share, squared_variation })
    }
}

const SUCCESS_RATE_LOW: Kind =
    Kind { word: "success_rate_low", severity: TriggerSeverity::Rollback, threshold: LOW_SUCCESS_RATE };
const ERROR_RATE_HIGH: Kind =
    Kind { word: "error_rate_high", severity: TriggerSeverity::Rollback, threshold: 1.0 - LOW_SUCCESS_RATE };
const SUCCESS_RATE_DEGRADED: Kind =
    Kind { word: "success_rate_degraded", severity: TriggerSeverity::Review, threshold: DEGRADED_SUCCESS_RATE };
const LATENCY_DEGRADED: Kind =
    Kind { word: "latency_degraded", severity: TriggerSeverity::Review, threshold: DEGRADED_LATENCY };

/// Windows and what their tests say; `None` where the threshold is not crossed.
struct Scanned {
    windows: Vec<Window>,
    verdicts: Vec<Option<Verdict>>,
}

impl Scanned {
    fn fired(&self, index: usize) -> bool {
        self.verdicts[index].is_some_and(|verdict| verdict.fired)
    }

    /// Leaves windows out that overlap with what fired at a worse threshold: one outage, one name.
    fn without_what_fired_worse(&mut self, worse: &Self) {
        let runs: Vec<(i64, i64)> = incidents(&worse.windows, |index| worse.fired(index))
            .into_iter()
            .map(|(first, last)| (worse.windows[first].from, worse.windows[last].to))
            .collect();
        for (window, verdict) in self.windows.iter().zip(&mut self.verdicts) {
            if runs.iter().any(|(from, to)| window.from < *to && *from < window.to) {
                *verdict = None;
            }
        }
    }

    fn triggers(&self, watched: &Watched<'_>, kind: &Kind, value: impl Fn(f64) -> f64) -> Vec<Trigger> {
        self.triggers_by(watched, kind, |windows| value(windows.iter().map(Window::share).fold(0.0, f64::max)))
    }

    /// Incidents, then one entry for the crossings that did not fire. `worst` gives the worst value of windows.
    fn triggers_by(&self, watched: &Watched<'_>, kind: &Kind, worst: impl Fn(&[Window]) -> f64) -> Vec<Trigger> {
        let runs = incidents(&self.windows, |index| self.fired(index));
        let smallest = |indices: &mut dyn Iterator<Item = usize>| {
            indices.filter_map(|index| self.verdicts[index]).map(|verdict| verdict.p_value).reduce(f64::min)
        };
        let mut found: Vec<Trigger> = runs
            .iter()
            .filter_map(|(first, last)| {
                let fired: Vec<usize> = (*first..=*last).filter(|index| self.fired(*index)).collect();
                let windows: Vec<Window> = fired.iter().map(|index| self.windows[*index]).collect();
                let run = WindowRun {
                    windows: &windows,
                    fired: true,
                    worst: worst(&windows),
                    p_value: smallest(&mut fired.into_iter()),
                    uploads: watched.uploads(&self.windows[*first], &self.windows[*last]),
                };
                watched.trigger(kind, &run, kind.worst_text(run.worst))
            })
            .collect();
        let inside = |index: usize| runs.iter().any(|(first, last)| (*first..=*last).contains(&index));
        let crossed: Vec<usize> =
            (0..self.windows.len()).filter(|index| self.verdicts[*index].is_some() && !inside(*index)).collect();
        let windows: Vec<Window> = crossed.iter().map(|index| self.windows[*index]).collect();
        if !windows.is_empty() {
            let worst_window = windows.iter().max_by(|a, b| a.share().total_cmp(&b.share()));
            let run = WindowRun {
                windows: &windows,
                fired: false,
                worst: worst(&windows),
                p_value: smallest(&mut crossed.into_iter()),
                uploads: worst_window.map_or(0, |window| window.uploads),
            };
            found.extend(watched.trigger(kind, &run, crossings_text(windows.len())));
        }
        found
    }
}
