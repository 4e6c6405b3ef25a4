//! One chart: its picture in two widths, what it says in words, and the data behind it.

use serde::Serialize;

use super::canvas::THEME;
use crate::format;
use crate::render::escape::plain;

/// Width of a chart on a desk and on a phone, in pixels.
const WIDE: u32 = 860;

const NARROW: u32 = 358;

/// One chart.
#[derive(Debug, Clone)]
pub struct Chart {
    /// File name without ending, and anchor.
    pub id: String,
    /// The part of the page that shows it.
    pub section: &'static str,
    pub title: String,
    /// What the picture says, for those who cannot see it.
    pub description: String,
    /// The data behind it as a table.
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
    pub readout: Option<Readout>,
    wide: String,
    narrow: String,
}

/// What the cursor of a time chart reads: edges of its plot in pixels, its span, and a text per bucket.
#[derive(Debug, Clone, Serialize)]
pub struct Readout {
    pub left: f64,
    pub right: f64,
    pub from: f64,
    pub to: f64,
    /// `[[seconds, text], …]` as JSON.
    pub points: String,
}

impl Chart {
    pub fn new(
        (id, section): (&str, &'static str),
        title: &str,
        description: String,
        draw: impl Fn(u32) -> String,
    ) -> Self {
        let (wide, narrow) = (draw(WIDE), draw(NARROW));
        let (id, title) = (id.to_owned(), title.to_owned());
        Self { id, section, title, description, columns: Vec::new(), rows: Vec::new(), readout: None, wide, narrow }
    }

    pub fn with_table(self, columns: &[&str], rows: Vec<Vec<String>>) -> Self {
        Self { columns: columns.iter().map(|column| (*column).to_owned()).collect(), rows, ..self }
    }

    /// The chart as a file of its own: fixed colours on white.
    pub fn standalone(&self) -> String {
        let svg = THEME.iter().fold(self.wide.clone(), |svg, role| svg.replace(role.sentinel, role.light));
        let backdrop = "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n";
        self.finish(&svg, "file", backdrop)
    }

    /// The chart for the page at both widths, coloured by CSS variables.
    pub fn inline(&self) -> [String; 2] {
        [("wide", &self.wide), ("narrow", &self.narrow)].map(|(suffix, svg)| self.finish(&themed(svg), suffix, ""))
    }

    /// Gives the picture a role, a title and a description.
    fn finish(&self, svg: &str, suffix: &str, backdrop: &str) -> String {
        let Some((head, body)) = svg.split_once("<svg ").and_then(|(_, rest)| rest.split_once('>')) else {
            return String::new();
        };
        let (title, description) = (format!("{}-{suffix}-title", self.id), format!("{}-{suffix}-desc", self.id));
        format!(
            "<svg role=\"img\" aria-labelledby=\"{title} {description}\" {head}>\n<title id=\"{title}\">{}</title><desc id=\"{description}\">{}</desc>\n{backdrop}{}",
            escape(&self.title),
            escape(&self.description),
            body.trim_start()
        )
    }
}

/// Colours as CSS variables; what the page's style says already is left out.
pub(super) fn themed(svg: &str) -> String {
    let short = svg.replace(" opacity=\"1\"", "").replace(" font-family=\"sans-serif\"", "");
    THEME.iter().fold(short, |svg, role| svg.replace(role.sentinel, &format!("var(--{})", role.name)))
}

/// Text as it may stand in SVG.
fn escape(text: &str) -> String {
    plain(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A duration on an axis: `300 ms`, `2 s`.
pub(super) fn duration(ms: f64) -> String {
    if ms >= 1000.0 { format!("{} s", format::plain(ms / 1000.0)) } else { format!("{} ms", format::plain(ms)) }
}

/// A name that fits its place in a chart, cut by characters.
pub(super) fn short(name: &str, characters: usize) -> String {
    let clean: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if clean.chars().count() <= characters {
        return clean;
    }
    let head: String = clean.chars().take(characters.saturating_sub(1)).collect();
    format!("{head}…")
}
