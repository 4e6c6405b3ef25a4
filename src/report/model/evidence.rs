//! What speaks for the rollout beside its log.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tests {
    pub phases: Vec<TestPhase>,
    pub coverage: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TestPhase {
    pub name: String,
    pub expected: u64,
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
    pub errors: u64,
    /// Expected tests that no result speaks of.
    pub missing: u64,
    pub files: Vec<String>,
    /// Failed and errored tests: the first 100.
    pub failing: Vec<FailingTest>,
    /// Suites whose own counts are not those of their cases, as sentences: the first 100.
    #[serde(default)]
    pub disagreements: Vec<String>,
    /// Tests that both failed and passed in one suite of this run.
    pub flaky: Vec<String>,
    /// Passed in the run before, and not in this one; `null` without a run before.
    pub regressed: Option<Vec<String>>,
    /// Failed in the run before, and passed in this one.
    pub fixed: Option<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FailingTest {
    pub name: String,
    pub message: String,
}

/// Markdown that people wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    #[schemars(extend("enum" = ["findings", "lessons_learned", "recommendations"]))]
    pub kind: String,
    pub file: String,
    pub markdown: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Completion {
    pub id: String,
    pub label: String,
    pub status: CompletionStatus,
    pub evidence: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CompletionStatus {
    Met,
    NotMet,
    NotEvidenced,
}

/// The external review, as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Validation {
    pub consultation_id: Option<String>,
    /// `approved`, `approved_with_objections` or `rejected`.
    pub verdict: String,
    /// The bundle that was answered, `sha256:…`.
    pub bundle: String,
    pub recorded_at: String,
    /// Whether the figures that were answered are those of this report.
    pub current: bool,
    /// Claims by answer.
    pub agreed: u64,
    pub disagreed: u64,
    pub cannot_tell: u64,
    pub not_answered: u64,
    /// Every claim that the reviewer was asked about.
    pub claims: Vec<ClaimReview>,
    pub questions: Vec<QuestionReview>,
    /// Open, in the reviewer's words.
    pub objections: Vec<String>,
    /// The answer's file, relative to the config.
    pub file: String,
}

/// What the reviewer said of a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClaimReview {
    pub id: String,
    /// `agree`, `disagree` or `cannot_tell`; `null` where the answer leaves it out.
    pub answer: Option<String>,
    pub comment: String,
}

/// What the reviewer said to a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuestionReview {
    pub id: String,
    pub answer: String,
}
