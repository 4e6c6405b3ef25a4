//! Windows that slide over a stage minute by minute: which of them surely cross a threshold, with as
//! few false alarms over the whole stage as was asked for.

use super::distributions::{beta_binomial_upper_tail, binomial_upper_tail};

/// What ended in one minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Minute {
    /// Minutes since 1970-01-01T00:00Z.
    pub minute: i64,
    pub uploads: u64,
    /// Observations, such as uploads, or successes where only they count.
    pub n: u64,
    /// Bad ones among them.
    pub events: u64,
}

/// How far a window reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// Minutes that it reaches back at least; 1 or more.
    pub minutes: i64,
    /// Minutes up to which it grows while it holds too few uploads.
    pub most_minutes: i64,
    pub fewest_uploads: u64,
}

/// A window that holds enough uploads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First minute.
    pub from: i64,
    /// The minute after its last one: when it could be known.
    pub to: i64,
    pub uploads: u64,
    pub n: u64,
    pub events: u64,
    /// Positions of its first and last minute with an upload.
    pub first: usize,
    pub last: usize,
}

impl Window {
    pub fn share(&self) -> f64 {
        if self.n == 0 { 0.0 } else { self.events as f64 / self.n as f64 }
    }
}

/// The windows that end with each minute in which an upload ended. Minutes without any say
/// nothing: a gap neither starts nor ends an incident.
///
/// `minutes` rise; none before the first reaches into a window.
pub fn windows(minutes: &[Minute], reach: Reach) -> Vec<Window> {
    let Some(start) = minutes.first().map(|minute| minute.minute) else { return Vec::new() };
    let mut windows = Vec::with_capacity(minutes.len());
    // Sums over first..=last, moved along with both ends.
    let (mut first, mut uploads, mut n, mut events) = (0, 0, 0, 0);
    for (last, minute) in minutes.iter().enumerate() {
        uploads += minute.uploads;
        n += minute.n;
        events += minute.events;
        // Drop what lies too far back, and what is not needed to hold enough; the minute itself always is.
        loop {
            let oldest = &minutes[first];
            let age = minute.minute - oldest.minute;
            let needed = age < reach.minutes || uploads - oldest.uploads < reach.fewest_uploads;
            if needed && age < reach.most_minutes {
                break;
            }
            uploads -= oldest.uploads;
            n -= oldest.n;
            events -= oldest.events;
            first += 1;
        }
        if uploads >= reach.fewest_uploads {
            let from = minutes[first].minute.min(minute.minute + 1 - reach.minutes).max(start);
            windows.push(Window { from, to: minute.minute + 1, uploads, n, events, first, last });
        }
    }
    windows
}

/// What a stage does without an incident.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ordinary {
    /// The rate of bad ones, 0 to 1.
    pub rate: f64,
    /// Squared coefficient of variation of the rates of ordinary hours.
    pub squared_variation: f64,
}

/// As many observations of the baseline count beside those of the stage: the stage is its own yardstick as soon as it
/// has some.
const MOST_OF_BASELINE: f64 = 200.0;

impl Ordinary {
    /// What was known before a window: bad observations of the baseline, and of the stage up to there, each with how
    /// many there were; what came later could not be known. `most` is the rate that counts as ordinary at most, 0 to 1.
    pub fn known(baseline: (u64, u64), stage: (u64, u64), most: f64, squared_variation: f64) -> Self {
        let weight = (MOST_OF_BASELINE / baseline.1.max(1) as f64).min(1.0);
        let of = |(baseline, stage): (u64, u64)| weight * baseline as f64 + stage as f64;
        let (events, n) = (of((baseline.0, stage.0)), of((baseline.1, stage.1)));
        let rate = if n > 0.0 { events / n } else { most };
        // Without a single bad one before, at most three would be no surprise (rule of three, Hanley 1983).
        let seldom = 3.0 / (baseline.1 + stage.1).max(1) as f64;
        Self { rate: rate.max(seldom).min(most), squared_variation }
    }

    /// P(so many bad ones in a window) were it like what came before: beta-binomial, hours
    /// varying as ordinary hours do.
    fn upper_tail(&self, window: &Window) -> f64 {
        let intraclass = (self.squared_variation * self.rate / (1.0 - self.rate).max(1e-9)).clamp(0.0, 0.5);
        beta_binomial_upper_tail(window.events, window.n, self.rate, intraclass)
    }
}

/// Level at which a single window must reject that its share is at most the threshold.
const WINDOW_LEVEL: f64 = 0.001;

/// When a window fires.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alarm {
    /// Share of bad observations that is crossed from below, 0 to 1.
    pub threshold: f64,
    pub ordinary: Ordinary,
    /// The window's own share of the level, as [`spent`] gives it.
    pub level: f64,
}

/// The share of a family's level that a window may spend which ends `minutes` after its stage began: the level is spent
/// forward in time, 6 / (pi d)^2 of it on day d, evenly over the day's minutes. A window that fired stays fired, however
/// long the stage goes on.
pub fn spent(family_level: f64, minutes: i64) -> f64 {
    let day = (minutes.max(1) - 1) / MINUTES_OF_DAY + 1;
    family_level * 6.0 / (std::f64::consts::PI * day as f64).powi(2) / MINUTES_OF_DAY as f64
}

const MINUTES_OF_DAY: i64 = 24 * 60;

/// What the test of one window says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// One-sided exact binomial p-value against the threshold.
    pub p_value: f64,
    pub fired: bool,
}

impl Alarm {
    /// `None` where the share does not cross the threshold.
    ///
    /// It fires where both hold: the exact binomial test rejects the threshold at 0.1 %, and so many bad
    /// ones would be ordinary with a probability of at most the window's level (Bonferroni: the windows overlap, so the
    /// true level is lower).
    pub fn test(&self, window: &Window) -> Option<Verdict> {
        if window.n == 0 || window.share() <= self.threshold {
            return None;
        }
        let p_value = binomial_upper_tail(window.events, window.n, self.threshold);
        let fired = p_value <= WINDOW_LEVEL && self.ordinary.upper_tail(window) <= self.level;
        Some(Verdict { p_value, fired })
    }
}

/// Runs of firing windows as (first, last) positions: windows that touch or overlap, and windows with
/// nothing but a gap between them, are one.
pub fn incidents(windows: &[Window], fired: impl Fn(usize) -> bool) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for index in (0..windows.len()).filter(|index| fired(*index)) {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == index || windows[index].from <= windows[*last].to => *last = index,
            _ => runs.push((index, index)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const REACH: Reach = Reach { minutes: 5, most_minutes: 60, fewest_uploads: 20 };

    fn minute(minute: i64, uploads: u64, events: u64) -> Minute {
        Minute { minute, uploads, n: uploads, events }
    }

    #[test]
    fn a_busy_window_reaches_back_five_minutes_and_a_quiet_one_further() {
        let busy: Vec<Minute> = (0..10).map(|at| minute(at, 10, 1)).collect();
        let last = *windows(&busy, REACH).last().unwrap();
        assert_eq!((last.from, last.to, last.uploads, last.events), (5, 10, 50, 5));
        let quiet: Vec<Minute> = (0..30).map(|at| minute(at, 1, 0)).collect();
        let all = windows(&quiet, REACH);
        assert_eq!((all.len(), all[0].from, all[0].to, all[0].uploads), (11, 0, 20, 20));
        let silent: Vec<Minute> = (0..30).map(|at| minute(at * 10, 1, 0)).collect();
        assert!(windows(&silent, REACH).is_empty());
    }

    #[test]
    fn a_gap_neither_starts_nor_ends_an_incident() {
        let before = (0..10).map(|at| minute(at, 10, 8));
        let after = (200..210).map(|at| minute(at, 10, 8));
        let minutes: Vec<Minute> = before.chain(after).collect();
        let found = windows(&minutes, REACH);
        assert_eq!(found.iter().filter(|window| window.to > 10 && window.to <= 200).count(), 0);
        assert_eq!(incidents(&found, |_| true), [(0, found.len() - 1)]);
    }

    #[test]
    fn windows_that_touch_are_one_incident_and_others_are_not() {
        let minutes: Vec<Minute> = (0..40).map(|at| minute(at, 10, 0)).collect();
        let found = windows(&minutes, REACH);
        let ends = |wanted: &[i64]| incidents(&found, |index| wanted.contains(&found[index].to)).len();
        assert_eq!((ends(&[10, 15]), ends(&[10, 16]), ends(&[10, 11, 14, 30])), (1, 2, 2));
    }

    #[test]
    fn chance_crosses_and_does_not_fire() {
        let alarm =
            Alarm { threshold: 0.05, ordinary: Ordinary { rate: 0.02, squared_variation: 0.0 }, level: 0.01 / 4000.0 };
        let of = |events, n| alarm.test(&Window { from: 0, to: 5, uploads: n, n, events, first: 0, last: 0 });
        assert_eq!(of(1, 20), None);
        assert!(!of(2, 20).unwrap().fired && of(9, 20).unwrap().fired);
        // scipy 1.17.1: binom.sf(12, 60, 0.05)
        assert!((of(13, 60).unwrap().p_value / 6.849_576_048_646_659e-6 - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_stage_without_end_spends_its_level_once() {
        let day = |day: i64| (1..=MINUTES_OF_DAY).map(|minute| spent(0.05, day * MINUTES_OF_DAY + minute)).sum::<f64>();
        let days: f64 = (0..400).map(day).sum();
        assert!((0.049..=0.05).contains(&days), "{days}");
        assert!((day(0) / day(1) - 4.0).abs() < 1e-9);
        assert_eq!(spent(0.05, 0), spent(0.05, 1440));
    }

    #[test]
    fn a_window_grows_to_an_hour_and_no_further() {
        let apart = |minutes: i64| windows(&[minute(0, 10, 0), minute(minutes, 10, 0)], REACH).len();
        assert_eq!((apart(59), apart(60)), (1, 0));
    }

    // scipy 1.17.1: betabinom.sf(events - 1, n, rate (1 / rho - 1), (1 - rate) (1 / rho - 1)), rho = variation rate / (1 - rate)
    #[test]
    fn known_tails_of_an_ordinary_stage() {
        let of = |(events, n), stage, squared_variation, want: f64| {
            let ordinary = Ordinary::known((0, 0), stage, 0.05, squared_variation);
            let window = Window { from: 0, to: 5, uploads: n, n, events, first: 0, last: 0 };
            let got = ordinary.upper_tail(&window);
            assert!((got / want - 1.0).abs() < 1e-9, "{got} for {want}");
        };
        of((9, 40), (91, 2000), 0.5, 0.005_887_447_633_466_047_5);
        of((9, 40), (91, 2000), 0.0, 6.309_541_406_938_18e-5);
        // Nothing before the window, or more than the threshold: the threshold.
        of((9, 40), (0, 0), 0.5, 0.009_036_524_789_091_893);
        of((9, 40), (391, 2000), 0.5, 0.009_036_524_789_091_893);
        // Not one before: three of them at most.
        of((4, 40), (0, 300), 0.5, 0.003_068_154_030_388_292_6);
        // Of a long baseline 200 count, and a short one as it is.
        let rate = |baseline, stage| Ordinary::known(baseline, stage, 0.05, 0.0).rate;
        assert!((rate((400, 10_000), (8, 800)) - 16.0 / 1000.0).abs() < 1e-12);
        assert!((rate((4, 100), (8, 300)) - 12.0 / 400.0).abs() < 1e-12);
        assert!((rate((0, 10_000), (0, 0)) - 3e-4).abs() < 1e-12, "all of it says how seldom bad ones are");
        // Hours that vary without end are as alike as one half.
        of((9, 40), (91, 2000), 1e4, 0.071_193_676_792_387_42);
    }

    #[test]
    fn a_window_fires_beyond_the_threshold_and_beyond_the_ordinary() {
        let window = Window { from: 0, to: 5, uploads: 40, n: 40, events: 9, first: 0, last: 0 };
        let of = |threshold, squared_variation, family_level: f64, windows: u32| {
            let ordinary = Ordinary::known((0, 0), (91, 2000), 0.05, squared_variation);
            Alarm { threshold, ordinary, level: family_level / f64::from(windows) }
                .test(&window)
                .expect("it crosses")
                .fired
        };
        // binom.sf(8, 40, 0.05) = 1.3e-4, binom.sf(8, 40, 0.1) = 0.015; the tails stand above.
        assert!(of(0.05, 0.0, 0.01, 100) && !of(0.05, 0.0, 0.01, 200), "6.3e-5 against 1e-4 and 5e-5");
        assert!(!of(0.05, 0.5, 0.01, 100), "beyond the threshold, and ordinary");
        assert!(!of(0.1, 0.0, 0.01, 100), "beyond the ordinary, and not surely beyond the threshold");
    }

    proptest! {
        #[test]
        fn windows_hold_what_their_minutes_hold(
            steps in prop::collection::vec((1i64..20, 0u64..15, 0u64..15), 1..80), fewest in 1u64..40,
        ) {
            let mut at = 0;
            let minutes: Vec<Minute> = steps.into_iter().map(|(step, good, bad)| {
                at += step;
                minute(at, good + bad + 1, bad)
            }).collect();
            let reach = Reach { fewest_uploads: fewest, ..REACH };
            let found = windows(&minutes, reach);
            for (last, end) in minutes.iter().enumerate() {
                // The shortest reach from 5 to 60 minutes that holds enough.
                let held = |back: i64| minutes[..=last].iter().filter(|m| m.minute > end.minute - back).map(|m| m.uploads).sum::<u64>();
                let back = (5..=60).find(|back| held(*back) >= fewest);
                let window = found.iter().find(|window| window.last == last);
                prop_assert_eq!(window.map(|window| window.uploads), back.map(held));
                let (Some(window), Some(back)) = (window, back) else { continue };
                let inside: Vec<&Minute> = minutes[..=last].iter().filter(|m| m.minute > end.minute - back).collect();
                prop_assert_eq!(window.n, inside.iter().map(|m| m.n).sum::<u64>());
                prop_assert_eq!(window.events, inside.iter().map(|m| m.events).sum::<u64>());
                let reached = inside[0].minute.min(end.minute - 4).max(minutes[0].minute);
                prop_assert_eq!((window.from, window.to), (reached, end.minute + 1));
                prop_assert_eq!(window.first, minutes.len() - minutes.iter().filter(|m| m.minute >= inside[0].minute).count());
            }
        }
    }
}
