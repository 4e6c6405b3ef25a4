//! The charts, as the page places them.

use serde::Serialize;

use super::super::charts::{Chart, Readout};

#[derive(Serialize)]
pub(crate) struct ChartView<'a> {
    id: &'a str,
    section: &'a str,
    title: &'a str,
    description: &'a str,
    wide: String,
    narrow: String,
    columns: &'a [String],
    rows: &'a [Vec<String>],
    readout: Option<&'a Readout>,
}

pub(crate) fn chart(chart: &Chart) -> ChartView<'_> {
    let [wide, narrow] = chart.inline();
    ChartView {
        id: &chart.id,
        section: chart.section,
        title: &chart.title,
        description: &chart.description,
        wide,
        narrow,
        columns: &chart.columns,
        rows: &chart.rows,
        readout: chart.readout.as_ref(),
    }
}
