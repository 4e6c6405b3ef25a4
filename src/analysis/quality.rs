//! How far can the log be trusted? Every line accounted for, and what a reader must know of it.

use super::group::StageData;
use super::outages;
use super::plausibility;
use super::sampling;
use super::series::CLOCK_HOURS;
use super::stage_events;
use std::collections::BTreeMap;

use crate::config::Plan;
use crate::cube::Cube;
use crate::cube::slice::Arm;
use crate::format::{self, rfc3339_minute};
use crate::ingest::ledger::{Example, FileLedger};
use crate::ingest::reject::RejectReason;
use crate::report::model::{
    DataQuality, Finding, Gap, Gate, Input, Rejected, RejectedExample, Severity, SplitStatus, Stage,
};
use crate::schema::record::Words;

/// Examples of each reason that the report shows.
const EXAMPLES_SHOWN: usize = 5;
/// Minutes without an upload that count as a gap.
const GAP_MINUTES: i64 = 60;
/// Gaps that are listed: the longest ones.
const GAPS_SHOWN: usize = 20;

/// The files of the log.
pub(super) fn inputs(cube: &Cube) -> Vec<Input> {
    let input = |file: &FileLedger| Input {
        path: file.path.clone(),
        bytes: file.bytes,
        digest: file.digest.clone(),
        lines: file.lines,
        records: file.uploads,
        events: file.events,
        rejected: file.rejected_total(),
        blank: file.blank,
        other_rows: file.other_rows,
        other_tries: file.other_tries,
        format: file.format.clone(),
    };
    cube.header.files.iter().map(input).collect()
}

/// Rejected lines, duplicates, gaps and findings.
pub(super) fn quality(
    plan: &Plan,
    cube: &Cube,
    data: &[StageData],
    stages: &[Stage],
    of_attempts: Vec<Finding>,
) -> DataQuality {
    let files = &cube.header.files;
    let rejected_total: u64 = files.iter().map(FileLedger::rejected_total).sum();
    let rows: u64 = files.iter().map(FileLedger::rows).sum();
    let rejected_share = if rows == 0 { 0.0 } else { rejected_total as f64 / rows as f64 };
    let (duplicates, at_least) = cube.request_ids.duplicates();
    let mut quality = DataQuality {
        gate: Gate::Passed,
        rejected_total,
        rejected_share,
        max_rejected_share: plan.input.max_rejected_share,
        rejected: rejected(files),
        duplicate_request_ids: duplicates,
        duplicate_request_ids_at_least: at_least,
        out_of_order: files.iter().map(|file| file.out_of_order).sum(),
        gaps: gaps(plan, data),
        findings: Vec::new(),
    };
    let mut findings = log_findings(&plan.schema.words, &quality, files);
    findings.extend(sampling::other_tries(plan, cube));
    findings.extend(wrong_clock(&plan.schema.words, &mut quality.gaps));
    findings.extend(gap_finding(&quality.gaps));
    keep_longest(&mut quality.gaps);
    findings.extend(stage_events::findings(plan, cube));
    findings.extend(of_attempts);
    findings.extend(stage_findings(plan, data, stages));
    findings.extend(dimension_findings(cube));
    findings.extend(plausibility::findings(plan, stages));
    findings.extend(outages::findings(plan, data));
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        quality.gate = Gate::Failed;
    }
    findings.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.id.cmp(&b.id)));
    quality.findings = findings;
    quality
}

fn rejected(files: &[FileLedger]) -> Vec<Rejected> {
    let mut counts: BTreeMap<RejectReason, (u64, Vec<RejectedExample>)> = BTreeMap::new();
    for file in files {
        for (reason, count) in &file.rejected {
            counts.entry(*reason).or_default().0 += count;
        }
        for example in &file.examples {
            let examples = &mut counts.entry(example.reason).or_default().1;
            if examples.len() < EXAMPLES_SHOWN {
                examples.push(shown(file, example));
            }
        }
    }
    let rejected =
        |(reason, (count, examples)): (RejectReason, _)| Rejected { reason: reason.word().into(), count, examples };
    counts.into_iter().map(rejected).collect()
}

fn shown(file: &FileLedger, example: &Example) -> RejectedExample {
    RejectedExample {
        path: file.path.clone(),
        line: example.line,
        column: example.column,
        text: example.text.clone(),
        message: example.message.clone(),
    }
}

/// Runs of at least an hour within a stage in which no upload ended.
fn gaps(plan: &Plan, data: &[StageData]) -> Vec<Gap> {
    let mut gaps = Vec::new();
    for (stage, data) in plan.stages.iter().zip(data) {
        for (last, next) in data.quiet(plan) {
            let missing = next - last - 1;
            if missing >= GAP_MINUTES {
                gaps.push(Gap {
                    stage: stage.name.clone(),
                    from: rfc3339_minute(last + 1),
                    to: rfc3339_minute(next),
                    minutes: missing as u64,
                });
            }
        }
    }
    gaps
}

/// Leaves the longest gaps, in time order.
fn keep_longest(gaps: &mut Vec<Gap>) {
    gaps.sort_by(|a, b| b.minutes.cmp(&a.minutes).then_with(|| a.from.cmp(&b.from)));
    gaps.truncate(GAPS_SHOWN);
    gaps.sort_by(|a, b| a.from.cmp(&b.from));
}

const CLOCK_MINUTES: u64 = CLOCK_HOURS as u64 * 60;
const MINUTES_PER_DAY: u64 = 24 * 60;

/// A stretch of years is no gap but a host whose clock is wrong.
fn wrong_clock(words: &Words, gaps: &mut Vec<Gap>) -> Option<Finding> {
    let (years, hours): (Vec<Gap>, Vec<Gap>) = gaps.drain(..).partition(|gap| gap.minutes >= CLOCK_MINUTES);
    *gaps = hours;
    let longest = years.iter().max_by_key(|gap| gap.minutes)?;
    let text = format!(
        "stage {} has records dated {} apart, and none between {}: is a clock wrong? The chart over time leaves out the fewer",
        longest.stage,
        format::counted(longest.minutes / MINUTES_PER_DAY, "day"),
        words.period(&longest.from, &longest.to)
    );
    Some(Finding::of_quality("wrong_clock", Severity::Warning, text))
}

fn gap_finding(gaps: &[Gap]) -> Option<Finding> {
    let longest = gaps.iter().max_by_key(|gap| gap.minutes)?;
    let text = format!(
        "{} of an hour or more without any record; the longest lasts {} (stage {})",
        format::counted(gaps.len() as u64, "gap"),
        format::counted(longest.minutes, "minute"),
        longest.stage
    );
    Some(Finding::of_quality("gaps", Severity::Info, text))
}

fn log_findings(words: &Words, quality: &DataQuality, files: &[FileLedger]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let limit = format::share(quality.max_rejected_share);
    if quality.rejected_share > quality.max_rejected_share {
        let text = format!(
            "{} of the log {} rejected, {}; more than {limit} fail the data-quality gate",
            format::counted(quality.rejected_total, "line"),
            format::were(quality.rejected_total),
            format::value(quality.rejected_share, &crate::metric::Unit::Fraction)
        );
        findings.push(Finding::of_quality("rejected_share", Severity::Error, text));
    } else if quality.rejected_total > 0 {
        let text = format!(
            "{} of the log {} rejected; up to {limit} are tolerated",
            format::counted(quality.rejected_total, "line"),
            format::were(quality.rejected_total)
        );
        findings.push(Finding::of_quality("rejected_lines", Severity::Info, text));
    }
    for file in files {
        if let Some(loss) = &file.loss {
            findings.push(Finding::of_quality(
                format!("loss.{}", file.path),
                Severity::Error,
                format!("{}: {loss}", file.path),
            ));
        }
        if file.lines == 0 {
            findings.push(Finding::of_quality(
                format!("empty.{}", file.path),
                Severity::Warning,
                format!("{}: the file is empty", file.path),
            ));
        }
    }
    findings.extend(read_twice(quality, files));
    findings.extend(rejected_events(files));
    findings.extend(contradictions(words, files));
    findings.extend(without_duration(words, files));
    findings.extend(sampling::sampled(words, files));
    if quality.duplicate_request_ids > 0 {
        let at_least = if quality.duplicate_request_ids_at_least { "at least " } else { "" };
        let text = format!(
            "{at_least}{} {} a request id; all are counted",
            words.counted(quality.duplicate_request_ids),
            if quality.duplicate_request_ids == 1 { "repeats" } else { "repeat" }
        );
        findings.push(Finding::of_quality("duplicate_request_ids", Severity::Warning, text));
    }
    if quality.out_of_order > 0 {
        let text = format!(
            "{} {} older than what stands on the line before",
            words.counted(quality.out_of_order),
            format::are(quality.out_of_order)
        );
        findings.push(Finding::of_quality("out_of_order", Severity::Info, text));
    }
    findings
}

/// One log under two names: the same bytes, or the same lines packed and plain, told by their counts and by request ids
/// that repeat as often as there are uploads.
fn read_twice(quality: &DataQuality, files: &[FileLedger]) -> Option<Finding> {
    let counts = |file: &FileLedger| (file.lines, file.uploads, file.events, file.blank, file.rejected_total());
    let repeats = |file: &FileLedger| quality.duplicate_request_ids >= file.uploads;
    let same = |a: &FileLedger, b: &FileLedger| a.digest == b.digest || counts(a) == counts(b) && repeats(a);
    let mut sorted: Vec<&FileLedger> = files.iter().filter(|file| file.uploads > 0).collect();
    sorted.sort_by_key(|file| (counts(file), &file.digest));
    let pair = sorted.windows(2).find(|pair| same(pair[0], pair[1]))?;
    let text = format!(
        "{} and {} hold the same {}: all of them are counted twice",
        pair[0].path,
        pair[1].path,
        format::counted(pair[0].lines, "line")
    );
    Some(Finding::of_quality("read_twice", Severity::Error, text))
}

/// A stage event that cannot be read moves every upload of its stage.
fn rejected_events(files: &[FileLedger]) -> Option<Finding> {
    let total: u64 = files.iter().filter_map(|file| file.rejected_events).map(|(count, _)| count).sum();
    let (file, (_, line)) = files.iter().find_map(|file| Some((file, file.rejected_events?)))?;
    let text = format!(
        "{} that {} like an event {} rejected, the first is {}:{line}: a lost stage event moves all that belongs to its stage",
        format::counted(total, "line"),
        if total == 1 { "looks" } else { "look" },
        format::were(total),
        file.path
    );
    Some(Finding::of_quality("rejected_events", Severity::Error, text))
}

/// Share of the uploads that may say two things at once before nobody knows what succeeded.
const CONTRADICTIONS: f64 = 0.001;
/// Error types that are named.
const TYPES_NAMED: usize = 5;

fn contradictions(words: &Words, files: &[FileLedger]) -> Option<Finding> {
    let mut types: BTreeMap<&str, u64> = BTreeMap::new();
    for (error_type, count) in files.iter().flat_map(|file| &file.contradictions) {
        *types.entry(error_type).or_default() += count;
    }
    let (total, uploads): (u64, u64) = (types.values().sum(), files.iter().map(|file| file.uploads).sum());
    let mut named: Vec<(&str, u64)> = types.into_iter().collect();
    named.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
    let names: Vec<&str> = named.iter().take(TYPES_NAMED).map(|(name, _)| *name).collect();
    let text = format!(
        "{} {} an error ({}): they are counted as successes",
        words.counted(total),
        if total == 1 { "says success and names" } else { "say success and name" },
        names.join(", ")
    );
    let severity = if total as f64 > CONTRADICTIONS * uploads as f64 { Severity::Error } else { Severity::Warning };
    (total > 0).then(|| Finding::of_quality("contradictions", severity, text))
}

fn without_duration(words: &Words, files: &[FileLedger]) -> Option<Finding> {
    let total: u64 = files.iter().map(|file| file.without_duration).sum();
    let text = format!(
        "{} {} no duration: counted as failures, and in no duration or busy second",
        words.counted_as(total, "failed"),
        if total == 1 { "has" } else { "have" }
    );
    (total > 0).then(|| Finding::of_quality("without_duration", Severity::Info, text))
}

fn stage_findings(plan: &Plan, data: &[StageData], stages: &[Stage]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for ((stage, data), shown) in plan.stages.iter().zip(data).zip(stages) {
        let all = data.arm(Arm::All);
        if all.uploads() == 0 {
            let text = format!("stage {} has no {}: nothing of it is measured", stage.name, plan.schema.words.many);
            findings.push(Finding::of_quality(format!("empty_stage.{}", stage.name), Severity::Warning, text));
            continue;
        }
        let many = &plan.schema.words.many;
        for (index, measure) in plan.schema.measures.iter().enumerate() {
            let carrying: u64 = all.hours.iter().map(|hour| hour.measures[index].n).sum();
            if carrying > 0 && carrying < all.uploads() {
                let text = format!(
                    "stage {}: {} of {} carry {name}; its figures are of those",
                    stage.name,
                    format::count(carrying),
                    plan.schema.words.counted(all.uploads()),
                    name = measure.text()
                );
                let id = format!("{}_coverage.{}", measure.name, stage.name);
                findings.push(Finding::of_quality(id, Severity::Info, text));
            }
        }
        if shown.split.status == SplitStatus::Mismatch {
            let share = |share: Option<f64>| {
                share.map_or_else(String::new, |share| format::value(share, &crate::metric::Unit::Fraction))
            };
            let chance = shown.split.p_value.map_or_else(String::new, |p| format!(" ({})", format::p_value(p)));
            let text = format!(
                "stage {}: {} of the {many} are treated where {} were set{chance}: the traffic split is not what was set",
                stage.name,
                share(shown.split.observed_share),
                format::share(shown.split.expected_share.unwrap_or_default())
            );
            findings.push(Finding::of_quality(format!("split.{}", stage.name), Severity::Warning, text));
        }
    }
    findings
}

fn dimension_findings(cube: &Cube) -> Vec<Finding> {
    let header = &cube.header;
    let rules = &header.rules.dimensions;
    let mut findings = Vec::new();
    // Of those that are told no more there are no names left to be too many.
    let told = rules.len() - header.absorbed_dimensions;
    let names = rules.iter().take(told).map(|rule| rule.name.as_str()).zip(&header.dimensions);
    for (name, _) in names.chain([("error type", &header.error_types)]).filter(|(_, names)| names.overflowed) {
        let (id, name) = (name.replace(' ', "_"), format!("{}s", name.replace('_', " ")));
        let text = format!("the log holds too many {name}: all that the config does not list are counted as \"other\"");
        findings.push(Finding::of_quality(format!("too_many_{id}s"), Severity::Warning, text));
    }
    if header.absorbed_dimensions > 0 {
        let lost: Vec<&str> = rules[told..].iter().map(|rule| rule.name.as_str()).collect();
        let text = format!(
            "the log holds more combinations of dimensions than are told apart: {} {} left out of the mix",
            lost.join(", "),
            format::are(lost.len() as u64)
        );
        findings.push(Finding::of_quality("too_many_combinations", Severity::Warning, text));
    }
    findings
}
