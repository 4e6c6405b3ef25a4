//! `stagegate explain`: how a figure or finding of a report came about.

use crate::cli::ExplainArguments;
use crate::error::{Error, Position, Result};
use crate::render::escape::plain;
use crate::render::explain;
use crate::{console, reports};

/// Ids that a refusal names.
const MOST_NAMED: usize = 5;
/// How alike an id must be to be meant.
const ALIKE: f64 = 0.6;

pub(super) fn run(arguments: &ExplainArguments) -> Result<u8> {
    let path = arguments.out.join("report.json");
    let report = reports::read(&path)
        .map_err(|error| error.help("write it first with `stagegate report`, or name its folder with --out"))?;
    let Some(id) = &arguments.id else {
        console::print(&explain::ids(&report).iter().map(|id| plain(id) + "\n").collect::<String>())?;
        return Ok(0);
    };
    if let Some(text) = explain::explain(&report, id) {
        console::print(&text)?;
        return Ok(0);
    }
    let mut alike: Vec<(f64, String)> =
        explain::ids(&report).into_iter().map(|known| (strsim::jaro_winkler(&known, id), known)).collect();
    alike.retain(|(likeness, _)| *likeness >= ALIKE);
    alike.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let meant: Vec<String> = alike.into_iter().take(MOST_NAMED).map(|(_, known)| known).collect();
    let error =
        Error::new(format!("nothing in the report has the id {id:?}")).at(Position::file(path.display().to_string()));
    Err(match meant.as_slice() {
        [] => error.help("`stagegate explain` alone lists every id"),
        _ => error.help(format!("did you mean {}? `stagegate explain` alone lists every id", meant.join(", "))),
    })
}
