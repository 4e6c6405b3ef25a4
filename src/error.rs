//! The errors that stop a run: what, where, why and what to do. A bad line of
//! the log is not one of them (see `ingest::reject`), a bug is a panic.

use std::fmt;

/// A place in a file: `file`, `file:line` or `file:line:column`, both counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    pub file: String,
    pub line: Option<u64>,
    pub column: Option<u64>,
}

impl Position {
    /// The file as a whole.
    pub fn file(file: impl Into<String>) -> Self {
        Self { file: file.into(), line: None, column: None }
    }

    /// A line and column of the file, both from 1.
    pub fn at(file: impl Into<String>, line: u64, column: u64) -> Self {
        Self { file: file.into(), line: Some(line), column: Some(column) }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(out, ":{line}")?;
        }
        if let Some(column) = self.column {
            write!(out, ":{column}")?;
        }
        Ok(())
    }
}

/// An error that a user can mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    pub position: Option<Position>,
    pub message: String,
    /// What to do about it, where that is not plain from the message.
    pub help: Option<String>,
}

impl Error {
    pub fn new(message: impl Into<String>) -> Self {
        Self { position: None, message: message.into(), help: None }
    }

    #[must_use]
    pub fn at(mut self, position: Position) -> Self {
        self.position = Some(position);
        self
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(position) = &self.position {
            write!(out, "{position}: ")?;
        }
        out.write_str(&self.message)?;
        if let Some(help) = &self.help {
            write!(out, "\n  help: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Bytes of a word that is compared with others.
const LONGEST_WORD: usize = 100;

/// The known word nearest to `word`, if one is near enough to be a slip of the pen.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Nobody slips so far, and to compare takes the product of the lengths.
    if word.len() > LONGEST_WORD {
        return None;
    }
    known
        .into_iter()
        .map(|candidate| (strsim::normalized_damerau_levenshtein(word, candidate), candidate))
        .filter(|(similarity, _)| *similarity >= 0.5)
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, candidate)| candidate)
}

/// `; did you mean "…"?`, or nothing.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known).map(|near| format!("; did you mean {near:?}?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_read_like_compiler_messages() {
        let error = Error::new("unknown key \"x\"").at(Position::at("a.toml", 3, 1)).help("remove it");
        assert_eq!(error.to_string(), "a.toml:3:1: unknown key \"x\"\n  help: remove it");
    }

    #[test]
    fn nearest_word_is_found_and_far_ones_are_not() {
        assert_eq!(nearest("sucess_rate", ["success_rate", "error_rate"]), Some("success_rate"));
        assert_eq!(nearest("zzz", ["success_rate", "error_rate"]), None);
    }
}
