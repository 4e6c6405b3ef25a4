//! Why a line of the log cannot be used. A reject is data: counted, kept, shown.

use serde::{Deserialize, Serialize};

/// The reasons of the report contract, in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectReason {
    NotJson,
    NotAnObject,
    Malformed,
    MissingField,
    BadValue,
    UnknownExecutionType,
    NoStage,
    InvalidUtf8,
    LineTooLong,
}

impl RejectReason {
    /// The word of the report contract.
    pub fn word(self) -> &'static str {
        match self {
            Self::NotJson => "not_json",
            Self::NotAnObject => "not_an_object",
            Self::Malformed => "malformed",
            Self::MissingField => "missing_field",
            Self::BadValue => "bad_value",
            Self::UnknownExecutionType => "unknown_execution_type",
            Self::NoStage => "no_stage",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::LineTooLong => "line_too_long",
        }
    }
}

/// One unusable line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    pub reason: RejectReason,
    /// Column of the fault, in characters from 1, where there is one.
    pub column: Option<u64>,
    /// What is wrong and what was expected.
    pub message: String,
}

impl Reject {
    /// A fault of the line as a whole.
    pub fn whole_line(reason: RejectReason, message: impl Into<String>) -> Self {
        Self { reason, column: None, message: message.into() }
    }

    /// A line that is longer than any that is read.
    pub fn too_long() -> Self {
        Self::whole_line(RejectReason::LineTooLong, "the line is longer than 16 MiB")
    }

    /// A line that is no text.
    pub fn not_utf8(line: &[u8], error: std::str::Utf8Error) -> Self {
        let offset = error.valid_up_to();
        Self::at(RejectReason::InvalidUtf8, line, offset, format!("byte {:#04x} is not UTF-8", line[offset]))
    }

    /// A fault at byte `offset` of `line`.
    pub fn at(reason: RejectReason, line: &[u8], offset: usize, message: impl Into<String>) -> Self {
        let before = String::from_utf8_lossy(&line[..offset.min(line.len())]);
        Self { reason, column: Some(before.chars().count() as u64 + 1), message: message.into() }
    }
}

/// Characters of a line, a name or a note that are kept.
pub const MAX_TEXT_CHARACTERS: usize = 200;

/// The first 200 characters of `text`, with `…` where something was cut.
pub fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// [`cut`] for bytes that may not be UTF-8.
pub fn cut_bytes(bytes: &[u8]) -> String {
    cut(&String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_TEXT_CHARACTERS * 4 + 4)]))
}
