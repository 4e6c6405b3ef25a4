//! The cube: a few tables whose size is bounded by minutes, hours, segments and bins, from which
//! every figure of the report comes. The cube of a whole log equals the merge of the cubes of
//! its parts, exactly, in any order and any split.

// A count that is cut off is a wrong figure: every narrowing says why it holds.
#![cfg_attr(not(test), warn(clippy::cast_possible_truncation))]

mod add_up;
mod assemble;
mod bins;
pub mod busy;
mod cells;
mod check;
pub mod columns;
pub mod dimension;
mod fold;
mod header;
pub mod histogram;
mod key;
pub mod merge;
pub mod opened;
mod partial;
mod passes;
mod place;
mod renumber;
mod request_ids;
mod runs;
mod segments;
pub mod slice;
mod sort;
pub mod store;
mod table;
mod tiers;
mod tries;
mod version_2;

pub use header::{CUBE_VERSION, Cube, Header, PartsOfPlan, counted_numbers, this_program};
pub use passes::{Events, fold};
pub use request_ids::MAX_DISTINCT_IDS;
