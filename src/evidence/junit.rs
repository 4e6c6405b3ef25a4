//! JUnit XML, as pytest, cargo-nextest, Surefire, Jest and Go's converters write it.

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
pub(super) fn parse(name: &str, text: &str) -> Result<Vec<TestCase>> {
    let mut reader = Reader::from_str(text);
    let mut cases: Vec<TestCase> = Vec::new();
    let mut open: Option<TestCase> = None;
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
                suites += usize::from(matches!(tag.local_name().as_ref(), b"testsuite" | b"testsuites"));
                match tag.local_name().as_ref() {
                    b"testcase" => open = Some(case(&tag)),
                    _ => outcome(&tag, open.as_mut()),
                }
            }
            Event::Empty(tag) => match tag.local_name().as_ref() {
                b"testcase" => cases.push(case(&tag)),
                other => {
                    suites += usize::from(matches!(other, b"testsuite" | b"testsuites"));
                    outcome(&tag, open.as_mut());
                }
            },
            Event::End(tag) => {
                depth = depth.saturating_sub(1);
                if tag.local_name().as_ref() == b"testcase" {
                    cases.extend(open.take());
                }
            }
            Event::Eof => break,
            _ => {}
        }
        if cases.len() > MAX_CASES {
            return Err(fail(format!("more than {MAX_CASES} test cases")));
        }
    }
    if depth > 0 {
        return Err(fail(name, text, text.len(), "the XML ends in the middle of an element".into()));
    }
    if suites == 0 {
        return Err(fail(name, text, 0, "no <testsuite> in it: this is no JUnit XML".into()));
    }
    Ok(cases)
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

fn case(tag: &BytesStart<'_>) -> TestCase {
    let name = attribute(tag, "name").unwrap_or_else(|| "unnamed".into());
    let id = match attribute(tag, "classname").filter(|class| !class.is_empty()) {
        Some(class) => format!("{class}::{name}"),
        None => name,
    };
    TestCase { id, outcome: TestOutcome::Passed, message: String::new(), flaky: false }
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
        parse("a.xml", text).unwrap().into_iter().map(|case| (case.id, case.outcome)).collect()
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
        let cases = parse("n.xml", nextest).unwrap();
        assert!(cases[0].flaky && cases[0].outcome == Passed);
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
                Ok(cases) => assert!(cases.len() <= text.matches("<testcase").count()),
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
