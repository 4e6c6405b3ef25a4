//! `check` as people wire it in: exit codes, one stage alone, Markdown, Slack, the workflow of docs/ci.md.

use std::process::Command;

use serde_json::Value;

use super::{Place, repository, verdict};

/// The sample's plan without what a log cannot give.
const PLAN: &str = r#"
title = "A rollout <!here> & more"
[[stages]]
name = "baseline"
percentage = 0
[[stages]]
name = "1%"
percentage = 1
[[stages]]
name = "10%"
percentage = 10
[[stages]]
name = "50%"
percentage = 50
[[stages]]
name = "100%"
percentage = 100
[input]
files = ["log.jsonl"]
[completion]
criteria = []
"#;

fn place(scenario: &str) -> Place {
    let place = Place::new();
    place.write("rollout.toml", PLAN);
    place.generate("log.jsonl", scenario, 30_000);
    place
}

#[test]
fn a_stage_is_judged_as_the_log_stood_when_it_ended() {
    let place = place("good");
    let log = place.read("log.jsonl");
    for (stage, later) in
        [("1%", "\"percentage\": 10,"), ("10", "\"percentage\": 50,"), ("50 %", "\"percentage\": 100,")]
    {
        let asked = place.run(&["check", "--stage", stage, "--format", "json"]).out;
        // The same log, cut where the next stage begins.
        let event =
            log.lines().position(|line| line.contains("rollout_stage") && line.contains(later)).expect("an event");
        let cut: String = log.lines().take(event).map(|line| format!("{line}\n")).collect();
        place.write("cut.jsonl", cut);
        let cut = place.run(&["check", "--stage", stage, "--format", "json", "cut.jsonl"]).out;
        let (asked, cut): (Value, Value) = (serde_json::from_str(&asked).unwrap(), serde_json::from_str(&cut).unwrap());
        assert_eq!(asked["decision"]["value"], cut["decision"]["value"], "{stage}");
        for judged in ["criteria", "triggers", "improvements", "completion"] {
            let both = [&asked[judged], &cut[judged]].map(|list| list.as_array().unwrap().len());
            assert_eq!(both[0], both[1], "{judged} of {stage}");
        }
        for (one, other) in asked["criteria"].as_array().unwrap().iter().zip(cut["criteria"].as_array().unwrap()) {
            assert_eq!(
                (&one["stage"], &one["metric"], &one["value"], &one["n"]),
                (&other["stage"], &other["metric"], &other["value"], &other["n"])
            );
        }
    }
    // Nothing has run there, nothing is treated there, there is no such stage.
    let head: String =
        log.lines().take_while(|line| !line.contains("\"percentage\": 10,")).map(|line| format!("{line}\n")).collect();
    place.write("early.jsonl", head);
    let error = |arguments: &[&str]| place.run(&[&["check", "--stage"], arguments].concat()).expect(2).err;
    assert!(error(&["10%", "early.jsonl"]).contains("the stage has no uploads to judge"));
    assert!(error(&["baseline"]).contains("nothing is treated at 0 %"));
    assert!(error(&["20%"]).contains("its stages: baseline, 1%, 10%, 50%, 100%"));
}

#[test]
fn an_incident_of_a_later_stage_is_no_answer_about_an_earlier_one() {
    let place = place("regression");
    let whole = place.run(&["check"]).expect(1).out;
    assert!(whole.contains("NO GO") || whole.contains("ROLL BACK"), "{whole}");
    let first = place.run(&["check", "--stage", "1%"]).out;
    assert!(first.contains("uploads of later stages are left out: the question is stage 1%"), "{first}");
    assert!(!first.contains(" 50% "), "{first}");
}

#[test]
fn the_exit_code_tells_five_answers_apart_and_fails_on_what_is_asked() {
    let place = place("good");
    let code = |arguments: &[&str]| place.run(&[&["check", "-q"], arguments].concat()).code;
    assert_eq!([code(&[]), code(&["--fail-on", "no_go"])], [0, 0]);
    place.write("rollout.toml", PLAN.replace("criteria = []", "criteria = [\"validation\"]"));
    let of = |place: &Place| {
        let code = |fail_on: &str| place.run(&["check", "-q", "--fail-on", fail_on]).code;
        [code("incomplete"), code("review"), code("no_go")]
    };
    let whole = place.read("log.jsonl");
    let event = whole.lines().position(|line| line.contains("\"percentage\": 100,")).expect("an event");
    // The stage of 50 % still runs.
    place.write("log.jsonl", whole.lines().take(event - 500).map(|line| format!("{line}\n")).collect::<String>());
    assert_eq!(of(&place), [4, 0, 0]);
    place.generate("log.jsonl", "regression", 30_000);
    assert_eq!(of(&place), [1, 1, 1]);
    place.write("log.jsonl", "");
    assert_eq!(of(&place), [2, 2, 2]);
}

#[test]
fn a_report_can_answer_as_check_does_from_a_folder_below_its_config() {
    let place = place("regression");
    let run = place.run(&["report", "--check", "-o", "out"]).expect(1);
    assert!(run.out.contains("out/report.html") && !run.out.contains("rollout.toml"), "{}", run.out);
    place.run(&["report", "-o", "out"]).expect(0);
    std::fs::create_dir_all(place.path("a/b")).unwrap();
    let below = |arguments: &[&str], folder: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_stagegate"))
            .args(arguments)
            .current_dir(place.path(folder))
            .output()
            .unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, text) = below(&["check"], "a/b");
    assert!(code == 1 && text.starts_with("config ../../rollout.toml\n"), "{code} {text}");
    std::fs::remove_file(place.path("rollout.toml")).unwrap();
    let (_, text) = below(&["check", "../../log.jsonl"], "a/b");
    assert!(text.starts_with("no rollout.toml here or above: the built-in plan"), "{text}");
    assert!(place.run(&["report", "--fail-on", "review"]).expect(2).err.contains("--check"));
}

/// The words of the decision hold the name of a stage, which is text from outside.
#[test]
fn the_decision_names_its_stage_and_nothing_of_it_is_markup() {
    let place = Place::new();
    place.write("log.jsonl", verdict::log(1, &verdict::PLAN, verdict::healthy));
    let config = verdict::plan(verdict::LATENCY);
    place.write("rollout.toml", &config);
    assert!(place.run(&["check", "--stage", "50%", "log.jsonl"]).expect(0).out.contains("GO: go on from stage 50%\n"));
    place.write("rollout.toml", config.replace("name = \"50%\"", "name = \"<!channel> [x](http://a.b)\""));
    let told = |format: &str| place.run(&["check", "--stage", "50", "--format", format, "log.jsonl"]).expect(0).out;
    let markdown = told("markdown");
    assert!(markdown.starts_with("### ✅ Go: go on from stage &lt;!channel&gt; \\[x\\](http"), "{markdown}");
    // The header of a message is plain text; what is read for mentions is not.
    let message: Value = serde_json::from_str(&told("slack")).unwrap();
    assert!(message["text"].as_str().unwrap().contains("from stage &lt;!channel&gt;"), "{message}");
}

#[test]
fn markdown_and_slack_say_it_and_call_nobody() {
    let place = place("regression");
    let link = "https://ci.example/runs/7/report.html";
    let markdown = place.run(&["check", "--format", "markdown", "--report-url", link]).expect(1).out;
    assert!(markdown.starts_with("### ⛔ No go: ") || markdown.starts_with("### ⏪ Roll back: "), "{markdown}");
    for part in [
        "&lt;!here&gt; &amp; more",
        &format!("[full report]({link})"),
        "| what | before (baseline) | now (",
        "- **No go**: ",
    ] {
        assert!(markdown.contains(part), "{part} in {markdown}");
    }
    let message: Value =
        serde_json::from_str(&place.run(&["check", "--format", "slack", "--report-url", link]).expect(1).out).unwrap();
    let text = message.to_string();
    assert!(text.contains("&lt;!here&gt;") && !text.contains("*A rollout <"), "{text}");
    let blocks = message["blocks"].as_array().unwrap();
    assert!(blocks.len() <= 50);
    // Slack's limits of each kind of block.
    for block in blocks {
        let length = |value: &Value| value["text"].as_str().map_or(0, |text| text.chars().count());
        match block["type"].as_str().unwrap() {
            "header" => assert!(block["text"]["type"] == "plain_text" && (1..=150).contains(&length(&block["text"]))),
            "section" => {
                let fields = block["fields"].as_array().map_or(&[][..], Vec::as_slice);
                assert!(fields.len() <= 10 && fields.iter().all(|field| (1..=2000).contains(&length(field))));
                assert!(!fields.is_empty() || (1..=3000).contains(&length(&block["text"])), "{block}");
            }
            "actions" => assert_eq!(block["elements"][0]["url"], link),
            other => panic!("a block of type {other}"),
        }
    }
    for bad in ["javascript:alert(1)", "https://a b", "https://a/)[x](y", "ftp://a"] {
        assert!(place.run(&["check", "--report-url", bad]).expect(2).err.contains("is no address of the web"), "{bad}");
    }
}

/// The scripts of the steps of a workflow or an action.
fn scripts(yaml: &str) -> Vec<String> {
    let mut scripts: Vec<String> = Vec::new();
    let mut block: Option<usize> = None;
    for line in yaml.lines() {
        let indent = line.len() - line.trim_start().len();
        if let (Some(from), Some(script)) = (block, scripts.last_mut()) {
            if indent > from || line.trim().is_empty() {
                *script += &format!("{}\n", line.trim());
                continue;
            }
            block = None;
        }
        if let Some(command) = line.trim_start().trim_start_matches("- ").strip_prefix("run: ") {
            block = (command == "|").then_some(indent);
            scripts.push(if command == "|" { String::new() } else { command.to_owned() });
        }
    }
    scripts
}

/// Runs a script as a runner does, with stagegate on the path.
fn step(place: &Place, script: &str, variables: &[(&str, &str)]) -> i32 {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_stagegate"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap_or_default());
    let status = Command::new("bash")
        .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script])
        .current_dir(place.path(""))
        .env("PATH", path)
        .env("GITHUB_STEP_SUMMARY", "summary.md")
        .env("REPORT_URL", "https://ci.example/7")
        .envs(variables.iter().copied())
        .stdout(std::process::Stdio::null())
        .status()
        .expect("bash is there");
    status.code().expect("no signal")
}

#[test]
fn the_workflow_of_the_documentation_runs_step_by_step() {
    let document = std::fs::read_to_string(repository("docs/ci.md")).unwrap();
    let yaml = document.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a workflow");
    let steps = scripts(yaml);
    assert_eq!(steps.len(), 4);
    let good = place("good");
    assert_eq!(steps.iter().map(|script| step(&good, script, &[])).collect::<Vec<_>>(), [0; 4]);
    assert!(good.read("summary.md").contains("### ✅ Go"));
    assert!(good.read("out/report.md").contains("# A rollout"));
    assert!(good.read("rollout.xml").contains("<testsuites") && good.read("message.json").contains("\"blocks\""));
    let bad = place("regression");
    bad.write("rollout.toml", PLAN);
    assert_eq!(step(&bad, &steps[2], &[]), 1);
}

#[test]
fn the_action_checks_as_it_is_asked() {
    let action = std::fs::read_to_string(repository("action.yml")).unwrap();
    let [script] = &scripts(&action)[..] else { panic!("one step") };
    let asked = |place: &Place, stage: &str, fail_on: &str, files: &str| {
        let none = [("CONFIG", ""), ("REPORT_URL", "")];
        step(place, script, &[&none[..], &[("STAGE", stage), ("FAIL_ON", fail_on), ("FILES", files)]].concat())
    };
    let good = place("good");
    assert_eq!([asked(&good, "10%", "incomplete", ""), asked(&good, "", "no_go", "log.jsonl")], [0, 0]);
    assert_eq!([asked(&good, "20%", "no_go", ""), asked(&good, "", "no_go", "gone.jsonl")], [2, 2]);
    assert_eq!(asked(&place("regression"), "", "no_go", ""), 1);
}
