//! What a bundle says of itself: the request, the declaration, the manifests, the signed statement.

use std::fs;

use serde_json::{Value, json};

use super::content::{Content, LeftOut, Options};
use super::manifest;
use super::payload::{Intake, Payload, Task};
use super::statement::{self, Material};
use crate::config::Plan;
use crate::error::{Error, Position, Result};
use crate::packing::sha256;
use crate::render;
use crate::report::claims::figures_digest;
use crate::report::model::Report;

/// The tag files of the bag, written.
pub(super) fn tags(
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
    let info = manifest::info(files, date, &report.title, content.plan.validation.consultation_id.as_deref());
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
        .map(|input| {
            let (algorithm, digest) = input.digest.split_once(':').unwrap_or(("sha256", &input.digest));
            Material { uri: format!("file:{}", input.path), algorithm: algorithm.into(), digest: digest.to_owned() }
        })
        .collect();
    if let Some(repository) = content.repository {
        let digest = repository.commit.clone();
        materials.push(Material { uri: "git:code".into(), algorithm: "gitCommit".into(), digest });
    }
    if let Some(digest) = config {
        materials.push(Material { uri: "file:config".into(), algorithm: "sha256".into(), digest: digest.clone() });
    }
    materials
}

/// How the bundle was made, and under which plan.
fn parameters(content: &Content<'_>, files: &[Payload], config: Option<&String>) -> Value {
    let plan = content.plan;
    json!({
        "title": plan.title,
        "consultation_id": plan.validation.consultation_id,
        "config_sha256": config,
        "folding_rules": plan.folding_rules(),
        "replicates": plan.analysis.replicates,
        "seed": plan.analysis.seed,
        "exclude": plan.bundle.exclude,
        "redacted_fields": content.redaction.fields(),
        "raw_logs": files.iter().any(|file| file.name.starts_with("data/metrics/logs/")),
    })
}

/// REQUEST.md, and the same facts for machines.
pub(super) fn request(
    content: &Content<'_>,
    options: &Options<'_>,
    report: &Report,
    digest: &str,
    files: &[Payload],
    left_out: usize,
) -> [Task; 2] {
    let facts = render::request::Facts {
        consultation_id: content.plan.validation.consultation_id.clone(),
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
