//! The sections of the page, a file each: a part of the report -> texts, which `templates/parts` lays out.

pub mod change_points;
pub mod charts;
pub mod comparisons;
pub mod completion;
pub mod criteria;
pub mod decision;
pub mod error_scenarios;
pub mod improvements;
pub mod inputs;
pub mod intention_to_treat;
pub mod notes;
pub mod quality;
pub mod regressions;
pub mod stages;
pub mod tests;
pub mod triggers;
pub mod validation;
pub mod variants;
