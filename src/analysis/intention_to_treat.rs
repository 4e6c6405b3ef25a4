//! What would leaving the fallbacks out have claimed (methodology 3)?

use super::figure::{Rate, point, rate};
use super::group::{GroupData, StageData};
use super::pair::metric_id;
use crate::config::Plan;
use crate::cube::slice::Arm;
use crate::format;
use crate::metric::{Distribution, Estimator, Share, Unit};
use crate::report::model::{IntentionToTreat, IntentionToTreatFigure};

/// One answer for each stage whose treated arm holds a fallback.
pub(super) fn intention_to_treat(plan: &Plan, data: &[StageData]) -> Vec<IntentionToTreat> {
    let stages = plan.stages.iter().zip(data);
    stages.filter_map(|(stage, data)| of_stage(plan, &stage.name, data)).collect()
}

fn of_stage(plan: &Plan, stage: &str, data: &StageData) -> Option<IntentionToTreat> {
    let (treated, per_protocol) = (data.arm(Arm::Treated), data.arm(Arm::PerProtocol));
    let fallbacks = rate(treated, Share::Fallbacks, plan.analysis.level()).ok().filter(|rate| rate.events > 0)?;
    let metrics = [
        Estimator::Rate(Share::Successes),
        plan.headline_latency().estimator,
        Estimator::Quantile(Distribution::Latency, 0.95),
    ];
    let measures = (0..plan.schema.measures.len()).map(|index| Estimator::Mean(Distribution::Measure(index)));
    let figures: Vec<IntentionToTreatFigure> =
        metrics.into_iter().chain(measures).filter_map(|metric| both(plan, treated, per_protocol, metric)).collect();
    let limit = plan.analysis.max_fallback_rate;
    Some(IntentionToTreat {
        text: text(plan, stage, fallbacks, &figures),
        stage: stage.into(),
        fallbacks: fallbacks.events,
        fallback_rate: Some(fallbacks.value()),
        above_limit: surely_above(fallbacks, limit),
        max_fallback_rate: limit,
        figures,
    })
}

fn surely_above(rate: Rate, limit: f64) -> bool {
    rate.interval().is_some_and(|ends| ends.low > limit)
}

fn both(
    plan: &Plan,
    treated: &GroupData,
    per_protocol: &GroupData,
    metric: Estimator,
) -> Option<IntentionToTreatFigure> {
    Some(IntentionToTreatFigure {
        metric: metric_id(plan, metric).into(),
        intention_to_treat: point(treated, metric).ok()?.0,
        per_protocol: point(per_protocol, metric).ok()?.0,
    })
}

fn text(plan: &Plan, stage: &str, fallbacks: Rate, figures: &[IntentionToTreatFigure]) -> String {
    let share = format::value(fallbacks.value(), &Unit::Fraction);
    let intro = format!(
        "In stage {stage}, {} fell back to {} ({share} of the treated)",
        plan.schema.words.counted(fallbacks.events),
        plan.schema.words.control
    );
    // What shows alike is no other claim.
    let claims: Vec<String> = figures
        .iter()
        .filter_map(|figure| {
            let metric = plan.metrics.find(&figure.metric)?;
            let show = |value| format::metric(metric, value);
            let (with, without) = (show(figure.intention_to_treat), show(figure.per_protocol));
            let label = metric.label.to_lowercase().replace(',', "");
            (with != without).then(|| format!("{label} {without} instead of {with}"))
        })
        .collect();
    if claims.is_empty() {
        return format!("{intro}; leaving them out would have changed no figure that is shown.");
    }
    format!("{intro}; leaving them out would have claimed {}.", claims.join(", "))
}
