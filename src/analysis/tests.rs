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
    /// Of what failed: the run of another suite in which it did not.
    elsewhere: Option<&'a TestCase>,
}

impl Told<'_> {
    fn failing(&self) -> FailingTest {
        let message = match self.elsewhere {
            None => self.case.message.clone(),
            Some(other) => {
                let did = if other.outcome == TestOutcome::Passed { "passed" } else { "was skipped" };
                let place =
                    if other.file == self.case.file { "in another suite" } else { &format!("in {}", other.file) };
                let message = if self.case.message.is_empty() { "failed" } else { &self.case.message };
                format!("{message} (in {}; it {did} {place})", self.case.file)
            }
        };
        FailingTest { name: self.case.id.clone(), message }
    }
}

/// Within a suite the last try counts, and one that failed and passed is flaky. Several suites are several runs: what
/// failed in one of them has failed, wherever else it passed.
fn by_id(cases: &[TestCase]) -> BTreeMap<&str, Told<'_>> {
    let mut by_run: BTreeMap<(&str, &str, usize), Told<'_>> = BTreeMap::new();
    for case in cases {
        let told = by_run.entry((&case.id, &case.file, case.suite)).or_insert(Told {
            case,
            flaky: case.flaky,
            elsewhere: None,
        });
        told.flaky |= case.flaky || told.case.is_bad() != case.is_bad();
        told.case = case;
    }
    let mut tests: BTreeMap<&str, Told<'_>> = BTreeMap::new();
    for ((id, ..), run) in by_run {
        let Some(told) = tests.get_mut(id) else {
            tests.insert(id, run);
            continue;
        };
        told.flaky |= run.flaky;
        match (rank(told.case), rank(run.case)) {
            (known, new) if new > known => {
                told.elsewhere = (new == FAILED).then_some(told.case);
                told.case = run.case;
            }
            (FAILED, new) if new < FAILED => told.elsewhere = Some(run.case),
            _ => {}
        }
    }
    tests
}

const FAILED: u8 = 2;

/// Which of two outcomes counts: that a suite skipped a test says nothing of another that ran it.
fn rank(case: &TestCase) -> u8 {
    match case.outcome {
        TestOutcome::Skipped => 0,
        TestOutcome::Passed => 1,
        TestOutcome::Failed | TestOutcome::Errored => FAILED,
    }
}

fn phase(results: &PhaseResults) -> TestPhase {
    let tests = by_id(&results.cases);
    let count = |outcome| tests.values().filter(|told| told.case.outcome == outcome).count() as u64;
    let failing = tests.values().filter(|told| told.case.is_bad()).take(MOST_NAMES);
    let previous = by_id(&results.previous);
    // What passed before and is bad, skipped or gone now.
    let turned = |was_bad: bool| {
        let before = previous.iter().filter(|(_, told)| told.case.is_bad() == was_bad);
        let names = before.filter(|(id, told)| match tests.get(*id) {
            Some(now) => was_bad && now.case.outcome == TestOutcome::Passed || !was_bad && now.case.is_bad(),
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
        failing: failing.map(Told::failing).collect(),
        disagreements: results.disagreements.iter().take(MOST_NAMES).cloned().collect(),
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
        of_run(id, outcome, 0)
    }

    fn of_run(id: &str, outcome: TestOutcome, run: usize) -> TestCase {
        TestCase { id: id.into(), outcome, message: "why".into(), flaky: false, file: format!("{run}.xml"), suite: run }
    }

    #[test]
    fn a_failure_in_one_suite_is_none_the_less_one_where_another_passed() {
        let cases = [
            of_run("a", Passed, 0),
            of_run("a", Failed, 1),
            of_run("b", Failed, 0),
            of_run("b", Skipped, 1),
            of_run("c", Skipped, 0),
            of_run("c", Passed, 1),
            // The last try of a suite counts.
            of_run("d", Passed, 2),
            of_run("d", Failed, 2),
        ];
        let tests = by_id(&cases);
        let told = |id: &str| (tests[id].case.outcome, tests[id].flaky);
        assert_eq!(["a", "b", "c", "d"].map(told), [(Failed, false), (Failed, false), (Passed, false), (Failed, true)]);
        assert_eq!(tests["a"].failing().message, "why (in 1.xml; it passed in 0.xml)");
        assert_eq!(tests["b"].failing().message, "why (in 0.xml; it was skipped in 1.xml)");
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
            disagreements: Vec::new(),
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
