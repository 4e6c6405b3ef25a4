//! Runs that are merged eight at a time: every entry is merged a few times only, and few runs are left at the end
//! (a log-structured merge; O'Neil, Cheng, Gawlick and O'Neil 1996).

/// Runs of one tier before they are merged into a run of the next.
const RUNS_PER_TIER: usize = 8;

/// Runs, each tier's about eight times as large as those of the one before.
#[derive(Debug, Default)]
pub(super) struct Tiers<Run> {
    /// Each holds fewer than [`RUNS_PER_TIER`] runs.
    tiers: Vec<Vec<Run>>,
}

impl<Run> Tiers<Run> {
    /// Adds a run; `merge` makes one of many.
    pub(super) fn add(&mut self, run: Run, merge: impl Fn(Vec<Run>) -> Run) {
        let mut run = run;
        for tier in 0.. {
            if self.tiers.len() == tier {
                self.tiers.push(Vec::new());
            }
            self.tiers[tier].push(run);
            if self.tiers[tier].len() < RUNS_PER_TIER {
                return;
            }
            run = merge(std::mem::take(&mut self.tiers[tier]));
        }
    }

    /// All runs.
    pub(super) fn finish(self) -> Vec<Run> {
        self.tiers.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_tiers_are_merged_and_nothing_is_lost() {
        for runs in [1, 7, 8, 63, 64, 600] {
            let mut tiers = Tiers::default();
            (0..runs).for_each(|_| tiers.add(1_u64, |runs| runs.into_iter().sum()));
            let left = tiers.finish();
            assert_eq!(left.iter().sum::<u64>(), runs);
            assert!(left.len() <= 4 * (RUNS_PER_TIER - 1), "{} runs are left of {runs}", left.len());
        }
    }
}
