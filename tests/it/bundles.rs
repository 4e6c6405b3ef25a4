//! The bundle for the outside reviewer: made, checked, answered.

mod hostile;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use super::{Place, files_below, upload_line};

const CLOCK: [&str; 2] = ["--generated-at", "2025-11-18T12:00:00Z"];

fn git(place: &Place, arguments: &[&str]) {
    let status = Command::new("git")
        .args(["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"])
        .args(["-c", "commit.gpgSign=false", "-c", "core.autocrlf=false"])
        .args(arguments)
        .env("GIT_AUTHOR_DATE", "2025-11-18T11:00:00Z")
        .env("GIT_COMMITTER_DATE", "2025-11-18T11:00:00Z")
        .current_dir(place.path("."))
        .output()
        .expect("git starts");
    assert!(status.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&status.stderr));
}

/// A rollout with its code in a repository.
fn rollout() -> Place {
    let place = Place::new();
    for folder in ["src", "logs", "results", "notes"] {
        std::fs::create_dir(place.path(folder)).unwrap();
    }
    let mut log: String = (0..100).map(|second| upload_line(second * 30) + "\n").collect();
    log.push_str("{\"event_type\": \"rollout_stage\", \"timestamp\": \"2025-11-12T08:51:00\", \"percentage\": 100}\n");
    log.extend((110..210).map(|second| upload_line(second * 30).replace("\"sync\"", "\"async\"") + "\n"));
    log.push_str("{\"event_type\": \"complaint\", \"timestamp\": \"2025-11-12T08:30:00\", \"text\": \"lost /home/alice/a.pdf\"}\n");
    log.push_str("{\"request_id\": \"r-broken\", \"path\": \"/home/alice/x\"\n");
    place.write("logs/log.jsonl", log);
    place.write("src/app.py", "import os\n\nprint(os.environ['HOME'])\n");
    place.write("src/data.bin", b"\0\x01\x02binary\xff");
    place.write("src/generated.txt", "left out by the config\n");
    place.write(".env", "PASSWORD=irrelevant\n");
    place.write(".gitignore", "*.tmp\n/out/\n");
    place.write("forced.tmp", "tracked all the same\n");
    place.write("notes/findings.md", "# Found\n\nSee C:\\Users\\bob\\notes.\n");
    place.write("results/phase1.xml", "<testsuite><testcase classname='a' name='b'/></testsuite>");
    place.write(
        "rollout.toml",
        "title = \"Test\"\n[input]\nfiles = [\"logs/*.jsonl\"]\n[[tests]]\nname = \"phase 1\"\nexpected = 1\nfiles = [\"results/*.xml\"]\n[notes]\nfindings = \"notes/findings.md\"\n[validation]\nconsultation_id = \"c-1\"\n[completion]\ncriteria = [\"tests\", \"validation\"]\n[bundle]\nexclude = [\"generated.txt\"]\n[bundle.providers.kimi]\nmax_tokens = 9000\n",
    );
    git(&place, &["init", "-q"]);
    git(&place, &["add", "-A"]);
    git(&place, &["add", "-f", "forced.tmp"]);
    git(&place, &["commit", "-q", "-m", "x"]);
    place
}

fn bundle(place: &Place, more: &[&str]) -> super::Run {
    place.run(&[&["bundle", "-q"], &CLOCK[..], more].concat())
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn texts(folder: &Path) -> BTreeMap<String, String> {
    let text = |(path, bytes): (std::path::PathBuf, Vec<u8>)| {
        (path.to_string_lossy().into_owned(), String::from_utf8_lossy(&bytes).into_owned())
    };
    files_below(folder).into_iter().map(text).collect()
}

#[test]
fn a_bundle_holds_what_it_should_and_nothing_else() {
    let place = rollout();
    bundle(&place, &[]).expect(0);
    let files = texts(&place.path("out/validation-bundle"));
    for name in [
        "bagit.txt",
        "bag-info.txt",
        "contents.json",
        "manifest-sha256.txt",
        "tagmanifest-sha256.txt",
        "statement.intoto.json",
        "data/REQUEST.md",
        "data/request.json",
        "data/code/src/app.py",
        "data/code/src/data.bin",
        "data/config/rollout.toml",
        "data/context/index.md",
        "data/context/part-0001.txt",
        "data/metrics/cube/header.json",
        "data/metrics/cube/fine.parquet",
        "data/notes/notes/findings.md",
        "data/reports/report.html",
        "data/reports/report.json",
        "data/tests/phase_1/results/phase1.xml",
    ] {
        assert!(files.contains_key(name), "{name} is missing from {:?}", files.keys());
    }
    let names: Vec<&String> = files.keys().collect();
    for part in [".env", "forced.tmp", "generated.txt", "log.jsonl", ".git/"] {
        assert!(!names.iter().any(|name| name.contains(part)), "{part} in {names:?}");
        if part != ".git/" {
            assert!(files["contents.json"].contains(part), "contents.json does not tell of {part}");
        }
    }
    // The manifest holds for every file, recomputed here.
    let listed: BTreeMap<&str, &str> = files["manifest-sha256.txt"]
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(digest, name)| (name, digest))
        .collect();
    for (path, bytes) in files_below(&place.path("out/validation-bundle/data")) {
        let name = format!("data/{}", path.to_string_lossy());
        assert_eq!(listed.get(name.as_str()).copied(), Some(sha256(&bytes).as_str()), "{name}");
    }
    assert_eq!(listed.len(), names.iter().filter(|name| name.starts_with("data/")).count());
    // Parts keep to the strictest provider, and hold the text with its line numbers.
    let parts: Vec<&String> = files.iter().filter(|(name, _)| name.contains("/part-")).map(|(_, text)| text).collect();
    assert!(parts.len() > 2, "9000 tokens a part");
    assert!(
        parts.iter().any(|part| part.contains(" code/src/app.py (from line 1 of 3)\n1: import os\n2: \n3: print("))
    );
    assert!(files["data/context/index.md"].contains("- `code/src/data.bin`"));
    let request = &files["data/REQUEST.md"];
    for text in [
        "Consultation: ` c-1 `",
        "Verdict: …",
        "improvements.latency_reduction",
        "## What is not measured",
        "Memory reduction: ",
    ] {
        assert!(request.contains(text), "{text} is not in\n{request}");
    }
    place.run(&["verify", "out/validation-bundle"]).expect(0);
    let verified = place.run(&["verify", "out/validation-bundle.zip"]).expect(0);
    // Every entry of the directory has a date: 1980-01-01, the first that the format can tell.
    let zip = std::fs::read(place.path("out/validation-bundle.zip")).unwrap();
    let entries = zip.windows(16).filter(|bytes| bytes.starts_with(b"PK\x01\x02"));
    let dates: Vec<u16> = entries.map(|bytes| u16::from_le_bytes([bytes[14], bytes[15]])).collect();
    assert!(dates.len() == files.len() && dates.iter().all(|date| *date == (1 << 5 | 1)), "{dates:?}");
    assert!(verified.out.contains("complete and unchanged") && verified.out.contains("not signed"), "{}", verified.out);
    // Its cube tells the same as the log.
    let of_log = place.run(&["check"]);
    assert_eq!(place.run(&["check", "out/validation-bundle/data/metrics/cube"]).out, of_log.out);
}

#[test]
fn the_same_tree_gives_the_same_bytes_whatever_the_threads() {
    let place = rollout();
    let key = place.write("k", "a key of the test");
    let key = key.to_str().unwrap();
    let run = |out: &str, threads: &str| {
        bundle(&place, &["--out", out, "--raw", "--redact", "request_id", "--redact-key", key, "--threads", threads])
            .expect(0);
        std::fs::read(place.path(out).join("validation-bundle.zip")).unwrap()
    };
    let first = run("one", "1");
    assert_eq!(first, run("two", "3"));
    assert_eq!(first, run("one", "2"), "over a bundle that stands there");
    // Without a clock it is the commit's.
    place.run(&["bundle", "-q", "--out", "three"]).expect(0);
    assert!(place.read("three/validation-bundle/bag-info.txt").contains("Bagging-Date: 2025-11-18"));
}

#[test]
fn personal_data_stays_behind() {
    let place = rollout();
    bundle(&place, &["--raw", "--redact", "request_id"]).expect(0);
    let files = texts(&place.path("out/validation-bundle"));
    let log = &files["data/metrics/logs/logs/log.jsonl"];
    assert_eq!(log.lines().count(), 203, "every line is still there");
    assert_eq!(log.matches("\"request_id\": \"redacted-").count(), 201, "{log}");
    for (name, text) in &files {
        for word in ["alice", "C:\\Users\\bob", "\"r-30\"", "r-broken"] {
            assert!(!text.contains(word), "{word} in {name}");
        }
    }
    assert!(files["data/notes/notes/findings.md"].contains("C:\\Users\\USER\\notes"));
    assert!(!files.keys().any(|name| name.contains("redact.key")));
    let refused = bundle(&place, &["--redact", "provider"]).expect(2);
    assert!(refused.err.contains("provider cannot be redacted"), "{}", refused.err);
}

#[test]
fn a_secret_stops_the_bundle_until_it_is_allowed_with_a_reason() {
    let place = rollout();
    let token = format!("ghp_{}", "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5");
    place.write("src/app.py", format!("import os\nTOKEN = '{token}'\n"));
    place.write("notes/findings.md", format!("We used {token}.\n"));
    git(&place, &["commit", "-q", "-am", "y"]);
    let refused = bundle(&place, &[]).expect(2);
    assert!(refused.err.contains("src/app.py:2:10: github-token: ghp_… (40 characters) ["), "{}", refused.err);
    assert!(refused.err.contains("notes/findings.md:1:9: "), "{}", refused.err);
    assert!(!refused.err.contains(&token), "the secret is shown");
    let left: Vec<_> = std::fs::read_dir(place.path("out")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "something was written: {left:?}");
    // The block that it prints is pasted, and the reason filled in.
    let printed = refused.err.lines().map(str::trim).skip_while(|line| *line != "[[bundle.allow]]");
    let allow: String = printed.map(|line| line.replace("\"\"", "\"a token of the test\"") + "\n").collect();
    assert!(allow.matches("[[bundle.allow]]").count() >= 2, "{allow}");
    let config = place.read("rollout.toml");
    place.write("rollout.toml", format!("{config}{allow}"));
    let allowed = bundle(&place, &[]).expect(0);
    assert!(allowed.err.contains("changes that are not committed"), "{}", allowed.err);
    place.write("rollout.toml", format!("{config}{}", allow.replace("a token of the test", " ")));
    assert!(bundle(&place, &[]).expect(2).err.contains("allowed without a reason"));
}

#[test]
fn a_secret_in_a_packed_file_is_found_even_where_the_file_is_damaged() {
    use std::io::Write;
    let place = rollout();
    let token = format!("ghp_{}", "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    write!(packed, "TOKEN = '{token}'\n{}", "more text\n".repeat(500)).unwrap();
    let packed = packed.finish().unwrap();
    for (name, bytes) in [("whole.py.gz", &packed[..]), ("cut.py.gz", &packed[..packed.len() - 12])] {
        place.write(&format!("src/{name}"), bytes);
        git(&place, &["add", "-A"]);
        git(&place, &["commit", "-q", "-m", name]);
        let refused = bundle(&place, &[]).expect(2);
        assert!(refused.err.contains(&format!("src/{name}:1:10: github-token")), "{}", refused.err);
        git(&place, &["rm", "-q", &format!("src/{name}")]);
    }
}

#[test]
fn a_commit_a_missing_repository_and_foreign_folders_are_told_apart() {
    let place = rollout();
    place.write("src/app.py", "second\n");
    git(&place, &["commit", "-q", "-am", "second"]);
    bundle(&place, &["--commit", "HEAD~1"]).expect(0);
    assert!(place.read("out/validation-bundle/data/code/src/app.py").starts_with("import os"));
    let unknown = bundle(&place, &["--commit", "nowhere"]).expect(2);
    assert!(unknown.err.contains("no commit \"nowhere\""), "{}", unknown.err);
    let bare = Place::new();
    bare.write("log.jsonl", upload_line(1));
    let none = bundle(&bare, &["log.jsonl"]).expect(2);
    assert!(none.err.contains("--no-code"), "{}", none.err);
    bundle(&bare, &["log.jsonl", "--no-code"]).expect(0);
    assert!(bare.read("out/validation-bundle/data/REQUEST.md").contains("Code: not in this bundle"));
    std::fs::create_dir_all(bare.path("other/validation-bundle")).unwrap();
    bare.write("other/validation-bundle/precious.txt", "mine");
    let foreign = bundle(&bare, &["log.jsonl", "--no-code", "--out", "other"]).expect(2);
    assert!(foreign.err.contains("something that is not a bundle stands there"), "{}", foreign.err);
    assert_eq!(bare.read("other/validation-bundle/precious.txt"), "mine");
}

#[test]
fn a_signature_is_checked_against_the_key_that_is_given() {
    let place = rollout();
    // A key of the test alone, put together so that no scan takes it for one that is used somewhere.
    let pem = |kind: &str, body: &str| format!("-----BEGIN {kind} KEY-----\n{body}\n-----END {kind} KEY-----\n");
    // RFC 8032, section 7.1, tests 1 and 2, in PKCS#8 and SubjectPublicKeyInfo.
    let seed = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
    place.write(
        "key.pem",
        pem("PRIVATE", &format!("MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g{}", "")),
    );
    place.write("key.pub", pem("PUBLIC", "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="));
    place.write("other.pub", pem("PUBLIC", "MCowBQYDK2VwAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw="));
    assert_eq!(seed.len(), 44);
    bundle(&place, &["--sign-key", "key.pem"]).expect(0);
    let zip = "out/validation-bundle.zip";
    let good = place.run(&["verify", zip, "--public-key", "key.pub"]).expect(0);
    assert!(good.out.contains("signed with the key given"), "{}", good.out);
    let other = place.run(&["verify", zip, "--public-key", "other.pub"]).expect(1);
    assert!(other.out.contains("not one of the given public key"), "{}", other.out);
    assert!(place.run(&["verify", zip]).expect(0).out.contains("give --public-key"));
    bundle(&place, &[]).expect(0);
    assert!(place.run(&["verify", zip, "--public-key", "key.pub"]).expect(1).out.contains("not signed"));
    let bad = bundle(&place, &["--sign-key", "rollout.toml"]).expect(2);
    assert!(bad.err.contains("not an Ed25519 private key"), "{}", bad.err);
}

/// An answer in the form of REQUEST.md.
fn answer(place: &Place, verdict: &str, word: &str, objection: &str) -> String {
    let request: serde_json::Value =
        serde_json::from_str(&place.read("out/validation-bundle/data/request.json")).unwrap();
    let claims: String = request["claims"]
        .as_array()
        .unwrap()
        .iter()
        .map(|claim| format!("- `{}`: {word}\n", claim["id"].as_str().unwrap()))
        .collect();
    format!(
        "Consultation: c-1\nBundle: {}\nVerdict: {verdict}\n\n## Claims\n\n{claims}\n## Objections\n\n{objection}\n",
        request["bundle"].as_str().unwrap()
    )
}

fn validation(place: &Place) -> (serde_json::Value, String) {
    let report = place.report("report", &[]);
    let completion = report["completion"].as_array().unwrap().iter().find(|item| item["id"] == "validation").unwrap();
    (report["validation"].clone(), completion["status"].as_str().unwrap().to_owned())
}

#[test]
fn an_answer_is_recorded_against_its_bundle_and_shown() {
    let place = rollout();
    assert_eq!(validation(&place), (serde_json::Value::Null, "not_evidenced".into()));
    bundle(&place, &[]).expect(0);
    place.write("answer.md", answer(&place, "approved", "agree", "none"));
    let record = ["validation", "record", "answer.md"];
    assert!(place.run(&record).expect(0).out.starts_with("recorded: approved"));
    let (review, status) = validation(&place);
    assert_eq!(
        (review["verdict"].as_str(), review["current"].as_bool(), status.as_str()),
        (Some("approved"), Some(true), "met")
    );
    assert_eq!(review["agreed"], review["claims"].as_array().unwrap().len());

    place.write(
        "answer.md",
        answer(&place, "approved with objections", "cannot tell, <b>no log</b>", "- <script>one</script> stage"),
    );
    place.run(&record).expect(0);
    let (review, status) = validation(&place);
    assert_eq!((review["objections"].as_array().unwrap().len(), status.as_str()), (1, "not_evidenced"));
    let html = place.read("report/report.html");
    assert!(html.contains("&lt;script&gt;one") && !html.contains("<b>no log"), "the answer is escaped");
    assert!(place.read("report/report.md").contains("open objection: &lt;script&gt;one"));

    place.write("answer.md", answer(&place, "rejected", "disagree, too few hours", "none"));
    place.run(&record).expect(0);
    assert_eq!(validation(&place).1, "not_met");

    // Approval of nothing in particular is none.
    let bare = answer(&place, "approved", "agree", "none");
    place.write("answer.md", bare.lines().filter(|line| !line.starts_with("- ")).collect::<Vec<_>>().join("\n"));
    place.run(&record).expect(0);
    assert_eq!(validation(&place).1, "not_evidenced");
}

#[test]
fn an_answer_to_other_figures_or_another_bundle_counts_for_nothing() {
    let place = rollout();
    bundle(&place, &[]).expect(0);
    let good = answer(&place, "approved", "agree", "none");
    place.write("answer.md", &good);
    place.run(&["validation", "record", "answer.md"]).expect(0);
    // The log grows: the figures that were validated are not those of the report.
    let log = place.read("logs/log.jsonl");
    place.write("logs/log.jsonl", format!("{log}{}\n", upload_line(9000)));
    let (review, status) = validation(&place);
    assert_eq!((review["current"].as_bool(), status.as_str()), (Some(false), "not_evidenced"));
    assert!(place.read("report/report.md").contains("The answer is to other figures than these"));
    // Answers to another bundle or consultation, and a bundle that was changed.
    for (from, to, words) in [
        ("Bundle: sha256:", "Bundle: sha256:00", "the answer is to bundle"),
        ("Consultation: c-1", "Consultation: c-2", "of consultation c-2"),
        ("Verdict: approved", "Verdict: maybe", "answer.md:3: the verdict \"maybe\""),
    ] {
        place.write("answer.md", good.replace(from, to));
        let refused = place.run(&["validation", "record", "answer.md"]).expect(2);
        assert!(refused.err.contains(words), "{}", refused.err);
    }
    place.write("answer.md", &good);
    place.write("out/validation-bundle/data/code/src/app.py", "changed");
    let refused = place.run(&["validation", "record", "answer.md", "--bundle", "out/validation-bundle"]).expect(2);
    assert!(refused.err.contains("altered: data/code/src/app.py"), "{}", refused.err);
    // The stored answer is the recorded one.
    let stored = place.read("data/validation/response.md");
    place.write("data/validation/response.md", stored.replace("approved", "approved "));
    let changed = place.run(&["report", "-q"]).expect(2);
    assert!(changed.err.contains("changed after it was recorded"), "{}", changed.err);
}
