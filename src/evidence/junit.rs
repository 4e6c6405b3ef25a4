//! JUnit XML, as pytest, cargo-nextest, Surefire, Jest and Go's converters write it.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::error::{Error, Position, Result};

/// Cases of one file.
const MAX_CASES: usize = 200_000;
/// Characters of a name or message that are kept.
const MAX_TEXT: usize = 300;
const MAX_DEPTH: usize = 64;

/// One test of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestCase {
    /// `class::name`
    pub id: String,
    pub outcome: TestOutcome,
    /// Of a failure or error.
    pub message: String,
    /// Whether it failed before it passed, as the runner's retries tell.
    pub flaky: bool,
    /// The file that tells of it, and which suite in it, by a number: a retry stands beside the first try, in the same
    /// suite.
    pub file: String,
    pub suite: usize,
}

impl TestCase {
    /// Whether it failed or could not be run.
    pub fn is_bad(&self) -> bool {
        matches!(self.outcome, TestOutcome::Failed | TestOutcome::Errored)
    }
}

/// What a file tells.
#[derive(Debug, Default)]
pub(super) struct Results {
    pub cases: Vec<TestCase>,
    /// Suites whose own counts are not those of their cases, as sentences.
    pub disagreements: Vec<String>,
}

/// A suite that is open.
struct Suite {
    name: String,
    /// Its number in the file.
    number: usize,
    /// Its own counts: tests, and failures with errors.
    tests: Option<usize>,
    bad: Option<usize>,
    /// The cases before it.
    before: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestOutcome {
    Passed,
    Failed,
    Skipped,
    Errored,
}

/// The test cases of a file called `name`.
///
/// # Errors
/// Not well-formed XML, a document type (whose entities could be a bomb), no test suite, too deep, too many cases.
pub(super) fn parse(name: &str, text: &str) -> Result<Results> {
    let mut reader = Reader::from_str(text);
    let mut results = Results::default();
    let mut open: Option<TestCase> = None;
    let mut open_suites: Vec<Suite> = Vec::new();
    let (mut depth, mut suites) = (0_usize, 0_usize);
    loop {
        let at = reader.buffer_position() as usize;
        let fail = |message: String| fail(name, text, at, message);
        let event = reader.read_event().map_err(|error| fail(format!("not well-formed XML: {error}")))?;
        match event {
            Event::DocType(_) => {
                return Err(fail("a document type is refused: its entities could fill the memory".into())
                    .help("write the results without <!DOCTYPE …>"));
            }
            Event::Start(tag) => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(fail(format!("nested deeper than {MAX_DEPTH} elements")));
                }
                match tag.local_name().as_ref() {
                    b"testsuite" | b"testsuites" => {
                        suites += 1;
                        open_suites.push(suite(&tag, suites, results.cases.len()));
                    }
                    b"testcase" => open = Some(case(&tag, name, innermost(&open_suites))),
                    _ => outcome(&tag, open.as_mut()),
                }
            }
            Event::Empty(tag) => match tag.local_name().as_ref() {
                b"testcase" => results.cases.push(case(&tag, name, innermost(&open_suites))),
                b"testsuite" | b"testsuites" => {
                    suites += 1;
                    let empty = suite(&tag, suites, results.cases.len());
                    results.disagreements.extend(disagreement(name, &empty, &[]));
                }
                _ => outcome(&tag, open.as_mut()),
            },
            Event::End(tag) => {
                depth = depth.saturating_sub(1);
                match tag.local_name().as_ref() {
                    b"testcase" => results.cases.extend(open.take()),
                    b"testsuite" | b"testsuites" => {
                        let closed = open_suites.pop();
                        let found = closed.and_then(|suite| disagreement(name, &suite, &results.cases[suite.before..]));
                        results.disagreements.extend(found);
                    }
                    _ => {}
                }
            }
            Event::Eof => break,
            _ => {}
        }
        if results.cases.len() > MAX_CASES {
            return Err(fail(format!("more than {MAX_CASES} test cases")));
        }
    }
    if depth > 0 {
        return Err(fail(name, text, text.len(), "the XML ends in the middle of an element".into()));
    }
    if suites == 0 {
        return Err(fail(name, text, 0, "no <testsuite> in it: this is no JUnit XML".into()));
    }
    Ok(results)
}

fn fail(name: &str, text: &str, offset: usize, message: String) -> Error {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
    let column = (before.len() - before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)) as u64 + 1;
    Error::new(message).at(Position::at(name, line, column))
}

fn attribute(tag: &BytesStart<'_>, wanted: &str) -> Option<String> {
    let value = tag.try_get_attribute(wanted).ok().flatten()?;
    // An entity that XML does not define stays as it is written.
    let text = value
        .unescape_value()
        .map_or_else(|_| String::from_utf8_lossy(&value.value).into_owned(), std::borrow::Cow::into_owned);
    Some(text.chars().take(MAX_TEXT).collect())
}

fn suite(tag: &BytesStart<'_>, number: usize, before: usize) -> Suite {
    let count = |wanted| attribute(tag, wanted).and_then(|text| text.trim().parse::<usize>().ok());
    let bad = match (count("failures"), count("errors")) {
        (None, None) => None,
        (failures, errors) => failures.unwrap_or(0).checked_add(errors.unwrap_or(0)),
    };
    let name = attribute(tag, "name").unwrap_or_default();
    Suite { name, number, tests: count("tests"), bad, before }
}

/// The number of the innermost suite.
fn innermost(open: &[Suite]) -> usize {
    open.last().map_or(0, |suite| suite.number)
}

/// What a suite says of itself, where its cases say otherwise. Of a test that was tried again some writers count each
/// try, and some the last.
fn disagreement(file: &str, suite: &Suite, cases: &[TestCase]) -> Option<String> {
    let mut last: BTreeMap<(usize, &str), bool> = BTreeMap::new();
    for case in cases {
        last.insert((case.suite, &case.id), case.is_bad());
    }
    let tries = (cases.len(), cases.iter().filter(|case| case.is_bad()).count());
    let tests = (last.len(), last.values().filter(|bad| **bad).count());
    let agrees = |said: Option<usize>, one: usize, other: usize| said.is_none_or(|said| said == one || said == other);
    if agrees(suite.tests, tries.0, tests.0) && agrees(suite.bad, tries.1, tests.1) {
        return None;
    }
    let said = |count: Option<usize>| count.map_or("no number of".to_owned(), |count| count.to_string());
    Some(format!(
        "{file}: the suite {:?} says {} tests and {} failures and errors; its cases are {} and {}",
        suite.name,
        said(suite.tests),
        said(suite.bad),
        tries.0,
        tries.1
    ))
}

fn case(tag: &BytesStart<'_>, file: &str, suite: usize) -> TestCase {
    let name = attribute(tag, "name").unwrap_or_else(|| "unnamed".into());
    let id = match attribute(tag, "classname").filter(|class| !class.is_empty()) {
        Some(class) => format!("{class}::{name}"),
        None => name,
    };
    TestCase { id, outcome: TestOutcome::Passed, message: String::new(), flaky: false, file: file.to_owned(), suite }
}

/// What an element inside a case says of it. A failure outweighs what stands beside it.
fn outcome(tag: &BytesStart<'_>, case: Option<&mut TestCase>) {
    let Some(case) = case else { return };
    let found = match tag.local_name().as_ref() {
        b"failure" => TestOutcome::Failed,
        b"error" => TestOutcome::Errored,
        b"skipped" => TestOutcome::Skipped,
        // Surefire and nextest: failed, and passed when tried again.
        b"flakyFailure" | b"flakyError" => {
            case.flaky = true;
            return;
        }
        _ => return,
    };
    if case.outcome == TestOutcome::Passed || found != TestOutcome::Skipped {
        case.outcome = found;
        case.message = attribute(tag, "message").unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TestOutcome::{Errored, Failed, Passed, Skipped};

    fn outcomes(text: &str) -> Vec<(String, TestOutcome)> {
        parse("a.xml", text).unwrap().cases.into_iter().map(|case| (case.id, case.outcome)).collect()
    }

    #[test]
    fn pytest_and_nextest() {
        let pytest = r#"<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite name="pytest" errors="0" failures="1" skipped="1" tests="3"><testcase classname="tests.test_a" name="test_one" time="0.1" /><testcase classname="tests.test_a" name="test_two[a&lt;b]"><failure message="assert 1 == 2">long text</failure></testcase><testcase classname="tests.test_a" name="test_three"><skipped type="pytest.skip" message="later">x</skipped></testcase></testsuite></testsuites>"#;
        let id = |name: &str| format!("tests.test_a::{name}");
        assert_eq!(
            outcomes(pytest),
            [(id("test_one"), Passed), (id("test_two[a<b]"), Failed), (id("test_three"), Skipped)]
        );
        let nextest = r#"<testsuites name="nextest-run"><testsuite name="crate"><testcase name="a::b" classname="crate"><flakyFailure message="once"/><system-out>out</system-out></testcase></testsuite></testsuites>"#;
        let cases = parse("n.xml", nextest).unwrap().cases;
        assert!(cases[0].flaky && cases[0].outcome == Passed);
    }

    #[test]
    fn counts_of_a_suite_that_are_not_those_of_its_cases_are_told() {
        let of = |text: &str| parse("a.xml", text).unwrap().disagreements;
        let case = |name: &str, inside: &str| format!("<testcase name='{name}'>{inside}</testcase>");
        let suite = |counts: &str, cases: &str| format!("<testsuite name='s' {counts}>{cases}</testsuite>");
        let failed = case("a", "<failure/>");
        let agreeing = suite("tests='2' failures='1' errors='0'", &(failed.clone() + &case("b", "")));
        assert_eq!(of(&format!("<testsuites tests='2' failures='1'>{agreeing}</testsuites>")), [""; 0]);
        assert_eq!(of(&suite("", &failed)), [""; 0]);
        // Tried again: counted by tries or by tests.
        let retried = failed.clone() + &case("a", "");
        assert_eq!(of(&suite("tests='2' failures='1'", &retried)), [""; 0]);
        assert_eq!(of(&suite("tests='1' failures='0'", &retried)), [""; 0]);
        assert_eq!(
            of(&suite("tests='29' failures='2'", &case("b", ""))),
            ["a.xml: the suite \"s\" says 29 tests and 2 failures and errors; its cases are 1 and 0"]
        );
        assert_eq!(of("<testsuite tests='3'/>").len(), 1);
        assert_eq!(of(&suite("tests='many' failures='-1'", &failed)), [""; 0]);
    }

    #[test]
    fn surefire_jest_and_go() {
        let surefire = r#"<testsuite name="C"><properties><property name="a" value="b"/></properties><testcase name="t" classname="com.C"><error message="npe" type="NPE"><![CDATA[<failure>]]></error></testcase></testsuite>"#;
        assert_eq!(outcomes(surefire), [("com.C::t".into(), Errored)]);
        let go = r#"<testsuites><testsuite tests="1"><testcase classname="pkg" name="TestA"><failure message="Failed"></failure></testcase></testsuite></testsuites>"#;
        assert_eq!(outcomes(go), [("pkg::TestA".into(), Failed)]);
    }

    #[test]
    fn damage_is_refused_with_its_place_or_read() {
        let sound = r#"<?xml version="1.0"?><testsuites><testsuite name="s"><testcase classname="c" name="a&lt;b"><failure message="no">text</failure></testcase><testcase name="é"><![CDATA[x]]><skipped/></testcase></testsuite></testsuites>"#;
        crate::damage::for_each_damage(sound.as_bytes(), |bytes| {
            let text = String::from_utf8_lossy(bytes);
            match parse("a.xml", &text) {
                Ok(results) => assert!(results.cases.len() <= text.matches("<testcase").count()),
                Err(error) => assert!(error.to_string().starts_with("a.xml:"), "{error}"),
            }
        });
    }

    #[test]
    fn hostile_and_broken_files_are_refused_with_their_place() {
        let message = |text: &str| parse("a.xml", text).unwrap_err().to_string();
        let bomb = "<?xml version=\"1.0\"?>\n<!DOCTYPE a [<!ENTITY b \"bbbb\"><!ENTITY c \"&b;&b;\">]><testsuite>&c;</testsuite>";
        assert!(message(bomb).starts_with("a.xml:2:1: a document type is refused"), "{}", message(bomb));
        assert!(message("<testsuite><testcase name='a'>").contains("ends in the middle"));
        assert!(message("<testsuite></testcase>").contains("not well-formed"));
        assert!(message("<html></html>").contains("no <testsuite>"));
        assert!(message(&"<a>".repeat(100)).contains("nested deeper"));
    }
}
