//! What changed from one group to another, as measured and with the mix held still (methodology 7).

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::dimensions::Names;
use super::group::StageData;
use super::pair::{pair_id, place_of};
use super::ratio;
use super::strata::{Pairing, SegmentedGroup, Standardised, compare};
use crate::config::Plan;
use crate::cube::Cube;
use crate::cube::slice::{Arm, Segment};
use crate::error::Result;
use crate::metric::{Distribution, Estimator, Metric, Share};
use crate::report::model::{
    Comparison, ComparisonKind, FigureWarning, RatioFigure, RegressionVerdict, Regressions, SplitStatus, Stage,
};
use crate::schema::record::PROVIDER;
use stagegate_stats::Level;
use stagegate_stats::multiple::benjamini_hochberg;

/// Fewest observations on either side of a segment that is tested for a regression.
const FEWEST_OF_SEGMENT: u64 = 10;
/// Expected share of false ones among the regressions named.
const FALSE_DISCOVERY_RATE: f64 = 0.05;

/// Two groups that are held against each other.
#[derive(Debug, Clone, Copy)]
struct Pair {
    reference: (usize, Arm),
    candidate: (usize, Arm),
    kind: ComparisonKind,
}

impl Pair {
    fn pairing(self) -> Pairing {
        match self.kind {
            ComparisonKind::BeforeAfter => Pairing::DifferentHours,
            ComparisonKind::Concurrent | ComparisonKind::Observational => Pairing::SharedHours,
        }
    }
}

/// What the segments of every stage and arm hold, asked once.
pub(super) struct Segmented {
    /// By stage, in the order of [`Arm::ALL`].
    groups: Vec<[SegmentedGroup; 3]>,
}

impl Segmented {
    /// Asks the cube.
    ///
    /// # Errors
    /// The cube is damaged.
    pub(super) fn new(plan: &Plan, cube: &Cube) -> Result<Self> {
        let stage = |stage| {
            let [all, treated, control] =
                [Arm::All, Arm::Treated, Arm::Control].map(|arm| SegmentedGroup::new(plan, cube, stage, arm));
            Ok([all?, treated?, control?])
        };
        Ok(Self { groups: (0..plan.stages.len()).into_par_iter().map(stage).collect::<Result<Vec<_>>>()? })
    }

    /// The segments of a group; per protocol has none of its own.
    pub(super) fn group(&self, stage: usize, arm: Arm) -> &SegmentedGroup {
        &self.groups[stage][match arm {
            Arm::All | Arm::PerProtocol => 0,
            Arm::Treated => 1,
            Arm::Control => 2,
        }]
    }
}

/// Every comparison: groups, providers, then segments with the test for regressions.
pub(super) fn comparisons(
    plan: &Plan,
    cube: &Cube,
    data: &[StageData],
    stages: &[Stage],
    segmented: &Segmented,
) -> (Vec<Comparison>, Regressions) {
    let margin = plan.analysis.regression_margin;
    let work = Work { plan, data, stages, segmented, names: Names::new(&plan.schema, cube), margin };
    let questions: Vec<(Pair, &Metric)> = pairs(plan, data)
        .into_iter()
        .flat_map(|pair| metrics(plan).into_iter().map(move |metric| (pair, metric)))
        .collect();
    let mut list: Vec<Comparison> =
        questions.into_par_iter().filter_map(|(pair, metric)| work.groups(pair, metric)).collect();
    list.extend(work.providers());
    let (segments, regressions) = work.segments();
    list.extend(segments);
    (list, regressions)
}

/// Baseline → each stage, first treated stage → final, sync vs async where both are.
fn pairs(plan: &Plan, data: &[StageData]) -> Vec<Pair> {
    let uploads = |stage: usize, arm| data[stage].arm(arm).uploads();
    let treated: Vec<usize> = (0..data.len())
        .filter(|stage| plan.stages[*stage].percentage > 0.0 && uploads(*stage, Arm::Treated) > 0)
        .collect();
    let mut pairs = Vec::new();
    if let Some(baseline) = plan.baseline().filter(|stage| uploads(*stage, Arm::All) > 0) {
        pairs.extend(treated.iter().map(|stage| Pair {
            reference: (baseline, Arm::All),
            candidate: (*stage, Arm::Treated),
            kind: ComparisonKind::BeforeAfter,
        }));
    }
    if let (Some(first), Some(last)) = (treated.first(), treated.last())
        && first != last
    {
        pairs.push(Pair {
            reference: (*first, Arm::Treated),
            candidate: (*last, Arm::Treated),
            kind: ComparisonKind::BeforeAfter,
        });
    }
    pairs.extend(treated.iter().filter(|stage| uploads(**stage, Arm::Control) > 0).map(|stage| Pair {
        reference: (*stage, Arm::Control),
        candidate: (*stage, Arm::Treated),
        kind: ComparisonKind::Concurrent,
    }));
    pairs
}

/// What is compared between groups: success and failure, latency, throughput, the mean of each measure, and what an
/// improvement asks for.
fn metrics(plan: &Plan) -> Vec<&Metric> {
    let latency = |q| Estimator::Quantile(Distribution::Latency, q);
    let usual = [
        Estimator::Rate(Share::Successes),
        Estimator::Rate(Share::Failures),
        Estimator::Rate(Share::Timeouts),
        plan.headline_latency().estimator,
        latency(0.95),
        Estimator::Mean(Distribution::Latency),
        Estimator::RecordThroughput,
    ];
    let measures = (0..plan.schema.measures.len()).map(|index| Estimator::Mean(Distribution::Measure(index)));
    let asked = plan.improvements.iter().filter_map(|asked| plan.metric(&asked.metric));
    let usual = usual.into_iter().chain(measures).filter_map(|estimator| plan.metrics.by(estimator));
    let mut metrics: Vec<&Metric> = Vec::new();
    for metric in usual.chain(asked) {
        if !metrics.iter().any(|known| known.id == metric.id) {
            metrics.push(metric);
        }
    }
    metrics
}

struct Work<'a> {
    plan: &'a Plan,
    data: &'a [StageData],
    stages: &'a [Stage],
    segmented: &'a Segmented,
    names: Names<'a>,
    margin: f64,
}

impl Work<'_> {
    /// What a regression is held against.
    fn bar(&self) -> (f64, Level) {
        (self.margin, self.plan.analysis.level())
    }

    fn place(&self, (stage, arm): (usize, Arm)) -> String {
        place_of(self.plan, stage, arm)
    }

    fn empty(&self, id: String, kind: ComparisonKind, metric: &Metric) -> Comparison {
        Comparison {
            id,
            kind,
            reference: String::new(),
            candidate: String::new(),
            segment: BTreeMap::new(),
            metric: metric.id.clone(),
            n: None,
            crude: None,
            adjusted: None,
            mix_changed: false,
            p_adjusted: None,
            regression: false,
            verdict: None,
            smallest_detectable: None,
            reason: None,
            warnings: Vec::new(),
        }
    }

    /// One metric between two groups. `None` where a measure was not measured at all: nothing to compare.
    fn groups(&self, pair: Pair, metric: &Metric) -> Option<Comparison> {
        let [reference, candidate] = [pair.reference, pair.candidate].map(|(stage, arm)| self.data[stage].arm(arm));
        let sources = metric
            .estimator
            .measure()
            .map(|index| [reference, candidate].map(|group| group.measures[index].as_ref().map(|data| data.source)));
        if sources == Some([None, None]) {
            return None;
        }
        let id = pair_id(self.plan, reference, candidate, metric.estimator);
        let ratio = match sources {
            Some([Some(a), Some(b)]) if a != b => Err("memory was measured in two ways: not comparable".into()),
            _ => ratio::of_groups(&self.plan.analysis, reference, candidate, metric.estimator, &id),
        };
        let [below, above] = [pair.reference, pair.candidate].map(|(stage, arm)| self.segmented.group(stage, arm));
        let standardised = compare(below, above, metric, pair.pairing(), self.bar());
        let mut comparison = Comparison {
            reference: self.place(pair.reference),
            candidate: self.place(pair.candidate),
            ..self.empty(id, pair.kind, metric)
        };
        match ratio {
            Err(reason) => comparison.reason = Some(reason),
            Ok(ratio) => {
                comparison.n = Some(ratio.n);
                comparison.smallest_detectable = ratio.detectable;
                if ratio.few_hours {
                    comparison.warnings.push(FigureWarning::FewHours);
                }
                // In one stage both arms had the same weather: hours are taken together, and it cancels.
                let shared = standardised.as_ref().filter(|_| pair.kind == ComparisonKind::Concurrent);
                let interval = shared.and_then(|shared| shared.crude_interval).or(ratio.interval);
                comparison.crude =
                    Some(RatioFigure { ratio: ratio.value, ci: interval.map(|ends| ends.holding(ratio.value)) });
            }
        }
        if comparison.crude.is_some()
            && let Some(standardised) = standardised
        {
            comparison.adjusted = standardised.adjusted;
            comparison.mix_changed = standardised.mix_changed;
        }
        if comparison.mix_changed {
            comparison.warnings.push(FigureWarning::MixChanged);
        }
        if self.unsafe_split(pair) {
            comparison.warnings.push(FigureWarning::SplitMismatch);
        }
        Some(comparison)
    }

    fn unsafe_split(&self, pair: Pair) -> bool {
        pair.kind == ComparisonKind::Concurrent && self.stages[pair.candidate.0].split.status == SplitStatus::Mismatch
    }

    /// Every provider of the final stage against the one with most uploads, in the stage's treated arm.
    fn providers(&self) -> Vec<Comparison> {
        let stage = self.plan.final_stage();
        let arm = if self.plan.stages[stage].percentage > 0.0 { Arm::Treated } else { Arm::All };
        let whole = self.segmented.group(stage, arm);
        let provider_of = |segment| self.names.value(PROVIDER, segment);
        let providers: BTreeSet<u16> = whole.segments().map(provider_of).collect();
        let without = self.names.without(PROVIDER);
        let of = |provider| (provider, whole.apart(|segment| provider_of(segment) == provider, &without));
        let groups: Vec<(u16, SegmentedGroup)> = providers.into_iter().map(of).collect();
        let Some(most) = groups.iter().map(|(_, group)| group.uploads()).max() else { return Vec::new() };
        let Some((first, reference)) = groups.iter().find(|(_, group)| group.uploads() == most) else {
            return Vec::new();
        };
        let rate = |share| self.plan.metric_by(Estimator::Rate(share));
        let metrics = [rate(Share::Successes), rate(Share::Timeouts), self.plan.headline_latency()];
        let place = |provider| format!("{}[{}]", self.place((stage, arm)), self.names.name(PROVIDER, provider));
        let others = groups.iter().filter(|(provider, _)| provider != first);
        let questions: Vec<_> =
            others.flat_map(|other| metrics.into_iter().map(move |metric| (other, metric))).collect();
        let compared = questions.into_par_iter().map(|((provider, candidate), metric)| {
            let (reference_place, candidate_place) = (place(*first), place(*provider));
            let id = format!("{reference_place}..{candidate_place}.{}", metric.id);
            let standardised = compare(reference, candidate, metric, Pairing::SharedHours, self.bar());
            let comparison = Comparison {
                reference: reference_place,
                candidate: candidate_place,
                ..self.empty(id, ComparisonKind::Observational, metric)
            };
            let comparison = filled(comparison, standardised, self.plan.analysis.level());
            let none = comparison.crude.is_none().then(|| "none such in the reference: there is no ratio".to_owned());
            Comparison { reason: none, ..comparison }
        });
        compared.collect()
    }

    /// The pairs whose segments are tested for regressions: baseline → final, and sync vs async in the
    /// last stage that has both.
    fn segment_pairs(&self) -> Vec<Pair> {
        let all = pairs(self.plan, self.data);
        let last = self.plan.final_stage();
        let before_after = all.iter().find(|pair| {
            pair.kind == ComparisonKind::BeforeAfter && pair.reference.1 == Arm::All && pair.candidate.0 == last
        });
        let concurrent = all.iter().rfind(|pair| pair.kind == ComparisonKind::Concurrent);
        before_after.into_iter().chain(concurrent).copied().collect()
    }

    fn segments(&self) -> (Vec<Comparison>, Regressions) {
        let metrics = [self.plan.metric_by(Estimator::Rate(Share::Successes)), self.plan.headline_latency()];
        let mut questions = Vec::new();
        for pair in self.segment_pairs() {
            let [reference, candidate] =
                [pair.reference, pair.candidate].map(|(stage, arm)| self.segmented.group(stage, arm));
            for dimension in self.names.told() {
                let value_of = |segment: Segment| self.names.value(dimension, segment);
                let values: BTreeSet<u16> = reference.segments().chain(candidate.segments()).map(value_of).collect();
                questions.extend(values.into_iter().map(|value| (pair, dimension, value)));
            }
        }
        let compared: Vec<Vec<(Comparison, Option<f64>, bool)>> = questions
            .into_par_iter()
            .map(|(pair, dimension, value)| {
                let [reference, candidate] = [pair.reference, pair.candidate].map(|(stage, arm)| {
                    self.segmented.group(stage, arm).only(|s| self.names.value(dimension, s) == value)
                });
                let of = |metric| self.segment(pair, dimension, value, metric, (&reference, &candidate));
                metrics.into_iter().map(of).collect()
            })
            .collect();
        self.judge(compared.into_iter().flatten().collect())
    }

    fn segment(
        &self,
        pair: Pair,
        dimension: usize,
        value: u16,
        metric: &Metric,
        (reference, candidate): (&SegmentedGroup, &SegmentedGroup),
    ) -> (Comparison, Option<f64>, bool) {
        let (reference_place, candidate_place) = (self.place(pair.reference), self.place(pair.candidate));
        let name = self.names.name(dimension, value);
        let id = format!("{reference_place}..{candidate_place}.{}={name}.{}", self.names.word(dimension), metric.id);
        let standardised = compare(reference, candidate, metric, pair.pairing(), self.bar());
        let (p_value, within) =
            standardised.as_ref().map_or((None, false), |found| (found.regression_p_value, found.within_margin));
        let comparison = Comparison {
            reference: reference_place,
            candidate: candidate_place,
            segment: BTreeMap::from([(self.names.word(dimension).to_owned(), name)]),
            ..self.empty(id, pair.kind, metric)
        };
        let mut comparison = filled(comparison, standardised, self.plan.analysis.level());
        let enough = comparison.n.is_some_and(|n| n.iter().all(|n| *n >= FEWEST_OF_SEGMENT));
        let (p_value, within) = (p_value.filter(|_| enough), within && enough);
        if comparison.crude.is_some() && !enough {
            comparison.reason = Some(format!("fewer than {FEWEST_OF_SEGMENT} on one side"));
        }
        if comparison.crude.is_none() {
            comparison.reason = Some(match (reference.uploads(), candidate.uploads()) {
                (0, _) => "the reference has none such".into(),
                (_, 0) => "the candidate has none such".into(),
                _ => "too few successes".into(),
            });
        }
        if self.unsafe_split(pair) {
            comparison.warnings.push(FigureWarning::SplitMismatch);
        }
        (comparison, p_value, within)
    }

    /// Corrects the p-values of all segments together, and says what each means.
    fn judge(&self, compared: Vec<(Comparison, Option<f64>, bool)>) -> (Vec<Comparison>, Regressions) {
        let tested: Vec<f64> = compared.iter().filter_map(|(_, p_value, _)| *p_value).collect();
        let mut adjusted = benjamini_hochberg(&tested).into_iter();
        let mut regressions = Regressions {
            margin: self.margin,
            false_discovery_rate: FALSE_DISCOVERY_RATE,
            tested: tested.len() as u64,
            found: Vec::new(),
            within_margin: 0,
            open: 0,
            not_measured: 0,
        };
        let mut list = Vec::with_capacity(compared.len());
        for (mut comparison, p_value, within) in compared {
            comparison.p_adjusted = p_value.and_then(|_| adjusted.next());
            comparison.regression = comparison.p_adjusted.is_some_and(|p| p <= FALSE_DISCOVERY_RATE);
            let told = comparison.crude.as_ref().filter(|_| comparison.reason.is_none());
            comparison.verdict = told.map(|_| match comparison.regression {
                true => RegressionVerdict::Regression,
                false if within => RegressionVerdict::WithinMargin,
                false => RegressionVerdict::Open,
            });
            match comparison.verdict {
                Some(RegressionVerdict::Regression) => regressions.found.push(comparison.id.clone()),
                Some(RegressionVerdict::WithinMargin) => regressions.within_margin += 1,
                Some(RegressionVerdict::Open) => regressions.open += 1,
                None => regressions.not_measured += 1,
            }
            list.push(comparison);
        }
        (list, regressions)
    }
}

/// A comparison with what standardisation found.
fn filled(comparison: Comparison, found: Option<Standardised>, level: Level) -> Comparison {
    let Some(found) = found else { return comparison };
    let mut warnings = comparison.warnings.clone();
    if found.mix_changed {
        warnings.push(FigureWarning::MixChanged);
    }
    if found.crude_interval.is_none() {
        warnings.push(FigureWarning::TooFew);
    }
    Comparison {
        n: Some(found.n),
        crude: Some(RatioFigure { ratio: found.crude, ci: found.crude_interval }),
        adjusted: found.adjusted,
        mix_changed: found.mix_changed,
        smallest_detectable: found.log_error.map(|error| ratio::detectable_factor(error, level)),
        warnings,
        ..comparison
    }
}
