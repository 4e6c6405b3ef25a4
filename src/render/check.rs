//! What `stagegate check` answers to machines: JSON, GitHub annotations, JUnit XML.

use std::fmt::Write;

use super::escape::{plain, xml};
use super::terminal;
use crate::report::model::{CompletionStatus, DecisionValue, Gate, Report, Status, TriggerSeverity};

/// `--format json`: the judged parts of report.json.
pub fn json(report: &Report) -> String {
    let value = serde_json::json!({
        "decision": report.decision,
        "improvements": report.improvements,
        "criteria": report.criteria,
        "triggers": report.triggers,
        "regressions": report.regressions,
        "completion": report.completion,
        "validation": report.validation,
        "data_quality": {"gate": report.data_quality.gate, "findings": report.data_quality.findings},
    });
    format!("{value:#}\n")
}

/// How a single check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    /// Not settled, not measured, not evidenced.
    Open,
}

/// One check of the report, for any CI.
struct Case {
    suite: &'static str,
    name: String,
    outcome: Outcome,
    message: String,
}

fn outcome(status: Status) -> Outcome {
    match status {
        Status::Met | Status::Exceeded | Status::NotJudged => Outcome::Passed,
        Status::NotMet => Outcome::Failed,
        Status::Open | Status::NotMeasured => Outcome::Open,
    }
}

/// Everything that is judged, a case each.
fn cases(report: &Report) -> Vec<Case> {
    let line = |write: &dyn Fn(&mut String)| {
        let mut text = String::new();
        write(&mut text);
        // Without the columns of a terminal.
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let mut cases = vec![Case {
        suite: "decision",
        name: "decision".into(),
        outcome: match report.decision.value {
            DecisionValue::Go => Outcome::Passed,
            DecisionValue::Incomplete | DecisionValue::Review => Outcome::Open,
            DecisionValue::NoGo | DecisionValue::Rollback => Outcome::Failed,
        },
        message: terminal::decision_line(report),
    }];
    cases.extend(report.improvements.iter().map(|improvement| Case {
        suite: "improvements",
        name: plain(&improvement.label),
        outcome: outcome(improvement.status),
        message: line(&|text| terminal::improvement_line(text, improvement, terminal::Colour::Never)),
    }));
    cases.extend(report.criteria.iter().map(|criterion| Case {
        suite: "criteria",
        name: format!("{} at {}", plain(&criterion.label), plain(&criterion.stage)),
        outcome: match criterion.standing.as_ref().map(|standing| standing.level) {
            None if criterion.status == Status::NotMeasured => Outcome::Open,
            None | Some(None) => Outcome::Passed,
            Some(Some(DecisionValue::NoGo | DecisionValue::Rollback)) => Outcome::Failed,
            Some(Some(_)) => Outcome::Open,
        },
        message: line(&|text| terminal::criterion_line(text, &report.words, criterion, terminal::Colour::Never)),
    }));
    cases.extend(report.triggers.iter().filter(|trigger| trigger.fired).map(|trigger| Case {
        suite: "triggers",
        name: plain(&format!("{} in {} ({}) at {}", trigger.trigger, trigger.stage, trigger.scope, trigger.from)),
        outcome: if trigger.severity == TriggerSeverity::Rollback { Outcome::Failed } else { Outcome::Open },
        message: terminal::trigger_text(&report.words, trigger),
    }));
    let found = report.comparisons.iter().filter(|comparison| comparison.regression);
    cases.extend(found.map(|comparison| Case {
        suite: "regressions",
        name: plain(&comparison.id),
        outcome: Outcome::Failed,
        message: "worse than the reference by more than the margin".into(),
    }));
    cases.extend(report.completion.iter().map(|item| Case {
        suite: "completion",
        name: item.label.clone(),
        outcome: match item.status {
            CompletionStatus::Met => Outcome::Passed,
            CompletionStatus::NotMet => Outcome::Failed,
            CompletionStatus::NotEvidenced => Outcome::Open,
        },
        message: plain(&item.evidence),
    }));
    cases.push(Case {
        suite: "data quality",
        name: "gate".into(),
        outcome: if report.data_quality.gate == Gate::Failed { Outcome::Failed } else { Outcome::Passed },
        message: "the data-quality gate".into(),
    });
    cases
}

/// `--format github`: an annotation for everything that is not met or not settled.
pub fn github(report: &Report) -> String {
    let mut text = String::new();
    for case in cases(report) {
        let level = match case.outcome {
            Outcome::Passed => continue,
            Outcome::Failed => "error",
            Outcome::Open => "warning",
        };
        let _ = writeln!(text, "::{level} title={}::{}", github_property(&case.name), github_data(&case.message));
    }
    text
}

/// Text in an annotation: a log must not write commands of its own.
fn github_data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn github_property(text: &str) -> String {
    github_data(text).replace(':', "%3A").replace(',', "%2C")
}

/// `--format junit`: a test case for everything that is judged; what is open is skipped with its reason.
pub fn junit(report: &Report) -> String {
    let cases = cases(report);
    let count = |outcome: Outcome, suite: Option<&str>| {
        let of = |case: &&Case| case.outcome == outcome && suite.is_none_or(|suite| suite == case.suite);
        cases.iter().filter(of).count()
    };
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        text,
        "<testsuites name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\">",
        xml(&report.title),
        cases.len(),
        count(Outcome::Failed, None),
        count(Outcome::Open, None)
    );
    for suite in cases.chunk_by(|a, b| a.suite == b.suite) {
        let name = suite[0].suite;
        let _ = writeln!(
            text,
            "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\">",
            suite.len(),
            count(Outcome::Failed, Some(name)),
            count(Outcome::Open, Some(name))
        );
        for case in suite {
            let (name, message) = (xml(&case.name), xml(&case.message));
            let open =
                format!("    <testcase classname=\"stagegate.{}\" name=\"{name}\"", case.suite.replace(' ', "_"));
            let _ = match case.outcome {
                Outcome::Passed => writeln!(text, "{open}/>"),
                Outcome::Failed => writeln!(text, "{open}><failure message=\"{message}\"/></testcase>"),
                Outcome::Open => writeln!(text, "{open}><skipped message=\"{message}\"/></testcase>"),
            };
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_an_attribute() {
        assert_eq!(xml("a\"><b>&\u{1}\n"), "a&quot;&gt;&lt;b&gt;&amp;\u{fffd}\u{fffd}");
        assert_eq!(github_property("a:b,c%\n"), "a%3Ab%2Cc%25%0A");
    }
}
