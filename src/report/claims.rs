//! Every figure of the report as a claim with an id: what a sentence, a reader or a reviewer
//! points at.

use sha2::{Digest, Sha256};
use stagegate_stats::Interval;

use super::model::{Claim, Criterion, Group, Improvement, Input, Stage, Status};
use crate::metric::Metric;
use crate::packing::hex;

/// Inputs up to which a claim names each.
const INPUTS_NAMED: usize = 16;

/// The claims of the stages, improvements and criteria, in this order.
pub fn claims(
    metrics: &[Metric],
    inputs: &[Input],
    stages: &[Stage],
    improvements: &[Improvement],
    criteria: &[Criterion],
) -> Vec<Claim> {
    let evidence = evidence(inputs);
    let mut claims = Vec::new();
    for stage in stages {
        for (arm, group) in stage.groups.named() {
            claims.extend(of_group(metrics, &format!("stages.{}.{arm}", stage.name), group, &evidence));
        }
    }
    claims.extend(improvements.iter().filter_map(|improvement| of_improvement(improvement, &evidence)));
    claims.extend(criteria.iter().filter_map(|criterion| of_criterion(criterion, &evidence)));
    claims
}

/// The id of a criterion, as claims, reasons and links name it.
pub fn criterion_id(criterion: &Criterion) -> String {
    format!("criteria.{}.{}", criterion.stage, criterion.metric)
}

/// The id of an improvement, as claims, reasons and links name it.
pub fn improvement_id(improvement: &Improvement) -> String {
    format!("improvements.{}", improvement.id)
}

/// A digest over what is claimed: ids, values and intervals to nine digits, n. Two reports with the same one say the
/// same, whatever their inputs are called.
pub fn figures_digest(claims: &[Claim]) -> String {
    let mut hasher = Sha256::new();
    let end = |end: f64| if end.is_finite() { format!("{end:.8e}") } else { "open".to_owned() };
    for claim in claims {
        let interval = claim.ci.map(|Interval { low, high }| format!("{} {}", end(low), end(high))).unwrap_or_default();
        hasher.update(format!("{}\n{:.8e}\n{interval}\n{}\n", claim.id, claim.value, claim.n));
    }
    hex(&hasher.finalize())
}

/// The digests of the inputs; of many, one digest over theirs.
fn evidence(inputs: &[Input]) -> Vec<String> {
    let mut digests: Vec<&str> = inputs.iter().map(|input| input.digest.as_str()).collect();
    if digests.len() <= INPUTS_NAMED {
        return digests.into_iter().map(str::to_owned).collect();
    }
    digests.sort_unstable();
    let mut hasher = blake3::Hasher::new();
    digests.iter().for_each(|digest| {
        hasher.update(digest.as_bytes());
    });
    vec![format!("blake3-list:{}", hasher.finalize())]
}

fn of_group<'a>(
    metrics: &'a [Metric],
    prefix: &'a str,
    group: &'a Group,
    evidence: &'a [String],
) -> impl Iterator<Item = Claim> + 'a {
    metrics.iter().filter_map(move |metric| {
        let figure = group.figure(&metric.id)?;
        Some(Claim {
            id: format!("{prefix}.{}", metric.id),
            value: figure.value,
            ci: figure.ci,
            unit: metric.unit.word().into(),
            n: figure.n,
            definition: metric.definition.clone(),
            inputs: evidence.to_vec(),
        })
    })
}

fn of_improvement(improvement: &Improvement, evidence: &[String]) -> Option<Claim> {
    Some(Claim {
        id: improvement_id(improvement),
        value: improvement.value?,
        ci: improvement.ci,
        unit: improvement.unit.word().into(),
        n: improvement.n?.iter().sum(),
        definition: improvement.definition.clone(),
        inputs: evidence.to_vec(),
    })
}

fn of_criterion(criterion: &Criterion, evidence: &[String]) -> Option<Claim> {
    if criterion.status == Status::NotMeasured {
        return None;
    }
    Some(Claim {
        id: criterion_id(criterion),
        value: criterion.value?,
        ci: criterion.ci,
        unit: criterion.unit.word().into(),
        n: criterion.n,
        definition: criterion.definition.clone(),
        inputs: evidence.to_vec(),
    })
}
