//! What carries the proof to an outside reviewer: the code at a commit, the metrics, test results and reports in
//! a bag (BagIt) with a signed in-toto statement, a request, and the same packed for a model's context. Nothing is
//! written unless everything was searched for secrets.

pub mod answer;
mod archive;
mod context;
pub mod manifest;
mod names;
mod payload;
mod redact;
mod repository;
pub mod secrets;
pub mod statement;
pub mod verify;

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::config::Plan;
use crate::cube::{self, Cube};
use crate::error::{Error, Position, Result};
use crate::files;
use crate::format;
use crate::ingest::source;
use crate::packing::{hex, sha256};
use crate::render;
use crate::report::claims::figures_digest;
use crate::report::model::Report;
use crate::run::Run;
use context::{Limits, Part};
use names::Names;
use payload::{Intake, Leak, Origin, Payload, Task};
pub use redact::Redaction;
pub use repository::Repository;
use repository::{Ignored, Kind};
use statement::Material;

/// The bundle's folder, and the stem of its archive.
pub const TOP: &str = "validation-bundle";
/// Leaks that an error lists.
const LEAKS_LISTED: usize = 50;
/// Largest key file, in bytes.
const MAX_KEY_BYTES: u64 = 64 << 10;
/// The key that hides fields where none is given: made once, beside the bundle, never in it.
const REDACT_KEY: &str = ".redact.key";
/// Why a file is not among the code.
const RAW_LOG: &str = "a raw log: only with --raw";
const ELSEWHERE: &str = "no code: the config, notes and tests have folders of their own, logs too with --raw";
const MB: u64 = 1 << 20;

/// How a bundle is made.
#[derive(Debug)]
pub struct Options<'a> {
    /// Where the bundle goes: `validation-bundle/` and `.zip` below it.
    pub out: &'a Path,
    pub raw_logs: bool,
    /// PKCS#8 PEM.
    pub signing_key: Option<String>,
    pub max_tokens: Option<u64>,
    pub max_part_mb: Option<u64>,
}

/// What was made.
#[derive(Debug)]
pub struct Bundled {
    pub folder: PathBuf,
    pub archive: PathBuf,
    /// `sha256:…`, by which an answer names the bundle.
    pub digest: String,
    pub files: usize,
    pub bytes: u64,
    pub left_out: usize,
    pub parts: usize,
    pub tokens: u64,
    pub signed: bool,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl Bundled {
    /// What was made, in lines.
    pub fn text(&self) -> String {
        format!(
            "wrote\n  {}\n  {}\n{}, {}; {} left out (contents.json says why); {}; {} of context in {}\n{}\nask the reviewer with {}\n",
            self.folder.display(),
            self.archive.display(),
            format::counted(self.files as u64, "file"),
            format::bytes(self.bytes),
            format::count(self.left_out as u64),
            if self.signed { "signed" } else { "not signed" },
            format::counted(self.tokens, "token"),
            format::counted(self.parts as u64, "part"),
            self.digest,
            self.folder.join(manifest::REQUEST).display(),
        )
    }
}

/// A file that stays out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
struct LeftOut {
    file: String,
    reason: String,
}

fn cannot(path: &Path, error: &io::Error) -> Error {
    Error::new(format!("cannot write: {error}")).at(Position::file(path.display().to_string()))
}

/// Reads a key file.
///
/// # Errors
/// It is missing, too large, or not text.
pub fn read_key(path: &Path) -> Result<String> {
    files::read_text(path, &path.display().to_string(), MAX_KEY_BYTES)
}

/// The key that hides fields: that of `path`, else one beside the bundles of `out`, made where it is missing.
///
/// # Errors
/// It cannot be read or written.
fn redaction_key(path: Option<&Path>, out: &Path) -> Result<Vec<u8>> {
    if let Some(path) = path {
        return read_key(path).map(String::into_bytes);
    }
    let path = out.join(REDACT_KEY);
    if !path.exists() {
        let mut key = [0; 32];
        getrandom::fill(&mut key)
            .map_err(|error| Error::new(format!("cannot draw a key: {error}")).help("give one with --redact-key"))?;
        crate::output::write_private(&path, format!("{}\n", hex(&key)).as_bytes())?;
    }
    read_key(&path).map(String::into_bytes)
}

/// Everything that a bundle is made of.
#[derive(Debug)]
pub struct Content<'a> {
    pub plan: &'a Plan,
    /// What the cube was folded from.
    pub logs: &'a [source::Source],
    /// Rewritten by the redaction.
    pub cube: &'a mut Cube,
    pub report: &'a Report,
    /// The code; `None` leaves it out.
    pub repository: Option<&'a Repository>,
    pub redaction: &'a Redaction,
}

/// Writes the bundle.
///
/// # Errors
/// A secret was found; a file cannot be read; the disk refuses. Then nothing was written.
pub fn write(content: &mut Content<'_>, options: &Options<'_>, run: &Run) -> Result<Bundled> {
    let signing_key = options.signing_key.as_deref().map(statement::signing_key).transpose().map_err(|error| {
        Error::new(format!("--sign-key: {error}")).help("openssl genpkey -algorithm ed25519 makes one")
    })?;
    fs::create_dir_all(options.out).map_err(|error| cannot(options.out, &error))?;
    let target = options.out.join(TOP);
    if target.symlink_metadata().is_ok() && !target.join(manifest::DECLARATION).is_file() {
        return Err(Error::new("something that is not a bundle stands there")
            .at(Position::file(target.display().to_string()))
            .help("remove it, or give another --out"));
    }
    let staging = tempfile::Builder::new()
        .prefix(".bundle-")
        .tempdir_in(options.out)
        .map_err(|error| cannot(options.out, &error))?;
    let root = staging.path().join(TOP);
    fs::create_dir(&root).map_err(|error| cannot(&root, &error))?;

    let report = hidden(content.report, content.redaction);
    let (tasks, left_out) = tasks(content, options, &report, &root)?;
    let scanner = secrets::Scanner::new();
    let intake =
        Intake { root: &root, repository: content.repository, scanner: &scanner, redaction: content.redaction, run };
    run.begin(tasks.iter().map(|task| task.bytes).sum());
    let (mut files, leaks) = run.time("gather", || intake.take_all(&tasks))?;
    let warnings = refuse_leaks(&leaks, content.plan)?;

    let evidence = manifest::evidence_digest(&manifest::text(&files));
    let digest = format!("sha256:{evidence}");
    let request = request(content, options, &report, &digest, &files, left_out.len());
    files.extend(intake.hash_all(&request)?);
    let limits = limits(content.plan, options);
    let (parts, context) = context(content.plan, &root, &files, limits, &evidence[..8], &intake, run)?;
    files.extend(context);
    files.sort_by(|a, b| a.name.cmp(&b.name));

    let tags = tags(content, &report, &files, &left_out, signing_key.as_ref(), &intake)?;
    let all: Vec<Payload> = tags.iter().chain(&files).cloned().collect();
    run.begin(all.iter().map(|file| file.bytes).sum());
    let archive = staging.path().join("bundle.zip");
    run.time("zip", || {
        let mut zip = File::create(&archive).map_err(|error| cannot(&archive, &error))?;
        archive::write(&root, TOP, &all, &mut zip, run).map_err(|error| cannot(&archive, &error))
    })?;
    let archive_target = options.out.join(format!("{TOP}.zip"));
    files::replace_folder(&root, &target, &staging.path().join("old"))?;
    fs::rename(&archive, &archive_target).map_err(|error| cannot(&archive_target, &error))?;
    Ok(Bundled {
        folder: target,
        archive: archive_target,
        digest,
        files: files.len(),
        bytes: files.iter().map(|file| file.bytes).sum(),
        left_out: left_out.len(),
        parts: parts.len(),
        tokens: parts.iter().map(|part| part.tokens).sum(),
        signed: signing_key.is_some(),
        warnings,
    })
}

/// The report without personal data.
fn hidden(report: &Report, redaction: &Redaction) -> Report {
    let mut value = serde_json::to_value(report).expect("the model has only string keys and finite numbers");
    redaction.value(&mut value);
    serde_json::from_value(value).expect("texts stay texts")
}

/// Everything that goes in, named, but what is made of it; and what stays out.
fn tasks(
    content: &mut Content<'_>,
    options: &Options<'_>,
    report: &Report,
    root: &Path,
) -> Result<(Vec<Task>, Vec<LeftOut>)> {
    let mut names = Names::default();
    let mut tasks = Vec::new();
    let mut left_out = Vec::new();
    let plan = content.plan;
    let logs = content.logs;

    for file in render::all(report) {
        let name = file.path.to_string_lossy().replace('\\', "/");
        tasks.push(Task::made(names.place("data/reports", name.as_bytes()), file.content));
    }
    cube::store::write(content.cube, &root.join("data/metrics/cube"))?;
    let tables = fs::read_dir(root.join("data/metrics/cube")).map_err(|error| cannot(root, &error))?;
    let mut tables: Vec<PathBuf> = tables.flatten().map(|entry| entry.path()).collect();
    tables.sort();
    for table in tables {
        let name = names.place("data/metrics/cube", table.file_name().unwrap_or_default().as_encoded_bytes());
        tasks.push(Task::written(name, size(&table)));
    }
    // What is bundled with its personal data hidden must not come along with the code as it is.
    let mut elsewhere: Vec<PathBuf> = logs.iter().map(|log| log.path.clone()).collect();
    let mut evidence = |folder: &str, file: &str, path: PathBuf| {
        if path.is_file() {
            elsewhere.push(path.clone());
            let below = file.trim_start_matches(['/', '.']);
            let name = names.place(folder, below.as_bytes());
            tasks.push(Task { name, shown: file.into(), bytes: size(&path), origin: Origin::Redacted(path) });
        }
    };
    if let Some(file) = &plan.file {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        evidence("data/config", &name, file.clone());
    }
    for phase in &report.tests.phases {
        let folder = format!("data/tests/{}", safe_folder(&phase.name));
        phase.files.iter().for_each(|file| evidence(&folder, file, plan.base.join(file)));
    }
    if let Some(file) = &plan.coverage {
        evidence("data/tests/coverage", file, plan.base.join(file));
    }
    for note in &report.notes {
        evidence("data/notes", &note.file, plan.base.join(&note.file));
    }
    for log in logs {
        if options.raw_logs && log.path.is_file() && log.name != "-" {
            evidence("data/metrics/logs", &log.name, log.path.clone());
        } else {
            let reason = if options.raw_logs { "standard input is not kept" } else { RAW_LOG };
            left_out.push(LeftOut { file: content.redaction.text(&log.name), reason: reason.into() });
        }
    }
    if let Some(repository) = content.repository {
        code(repository, plan, &elsewhere, &mut names, &mut tasks, &mut left_out)?;
    }
    left_out.sort();
    left_out.dedup();
    Ok((tasks, left_out))
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// A phase's name as one part of a path.
fn safe_folder(name: &str) -> String {
    let safe: String =
        name.chars().map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' }).collect();
    if safe.is_empty() { "_".into() } else { safe.chars().take(60).collect() }
}

/// The files that git tracks.
fn code(
    repository: &Repository,
    plan: &Plan,
    elsewhere: &[PathBuf],
    names: &mut Names,
    tasks: &mut Vec<Task>,
    left_out: &mut Vec<LeftOut>,
) -> Result<()> {
    let entries = repository.entries()?;
    let ignored = Ignored::read(&entries, &mut repository.objects()?, &plan.bundle.exclude)?;
    let elsewhere: HashSet<Vec<u8>> = elsewhere.iter().filter_map(|path| repository.tracked_name(path)).collect();
    for entry in entries {
        let shown = String::from_utf8_lossy(&entry.path).into_owned();
        let reason = match entry.kind {
            Kind::Symlink => Some("a symbolic link"),
            Kind::Submodule => Some("a submodule"),
            Kind::File if elsewhere.contains(&entry.path) => Some(ELSEWHERE),
            Kind::File => names::forbidden(&shown).or_else(|| ignored.reason(&shown)),
        };
        match reason {
            Some(reason) => {
                let reason = match entry.kind {
                    Kind::Submodule => format!("{reason} at commit {}", entry.object),
                    _ => reason.to_owned(),
                };
                left_out.push(LeftOut { file: shown, reason });
            }
            None => {
                let name = names.place("data/code", &entry.path);
                tasks.push(Task { name, shown, bytes: entry.bytes, origin: Origin::Object(entry.object) });
            }
        }
    }
    Ok(())
}

/// Secrets that the config does not allow are an error; allowed ones that are gone are worth a word.
fn refuse_leaks(leaks: &[Leak], plan: &Plan) -> Result<Vec<String>> {
    let allowed = |leak: &&Leak| plan.bundle.allow.iter().any(|allow| allow.fingerprint == leak.finding.fingerprint);
    let open: Vec<&Leak> = leaks.iter().filter(|leak| !allowed(leak)).collect();
    if open.is_empty() {
        let unused = plan
            .bundle
            .allow
            .iter()
            .filter(|allow| !leaks.iter().any(|leak| leak.finding.fingerprint == allow.fingerprint));
        return Ok(unused
            .map(|allow| format!("[[bundle.allow]] {} matches nothing any more", allow.fingerprint))
            .collect());
    }
    let mut message =
        format!("{} in what was to be bundled; nothing was written", format::counted(open.len() as u64, "secret"));
    for leak in open.iter().take(LEAKS_LISTED) {
        let Leak { file, finding } = leak;
        let file = names::printable(file);
        message.push_str(&format!(
            "\n  {file}:{}:{}: {}: {} [{}]",
            finding.line, finding.column, finding.rule, finding.masked, finding.fingerprint
        ));
    }
    if open.len() > LEAKS_LISTED {
        message.push_str(&format!("\n  … and {} more", open.len() - LEAKS_LISTED));
    }
    Err(Error::new(message).help(
        "take it out and revoke it, exclude the file ([bundle] exclude), or, where it is none, allow it:\n  [[bundle.allow]]\n  fingerprint = \"the 16 digits in brackets\"\n  reason = \"why it is no secret\"",
    ))
}

/// REQUEST.md, and the same facts for machines.
fn request(
    content: &Content<'_>,
    options: &Options<'_>,
    report: &Report,
    digest: &str,
    files: &[Payload],
    left_out: usize,
) -> [Task; 2] {
    let facts = render::request::Facts {
        consultation_id: content.plan.consultation_id.clone(),
        bundle: digest.into(),
        commit: content.repository.map(|repository| repository.commit.clone()),
        code_files: files.iter().filter(|file| file.name.starts_with("data/code/")).count(),
        left_out,
        raw_logs: options.raw_logs,
        redacted_fields: content.redaction.fields().to_vec(),
    };
    let (claims, questions) = (render::request::claims(report), render::request::questions(report));
    let markdown = render::request::markdown(report, &facts, &claims, &questions);
    let machine = json!({
        "request_version": 1,
        "consultation_id": facts.consultation_id,
        "bundle": digest,
        "figures": figures_digest(&report.claims),
        "commit": facts.commit,
        "claims": claims,
        "not_measured": render::request::not_measured(report),
        "questions": questions,
        "verdicts": ["approved", "approved_with_objections", "rejected"],
        "answers": ["agree", "disagree", "cannot_tell"],
    });
    [Task::made(manifest::REQUEST, markdown), Task::made(manifest::REQUEST_FACTS, format!("{machine:#}\n"))]
}

/// The strictest of the command line, the config and its providers.
fn limits(plan: &Plan, options: &Options<'_>) -> Limits {
    let bundle = &plan.bundle;
    let mut limits = Limits {
        max_tokens: options.max_tokens.unwrap_or(bundle.max_tokens),
        max_bytes: options.max_part_mb.unwrap_or(bundle.max_part_mb) * MB,
    };
    for provider in bundle.providers.values() {
        limits.max_tokens = limits.max_tokens.min(provider.max_tokens.unwrap_or(u64::MAX));
        limits.max_bytes = limits.max_bytes.min(provider.max_part_mb.map_or(u64::MAX, |size| size.saturating_mul(MB)));
    }
    limits
}

/// In which order files are packed for a model: the request first, the bulk last.
fn reading_order(name: &str) -> Option<(u8, &str)> {
    let rank = match name.strip_prefix("data/")? {
        "REQUEST.md" => 0,
        "reports/report.md" => 1,
        below if below.starts_with("config/") => 2,
        below if below.starts_with("notes/") => 3,
        below if below.starts_with("tests/") => 4,
        below if below.starts_with("code/") => 5,
        "reports/report.json" => 6,
        _ => return None,
    };
    Some((rank, name))
}

fn context(
    plan: &Plan,
    root: &Path,
    files: &[Payload],
    limits: Limits,
    mark: &str,
    intake: &Intake<'_>,
    run: &Run,
) -> Result<(Vec<Part>, Vec<Payload>)> {
    let mut texts: Vec<(&Payload, u64)> = files
        .iter()
        .filter(|file| reading_order(&file.name).is_some())
        .filter_map(|file| Some((file, file.lines?)))
        .filter(|(file, _)| file.bytes > 0)
        .collect();
    texts.sort_by_key(|(file, _)| reading_order(&file.name));
    let sources: Vec<context::Source> =
        texts.iter().map(|(file, lines)| context::Source { name: file.name.clone(), lines: *lines }).collect();
    run.begin(texts.iter().map(|(file, _)| file.bytes).sum());
    let folder = root.join("data/context");
    let parts = run.time("context", || context::pack(root, &folder, &sources, limits, mark, run))?;
    let names: HashSet<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    let listed: Vec<&Payload> = files.iter().filter(|file| !names.contains(file.name.as_str())).collect();
    let index = context::index(&parts, &listed, limits, &plan.bundle.providers);
    let index = Task::made(format!("{}index.md", manifest::CONTEXT), index);
    // What is packed was searched for secrets where it came from.
    let mut packed: Vec<Payload> = parts
        .iter()
        .map(|part| Payload {
            name: format!("{}{}", manifest::CONTEXT, part.name),
            bytes: part.bytes,
            sha256: part.sha256.clone(),
            lines: None,
            redacted: false,
        })
        .collect();
    packed.extend(intake.hash_all(&[index])?);
    Ok((parts, packed))
}

/// The tag files of the bag, written.
fn tags(
    content: &Content<'_>,
    report: &Report,
    files: &[Payload],
    left_out: &[LeftOut],
    signing_key: Option<&ed25519_dalek::SigningKey>,
    intake: &Intake<'_>,
) -> Result<Vec<Payload>> {
    let manifest = manifest::text(files);
    let date = report.generated_at.get(..10).unwrap_or_default();
    let config = config_digest(content.plan)?;
    let (materials, parameters) =
        (materials(content, report, config.as_ref()), parameters(content, files, config.as_ref()));
    let statement = statement::statement(files, &materials, &parameters, &report.generated_at);
    let contents = json!({
        "hidden_in": files.iter().filter(|file| file.redacted).map(|file| &file.name).collect::<Vec<_>>(),
        "left_out": left_out,
    });
    let info = manifest::info(files, date, &report.title, content.plan.consultation_id.as_deref());
    let envelope = signing_key.map(|key| Task::made(statement::ENVELOPE, statement::sign(&statement, key)));
    let mut tasks = vec![
        Task::made(manifest::DECLARATION, manifest::DECLARATION_TEXT),
        Task::made(manifest::INFO, info),
        Task::made("contents.json", format!("{contents:#}\n")),
        Task::made(manifest::MANIFEST, manifest),
        Task::made(statement::STATEMENT, statement),
    ];
    tasks.extend(envelope);
    let mut tags = intake.hash_all(&tasks)?;
    let last = Task::made(manifest::TAG_MANIFEST, manifest::text(&tags));
    tags.extend(intake.hash_all(&[last])?);
    tags.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(tags)
}

/// SHA-256 of the config file as it lies there, hexadecimal; `None` for the built-in rollout.
fn config_digest(plan: &Plan) -> Result<Option<String>> {
    let Some(path) = &plan.file else { return Ok(None) };
    let fail =
        |error| Error::new(format!("cannot read the config: {error}")).at(Position::file(path.display().to_string()));
    fs::read(path).map(|text| Some(sha256(text))).map_err(fail)
}

/// What the bundle was made of.
fn materials(content: &Content<'_>, report: &Report, config: Option<&String>) -> Vec<Material> {
    let mut materials: Vec<Material> = report
        .inputs
        .iter()
        .map(|input| Material {
            uri: format!("file:{}", input.path),
            algorithm: "sha256",
            digest: input.sha256.clone(),
        })
        .collect();
    if let Some(repository) = content.repository {
        let digest = repository.commit.clone();
        materials.push(Material { uri: "git:code".into(), algorithm: "gitCommit", digest });
    }
    if let Some(digest) = config {
        materials.push(Material { uri: "file:config".into(), algorithm: "sha256", digest: digest.clone() });
    }
    materials
}

/// How the bundle was made, and under which plan.
fn parameters(content: &Content<'_>, files: &[Payload], config: Option<&String>) -> Value {
    let plan = content.plan;
    json!({
        "title": plan.title,
        "consultation_id": plan.consultation_id,
        "config_sha256": config,
        "folding_rules": plan.folding_rules(),
        "replicates": plan.analysis.replicates,
        "seed": plan.analysis.seed,
        "exclude": plan.bundle.exclude,
        "redacted_fields": content.redaction.fields(),
        "raw_logs": files.iter().any(|file| file.name.starts_with("data/metrics/logs/")),
    })
}
