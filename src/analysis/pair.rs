//! Two groups held against each other: their names, and the id of what is compared.

use super::group::GroupData;
use crate::config::Plan;
use crate::cube::slice::Arm;
use crate::metric::Estimator;

/// `stage/arm`, as the report names a group.
pub(super) fn place(plan: &Plan, group: &GroupData) -> String {
    place_of(plan, group.stage, group.arm)
}

/// `stage/arm` of a stage's number.
pub(super) fn place_of(plan: &Plan, stage: usize, arm: Arm) -> String {
    format!("{}/{}", plan.stages[stage].name, arm.name())
}

/// The id of a comparison, which also seeds its random numbers: the same pair and metric have the
/// same interval wherever they appear.
pub(super) fn pair_id(plan: &Plan, reference: &GroupData, candidate: &GroupData, estimator: Estimator) -> String {
    format!("{}..{}.{}", place(plan, reference), place(plan, candidate), metric_id(plan, estimator))
}

/// The id of the metric that an estimator computes.
pub(super) fn metric_id(plan: &Plan, estimator: Estimator) -> &str {
    plan.metrics.by(estimator).map_or("unknown", |metric| &metric.id)
}
