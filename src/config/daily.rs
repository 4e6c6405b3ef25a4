//! One day of a rollout as a plan of its own: the baseline, the day before, the day.

use chrono::{Datelike, NaiveDate};

use super::{EpochNanos, Plan, Stage};

const NANOS_PER_DAY: i64 = 24 * 3600 * 1_000_000_000;

/// How uploads find the stages of a daily plan: first the stage of the rollout, then the day.
#[derive(Debug, Clone)]
pub struct ByDay {
    /// The rollout's own stages, which place an upload.
    pub stages: Vec<Stage>,
    /// Its baseline among them.
    baseline: usize,
    /// Days since 1970-01-01.
    day: i64,
}

/// Positions of the stages of a daily plan.
const BASELINE: usize = 0;
const DAY_BEFORE: usize = 1;
const DAY: usize = 2;

impl ByDay {
    /// The stage of a daily plan for an upload that its rollout places in `stage` and that ended at
    /// `end`; `None` for other days.
    pub fn stage(&self, stage: usize, end: EpochNanos) -> Option<usize> {
        let day = end.div_euclid(NANOS_PER_DAY);
        match day - self.day {
            0 => Some(DAY),
            -1 => Some(DAY_BEFORE),
            _ if stage == self.baseline && day < self.day => Some(BASELINE),
            _ => None,
        }
    }
}

/// The plan of one day (since 1970-01-01), on which the rollout was in stage `today`, the day before in
/// stage `yesterday`. `None` without a baseline.
///
/// The day must reach what its stage asks for but the number of uploads, which is asked of the whole stage; nothing is
/// asked of completion.
pub fn daily(plan: &Plan, day: i64, today: usize, yesterday: usize) -> Option<Plan> {
    let baseline = plan.baseline()?;
    let stage = |index: usize, name: String| {
        let of = &plan.stages[index];
        let mut criteria = of.criteria;
        criteria.uploads = None;
        Stage { name, percentage: of.percentage, files: Vec::new(), from: None, to: None, criteria }
    };
    let mut before = stage(yesterday, format!("{} (day before)", date_name(day - 1)));
    before.criteria.success_rate = None;
    before.criteria.error_rate = None;
    before.criteria.latency_vs_baseline = None;
    let mut daily = plan.clone();
    daily.title = format!("{}: daily report, {}", plan.title, date_name(day));
    daily.by_day = Some(ByDay { stages: plan.stages.clone(), baseline, day });
    daily.stages = vec![plan.stages[baseline].clone(), before, stage(today, date_name(day))];
    daily.completion = Vec::new();
    daily.tests = Vec::new();
    daily.coverage = None;
    Some(daily)
}

/// Days since 1970-01-01 -> `12 Nov 2025`.
pub fn date_name(day: i64) -> String {
    date(day).map_or_else(|| format!("day {day}"), |date| date.format("%-d %b %Y").to_string())
}

/// Days since 1970-01-01 -> `2025-11-12`, the name of a folder.
pub fn date_folder(day: i64) -> String {
    date(day).map_or_else(|| format!("day-{day}"), |date| date.format("%Y-%m-%d").to_string())
}

fn date(day: i64) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(1970, 1, 1)?.checked_add_signed(chrono::TimeDelta::try_days(day)?)
}

/// `2025-11-12` -> days since 1970-01-01.
pub fn parse_date(text: &str) -> Option<i64> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1)?;
    Some(i64::from(date.num_days_from_ce()) - i64::from(epoch.num_days_from_ce()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_go_both_ways() {
        assert_eq!(parse_date("1970-01-02"), Some(1));
        assert_eq!(parse_date("2025-11-12").map(date_folder).as_deref(), Some("2025-11-12"));
        assert_eq!(parse_date("12 Nov"), None);
        assert_eq!(date_name(0), "1 Jan 1970");
    }

    #[test]
    fn a_day_takes_its_uploads_and_the_baseline_those_before() {
        let by_day = ByDay { stages: Vec::new(), baseline: 0, day: 10 };
        let at = |day: i64| day * NANOS_PER_DAY + 5;
        assert_eq!([by_day.stage(3, at(10)), by_day.stage(3, at(9)), by_day.stage(3, at(8))], [Some(2), Some(1), None]);
        assert_eq!([by_day.stage(0, at(3)), by_day.stage(0, at(12))], [Some(0), None]);
    }
}
