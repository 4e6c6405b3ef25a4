//! What people took upon themselves (methodology 11): a reason that a person accepted does not decide, and is never
//! silent.

use crate::config::{Moment, Plan};
use crate::format::rfc3339;
use crate::report::model::{Accepted, Decision, DecisionValue, Finding, Reason, Severity};

/// Takes the reasons that the plan's `[[accept]]` name out of the decision, as of `generated_at` (RFC 3339), and keeps
/// them beside it; what is accepted without being a reason, or no longer is, is told.
pub(super) fn apply(plan: &Plan, generated_at: &str, decision: &mut Decision) -> Vec<Finding> {
    let mut findings = Vec::new();
    for asked in &plan.accept {
        let is_meant = |reason: &Reason| reason.finding == asked.finding;
        if asked.until.is_some_and(|until| is_over(until, generated_at)) {
            if decision.reasons.iter().any(is_meant) {
                let until =
                    asked.until.map_or_else(String::new, |until| plan.schema.words.date_time(&rfc3339(until.0)));
                let text = format!("{} was accepted by {} until {until}: it decides again", asked.finding, asked.by);
                findings.push(told("expired", &asked.finding, Severity::Warning, text));
            }
            continue;
        }
        // Nobody accepts that what runs must be taken back: it is.
        if decision.reasons.iter().any(|reason| is_meant(reason) && reason.level == DecisionValue::Rollback) {
            let text = format!("{} asks for a rollback, which cannot be accepted", asked.finding);
            findings.push(told("rollback", &asked.finding, Severity::Warning, text));
            continue;
        }
        let (accepted, reasons): (Vec<Reason>, Vec<Reason>) =
            std::mem::take(&mut decision.reasons).into_iter().partition(is_meant);
        decision.reasons = reasons;
        if accepted.is_empty() {
            let text = format!("{} is accepted by {}, and is no reason of this decision", asked.finding, asked.by);
            findings.push(told("unused", &asked.finding, Severity::Info, text));
        }
        decision.accepted.extend(accepted.into_iter().map(|reason| Accepted {
            reason,
            because: asked.reason.clone(),
            by: asked.by.clone(),
            until: asked.until.map(|until| rfc3339(until.0)),
        }));
    }
    decision.value = decision.reasons.iter().map(|reason| reason.level).max().unwrap_or(DecisionValue::Go);
    findings
}

fn told(kind: &str, finding: &str, severity: Severity, text: String) -> Finding {
    Finding::of_quality(format!("accept_{kind}.{finding}"), severity, text)
}

/// Whether a moment lies behind a report; one that cannot be read is of now.
fn is_over(until: Moment, generated_at: &str) -> bool {
    let now = chrono::DateTime::parse_from_rfc3339(generated_at).ok().and_then(|now| now.timestamp_nanos_opt());
    now.is_some_and(|now| now >= until.0)
}
