//! Every figure of a report as one long table for notebooks: figures.csv and figures.parquet.

use std::fmt::Write;

use crate::cube::columns::{Values, parquet};
use crate::error::Result;
use crate::files::OutputFile;
use crate::report::model::{Figure, Report, VariantDimension};

/// The columns, in their order: `segment` is empty for a whole arm, else its dimensions (`file_type=…, size=…, provider=…`); `value`,
/// `low` and `high` are in `unit` (rates 0 to 1); `low` and `high` are the 95 % interval, null where none is defined
/// or an end is open.
pub const COLUMNS: [&str; 9] = ["stage", "arm", "metric", "segment", "unit", "value", "low", "high", "n"];

struct Row<'a> {
    stage: &'a str,
    arm: &'a str,
    metric: &'a str,
    segment: String,
    unit: &'a str,
    figure: &'a Figure,
}

fn rows(report: &Report) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for stage in &report.stages {
        for (arm, group) in stage.groups.named() {
            rows.extend(report.metrics.iter().filter_map(|metric| {
                let figure = group.figure(&metric.id)?;
                let (stage, metric, unit) = (stage.name.as_str(), metric.id.as_str(), metric.unit.word());
                Some(Row { stage, arm, metric, segment: String::new(), unit, figure })
            }));
        }
    }
    // What the treated carried, over all stages.
    rows.extend(report.variants.iter().filter_map(|variant| {
        let value = |dimension: &VariantDimension| {
            variant.values.get(&dimension.name).map(|value| format!("{}={value}", dimension.name))
        };
        let segment = report.variant_dimensions.iter().filter_map(value).collect::<Vec<_>>().join(", ");
        let figure = variant.success_rate.as_ref()?;
        Some(Row { stage: "", arm: "treated", metric: "success_rate", segment, unit: "fraction", figure })
    }));
    rows
}

/// figures.csv and figures.parquet.
///
/// # Errors
/// The table cannot be made.
pub fn files(report: &Report) -> Result<[OutputFile; 2]> {
    let rows = rows(report);
    let end =
        |row: &Row<'_>, of: fn(stagegate_stats::Interval) -> f64| row.figure.ci.map(of).filter(|end| end.is_finite());
    let mut text = COLUMNS.join(",") + "\n";
    for row in &rows {
        let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
        let names = [row.stage, row.arm, row.metric, &row.segment, row.unit].map(quoted).join(",");
        let [low, high] = [end(row, |ends| ends.low), end(row, |ends| ends.high)].map(number);
        let _ = writeln!(text, "{names},{},{low},{high},{}", row.figure.value, row.figure.n);
    }
    let texts = |of: fn(&Row<'_>) -> String| Values::Text(rows.iter().map(of).collect());
    let numbers = |of: &dyn Fn(&Row<'_>) -> Option<f64>| Values::Number(rows.iter().map(of).collect());
    let values = [
        texts(|row| row.stage.to_owned()),
        texts(|row| row.arm.to_owned()),
        texts(|row| row.metric.to_owned()),
        texts(|row| row.segment.clone()),
        texts(|row| row.unit.to_owned()),
        numbers(&|row| Some(row.figure.value)),
        numbers(&|row| end(row, |ends| ends.low)),
        numbers(&|row| end(row, |ends| ends.high)),
        Values::Count(rows.iter().map(|row| row.figure.n).collect()),
    ];
    let table = parquet(COLUMNS.into_iter().zip(values).collect())?;
    Ok([OutputFile::new("figures.csv", text), OutputFile::new("figures.parquet", table)])
}

/// A text as RFC 4180 writes it.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
