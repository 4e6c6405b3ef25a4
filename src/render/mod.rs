//! The report -> the files that people and machines read. Everything here comes from the report
//! model and from nothing else.

mod anchors;
pub mod announce;
pub mod charts;
pub mod check;
pub mod dashboard;
pub mod diff;
pub mod escape;
pub mod explain;
mod markdown;
mod marks;
mod page;
pub mod request;
mod sections;
mod templates;
pub mod terminal;

use crate::files::OutputFile;
use crate::report::model::Report;

/// Whether the page loads itself again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    Never,
    /// It is written anew as its log grows.
    Often,
}

/// All files of a report, relative to the output folder.
///
/// # Panics
/// When a template does not fit the view: a bug, caught by the tests.
pub fn all(report: &Report, reload: Reload) -> Vec<OutputFile> {
    let charts = charts::all(report);
    let page = page::Page::new(report, &charts, reload == Reload::Often);
    let mut files = vec![
        OutputFile::new("report.html", page.html()),
        OutputFile::new("report.md", page.markdown()),
        OutputFile::new("report.json", json(report)),
    ];
    files.extend(
        charts.into_iter().map(|chart| OutputFile::new(format!("charts/{}.svg", chart.id), chart.standalone())),
    );
    files
}

/// report.json, indented, with a final newline.
pub fn json(report: &Report) -> String {
    let mut text = serde_json::to_string_pretty(report).expect("the model has only string keys and finite numbers");
    text.push('\n');
    text
}
