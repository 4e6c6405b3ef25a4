//! A line that is to be learned: its values, and the keys that lead to each.

use super::scan;
use crate::ingest::json;

/// A value of a line.
#[derive(Debug, PartialEq)]
pub(super) struct Step {
    /// The keys that lead to it, the outermost first.
    pub path: Vec<String>,
    /// Its first byte, and that behind its last.
    pub start: usize,
    pub end: usize,
    /// The paths of the keys between the value before and this one: those of objects that were opened, and its own.
    pub keys: Vec<Vec<String>>,
}

/// Most keys that lead to a value.
const MAX_DEPTH: usize = 16;

/// The values of a line that holds one object, and the end of that; objects are gone into where `goes_into` says so.
/// `None` where the line is none that can be learned. At least eight bytes must follow the line.
pub(super) fn steps(line: &[u8], goes_into: impl Fn(&[String]) -> bool) -> Option<(Vec<Step>, usize)> {
    let mut walk = Walk { line, rest: line, path: Vec::new(), keys: Vec::new(), steps: Vec::new() };
    walk.object(&goes_into)?;
    Some((walk.steps, line.len() - walk.rest.len()))
}

struct Walk<'l> {
    line: &'l [u8],
    rest: &'l [u8],
    path: Vec<String>,
    keys: Vec<Vec<String>>,
    steps: Vec<Step>,
}

impl Walk<'_> {
    fn take(&mut self, byte: u8) -> Option<()> {
        self.rest = scan::space(self.rest).strip_prefix(&[byte])?;
        Some(())
    }

    fn key(&mut self) -> Option<String> {
        let quoted = scan::space(self.rest);
        let (length, _) = scan::string(quoted.strip_prefix(b"\"")?)?;
        let written = std::str::from_utf8(&quoted[..length + 2]).ok()?;
        self.rest = &quoted[length + 2..];
        Some(json::unquoted(written).into_owned())
    }

    fn object(&mut self, goes_into: &impl Fn(&[String]) -> bool) -> Option<()> {
        if self.path.len() == MAX_DEPTH {
            return None;
        }
        self.take(b'{')?;
        if self.take(b'}').is_some() {
            return Some(());
        }
        loop {
            let key = self.key()?;
            self.take(b':')?;
            self.rest = scan::space(self.rest);
            self.path.push(key);
            self.keys.push(self.path.clone());
            let opens = self.rest.first() == Some(&b'{') && scan::space(&self.rest[1..]).first() != Some(&b'}');
            if opens && goes_into(&self.path) {
                self.object(goes_into)?;
            } else {
                let start = self.line.len() - self.rest.len();
                self.rest = scan::skip(self.rest)?;
                let end = self.line.len() - self.rest.len();
                self.steps.push(Step { path: self.path.clone(), start, end, keys: std::mem::take(&mut self.keys) });
            }
            self.path.pop();
            if self.take(b'}').is_some() {
                return Some(());
            }
            self.take(b',')?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_with_the_keys_that_lead_to_them() {
        let line = br#"{"a": 1, "b": {"c\u0064": {"e": [1, {"x": 2}]}, "f": {}}, "g" : "\"" }        "#;
        let (steps, end) = steps(line, |_| true).unwrap();
        let told: Vec<String> = steps
            .iter()
            .map(|step| format!("{} {}", step.path.join("."), String::from_utf8_lossy(&line[step.start..step.end])))
            .collect();
        assert_eq!(told, ["a 1", r#"b.cd.e [1, {"x": 2}]"#, "b.f {}", r#"g "\"""#]);
        assert_eq!(steps[1].keys.iter().map(|keys| keys.join(".")).collect::<Vec<_>>(), ["b", "b.cd", "b.cd.e"]);
        assert_eq!(end, line.len() - 8);
        for none in
            ["[1]        ", "{\"a\": 1        ", "{\"a\" 1}        ", "{\"a\": 1,}        ", "{\"a\": NaN}        "]
        {
            assert_eq!(super::steps(none.as_bytes(), |_| true), None, "{none}");
        }
    }
}
