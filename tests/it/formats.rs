//! Logs of other formats: real shapes of each preset, the same rollout in all of them, and mappings of one's own.

use serde_json::Value;

use super::{Place, repository};

const STAGES: &str = "[[stages]]\nname = \"baseline\"\npercentage = 0\n[[stages]]\nname = \"100%\"\npercentage = 100\n";

/// Each preset's lines (tests/it/formats) with what its config must add.
const PRESETS: [(&str, &str); 21] = [
    ("upload", ""),
    ("request", "arm = 'variant'"),
    ("tool-calls", "arm = 'mode'"),
    ("k6-json", "arm = 'data.tags.scenario'"),
    ("k6-csv", "arm = 'scenario'"),
    ("vegeta-json", "arm = 'attack'"),
    ("vegeta-csv", "arm = 'attack'"),
    ("jtl-csv", "arm = 'label'"),
    ("gatling-text", "arm = 'name'"),
    (
        "hey-csv",
        "arm = { path = '$file', map = { '/log/' = 'canary' } }\ntimestamp = { path = 'offset', unit = 's', base = '2026-03-02T09:00:00Z', marks = 'start' }",
    ),
    (
        "oha-csv",
        "arm = { value = 'canary' }\ntimestamp = { path = 'request-start', unit = 's', base = '2026-03-02T09:00:00Z', marks = 'start' }",
    ),
    (
        "otlp-traces",
        "arm = { path = '^^.resource.attributes[\"service.version\"]', map = { '-canary$' = 'treated' }, default = 'control' }",
    ),
    ("envoy", "arm = { path = 'upstream_cluster', regex = '[^-]+$' }"),
    ("nginx", "arm = { path = 'upstream_addr', map = { '10.0.0.7:8080' = 'treated' }, default = 'control' }"),
    ("caddy", "arm = { path = 'request.host', regex = '^[a-z]+' }"),
    ("traefik", "arm = { path = 'ServiceName', regex = 'orders-([a-z]+)@' }"),
    ("alb", "arm = { path = 'target_group', regex = 'targetgroup/([a-z]+)/' }"),
    ("cloudfront", "arm = { path = 'x-host-header', regex = '^[a-z]+' }"),
    ("pino-http", "arm = 'req.headers[\"x-variant\"]'"),
    ("ecs", "arm = { path = 'service.version', map = { '-canary$' = 'treated' }, default = 'control' }"),
    ("prometheus-samples", ""),
];

const ARMS: &str =
    "[record.arms]\ncontrol = [\"stable\", \"sync\"]\ntreated = [\"canary\", \"async\"]\nfallback = []\n";

fn lines_of(name: &str) -> String {
    std::fs::read_to_string(repository(&format!("tests/it/formats/{name}.log"))).unwrap()
}

/// What `inspect` shows of a log: the rows beside what each became, and the counts of its lines.
fn inspected(config: &str, log: &str, exit: i32) -> String {
    let place = Place::new();
    place.write("rollout.toml", config);
    place.write("x.log", log);
    let run = place.run(&["inspect", "--rows", "20", "x.log"]);
    let text = run.expect(exit).out.clone();
    let shown = text.lines().filter(|line| {
        line.starts_with("    -> ")
            || line.starts_with("x.log: ")
            || line.starts_with("  ") && line.contains(", first ")
    });
    shown.collect::<Vec<_>>().join("\n")
}

#[test]
fn real_lines_of_every_preset_are_read() {
    let mut all = String::new();
    for (name, fields) in PRESETS {
        let config = format!("{STAGES}{ARMS}[[sources]]\npreset = \"{name}\"\n[sources.fields]\n{fields}\n");
        let exit = if name == "prometheus-samples" { 2 } else { 0 };
        all.push_str(&format!("{name}\n{}\n\n", inspected(&config, &lines_of(name), exit)));
    }
    insta::assert_snapshot!(all);
}

/// All figures of a report but those that a format may not hold: memory, sizes, the names of errors.
fn figures(report: &Value) -> Vec<(String, Value)> {
    fn walk(path: &str, value: &Value, found: &mut Vec<(String, Value)>) {
        match value {
            Value::Object(fields) => {
                fields.iter().for_each(|(key, value)| walk(&format!("{path}.{key}"), value, found))
            }
            Value::Number(_) => found.push((path.to_owned(), value.clone())),
            _ => {}
        }
    }
    let mut found = Vec::new();
    for stage in report["stages"].as_array().unwrap() {
        walk(stage["name"].as_str().unwrap(), &stage["groups"], &mut found);
    }
    found.retain(|(path, _)| !["memory", "mb_per_s", "errors"].iter().any(|word| path.contains(word)));
    found
}

#[test]
fn the_same_rollout_in_every_format_gives_the_same_figures() {
    let of = |preset: &str| {
        let place = Place::new();
        place
            .run(&["generate", "--as", preset, "--uploads", "3000", "-o", "x.log", "--plan", "rollout.toml"])
            .expect(0);
        let report = place.report("out", &["x.log"]);
        let input = &report["inputs"][0];
        let format = if preset == "upload" { "native" } else { preset };
        assert_eq!((&input["rejected"], &input["format"]), (&0.into(), &format.into()), "{preset}");
        figures(&report)
    };
    let own = of("upload");
    assert!(own.len() > 300, "{} figures", own.len());
    for (preset, _) in PRESETS.iter().skip(1) {
        if ["hey-csv", "oha-csv", "prometheus-samples"].contains(preset) {
            continue;
        }
        assert_eq!(own, of(preset), "{preset}");
    }
}

/// The preset of stagegate's own format reads what the reader of that format reads.
#[test]
fn the_preset_of_the_own_format_gives_the_same_report() {
    let place = Place::new();
    place.generate("x.jsonl", "messy", 4000);
    let native = place.report("native", &["x.jsonl"]);
    let mapped = place.report("mapped", &["--keep", "execution_type != nothing", "x.jsonl"]);
    assert_eq!(native["stages"], mapped["stages"]);
    assert_eq!(native["comparisons"], mapped["comparisons"]);
    let rejected = |report: &Value| report["data_quality"]["rejected_total"].clone();
    assert_eq!(rejected(&native), rejected(&mapped));
}

/// However a CSV file with newlines between quotes is cut and packed, its records are the same.
#[test]
fn records_of_csv_survive_threads_archives_and_splits() {
    use std::fmt::Write;
    let mut log = String::from("when;ms;ok;arm;note\r\n");
    for index in 0..40_000 {
        let note = if index % 7 == 0 { "\"a;\nb \"\"c\"\"\"" } else { "plain 5\" disk" };
        let ok = if index % 50 == 3 { "No" } else { "yes" };
        let arm = if index % 3 == 0 { "new" } else { "old" };
        let second = 1_772_442_000 + index * 20;
        write!(log, "{second};{}.5;{ok};{arm};{note}\r\n", 100 + index % 400).unwrap();
    }
    let config = format!(
        "{STAGES}[record.arms]\ncontrol = ['old']\ntreated = ['new']\nfallback = []\n[[sources]]\nparse = 'csv'\nseparator = ';'\n[sources.fields]\ntimestamp = {{ path = 'when', unit = 's' }}\nduration = {{ path = 'ms', unit = 'ms' }}\nsuccess = 'ok'\narm = 'arm'\n"
    );
    let place = Place::new();
    place.write("rollout.toml", config);
    place.write("x.csv", &log);
    let report = place.report("out", &["x.csv"]);
    let input = &report["inputs"][0];
    let counts = ["lines", "records", "rejected", "blank"].map(|key| input[key].as_u64().unwrap());
    // The header is a line without a row; each seventh record takes two lines.
    assert_eq!(counts, [40_001 + 5715, 40_000, 0, 1]);
    assert_eq!(report["stages"][0]["groups"]["all"]["n"], 40_000);
    assert_eq!(report["stages"][0]["groups"]["treated"]["n"], 13_334);
    let one = place.report("one", &["--threads", "1", "x.csv"]);
    assert_eq!(report, one);
}

#[test]
fn rows_and_texts_inside_a_line_are_read_and_accounted_for() {
    let config = format!(
        "{STAGES}[record.arms]\ncontrol = ['old']\ntreated = ['new']\nfallback = []\n[[sources]]\nunwrap = ['message']\nrows = 'message.batch[]'\nkeep = ['kind == \"job\"']\n[sources.fields]\ntimestamp = {{ path = '^.message.at', format = '%d/%b/%Y:%H:%M:%S %z' }}\nduration = 'took'\nsuccess = {{ path = 'code', map = {{ '0' = true, '1..9' = false }} }}\nerror = {{ path = 'why', map = {{ '(?i)timed? ?out' = 'Timeout' }} }}\narm = '^.message.arm'\n"
    );
    let log = concat!(
        "{\"message\": \"{\\\"at\\\": \\\"02/Mar/2026:10:00:01 +0100\\\", \\\"arm\\\": \\\"new\\\", \\\"batch\\\": [{\\\"kind\\\": \\\"job\\\", \\\"took\\\": \\\"1m2.5s\\\", \\\"code\\\": 0}, {\\\"kind\\\": \\\"tick\\\"}, {\\\"kind\\\": \\\"job\\\", \\\"took\\\": \\\"250ms\\\", \\\"code\\\": 3, \\\"why\\\": \\\"Time out\\\"}]}\"}\n",
        "{\"message\": \"no json\"}\n",
        "{\"message\": {\"at\": \"02/Mar/2026:10:00:02 +0100\", \"arm\": \"blue\", \"batch\": [{\"kind\": \"job\", \"took\": \"5s\", \"code\": 0}, {\"kind\": \"job\", \"took\": 5, \"code\": 0}]}}\n",
    );
    insta::assert_snapshot!(inspected(&config, log, 0));
}

#[test]
fn two_rollouts_in_one_log_are_kept_apart() {
    let place = Place::new();
    place.write("rollout.toml", STAGES);
    let line = |service: &str, index: u32| {
        format!(
            "{{\"service\": \"{service}\", \"execution_type\": \"sync\", \"success\": true, \"duration_ms\": {}, \"timestamp\": {}}}\n",
            100 + index,
            1_762_905_600 + index * 60
        )
    };
    let event = |service: &str, at: u32| {
        format!(
            "{{\"service\": \"{service}\", \"event_type\": \"rollout_stage\", \"timestamp\": {at}, \"percentage\": 100}}\n"
        )
    };
    let mut log = event("upload", 1_762_905_600 + 3600) + &event("thumbnail", 1_762_905_600 + 600);
    for index in 0..120 {
        log += &line(if index % 2 == 0 { "upload" } else { "thumbnail" }, index);
    }
    place.write("x.jsonl", log);
    let report = place.report("out", &["--keep", "service == \"upload\"", "x.jsonl"]);
    let uploads = |stage: usize| report["stages"][stage]["groups"]["all"]["n"].clone();
    // An upload counts where it began. The other service's event, ten minutes after the beginning, starts nothing.
    assert_eq!([uploads(0), uploads(1)], [31, 29]);
    assert_eq!(report["inputs"][0]["other_rows"], 61);
    let error = place.run(&["check", "--keep", "service", "x.jsonl"]).expect(2).err.clone();
    assert!(error.contains("has no operator"), "{error}");
}

#[test]
fn a_log_of_another_format_is_met_with_a_proposal() {
    let place = Place::new();
    for (name, _) in PRESETS {
        place.write(&format!("{name}.log"), lines_of(name));
    }
    let error = |name: &str| place.run(&["check", name]).expect(2).err.clone();
    insta::assert_snapshot!(error("k6-json.log"));
    insta::assert_snapshot!(error("jtl-csv.log"));
    let run = place.run(&["init", "envoy.log", "-o", "envoy.toml"]).expect(0).out.clone();
    insta::assert_snapshot!(run);
    insta::assert_snapshot!(place.read("envoy.toml"));
    place.run(&["inspect", "--config", "envoy.toml", "envoy.log"]).expect(0);
}

#[test]
fn exports_of_sums_are_refused_with_the_way_to_the_rows() {
    let place = Place::new();
    place.write(
        "stats.csv",
        "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time\nGET,/,10,0,12,13\n",
    );
    for command in ["check", "init"] {
        let error = place.run(&[command, "stats.csv"]).expect(2).err.clone();
        assert!(error.contains("Locust's statistics") && error.contains("events.request"), "{error}");
    }
    assert!(!place.path("rollout.toml").exists());
}

/// The first example of docs/formats.md, as somebody would type it.
#[test]
fn the_example_of_the_docs_is_read() {
    let docs = std::fs::read_to_string(repository("docs/formats.md")).unwrap();
    let block = |mark: &str| docs.split_once(mark).unwrap().1.split_once("```").unwrap().0.to_owned();
    let config = format!("{STAGES}{}", block("```toml\n").replace("files = [\"logs/*.jsonl.gz\"]\n", ""));
    insta::assert_snapshot!(inspected(&config.replace("percentage = 10\n", "percentage = 100\n"), &block("```\n"), 0));
}

#[test]
fn presets_are_listed_and_printed() {
    let place = Place::new();
    let list = place.run(&["formats"]).expect(0).out.clone();
    let docs = std::fs::read_to_string(repository("docs/formats.md")).unwrap();
    for (name, _) in PRESETS {
        assert!(list.contains(&format!("\n{name} ")) || list.starts_with(name), "{name} is not listed");
        let text = place.run(&["formats", name]).expect(0).out.clone();
        assert!(text.contains("[source]"), "{name}");
        assert!(docs.contains(&format!("### {name}\n")), "docs/formats.md has no part on {name}");
        // So that the two do not part.
        let read = text.split("\n# What").next().unwrap().split_once("[source]").unwrap().1;
        assert!(docs.contains(read.trim_end()), "docs/formats.md shows another [source] of {name}");
        // What the docs show of a preset are lines that a test reads.
        let shown = lines_of(name).lines().take(3).all(|line| docs.contains(line));
        assert!(shown, "docs/formats.md does not show the first three lines of tests/it/formats/{name}.log");
    }
    let error = place.run(&["formats", "k6"]).expect(2).err.clone();
    assert!(error.contains("no preset is called \"k6\""), "{error}");
}

/// The arm is what no preset can know; where the config says it, the format is recognised.
#[test]
fn a_format_that_is_known_needs_no_source() {
    let place = Place::new();
    for (preset, arm) in [("k6-json", "data.tags.scenario"), ("jtl-csv", "label"), ("pino-http", "variant")] {
        let log = format!("{preset}.log");
        place
            .run(&["generate", "--as", preset, "--uploads", "3000", "-o", &log, "--plan", "with-source.toml"])
            .expect(0);
        let with_source = place.report("a", &["--config", "with-source.toml", &log]);
        let written = place.read("with-source.toml");
        let arm =
            written.lines().find_map(|line| line.strip_prefix("arm = ")).map_or(format!("\"{arm}\""), str::to_owned);
        let starts = written.split_once("[[starts]]").map_or(String::new(), |(_, rest)| format!("[[starts]]{rest}"));
        place.write("rollout.toml", format!("[record.arms]\nfield = {arm}\n{starts}"));
        let recognised = place.report("b", &[&log]);
        assert_eq!(recognised["inputs"][0]["format"], preset);
        assert_eq!(figures(&recognised), figures(&with_source), "{preset}");
    }
}

/// What a log of the folder `parquet` needs.
const TABLE: &str = r#"
[record]
noun = ["call", "calls"]
[record.arms]
control = ["stable"]
treated = ["canary"]
fallback = []
[[record.dimensions]]
name = "route"
field = "request.route"
[[record.dimensions]]
name = "region"
field = "tags.region"
[[record.measures]]
name = "cost"
field = "cost"
unit = "USD"
better = "lower"
[[record.measures]]
name = "load"
field = "load"
unit = "1"
better = "lower"
[[record.measures]]
name = "sent"
field = { path = "request.bytes", unit = "B" }
unit = "MB"
better = "lower"
[[sources]]
parse = "parquet"
[sources.fields]
timestamp = "at"
duration = "took_us"
success = "ok"
error = "error"
arm = "variant"
[[stages]]
name = "before"
percentage = 0
to = 2026-03-02T10:00:00Z
[[stages]]
name = "after"
percentage = 100
from = 2026-03-02T10:00:00Z
"#;

/// Tables of four writers (tests/reference/parquet_logs.py): typed times and durations, a dictionary, decimals, objects
/// in columns, maps, JSON as text, and times of 96 bits.
#[test]
fn the_rows_of_a_parquet_file_give_the_figures_of_its_lines() {
    let of = |name: &str| {
        let place = Place::new();
        place.write("rollout.toml", TABLE);
        let log = std::fs::read(repository(&format!("tests/it/formats/parquet/{name}"))).unwrap();
        std::fs::write(place.path(name), log).unwrap();
        let report = place.report("out", &[name]);
        let input = report["inputs"][0].clone();
        assert_eq!((&input["records"], &input["rejected"]), (&300.into(), &0.into()), "{name}");
        (figures(&report), report["comparisons"].clone())
    };
    let lines = of("rows.jsonl");
    assert!(lines.0.len() > 100, "{} figures", lines.0.len());
    for name in ["pyarrow.parquet", "polars.parquet", "duckdb.parquet", "int96.parquet"] {
        assert!(lines == of(name), "{name}");
    }
}

/// What is not whole is an error that says so, or is told as lost; what has no end is bounded.
#[test]
fn a_damaged_table_is_named() {
    let place = Place::new();
    place.write("rollout.toml", TABLE);
    let sound = std::fs::read(repository("tests/it/formats/parquet/pyarrow.parquet")).unwrap();
    std::fs::write(place.path("cut.parquet"), &sound[..sound.len() - 9]).unwrap();
    let run = place.run(&["check", "cut.parquet"]).expect(2);
    assert!(run.err.contains("cut.parquet: cannot read: "), "{}", run.err);
    assert!(run.err.contains("is it a whole Parquet file?"), "{}", run.err);

    // The pages of the last columns' groups are nothing any more: what came before counts.
    let mut torn = sound.clone();
    let end = sound.len() * 3 / 5;
    torn[sound.len() * 2 / 5..end].fill(0xff);
    std::fs::write(place.path("torn.parquet"), torn).unwrap();
    let report = place.report("torn", &["torn.parquet"]);
    let input = &report["inputs"][0];
    let finding = report["data_quality"]["findings"][0]["text"].as_str().unwrap();
    assert!(finding.starts_with("torn.parquet: the table is damaged (row group 2: "), "{finding}");
    assert_eq!(input["records"], 128);
}

/// Two requests of OpenTelemetry's own exporter (tests/reference/otlp_traces.mjs), as a collector's file has them.
#[test]
fn spans_as_an_exporter_writes_them_are_read() {
    let place = Place::new();
    let arm = PRESETS.iter().find(|(name, _)| *name == "otlp-traces").unwrap().1;
    place.write("rollout.toml", format!("{ARMS}[[sources]]\npreset = 'otlp-traces'\n[sources.fields]\n{arm}\n"));
    place.write("spans.jsonl", lines_of("otlp-traces-js"));
    let told = place.run(&["inspect", "spans.jsonl"]).expect(0).out;
    assert!(told.contains("spans.jsonl: 2 lines, 6 uploads\n"), "{told}");
    for arm in ["control", "treated"] {
        for (at, what) in [
            ("00.000Z", "success · 512.25 ms"),
            ("01.000Z", "success · 513.25 ms"),
            ("02.000Z", "failure · 514.25 ms · error Timeout"),
        ] {
            assert!(told.contains(&format!("-> 2026-03-02T09:00:{at} · {arm} · {what} · id ")), "{at} {arm}\n{told}");
        }
    }
}
