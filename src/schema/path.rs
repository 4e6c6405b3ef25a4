//! Where a value stands in a row: `data.tags.scenario`, `items[0]`, `attributes["http.route"]`, `^.resource`, `$file`.

/// What a path starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Row,
    /// The object around the row, 1 for the nearest; see `rows` of a source.
    Parent(usize),
    /// The name of the file.
    File,
    /// The line as it stands in the file.
    Line,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Key(String),
    /// From 0.
    Index(usize),
    /// Every item of a list: `[]`, in `rows` alone.
    Each,
}

/// A path. An empty list of steps is the origin itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// As it was written.
    pub text: String,
    pub origin: Origin,
    pub steps: Vec<Step>,
    /// Its position among the paths of its mapping, where that can be read by the layout of a log.
    pub slot: Option<usize>,
}

/// Most steps of a path.
const MAX_STEPS: usize = 32;

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence that begins with the path.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (origin, rest) = origin(text)?;
        let mut steps = Vec::new();
        let mut rest = rest;
        // A key may stand without a dot where nothing stands before it.
        let mut bare = origin == Origin::Row;
        while !rest.is_empty() {
            if steps.len() == MAX_STEPS {
                return Err(format!("has more than {MAX_STEPS} steps"));
            }
            let (step, after) = match rest.strip_prefix('[') {
                Some(inside) => bracket(inside)?,
                None => key(rest, bare)?,
            };
            steps.push(step);
            (rest, bare) = (after, false);
        }
        match (origin, steps.is_empty()) {
            (Origin::Row, true) => Err("is empty".into()),
            (Origin::File | Origin::Line, false) => Err("goes into a text: nothing can stand behind it".into()),
            _ => Ok(Self { text: text.to_owned(), origin, steps, slot: None }),
        }
    }

    /// Its keys, where it leads from the row through nothing but keys.
    pub fn keys(&self) -> Option<Vec<String>> {
        let key = |step: &Step| match step {
            Step::Key(key) => Some(key.clone()),
            Step::Index(_) | Step::Each => None,
        };
        self.steps.iter().map(key).collect::<Option<_>>().filter(|_| self.origin == Origin::Row)
    }

    /// Whether a step stands for several values.
    pub fn is_list(&self) -> bool {
        self.steps.contains(&Step::Each)
    }
}

fn origin(text: &str) -> Result<(Origin, &str), String> {
    for (word, origin) in [("$file", Origin::File), ("$line", Origin::Line)] {
        if let Some(rest) = text.strip_prefix(word) {
            return Ok((origin, rest));
        }
    }
    if text.starts_with('$') {
        return Err("is unknown; $file and $line are known".into());
    }
    let rest = text.trim_start_matches('^');
    Ok(match text.len() - rest.len() {
        0 => (Origin::Row, rest),
        up => (Origin::Parent(up), rest),
    })
}

fn key(rest: &str, bare: bool) -> Result<(Step, &str), String> {
    let rest = match rest.strip_prefix('.') {
        Some(after) if !bare => after,
        _ if bare => rest,
        _ => return Err(format!("has no dot before {rest:?}")),
    };
    let end = rest.find(['.', '[', ']']).unwrap_or(rest.len());
    match rest[..end].trim() {
        "" => Err("has an empty step".into()),
        name => Ok((Step::Key(name.to_owned()), &rest[end..])),
    }
}

fn bracket(inside: &str) -> Result<(Step, &str), String> {
    if let Some(rest) = inside.strip_prefix(']') {
        return Ok((Step::Each, rest));
    }
    if let Some(quote) = inside.chars().next().filter(|first| matches!(first, '"' | '\'')) {
        let end = inside[1..].find(quote).ok_or("has a quote that is not closed")?;
        let rest = inside[end + 2..].strip_prefix(']').ok_or("has a [ that is not closed")?;
        return Ok((Step::Key(inside[1..=end].to_owned()), rest));
    }
    let end = inside.find(']').ok_or("has a [ that is not closed")?;
    match inside[..end].trim().parse() {
        Ok(index) => Ok((Step::Index(index), &inside[end + 1..])),
        Err(_) => Err(format!("has [{}]: write a number, or [\"a key\"] in quotes", &inside[..end])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(text: &str) -> (Origin, Vec<Step>) {
        let path = Path::parse(text).unwrap();
        (path.origin, path.steps)
    }

    fn key(name: &str) -> Step {
        Step::Key(name.into())
    }

    #[test]
    fn paths_of_every_form() {
        assert_eq!(steps("status"), (Origin::Row, vec![key("status")]));
        assert_eq!(steps("data.tags.scenario"), (Origin::Row, vec![key("data"), key("tags"), key("scenario")]));
        assert_eq!(steps("status-code"), (Origin::Row, vec![key("status-code")]));
        assert_eq!(
            steps("attributes[\"http.route\"].x"),
            (Origin::Row, vec![key("attributes"), key("http.route"), key("x")])
        );
        assert_eq!(steps("[1]"), (Origin::Row, vec![Step::Index(1)]));
        assert_eq!(steps("a[].b[]"), (Origin::Row, vec![key("a"), Step::Each, key("b"), Step::Each]));
        assert_eq!(steps("^^.resource['k']"), (Origin::Parent(2), vec![key("resource"), key("k")]));
        assert_eq!(steps("^"), (Origin::Parent(1), vec![]));
        assert_eq!(steps("$file"), (Origin::File, vec![]));
    }

    #[test]
    fn what_is_no_path_says_why() {
        for (text, why) in [
            ("", "is empty"),
            ("a..b", "has an empty step"),
            ("a[b]", "has [b]: write a number, or [\"a key\"] in quotes"),
            ("a[\"b]", "has a quote that is not closed"),
            ("a[0", "has a [ that is not closed"),
            ("a[0]b", "has no dot before \"b\""),
            ("$flie", "is unknown; $file and $line are known"),
            ("$file.x", "goes into a text: nothing can stand behind it"),
        ] {
            assert_eq!(Path::parse(text).unwrap_err(), why, "{text}");
        }
    }

    #[test]
    fn no_text_makes_it_panic() {
        bolero::check!().with_type::<String>().with_iterations(2000).for_each(|text| {
            let _ = Path::parse(text);
        });
    }
}
