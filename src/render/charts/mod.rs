//! Charts of the report as SVG. One visual language: marks in the data's colours, intervals as
//! lines, targets and thresholds as shapes, labels at the marks. Each chart comes in two widths,
//! so that a phone reads the same text sizes as a desk.

mod by_stage;
mod canvas;
mod change;
mod chart;
mod errors;
mod forest;
mod improvements;
mod latency;
mod scale;
mod spreads;
mod timeline;
mod trend;

use crate::report::model::Report;
pub use change::bar as change_bar;
pub use chart::{Chart, Readout};
pub use improvements::target_text as improvement_target;
pub use trend::{charts as trends, headline};

/// The charts that the report has data for.
pub fn all(report: &Report) -> Vec<Chart> {
    let mut charts: Vec<Chart> = improvements::chart(report).into_iter().collect();
    charts.extend(spreads::chart(report));
    charts.extend(by_stage::charts(report));
    charts.extend(
        [latency::chart(report), timeline::chart(report), errors::chart(report), forest::chart(report)]
            .into_iter()
            .flatten(),
    );
    charts
}
