//! One day of a rollout as a plan of its own: the baseline, the day before, the day.

use chrono::{Datelike, NaiveDate};

use super::asked::{Criteria, Improvement, RECORDS};
use super::by_day::ByDay;
use super::plan::Plan;
use super::sections::{CoverageSection, Stage};

/// The plan of one day (since 1970-01-01), on which the rollout was in stage `today`, the day before in
/// stage `yesterday`. `None` without a baseline.
///
/// The day must reach what its stage asks for but the number of uploads, which is asked of the whole stage, as are the
/// targets of the improvements; nothing is asked of completion.
pub fn daily(plan: &Plan, day: i64, today: usize, yesterday: usize) -> Option<Plan> {
    let baseline = plan.baseline()?;
    let stage = |index: usize, name: String, criteria: Criteria| {
        let percentage = plan.stages[index].percentage;
        Stage { name, percentage, criteria, ..Stage::default() }
    };
    let asked = plan.stages[today].criteria().iter().filter(|criterion| criterion.metric != RECORDS);
    let mut daily = plan.clone();
    let title = plan.title.trim_end_matches(", final report");
    daily.title = format!("{title}: daily report, {}, stage {}", date_name(day), plan.stages[today].name);
    daily.by_day = Some(ByDay::new(plan.stages.clone(), (baseline, today), day, plan.schema.words.timezone));
    daily.stages = vec![
        plan.stages[baseline].clone(),
        stage(yesterday, format!("{} (day before)", date_name(day - 1)), Criteria::List(Vec::new())),
        stage(today, date_name(day), Criteria::List(asked.cloned().collect())),
    ];
    // What the rollout was meant to improve is asked of all of it: a day is described, and not held against it.
    let describes = |asked: &Improvement| Improvement { min: None, max: None, ..asked.clone() };
    let is_treated = plan.stages[today].percentage > 0.0;
    daily.improvements = plan.improvements.iter().filter(|_| is_treated).map(describes).collect();
    daily.completion.criteria = Vec::new();
    daily.tests = Vec::new();
    daily.coverage = CoverageSection::default();
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
}
