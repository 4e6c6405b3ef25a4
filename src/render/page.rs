//! The page and the Markdown: every number already text, every list in its order, section by section.

use base64::Engine;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::anchors::Link;
use super::charts::Chart;
use super::sections::{
    attempts, change_points, charts, comparisons, completion, criteria, decision, error_scenarios, headlines,
    improvements, inputs, intention_to_treat, left_out, notes, quality, regressions, stages, strip, tests, triggers,
    validation, variants,
};
use super::templates::render;
use crate::report::model::{Comparison, CompletionStatus, Report};
use crate::report::summary;
use crate::report::words::{dimensions, join};
use crate::schema::record::Words;

/// What the page runs: a convenience, allowed by its hash alone.
const SCRIPT: &str = include_str!("../../templates/page.js");

/// How often a page loads itself again whose log is watched.
const RELOAD_SECONDS: u32 = 10;

/// What the templates lay out.
#[derive(Serialize)]
pub(super) struct Page<'a> {
    title: &'a str,
    generated_at: String,
    version: &'a str,
    /// Seconds after which the page loads itself again.
    reload_seconds: Option<u32>,
    simulated: Option<&'a str>,
    period: Option<String>,
    words: &'a Words,
    /// The noun at the head of a column.
    records: String,
    /// How many there are.
    counted: String,
    summary: &'a [String],
    /// The sentences beside the verdict, and the others.
    lead: Vec<String>,
    rest: Vec<String>,
    decision: decision::DecisionView,
    next_steps: Vec<Link>,
    not_measured: Vec<Link>,
    headlines: headlines::HeadlinesView,
    strip: Vec<strip::StripView>,
    attempts: Vec<attempts::AttemptView>,
    improvements: Vec<improvements::ImprovementView>,
    criteria: Vec<criteria::CriterionView>,
    criteria_matrix: criteria::MatrixView,
    /// Whether statuses follow intervals that hold at every look.
    every_look: bool,
    pairs: Vec<comparisons::PairView>,
    intention_to_treat: Vec<intention_to_treat::IntentionToTreatView>,
    incidents: Vec<triggers::IncidentView>,
    crossings: Vec<triggers::IncidentView>,
    change_points: Vec<change_points::ChangePointView>,
    searches: Vec<change_points::SearchView>,
    charts: Vec<charts::ChartView<'a>>,
    has_errors: bool,
    matrix: variants::MatrixView,
    /// The dimensions whose mix is held still.
    mix: String,
    scenarios: Vec<error_scenarios::ScenarioView>,
    regressions: regressions::RegressionsView,
    tests: tests::TestsView,
    completion: Vec<completion::CompletionView>,
    /// How many of them are met.
    completed: usize,
    validation: Option<validation::ValidationView>,
    notes: Vec<notes::NoteView>,
    stages: Vec<stages::StageView>,
    quality: quality::QualityView,
    left_out: Option<left_out::LeftOutView>,
    inputs: Vec<inputs::InputView>,
    events: Vec<inputs::EventView>,
    sources: String,
    script: &'static str,
    script_hash: String,
}

impl<'a> Page<'a> {
    /// Lays the report out.
    pub(super) fn new(report: &'a Report, drawn: &'a [Chart], reloads: bool) -> Self {
        let (segments, groups): (Vec<&Comparison>, Vec<&Comparison>) =
            report.comparisons.iter().partition(|comparison| !comparison.segment.is_empty());
        let count = report.stages.iter().map(|stage| stage.groups.all.n).sum();
        Self {
            title: &report.title,
            generated_at: report.words.date_time(&report.generated_at),
            version: &report.generator.version,
            reload_seconds: reloads.then_some(RELOAD_SECONDS),
            simulated: report.simulated.as_deref(),
            period: period(report),
            words: &report.words,
            records: report.words.heading(),
            counted: report.words.counted(count),
            summary: &report.summary,
            lead: summary::lead(report),
            rest: summary::rest(report),
            decision: decision::decision(report),
            next_steps: decision::next_steps(report),
            not_measured: decision::not_measured(report),
            headlines: headlines::headlines(report),
            strip: strip::strip(report),
            attempts: attempts::attempts(report),
            improvements: report.improvements.iter().map(improvements::improvement).collect(),
            criteria_matrix: criteria::matrix(report),
            criteria: report.criteria.iter().map(|item| criteria::criterion(report, item)).collect(),
            every_look: report.criteria.iter().any(|criterion| criterion.ci_every_look.is_some()),
            pairs: comparisons::pairs(report, &groups),
            intention_to_treat: {
                let of_stage = |stage| intention_to_treat::intention_to_treat(report, stage);
                report.intention_to_treat.iter().map(of_stage).collect()
            },
            incidents: triggers::incidents(report),
            crossings: {
                let chance = report.triggers.iter().filter(|trigger| !trigger.fired);
                chance.map(|trigger| triggers::incident(report, trigger)).collect()
            },
            change_points: report
                .change_points
                .iter()
                .map(|point| change_points::change_point(report, point))
                .collect(),
            searches: report.change_point_searches.iter().map(|search| change_points::search(report, search)).collect(),
            charts: drawn.iter().map(charts::chart).collect(),
            has_errors: report.stages.iter().any(|stage| !stage.groups.all.errors.is_empty()),
            matrix: variants::matrix(report),
            mix: join(&dimensions(&report.comparisons), "and"),
            scenarios: report.error_scenarios.iter().map(error_scenarios::scenario).collect(),
            regressions: regressions::regressions(report, &segments),
            tests: tests::tests(report),
            completed: report.completion.iter().filter(|item| item.status == CompletionStatus::Met).count(),
            completion: report.completion.iter().map(completion::completion).collect(),
            validation: report.validation.as_ref().map(|review| validation::validation(&report.words, review)),
            notes: report.notes.iter().map(notes::note).collect(),
            stages: report.stages.iter().map(|stage| stages::stage(report, stage)).collect(),
            quality: quality::quality(report),
            left_out: left_out::left_out(report),
            inputs: report.inputs.iter().map(inputs::input).collect(),
            events: report.events.iter().map(|event| inputs::event(&report.words, event)).collect(),
            sources: inputs::sources(report),
            script: SCRIPT,
            script_hash: base64::engine::general_purpose::STANDARD.encode(Sha256::digest(SCRIPT)),
        }
    }

    /// report.html
    pub(super) fn html(&self) -> String {
        render("report.html", self)
    }

    /// report.md
    pub(super) fn markdown(&self) -> String {
        render("report.md", self)
    }
}

fn period(report: &Report) -> Option<String> {
    let from = report.stages.iter().filter_map(|stage| stage.from.as_deref()).min()?;
    let to = report.stages.iter().filter_map(|stage| stage.to.as_deref()).max()?;
    Some(report.words.period(from, to))
}
