//! `stagegate validation record`: the reviewer's answer -> the report's evidence.

use super::session::{Session, clock};
use crate::bundle::{answer, verify};
use crate::cli::{RecordArguments, ValidationAction, ValidationArguments};
use crate::error::{Error, Result};
use crate::evidence::{self, validation::record_name};
use crate::{config, format, output};

pub(super) fn run(session: &Session, arguments: &ValidationArguments) -> Result<u8> {
    match &arguments.action {
        ValidationAction::Record(arguments) => record(session, arguments),
    }
}

/// Checks the answer against the bundle that it answers, and keeps it.
fn record(session: &Session, arguments: &RecordArguments) -> Result<u8> {
    let RecordArguments { response, bundle, config, generated_at } = arguments;
    let plan = config::load(config.as_deref(), &[], &[])?;
    let recorded_at = clock(generated_at.as_deref())?;
    let file = evidence::read_response(response)?;
    let verified = session.with_progress(|| verify::verify(bundle, None, &session.run))?;
    if !verified.problems.is_empty() {
        let text = verified.text(&bundle.display().to_string());
        return Err(Error::new(text.trim_end()).help("record the answer against the bundle that was sent"));
    }
    let record = answer::check(&plan, &response.display().to_string(), &file, &verified, recorded_at)?;
    let kept = plan.base.join(&plan.validation.response);
    let name = record_name(&plan.validation.response);
    output::write_at(&kept, file.as_bytes())?;
    output::write_at(&plan.base.join(&name), record.text().as_bytes())?;
    session.console.tell(&format!(
        "recorded: {}, {} of {} answered, {}\n  {}\n  {}\n",
        record.response.verdict.word(),
        record.response.claims.len(),
        format::counted(record.asked.len() as u64, "claim"),
        format::counted(record.response.objections.len() as u64, "objection"),
        kept.display(),
        plan.base.join(name).display()
    ))?;
    Ok(0)
}
