//! Failures of the treated that come together: too few for a window of the other triggers, beyond what the plan allows,
//! and far more than the treated had so far. A quiet hour with three failures of seven is no noise where two of a
//! thousand failed before.

use stagegate_stats::distributions::{beta_binomial_upper_tail, binomial_upper_tail};
use stagegate_stats::scan::Window;

use super::watched::{Kind, Told, Watched, WindowRun};
use crate::analysis::group::StageData;
use crate::cube::slice::{Arm, MinuteSums};
use crate::format;
use crate::report::model::{Trigger, TriggerSeverity};

pub(super) const WORD: &str = "failure_burst";
/// Minutes in which failures are together.
const WINDOWS: [i64; 3] = [15, 30, 60];
/// Failures beside the last one, at least.
const FEWEST_OTHERS: u64 = 2;
/// Level at which their share must be above what the plan allows.
const SHARE_LEVEL: f64 = 0.05;
/// Treated records that must be known before.
const FEWEST_KNOWN: u64 = 100;

/// What the treated had before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    failures: u64,
    n: u64,
}

/// Failures of a window that are too many: from the first of them to the minute of the last.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Burst {
    window: Window,
    known: Known,
    p_value: f64,
}

/// What a burst is held against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Share of failures at which the plan asks for a rollback, 0 to 1.
    pub share: f64,
    /// Of the rates of ordinary hours: the squared coefficient of variation.
    pub squared_variation: f64,
    /// Chance of a false one in a stage.
    pub level: f64,
}

/// The incidents of the treated in a stage.
pub(super) fn incidents(watched: &Watched<'_>, data: &[StageData], limits: Limits) -> Vec<Trigger> {
    let treated = data[..watched.stage].iter().map(|stage| stage.arm(Arm::Treated));
    let before = treated.fold(Known { failures: 0, n: 0 }, |sum, group| Known {
        failures: sum.failures + group.hours.iter().map(|hour| hour.uploads - hour.successes).sum::<u64>(),
        n: sum.n + group.uploads(),
    });
    let bursts = bursts(watched.minutes, before, limits);
    let runs = bursts.chunk_by(|burst, next| next.window.from <= burst.window.to);
    runs.filter_map(|run| incident(watched, run)).collect()
}

/// Bursts that overlap, told as they were when they were worst.
fn incident(watched: &Watched<'_>, run: &[Burst]) -> Option<Trigger> {
    let worst = run.iter().min_by(|a, b| a.p_value.total_cmp(&b.p_value))?;
    let Known { failures, n } = worst.known;
    let kind = Kind {
        word: WORD.into(),
        severity: TriggerSeverity::Review,
        threshold: failures as f64 / n as f64,
        told: Told::ErrorRate,
        falls: false,
    };
    let windows: Vec<Window> = run.iter().map(|burst| burst.window).collect();
    let text = format!(
        "{} of {} failed, where {} of {} {} did before",
        format::count(worst.window.events),
        format::count(worst.window.n),
        format::count(failures),
        format::count(n),
        watched.plan.schema.words.treated
    );
    let run = WindowRun {
        windows: &windows,
        fired: true,
        worst: worst.window.share(),
        p_value: Some(worst.p_value),
        uploads: worst.window.n,
    };
    watched.trigger(&kind, &run, text)
}

/// The failing minutes of a stage at which the failures up to them are too many for chance.
///
/// Each minute with a failure asks once how probable so many others are beside it in the 15, 30 or 60 minutes up to it,
/// given what was known before: beta-binomial, the rate as uncertain as its counts leave it (Jeffreys) and hours varying
/// as the baseline's do; the least of the three p-values times three. Their share must surely be above what the plan
/// allows, too (exact binomial test at 5 %). The k-th question spends 6 / ((k + 5) (k + 6)) of the
/// level, which is all of it in the end, so that a longer log takes nothing back.
fn bursts(minutes: &[MinuteSums], before: Known, limits: Limits) -> Vec<Burst> {
    let failures = |minute: &MinuteSums| minute.uploads - minute.successes;
    // What was known before each minute.
    let known: Vec<Known> = std::iter::once(before)
        .chain(minutes.iter().scan(before, |sum, minute| {
            *sum = Known { failures: sum.failures + failures(minute), n: sum.n + minute.uploads };
            Some(*sum)
        }))
        .collect();
    let mut questions = 0.0;
    let mut found = Vec::new();
    for (last, minute) in minutes.iter().enumerate().filter(|(_, minute)| failures(minute) > 0) {
        questions += 1.0;
        let of_window = |length: i64| {
            let first = minutes.partition_point(|other| other.minute <= minute.minute - length);
            let (known, all) = (known[first], known[last + 1]);
            let (failed, n) = (all.failures - known.failures, all.n - known.n);
            let asks = known.n >= FEWEST_KNOWN
                && failed > FEWEST_OTHERS
                && binomial_upper_tail(failed, n, limits.share) <= SHARE_LEVEL;
            let p_value =
                asks.then(|| known.p_value(failed - 1, n - 1, limits.squared_variation) * WINDOWS.len() as f64)?;
            let from = minutes[first..].iter().find(|other| failures(other) > 0)?.minute;
            let window = Window { from, to: minute.minute + 1, uploads: n, n, events: failed, first, last };
            Some(Burst { window, known, p_value })
        };
        let least = WINDOWS.into_iter().filter_map(of_window).min_by(|a, b| a.p_value.total_cmp(&b.p_value));
        let spent = limits.level * 6.0 / ((questions + 5.0) * (questions + 6.0));
        found.extend(least.filter(|burst| burst.p_value <= spent));
    }
    found
}

impl Known {
    /// P(at least so many failures of `n`), given what is known.
    fn p_value(self, failures: u64, n: u64, squared_variation: f64) -> f64 {
        let (failed, passed) = (self.failures as f64 + 0.5, (self.n - self.failures) as f64 + 0.5);
        let rate = failed / (failed + passed);
        let intraclass = 1.0 / (failed + passed + 1.0) + squared_variation * rate / (1.0 - rate);
        beta_binomial_upper_tail(failures, n, rate, intraclass.min(0.5))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { share: 0.05, squared_variation: 0.0, level: 0.05 };

    fn minute(minute: i64, uploads: u64, failures: u64) -> MinuteSums {
        MinuteSums { minute, uploads, successes: uploads - failures, ..MinuteSums::default() }
    }

    #[test]
    fn three_of_thirteen_are_no_chance_where_two_of_a_thousand_failed() {
        let before = Known { failures: 2, n: 1229 };
        let quiet: Vec<MinuteSums> = (0..13).map(|at| minute(at * 3, 1, u64::from([5, 7, 8].contains(&at)))).collect();
        let found = bursts(&quiet, before, LIMITS);
        assert_eq!(found.len(), 1);
        let window = found[0].window;
        assert_eq!((window.from, window.to, window.events, window.n), (15, 25, 3, 5));
        // scipy 1.17.1: 3 * betabinom.sf(1, 4, 2.5, 1231.5)
        assert!((found[0].p_value / 1.028_462_848_511_324_3e-4 - 1.0).abs() < 1e-6, "{}", found[0].p_value);
        // Where as many fail as ever, or hours differ by themselves, or nothing is known, it is none.
        assert!(bursts(&quiet, Known { failures: 60, n: 1229 }, LIMITS).is_empty());
        assert!(bursts(&quiet, before, Limits { squared_variation: 200.0, ..LIMITS }).is_empty());
        assert!(bursts(&quiet, Known { failures: 0, n: 50 }, LIMITS).is_empty());
        // Three of a hundred are what the plan allows.
        let busy: Vec<MinuteSums> =
            quiet.iter().map(|quiet| minute(quiet.minute, 20, quiet.uploads - quiet.successes)).collect();
        assert!(bursts(&busy, before, LIMITS).is_empty());
        // An hour later nothing is together.
        let apart: Vec<MinuteSums> = (0..13).map(|at| minute(at * 40, 1, u64::from([5, 7, 8].contains(&at)))).collect();
        assert!(bursts(&apart, before, LIMITS).is_empty());
    }

    #[test]
    fn a_longer_log_takes_nothing_back() {
        let before = Known { failures: 2, n: 1229 };
        let minutes: Vec<MinuteSums> =
            (0..600).map(|at| minute(at, 1, u64::from((100..140).contains(&at) && at % 9 == 0 || at > 300))).collect();
        let whole = bursts(&minutes, before, LIMITS);
        assert!(whole.len() > 10);
        for end in [120, 140, 200, 400] {
            let cut = bursts(&minutes[..end], before, LIMITS);
            let until: Vec<Burst> = whole.iter().copied().filter(|burst| burst.window.to <= end as i64).collect();
            assert_eq!(cut, until, "{end}");
        }
    }
}
