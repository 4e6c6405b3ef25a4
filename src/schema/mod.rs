//! What a row of a log means: its noun, arms, dimensions and measures; paths, conditions, words, units, and the mapping
//! that they make. It never reads a log.

pub mod arms;
pub mod condition;
mod form;
pub mod mapping;
pub mod matcher;
pub mod metrics;
pub mod path;
pub mod presets;
pub mod record;
pub mod rule;
pub mod source;
pub mod tries;
pub mod unit;
