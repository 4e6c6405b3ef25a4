//! Formats that people have: each a file with the mapping, what it is known by, and what to mind.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::source::SourceSection;
use crate::error::did_you_mean;

/// The preset of stagegate's own format.
pub const OWN: &str = "upload";

/// A format.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// What writes it.
    pub title: String,
    /// Paths of which a row has all; of a `regex` source that the pattern matches is enough.
    #[serde(default)]
    pub signs: Vec<String>,
    /// Where the arm may stand.
    #[serde(default)]
    pub arms: Vec<String>,
    /// What a reader must mind.
    #[serde(default)]
    pub notes: Vec<String>,
    pub source: SourceSection,
    /// How a simulated rollout is written in it; `None` where its files hold no arm.
    pub write: Option<WriteSection>,
}

/// How a record is written. `<name>` stands for a value, `<name!>` for one as JSON, `<name|yes|no>` for a choice.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteSection {
    /// Where the arm stands.
    pub arm: String,
    /// The first lines.
    #[serde(default)]
    pub header: Option<String>,
    pub line: String,
}

macro_rules! presets {
    ($($name:literal),* $(,)?) => {
        /// Name and text of each.
        const TEXTS: &[(&str, &str)] = &[$(($name, include_str!(concat!("presets/", $name, ".toml")))),*];
    };
}

presets!(
    "upload",
    "request",
    "tool-calls",
    "k6-json",
    "k6-csv",
    "vegeta-json",
    "vegeta-csv",
    "jtl-csv",
    "gatling-text",
    "hey-csv",
    "oha-csv",
    "otlp-traces",
    "envoy",
    "nginx",
    "caddy",
    "traefik",
    "alb",
    "cloudfront",
    "pino-http",
    "ecs",
    "prometheus-samples",
);

static PRESETS: LazyLock<BTreeMap<&str, Preset>> = LazyLock::new(|| {
    // A preset that cannot be read is a bug, which a test finds.
    let read = |text: &str| toml::from_str(text).unwrap_or_else(|error| panic!("a preset: {error}"));
    TEXTS.iter().map(|(name, text)| (*name, read(text))).collect()
});

/// All presets with their names, in the order in which they are listed.
pub fn all() -> impl Iterator<Item = (&'static str, &'static Preset)> {
    TEXTS.iter().map(|(name, _)| (*name, &PRESETS[name]))
}

/// The preset with this name.
///
/// # Errors
/// There is none, as a sentence.
pub fn find(name: &str) -> Result<&'static Preset, String> {
    PRESETS.get(name).ok_or_else(|| {
        format!("no preset is called {name:?}{}", did_you_mean(name, TEXTS.iter().map(|(name, _)| *name)))
    })
}

/// The text of a preset as it stands in the program.
pub fn text(name: &str) -> Option<&'static str> {
    TEXTS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
