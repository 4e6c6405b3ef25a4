//! `stagegate check`: the decision, printed and as an exit code.

use super::session::{Session, clock, load};
use crate::cli::{CheckArguments, CheckFormat};
use crate::console;
use crate::error::Result;
use crate::render::{check, terminal};
use crate::report::model::DecisionValue;

pub(super) fn run(session: &Session, arguments: &CheckArguments) -> Result<u8> {
    let plan = load(&arguments.input)?;
    let generated_at = clock(None)?;
    let report = session.with_progress(|| crate::report(&plan, generated_at, &session.run))?;
    match arguments.format {
        CheckFormat::Text => session.console.tell(&terminal::check(&report, console::colour()))?,
        CheckFormat::Json => console::print(&check::json(&report))?,
        CheckFormat::Github => console::print(&check::github(&report))?,
        CheckFormat::Junit => console::print(&check::junit(&report))?,
    }
    Ok(exit_code(report.decision.value))
}

/// The decision as an exit code.
fn exit_code(decision: DecisionValue) -> u8 {
    match decision {
        DecisionValue::Go => 0,
        DecisionValue::NoGo | DecisionValue::Rollback => 1,
        DecisionValue::Review | DecisionValue::Incomplete => 3,
    }
}
