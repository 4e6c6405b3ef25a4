//! Which format a log is in, by its first rows.

use std::sync::Arc;

use super::inputs::{self, Inputs};
use super::json::is_without_row;
use super::node::{self, Node};
use super::rows::{self, Columns};
use super::source::{self, Source};
use crate::config::Plan;
use crate::error::{Error, Position, Result, did_you_mean};
use crate::schema::condition::Condition;
use crate::schema::mapping::{Form, Mapping, form};
use crate::schema::matcher::pattern;
use crate::schema::path::{Origin, Path};
use crate::schema::presets::{self, Preset};
use crate::schema::source::Parse;

/// Lines that are looked at.
const LINES: usize = 200;
/// Of these so many must fit.
const SHARE: f64 = 0.5;

/// A preset that fits.
#[derive(Debug)]
pub struct Recognised {
    pub name: &'static str,
    pub preset: &'static Preset,
    /// Lines that fit, of those that were looked at.
    pub fits: usize,
    pub of: usize,
}

/// The plan's logs and cubes, each log with what reads it: a source of the config, else the preset that fits its first
/// lines where the plan has what that needs.
///
/// # Errors
/// See [`inputs::resolve`].
pub fn inputs(plan: &Plan) -> Result<Inputs> {
    let mut inputs = inputs::resolve(plan)?;
    columns_are_there(&inputs)?;
    if plan.presets.is_empty() {
        return Ok(inputs);
    }
    for log in &mut inputs.logs {
        let is_named = log.mapping.as_deref().is_some_and(|mapping| !mapping.is_own());
        let found = if is_named { None } else { recognise(&source::head(log)) };
        if let Some(mapping) = found.and_then(|found| plan.presets.get(found.name)) {
            log.mapping = Some(Arc::clone(mapping));
        }
    }
    Ok(inputs)
}

/// A column that a mapping names, and no file of its source has, is a word that was written wrong.
fn columns_are_there(inputs: &Inputs) -> Result<()> {
    // By mapping: what no file had so far, with the first file and its columns.
    let mut absent: Vec<(&Arc<Mapping>, &Source, Columns, Vec<String>)> = Vec::new();
    for log in &inputs.logs {
        let Some(mapping) = log.mapping.as_ref().filter(|mapping| mapping.preset().is_none()) else { continue };
        let known = absent.iter_mut().find(|(of, ..)| Arc::ptr_eq(of, mapping));
        let all_found = known.as_ref().is_some_and(|(.., names)| names.is_empty());
        if all_found || !matches!(mapping.form, Form::Csv { .. }) {
            continue;
        }
        let columns = rows::columns_of(&mapping.form, &source::head(log));
        if columns.is_empty() {
            continue;
        }
        let missing = not_among(mapping, &columns);
        match known {
            Some((.., names)) => names.retain(|name| missing.contains(name)),
            None => absent.push((mapping, log, columns, missing)),
        }
    }
    let Some((_, log, columns, names)) = absent.into_iter().find(|(.., names)| !names.is_empty()) else {
        return Ok(());
    };
    let near = did_you_mean(&names[0], columns.iter().map(String::as_str));
    Err(Error::new(format!("no column is called {:?}{near}", names[0]))
        .at(Position::at(&log.name, 1, 1))
        .help(format!("the columns are {}", columns.join(", "))))
}

/// The columns of which a mapping needs one and finds none.
fn not_among(mapping: &Mapping, columns: &[String]) -> Vec<String> {
    let is_there = |path: &&Path| {
        let name = path.keys().map(|keys| keys.join("."));
        path.origin != Origin::Row || name.is_none_or(|name| columns.contains(&name))
    };
    let groups = mapping.alternatives().into_iter().filter(|paths| !paths.is_empty() && !paths.iter().any(is_there));
    groups.map(|paths| paths[0].text.clone()).collect()
}

/// The preset that fits the first bytes of a log best: the one that asks for most.
pub fn recognise(head: &[u8]) -> Option<Recognised> {
    let text = String::from_utf8_lossy(head);
    let lines = whole_lines(&text, head.len());
    let nodes: Vec<Node<'_>> = lines.iter().filter_map(|line| node::of_line(line).ok()).collect();
    let fitting = presets::all().filter_map(|(name, preset)| {
        let fits = fits(preset, &lines, &nodes, head)?;
        let specific = preset.signs.len().max(usize::from(preset.source.parse == Some(Parse::Regex)) * 10);
        (fits as f64 >= SHARE * lines.len() as f64 && fits > 0)
            .then_some((specific, Recognised { name, preset, fits, of: lines.len() }))
    });
    fitting.max_by_key(|(specific, found)| (*specific, found.fits)).map(|(_, found)| found)
}

/// The first lines that are there as a whole and may hold a row.
pub fn whole_lines(text: &str, bytes: usize) -> Vec<&str> {
    let text = text.trim_start_matches(super::native::BEFORE_A_LINE);
    // A head that is cut ends in the middle of a line, but for the only one.
    let cut = bytes >= super::source::HEAD_BYTES && !text.ends_with('\n');
    let whole = if cut { text.rfind('\n').map_or(text, |end| &text[..end]) } else { text };
    whole.lines().filter(|line| !line.trim().is_empty() && !is_without_row(line.as_bytes())).take(LINES).collect()
}

fn fits(preset: &Preset, lines: &[&str], nodes: &[Node<'_>], head: &[u8]) -> Option<usize> {
    let form = form(&preset.source).ok()?;
    match &form {
        Form::Json { .. } => {
            let signs: Vec<Path> = preset.signs.iter().filter_map(|sign| Path::parse(sign).ok()).collect();
            let has_all = |node: &&Node<'_>| signs.iter().all(|sign| node.find(&sign.steps).is_some());
            (!signs.is_empty()).then(|| nodes.iter().filter(has_all).count())
        }
        Form::Csv { .. } => {
            let columns = rows::columns_of(&form, head);
            let known = !preset.signs.is_empty() && preset.signs.iter().all(|sign| columns.contains(sign));
            known.then_some(lines.len())
        }
        Form::Pattern { .. } => {
            let pattern = pattern(preset.source.pattern.as_deref()?).ok()?;
            let meant = preset.source.drop.iter().filter_map(|text| Condition::parse(text).ok());
            let dropped: Vec<_> = meant.collect();
            let own =
                |line: &&&str| pattern.is_match(line) || dropped.iter().any(|condition| condition.holds(Some(line)));
            let matched = lines.iter().any(|line| pattern.is_match(line));
            matched.then(|| lines.iter().filter(own).count())
        }
    }
}

/// Exports that hold sums in place of rows: no quantile of somebody else's is taken for one's own.
const AGGREGATED: [(&str, &[&str], &str); 6] = [
    (
        "Locust's statistics",
        &["Request Count", "Failure Count", "Median Response Time"],
        "write the requests: a listener of events.request that appends start_time, response_time, name and exception to a file",
    ),
    (
        "Locust's history of statistics",
        &["User Count", "Requests/s", "Total Request Count"],
        "write the requests: a listener of events.request that appends start_time, response_time, name and exception to a file",
    ),
    (
        "a report of Artillery",
        &["aggregate", "intermediate"],
        "let Artillery's plugin or a hook write one line for each response",
    ),
    ("a summary of k6", &["metrics", "root_group"], "run k6 with --out json=FILE, which writes every sample"),
    (
        "a report of vegeta",
        &["latencies", "status_codes", "success"],
        "encode the results instead: vegeta encode results.bin",
    ),
    ("JMeter's statistics", &["Label", "# Samples", "Average"], "give the .jtl file, not the listener's table"),
];

/// What an aggregated export is, and how to come by the rows.
pub fn aggregated(head: &[u8]) -> Option<(&'static str, &'static str)> {
    let text = String::from_utf8_lossy(head);
    let start = text.trim_start_matches(super::native::BEFORE_A_LINE).trim_start();
    let first = start.lines().next().unwrap_or_default();
    let keys: Vec<String> = match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(start) {
        Ok(object) => object.keys().cloned().collect(),
        Err(_) if start.starts_with('{') => {
            // An object over several lines, perhaps cut: its keys stand between quotes.
            AGGREGATED
                .iter()
                .flat_map(|(_, keys, _)| *keys)
                .filter(|key| text.contains(&format!("\"{key}\"")))
                .map(|key| (*key).to_owned())
                .collect()
        }
        Err(_) => first.split([',', ';', '\t']).map(|name| name.trim().trim_matches('"').to_owned()).collect(),
    };
    let is = |names: &[&str]| names.iter().all(|name| keys.iter().any(|key| key == name));
    AGGREGATED.iter().find(|(_, names, _)| is(names)).map(|(what, _, way)| (*what, *way))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(head: &str, want: Option<&str>) {
        assert_eq!(recognise(head.as_bytes()).map(|found| found.name), want, "{head}");
    }

    #[test]
    fn logs_are_known_by_their_rows() {
        check(
            r#"{"execution_type": "async", "success": true, "duration_ms": 18.2, "timestamp": "2025-11-12T08:15:30"}"#,
            Some("upload"),
        );
        check(r#"{"provider": "kimi", "start_ts": 1.5, "latency_ms": 2.5, "ok": true}"#, Some("tool-calls"));
        check(
            "{\"type\":\"Metric\",\"data\":{\"name\":\"http_reqs\"},\"metric\":\"http_reqs\"}\n{\"type\":\"Point\",\"metric\":\"vus\",\"data\":{\"time\":\"2026-01-01T00:00:00Z\",\"value\":1,\"tags\":{}}}",
            Some("k6-json"),
        );
        check("timeStamp,elapsed,label,responseCode,success\n1,2,a,200,true\n", Some("jtl-csv"));
        check("2026-01-01 something happened\n", None);
        check("", None);
        assert_eq!(
            aggregated(b"Type,Name,Request Count,Failure Count,Median Response Time\n").unwrap().0,
            "Locust's statistics"
        );
        assert!(aggregated(b"{\n  \"aggregate\": {},\n  \"intermediate\": []").is_some());
        assert!(aggregated(b"{\"a\": 1}\n").is_none());
    }
}
