//! Which uploads of a stage are asked for.

use crate::ingest::record::ExecutionType;

/// Groups of uploads within a stage (methodology 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Arm {
    All,
    /// `async` and `sync_fallback`: intention to treat.
    Treated,
    /// `sync`.
    Control,
    /// `async` alone.
    PerProtocol,
}

impl Arm {
    pub const ALL: [Self; 4] = [Self::All, Self::Treated, Self::Control, Self::PerProtocol];

    /// The name of the report contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Treated => "treated",
            Self::Control => "control",
            Self::PerProtocol => "per_protocol",
        }
    }

    /// Whether uploads of this execution type (by its number in the cube) belong to the arm.
    pub fn holds(self, execution_type: u8) -> bool {
        let is = |kind: ExecutionType| execution_type == kind as u8;
        match self {
            Self::All => true,
            Self::Treated => is(ExecutionType::Async) || is(ExecutionType::SyncFallback),
            Self::Control => is(ExecutionType::Sync),
            Self::PerProtocol => is(ExecutionType::Async),
        }
    }
}
