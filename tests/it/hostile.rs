//! What stands in a log is shown, never obeyed.

use super::{Place, upload_line};

const HOSTILE: [&str; 5] = [
    "<script>alert(1)</script>",
    "\\\"><img src=x onerror=alert(1)>",
    "](http://evil.example) | <b>| `code` {{ 7 * 7 }} {% x %}",
    "\\u202egnp.exe\\u0000\\u001b[31m",
    "]]></style><svg onload=alert(1)>",
];

fn hostile_log() -> String {
    let mut log = String::from(
        "{\"event_type\": \"<i>evil</i>\", \"timestamp\": 1762934400}\n{\"event_type\": \"rollback\", \"timestamp\": 1762934500, \"reason\": \"<script>x</script>\"}\n",
    );
    for (index, name) in HOSTILE.iter().cycle().take(60).enumerate() {
        let line = upload_line(index as u32 * 60)
            .replace("\"kimi\"", &format!("\"{name}\""))
            .replace("\"json\"", &format!("\"{name}{}\"", "x".repeat(10_000)))
            .replace("\"success\": true", &format!("\"success\": {}, \"error_type\": \"{name}\"", index % 3 > 0));
        log.push_str(&line);
        log.push('\n');
    }
    log + "<script>not json</script>\n"
}

#[test]
fn markup_in_a_log_stays_text_in_every_output() {
    let place = Place::new();
    place.write("log <script>.jsonl", hostile_log());
    place.write(
        "rollout.toml",
        "title = \"<script>title</script>\"\n[[stages]]\nname = \"<svg onload=x>\"\npercentage = 0\n[[stages]]\nname = \"b\"\npercentage = 100\n",
    );
    place.report("out", &["log <script>.jsonl"]);
    // The page's own script is the only one.
    let script = std::fs::read_to_string(super::repository("templates/page.js")).unwrap();
    let html = place.read("out/report.html").replacen(&format!("<script>{script}</script>"), "", 1);
    for mark in ["<script", "<img", "<svg onload", "<i>", "<b>|", "</style><svg"] {
        assert!(!html.contains(mark), "{mark} in report.html");
    }
    assert!(html.contains("&lt;script&gt;"), "the names are shown");
    assert!(html.contains("{{ 7 * 7 }} {% x %}"), "no template in a name is run");
    let markdown = place.read("out/report.md");
    let outside_code: String = markdown.lines().filter(|line| !line.contains('`')).collect();
    for mark in ["<script", "<img", "<svg", "](http:", "https://"] {
        assert!(!outside_code.contains(mark), "{mark} in report.md");
    }
    for chart in ["improvements", "success-rate", "latency", "timeline"] {
        let svg = place.read(&format!("out/charts/{chart}.svg"));
        assert!(!svg.contains("<script") && svg.matches("<svg").count() == 1, "{chart}.svg");
    }
    let terminal = place.run(&["check", "log <script>.jsonl"]).out;
    assert!(!terminal.contains('\u{1b}'), "a log must not steer a terminal");
}

#[test]
fn a_million_names_do_not_fill_the_report() {
    let place = Place::new();
    let log: String =
        (0..1000).map(|index| upload_line(index).replace("kimi", &format!("provider-{index}")) + "\n").collect();
    place.write("log.jsonl", log);
    let report = place.report("out", &["log.jsonl"]);
    let findings = report["data_quality"]["findings"].as_array().unwrap();
    assert!(findings.iter().any(|finding| finding["id"] == "data_quality.too_many_providers"), "{findings:?}");
    assert_eq!(report["stages"][0]["groups"]["all"]["n"], 1000);
}
