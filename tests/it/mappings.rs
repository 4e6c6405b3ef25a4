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
