//! Which combinations of the dimensions did the treated path really carry?

use std::collections::{BTreeMap, BTreeSet};

use super::comparisons::Segmented;
use super::dimensions::Names;
use super::figure::Rate;
use crate::config::Plan;
use crate::cube::slice::Arm;
use crate::report::model::{Variant, VariantDimension};
use crate::schema::record::{Dimension, FILE_TYPE, PROVIDER, SIZE, Values};

/// Successes and uploads by hour.
type Hours = BTreeMap<i64, (u64, u64)>;

/// A value by its order among buckets, and its name.
type Value = (u16, String);

/// Combinations in which a value that was never carried is shown, at most; else it is shown in one of them.
const SHOWN_NEVER: usize = 100;
/// Dimensions of names that are crossed; one of numbers stands beside them.
const NAMES_CROSSED: usize = 2;

/// What the treated path carried over all stages.
pub(super) struct Carried {
    /// The dimensions that are crossed, in the order in which they are told.
    pub dimensions: Vec<VariantDimension>,
    /// Every combination that the config asks for or the log holds.
    pub variants: Vec<Variant>,
    /// By dimension of the schema: uploads by value.
    pub by_value: Vec<BTreeMap<String, u64>>,
}

pub(super) fn carried(plan: &Plan, names: &Names<'_>, segmented: &Segmented) -> Carried {
    let crossed = crossed(plan, names);
    let mut by_value = vec![BTreeMap::new(); plan.schema.dimensions.len()];
    let mut seen: BTreeMap<Vec<u16>, Hours> = BTreeMap::new();
    for stage in 0..plan.stages.len() {
        for (segment, hours) in segmented.group(stage, Arm::Treated).successes_by_segment() {
            let values: Vec<u16> = crossed.iter().map(|dimension| names.value(*dimension, segment)).collect();
            let known = seen.entry(values).or_default();
            let mut all = 0;
            for (hour, successes, uploads) in hours {
                let sums = known.entry(hour).or_default();
                *sums = (sums.0 + successes, sums.1 + uploads);
                all += uploads;
            }
            for (dimension, uploads) in by_value.iter_mut().enumerate() {
                *uploads.entry(names.name(dimension, names.value(dimension, segment))).or_default() += all;
            }
        }
    }
    // By name, as a config may ask for what the log never held; buckets in their order.
    let mut variants: BTreeMap<Vec<Value>, Hours> = BTreeMap::new();
    let keyed = |dimension: usize, value: u16| match &plan.schema.dimensions[dimension].values {
        Values::Bounds(_) => (value, names.name(dimension, value)),
        Values::Names => (0, names.name(dimension, value)),
    };
    for (values, hours) in seen {
        let key = crossed.iter().zip(values).map(|(dimension, value)| keyed(*dimension, value)).collect();
        variants.insert(key, hours);
    }
    let known: Vec<BTreeSet<Value>> =
        (0..crossed.len()).map(|place| variants.keys().map(|key| key[place].clone()).collect()).collect();
    let wanted: Vec<BTreeSet<Value>> = crossed.iter().map(|dimension| wanted(plan, *dimension)).collect();
    for key in combinations(&wanted).into_iter().chain(never_carried(&wanted, &known)) {
        variants.entry(key).or_default();
    }
    let variant = |(key, hours): (Vec<Value>, Hours)| {
        let uploads = hours.values().map(|(_, uploads)| uploads).sum();
        let rate = || Rate::new(hours.iter().map(|(hour, (y, n))| (*hour, *y, *n)), plan.analysis.level());
        let word = |dimension: &usize| names.word(*dimension).to_owned();
        Variant {
            values: crossed.iter().map(word).zip(key.into_iter().map(|(_, name)| name)).collect(),
            n: uploads,
            success_rate: (uploads > 0).then(|| rate().figure()),
        }
    };
    let told = |dimension: &usize| {
        let Dimension { name, unit, values, .. } = &plan.schema.dimensions[*dimension];
        VariantDimension { name: name.clone(), unit: unit.clone(), is_number: matches!(values, Values::Bounds(_)) }
    };
    Carried {
        dimensions: crossed.iter().map(told).collect(),
        variants: if crossed.is_empty() { Vec::new() } else { variants.into_iter().map(variant).collect() },
        by_value,
    }
}

/// The dimensions that are crossed: of what the log tells apart, or the plan asks for, two of names, and one of numbers
/// between them.
fn crossed(plan: &Plan, names: &Names<'_>) -> Vec<usize> {
    let told: BTreeSet<usize> = names.told().collect();
    let is_number = |dimension: &usize| matches!(plan.schema.dimensions[*dimension].values, Values::Bounds(_));
    let order = [FILE_TYPE, SIZE, PROVIDER].into_iter().chain(SIZE + 1..plan.schema.dimensions.len());
    let there = order.filter(|dimension| told.contains(dimension) || !wanted(plan, *dimension).is_empty());
    let (numbers, mut crossed): (Vec<usize>, Vec<usize>) = there.partition(is_number);
    crossed.truncate(NAMES_CROSSED);
    if let Some(number) = numbers.first() {
        crossed.insert(crossed.len().min(1), *number);
    }
    crossed
}

/// Values of a dimension that the plan expects to be carried, by their order and their name.
pub(super) fn wanted(plan: &Plan, dimension: usize) -> BTreeSet<Value> {
    let section = &plan.schema.dimensions[dimension];
    let sizes = if dimension == SIZE { plan.variants.sizes_mb.as_slice() } else { &[] };
    let bucket = |size: &f64| {
        let bucket = Dimension::bucket(plan.schema.size_bounds(), Some(*size));
        (bucket as u16, Dimension::bucket_name(plan.schema.size_bounds(), bucket))
    };
    match section.values {
        Values::Bounds(_) => sizes.iter().map(bucket).collect(),
        Values::Names => section.expected.iter().map(|name| (0, name.clone())).collect(),
    }
}

/// Every combination of the values of the dimensions.
fn combinations(values: &[BTreeSet<Value>]) -> Vec<Vec<Value>> {
    values.iter().fold(vec![Vec::new()], |combinations, values| {
        let with = |combination: &Vec<Value>| {
            let with = |value: &Value| [combination.as_slice(), std::slice::from_ref(value)].concat();
            values.iter().map(with).collect::<Vec<_>>()
        };
        combinations.iter().flat_map(with).collect()
    })
}

/// Values that are expected of one dimension and in no combination yet, with what is known of the others.
fn never_carried(wanted: &[BTreeSet<Value>], known: &[BTreeSet<Value>]) -> Vec<Vec<Value>> {
    let mut found = Vec::new();
    for (place, (wanted, carried)) in wanted.iter().zip(known).enumerate() {
        let missing: BTreeSet<Value> = wanted.difference(carried).cloned().collect();
        let mut values = known.to_vec();
        if values.iter().map(BTreeSet::len).product::<usize>() / carried.len().max(1) > SHOWN_NEVER {
            values.iter_mut().for_each(|values| *values = values.first().cloned().into_iter().collect());
        }
        values[place] = missing;
        found.extend(combinations(&values));
    }
    found
}
