//! Charts of the report as SVG. One visual language: marks in the data's colours, intervals as
//! lines, targets and thresholds as shapes, labels at the marks. Each chart comes in two widths,
//! so that a phone reads the same text sizes as a desk.

mod canvas;
mod improvements;
mod latency;
mod scale;
mod success_rate;
mod timeline;

use crate::format;
use crate::report::model::Report;
use canvas::THEME;

/// Width of a chart on a desk and on a phone, in pixels.
const WIDE: u32 = 860;
const NARROW: u32 = 358;

/// One chart.
#[derive(Debug, Clone)]
pub struct Chart {
    /// File name without ending, and anchor.
    pub id: &'static str,
    pub title: &'static str,
    /// What the picture says, for those who cannot see it.
    pub description: String,
    wide: String,
    narrow: String,
}

impl Chart {
    fn new(id: &'static str, title: &'static str, description: String, draw: impl Fn(u32) -> String) -> Self {
        Self { id, title, description, wide: draw(WIDE), narrow: draw(NARROW) }
    }

    /// The chart as a file of its own: fixed colours on white.
    pub fn standalone(&self) -> String {
        let svg = THEME.iter().fold(self.wide.clone(), |svg, role| svg.replace(role.sentinel, role.light));
        let backdrop = "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n";
        self.finish(&svg, "file", backdrop)
    }

    /// The chart for the page at both widths, coloured by CSS variables.
    pub fn inline(&self) -> [String; 2] {
        [("wide", &self.wide), ("narrow", &self.narrow)].map(|(suffix, svg)| {
            let themed = THEME.iter().fold(svg.clone(), |svg, role| {
                svg.replace(role.sentinel, &format!("var(--{},{})", role.name, role.light))
            });
            self.finish(&themed, suffix, "")
        })
    }

    /// Gives the picture a role, a title and a description.
    fn finish(&self, svg: &str, suffix: &str, backdrop: &str) -> String {
        let Some((head, body)) = svg.split_once("<svg ").and_then(|(_, rest)| rest.split_once('>')) else {
            return String::new();
        };
        let (title, description) = (format!("{}-{suffix}-title", self.id), format!("{}-{suffix}-desc", self.id));
        format!(
            "<svg role=\"img\" aria-labelledby=\"{title} {description}\" {head}>\n<title id=\"{title}\">{}</title><desc id=\"{description}\">{}</desc>\n{backdrop}{}",
            escape(self.title),
            escape(&self.description),
            body.trim_start()
        )
    }
}

pub(super) use improvements::target_text as improvement_target;

/// Text as it may stand in SVG.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The charts that the report has data for.
pub fn all(report: &Report) -> Vec<Chart> {
    [improvements::chart(report), success_rate::chart(report), latency::chart(report), timeline::chart(report)]
        .into_iter()
        .flatten()
        .collect()
}

/// A duration on an axis: `300 ms`, `2 s`.
fn duration(ms: f64) -> String {
    if ms >= 1000.0 { format!("{} s", format::plain(ms / 1000.0)) } else { format!("{} ms", format::plain(ms)) }
}

/// A name that fits its place in a chart, cut by characters.
fn short(name: &str, characters: usize) -> String {
    let clean: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if clean.chars().count() <= characters {
        return clean;
    }
    let head: String = clean.chars().take(characters.saturating_sub(1)).collect();
    format!("{head}…")
}
