//! Which combinations of file type, size and provider did the treated path really carry?

use std::collections::{BTreeMap, BTreeSet};

use super::comparisons::Segmented;
use super::dimensions::Names;
use super::figure::Rate;
use crate::config::Plan;
use crate::cube::slice::{Arm, Segment};
use crate::report::model::Variant;
use crate::schema::record::{Dimension, FILE_TYPE, PROVIDER, SIZE};

/// Successes and uploads by hour.
type Hours = BTreeMap<i64, (u64, u64)>;

/// Every combination that the config asks for or the log holds, over the treated uploads of all
/// stages: file type, then size, then provider.
pub(super) fn variants(plan: &Plan, names: &Names<'_>, segmented: &Segmented) -> Vec<Variant> {
    let mut seen: BTreeMap<(String, u16, String), Hours> = BTreeMap::new();
    let named = |segment: Segment| {
        let name = |dimension| names.name(dimension, names.value(dimension, segment));
        (name(FILE_TYPE), names.value(SIZE, segment), name(PROVIDER))
    };
    for stage in 0..plan.stages.len() {
        for (segment, hours) in segmented.group(stage, Arm::Treated).successes_by_segment() {
            let known = seen.entry(named(segment)).or_default();
            for (hour, successes, uploads) in hours {
                let sums = known.entry(hour).or_default();
                *sums = (sums.0 + successes, sums.1 + uploads);
            }
        }
    }
    let asked = &plan.variants;
    let sizes: BTreeSet<u16> = asked.sizes_mb.iter().map(|size| bucket(plan, *size)).collect();
    for file_type in &asked.file_types {
        for size in &sizes {
            for provider in &asked.providers {
                seen.entry((file_type.clone(), *size, provider.clone())).or_default();
            }
        }
    }
    let variant = |((file_type, size, provider), hours): ((String, u16, String), Hours)| {
        let uploads = hours.values().map(|(_, uploads)| uploads).sum();
        let rate = || Rate::new(hours.iter().map(|(hour, (y, n))| (*hour, *y, *n)), plan.analysis.level());
        Variant {
            file_type,
            size: names.name(SIZE, size),
            provider,
            n: uploads,
            success_rate: (uploads > 0).then(|| rate().figure()),
        }
    };
    seen.into_iter().map(variant).collect()
}

/// The bucket that a file of this size falls into.
fn bucket(plan: &Plan, size_mb: f64) -> u16 {
    Dimension::bucket(plan.schema.size_bounds(), Some(size_mb)) as u16
}

/// What that bucket is called.
pub(super) fn size_name(plan: &Plan, size_mb: f64) -> String {
    Dimension::bucket_name(plan.schema.size_bounds(), usize::from(bucket(plan, size_mb)))
}
