//! `stagegate bundle`: code, metrics, tests and reports -> the bundle for the external reviewer.

use super::session::{Session, clock_or, load};
use crate::bundle::{self, Bundled, Options, Redaction, Repository};
use crate::cli::BundleArguments;
use crate::config::Plan;
use crate::error::Result;
use crate::run::Run;
use crate::{console, ingest};

pub(super) fn run(session: &Session, arguments: &BundleArguments) -> Result<u8> {
    let BundleArguments {
        input,
        out,
        commit,
        no_code,
        raw,
        redact,
        redact_key,
        sign_key,
        max_tokens,
        max_part_mb,
        generated_at,
    } = arguments;
    let plan = load(input)?;
    let options = Options {
        out,
        raw_logs: *raw,
        signing_key: sign_key.as_deref().map(bundle::read_key).transpose()?,
        max_tokens: *max_tokens,
        max_part_mb: *max_part_mb,
    };
    let repository = if *no_code { None } else { Some(Repository::open(&plan.base.join(&plan.bundle.code), commit)?) };
    let time = repository.as_ref().map(|repository| repository.committed_at);
    let generated_at = clock_or(generated_at.as_deref(), time)?;
    let redaction = Redaction::for_bundle(redact, redact_key.as_deref(), out)?;
    let bundled =
        session.with_progress(|| make(&plan, repository.as_ref(), &redaction, &options, generated_at, &session.run))?;
    bundled.warnings.iter().try_for_each(|warning| console::warn(warning))?;
    session.console.tell(&bundled.text())?;
    Ok(0)
}

/// The plan's logs, evidence and code -> the bundle.
fn make(
    plan: &Plan,
    repository: Option<&Repository>,
    redaction: &Redaction,
    options: &Options<'_>,
    generated_at: String,
    run: &Run,
) -> Result<Bundled> {
    let inputs = ingest::recognise::inputs(plan)?;
    let mut cube = crate::cube_of(plan, &inputs, &[], run)?;
    crate::usable(&inputs, &cube)?;
    cube.rewrite(|text| redaction.text(text), |id| redaction.request_id(id))?;
    let report = crate::report_of(plan, &cube, generated_at, run)?;
    let mut content =
        bundle::Content { plan, logs: &inputs.logs, cube: &mut cube, report: &report, repository, redaction };
    let mut bundled = bundle::write(&mut content, options, run)?;
    if repository.is_some_and(Repository::is_dirty) {
        bundled.warnings.push("the working tree has changes that are not committed, and so not in the bundle".into());
    }
    Ok(bundled)
}
