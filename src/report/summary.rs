//! The executive summary: three to six plain sentences. A figure enters a sentence only as a claim.

use super::claims::improvement_id;
use super::model::{
    Answer, Claim, Criterion, Gate, Headline, Improvement, IntentionToTreat, Reading, Report, Severity, SplitStatus, Status, Trigger,
    TriggerSeverity,
};
use super::words::{
    accepted_text, answer_text, attempt_text, change_text, decision_meaning, decision_words, dimensions, join, status_word,
};
use crate::format;
use crate::metric::{Estimator, Metric, Share, Unit};

/// Share of fallbacks from which the summary tells what leaving them out would have claimed.
const FALLBACKS_WORTH_A_SENTENCE: f64 = 0.01;

/// Why no improvement can be claimed where all failed.
pub const NOTHING_SUCCEEDED: &str = "nothing succeeded in the final stage";

/// Most sentences: a reader has one minute.
const MOST_SENTENCES: usize = 6;

/// The decision and its main reason first, then what changed, what went wrong, and what the figures hide.
pub fn summary(report: &Report) -> Vec<String> {
    let mut sentences = vec![decision(report)];
    sentences.extend(changed(report));
    sentences.extend(within_the_hours(report));
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
    let led = 1 + changed(report).iter().count() + within_the_hours(report).iter().count();
    report.summary.iter().skip(led).cloned().collect()
}

fn decision(report: &Report) -> String {
    let told = reasons(report);
    let accepted: Vec<String> = report.decision.accepted.iter().map(accepted_text).collect();
    if accepted.is_empty() { told } else { format!("{told} Accepted by people: {}.", accepted.join("; ")) }
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

/// What stands beside the decision's own words: its reason, what changed, and whether the hours of the split say the
/// same. The summary's other sentences are of the whole log.
pub fn lead(report: &Report) -> Vec<String> {
    let why = reason(report).map(|told| format!("{}.", format::capitalised(&told)));
    why.into_iter().chain(changed(report)).chain(within_the_hours(report)).collect()
}

/// What does not decide, and must not be missed: an incident that was answered, and what the log leaves open.
fn to_know(report: &Report) -> Option<String> {
    let of_all = |trigger: &&Trigger| trigger.fired && trigger.severity == TriggerSeverity::Rollback;
    let answered = report.triggers.iter().filter(of_all).find(|trigger| trigger.answer.is_some());
    let incident = answered.map(|trigger| {
        let answer = answer_text(trigger).map_or_else(String::new, |answer| format!(", {answer}"));
        format!("an incident in stage {} ({}){answer}", trigger.stage, format::period(&trigger.from, &trigger.to))
    });
    let rejected = match report.data_quality.rejected_total {
        0 => None,
        count => Some(format!("{} of the log {} rejected", format::counted(count, "line"), format::were(count))),
    };
    let warning = report.data_quality.findings.iter().find(|finding| finding.severity == Severity::Warning);
    let told: Vec<String> =
        incident.into_iter().chain(rejected).chain(warning.map(|finding| finding.text.clone())).take(2).collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// What changed from the baseline, how that stands against the targets, and what was not measured.
fn changed(report: &Report) -> Option<String> {
    let Report { claims, improvements, .. } = report;
    if improvements.iter().any(|improvement| improvement.reason.as_deref() == Some(NOTHING_SUCCEEDED)) {
        return Some("Nothing succeeded in the final stage: what fell since the baseline is no saving.".into());
    }
    let now = report.headlines.iter().find_map(|line| line.now.as_ref());
    let stage = now.and_then(|now| now.group.rsplit_once('/')).map(|(stage, _)| stage);
    if let Some(stage) = stage.filter(|stage| report.stages.last().is_some_and(|last| last.name != *stage)) {
        return so_far(report, stage);
    }
    let told: Vec<String> = improvements.iter().filter_map(|improvement| change(report, claims, improvement)).collect();
    let missing: Vec<String> = improvements
        .iter()
        .filter(|improvement| improvement.status == Status::NotMeasured)
        .map(|improvement| {
            let reason = improvement.reason.as_deref().unwrap_or("an ingredient is missing");
            format!("{} ({reason})", noun(report, improvement))
        })
        .collect();
    let measured = improvements.iter().filter(|improvement| improvement.status != Status::NotMeasured);
    let told: Vec<String> = failures(report).into_iter().chain(told).collect();
    if told.is_empty() {
        return (!missing.is_empty()).then(|| format!("Not measured: the change of {}.", join(&missing, "and")));
    }
    let mut parts = vec![format!("Compared with the baseline, {}", join(&told, "and"))];
    parts.extend(against_targets(report, measured));
    if !missing.is_empty() {
        parts.push(format!("not measured: {}", join(&missing, "and")));
    }
    Some(format!("{}.", parts.join("; ")))
}

/// How many fail, before and now.
fn failures(report: &Report) -> Option<String> {
    let metric = report.metric_by(Estimator::Rate(Share::Failures))?;
    let line = report.headlines.iter().find(|line| line.metric == metric.id)?;
    before_and_now(metric, line)
}

/// `failed uploads fell from 5.1 % to 0.13 %`
fn before_and_now(metric: &Metric, line: &Headline) -> Option<String> {
    let show = |reading: &Reading| format::figure(reading.value, reading.ci, &metric.unit).0;
    let (before, now) = (line.before.as_ref()?, line.now.as_ref()?);
    let label = line.label.to_lowercase();
    let (then, since) = (show(before), show(now));
    Some(match line.change.as_ref().and_then(|change| change.ci) {
        Some(ends) if ends.low > 1.0 => format!("{label} rose from {then} to {since}"),
        Some(ends) if ends.high < 1.0 => format!("{label} fell from {then} to {since}"),
        _ => format!("{label} show no sure change ({then}, now {since})"),
    })
}

/// Before the final stage: what the stage that was reached shows.
fn so_far(report: &Report, stage: &str) -> Option<String> {
    let told = report.headlines.iter().filter_map(|line| {
        let metric = report.metric(&line.metric)?;
        if metric.estimator == Estimator::Rate(Share::Failures) {
            return before_and_now(metric, line);
        }
        // What is not sure yet stands in the table.
        let change = line.change.as_ref().filter(|change| change.ci.is_some_and(|ends| !ends.holds(1.0)))?;
        let label = line.label.replace(", mean", "");
        let mut letters = label.chars();
        let label: String = letters.next()?.to_lowercase().chain(letters).collect();
        let (shown, interval) = change_text(change.ratio, change.ci);
        Some(format!("{label} {shown}{}", interval.map_or_else(String::new, |ends| format!(" ({ends})"))))
    });
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| format!("So far, at stage {stage}, compared with the baseline: {}.", join(&told, "and")))
}

/// Whether the split explains what changed: said where it explains all of it.
fn within_the_hours(report: &Report) -> Option<String> {
    let same = |line: &&Headline| {
        let (within, since) = (line.same_hours.as_ref()?.ci?, line.change.as_ref()?.ci?);
        Some((within.is_apart_from(since), within.holds(1.0)))
    };
    let known: Vec<&Headline> = report.headlines.iter().filter(|line| same(line).is_some()).collect();
    let explains = |line: &&Headline| same(line) == Some((false, false));
    // One line that the hours do not explain is a sentence of its own, where it is told.
    if known.is_empty() || known.iter().any(|line| same(line).is_some_and(|(apart, _)| apart)) {
        return None;
    }
    let told: Vec<String> = known
        .into_iter()
        .filter(explains)
        .filter_map(|line| {
            let label = line.label.to_lowercase().replace(", mean", "").replace(',', "");
            let within = line.same_hours.as_ref()?;
            Some(format!("{label} {}", change_text(within.value, within.ci).0))
        })
        .collect();
    (!told.is_empty()).then(|| {
        format!(
            "Side by side in the same hours the difference is the same ({}): it is {} that made it, not the weeks.",
            join(&told, "and"),
            report.words.treated
        )
    })
}

/// What changed, as a sentence calls it.
fn noun(report: &Report, improvement: &Improvement) -> String {
    match improvement.id.as_str() {
        "memory_reduction" => "memory".into(),
        "throughput_ratio" => "throughput".into(),
        "latency_reduction" => "latency".into(),
        "timeout_reduction" => "timeouts".into(),
        _ => report.label(&improvement.metric).to_lowercase().replace(", mean", "").replace(',', ""),
    }
}

/// `memory fell by 85.1 % (84.0 to 86.0)`
fn change(report: &Report, claims: &[Claim], improvement: &Improvement) -> Option<String> {
    let told = change_alone(report, claims, improvement)?;
    if let Some(doubt) = &improvement.reason {
        return Some(format!("{told}, but {doubt}"));
    }
    // Where the hours themselves explain it, the rollout does not.
    match improvement
        .same_hours
        .as_ref()
        .filter(|same| same.ci.zip(improvement.ci).is_some_and(|(a, b)| a.is_apart_from(b)))
    {
        Some(same) => {
            let explained = format::estimate(same.value, same.ci, &improvement.unit);
            Some(format!("{told}, of which the split in the same hours explains {explained}"))
        }
        None => Some(told),
    }
}

fn change_alone(report: &Report, claims: &[Claim], improvement: &Improvement) -> Option<String> {
    let id = improvement_id(improvement);
    let claim = claims.iter().find(|claim| claim.id == id)?;
    let unit = &improvement.unit;
    let noun = noun(report, improvement);
    let is_ratio = *unit == Unit::Ratio;
    let same = if is_ratio { 1.0 } else { 0.0 };
    if claim.ci.is_some_and(|ends| ends.holds(same)) {
        let estimate = format::estimate(claim.value, claim.ci, unit);
        let of = if is_ratio { "of its old level" } else { "less" };
        let verb = if noun.ends_with('s') { "show" } else { "shows" };
        return Some(format!("{noun} {verb} no sure change ({estimate} {of})"));
    }
    if is_ratio {
        let direction = if claim.value >= 1.0 { "rose" } else { "fell" };
        return Some(format!("{noun} {direction} to {} its old level", format::estimate(claim.value, claim.ci, unit)));
    }
    if claim.value >= 0.0 {
        return Some(format!("{noun} fell by {}", format::estimate(claim.value, claim.ci, unit)));
    }
    // A negative reduction is a rise: the interval turns over with it.
    let turned = claim.ci.map(|ends| ends.turned(|end| -end));
    Some(format!("{noun} rose by {}", format::estimate(-claim.value, turned, unit)))
}

/// How the judged ones stand; nothing where no target was set.
fn against_targets<'a>(report: &Report, measured: impl Iterator<Item = &'a Improvement>) -> Option<String> {
    let judged: Vec<&Improvement> = measured.filter(|improvement| improvement.target.is_some()).collect();
    let of = |wanted: &[Status]| -> Vec<String> {
        judged
            .iter()
            .filter(|improvement| wanted.contains(&improvement.status))
            .map(|known| noun(report, known))
            .collect()
    };
    let (reached, missed, open) = (of(&[Status::Met, Status::Exceeded]), of(&[Status::NotMet]), of(&[Status::Open]));
    match judged.len() {
        0 => return None,
        1 if reached.len() == 1 => return Some("the target is reached".into()),
        count if reached.len() == count => return Some(format!("all {count} targets are reached")),
        _ => {}
    }
    let mut parts = Vec::new();
    for (names, words) in [(missed, "missed"), (open, status_word(Status::Open)), (reached, "reached")] {
        match names.len() {
            0 => {}
            1 => parts.push(format!("the target of {} is {words}", names[0])),
            _ => parts.push(format!("the targets of {} are {words}", join(&names, "and"))),
        }
    }
    Some(parts.join(", "))
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
    let log = format!("{holds} {} in {}", words.counted(uploads), format::counted(count, "stage"));
    let incidents = incidents(triggers);
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
    let missed: Vec<String> = criteria
        .iter()
        .filter(|criterion| criterion.status == Status::NotMet)
        .map(|criterion| format!("{} at {}", criterion.label.to_lowercase(), criterion.stage))
        .collect();
    match missed.len() {
        0 => {}
        few @ 1..=3 => text.push_str(&format!(", {few} missed ({})", missed.join(", "))),
        many => text.push_str(&format!(", {many} missed")),
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

fn incidents(triggers: &[Trigger]) -> String {
    // One outage pulls several triggers in both scopes: stretches of time are counted, not triggers.
    let mut stretches: Vec<(&str, &str, &str)> = Vec::new();
    let mut unanswered = 0;
    for trigger in triggers.iter().filter(|trigger| trigger.fired && trigger.severity == TriggerSeverity::Rollback) {
        let (from, to) = (trigger.from.as_str(), trigger.to.as_str());
        let known = stretches.iter().any(|(stage, start, end)| *stage == trigger.stage && *start <= to && from <= *end);
        if !known {
            stretches.push((&trigger.stage, from, to));
            unanswered += usize::from(trigger.answer != Some(Answer::InTime));
        }
    }
    let Some((stage, from, to)) = stretches.first() else { return "no rollback trigger fired".into() };
    let where_ = format!("{} in stage {stage}", format::period(from, to));
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
