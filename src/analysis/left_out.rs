//! What people leave out (`[[exclude]]`, methodology 11): how much it is, and what the report would say with it.

use crate::config::Plan;
use crate::cube::slice::LeftOutMinute;
use crate::format::rfc3339;
use crate::ingest::timestamp::NANOS_PER_MINUTE;
use crate::report::model::{Finding, LeftOut, LeftOutInterval, Report, Severity};
use crate::report::words::left_out_interval_text;

/// The intervals with their records; a record that ended behind its interval is of the last one before.
fn intervals(plan: &Plan, minutes: &[LeftOutMinute]) -> Vec<LeftOutInterval> {
    let mut intervals: Vec<LeftOutInterval> = plan
        .exclude
        .iter()
        .map(|asked| LeftOutInterval {
            from: rfc3339(asked.from.0),
            to: rfc3339(asked.to.0),
            because: asked.reason.clone(),
            n: 0,
            failures: 0,
            treated: 0,
            treated_failures: 0,
        })
        .collect();
    for minute in minutes {
        let end = (minute.minute + 1) * NANOS_PER_MINUTE;
        let Some(index) = plan.exclude.iter().rposition(|asked| asked.from.0 < end) else { continue };
        let interval = &mut intervals[index];
        interval.n += minute.records;
        interval.failures += minute.failures;
        if minute.treated {
            interval.treated += minute.records;
            interval.treated_failures += minute.failures;
        }
    }
    intervals
}

/// Tells in a report what it leaves out, beside `with`, the report that leaves nothing out.
pub(super) fn tell(plan: &Plan, minutes: &[LeftOutMinute], report: &mut Report, with: Report) {
    let intervals = intervals(plan, minutes);
    for (index, interval) in intervals.iter().enumerate() {
        let text = format!("left out: {}", left_out_interval_text(interval, &report.words));
        report.data_quality.findings.push(Finding::of_quality(format!("left_out.{}", index + 1), Severity::Info, text));
    }
    report.left_out = Some(LeftOut { intervals, decision: with.decision, headlines: with.headlines });
}
