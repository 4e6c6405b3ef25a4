//! Triggers on shares of uploads: failures, and uploads that are slower than a limit allows.

use stagegate_stats::clusters::squared_variation_of_rates;
use stagegate_stats::scan::{Alarm, Minute, Ordinary, Reach, Verdict, Window, incidents, spent, windows};

use super::burst::Limits;
use super::watched::{Kind, Told, Watched, WindowRun, crossings_text};
use crate::analysis::figure::point;
use crate::analysis::group::{GroupData, StageData};
use crate::config::{Bound, Plan, Severity, Watch};
use crate::cube::histogram::{Grid, Histogram};
use crate::cube::slice::{Arm, MinuteSums};
use crate::metric::{Distribution, Estimator, Share};
use crate::report::model::{Trigger, TriggerSeverity};

/// Minutes up to which a window grows.
pub(super) const MOST_MINUTES: i64 = 60;

/// What the baseline says of ordinary hours, and what is watched.
pub(super) struct RateAlarms {
    rules: Vec<Rule>,
    rollback_minutes: i64,
    review_minutes: i64,
    fewest_uploads: u64,
    /// Whether bursts of failures are looked for.
    bursts: bool,
    /// Failures of the baseline, and all of its records.
    baseline_errors: (u64, u64),
    /// Squared coefficient of variation of the baseline's hourly error rates.
    error_variation: f64,
}

/// One trigger that is watched in windows.
struct Rule {
    kind: Kind,
    what: What,
}

/// Which uploads of a window are the bad ones.
enum What {
    /// Failures, above this share of the uploads.
    Failures(f64),
    /// Uploads slower than the limit; `None` where the baseline has no latency to hold them against.
    Slower(Option<LatencyLimit>),
}

/// Uploads slower than `limit_ms` are the bad ones.
#[derive(Debug, Clone, Copy)]
struct LatencyLimit {
    /// What the worst value is told in: the baseline's latency, or 1 ms.
    unit_ms: f64,
    limit_ms: f64,
    /// The share of slower uploads at which the latency is exactly at the limit.
    share: f64,
    /// Squared coefficient of variation of the baseline's hourly shares of slower uploads.
    squared_variation: f64,
    /// Slower uploads of the baseline, and all of its successful ones.
    baseline: (u64, u64),
}

/// What the windows of a stage are held against beside their threshold.
struct Yardstick {
    /// Bad ones of the baseline, and all of it.
    baseline: (u64, u64),
    /// The rate that counts as ordinary at most, 0 to 1.
    most: f64,
    squared_variation: f64,
}

impl Rule {
    /// `None` for what the config's validation refuses.
    fn new(plan: &Plan, watch: &Watch, baseline: Option<&GroupData>) -> Option<Self> {
        let metric = plan.metric(&watch.metric).filter(|metric| metric.estimator.measure().is_none())?;
        let (what, threshold, told) = match (metric.estimator, watch.bound()?) {
            (Estimator::Rate(Share::Successes), Bound::AtLeast(rate)) => {
                (What::Failures(1.0 - rate), rate, Told::SuccessRate)
            }
            (Estimator::Rate(Share::Failures), Bound::AtMost(rate)) => (What::Failures(rate), rate, Told::ErrorRate),
            (estimator, bound) => {
                let limit = baseline.and_then(|group| LatencyLimit::new(group, estimator, bound));
                match bound {
                    Bound::AtMostTimesBaseline(times) => (What::Slower(limit), times, Told::LatencyTimesBaseline),
                    Bound::AtMost(ms) => (What::Slower(limit), ms, Told::Latency),
                    _ => return None,
                }
            }
        };
        let severity = severity_of(watch);
        let falls = told == Told::SuccessRate;
        Some(Self { kind: Kind { word: watch.name.clone(), severity, threshold, told, falls }, what })
    }
}

/// What an incident of a trigger asks for.
pub(super) fn severity_of(watch: &Watch) -> TriggerSeverity {
    match watch.severity {
        Severity::Rollback => TriggerSeverity::Rollback,
        Severity::Review => TriggerSeverity::Review,
    }
}

impl RateAlarms {
    pub(super) fn new(plan: &Plan, data: &[StageData]) -> Self {
        let baseline = plan.baseline().map(|stage| data[stage].arm(Arm::All)).filter(|group| group.uploads() > 0);
        let failures = |group: &GroupData| {
            let hours = group.hours.iter().map(|hour| (hour.uploads - hour.successes, hour.uploads));
            hours.collect::<Vec<_>>()
        };
        let hours = baseline.map(failures).unwrap_or_default();
        let (failed, uploads) = hours.iter().fold((0, 0), |sum, (y, n)| (sum.0 + y, sum.1 + n));
        let watched = plan.triggers.watched();
        Self {
            rules: watched.iter().filter_map(|watch| Rule::new(plan, watch, baseline)).collect(),
            rollback_minutes: i64::from(plan.triggers.rollback_minutes),
            review_minutes: i64::from(plan.triggers.review_minutes),
            fewest_uploads: plan.analysis.min_window_uploads,
            bursts: plan.triggers.failure_burst,
            baseline_errors: (failed, uploads),
            error_variation: squared_variation_of_rates(hours.into_iter()),
        }
    }

    fn baseline_error_rate(&self) -> f64 {
        self.baseline_errors.0 as f64 / self.baseline_errors.1.max(1) as f64
    }

    /// What bursts of failures are held against; `None` where the plan asks for no rollback by failures, or does not look
    /// for bursts.
    pub(super) fn burst_limits(&self, level: f64) -> Option<Limits> {
        let shares = self.rules.iter().filter_map(|rule| match rule.what {
            What::Failures(share) if rule.kind.severity == TriggerSeverity::Rollback => Some(share),
            _ => None,
        });
        let share = shares.min_by(f64::total_cmp).filter(|_| self.bursts)?;
        Some(Limits { share, squared_variation: self.error_variation, level })
    }

    /// How many different questions ask for a rollback: two triggers on one share of failures are one.
    pub(super) fn rollback_questions(&self) -> usize {
        let mut shares: Vec<f64> = Vec::new();
        let mut questions = 0;
        for rule in self.rules.iter().filter(|rule| rule.kind.severity == TriggerSeverity::Rollback) {
            match rule.what {
                What::Failures(share) if shares.iter().any(|known| (known - share).abs() < 1e-9) => {}
                What::Failures(share) => {
                    shares.push(share);
                    questions += 1;
                }
                What::Slower(_) => questions += 1,
            }
        }
        questions
    }

    /// The incidents and crossings of a stage's scope; each level is the chance of any false alarm of one trigger.
    pub(super) fn incidents(&self, watched: &Watched<'_>, rollback_level: f64, review_level: f64) -> Vec<Trigger> {
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
        let level = |rule: &Rule| match rule.kind.severity {
            TriggerSeverity::Rollback => rollback_level,
            TriggerSeverity::Review => review_level,
        };
        let of = |severity| self.rules.iter().filter(move |rule| rule.kind.severity == severity);
        let mut found = Vec::new();
        let mut worse: Vec<Scanned> = Vec::new();
        for rule in of(TriggerSeverity::Rollback).chain(of(TriggerSeverity::Review)) {
            match rule.what {
                What::Failures(share) => {
                    let mut scanned = self.failures(&failures, (rule.kind.severity, watched.arm), share, level(rule));
                    if rule.kind.severity == TriggerSeverity::Review {
                        worse.iter().for_each(|worse| scanned.without_what_fired_worse(worse));
                    }
                    let success = rule.kind.told == Told::SuccessRate;
                    found.extend(scanned.triggers(watched, &rule.kind, |bad| if success { 1.0 - bad } else { bad }));
                    if rule.kind.severity == TriggerSeverity::Rollback {
                        worse.push(scanned);
                    }
                }
                What::Slower(limit) => {
                    found.extend(limit.map(|limit| self.slow(watched, rule, limit, level(rule))).unwrap_or_default());
                }
            }
        }
        found
    }

    pub(super) fn window_minutes(&self, severity: TriggerSeverity) -> i64 {
        match severity {
            TriggerSeverity::Rollback => self.rollback_minutes,
            TriggerSeverity::Review => self.review_minutes,
        }
    }

    /// Windows of failures against an error rate.
    ///
    /// What is ordinary is the rate of baseline and stage before the window, but never more than the threshold; of
    /// a review trigger, and of all records together, also the baseline's rate, which the rollout did not cause.
    fn failures(&self, minutes: &[Minute], kind: (TriggerSeverity, Arm), threshold: f64, level: f64) -> Scanned {
        let (severity, arm) = kind;
        let most = match (severity, arm) {
            (TriggerSeverity::Rollback, Arm::Treated) => threshold,
            _ => threshold.max(self.baseline_error_rate()),
        };
        let yardstick = Yardstick { baseline: self.baseline_errors, most, squared_variation: self.error_variation };
        self.scan(minutes, self.window_minutes(severity), threshold, level, &yardstick)
    }

    fn scan(&self, minutes: &[Minute], reach: i64, threshold: f64, level: f64, yardstick: &Yardstick) -> Scanned {
        let reach = Reach { minutes: reach, most_minutes: MOST_MINUTES, fewest_uploads: self.fewest_uploads };
        let windows = windows(minutes, reach);
        let start = minutes.first().map_or(0, |minute| minute.minute);
        // What the stage did before each minute.
        let before: Vec<(u64, u64)> = minutes
            .iter()
            .scan((0, 0), |sum, minute| {
                let known = *sum;
                *sum = (sum.0 + minute.events, sum.1 + minute.n);
                Some(known)
            })
            .collect();
        let test = |window: &Window| {
            let &Yardstick { baseline, most, squared_variation } = yardstick;
            let ordinary = Ordinary::known(baseline, before[window.first], most, squared_variation);
            Alarm { threshold, ordinary, level: spent(level, window.to - start) }.test(window)
        };
        let verdicts = windows.iter().map(test).collect();
        Scanned { windows, verdicts }
    }

    /// Windows of slow uploads against the share that the limit stands for.
    fn slow(&self, watched: &Watched<'_>, rule: &Rule, limit: LatencyLimit, level: f64) -> Vec<Trigger> {
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
        let LatencyLimit { baseline, share: most, squared_variation, .. } = limit;
        let yardstick = Yardstick { baseline, most, squared_variation };
        let scanned = self.scan(&minutes, self.window_minutes(rule.kind.severity), limit.share, level, &yardstick);
        let latency = |window: &Window| {
            let mut pooled = Histogram::default();
            watched.minutes[window.first..=window.last].iter().for_each(|minute| pooled.add(&minute.durations));
            pooled.quantile(Grid::MINUTE, 1.0 - limit.share).unwrap_or(0.0) / limit.unit_ms
        };
        scanned.triggers_by(watched, &rule.kind, |windows| windows.iter().map(latency).fold(0.0, f64::max))
    }
}

impl LatencyLimit {
    fn new(baseline: &GroupData, estimator: Estimator, bound: Bound) -> Option<Self> {
        let (baseline_ms, _) = point(baseline, estimator).ok()?;
        let (limit_ms, unit_ms) = match bound {
            Bound::AtMostTimesBaseline(times) => (baseline_ms * times, baseline_ms),
            Bound::AtMost(ms) => (ms, 1.0),
            _ => return None,
        };
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
        let all = hours.iter().fold((0, 0), |sum, (y, n)| (sum.0 + y, sum.1 + n));
        let squared_variation = squared_variation_of_rates(hours.into_iter());
        Some(Self { unit_ms, limit_ms, share, squared_variation, baseline: all })
    }
}

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
