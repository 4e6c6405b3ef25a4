//! Commands, messages and exit codes.

use super::{Place, repository, upload_line};

#[test]
fn the_sample_gives_a_report_that_says_it_is_simulated() {
    let place = Place::new();
    let config = repository("rollout.toml");
    let run = place.run(&["report", "--config", config.to_str().unwrap(), "--out", "out"]).expect(0);
    assert!(run.out.contains("simulated data, not a measurement"), "{}", run.out);
    for file in [
        "report.html",
        "report.md",
        "report.json",
        "charts/improvements.svg",
        "charts/success-rate.svg",
        "charts/latency.svg",
        "charts/timeline.svg",
    ] {
        assert!(!place.read(&format!("out/{file}")).is_empty(), "{file}");
    }
    for page in ["report.html", "report.md"] {
        assert!(place.read(&format!("out/{page}")).contains("Simulated data, not a measurement"), "{page}");
    }
    let html = place.read("out/report.html");
    assert!(
        !html.contains("http://www.w3.org/1999/xlink") && !html.contains("<script src") && !html.contains(" src="),
        "nothing is loaded"
    );
    assert!(html.len() < 1_000_000, "{} bytes", html.len());
}

#[test]
fn check_tells_met_missed_and_open_apart() {
    let place = Place::new();
    place.generate("good.jsonl", "good", 2000);
    place.generate("bad.jsonl", "regression", 30_000);
    // 2000 uploads are too few for the plan, and nothing is bad.
    place.run(&["check", "good.jsonl"]).expect(3);
    place.run(&["check", "bad.jsonl"]).expect(1);
    let lenient = "[[stages]]\nname='baseline'\npercentage=0\n[[stages]]\nname='100%'\npercentage=100\n[stages.criteria]\nsuccess_rate=0.5\nerror_rate=0.5\nlatency_vs_baseline=9\nuploads=1\n[targets]\nmemory_reduction={min=0.01}\nthroughput_ratio={min=0.01}\nlatency_reduction={min=-9}\ntimeout_reduction={min=-99}\n[variants]\nfile_types=['text', 'json', 'csv', 'md', 'python', 'binary']\n[completion]\ncriteria=['deployment', 'success_rate', 'file_types', 'performance']\n";
    place.write("lenient.toml", lenient);
    place.generate("two.jsonl", "good", 4000);
    // Of the stages between the two neither events nor uploads.
    let mut between = false;
    let two: String = place
        .read("two.jsonl")
        .lines()
        .filter(|line| {
            if line.contains("rollout_stage") {
                between = !line.contains("\"percentage\": 100,") && !line.contains("\"percentage\": 0,");
            }
            !between
        })
        .map(|line| format!("{line}\n"))
        .collect();
    place.write("two.jsonl", two);
    place.run(&["check", "--config", "lenient.toml", "two.jsonl"]).expect(0);
    let strict = lenient.replace("memory_reduction={min=0.01}", "memory_reduction={min=0.85}");
    place.write("strict.toml", strict);
    let run = place.run(&["check", "--config", "strict.toml", "--format", "json", "two.jsonl"]);
    let answer: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    let improvement = &answer["improvements"][0];
    let status = improvement["status"].as_str().unwrap();
    assert_eq!(
        run.code,
        match status {
            "met" => 0,
            "not_met" => 1,
            // Open on the right side is a note.
            _ if improvement["value"].as_f64() >= Some(0.85) => 0,
            _ => 3,
        },
        "{status}"
    );
}

#[test]
fn init_writes_a_config_that_works_and_never_over_another() {
    let place = Place::new();
    place.run(&["init"]).expect(0);
    place.write("log.jsonl", upload_line(1));
    place.run(&["report", "-q", "log.jsonl"]).expect(0);
    let run = place.run(&["init"]).expect(2);
    assert_eq!(run.err, "error: rollout.toml: exists already\n  help: remove it first, or give another name\n");
}

#[test]
fn schemas_and_completions_are_printed() {
    let place = Place::new();
    for of in ["config", "report"] {
        let run = place.run(&["schema", of]).expect(0);
        let schema: serde_json::Value = serde_json::from_str(&run.out).unwrap();
        assert_eq!(schema["type"], "object");
    }
    let kept = std::fs::read_to_string(repository("docs/report.schema.json")).unwrap();
    assert_eq!(
        place.run(&["schema", "report"]).out,
        kept,
        "docs/report.schema.json is not what `schema report` prints"
    );
    for shell in ["bash", "zsh", "fish"] {
        assert!(place.run(&["completions", shell]).expect(0).out.contains("stagegate"));
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let place = Place::new();
    place.run(&["man", "--out", "man"]).expect(0);
    let mut pages: Vec<String> = std::fs::read_dir(place.path("man"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    pages.sort();
    let help = place.run(&["--help"]).expect(0).out;
    let (_, listed) = help.split_once("Commands:\n").unwrap();
    let commands = listed.lines().take_while(|line| !line.is_empty()).filter_map(|line| {
        line.strip_prefix("  ").filter(|line| !line.starts_with(' ')).and_then(|line| line.split(' ').next())
    });
    let mut wanted: Vec<String> =
        commands.filter(|name| *name != "help").map(|name| format!("stagegate-{name}.1")).collect();
    assert!(wanted.len() > 15, "{wanted:?}");
    wanted.extend(["stagegate.1".to_owned(), "stagegate-validation-record.1".into()]);
    wanted.sort();
    assert_eq!(pages, wanted);
    let page = place.read("man/stagegate-report.1");
    assert!(page.contains(".TH stagegate-report") && page.contains("\\-\\-generated\\-at"), "{page}");
}

#[test]
fn colour_is_asked_for_or_not() {
    let place = Place::new();
    place.generate("log.jsonl", "good", 2000);
    assert!(place.run(&["check", "--color", "always", "log.jsonl"]).out.contains('\u{1b}'));
    assert!(!place.run(&["check", "--color", "auto", "log.jsonl"]).out.contains('\u{1b}'), "no terminal");
    assert!(!place.run(&["check", "--color", "never", "log.jsonl"]).out.contains('\u{1b}'));
}

#[test]
fn a_figure_is_explained_by_its_id() {
    let place = Place::new();
    place.generate("log.jsonl", "regression", 6000);
    place.report("out", &["log.jsonl"]);
    let all = place.run(&["explain"]).expect(0).out;
    for id in all.lines() {
        let told = place.run(&["explain", id]).expect(0).out;
        assert!(told.starts_with(id) && told.lines().count() > 1, "{told}");
        // Every figure has what it is made of.
        assert!(!id.starts_with("stages.") || told.contains("  formula    "), "{told}");
        if !id.starts_with("stages.") && !id.starts_with("criteria.") {
            continue;
        }
        assert!(told.contains("  inputs     log.jsonl"), "{told}");
    }
    let missed = place.run(&["explain", "criteria.100%.success_rate"]).expect(0).out;
    assert!(missed.contains("  threshold  at least 98") && missed.contains("  decides    incomplete: "), "{missed}");
    let refused = place.run(&["explain", "criteria.100%.sucess_rate"]).expect(2);
    assert!(refused.err.contains("did you mean criteria.100%.success_rate"), "{}", refused.err);
    let none = place.run(&["explain", "--out", "nowhere"]).expect(2);
    assert!(
        none.err.contains("nowhere/report.json: cannot read") && none.err.contains("stagegate report"),
        "{}",
        none.err
    );
}

/// The long table says what report.json says, figure by figure.
#[test]
fn the_table_of_figures_holds_every_figure_once() {
    let place = Place::new();
    place.generate("log.jsonl", "incident", 6000);
    let report = place.report("out", &["log.jsonl"]);
    let mut reader = csv::Reader::from_reader(std::io::Cursor::new(place.read("out/figures.csv")));
    let head: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(head, ["stage", "arm", "metric", "segment", "unit", "value", "low", "high", "n"]);
    let mut seen = 0;
    for row in reader.records().map(Result::unwrap).filter(|row| row[3].is_empty()) {
        let stage = report["stages"].as_array().unwrap().iter().find(|stage| stage["name"] == row[0]).unwrap();
        let figure = &stage["groups"][&row[1]][&row[2]];
        // serde_json reads the last bit of a number now and then otherwise.
        let same = |a: f64, b: f64| (a - b).abs() <= 4.0 * f64::EPSILON * b.abs();
        assert!(same(row[5].parse().unwrap(), figure["value"].as_f64().unwrap()), "{row:?}");
        assert_eq!(row[8].parse::<u64>().unwrap(), figure["n"].as_u64().unwrap());
        for (cell, end) in [(&row[6], 0), (&row[7], 1)] {
            match (cell.parse::<f64>().ok(), figure["ci"][end].as_f64()) {
                (Some(one), Some(other)) => assert!(same(one, other), "{row:?}"),
                (one, other) => assert_eq!(one, other, "{row:?}"),
            }
        }
        seen += 1;
    }
    let figures = report["claims"].as_array().unwrap().iter();
    assert_eq!(seen, figures.filter(|claim| claim["id"].as_str().unwrap().starts_with("stages.")).count());
    assert!(std::fs::read(place.path("out/figures.parquet")).unwrap().starts_with(b"PAR1"));
}

#[test]
fn a_page_is_opened_by_the_program_that_is_named() {
    let place = Place::new();
    place.generate("log.jsonl", "good", 2000);
    let seen = place.path("seen");
    place.write("browser", format!("#!/bin/sh\necho \"$1\" > {}\n", seen.display()));
    let browser = place.path("browser");
    std::fs::set_permissions(&browser, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let open = |browser: &std::path::Path| {
        place.run_with(&["report", "-q", "--open", "log.jsonl"], &[("BROWSER", browser.to_str().unwrap())])
    };
    open(&browser).expect(0);
    assert_eq!(std::fs::read_to_string(&seen).unwrap().trim(), "out/report.html");
    let refused = open(&place.path("nothing")).expect(2);
    assert!(refused.err.contains("--open: ") && refused.err.contains("out/report.html yourself"), "{}", refused.err);
}

/// Runs `report` with the arguments; returns its message. Nothing may have been written.
#[track_caller]
fn refused(place: &Place, arguments: &[&str]) -> String {
    let run = place.run(&[&["report", "--out", "out"], arguments].concat()).expect(2);
    assert!(!place.path("out").exists(), "something was written");
    assert_eq!(run.out, "");
    assert!(!run.err.contains("panicked"), "{}", run.err);
    run.err
}

#[test]
fn what_cannot_be_read_is_refused_with_place_and_remedy() {
    let place = Place::new();
    std::fs::create_dir(place.path("folder")).unwrap();
    place.write("inverted.toml", "[targets]\nmemory_reduction = { min = 0.9, max = 0.8 }\n");
    place.write("no-baseline.toml", "[[stages]]\nname = \"10%\"\npercentage = 10\n");
    place.write("typo.toml", "[analysis]\nreplicats = 10\n");
    place.write("type.toml", "[analysis]\nreplicates = \"many\"\n");
    insta::assert_snapshot!(refused(&place, &["nope-*.jsonl"]), @r#"
    error: no file matches "nope-*.jsonl"
      help: give the log files on the command line, or set [input] files in rollout.toml
    "#);
    insta::assert_snapshot!(refused(&place, &["folder"]), @r"
    error: folder: is a directory, not a log
      help: give its files: folder/*.jsonl
    ");
    insta::assert_snapshot!(refused(&place, &["--config", "inverted.toml"]), @r"
    error: inverted.toml:2:1: target memory_reduction is inverted: min 0.9 is above max 0.8
      help: write memory_reduction = { min = 0.8, max = 0.9 }
    ");
    assert!(refused(&place, &["--config", "no-baseline.toml"]).contains("no-baseline.toml:1:"));
    insta::assert_snapshot!(refused(&place, &["--config", "typo.toml"]), @r#"
    error: typo.toml:2:1: unknown key "replicats" in [analysis]; did you mean "replicates"?
      help: known keys here: latency_statistic, timeout_errors, critical_errors, size_bounds_mb, min_window_uploads, regression_margin, max_fallback_rate, looks, replicates, seed
    "#);
    assert!(refused(&place, &["--config", "type.toml"]).starts_with("error: type.toml:2:14: "));
    assert!(refused(&place, &["--config", "missing.toml"]).contains("missing.toml: cannot read"));
    assert!(refused(&place, &[]).contains("no file matches data/*.jsonl"));
}

#[test]
fn github_annotations_name_what_is_not_met() {
    let place = Place::new();
    place.write("rollout.toml", "[[stages]]\nname='a::b,%'\npercentage=0\n[[stages.criteria]]\nmetric='success_rate'\nat_least=1.0\n[[stages.criteria]]\nmetric='n'\nat_least=50\n");
    let failed = |second: u32| upload_line(second).replace("\"success\": true", "\"success\": false") + "\n";
    place.write("log.jsonl", (0..40).map(failed).collect::<String>());
    let run = place.run(&["check", "--format", "github", "log.jsonl"]).expect(1);
    assert!(run.out.contains("::error title=Success rate at a%3A%3Ab%2C%25::NOT MET"), "{}", run.out);
    assert!(run.out.contains("::warning title=Uploads at a%3A%3Ab%2C%25::open"), "{}", run.out);
    assert!(run.out.starts_with("::error title=decision::No go: "), "{}", run.out);
    assert!(run.out.lines().all(|line| line.starts_with("::error ") || line.starts_with("::warning ")), "{}", run.out);
}

#[test]
fn test_results_coverage_and_notes_stand_in_every_output() {
    let place = Place::new();
    place.write("log.jsonl", upload_line(1));
    let passed = |count: usize| {
        let cases: String = (0..count).map(|index| format!("<testcase classname=\"c\" name=\"t{index}\"/>")).collect();
        format!("<testsuite>{cases}</testsuite>")
    };
    place.write("one.xml", passed(16));
    let two = passed(10).replace("name=\"t3\"/>", "name=\"t3\"><failure message=\"&lt;b&gt;no\"/></testcase>");
    place.write("two.xml", &two);
    place.write("before.xml", passed(10));
    place.write("cover.info", "LF:200\nLH:150\n");
    place.write("lessons.md", "# Lesson\n\n<script>alert(1)</script>\n\n[x](javascript:y) *kept*\n");
    let config = "[[tests]]\nname='phase1'\nexpected=16\nfiles=['one.xml']\n[[tests]]\nname='phase2'\nexpected=12\nfiles=['two.xml']\nprevious=['before.xml']\n[coverage]\nfile='cover.info'\n[notes]\nlessons_learned='lessons.md'\n[completion]\ncriteria=['tests']\n";
    place.write("rollout.toml", config);
    let report = place.report("out", &["log.jsonl"]);
    let phase = &report["tests"]["phases"][1];
    assert_eq!((&phase["passed"], &phase["failed"], &phase["missing"]), (&9.into(), &1.into(), &2.into()));
    assert_eq!(phase["regressed"][0], "c::t3");
    assert_eq!(report["tests"]["coverage"], 0.75);
    let tests = report["completion"].as_array().unwrap().iter().find(|item| item["id"] == "tests").unwrap();
    assert_eq!(tests["status"], "not_met");
    assert_eq!(report["decision"]["value"], "no_go");
    let (html, markdown) = (place.read("out/report.html"), place.read("out/report.md"));
    for page in [&html, &markdown] {
        assert!(page.contains("c::t3") && page.contains("75"), "the failing test and the coverage are named");
        assert!(
            !page.contains("<script>alert") && !page.contains("href=\"javascript:") && !page.contains("](javascript:")
        );
    }
    assert!(html.contains("<em>kept</em>") && markdown.contains("> &lt;script>"));
    place.write("two.xml", "<!DOCTYPE a [<!ENTITY b 'c'>]><testsuite/>");
    assert!(place.run(&["check", "log.jsonl"]).expect(2).err.contains("two.xml:1:1: a document type is refused"));
}

#[test]
fn the_doctor_tells_what_is_found_and_what_is_wrong() {
    let place = Place::new();
    place.write("log.jsonl", upload_line(1));
    let well = place.run(&["doctor", "log.jsonl"]).expect(0).out;
    for part in
        ["ok    version      stagegate ", "ok    log          log.jsonl, ", "ok    time zones   ", "ok    temporary"]
    {
        assert!(well.contains(part), "{part} in\n{well}");
    }
    assert!(well.contains("no rollout.toml here or above"), "{well}");
    place.write("rollout.toml", "x = [");
    let ill = place.run(&["doctor"]).expect(2).out;
    assert!(ill.contains("FAULT config       rollout.toml:1:6: unclosed array"), "{ill}");
    place.write("rollout.toml", "[input]\nfiles = [\"gone.jsonl\"]\n");
    let ill = place.run(&["doctor"]).expect(2).out;
    assert!(ill.contains("FAULT log          no file matches"), "{ill}");
}
