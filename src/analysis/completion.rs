//! Is the rollout complete (methodology 12)? Each criterion with its evidence.

use super::validation::{is_open, told};
use super::variants::{Carried, wanted};
use crate::config::{CompletionCriterion, Plan, RECORDS};
use crate::cube::Cube;
use crate::format;
use crate::report::model::{
    Completion, CompletionStatus, Criterion, Improvement, SplitStatus, Stage, Status, TestPhase, Tests, Validation,
};
use crate::schema::record::{FILE_TYPE, PROVIDER, SIZE, Words};

/// Where the config lists what the own format's dimensions are to have carried.
const VARIANTS: &str = "[variants]";

/// What completion is read off.
pub(super) struct Facts<'a> {
    pub plan: &'a Plan,
    pub cube: &'a Cube,
    pub stages: &'a [Stage],
    pub criteria: &'a [Criterion],
    pub improvements: &'a [Improvement],
    pub carried: &'a Carried,
    pub tests: &'a Tests,
    pub validation: Option<&'a Validation>,
}

/// The criteria that the config asks for, in the order of the plan.
pub(super) fn completion(facts: &Facts<'_>) -> Vec<Completion> {
    let asked = |criterion: &CompletionCriterion| facts.plan.completion.criteria.contains(criterion);
    CompletionCriterion::ALL.into_iter().filter(asked).map(|criterion| facts.of(criterion)).collect()
}

fn item(id: &str, label: &str, status: CompletionStatus, evidence: String) -> Completion {
    Completion { id: id.into(), label: label.into(), status, evidence }
}

impl Facts<'_> {
    fn words(&self) -> &Words {
        &self.plan.schema.words
    }

    fn of(&self, criterion: CompletionCriterion) -> Completion {
        match criterion {
            CompletionCriterion::Deployment => self.deployment(),
            CompletionCriterion::SuccessRate => {
                self.criterion("success_rate", "Success rate of the final stage", "success_rate")
            }
            CompletionCriterion::Uploads => {
                self.criterion("n", &format!("{} of the final stage", self.words().heading()), RECORDS)
            }
            CompletionCriterion::Tests => self.tests(),
            CompletionCriterion::FileTypes => self.covered("file_types", "All file types", &[FILE_TYPE], VARIANTS),
            CompletionCriterion::Providers => self.covered("providers", "All providers", &[PROVIDER], VARIANTS),
            CompletionCriterion::FileSizes => self.covered("file_sizes", "All file sizes", &[SIZE], VARIANTS),
            CompletionCriterion::Dimensions => {
                let own: Vec<usize> = (SIZE + 1..self.plan.schema.dimensions.len()).collect();
                self.covered("dimensions", "All expected values", &own, "[[record.dimensions]] expected")
            }
            CompletionCriterion::Performance => self.performance(),
            CompletionCriterion::Report => item("report", "Final report", CompletionStatus::Met, "this report".into()),
            CompletionCriterion::Validation => self.validation(),
        }
    }

    fn deployment(&self) -> Completion {
        let event = self.cube.header.timeline.percentages().any(|percentage| percentage == 100.0);
        let stage = self.stages.iter().find(|stage| stage.percentage == 100.0 && stage.groups.all.n > 0);
        let (status, evidence) = match (stage, event) {
            (Some(stage), _) if stage.split.status == SplitStatus::Mismatch => (
                CompletionStatus::NotEvidenced,
                format!(
                    "{} of stage {} still went the old way",
                    self.words().counted(stage.groups.control.n),
                    stage.name
                ),
            ),
            (Some(stage), _) => (
                CompletionStatus::Met,
                format!(
                    "stage {} has {}{}",
                    stage.name,
                    self.words().counted(stage.groups.all.n),
                    if event { "; the log has its rollout_stage event" } else { "" }
                ),
            ),
            (None, true) => (
                CompletionStatus::Met,
                format!("the log has a rollout_stage event at 100 %, but no {} after it", self.words().one),
            ),
            (None, false) => (CompletionStatus::NotEvidenced, format!("no stage at 100 % with {}", self.words().many)),
        };
        item("deployment", "Deployment to 100 %", status, evidence)
    }

    fn criterion(&self, id: &str, label: &str, metric: &str) -> Completion {
        let stage = &self.plan.stages[self.plan.final_stage()].name;
        let found = self.criteria.iter().find(|criterion| criterion.stage == *stage && criterion.metric == metric);
        let Some(criterion) = found else {
            return item(id, label, CompletionStatus::NotEvidenced, "the config asks for nothing".into());
        };
        let status = match criterion.status {
            Status::Met | Status::Exceeded | Status::NotJudged => CompletionStatus::Met,
            Status::NotMet => CompletionStatus::NotMet,
            Status::Open | Status::NotMeasured => CompletionStatus::NotEvidenced,
        };
        let evidence = match criterion.value.map(|value| format::figure(value, criterion.ci, &criterion.unit)) {
            None => criterion.reason.clone().unwrap_or_else(|| format::NOT_MEASURED.into()),
            Some((value, None)) => format!("{value} in stage {stage}"),
            Some((value, Some(interval))) => format!("{value} ({interval}) in stage {stage}"),
        };
        item(id, label, status, evidence)
    }

    fn tests(&self) -> Completion {
        let phases = &self.tests.phases;
        if phases.is_empty() {
            let evidence = "the config names no [[tests]]".into();
            return item("tests", "Tests", CompletionStatus::NotEvidenced, evidence);
        }
        let expected = phases.iter().map(|phase| phase.expected).sum::<u64>();
        if phases.iter().all(|phase| phase.files.is_empty()) {
            let tests = format::counted(expected, "test");
            let evidence = format!("no test results were read; {tests} {} expected", format::are(expected));
            return item("tests", "Tests", CompletionStatus::NotEvidenced, evidence);
        }
        let sum = |of: fn(&TestPhase) -> u64| phases.iter().map(of).sum::<u64>();
        let bad = sum(|phase| phase.failed + phase.errors);
        let (missing, skipped) = (sum(|phase| phase.missing), sum(|phase| phase.skipped));
        let disagreement = phases.iter().flat_map(|phase| &phase.disagreements).next();
        let status = match (bad, missing + skipped, disagreement) {
            (0, 0, None) => CompletionStatus::Met,
            (0, _, _) => CompletionStatus::NotEvidenced,
            _ => CompletionStatus::NotMet,
        };
        let told = disagreement.map(|sentence| format!("; {sentence}")).unwrap_or_default();
        let evidence = format!(
            "{} passed of {}; {} failed, {} skipped, {} missing{told}",
            format::count(sum(|phase| phase.passed)),
            format::counted(expected, "expected test"),
            format::count(bad),
            format::count(skipped),
            format::count(missing)
        );
        item("tests", "Tests", status, evidence)
    }

    /// Whether the treated path has carried every value that the plan expects of some dimensions.
    fn covered(&self, id: &str, label: &str, dimensions: &[usize], listed: &str) -> Completion {
        let wanted: Vec<(usize, String)> = dimensions
            .iter()
            .flat_map(|dimension| wanted(self.plan, *dimension).into_iter().map(|(_, name)| (*dimension, name)))
            .collect();
        if wanted.is_empty() {
            return item(id, label, CompletionStatus::NotEvidenced, format!("the config lists none under {listed}"));
        }
        let carried =
            |(dimension, name): &(usize, String)| self.carried.by_value[*dimension].get(name).copied().unwrap_or(0);
        let least = self.plan.variants.min_uploads.max(1);
        let missing: Vec<&str> =
            wanted.iter().filter(|value| carried(value) < least).map(|(_, name)| name.as_str()).collect();
        if missing.is_empty() {
            let counts: Vec<String> =
                wanted.iter().map(|value| format!("{}: {}", value.1, format::count(carried(value)))).collect();
            return item(
                id,
                label,
                CompletionStatus::Met,
                format!("treated {} by name: {}", self.words().many, counts.join(", ")),
            );
        }
        let evidence = format!("too few treated {} of {}", self.words().many, missing.join(", "));
        item(id, label, CompletionStatus::NotEvidenced, evidence)
    }

    /// Follows from the recorded review and from nothing else.
    fn validation(&self) -> Completion {
        let (status, evidence) = match self.validation {
            None => (CompletionStatus::NotEvidenced, "no answer of the external reviewer was recorded".into()),
            Some(review) if !review.current => (
                CompletionStatus::NotEvidenced,
                format!(
                    "the answer recorded {} is to other figures than these",
                    self.words().date_time(&review.recorded_at)
                ),
            ),
            Some(review) => {
                // Approval of claims that were not looked at is none.
                let unsettled = is_open(review) || review.not_answered > 0;
                let status = match (review.verdict.as_str(), unsettled) {
                    ("rejected", _) => CompletionStatus::NotMet,
                    ("approved", false) => CompletionStatus::Met,
                    _ => CompletionStatus::NotEvidenced,
                };
                (status, told(review))
            }
        };
        item("validation", "External validation", status, evidence)
    }

    fn performance(&self) -> Completion {
        let of = |status: fn(Status) -> bool| -> Vec<&str> {
            let judged = self.improvements.iter().filter(|improvement| improvement.decides());
            let found = judged.filter(|improvement| status(improvement.status));
            found.map(|improvement| improvement.id.as_str()).collect()
        };
        let judged = self.improvements.iter().filter(|improvement| improvement.decides()).count();
        let missed = of(|status| status == Status::NotMet);
        let open = of(|status| matches!(status, Status::Open | Status::NotMeasured));
        let (status, evidence) = if !missed.is_empty() {
            (CompletionStatus::NotMet, format!("not met: {}", missed.join(", ")))
        } else if !open.is_empty() {
            (CompletionStatus::NotEvidenced, format!("open or not measured: {}", open.join(", ")))
        } else if judged == 0 {
            (CompletionStatus::NotEvidenced, "the config sets no target".into())
        } else {
            (CompletionStatus::Met, format!("all {judged} improvements reach their targets"))
        };
        item("performance", "Performance targets", status, evidence)
    }
}
