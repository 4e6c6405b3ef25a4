//! The rules of ARCHITECTURE.md: who may use what.

use super::{files_below, repository};

/// Paths below src (with `/`), and the code without its unit tests.
fn sources() -> Vec<(String, String)> {
    files_below(&repository("src"))
        .into_iter()
        .map(|(path, bytes)| {
            let text = String::from_utf8(bytes).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
            (path.to_string_lossy().replace('\\', "/"), code)
        })
        .collect()
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
fn polars_stays_in_the_cube() {
    only(&["polars"], &["cube/"]);
}

#[test]
fn templates_and_charts_stay_in_render() {
    only(&["tera::", "plotters::"], &["render/"]);
}

#[test]
fn clap_stays_at_the_door() {
    only(&["use clap", "clap::"], &["main.rs", "cli.rs", "simulate/scenario.rs"]);
}

#[test]
fn files_are_touched_in_few_places() {
    only(
        &["std::fs", "File::open", "File::create"],
        &[
            "config/mod.rs",
            "ingest/source.rs",
            "evidence/mod.rs",
            "cube/store.rs",
            "output.rs",
            "reports.rs",
            "bundle/",
        ],
    );
}

#[test]
fn only_main_prints() {
    only(&["stdout()", "stderr()", "println!", "eprintln!"], &["main.rs"]);
}

#[test]
fn leaves_use_nothing_of_ours_and_floors_look_up_only() {
    let floors: [(&str, &[&str]); 11] = [
        ("error.rs", &[]),
        ("metric.rs", &[]),
        ("report/model.rs", &[]),
        ("report/model/", &[]),
        ("stats/", &["stats"]),
        ("config/", &["config", "error"]),
        ("evidence/", &["evidence", "config", "error"]),
        ("ingest/", &["ingest", "config", "error", "phases"]),
        ("cube/", &["cube", "ingest", "config", "error", "phases"]),
        ("render/", &["render", "report", "format", "metric", "output"]),
        (
            "bundle/",
            &[
                "bundle", "config", "ingest", "evidence", "cube", "report", "render", "format", "output", "error",
                "phases",
            ],
        ),
    ];
    for (path, code) in sources() {
        let Some((_, allowed)) = floors.iter().find(|(prefix, _)| path.starts_with(prefix)) else { continue };
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for used in line.split("crate::").skip(1) {
                let module: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                assert!(module.is_empty() || allowed.contains(&module.as_str()), "{path} uses crate::{module}: {line}");
            }
        }
    }
}

#[test]
fn files_stay_readable() {
    for (path, code) in sources() {
        let lines = code.lines().count();
        assert!(lines <= 620, "{path} has {lines} lines: split it");
        assert!(code.starts_with("//!"), "{path} does not say what it is for");
    }
}
