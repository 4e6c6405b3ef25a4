//! Was nothing written where something always is? A stretch without one record, held against the same hours of other
//! days.

use std::collections::BTreeMap;

use super::group::StageData;
use crate::config::Plan;
use crate::cube::slice::Arm;
use crate::format::{self, rfc3339_minute};
use crate::report::model::{Finding, Severity};

/// Records of the emptiest of the other days from which on none is no chance: e^-20 of a Poisson count.
const NO_CHANCE: u64 = 20;
/// Records of an hour that is not nearly empty.
const BUSY_HOUR: u64 = 5;
/// Whole hours of an outage, at least.
const FEWEST_HOURS: i64 = 2;
/// Other days that are asked, at least.
const FEWEST_DAYS: usize = 2;
/// Days before and after that are asked.
const DAYS_ASKED: i64 = 7;
/// Hours from which on a person must look.
const LONG_HOURS: i64 = 6;
const HOURS_PER_DAY: i64 = 24;

/// Outages of the stages, one finding each.
pub(super) fn findings(plan: &Plan, data: &[StageData]) -> Vec<Finding> {
    let mut by_hour: BTreeMap<i64, u64> = BTreeMap::new();
    for hour in data.iter().flat_map(|stage| &stage.arm(Arm::All).hours) {
        *by_hour.entry(hour.hour).or_default() += hour.uploads;
    }
    let mut findings = Vec::new();
    for (stage, data) in plan.stages.iter().zip(data) {
        for (last, next) in data.quiet(plan) {
            // Whole hours without a record.
            let hours = (last.div_euclid(60) + 1, next.div_euclid(60));
            let Some(usual) = least_of_other_days(&by_hour, hours) else { continue };
            let minutes = (next - last - 1) as u64;
            let text = format!(
                "no {} for {} in stage {} ({}), where the same hours of other days hold at least {}: an outage, or a log that was lost",
                plan.schema.words.one,
                format::seconds(minutes as f64 * 60.0),
                stage.name,
                plan.schema.words.period(&rfc3339_minute(last + 1), &rfc3339_minute(next)),
                format::count(usual)
            );
            let severity = if hours.1 - hours.0 >= LONG_HOURS { Severity::Error } else { Severity::Warning };
            findings.push(Finding::of_quality(format!("outage.{}.{}", stage.name, findings.len()), severity, text));
        }
    }
    findings
}

/// Records of the same hours (from, to) of the other day that has the fewest, where enough days of the log hold enough.
/// The same days of the week before and after go before the days next to it: a weekend is no outage.
fn least_of_other_days(by_hour: &BTreeMap<i64, u64>, (from, to): (i64, i64)) -> Option<u64> {
    let (first, last) = (*by_hour.keys().next()?, *by_hour.keys().next_back()?);
    if !(FEWEST_HOURS..=HOURS_PER_DAY).contains(&(to - from)) {
        return None;
    }
    // A day with an hour that is nearly empty says that empty hours come by themselves: traffic in bursts, quiet nights.
    let total = |days: i64| -> Option<u64> {
        let (from, to) = (from + days * HOURS_PER_DAY, to + days * HOURS_PER_DAY);
        let hours = || by_hour.range(from..to).map(|(_, count)| *count);
        let is_whole = hours().filter(|count| *count >= BUSY_HOUR).count() as i64 == to - from;
        (from >= first && to <= last).then(|| if is_whole { hours().sum() } else { 0 })
    };
    let of_the_week: Vec<u64> = [-DAYS_ASKED, DAYS_ASKED].into_iter().filter_map(total).collect();
    let next: Vec<u64> = (1..DAYS_ASKED).flat_map(|days| [-days, days]).filter_map(total).collect();
    let asked = if of_the_week.len() >= FEWEST_DAYS { of_the_week } else { [of_the_week, next].concat() };
    let least = asked.iter().min().copied().filter(|_| asked.len() >= FEWEST_DAYS)?;
    (least >= NO_CHANCE).then_some(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many records in every hour of two weeks; none in some.
    fn hours(count: impl Fn(i64) -> u64) -> BTreeMap<i64, u64> {
        (0..14 * 24).map(|hour| (hour, count(hour))).filter(|(_, count)| *count > 0).collect()
    }

    #[test]
    fn what_other_days_hold_tells_an_outage() {
        let steady = hours(|hour| if (100..106).contains(&hour) { 0 } else { 120 });
        assert_eq!(least_of_other_days(&steady, (100, 106)), Some(720));
        // Nights, and weekends, are always empty.
        let nights = hours(|hour| if hour % 24 < 6 { 0 } else { 120 });
        assert_eq!(least_of_other_days(&nights, (48, 54)), None);
        let weekends = hours(|hour| if hour / 24 % 7 >= 5 { 0 } else { 120 });
        assert_eq!(least_of_other_days(&weekends, (5 * 24, 6 * 24)), None);
        // Too little to know: two a day, or one other day.
        let bursts = hours(|hour| if (100..106).contains(&hour) || hour % 5 == 0 { 0 } else { 200 });
        assert_eq!(least_of_other_days(&bursts, (100, 106)), None);
        let rare = hours(|hour| u64::from(hour % 12 == 0));
        assert_eq!(least_of_other_days(&rare, (101, 107)), None);
        let two_days: BTreeMap<i64, u64> =
            (0..48).filter(|hour| !(30..33).contains(hour)).map(|hour| (hour, 50)).collect();
        assert_eq!(least_of_other_days(&two_days, (30, 33)), None);
        assert_eq!(least_of_other_days(&BTreeMap::new(), (0, 3)), None);
    }
}
