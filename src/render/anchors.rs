//! Ids of the page that links lead to.

use serde::Serialize;

/// An id for a link: what is not a letter, digit, dot, dash or underscore becomes its code point.
pub(super) fn anchor(claim: &str) -> String {
    let mut id = String::from("claims.");
    for character in claim.chars() {
        match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' | '_' => id.push(character),
            other => id.push_str(&format!("~{:x}", other as u32)),
        }
    }
    id
}

/// A sentence that leads to its finding.
#[derive(Serialize)]
pub(super) struct Link {
    anchor: String,
    text: String,
}

impl Link {
    /// `finding` is the id of what the text speaks of.
    pub(super) fn new(finding: &str, text: impl Into<String>) -> Self {
        Self { anchor: anchor(finding), text: text.into() }
    }
}
