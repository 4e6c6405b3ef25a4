//! What the treated path carried, by file type, size and provider.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::format;
use crate::metric::Unit;
use crate::report::model::Variant;

/// File type by size; each cell lists the providers.
#[derive(Serialize)]
pub(crate) struct MatrixView {
    sizes: Vec<String>,
    rows: Vec<MatrixRow>,
    touched: String,
    all: String,
}

#[derive(Serialize)]
struct MatrixRow {
    file_type: String,
    cells: Vec<Vec<MatrixCell>>,
}

#[derive(Serialize)]
struct MatrixCell {
    provider: String,
    n: String,
    rate: Option<String>,
    about: String,
}

/// File types that the matrix shows: those with most records first would hide what was never touched.
const MATRIX_ROWS: usize = 60;

pub(crate) fn matrix(variants: &[Variant]) -> MatrixView {
    let mut sizes: Vec<String> = variants.iter().map(|variant| variant.size.clone()).collect();
    // Buckets rise as their names do not: by their first number, `<=` first, `>` and `unknown` last.
    let order = |name: &str| {
        let digits: String =
            name.chars().skip_while(|c| !c.is_ascii_digit()).take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        let number: f64 = digits.parse().unwrap_or(f64::MAX);
        (!name.starts_with("<="), name == "unknown", name.starts_with('>'), number)
    };
    sizes.sort_by(|a, b| order(a).partial_cmp(&order(b)).unwrap_or(std::cmp::Ordering::Equal));
    sizes.dedup();
    let mut rows: BTreeMap<&str, Vec<Vec<MatrixCell>>> = BTreeMap::new();
    for variant in variants {
        let Some(column) = sizes.iter().position(|size| *size == variant.size) else { continue };
        let cells = rows.entry(&variant.file_type).or_insert_with(|| sizes.iter().map(|_| Vec::new()).collect());
        let rate =
            variant.success_rate.as_ref().map(|figure| format::estimate(figure.value, figure.ci, &Unit::Fraction));
        cells[column].push(MatrixCell {
            provider: variant.provider.clone(),
            n: format::count(variant.n),
            about: rate.clone().map_or_else(|| "never carried".into(), |rate| format!("success rate {rate}")),
            rate: variant.success_rate.as_ref().map(|figure| format::rounded_share(figure.value)),
        });
    }
    let touched = variants.iter().filter(|variant| variant.n > 0).count() as u64;
    MatrixView {
        sizes,
        rows: rows
            .into_iter()
            .take(MATRIX_ROWS)
            .map(|(file_type, cells)| MatrixRow { file_type: file_type.into(), cells })
            .collect(),
        touched: format::count(touched),
        all: format::counted(variants.len() as u64, "combination"),
    }
}
