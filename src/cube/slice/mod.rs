//! The only way to ask the cube. Every answer is a plain value: sums by hour, histograms by
//! hour, counts by name. Nothing here computes a figure.

mod answers;
mod arm;
mod hours;
mod minutes;
mod segments;
mod view;
mod visits;

pub use answers::{CRITICAL_UPLOAD, HourMeasure, HourSums, LoggedEvent, MeasureSum, Measured, MinuteCounts, Segment};
pub use arm::Arm;
pub use minutes::{MinuteMemory, MinuteSums};
pub use segments::SegmentHour;
pub use visits::{LeftOutMinute, Visit};
