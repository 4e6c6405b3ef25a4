//! Which rows are meant: `kind == 2`, `name =~ "^/upload"`, `status >= 500`, `error == null`.

use regex::Regex;

use super::matcher::pattern;
use super::path::Path;

/// What a value is held against.
#[derive(Debug, Clone)]
pub enum Test {
    /// Equal as texts, or as numbers where both are.
    Equals(String),
    /// There is no value, or it is null.
    Null,
    Matches(Regex),
    /// Numbers; what is none is neither below nor above.
    Below(f64),
    AtMost(f64),
    Above(f64),
    AtLeast(f64),
}

/// One condition.
#[derive(Debug, Clone)]
pub struct Condition {
    /// As it was written.
    pub text: String,
    pub path: Path,
    pub test: Test,
    /// Whether it holds where the test does not.
    pub negated: bool,
}

/// In the order in which they are searched: the longer ones first.
const OPERATORS: [&str; 8] = ["==", "!=", "=~", "!~", "<=", ">=", "<", ">"];

impl Condition {
    /// Reads a condition: a path, an operator, a value.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (at, operator) = operator(text)
            .ok_or_else(|| format!("has no operator; write a path, one of {}, and a value", OPERATORS.join(" ")))?;
        let path_text = text[..at].trim();
        let path = Path::parse(path_text).map_err(|why| format!("the path {path_text:?} {why}"))?;
        if path.is_list() {
            return Err("[] stands for several values: give a number".into());
        }
        let literal = literal(text[at + operator.len()..].trim())?;
        let number = || match &literal {
            Literal::Bare(text) => text.parse().map_err(|_| format!("{operator} compares numbers, and {text} is none")),
            _ => Err(format!("{operator} compares numbers")),
        };
        let test = match operator {
            "=~" | "!~" => match &literal {
                Literal::Quoted(text) | Literal::Bare(text) => Test::Matches(pattern(text)?),
                Literal::Null => return Err("null is no pattern".into()),
            },
            "<" => Test::Below(number()?),
            "<=" => Test::AtMost(number()?),
            ">" => Test::Above(number()?),
            ">=" => Test::AtLeast(number()?),
            _ => match literal {
                Literal::Null => Test::Null,
                Literal::Quoted(text) | Literal::Bare(text) => Test::Equals(text),
            },
        };
        Ok(Self { text: text.to_owned(), path, test, negated: operator.starts_with('!') })
    }

    /// Whether a value passes; `None` is one that is missing or null.
    pub fn holds(&self, value: Option<&str>) -> bool {
        self.passes(value) != self.negated
    }

    fn passes(&self, value: Option<&str>) -> bool {
        let number = || value.and_then(|text| text.trim().parse::<f64>().ok());
        match &self.test {
            Test::Null => value.is_none(),
            Test::Equals(wanted) => {
                value.is_some_and(|value| value == wanted)
                    || number().is_some_and(|number| wanted.parse() == Ok(number))
            }
            Test::Matches(pattern) => value.is_some_and(|value| pattern.is_match(value)),
            Test::Below(bound) => number().is_some_and(|number| number < *bound),
            Test::AtMost(bound) => number().is_some_and(|number| number <= *bound),
            Test::Above(bound) => number().is_some_and(|number| number > *bound),
            Test::AtLeast(bound) => number().is_some_and(|number| number >= *bound),
        }
    }
}

/// The first operator outside of quotes and brackets.
fn operator(text: &str) -> Option<(usize, &'static str)> {
    let (mut quote, mut depth) = (None, 0_u32);
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (Some(open), _) => quote = Some(open).filter(|open| *open != character),
            (None, '"' | '\'') => quote = Some(character),
            (None, '[') => depth += 1,
            (None, ']') => depth = depth.saturating_sub(1),
            _ if depth == 0 => {
                if let Some(found) = OPERATORS.iter().find(|operator| text[at..].starts_with(**operator)) {
                    return Some((at, found));
                }
            }
            _ => {}
        }
    }
    None
}

enum Literal {
    Quoted(String),
    Bare(String),
    Null,
}

fn literal(text: &str) -> Result<Literal, String> {
    let Some(quote) = text.chars().next() else { return Err("has no value behind its operator".into()) };
    if matches!(quote, '"' | '\'') {
        let inside =
            text[1..].strip_suffix(quote).filter(|_| text.len() > 1).ok_or("has a quote that is not closed")?;
        return Ok(Literal::Quoted(inside.to_owned()));
    }
    if text.contains(char::is_whitespace) {
        return Err(format!(
            "has {text:?} behind its operator: a text with spaces stands between quotes, and a condition holds one comparison (=~ \"^(a|b)$\" takes several words)"
        ));
    }
    Ok(if text == "null" { Literal::Null } else { Literal::Bare(text.to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(condition: &str, yes: &[Option<&str>], no: &[Option<&str>]) {
        let parsed = Condition::parse(condition).unwrap();
        yes.iter().for_each(|value| assert!(parsed.holds(*value), "{condition} of {value:?}"));
        no.iter().for_each(|value| assert!(!parsed.holds(*value), "{condition} of {value:?}"));
    }

    #[test]
    fn conditions_hold_as_written() {
        check("kind == 2", &[Some("2"), Some("2.0")], &[Some("3"), None]);
        check("name == \"a b\"", &[Some("a b")], &[Some("a"), None]);
        check("service == upload", &[Some("upload")], &[Some("uploads"), None]);
        check("name != 'x'", &[Some("a"), None], &[Some("x")]);
        check("error == null", &[None], &[Some("e")]);
        check("error != null", &[Some("e")], &[None]);
        check("a[\"x==y\"] =~ \"^/up\"", &[Some("/upload")], &[Some("/down"), None]);
        check("path !~ /^.health/", &[Some("/x"), None], &[Some("/health")]);
        check("status >= 500", &[Some("500"), Some("503")], &[Some("499"), Some("x"), None]);
        check("status<400", &[Some("200")], &[Some("400")]);
        check("ok == true", &[Some("true")], &[Some("false")]);
    }

    #[test]
    fn what_is_no_condition_says_why() {
        for (text, why) in [
            ("service", "has no operator"),
            ("== 2", "the path \"\" is empty"),
            ("a ==", "has no value behind its operator"),
            ("a < b", "< compares numbers, and b is none"),
            ("a == \"b", "has a quote that is not closed"),
            ("a =~ \"(\"", "is no pattern"),
            ("a == b or a == c", "holds one comparison"),
        ] {
            let found = Condition::parse(text).unwrap_err();
            assert!(found.contains(why), "{text}: {found}");
        }
    }
}
