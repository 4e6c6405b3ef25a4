//! Is the traffic split what was set (methodology 9)?

use std::collections::BTreeMap;

use super::group::StageData;
use crate::cube::slice::{Arm, HourSums};
use crate::report::model::{Split, SplitStatus};
use stagegate_stats::chi_square::split_p_value;
use stagegate_stats::clusters::FEWEST_CLUSTERS;

/// Below this p-value the split is not what was set.
const MISMATCH_P_VALUE: f64 = 0.001;

/// Share of the uploads of a stage at 100 % that may be left where they were: hosts that restart late.
const LEFT_BEHIND: f64 = 0.01;

/// How much more the treated share varies from hour to hour than it would if each record were drawn by itself: sessions
/// and batches go one way as a whole (Rao and Scott 1981). At least 1; of a few hours 1.
fn design_effect(stage: &StageData) -> f64 {
    let treated: BTreeMap<i64, u64> =
        stage.arm(Arm::Treated).hours.iter().map(|hour| (hour.hour, hour.uploads)).collect();
    let hours = || stage.arm(Arm::All).hours.iter().filter(|hour| hour.uploads > 0);
    let (count, all) = (hours().count(), hours().map(|hour| hour.uploads).sum::<u64>());
    let share = treated.values().sum::<u64>() as f64 / all.max(1) as f64;
    if count < FEWEST_CLUSTERS || share <= 0.0 || share >= 1.0 {
        return 1.0;
    }
    let scatter = |hour: &HourSums| {
        let n = hour.uploads as f64;
        let own = treated.get(&hour.hour).copied().unwrap_or(0) as f64;
        (own - n * share).powi(2) / (n * share * (1.0 - share))
    };
    (hours().map(scatter).sum::<f64>() / (count as f64 - 1.0)).max(1.0)
}

/// The split check of a stage with the percentage that was set.
pub(super) fn check(percentage: f64, stage: &StageData) -> Split {
    let (treated, total) = (stage.arm(Arm::Treated).uploads(), stage.arm(Arm::All).uploads());
    let observed_share = (total > 0).then(|| treated as f64 / total as f64);
    if percentage == 100.0 && observed_share.is_some_and(|share| share < 1.0 - LEFT_BEHIND) {
        return Split { expected_share: Some(1.0), observed_share, p_value: None, status: SplitStatus::Mismatch };
    }
    let applicable = percentage > 0.0 && percentage < 100.0;
    let expected = percentage / 100.0;
    let effective = |count: u64| (count as f64 / design_effect(stage)).round() as u64;
    let p_value = if applicable { split_p_value(effective(treated), effective(total), expected) } else { None };
    Split {
        expected_share: applicable.then_some(expected),
        observed_share,
        p_value,
        status: match p_value {
            None => SplitStatus::NotApplicable,
            Some(p) if p < MISMATCH_P_VALUE => SplitStatus::Mismatch,
            Some(_) => SplitStatus::Ok,
        },
    }
}
