//! What the test results say, phase by phase, and what people wrote.

use std::collections::BTreeMap;

use crate::evidence::{Evidence, PhaseResults, TestCase, TestOutcome};
use crate::report::model::{FailingTest, Note, TestPhase, Tests};

/// Names that the report lists of each kind.
const MOST_NAMES: usize = 100;

/// Test results against the expected counts.
pub(super) fn tests(evidence: &Evidence) -> Tests {
    Tests { phases: evidence.phases.iter().map(phase).collect(), coverage: evidence.coverage }
}

/// The notes as they were written.
pub(super) fn notes(evidence: &Evidence) -> Vec<Note> {
    let note = |note: &crate::evidence::Note| Note {
        kind: note.kind.into(),
        file: note.file.clone(),
        markdown: note.markdown.clone(),
    };
    evidence.notes.iter().map(note).collect()
}

/// One test over all its appearances: retries and several files may tell of it more than once.
#[derive(Debug, Clone)]
struct Told<'a> {
    case: &'a TestCase,
    flaky: bool,
}

/// The last appearance counts; one that failed and passed is flaky.
fn by_id(cases: &[TestCase]) -> BTreeMap<&str, Told<'_>> {
    let mut tests: BTreeMap<&str, Told<'_>> = BTreeMap::new();
    for case in cases {
        tests
            .entry(&case.id)
            .and_modify(|told| {
                told.flaky |= case.flaky || bad(told.case) != bad(case);
                // Flaky or not: what failed once in a run and never failed again has passed.
                if bad(told.case) || !bad(case) {
                    told.case = case;
                }
            })
            .or_insert(Told { case, flaky: case.flaky });
    }
    tests
}

fn bad(case: &TestCase) -> bool {
    matches!(case.outcome, TestOutcome::Failed | TestOutcome::Errored)
}

fn phase(results: &PhaseResults) -> TestPhase {
    let tests = by_id(&results.cases);
    let count = |outcome| tests.values().filter(|told| told.case.outcome == outcome).count() as u64;
    let failing = tests.values().filter(|told| bad(told.case)).take(MOST_NAMES);
    let previous = by_id(&results.previous);
    // What passed before and is bad, skipped or gone now.
    let turned = |was_bad: bool| {
        let before = previous.iter().filter(|(_, told)| bad(told.case) == was_bad);
        let names = before.filter(|(id, told)| match tests.get(*id) {
            Some(now) => was_bad && now.case.outcome == TestOutcome::Passed || !was_bad && bad(now.case),
            None => !was_bad && told.case.outcome == TestOutcome::Passed,
        });
        names.map(|(id, _)| (*id).to_owned()).take(MOST_NAMES).collect::<Vec<_>>()
    };
    let compared = !results.previous.is_empty();
    TestPhase {
        name: results.name.clone(),
        expected: results.expected,
        passed: count(TestOutcome::Passed),
        failed: count(TestOutcome::Failed),
        skipped: count(TestOutcome::Skipped),
        errors: count(TestOutcome::Errored),
        missing: results.expected.saturating_sub(tests.len() as u64),
        files: results.files.clone(),
        failing: failing
            .map(|told| FailingTest { name: told.case.id.clone(), message: told.case.message.clone() })
            .collect(),
        flaky: tests.iter().filter(|(_, told)| told.flaky).map(|(id, _)| (*id).to_owned()).take(MOST_NAMES).collect(),
        regressed: compared.then(|| turned(false)),
        fixed: compared.then(|| turned(true)),
    }
}

#[cfg(test)]
mod unit {
    use super::*;
    use TestOutcome::{Failed, Passed, Skipped};

    fn case(id: &str, outcome: TestOutcome) -> TestCase {
        TestCase { id: id.into(), outcome, message: "why".into(), flaky: false }
    }

    #[test]
    fn failed_missing_flaky_and_turned_tests_are_named() {
        let results = PhaseResults {
            name: "phase1".into(),
            expected: 6,
            files: vec!["a.xml".into()],
            cases: vec![
                case("a", Passed),
                case("b", Failed),
                case("c", Skipped),
                case("d", Failed),
                case("d", Passed),
                case("e", Passed),
            ],
            previous: vec![case("a", Passed), case("b", Passed), case("e", Failed), case("gone", Passed)],
        };
        let phase = phase(&results);
        assert_eq!((phase.passed, phase.failed, phase.skipped, phase.missing), (3, 1, 1, 1));
        assert_eq!(phase.failing, [FailingTest { name: "b".into(), message: "why".into() }]);
        assert_eq!(phase.flaky, ["d"]);
        assert_eq!(phase.regressed.unwrap(), ["b", "gone"]);
        assert_eq!(phase.fixed.unwrap(), ["e"]);
    }
}
