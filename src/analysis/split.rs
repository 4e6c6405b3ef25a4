//! Is the traffic split what was set (methodology 9)?

use super::group::StageData;
use crate::cube::slice::Arm;
use crate::report::model::{Split, SplitStatus};
use stagegate_stats::chi_square::split_p_value;

/// Below this p-value the split is not what was set.
const MISMATCH_P_VALUE: f64 = 0.001;

/// Share of the uploads of a stage at 100 % that may be left where they were: hosts that restart late.
const LEFT_BEHIND: f64 = 0.01;

/// The split check of a stage with the percentage that was set.
pub(super) fn check(percentage: f64, stage: &StageData) -> Split {
    let (treated, total) = (stage.arm(Arm::Treated).uploads(), stage.arm(Arm::All).uploads());
    let observed_share = (total > 0).then(|| treated as f64 / total as f64);
    if percentage == 100.0 && observed_share.is_some_and(|share| share < 1.0 - LEFT_BEHIND) {
        return Split { expected_share: Some(1.0), observed_share, p_value: None, status: SplitStatus::Mismatch };
    }
    let applicable = percentage > 0.0 && percentage < 100.0;
    let expected = percentage / 100.0;
    let p_value = if applicable { split_p_value(treated, total, expected) } else { None };
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
