//! The log -> uploads, events and rejects, and where each belongs. Reading and parsing only:
//! what becomes of an upload is the cube's.

pub mod chunks;
pub mod csv;
pub mod decimal;
pub mod feed;
pub mod inputs;
pub mod json;
pub mod layout;
pub mod learned;
pub mod ledger;
pub mod mapped;
pub mod native;
pub mod node;
pub mod parquet;
pub mod parts;
pub mod placement;
pub mod quantity;
pub mod ranged;
pub mod recognise;
pub mod record;
pub mod reject;
pub mod rows;
pub mod sample;
pub mod source;
pub mod survey;
pub mod timeline;
pub mod timestamp;
pub mod unusable;
