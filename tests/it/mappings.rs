//! Logs as other teams write them, with what goes wrong in them: lost quotes, decimal commas, prefixes before JSON, lines
//! that are no rows, hours that come twice, words that were written wrong.

use std::fmt::Write;

use serde_json::Value;

use super::Place;

const STAGES: &str = "[[stages]]\nname = \"baseline\"\npercentage = 0\n[[stages]]\nname = \"100%\"\npercentage = 100\n";

/// A config whose one source reads `x.log`, with more of the source and its fields.
fn config(source: &str, fields: &str) -> String {
    format!(
        "[record.arms]\ncontrol = [\"v1\"]\ntreated = [\"v2\"]\nfallback = []\n[[sources]]\nfiles = [\"x.log\"]\n{source}\n[sources.fields]\n{fields}\n{STAGES}"
    )
}

const FIELDS: &str = "timestamp = \"at\"\nduration = { path = \"ms\", unit = \"ms\" }\nsuccess = \"ok\"\narm = \"way\"";

/// `1 record, 2 rejected`: the first input of the report of a log, and its report.
fn read(config: &str, log: &str) -> Value {
    let place = Place::new();
    place.write("rollout.toml", config);
    place.write("x.log", log);
    place.run(&["report", "-q", "--generated-at", "2026-04-01T00:00:00Z"]).expect(0);
    serde_json::from_str(&place.read("out/report.json")).unwrap()
}

#[track_caller]
fn refused(config: &str, log: &str, parts: &[&str]) {
    let place = Place::new();
    place.write("rollout.toml", config);
    place.write("x.log", log);
    let told = place.run(&["report", "-q"]).expect(2).err;
    parts.iter().for_each(|part| assert!(told.contains(part), "{part} in {told}"));
}

/// Rows of CSV; `note` is what stands in the last column of a row.
fn rows(count: usize, note: impl Fn(usize) -> String) -> String {
    let mut log = "at,ms,ok,way,note\n".to_owned();
    for row in 0..count {
        let (minute, second) = (row / 60, row % 60);
        let _ = writeln!(log, "2026-03-02T09:{minute:02}:{second:02}Z,{}.25,true,v1,{}", 100 + row % 50, note(row));
    }
    log
}

fn counted(report: &Value) -> [u64; 3] {
    ["records", "rejected", "lines"].map(|key| report["inputs"][0][key].as_u64().unwrap())
}

#[test]
fn a_lost_quote_costs_its_own_line() {
    let csv = config("parse = \"csv\"", FIELDS);
    let lost = |at: &'static [usize], every: bool| {
        rows(900, move |row| match (at.contains(&row), every) {
            (true, _) => "\"disk 3.5".into(),
            (false, true) => "\"fine\"".into(),
            (false, false) => "fine".into(),
        })
    };
    assert_eq!(counted(&read(&csv, &lost(&[300], false))), [899, 1, 901], "never closed");
    assert_eq!(counted(&read(&csv, &lost(&[300], true))), [899, 1, 901], "closed by the next row's");
    assert_eq!(counted(&read(&csv, &lost(&[300, 700], false))), [898, 2, 901], "two of them");
    // One that opens a field and one that ends another, far apart: what stands between them are rows.
    let far = rows(900, |row| match row {
        300 => "\"disk 3.5".into(),
        700 => "disk 3.5\"".into(),
        _ => "fine".into(),
    });
    assert_eq!(counted(&read(&csv, &far)), [899, 1, 901]);
    // A field of several lines is one, and a quote in the middle of a field is a character.
    let whole = rows(900, |row| match row {
        300 => "\"a\nb, c\n\"\"d\"\"\"".into(),
        301 => "5\" disk".into(),
        _ => "fine".into(),
    });
    assert_eq!(counted(&read(&csv, &whole)), [900, 0, 903]);
}

#[test]
fn a_column_that_no_file_has_is_an_error() {
    let csv = |fields: &str| config("parse = \"csv\"", fields);
    let wrong = FIELDS.replace("\"ms\", unit", "\"mss\", unit");
    refused(
        &csv(&wrong),
        &rows(9, |_| "a".into()),
        &["x.log:1:1: no column is called \"mss\"; did you mean \"ms\"?", "the columns are at, ms, ok, way, note"],
    );
    refused(
        &config("parse = \"csv\"\nkeep = [\"nosuch == 1\"]", FIELDS),
        &rows(9, |_| "a".into()),
        &["no column is called \"nosuch\""],
    );
    // Of JSON nobody knows before the end.
    let report = read(
        &(config("", &format!("{FIELDS}\nmemory = {{ path = \"rss\", unit = \"MB\" }}"))),
        &"{\"at\": \"2026-03-02T09:00:00Z\", \"ms\": 5, \"ok\": true, \"way\": \"v1\"}\n".repeat(50),
    );
    let findings = report["data_quality"]["findings"].as_array().unwrap();
    let told = findings.iter().find(|finding| finding["id"] == "data_quality.never_seen.memory").expect("told");
    assert!(told["text"].as_str().unwrap().contains("no row has \"rss\""), "{told}");
}

#[test]
fn what_cannot_hold_is_refused() {
    let log = rows(9, |_| "a".into());
    let csv = |source: &str, fields: &str| config(&format!("parse = \"csv\"\n{source}"), fields);
    refused(&csv("drop = [\"way == v1 or way == v2\"]", FIELDS), &log, &["holds one comparison"]);
    let map = |word: &str| {
        FIELDS.replace("\"ok\"", &format!("{{ path = \"ok\", map = {{ \"{word}\" = true }}, default = false }}"))
    };
    refused(&csv("", &map("200-399")), &log, &["write 200..399 for one"]);
    refused(&csv("", &map("2xx")), &log, &["2xx is no range"]);
    refused(&csv("decimal = \",\"", FIELDS), &log, &["a comma stands between the columns already"]);
    for bound in ["nan", "inf", "-0.5", "95"] {
        refused(
            &format!("{}[triggers]\nsuccess_rate_low = {bound}\n", csv("", FIELDS)),
            &log,
            &["must lie between 0 and 1"],
        );
    }
}

fn median_ms(report: &Value) -> f64 {
    report["stages"][0]["groups"]["all"]["latency_p50_ms"]["value"].as_f64().unwrap()
}

#[test]
fn numbers_are_read_as_they_are_written() {
    // Decimal commas and points between thousands.
    let mut log = "at;ms;ok;way\n".to_owned();
    (0..60).for_each(|row| {
        let _ = writeln!(log, "2026-03-02T09:00:{row:02}Z;1.234,5;ja;v1");
    });
    let fields = FIELDS.replace("\"ok\"", "{ path = \"ok\", map = { ja = true, nein = false } }");
    let report = read(&config("parse = \"csv\"\nseparator = \";\"\ndecimal = \",\"", &fields), &log);
    assert!((median_ms(&report) / 1234.5 - 1.0).abs() < 0.01, "{}", median_ms(&report));
    // Units in the text, exponents among them.
    let mut log = String::new();
    for (row, took) in
        ["1.2345e3ms", "1234 msec", "1.2345 s", "PT1.2345S", "1 sec 234.5 ms"].iter().cycle().take(60).enumerate()
    {
        let _ = writeln!(
            log,
            r#"{{"at": "2026-03-02T09:00:{row:02}Z", "took": "{took}", "rss": "512 KiB", "ok": "Y", "way": "v1"}}"#
        );
    }
    let fields = "timestamp = \"at\"\nduration = \"took\"\nsuccess = \"ok\"\narm = \"way\"\nmemory = { path = \"rss\", unit = \"MB\" }";
    let report = read(&config("", fields), &log);
    assert_eq!(counted(&report), [60, 0, 60]);
    assert!((median_ms(&report) / 1234.5 - 1.0).abs() < 0.01, "{}", median_ms(&report));
    assert_eq!(report["stages"][0]["groups"]["all"]["memory_mean_mb"]["value"], 0.5);
}

#[test]
fn json_behind_a_prefix_and_lines_that_are_no_rows_are_read_and_left_out() {
    let mut log = String::new();
    for row in 0..60 {
        let _ = writeln!(
            log,
            r#"2026-03-02T09:00:{row:02}Z stdout F {{"took": {{"ms": 5.5}}, "ok": true, "tags": {{"way": "v{}"}}}}"#,
            1 + row % 2
        );
    }
    let source = "parse = \"regex\"\npattern = '^(?P<at>\\S+) \\S+ F (?P<body>\\{.*\\})$'\nunwrap = [\"body\"]";
    let fields = "timestamp = \"at\"\nduration = { path = \"body.took.ms\", unit = \"ms\" }\nsuccess = \"body.ok\"\narm = \"body.tags.way\"";
    assert_eq!(counted(&read(&config(source, fields), &log)), [60, 0, 60]);
    // Start-up lines and stack traces between lines of JSON.
    let mut log = "starting up\n".to_owned();
    for row in 0..60 {
        let _ = writeln!(log, r#"{{"at": "2026-03-02T09:00:{row:02}Z", "ms": 5, "ok": true, "way": "v1"}}"#);
        log.push_str("    at com.example.Upload.run(Upload.java:42)\n");
    }
    let report = read(&config("drop = ['$line =~ \"^(starting|\\s+at )\"']", FIELDS), &log);
    assert_eq!((counted(&report), report["inputs"][0]["other_rows"].as_u64()), ([60, 0, 121], Some(61)));
}

/// zoneinfo: in Berlin the clocks went on from 2 to 3 on 29 March 2026, and back from 3 to 2 on 25 October.
#[test]
fn a_duration_of_local_times_knows_their_zone() {
    let fields = "timestamp = { path = \"end\", zone = \"Europe/Berlin\" }\nduration = { path = \"end\", minus = \"start\" }\nsuccess = { value = true }\narm = \"way\"";
    for (start, end) in [
        ("2026-03-29 01:59:50", "2026-03-29 03:00:05"),
        ("2026-10-25 02:59:50", "2026-10-25 03:00:05"),
        ("2026-10-25 02:59:50", "2026-10-25 02:00:05"),
        ("2026-10-25 01:59:50", "2026-10-25 02:00:05"),
    ] {
        let log = format!("start,end,way\n{}", format!("{start},{end},v1\n").repeat(60));
        let report = read(&config("parse = \"csv\"", fields), &log);
        assert!((median_ms(&report) / 15_000.0 - 1.0).abs() < 0.01, "{start} {end}: {}", median_ms(&report));
    }
}

#[test]
fn arms_are_called_by_their_words_and_times_told_in_a_zone() {
    let place = Place::new();
    place.write("rollout.toml", config("parse = \"csv\"", FIELDS) + "[report]\ntimezone = \"Asia/Kolkata\"\n");
    place.write("x.log", rows(600, |_| "a".into()));
    let told = place.run(&["report", "--generated-at", "2026-04-01T00:00:00Z"]).expect(0).out;
    assert!(!told.contains("async"), "{told}");
    let report: Value = serde_json::from_str(&place.read("out/report.json")).unwrap();
    assert_eq!((&report["words"]["control"], &report["words"]["treated"]), (&"v1".into(), &"v2".into()));
    assert_eq!(report["stages"][0]["from"], "2026-03-02T09:00:00Z", "the JSON stays in UTC");
    let page = place.read("out/report.html");
    assert!(page.contains("2 Mar 2026, 14:30 to 14:40 IST") && !page.contains(" UTC"), "times of the zone alone");
    // A day of the zone: 23:30 UTC is the morning of the next.
    place.write("x.log", "at,ms,ok,way,note\n".to_owned() + &"2026-03-02T23:30:00Z,5,true,v1,a\n".repeat(60));
    place.run(&["daily", "-q"]).expect(0);
    assert!(place.path("out/daily/2026-03-03/report.json").is_file());
    place.write("rollout.toml", "[report]\ntimezone = \"Europe/Berlim\"\n");
    let told = place.run(&["check", "x.log"]).expect(2).err;
    assert!(
        told.contains("rollout.toml:2:12: \"Europe/Berlim\" is no time zone; did you mean \"Europe/Berlin\"?"),
        "{told}"
    );
}

/// Rows of requests, some of which were tried again: the outcome of each try, in the order of time. Of a request that was
/// tried twice the second row may stand before the first, or in another file.
fn tried(place: &Place, tries: &str, more: &str) {
    let fields = format!("{FIELDS}\nid = \"rid\"");
    let config = config("", &fields).replace("files = [\"x.log\"]", "files = [\"*.log\"]");
    let config = format!("[record]\ntries = \"{tries}\"\n{config}{more}");
    place.write("rollout.toml", &config);
    let row = |second: usize, id: usize, ok: bool, ms: usize| {
        format!(
            "{{\"at\": \"2026-03-02T09:00:{second:02}.5Z\", \"ms\": {ms}, \"ok\": {ok}, \"way\": \"v1\", \"rid\": \"r{id}\"}}\n"
        )
    };
    // 1: once. 2: fails, then succeeds. 3: its second try stands in front. 4: three tries, in two files. 5: at one time.
    let log = [
        row(1, 1, true, 10),
        row(2, 2, false, 20),
        row(9, 3, true, 30),
        row(4, 2, true, 40),
        row(3, 3, false, 50),
        row(5, 4, false, 60),
        row(7, 4, true, 70),
        row(8, 5, false, 80),
        row(8, 5, true, 80),
        "{\"at\": \"2026-03-02T09:00:11Z\", \"ms\": 5, \"ok\": true, \"way\": \"v1\"}\n".to_owned(),
    ];
    place.write("x.log", log.concat());
    place.write("y.log", row(6, 4, false, 90));
}

#[test]
fn of_a_request_that_was_tried_again_the_row_counts_that_is_asked_for() {
    for (tries, records, failed, others) in [("all", 11, 5, 0), ("first", 6, 4, 5), ("last", 6, 0, 5)] {
        for threads in ["1", "2"] {
            let place = Place::new();
            tried(&place, tries, "");
            place.run(&["report", "-q", "--threads", threads, "--generated-at", "2026-04-01T00:00:00Z"]).expect(0);
            let report: Value = serde_json::from_str(&place.read("out/report.json")).unwrap();
            let all = &report["stages"][0]["groups"]["all"];
            assert_eq!(
                (
                    all["n"].as_u64(),
                    all["error_rate"]["value"].as_f64().map(|rate| (rate * records as f64).round() as u64)
                ),
                (Some(records), Some(failed)),
                "{tries}"
            );
            let sum = |key: &str| -> u64 {
                report["inputs"].as_array().unwrap().iter().map(|input| input[key].as_u64().unwrap_or(0)).sum()
            };
            assert_eq!((sum("records"), sum("other_tries"), sum("lines")), (records, others, 11), "{tries}");
            let page = place.read("out/report.md");
            assert_eq!(
                page.contains("5 rows are left out, for another row of the same id counts"),
                others > 0,
                "{page}"
            );
            assert_eq!(page.contains("retried rows left out"), others > 0);
        }
    }
}

#[test]
fn tries_need_ids_and_the_whole_log() {
    let place = Place::new();
    tried(&place, "last", "");
    let told = place.run(&["plan", "-q", "-o", "plan.json"]).expect(2).err;
    assert!(told.contains("which try counts shows in the whole log only"), "{told}");
    let told = place.run(&["cube", "-q", "--range", "0-100", "-o", "a.cube", "x.log"]).expect(2).err;
    assert!(told.contains("x.log: which try counts shows in the whole log only"), "{told}");
    // Cubes of one and of another rule do not mix.
    place.run(&["cube", "-q", "-o", "last.cube"]).expect(0);
    tried(&place, "first", "");
    let told = place.run(&["report", "-q", "last.cube"]).expect(2).err;
    assert!(told.contains("made with another [record] tries"), "{told}");
    // A log without ids cannot tell its tries apart.
    place.write("x.log", "{\"at\": \"2026-03-02T09:00:11Z\", \"ms\": 5, \"ok\": true, \"way\": \"v1\"}\n");
    place.write("y.log", "");
    place.run(&["report", "-q"]).expect(0);
    assert!(place.read("out/report.md").contains("no upload has an id: each row is counted"));
}

#[test]
fn a_sample_is_told_as_one() {
    let weighed = |of_failure: f64, of_success: f64| {
        let mut log = String::new();
        for row in 0..200 {
            let failed = row % 10 == 0;
            let weight = if failed { of_failure } else { of_success };
            let (minute, second) = (row / 60, row % 60);
            let _ = writeln!(
                log,
                "{{\"at\": \"2026-03-02T09:{minute:02}:{second:02}Z\", \"ms\": 5, \"ok\": {}, \"way\": \"v1\", \"rate\": {weight}}}",
                !failed
            );
        }
        let report = read(&config("", &format!("{FIELDS}\nweight = \"rate\"")), &log);
        let quality = &report["data_quality"];
        let findings = quality["findings"].as_array().unwrap().clone();
        let told = findings.into_iter().find(|finding| finding["id"] == "data_quality.sampled");
        (quality["gate"].as_str().unwrap().to_owned(), told.map(|told| told["text"].as_str().unwrap().to_owned()))
    };
    assert_eq!(weighed(1.0, 1.0), ("passed".into(), None));
    let (gate, told) = weighed(20.0, 20.0);
    assert_eq!(gate, "passed");
    assert!(told.unwrap().starts_with("the log is a sample: it holds 1 of 20 uploads"));
    let (gate, told) = weighed(1.0, 100.0);
    assert_eq!(gate, "failed");
    assert!(told.unwrap().contains("1 of 1 failed ones and 1 of 100 others was kept"));
    let place = Place::new();
    place.write("rollout.toml", config("", &format!("{FIELDS}\nweight = \"ms\"")));
    place.write("x.log", "{\"at\": \"2026-03-02T09:00:00Z\", \"ms\": 0.5, \"ok\": true, \"way\": \"v1\"}\n");
    assert!(place.run(&["report", "-q"]).expect(2).err.contains("weight (ms) is \"0.5\""));
}

/// What the treated path carried, of a log with dimensions of its own and with none.
#[test]
fn the_matrix_is_made_of_the_dimensions_that_there_are() {
    let log = |place: &Place| {
        let mut log = String::new();
        for row in 0..240 {
            let (way, day) = if row < 120 { ("v1", 2) } else { ("v2", 3) };
            let region = ["eu", "us"][row % 2];
            let (hour, minute) = (9 + row % 120 / 60, row % 60);
            let _ = writeln!(
                log,
                "{{\"at\": \"2026-03-0{day}T{hour:02}:{minute:02}:00Z\", \"ms\": 5, \"ok\": true, \"way\": \"{way}\", \"region\": \"{region}\", \"depth\": {}}}",
                row % 3 * 20 + 1
            );
        }
        place.write("x.log", &log);
    };
    let starts = "[[starts]]\nat = 2026-03-02\npercentage = 0\n[[starts]]\nat = 2026-03-03\npercentage = 100\n";
    let dimensions = "[[record.dimensions]]\nname = \"region\"\nfield = \"region\"\nexpected = [\"eu\", \"us\", \"ap\"]\n[[record.dimensions]]\nname = \"depth\"\nfield = \"depth\"\nbounds = [10, 30]\nunit = \"levels\"\n[completion]\ncriteria = [\"dimensions\"]\n";
    let place = Place::new();
    log(&place);
    place.write("rollout.toml", format!("{}{starts}{dimensions}", config("", FIELDS)));
    place.run(&["report", "-q", "--generated-at", "2026-04-01T00:00:00Z"]).expect(0);
    let page = place.read("out/report.md");
    for part in [
        "What the treated path carried: 6 of 9 combinations of region and depth.",
        "| Region | <=10 levels | 10-30 levels | >30 levels |".replace("<=", "&lt;=").replace('>', "&gt;").as_str(),
        "too few treated uploads of ap",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains("File type"), "{page}");
    let figures = place.read("out/figures.csv");
    assert!(figures.contains(",treated,success_rate,\"region=eu, depth=<=10\",fraction,1,"), "{figures}");
    // Without dimensions there is nothing to cross.
    place.write("rollout.toml", format!("{}{starts}", config("", FIELDS)));
    place.run(&["report", "-q", "--generated-at", "2026-04-01T00:00:00Z"]).expect(0);
    assert!(!place.read("out/report.md").contains("## Variants"));
    assert!(!place.read("out/report.html").contains("id=\"matrix\""));
}

#[test]
fn a_start_is_that_of_a_stage() {
    let started = config("", FIELDS) + "[[starts]]\nat = 2026-03-02\npercentage = 10\n";
    refused(&started, "{}\n", &["rollout.toml:21:1: no stage has percentage 10", "one of [[stages]]: 0, 100"]);
}

#[test]
fn a_proposal_finds_rows_inside_lines_and_the_arm() {
    let place = Place::new();
    let mut log = String::new();
    for line in 0..30 {
        let rows: Vec<String> = (0..4)
            .map(|row| {
                let number = line * 4 + row;
                format!(
                    "{{\"at\": \"2026-03-02T09:{line:02}:{row:02}Z\", \"took_ms\": {number}.25, \"result\": \"{}\", \"stream\": \"{}\", \"release\": \"{}\"}}",
                    ["ok", "failed"][usize::from(number % 9 == 0)],
                    ["stdout", "stderr"][number % 2],
                    ["stable", "canary"][number / 2 % 2],
                )
            })
            .collect();
        let _ = writeln!(log, "{{\"host\": \"h{}\", \"sent\": {{\"rows\": [{}]}}}}", line % 3, rows.join(", "));
    }
    place.write("x.log", &log);
    let told = place.run(&["init", "x.log"]).expect(0);
    let proposed = place.read("rollout.toml");
    for part in ["rows = \"sent.rows[]\"", "arm = \"release\"", "^.host", "success = { path = \"result\""] {
        assert!(proposed.contains(part), "{part} in {proposed}");
    }
    assert!(proposed.contains("control = [\"stable\"]\ntreated = [\"canary\"]"), "{proposed}");
    place.run(&["report", "-q"]).expect(0);
    let report: Value = serde_json::from_str(&place.read("out/report.json")).unwrap();
    assert_eq!(report["inputs"][0]["records"], 120, "{}", told.out);
}

#[test]
fn json_that_does_not_stand_in_lines_is_met_with_the_way_to_them() {
    let rows: Vec<String> = (0..30)
        .map(|second| {
            format!(
                "{{\"at\": \"2026-03-02T09:00:{second:02}Z\", \"ms\": {second}, \"ok\": true, \"way\": \"v{}\"}}",
                1 + second % 2
            )
        })
        .collect();
    let pretty = rows.concat().replace(", ", ",\n  ").replace('{', "{\n  ").replace('}', "\n}\n");
    for (log, command) in
        [(format!("[{}]", rows.join(", ")), "jq -c '.[]' x.log > rows.jsonl"), (pretty, "jq -c . x.log > rows.jsonl")]
    {
        refused(&config("", FIELDS), &log, &[command]);
        let place = Place::new();
        place.write("x.log", &log);
        assert!(place.run(&["init", "x.log"]).expect(2).err.contains(command));
    }
    // A list with a row on each line is read.
    for (log, lines) in [
        (format!("[\n{}\n]\n", rows.join(",\n")), 32),
        (format!("[{}]", rows.join(",\r\n")), 30),
        (format!("[\n  {}\n],\n", rows.join(" ,\n  ")), 32),
    ] {
        assert_eq!(counted(&read(&config("", FIELDS), &log)), [30, 0, lines], "{log}");
        let place = Place::new();
        place.write("x.log", &log);
        place.run(&["init", "x.log"]).expect(0);
        assert!(place.read("rollout.toml").contains("arm = \"way\""));
        assert!(!place.run(&["inspect", "x.log"]).expect(0).out.contains("rejected"), "{log}");
    }
    let broken = format!("[\n{}\n]\n", rows.join(",\n").replace("\"ms\": 7,", "\"ms\" 7,"));
    let report = read(&config("", FIELDS), &broken);
    assert_eq!(counted(&report), [29, 1, 32]);
    let told = report["data_quality"]["rejected"][0]["examples"][0].clone();
    assert_eq!((told["line"].as_u64(), told["column"].as_u64()), (Some(9), Some(37)));
}

#[test]
fn a_metric_may_be_named_without_its_unit() {
    let place = Place::new();
    let asked = "[[criteria]]\nmetric = \"latency_p95\"\nat_most = 100\n";
    place.write("rollout.toml", config("", FIELDS) + asked);
    place.write("x.log", "{\"at\": \"2026-03-02T09:00:00Z\", \"ms\": 5, \"ok\": true, \"way\": \"v1\"}\n");
    place.run(&["report", "-q"]).expect(0);
    let report: Value = serde_json::from_str(&place.read("out/report.json")).unwrap();
    let criteria = report["criteria"].as_array().unwrap();
    assert!(criteria.iter().any(|criterion| criterion["metric"] == "latency_p95_ms"), "{criteria:?}");
}
