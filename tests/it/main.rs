//! The real binary on real files. One test binary: each further one would link polars again.

mod attempts;
mod bundles;
mod calibration;
mod ci;
mod cli;
mod committee;
mod cubes;
mod days;
mod faults;
mod figures;
mod formats;
mod growth;
mod hostile;
mod house;
mod ingest;
mod judgement;
mod mappings;
mod measures;
mod plan;
mod plausible;
mod scale;
mod shards;
mod soak;
mod verdict;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// A folder of its own for a test.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("a file in the temporary folder");
        path
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Runs stagegate in this folder.
    fn run(&self, arguments: &[&str]) -> Run {
        Run::of(
            Command::new(env!("CARGO_BIN_EXE_stagegate"))
                .args(arguments)
                .current_dir(self.0.path())
                .stdin(Stdio::null()),
        )
    }

    /// As [`Place::run`], with these variables.
    fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stagegate"));
        command.args(arguments).envs(variables.iter().copied());
        Run::of(command.current_dir(self.0.path()).stdin(Stdio::null()))
    }

    /// Simulates a rollout into `name`; returns what was planted.
    fn generate(&self, name: &str, scenario: &str, uploads: u32) -> serde_json::Value {
        let uploads = uploads.to_string();
        let arguments = [
            "generate",
            "--scenario",
            scenario,
            "--uploads",
            &uploads,
            "--seed",
            "7",
            "-o",
            name,
            "--truth",
            "truth.json",
        ];
        self.run(&arguments).expect(0);
        // The plan that the scenarios were made for: what it asks stands in a config, nowhere else.
        if !self.path("rollout.toml").exists() {
            self.run(&["init", "-q"]).expect(0);
        }
        serde_json::from_str(&self.read("truth.json")).expect("the truth is JSON")
    }

    /// Writes the report of `files` to `out` with a fixed clock; returns report.json.
    fn report(&self, out: &str, files: &[&str]) -> serde_json::Value {
        let arguments = [&["report", "-q", "--generated-at", "2025-11-18T12:00:00Z", "--out", out], files].concat();
        self.run(&arguments).expect(0);
        serde_json::from_str(&self.read(&format!("{out}/report.json"))).expect("report.json is JSON")
    }
}

/// The simulator's scenarios.
const SCENARIOS: [&str; 8] =
    ["good", "regression", "fallback-storm", "broken-split", "mix-shift", "incident", "no-memory", "messy"];

/// The report of 30 000 uploads of a scenario, made once for all tests that ask.
fn scenario_report(scenario: &str) -> &'static serde_json::Value {
    static REPORTS: [OnceLock<serde_json::Value>; SCENARIOS.len()] = [const { OnceLock::new() }; SCENARIOS.len()];
    let index = SCENARIOS.iter().position(|known| *known == scenario).expect("a scenario");
    REPORTS[index].get_or_init(|| {
        let place = Place::new();
        place.generate("log.jsonl", scenario, 30_000);
        place.report("out", &["log.jsonl"])
    })
}

/// What a run printed, and its exit code.
struct Run {
    code: i32,
    out: String,
    err: String,
}

impl Run {
    fn of(command: &mut Command) -> Self {
        // The clock of a surrounding build must not reach the tests.
        let Output { status, stdout, stderr } =
            command.env_remove("SOURCE_DATE_EPOCH").env("RUST_BACKTRACE", "0").output().expect("stagegate starts");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self { code: status.code().expect("an exit code"), out: text(stdout), err: text(stderr) }
    }

    #[track_caller]
    fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n{}\n{}", self.out, self.err);
        self
    }
}

/// A path of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// All files below a folder with their bytes, sorted.
fn files_below(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push((
                    path.strip_prefix(folder).expect("below").to_path_buf(),
                    std::fs::read(&path).expect("a file"),
                ));
            }
        }
    }
    files.sort();
    files
}

/// A good upload of the given second after 2025-11-12T08:00:00Z.
fn upload_line(second: u32) -> String {
    let time = format!("2025-11-12T{:02}:{:02}:{:02}", 8 + second / 3600, second / 60 % 60, second % 60);
    format!(
        r#"{{"execution_type": "sync", "success": true, "duration_ms": 500, "timestamp": "{time}", "request_id": "r-{second}", "provider": "kimi", "file_type": "json", "file_size_mb": 1.5}}"#
    )
}
