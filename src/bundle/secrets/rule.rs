//! What a rule of the secret scan consists of.

/// How much of the text around a keyword a pattern may need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// The keyword's line.
    Line,
    /// The keyword's line and what follows: keys that fill lines of their own.
    Block,
}

/// Where a rule is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Where {
    /// The form alone is proof: every file, also binary ones.
    Anywhere,
    /// A guess from a name and a value: text that people write, no lock files or generated text.
    WrittenText,
    /// Only where values stand without quotes: settings, environment, shell.
    Settings,
}

/// One kind of secret.
#[derive(Debug)]
pub(super) struct Rule {
    pub id: &'static str,
    /// Lower case; at least one stands in every match, whatever its case.
    pub keywords: &'static [&'static str],
    /// The group `s` is the secret itself; without it the whole match is.
    pub pattern: &'static str,
    /// Least Shannon entropy of the secret, in bits per character.
    pub entropy: f64,
    pub reach: Reach,
    pub place: Where,
    /// Whether a match begins with the keyword, and that with a new word.
    pub begins_with_keyword: bool,
}

/// A token that its own form gives away, from its first characters on.
pub(super) const fn token(id: &'static str, keywords: &'static [&'static str], pattern: &'static str) -> Rule {
    Rule { begins_with_keyword: true, ..form(id, keywords, pattern) }
}

/// A text that its own form gives away, somewhere around the keyword.
pub(super) const fn form(id: &'static str, keywords: &'static [&'static str], pattern: &'static str) -> Rule {
    Rule { place: Where::Anywhere, ..guess(id, keywords, pattern, 3.0) }
}

/// A value whose form says little, next to a name that says what it is.
pub(super) const fn named(id: &'static str, keywords: &'static [&'static str], pattern: &'static str) -> Rule {
    guess(id, keywords, pattern, 3.2)
}

pub(super) const fn guess(
    id: &'static str,
    keywords: &'static [&'static str],
    pattern: &'static str,
    entropy: f64,
) -> Rule {
    Rule { id, keywords, pattern, entropy, reach: Reach::Line, place: Where::WrittenText, begins_with_keyword: false }
}

pub(super) const fn block(
    id: &'static str,
    keywords: &'static [&'static str],
    pattern: &'static str,
    entropy: f64,
) -> Rule {
    Rule { reach: Reach::Block, entropy, ..form(id, keywords, pattern) }
}
