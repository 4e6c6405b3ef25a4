//! How one figure or finding of a report came about: formula, inputs, n, interval, threshold, and what would change it.

use super::charts::improvement_target;
use super::escape::plain;
use super::marks;
use crate::format;
use crate::metric::{Metric, Unit};
use crate::report::claims::{criterion_id, improvement_id};
use crate::report::model::{Comparison, Criterion, Direction, Figure, Group, Improvement, Report, Status};
use crate::report::words::{answer_text, change_text, completion_word, decision_words, join, status_word};

/// `None` where the report has nothing of this id.
pub fn explain(report: &Report, id: &str) -> Option<String> {
    let found = figure(report, id)
        .or_else(|| {
            report.criteria.iter().find(|known| criterion_id(known) == id).map(|known| criterion(report, known))
        })
        .or_else(|| report.improvements.iter().find(|known| improvement_id(known) == id).map(improvement))
        .or_else(|| {
            let of = |known: &&Comparison| format!("comparisons.{}", known.id) == id;
            report.comparisons.iter().find(of).map(|known| comparison(report, known))
        })
        .or_else(|| finding(report, id))?;
    let mut lines = vec![id.to_owned()];
    lines.extend(found);
    lines.extend(decides(report, id));
    Some(lines.iter().map(|line| plain(line) + "\n").collect())
}

/// Every id that can be asked for.
pub fn ids(report: &Report) -> Vec<String> {
    let mut ids: Vec<String> = report.claims.iter().map(|claim| claim.id.clone()).collect();
    ids.extend(report.criteria.iter().map(criterion_id));
    ids.extend(report.improvements.iter().map(improvement_id));
    ids.extend(report.comparisons.iter().map(|comparison| format!("comparisons.{}", comparison.id)));
    ids.extend(report.triggers.iter().map(|trigger| trigger.id.clone()));
    ids.extend(report.data_quality.findings.iter().map(|finding| finding.id.clone()));
    ids.extend(report.completion.iter().map(|item| format!("completion.{}", item.id)));
    ids.sort();
    ids.dedup();
    ids
}

fn group<'a>(report: &'a Report, stage: &str, arm: &str) -> Option<&'a Group> {
    let groups = &report.stages.iter().find(|known| known.name == stage)?.groups;
    groups.named().into_iter().find(|(name, _)| *name == arm).map(|(_, group)| group)
}

/// `stages.STAGE.ARM.METRIC`; a stage's name may hold dots.
fn figure(report: &Report, id: &str) -> Option<Vec<String>> {
    let mut parts = id.strip_prefix("stages.")?.rsplitn(3, '.');
    let (metric, arm, stage) = (parts.next()?, parts.next()?, parts.next()?);
    let (group, metric) = (group(report, stage, arm)?, report.metric(metric)?);
    let mut lines = vec![format!("  {} of stage {stage}, {arm}", metric.label.to_lowercase())];
    match group.figure(&metric.id) {
        Some(figure) => lines.extend(of_figure(report, metric, figure)),
        None => {
            let reason = group.not_measured.get(&metric.id).map_or("no reason given", String::as_str);
            lines.push(format!("  {}: {reason}", format::NOT_MEASURED));
            lines.push(format!("  formula    {}", metric.definition));
        }
    }
    lines.push(inputs(report));
    Some(lines)
}

fn of_figure(report: &Report, metric: &Metric, figure: &Figure) -> Vec<String> {
    let mut lines = vec![
        format!("  value      {}", format::estimate(figure.value, figure.ci, &metric.unit)),
        format!("  formula    {}", metric.definition),
        format!("  n          {}, in {}", report.words.counted(figure.n), format::counted(figure.hours, "hour")),
        format!("  interval   {}", figure.interval_method.map_or("none is defined", marks::method)),
    ];
    if let Some(effect) = figure.design_effect {
        lines.push(format!(
            "  hours      design effect {effect:.2}: records of an hour are alike, as {} independent ones would be",
            format::count((figure.n as f64 / effect) as u64)
        ));
    }
    lines.extend(marks::warnings(&figure.warnings).map(|told| format!("  warning    {told}")));
    lines
}

fn inputs(report: &Report) -> String {
    let files: Vec<String> = report.inputs.iter().take(3).map(|input| input.path.clone()).collect();
    let more = match report.inputs.len() - files.len() {
        0 => String::new(),
        more => format!(" and {}", format::counted(more as u64, "further file")),
    };
    format!("  inputs     {}{more}", files.join(", "))
}

fn criterion(report: &Report, criterion: &Criterion) -> Vec<String> {
    let Criterion { stage, label, unit, status, threshold, direction, .. } = criterion;
    let sign = if *direction == Direction::AtLeast { "at least" } else { "at most" };
    let mut lines = vec![
        format!("  {} of stage {stage} ({}): {}", label.to_lowercase(), criterion.scope, status_word(*status)),
        match criterion.value {
            Some(value) => format!("  value      {}", format::estimate(value, criterion.ci, unit)),
            None => format!("  {}: {}", format::NOT_MEASURED, criterion.reason.as_deref().unwrap_or("no reason given")),
        },
        format!("  formula    {}", criterion.definition),
        format!("  n          {}", report.words.counted(criterion.n)),
        format!("  threshold  {sign} {}", format::threshold(*threshold, unit)),
    ];
    if let Some((value, ends)) = criterion.value.zip(criterion.ci_every_look) {
        lines.push(format!("  every look {}: the status follows it", format::estimate(value, Some(ends), unit)));
    }
    if let (Status::Open, Some(more)) = (status, criterion.more_needed) {
        lines.push(format!("  changes    about {} like these would settle it", report.words.counted_as(more, "more")));
    }
    if let Some(least) = criterion.smallest_detectable {
        lines.push(format!(
            "  power      a distance of {} from the threshold would have been seen (80 %)",
            format::value(least, unit)
        ));
    }
    lines.extend(criterion.standing.as_ref().map(|standing| format!("  means      {}", standing.text)));
    lines.push(inputs(report));
    lines
}

fn improvement(improvement: &Improvement) -> Vec<String> {
    let Improvement { label, unit, status, reference, candidate, .. } = improvement;
    let mut lines = vec![format!("  {label}: {}", status_word(*status))];
    match improvement.value {
        Some(value) => lines.push(format!("  value      {}", format::estimate(value, improvement.ci, unit))),
        None => lines.push(format!(
            "  {}: {}",
            format::NOT_MEASURED,
            improvement.reason.as_deref().unwrap_or("no reason given")
        )),
    }
    lines.push(format!("  formula    {}, final = {candidate}, baseline = {reference}", improvement.definition));
    if let Some([reference, candidate]) = improvement.n {
        lines.push(format!("  n          {} and {}", format::count(reference), format::count(candidate)));
    }
    lines.extend(improvement.interval_method.map(|used| format!("  interval   {}", marks::method(used))));
    lines.push(format!("  target     {}", improvement_target(improvement)));
    if let Some(same) = &improvement.same_hours {
        let estimate = format::estimate(same.value, same.ci, unit);
        lines.push(format!(
            "  same hours {estimate}, of {}: the status follows it where it knows as much",
            join(&same.stages, "and")
        ));
    }
    if let Some(adjusted) = &improvement.adjusted {
        lines.push(format!("  same mix   {}", format::estimate(adjusted.value, adjusted.ci, unit)));
    }
    if let Some((_, reason)) = improvement.value.zip(improvement.reason.as_ref()) {
        lines.push(format!("  but        {reason}"));
    }
    if let Some(least) = improvement.smallest_detectable {
        lines.push(format!("  power      a change of {} would have been seen (80 %)", format::value(least, unit)));
    }
    lines
}

fn comparison(report: &Report, comparison: &Comparison) -> Vec<String> {
    let mut lines = vec![format!(
        "  {}: {} against {}",
        report.label(&comparison.metric).to_lowercase(),
        comparison.candidate,
        comparison.reference
    )];
    let ratio = |name: &str, ratio: f64, ci| {
        let (change, _) = change_text(ratio, ci);
        format!("  {name} {}, a change of {change}", format::estimate(ratio, ci, &Unit::Ratio))
    };
    lines.extend(comparison.crude.as_ref().map(|crude| ratio("ratio     ", crude.ratio, crude.ci)));
    lines.extend(comparison.adjusted.as_ref().map(|adjusted| ratio("same mix  ", adjusted.ratio, adjusted.ci)));
    if let Some([reference, candidate]) = comparison.n {
        lines.push(format!("  n          {} and {}", format::count(reference), format::count(candidate)));
    }
    lines.extend(comparison.p_adjusted.map(|p| format!("  corrected  {}, for testing many", format::p_value(p))));
    lines.extend(comparison.reason.as_ref().map(|reason| format!("  {}: {reason}", format::NOT_MEASURED)));
    lines.extend(marks::warnings(&comparison.warnings).map(|told| format!("  warning    {told}")));
    lines
}

/// Triggers, findings of the data quality, completion.
fn finding(report: &Report, id: &str) -> Option<Vec<String>> {
    if let Some(trigger) = report.triggers.iter().find(|trigger| trigger.id == id) {
        let mut lines = vec![
            format!("  {} in stage {} ({})", trigger.trigger.replace('_', " "), trigger.stage, trigger.scope),
            format!("  when       {}", report.words.period(&trigger.from, &trigger.to)),
            format!(
                "  seen       {}, {} in {}",
                trigger.text,
                report.words.counted(trigger.n),
                format::counted(trigger.windows, "window")
            ),
        ];
        lines.extend(trigger.p_value.map(|p| format!("  chance     {}", format::p_value(p))));
        lines.extend(answer_text(trigger).map(|answer| format!("  answer     {answer}")));
        return Some(lines);
    }
    if let Some(finding) = report.data_quality.findings.iter().find(|finding| finding.id == id) {
        return Some(vec![format!("  {}", finding.text)]);
    }
    let item = report.completion.iter().find(|item| format!("completion.{}", item.id) == id)?;
    Some(vec![format!("  {}: {}", item.label, completion_word(item.status)), format!("  evidence   {}", item.evidence)])
}

/// What it means for the decision, and what to do about it.
fn decides(report: &Report, id: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for reason in report.decision.reasons.iter().filter(|reason| reason.finding == id) {
        lines.push(format!("  decides    {}: {}", decision_words(reason.level).0.to_lowercase(), reason.text));
    }
    lines.extend(
        report.next_steps.iter().filter(|step| step.finding == id).map(|step| format!("  next       {}", step.text)),
    );
    lines
}
