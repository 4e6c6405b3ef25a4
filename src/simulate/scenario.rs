//! What happens in each scenario.

use clap::ValueEnum;
use serde::Serialize;

/// The scenarios of `stagegate generate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// The plan's numbers are true.
    Good,
    /// Async is worse: slower for one provider, more failures.
    Regression,
    /// A fifth of the async uploads fall back.
    FallbackStorm,
    /// The 10 % stage sends 16 % to async.
    BrokenSplit,
    /// Async changes nothing, but the final stage gets smaller files.
    MixShift,
    /// An outage in the 50 % stage, answered by a rollback.
    Incident,
    /// The good rollout without any memory in the log.
    NoMemory,
    /// The good rollout in a log with bad lines, repeats and gaps.
    Messy,
}

impl Scenario {
    pub const ALL: [Self; 8] = [
        Self::Good,
        Self::Regression,
        Self::FallbackStorm,
        Self::BrokenSplit,
        Self::MixShift,
        Self::Incident,
        Self::NoMemory,
        Self::Messy,
    ];
}

/// One stage of the simulated rollout.
#[derive(Debug, Clone)]
pub(super) struct StageSetting {
    pub name: &'static str,
    /// What the rollout_stage event says, 0 to 100.
    pub percentage: f64,
    /// What the split really does, 0 to 1.
    pub treated_share: f64,
    pub days: f64,
    /// Share of the rollout's uploads.
    pub share: f64,
    /// Whether the mix of sizes is that of small files.
    pub small_files: bool,
    /// Hours of the stage without any upload.
    pub silent_hours: std::ops::Range<u64>,
    /// Seconds from the stage's start during which async uploads fail, and their rate.
    pub outage: Option<(std::ops::Range<u64>, f64)>,
}

/// The laws of a simulated world.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub stages: Vec<StageSetting>,
    pub planted: Vec<&'static str>,
    pub async_latency_factor: f64,
    /// A further factor for async uploads to the provider glm.
    pub async_glm_factor: f64,
    /// Of one attempt.
    pub sync_timeout_rate: f64,
    pub async_timeout_rate: f64,
    /// Failures that are no timeout, of one attempt.
    pub sync_error_rate: f64,
    pub async_error_rate: f64,
    /// Share of failed async attempts (after one retry) that fall back rather than fail.
    pub fallback_share: f64,
    /// Share of async uploads that fall back for no fault of the attempt.
    pub forced_fallback_rate: f64,
    /// Uploads of async in flight at once, per worker.
    pub concurrency: usize,
}

impl Scenario {
    /// The laws of the scenario.
    pub(super) fn world(self) -> World {
        let stage = |name, percentage: f64, days, share| StageSetting {
            name,
            percentage,
            treated_share: percentage / 100.0,
            days,
            share,
            small_files: false,
            silent_hours: 0..0,
            outage: None,
        };
        let mut world = World {
            stages: vec![
                stage("baseline", 0.0, 7.0, 0.11),
                stage("1%", 1.0, 5.0, 0.37),
                stage("10%", 10.0, 3.0, 0.185),
                stage("50%", 50.0, 2.0, 0.155),
                stage("100%", 100.0, 4.0, 0.18),
            ],
            planted: Vec::new(),
            async_latency_factor: 0.58,
            async_glm_factor: 1.0,
            sync_timeout_rate: 0.035,
            async_timeout_rate: 0.008,
            sync_error_rate: 0.008,
            async_error_rate: 0.012,
            fallback_share: 0.6,
            forced_fallback_rate: 0.0,
            concurrency: 4,
        };
        match self {
            Self::Good | Self::NoMemory | Self::Messy => {}
            Self::Regression => {
                world.planted = vec!["async fails 3 % more often", "async is 1.9 times as slow for the provider glm"];
                world.async_error_rate = 0.17;
                world.fallback_share = 0.0;
                world.async_glm_factor = 1.9;
            }
            Self::FallbackStorm => {
                world.planted = vec!["20 % of the async uploads fall back"];
                world.forced_fallback_rate = 0.20;
            }
            Self::BrokenSplit => {
                world.planted = vec!["the 10 % stage sends 16 % to async"];
                world.stages[2].treated_share = 0.16;
            }
            Self::MixShift => {
                world.planted = vec!["async is as slow as sync", "the final stage gets mostly small files"];
                world.async_latency_factor = 1.0;
                world.stages[4].small_files = true;
            }
            Self::Incident => {
                world.planted = vec![
                    "45 % of the async uploads of the 50 % stage fail for 40 minutes from its hour 13",
                    "a rollback follows after 4 minutes",
                ];
                world.stages[3].outage = Some((13 * 3600..13 * 3600 + 2400, 0.45));
            }
        }
        if self == Self::NoMemory {
            world.planted = vec!["no memory in the log"];
        }
        if self == Self::Messy {
            world.planted = vec!["bad lines, blank lines, repeats, and a gap of 3 hours in the 1 % stage"];
            world.stages[1].silent_hours = 30..33;
        }
        world
    }
}
