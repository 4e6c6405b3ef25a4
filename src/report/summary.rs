//! The executive summary: three to six plain sentences. A figure enters a sentence only as a claim.

use super::changes::{Digits, before_and_now, changed, within_the_hours};
use super::model::{
    Answer, Criterion, DecisionValue, Finding, Gate, IntentionToTreat, Report, Severity, SplitStatus, Status, Trigger,
    TriggerSeverity,
};
use super::words::{
    accepted_text, answer_text, attempt_text, decision_meaning, decision_words, dimensions, join,
    left_out_interval_text, status_word,
};
use crate::format;
use crate::schema::record::Words;

/// Share of fallbacks from which the summary tells what leaving them out would have claimed.
const FALLBACKS_WORTH_A_SENTENCE: f64 = 0.01;

/// Figures that are told to be others with what is left out.
const MOST_DIFFERENCES: usize = 3;

/// Most sentences: a reader has one minute.
const MOST_SENTENCES: usize = 6;

/// The decision and its main reason first, then what changed, what went wrong, and what the figures hide.
pub fn summary(report: &Report) -> Vec<String> {
    let mut sentences = vec![decision(report)];
    sentences.extend(changed(report, Digits::Interval));
    sentences.extend(within_the_hours(report, Digits::Interval));
    sentences.extend(beside(report, MOST_SENTENCES.saturating_sub(sentences.len())));
    sentences
}

/// How much there was to see, what is worse, and what the figures hide, in at most so many sentences, or two.
fn beside(report: &Report, most: usize) -> Vec<String> {
    let mut sentences = vec![scope(report)];
    let caveats: Vec<String> = fallbacks(&report.intention_to_treat).into_iter().chain(doubts(report)).collect();
    // Where something worse is to be told, what is not worse stands in its section alone.
    let worse = !report.regressions.found.is_empty();
    sentences.extend(regressions(report).filter(|_| worse || caveats.len() < 2));
    let room = most.saturating_sub(sentences.len()).max(1);
    let split = caveats.len().min(room) - usize::from(caveats.len() > room);
    sentences.extend_from_slice(&caveats[..split]);
    if split < caveats.len() {
        // The last place takes all that is left.
        let rest: Vec<&str> = caveats[split..].iter().map(|text| text.trim_end_matches('.')).collect();
        sentences.push(format!("{}.", rest.join("; also: ")));
    }
    sentences
}

/// The sentences that the page shows below its table: those of the summary that are no part of [`lead`].
pub fn rest(report: &Report) -> Vec<String> {
    let led = 1
        + changed(report, Digits::Interval).iter().count()
        + within_the_hours(report, Digits::Interval).iter().count();
    report.summary.iter().skip(led).cloned().collect()
}

fn decision(report: &Report) -> String {
    let told: Vec<String> = std::iter::once(reasons(report)).chain(left_out(report)).collect();
    let told = told.join(" ");
    let accepted: Vec<String> =
        report.decision.accepted.iter().map(|accepted| accepted_text(accepted, &report.words)).collect();
    if accepted.is_empty() { told } else { format!("{told} Accepted by people: {}.", accepted.join("; ")) }
}

/// What people left out, and what would be different with it; `None` where nothing is.
pub fn left_out(report: &Report) -> Option<String> {
    let left_out = report.left_out.as_ref()?;
    let intervals: Vec<String> =
        left_out.intervals.iter().map(|interval| left_out_interval_text(interval, &report.words)).collect();
    let decision = match left_out.decision.value {
        same if same == report.decision.value => "the decision would be the same".to_owned(),
        other => format!("the decision would be {}", decision_words(other).0),
    };
    let other = report.headlines.iter().filter_map(|line| {
        let with = left_out.headlines.iter().find(|other| other.metric == line.metric)?;
        let unit = &report.metric(&line.metric)?.unit;
        let [own, with] = [line, with].map(|line| before_and_now(line, unit));
        let label = line.label.to_lowercase();
        let differ = |when: usize| own[when].as_ref().zip(with[when].as_ref()).filter(|(own, with)| own != with);
        match (differ(1), differ(0)) {
            (Some((own, with)), _) => Some(format!("{label} {with} instead of {own}")),
            (None, Some((own, with))) => Some(format!("{label} {with} before instead of {own}")),
            (None, None) => None,
        }
    });
    let other: Vec<String> = std::iter::once(decision).chain(other.take(MOST_DIFFERENCES)).collect();
    Some(format!("Left out by people: {}. With them {}.", intervals.join("; "), join(&other, "and")))
}

fn reasons(report: &Report) -> String {
    let (word, meaning) = (decision_words(report.decision.value).0, decision_meaning(report));
    match reason(report) {
        None => format!("{word}: {meaning}."),
        Some(told) if report.decision.reasons.is_empty() => format!("{word}: {meaning}; {told}."),
        Some(told) => format!("{word}: {meaning}, {told}."),
    }
}

/// Why, without the decision itself: `for 2 reasons, the first: …`, or what is to be known beside it.
fn reason(report: &Report) -> Option<String> {
    let decision = &report.decision;
    let Some(first) = decision.reasons.first() else {
        return to_know(report).map(|told| format!("to know: {told}"));
    };
    let first = first.text.trim_end_matches('.');
    Some(match decision.reasons.iter().filter(|reason| reason.level == decision.value).count() as u64 {
        1 => format!("for one reason: {first}"),
        count => format!("for {} reasons, the first: {first}", format::count(count)),
    })
}

/// What stands beside the decision's own words: its reason, what changed, and, where the rollout goes on, whether the hours
/// of the split say the same. The summary's other sentences are of the whole log.
pub fn lead(report: &Report) -> Vec<String> {
    let why = reason(report).map(|told| format!("{}.", format::capitalised(&told)));
    let goes_on = report.decision.value == DecisionValue::Go;
    // Against a reason, what was reached beside it is no news: the table has it.
    let digits = if goes_on { Digits::Value } else { Digits::ValueAlone };
    let within = within_the_hours(report, digits).filter(|_| goes_on);
    why.into_iter().chain(changed(report, digits)).chain(within).chain(left_out(report)).collect()
}

/// What does not decide, and must not be missed: an incident that was answered, and what the log leaves open.
fn to_know(report: &Report) -> Option<String> {
    let of_all = |trigger: &&Trigger| trigger.fired && trigger.severity == TriggerSeverity::Rollback;
    let answered = report.triggers.iter().filter(of_all).find(|trigger| trigger.answer.is_some());
    let answered = answered.or_else(|| report.triggers.iter().filter(of_all).find(|trigger| trigger.control_only));
    let incident = answered.map(|trigger| {
        if trigger.control_only {
            let when = report.words.period(&trigger.from, &trigger.to);
            return format!("an incident of {} alone in stage {} ({when})", report.words.control, trigger.stage);
        }
        let answer = answer_text(trigger).map_or_else(String::new, |answer| format!(", {answer}"));
        format!("an incident in stage {} ({}){answer}", trigger.stage, report.words.period(&trigger.from, &trigger.to))
    });
    let rejected = match report.data_quality.rejected_total {
        0 => None,
        count => Some(format!("{} of the log {} rejected", format::counted(count, "line"), format::were(count))),
    };
    // A stage that an earlier attempt went through is missing in this one alone.
    let visited = |finding: &Finding| {
        let empty = finding.id.strip_prefix("data_quality.empty_stage.");
        empty
            .is_some_and(|empty| report.attempts.iter().flat_map(|attempt| &attempt.stages).any(|stage| stage == empty))
    };
    let mut warnings = report.data_quality.findings.iter().filter(|finding| finding.severity == Severity::Warning);
    let warning = warnings.find(|finding| !visited(finding));
    let told: Vec<String> = earlier(report)
        .into_iter()
        .chain(incident)
        .chain(rejected)
        .chain(warning.map(|finding| finding.text.clone()))
        .take(2)
        .collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// How the attempts before this one ended.
fn earlier(report: &Report) -> Option<String> {
    let (_, earlier) = report.attempts.split_last()?;
    let told: Vec<String> = earlier.iter().map(|attempt| attempt_text(attempt, &report.words)).collect();
    (!told.is_empty()).then(|| join(&told, "and"))
}

/// How much there was to see, the criteria, and whether an alarm went off.
fn scope(report: &Report) -> String {
    let Report { words, stages, criteria, triggers, .. } = report;
    let measured = stages.iter().filter(|stage| stage.groups.all.n > 0);
    let count = measured.clone().count() as u64;
    let uploads: u64 = measured.map(|stage| stage.groups.all.n).sum();
    if count == 0 {
        return format!("The log holds no usable {}: nothing is measured.", words.one);
    }
    let holds = match earlier(report) {
        Some(earlier) => format!("{}. Attempt {} holds", format::capitalised(&earlier), report.attempts.len()),
        None => "The log holds".into(),
    };
    let log = match (&report.day, stages.last()) {
        (Some(_), Some(day)) => format!(
            "The day has {}, {} of them treated",
            words.counted(day.groups.all.n),
            format::count(day.groups.treated.n)
        ),
        _ => format!("{holds} {} in {}", words.counted(uploads), format::counted(count, "stage")),
    };
    let incidents = incidents(words, triggers);
    match criteria_text(criteria) {
        Some(criteria) => format!("{log}: {criteria}, and {incidents}."),
        None => format!("{log}; {incidents}."),
    }
}

fn criteria_text(criteria: &[Criterion]) -> Option<String> {
    if criteria.is_empty() {
        return None;
    }
    let count = |status| criteria.iter().filter(|criterion| criterion.status == status).count();
    let met = count(Status::Met);
    let mut text = match met {
        all if all == criteria.len() => format!("all {all} stage criteria are met"),
        met => format!("{met} of {} stage criteria are met", criteria.len()),
    };
    let not_met: Vec<String> = criteria
        .iter()
        .filter(|criterion| criterion.status == Status::NotMet)
        .map(|criterion| format!("{} at {}", criterion.label.to_lowercase(), criterion.stage))
        .collect();
    let words = status_word(Status::NotMet);
    match not_met.len() {
        0 => {}
        few @ 1..=3 => text.push_str(&format!(", {few} {words} ({})", not_met.join(", "))),
        many => text.push_str(&format!(", {many} {words}")),
    }
    for (status, words) in
        [(Status::Open, status_word(Status::Open)), (Status::NotMeasured, status_word(Status::NotMeasured))]
    {
        if count(status) > 0 {
            text.push_str(&format!(", {} {words}", count(status)));
        }
    }
    Some(text)
}

fn incidents(words: &Words, triggers: &[Trigger]) -> String {
    // One outage pulls several triggers in both scopes: stretches of time are counted, not triggers.
    let mut stretches: Vec<(&str, &str, &str)> = Vec::new();
    let mut unanswered = 0;
    let is_meant =
        |trigger: &&Trigger| trigger.fired && trigger.severity == TriggerSeverity::Rollback && !trigger.control_only;
    for trigger in triggers.iter().filter(is_meant) {
        let (from, to) = (trigger.from.as_str(), trigger.to.as_str());
        let known = stretches.iter().any(|(stage, start, end)| *stage == trigger.stage && *start <= to && from <= *end);
        if !known {
            stretches.push((&trigger.stage, from, to));
            unanswered += usize::from(trigger.answer != Some(Answer::InTime) && !trigger.both_arms);
        }
    }
    let Some((stage, from, to)) = stretches.first() else { return "no rollback trigger fired".into() };
    let where_ = format!("{} in stage {stage}", words.period(from, to));
    let (count, place) = match stretches.len() as u64 {
        1 => ("a rollback incident".to_owned(), where_),
        count => (format!("{} rollback incidents", format::count(count)), format!("the first {where_}")),
    };
    let answered = match unanswered {
        0 => "answered by a rollback within 5 minutes".to_owned(),
        missed if missed == stretches.len() => "not answered by a rollback within 5 minutes".into(),
        missed => format!("{missed} not answered by a rollback within 5 minutes"),
    };
    format!("{count} ({place}) happened, {answered}")
}

fn regressions(report: &Report) -> Option<String> {
    let regressions = &report.regressions;
    if regressions.tested == 0 {
        return None;
    }
    let margin = format::share(regressions.margin);
    let names = join(&dimensions(&report.comparisons), "or");
    let found = match regressions.found.len() as u64 {
        0 => format!("no {names} is shown to be worse by more than {margin}"),
        1 => format!("one figure of a {names} is worse by more than {margin}"),
        found => format!("{} figures of a {names} are worse by more than {margin}", format::count(found)),
    };
    let open = match regressions.open {
        0 => String::new(),
        open => format!(
            ", while {} of {} cannot be told from this log",
            format::count(open),
            format::count(regressions.tested)
        ),
    };
    Some(format!("{}{open}.", format::capitalised(&found)))
}

/// Of the stage with most fallbacks, where there are enough to matter; the others stand below.
fn fallbacks(stages: &[IntentionToTreat]) -> Option<String> {
    let worth = |stage: &&IntentionToTreat| stage.fallback_rate.is_some_and(|rate| rate >= FALLBACKS_WORTH_A_SENTENCE);
    stages.iter().filter(worth).max_by_key(|stage| stage.fallbacks).map(|stage| stage.text.clone())
}

/// What makes the figures above hard to read as they are.
fn doubts(report: &Report) -> Vec<String> {
    let mut sentences = Vec::new();
    let moved: Vec<String> = report
        .improvements
        .iter()
        .filter(|improvement| improvement.mix_changed)
        .filter_map(|improvement| {
            let adjusted = improvement.adjusted.as_ref()?.value;
            let label = improvement.label.to_lowercase();
            Some(format!("{label} would be {}", format::value(adjusted, &improvement.unit)))
        })
        .collect();
    if !moved.is_empty() {
        sentences
            .push(format!("The mix changed between the stages: with the baseline's mix, {}.", join(&moved, "and")));
    }
    let wrong: Vec<String> = report
        .stages
        .iter()
        .filter(|stage| stage.split.status == SplitStatus::Mismatch)
        .map(|stage| stage.name.clone())
        .collect();
    if !wrong.is_empty() {
        let stages = if wrong.len() == 1 { "stage" } else { "stages" };
        sentences.push(format!("The traffic split of {stages} {} is not what was set.", join(&wrong, "and")));
    }
    if report.data_quality.gate == Gate::Failed {
        sentences.push("The log fails the data-quality gate: read every figure with the findings below.".into());
    }
    sentences
}
