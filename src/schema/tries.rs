//! `[record] tries`: which rows count of a request that was tried several times.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which rows of a request count that stands in several, under one id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tries {
    /// Each: a retry is a record of its own.
    #[default]
    All,
    /// The one that started first: what the service did by itself.
    First,
    /// The one that started last: what became of the request in the end.
    Last,
}

impl Tries {
    /// As the config spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::First => "first",
            Self::Last => "last",
        }
    }

    pub fn is_all(&self) -> bool {
        *self == Self::All
    }
}
