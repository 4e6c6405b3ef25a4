//! The sections of the page, a file each: a part of the report -> texts, which `templates/parts` lays out.

pub(super) mod attempts;
pub(super) mod change_points;
pub(super) mod charts;
pub(super) mod comparisons;
pub(super) mod completion;
pub(super) mod criteria;
pub(super) mod decision;
pub(super) mod error_scenarios;
pub(super) mod headlines;
pub(super) mod improvements;
pub(super) mod inputs;
pub(super) mod intention_to_treat;
pub(super) mod left_out;
pub(super) mod notes;
pub(super) mod quality;
pub(super) mod regressions;
pub(super) mod stages;
pub(super) mod strip;
pub(super) mod tests;
pub(super) mod triggers;
pub(super) mod validation;
pub(super) mod variants;
