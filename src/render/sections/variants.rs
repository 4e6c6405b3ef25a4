//! What the treated path carried, by the dimensions that the log tells apart.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::format;
use crate::metric::Unit;
use crate::report::model::{Report, Variant, VariantDimension};
use crate::report::words::join;
use crate::schema::record::UNKNOWN;

/// The first dimension by that of numbers, where there is one; each cell lists the values of the other.
#[derive(Serialize)]
pub(crate) struct MatrixView {
    heading: String,
    columns: Vec<String>,
    rows: Vec<MatrixRow>,
    /// `file type, size and provider`.
    by: String,
    touched: String,
    all: String,
}

#[derive(Serialize)]
struct MatrixRow {
    name: String,
    cells: Vec<Vec<MatrixCell>>,
}

#[derive(Serialize)]
struct MatrixCell {
    name: String,
    n: String,
    rate: Option<String>,
    about: String,
}

/// Rows of the matrix: those with most records first would hide what was never touched.
const MATRIX_ROWS: usize = 60;

pub(crate) fn matrix(report: &Report) -> MatrixView {
    let (variants, dimensions) = (&report.variants, &report.variant_dimensions);
    let (first, rest) = match dimensions.split_first() {
        Some((first, rest)) => (Some(first), rest),
        None => (None, &[][..]),
    };
    let across = rest.iter().find(|dimension| dimension.is_number);
    let inside = rest.iter().find(|dimension| !dimension.is_number);
    let value = |variant: &Variant, dimension: Option<&VariantDimension>| {
        dimension.and_then(|dimension| variant.values.get(&dimension.name)).cloned().unwrap_or_default()
    };
    let mut columns: Vec<String> = variants.iter().map(|variant| value(variant, across)).collect();
    columns.sort_by(|a, b| by_bucket(a, b));
    columns.dedup();
    let mut rows: BTreeMap<String, Vec<Vec<MatrixCell>>> = BTreeMap::new();
    for variant in variants {
        let across = value(variant, across);
        let Some(column) = columns.iter().position(|column| *column == across) else { continue };
        let cells = rows.entry(value(variant, first)).or_insert_with(|| columns.iter().map(|_| Vec::new()).collect());
        let rate =
            variant.success_rate.as_ref().map(|figure| format::estimate(figure.value, figure.ci, &Unit::Fraction));
        cells[column].push(MatrixCell {
            name: value(variant, inside),
            n: format::count(variant.n),
            about: rate.clone().map_or_else(|| "never carried".into(), |rate| format!("success rate {rate}")),
            rate: variant.success_rate.as_ref().map(|figure| format::rounded_share(figure.value)),
        });
    }
    let mut rows: Vec<(String, Vec<Vec<MatrixCell>>)> = rows.into_iter().collect();
    if first.is_some_and(|first| first.is_number) {
        rows.sort_by(|a, b| by_bucket(&a.0, &b.0));
    }
    let touched = variants.iter().filter(|variant| variant.n > 0).count() as u64;
    let names: Vec<String> = dimensions.iter().map(|dimension| dimension.name.replace('_', " ")).collect();
    MatrixView {
        heading: names.first().map(|name| format::capitalised(name)).unwrap_or_default(),
        columns: columns.iter().map(|column| with_unit(column, across)).collect(),
        rows: rows
            .into_iter()
            .take(MATRIX_ROWS)
            .map(|(name, cells)| MatrixRow { name: with_unit(&name, first), cells })
            .collect(),
        by: join(&names, "and"),
        touched: format::count(touched),
        all: format::counted(variants.len() as u64, "combination"),
    }
}

/// Buckets rise as their names do not: by their first number, `<=` first, `>` and `unknown` last.
fn by_bucket(a: &str, b: &str) -> Ordering {
    let place = |name: &str| {
        let digits: String =
            name.chars().skip_while(|c| !c.is_ascii_digit()).take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        let number: f64 = digits.parse().unwrap_or(f64::MAX);
        ((!name.starts_with("<="), name == UNKNOWN, name.starts_with('>')), number)
    };
    let (a, b) = (place(a), place(b));
    a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
}

fn with_unit(value: &str, dimension: Option<&VariantDimension>) -> String {
    match dimension {
        Some(VariantDimension { unit, is_number: true, .. }) if !unit.is_empty() && value != UNKNOWN => {
            format!("{value} {unit}")
        }
        Some(_) => value.to_owned(),
        // One column of all.
        None => "n".to_owned(),
    }
}
