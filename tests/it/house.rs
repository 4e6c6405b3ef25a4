//! The rules of ARCHITECTURE.md: who may use what.

use std::collections::{BTreeMap, BTreeSet};

use super::{files_below, repository};

/// Every file, from the ground up: each may use only what stands above it in this list. So there is no circle, and
/// no arrow back.
const HOUSE: &[&str] = &[
    "damage.rs",
    "error.rs",
    "files.rs",
    "packing.rs",
    "digest.rs",
    "quiet.rs",
    "staging.rs",
    "run.rs",
    "clock.rs",
    "metric.rs",
    "format.rs",
    "zone.rs",
    // what a row of a log means
    "schema/mod.rs",
    "schema/matcher.rs",
    "schema/path.rs",
    "schema/condition.rs",
    "schema/unit.rs",
    "schema/source.rs",
    "schema/arms.rs",
    "schema/tries.rs",
    "schema/record.rs",
    "schema/metrics.rs",
    "schema/rule.rs",
    "schema/presets.rs",
    "schema/form.rs",
    "schema/mapping.rs",
    // the validated sections are the plan
    "config/values.rs",
    "config/accept.rs",
    "config/exclude.rs",
    "config/report.rs",
    "config/asked.rs",
    "config/triggers.rs",
    "config/sections.rs",
    "config/overlap.rs",
    "config/by_day.rs",
    "config/plan.rs",
    "config/locate.rs",
    "config/sources.rs",
    "config/validate.rs",
    "config/init.rs",
    "config/mod.rs",
    "config/daily.rs",
    // bytes -> uploads, events, rejects, ledger
    "ingest/mod.rs",
    "ingest/parquet/values.rs",
    "ingest/parquet.rs",
    "ingest/ranged.rs",
    "ingest/feed.rs",
    "ingest/source.rs",
    "ingest/inputs.rs",
    "ingest/reject.rs",
    "ingest/timestamp.rs",
    "ingest/decimal.rs",
    "ingest/json.rs",
    "ingest/layout/scan.rs",
    "ingest/layout/walk.rs",
    "ingest/layout.rs",
    "ingest/record.rs",
    "ingest/native.rs",
    "ingest/node.rs",
    "ingest/quantity.rs",
    "ingest/mapped.rs",
    "ingest/csv.rs",
    "ingest/rows.rs",
    "ingest/learned.rs",
    "ingest/recognise.rs",
    "ingest/survey/field.rs",
    "ingest/survey.rs",
    "ingest/chunks.rs",
    "ingest/timeline.rs",
    "ingest/placement.rs",
    "ingest/ledger.rs",
    "ingest/parts.rs",
    "ingest/unusable.rs",
    "ingest/sample.rs",
    // the mergeable tables
    "cube/histogram.rs",
    "cube/dimension.rs",
    "cube/table.rs",
    "cube/add_up.rs",
    "cube/columns.rs",
    "cube/sort.rs",
    "cube/request_ids.rs",
    "cube/tries.rs",
    "cube/key.rs",
    "cube/segments.rs",
    "cube/header.rs",
    "cube/slice/arm.rs",
    "cube/slice/answers.rs",
    "cube/slice/view.rs",
    "cube/slice/segments.rs",
    "cube/slice/minutes.rs",
    "cube/slice/visits.rs",
    "cube/slice/mod.rs",
    "cube/busy.rs",
    "cube/runs.rs",
    "cube/bins.rs",
    "cube/tiers.rs",
    "cube/cells.rs",
    "cube/partial.rs",
    "cube/renumber.rs",
    "cube/assemble.rs",
    "cube/fold/shared.rs",
    "cube/fold.rs",
    "cube/fold/mapped.rs",
    "cube/passes.rs",
    "cube/mod.rs",
    "cube/check.rs",
    "cube/version_2.rs",
    "cube/place.rs",
    "cube/store.rs",
    "cube/opened.rs",
    "cube/merge.rs",
    "cube/slice/hours.rs",
    // one fold by many processes
    "shards/plan.rs",
    "shards/split.rs",
    "shards/fold.rs",
    "shards/mod.rs",
    // test results, coverage, notes, the review
    "evidence/response.rs",
    "evidence/validation.rs",
    "evidence/text.rs",
    "evidence/junit.rs",
    "evidence/coverage.rs",
    "evidence/mod.rs",
    // the model of the report, its claims, words and summary
    "report/model/evidence.rs",
    "report/model/measured.rs",
    "report/model/judged.rs",
    "report/model/headlines.rs",
    "report/model/mod.rs",
    "report/words.rs",
    "report/claims.rs",
    "report/changes.rs",
    "report/summary.rs",
    "report/mod.rs",
    // one question per file -> its part of the report
    "analysis/group.rs",
    "analysis/replicates.rs",
    "analysis/figure.rs",
    "analysis/validation.rs",
    "analysis/attempts.rs",
    "analysis/up_to.rs",
    "analysis/accepted.rs",
    "analysis/gates.rs",
    "analysis/ratio.rs",
    "analysis/pair.rs",
    "analysis/improvements.rs",
    "analysis/doubts.rs",
    "analysis/decision.rs",
    "analysis/error_types.rs",
    "analysis/intention_to_treat.rs",
    "analysis/triggers/watched.rs",
    "analysis/triggers/burst.rs",
    "analysis/triggers/rates.rs",
    "analysis/triggers/control.rs",
    "analysis/triggers/critical.rs",
    "analysis/triggers/crossings.rs",
    "analysis/triggers/measures.rs",
    "analysis/triggers/memory.rs",
    "analysis/triggers/mod.rs",
    "analysis/change_points.rs",
    "analysis/dimensions.rs",
    "analysis/strata.rs",
    "analysis/comparisons.rs",
    "analysis/next_steps.rs",
    "analysis/split.rs",
    "analysis/stages.rs",
    "analysis/plausibility.rs",
    "analysis/stage_events.rs",
    "analysis/outages.rs",
    "analysis/series.rs",
    "analysis/spreads.rs",
    "analysis/sampling.rs",
    "analysis/quality.rs",
    "analysis/criteria.rs",
    "analysis/same_hours.rs",
    "analysis/looks.rs",
    "analysis/headlines.rs",
    "analysis/left_out.rs",
    "analysis/variants.rs",
    "analysis/error_scenarios.rs",
    "analysis/completion.rs",
    "analysis/tests.rs",
    "analysis/causes.rs",
    "analysis/mod.rs",
    // the report -> what people and machines read
    "render/escape.rs",
    "render/marks.rs",
    "render/charts/canvas.rs",
    "render/charts/chart.rs",
    "render/charts/scale.rs",
    "render/charts/change.rs",
    "render/charts/by_stage.rs",
    "render/charts/trend.rs",
    "render/charts/spreads.rs",
    "render/charts/errors.rs",
    "render/charts/forest.rs",
    "render/charts/latency.rs",
    "render/charts/timeline.rs",
    "render/charts/improvements.rs",
    "render/charts/mod.rs",
    "render/templates.rs",
    "render/dashboard.rs",
    "render/terminal.rs",
    "render/markdown.rs",
    "render/sections/notes.rs",
    "render/sections/error_scenarios.rs",
    "render/anchors.rs",
    "render/sections/triggers.rs",
    "render/sections/validation.rs",
    "render/sections/completion.rs",
    "render/sections/stages.rs",
    "render/sections/comparisons.rs",
    "render/sections/charts.rs",
    "render/sections/inputs.rs",
    "render/sections/regressions.rs",
    "render/sections/improvements.rs",
    "render/sections/attempts.rs",
    "render/sections/change_points.rs",
    "render/sections/headlines.rs",
    "render/sections/strip.rs",
    "render/sections/decision.rs",
    "render/sections/left_out.rs",
    "render/sections/quality.rs",
    "render/sections/tests.rs",
    "render/sections/intention_to_treat.rs",
    "render/sections/variants.rs",
    "render/sections/criteria.rs",
    "render/page.rs",
    "render/mod.rs",
    "render/diff.rs",
    "render/request.rs",
    "render/explain.rs",
    "render/check.rs",
    "render/announce.rs",
    "render/sections/mod.rs",
    "propose.rs",
    "propose/fields.rs",
    "output.rs",
    "figures.rs",
    "browser.rs",
    "reports.rs",
    "pdf.rs",
    // rollouts with a planted truth
    "simulate/scenario.rs",
    "simulate/traffic.rs",
    "simulate/truth.rs",
    "simulate/writer.rs",
    "simulate/shape.rs",
    "simulate/mod.rs",
    // what carries the proof to a reviewer
    "bundle/repository.rs",
    "bundle/keys.rs",
    "bundle/redact.rs",
    "bundle/secrets/rule.rs",
    "bundle/secrets/rules.rs",
    "bundle/secrets/text.rs",
    "bundle/secrets/plausible.rs",
    "bundle/secrets/mod.rs",
    "bundle/payload.rs",
    "bundle/archive.rs",
    "bundle/names.rs",
    "bundle/manifest.rs",
    "bundle/content.rs",
    "bundle/statement.rs",
    "bundle/verify/opened.rs",
    "bundle/verify.rs",
    "bundle/gather.rs",
    "bundle/tokens.rs",
    "bundle/context.rs",
    "bundle/reading_order.rs",
    "bundle/tags.rs",
    "bundle/answer.rs",
    "bundle/mod.rs",
    "lib.rs",
    "growth.rs",
    "daily.rs",
    "cli/diff.rs",
    "cli/input.rs",
    "cli/shards.rs",
    "cli.rs",
    "console.rs",
    // one file a command
    "commands/session.rs",
    "commands/power.rs",
    "commands/doctor.rs",
    "commands/init.rs",
    "commands/inspect.rs",
    "commands/formats.rs",
    "commands/verify.rs",
    "commands/validation.rs",
    "commands/shard.rs",
    "commands/cube.rs",
    "commands/plan.rs",
    "commands/timeline.rs",
    "commands/print.rs",
    "commands/explain.rs",
    "commands/check.rs",
    "commands/report.rs",
    "commands/daily.rs",
    "commands/status.rs",
    "commands/diff.rs",
    "commands/bundle.rs",
    "commands/generate.rs",
    "commands/mod.rs",
    "main.rs",
];

/// Lines of code in a file, unit tests left out.
const MOST_LINES: usize = 420;

/// Paths below src (with `/`), and the code without its unit tests.
fn sources() -> BTreeMap<String, String> {
    files_below(&repository("src"))
        .into_iter()
        .map(|(path, bytes)| (path.to_string_lossy().replace('\\', "/"), String::from_utf8(bytes).unwrap()))
        .filter(|(path, _)| path.ends_with(".rs"))
        .filter(|(path, _)| !path.ends_with("tests.rs") || path == "analysis/tests.rs" || path.contains("sections/"))
        .map(|(path, text)| (path, text.split("#[cfg(test)]").next().unwrap_or_default().to_owned()))
        .collect()
}

/// The code without comments, in one line.
fn plain(code: &str) -> String {
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join(" ")
}

/// The paths that `use` declarations and the code below them name, as lists of words.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let (mut declaration, mut rest) = (String::new(), String::new());
    for line in code.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
        let used = line.strip_prefix("pub use ").or(line.strip_prefix("use "));
        if declaration.is_empty() && used.is_none() {
            rest.push_str(line);
            rest.push(' ');
            continue;
        }
        declaration.push_str(used.filter(|_| declaration.is_empty()).unwrap_or(line));
        if let Some(whole) = declaration.strip_suffix(';') {
            expand(whole, &[], &mut found);
            declaration.clear();
        }
    }
    let starts = |at: usize| at == 0 || !is_path(rest.as_bytes()[at - 1]);
    for root in ["crate::", "super::"] {
        for (at, _) in rest.match_indices(root).filter(|(at, _)| starts(*at)) {
            let path = rest[at..].split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).next().unwrap();
            found.push(path.split("::").map(str::to_owned).collect());
        }
    }
    // Modules that the file declares and uses by name.
    for (at, _) in rest.match_indices("::") {
        let start = rest[..at].rfind(|c: char| !(c.is_alphanumeric() || c == '_')).map_or(0, |before| before + 1);
        let word = &rest[start..at];
        if !matches!(word, "" | "crate" | "super" | "self") && starts(start) {
            found.push(vec![word.to_owned()]);
        }
    }
    found
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_path(byte: u8) -> bool {
    is_word(byte) || byte == b':'
}

/// `a::{b, c::{d, e as f}}` -> `a::b`, `a::c::d`, `a::c::e`
fn expand(tree: &str, prefix: &[String], found: &mut Vec<Vec<String>>) {
    let mut depth = 0;
    let parts = tree.split(|c: char| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    for part in parts.map(str::trim).filter(|part| !part.is_empty()) {
        let words = |text: &str| -> Vec<String> {
            text.split("::").map(|word| word.split_whitespace().next().unwrap_or_default().to_owned()).collect()
        };
        match part.split_once('{') {
            Some((head, tail)) => {
                let head = [prefix, &words(head.trim_end_matches(':'))].concat();
                expand(tail.trim_end().strip_suffix('}').expect("a closed brace"), &head, found);
            }
            None => found.push([prefix, &words(part)].concat()),
        }
    }
}

/// The module that a file is, as a list of words.
fn module(path: &str) -> Vec<String> {
    let words = path.trim_end_matches(".rs").split('/').filter(|word| !matches!(*word, "mod" | "lib" | "main"));
    words.map(str::to_owned).collect()
}

/// The file that a path named in the file `from` leads to; `None` outside the crate.
fn target(from: &str, path: &[String], modules: &BTreeMap<Vec<String>, String>) -> Option<String> {
    let mut base = module(from);
    let mut words = path;
    match path.first()?.as_str() {
        "crate" => {
            base.clear();
            words = &words[1..];
        }
        "super" => {
            while words.first().is_some_and(|word| word == "super") {
                base.pop();
                words = &words[1..];
            }
        }
        "self" => words = &words[1..],
        // A module that the file itself declares.
        word if modules.contains_key(&[base.as_slice(), &[word.to_owned()]].concat()) => {}
        _ => return None,
    }
    let full = [base.as_slice(), words].concat();
    (0..=full.len()).rev().find_map(|length| modules.get(&full[..length]).cloned())
}

#[test]
fn every_file_is_listed_and_uses_only_what_stands_above_it() {
    let sources = sources();
    let listed: BTreeSet<&str> = HOUSE.iter().copied().collect();
    let there: BTreeSet<&str> = sources.keys().map(String::as_str).collect();
    assert_eq!(listed.len(), HOUSE.len(), "a file is listed twice");
    assert_eq!(there.difference(&listed).collect::<Vec<_>>(), Vec::<&&str>::new(), "not in the list");
    assert_eq!(listed.difference(&there).collect::<Vec<_>>(), Vec::<&&str>::new(), "not in src");
    let modules: BTreeMap<Vec<String>, String> =
        sources.keys().filter(|path| *path != "main.rs").map(|path| (module(path), path.clone())).collect();
    let floor = |path: &str| HOUSE.iter().position(|known| *known == path).unwrap();
    let mut arrows = 0;
    for (path, code) in &sources {
        for used in paths(code) {
            let Some(used) = target(path, &used, &modules).filter(|used| used != path) else { continue };
            assert!(floor(&used) < floor(path), "{path} uses {used}, which stands below it in the list");
            arrows += 1;
        }
    }
    // Were nothing found any more, nothing would be checked.
    assert!(arrows > 500, "{arrows} arrows");
}

/// Only files that begin with one of `allowed` may hold one of `words`.
#[track_caller]
fn only(words: &[&str], allowed: &[&str]) {
    let mut used = false;
    for (path, code) in sources() {
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            if words.iter().any(|word| line.contains(word)) {
                assert!(allowed.iter().any(|prefix| path.starts_with(prefix)), "{path}: {line}");
                used = true;
            }
        }
    }
    assert!(used, "nothing uses {words:?}: the rule is out of date");
}

#[test]
fn polars_stays_with_the_tables() {
    only(&["polars"], &["cube/", "ingest/parquet"]);
}

#[test]
fn templates_and_charts_stay_in_render() {
    only(&["tera::", "plotters::"], &["render/"]);
}

#[test]
fn clap_stays_at_the_door() {
    only(&["use clap", "clap::"], &["main.rs", "cli.rs", "cli/", "commands/", "simulate/scenario.rs"]);
}

#[test]
fn files_are_touched_in_few_places() {
    only(
        &["std::fs", "File::open", "File::create"],
        &[
            "files.rs",
            "packing.rs",
            "quiet.rs",
            "staging.rs",
            "ingest/parquet.rs",
            "ingest/inputs.rs",
            "ingest/source.rs",
            "cube/version_2.rs",
            "cube/place.rs",
            "cube/store.rs",
            "shards/split.rs",
            "growth.rs",
            "output.rs",
            "reports.rs",
            "bundle/",
        ],
    );
}

#[test]
fn only_the_console_prints() {
    only(&["stdout()", "stderr()", "println!", "eprintln!"], &["console.rs"]);
}

#[test]
fn the_report_knows_neither_its_makers_nor_its_readers() {
    for (path, code) in sources().into_iter().filter(|(path, _)| path.starts_with("report/")) {
        for above in ["analysis", "config", "ingest", "cube", "render"] {
            assert!(!plain(&code).contains(&format!("crate::{above}")), "{path} uses {above}");
        }
    }
}

#[test]
fn files_stay_readable() {
    for (path, code) in sources() {
        let lines = code.lines().count();
        assert!(lines <= MOST_LINES, "{path} has {lines} lines: split it");
        assert!(code.starts_with("//!"), "{path} does not say what it is for");
    }
    for (path, bytes) in files_below(&repository("crates/stats/src")) {
        let text = String::from_utf8(bytes).unwrap();
        let lines = text.split("#[cfg(test)]").next().unwrap().lines().count();
        assert!(lines <= MOST_LINES, "{} has {lines} lines: split it", path.display());
        assert!(!text.contains("use polars"), "{}: the statistics know nothing of tables", path.display());
    }
}

/// The picture of the house in CONTRIBUTING.md: an arrow where a room uses another, but for those that the others imply.
#[test]
fn the_picture_of_the_house_is_true() {
    let sources = sources();
    let modules: BTreeMap<Vec<String>, String> =
        sources.keys().filter(|path| *path != "main.rs").map(|path| (module(path), path.clone())).collect();
    let room = |path: &str| match path.split_once('/') {
        Some((folder, _)) => folder.to_owned(),
        None if path.contains("console") || path.contains("cli") || path.contains("main") => "commands".into(),
        // What every room stands on, or what puts the rooms together.
        None => String::new(),
    };
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, code) in &sources {
        for used in paths(code).iter().filter_map(|used| target(path, used, &modules)) {
            let (from, to) = (room(path), room(&used));
            if !from.is_empty() && !to.is_empty() && from != to {
                uses.entry(from).or_default().insert(to);
            }
        }
    }
    fn reaches(uses: &BTreeMap<String, BTreeSet<String>>, from: &str, to: &str) -> bool {
        uses.get(from).is_some_and(|next| next.iter().any(|room| room == to || reaches(uses, room, to)))
    }
    let mut picture = String::from("```mermaid\nflowchart TD\n");
    for (from, next) in &uses {
        for to in next {
            if !next.iter().any(|other| other != to && reaches(&uses, other, to)) {
                picture.push_str(&format!("    {from} --> {to}\n"));
            }
        }
    }
    picture.push_str("```\n");
    let told = std::fs::read_to_string(repository("CONTRIBUTING.md")).unwrap();
    assert!(told.contains(&picture), "CONTRIBUTING.md should hold\n{picture}");
}
