//! One fold by many processes: a plan says which part of which file each of them folds, under which rules and stage
//! events, and what must be there when their cubes are merged.

mod fold;
mod plan;
mod split;

pub use fold::{fold, sources};
pub use plan::{PlannedFile, PlannedRange, ShardPlan};
pub use split::{Listed, listing, make};
