//! What the config asks for is judged, and nothing else.

use serde_json::{Value, json};

use super::{Place, upload_line};

/// A rollout from a baseline to everything, with this behind its two stages.
fn rollout(config: &str) -> Place {
    let place = Place::new();
    let stages = "[[stages]]\nname = \"baseline\"\npercentage = 0\n[[stages]]\nname = \"100%\"\npercentage = 100\n";
    place.write("rollout.toml", format!("{stages}{config}"));
    place.generate("log.jsonl", "good", 3000);
    // Its stages between the two are left to the last.
    let log: Vec<String> = place
        .read("log.jsonl")
        .lines()
        .filter(|line| {
            let event: Value = serde_json::from_str(line).expect("JSON");
            let percentage = event["percentage"].as_f64();
            percentage.is_none_or(|percentage| [0.0, 100.0].contains(&percentage))
        })
        .map(str::to_owned)
        .collect();
    place.write("log.jsonl", log.join("\n"));
    place
}

fn ids<'r>(list: &'r Value, key: &str) -> Vec<&'r str> {
    list.as_array().expect("a list").iter().map(|item| item[key].as_str().expect("a word")).collect()
}

#[test]
fn a_target_that_is_off_is_nowhere_and_one_unwritten_is_not_judged() {
    let place = rollout("[targets]\nmemory_reduction = false\nlatency_reduction = { min = 0.1 }\n");
    let report = place.report("out", &["log.jsonl"]);
    assert_eq!(ids(&report["improvements"], "id"), ["throughput_ratio", "latency_reduction", "timeout_reduction"]);
    assert_eq!(ids(&report["improvements"], "status"), ["not_judged", "met", "not_judged"]);
    for page in ["report.html", "report.md"] {
        let page = place.read(&format!("out/{page}"));
        assert!(!page.contains("Memory reduction") && page.contains("no target"), "the page asks for what is off");
    }
}

#[test]
fn an_empty_list_asks_for_nothing() {
    let place = rollout("criteria = []\n");
    let config = format!("improvements = []\n{}", place.read("rollout.toml"));
    place.write("rollout.toml", config);
    let report = place.report("out", &["log.jsonl"]);
    for list in ["improvements", "criteria", "completion"] {
        assert_eq!(report[list], json!([]), "{list}");
    }
    let reasons = report["decision"]["reasons"].to_string();
    for never_asked in ["kimi", "57", "memory reduction", "uploads of stage"] {
        assert!(!reasons.contains(never_asked), "{never_asked} in {reasons}");
    }
}

#[test]
fn criteria_improvements_and_triggers_are_metrics_with_a_bound() {
    let place = rollout(
        r#"
[[criteria]]
metric = "latency_p95_ms"
at_most_times_baseline = 0.9
[[criteria]]
metric = "throughput_uploads_per_s"
at_least = 0.001
[[improvements]]
metric = "error_rate"
as = "ratio"
max = 1000.0
[triggers]
error_rate_high = false
[analysis]
looks = "once"
[[triggers.watch]]
name = "slow"
metric = "latency_p50_ms"
at_most = 1.0
severity = "review"
"#,
    );
    let report = place.report("out", &["log.jsonl"]);
    let criteria = report["criteria"].as_array().expect("a list");
    let asked: Vec<_> = criteria.iter().map(|row| (row["metric"].as_str().unwrap(), &row["status"])).collect();
    assert_eq!(
        asked[asked.len() - 2..],
        [("latency_p95_ms_vs_baseline", &json!("met")), ("throughput_uploads_per_s", &json!("met"))]
    );
    assert_eq!(ids(&report["improvements"], "id"), ["error_rate_ratio"]);
    // A rate is better when it is lower: a ratio far below its highest allowed value has met it.
    assert_eq!(report["improvements"][0]["status"], "met");
    let fired = report["triggers"].as_array().expect("a list").iter().filter(|trigger| trigger["fired"] == true);
    assert!(fired.clone().any(|trigger| trigger["trigger"] == "slow" && trigger["severity"] == "review"), "{report:#}");
    assert!(!report["triggers"].to_string().contains("error_rate_high"));
}

#[test]
fn messages_about_the_config_speak_no_rust() {
    let place = Place::new();
    place.write("log.jsonl", upload_line(1));
    for config in [
        "targets = 3\n",
        "[targets]\nmemory_reduction = \"most\"\n",
        "[input]\ntimestamp_marks = \"middle\"\n",
        "[[criteria]]\nmetric = \"success_rate\"\nat_least = true\n",
        "[[improvements]]\nmetric = \"success_rate\"\nas = \"growth\"\n",
        "stages = \"all\"\n",
    ] {
        place.write("rollout.toml", config);
        let message = place.run(&["check", "log.jsonl"]).expect(2).err;
        assert!(message.starts_with("error: rollout.toml:"), "{message}");
        for word in ["struct", "enum", "variant", "f64", "u32", "usize", "Section", "untagged", "sequence"] {
            assert!(!message.contains(word), "{word} in {message}");
        }
    }
}

/// What a plan cannot show is told before its first record.
#[test]
fn power_tells_what_a_plan_cannot_show() {
    let place = Place::new();
    place.run(&["init", "-q"]).expect(0);
    let run = place.run(&["power", "--per-day", "2000"]).expect(0);
    let told = run.out.replace('\u{202f}', " ");
    assert!(
        told.starts_with(
            "1%: 100 async uploads cannot show a success rate of 99.5 %: it takes 1 242 without a failure"
        ),
        "{told}"
    );
    assert!(told.contains("100%: 5 000 async uploads can show a success rate of 98 %"), "{told}");
    let once = place.read("rollout.toml").replace("looks = \"every\"", "looks = \"once\"");
    place.write("rollout.toml", once);
    let told = place.run(&["power"]).expect(0).out.replace('\u{202f}', " ");
    assert!(told.contains("it takes 765 without a failure; for 80 % power 1 130 where a tenth"), "{told}");
    assert!(place.run(&["power", "--per-day", "0"]).expect(2).err.contains("above 0"));
    place.write("rollout.toml", "[[stages]]\nname = 'a'\npercentage = 0\n");
    assert!(place.run(&["power"]).expect(0).out.starts_with("No stage asks for a success or error rate"));
}
