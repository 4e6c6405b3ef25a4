//! Which combinations of file type, size and provider did the treated path really carry?

use std::collections::{BTreeMap, BTreeSet};

use super::comparisons::Segmented;
use super::dimensions::{Dimension, Names};
use super::figure::Rate;
use crate::config::Plan;
use crate::cube::slice::{Arm, Segment};
use crate::report::model::Variant;

/// Successes and uploads by hour.
type Hours = BTreeMap<i64, (u64, u64)>;

/// Every combination that the config asks for or the log holds, over the treated uploads of all
/// stages: file type, then size, then provider.
pub(super) fn variants(plan: &Plan, names: &Names<'_>, segmented: &Segmented) -> Vec<Variant> {
    let mut seen: BTreeMap<(String, u16, String), Hours> = BTreeMap::new();
    let named = |segment: Segment| {
        let name = |dimension: Dimension| names.name(dimension, dimension.value(segment));
        (name(Dimension::FileType), u16::from(segment.size_bucket), name(Dimension::Provider))
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
    let sizes: BTreeSet<u16> = asked.sizes_mb.iter().map(|size| names.size_bucket(*size)).collect();
    for file_type in &asked.file_types {
        for size in &sizes {
            for provider in &asked.providers {
                seen.entry((file_type.clone(), *size, provider.clone())).or_default();
            }
        }
    }
    let variant = |((file_type, size, provider), hours): ((String, u16, String), Hours)| {
        let uploads = hours.values().map(|(_, uploads)| uploads).sum();
        let rate = || Rate::new(hours.values().copied(), plan.analysis.level());
        Variant {
            file_type,
            size: names.name(Dimension::Size, size),
            provider,
            uploads,
            success_rate: (uploads > 0).then(|| rate().figure()),
        }
    };
    seen.into_iter().map(variant).collect()
}
