//! `stagegate check`: the decision, printed and as an exit code.

use super::power;
use super::session::{Session, clock, config_told, load};
use crate::analysis::up_to::stage_of;
use crate::cli::{CheckArguments, CheckFormat, FailOn};
use crate::config::{Plan, Stage};
use crate::console;
use crate::error::{Error, Result};
use crate::growth;
use crate::render::escape::plain_lines;
use crate::render::{announce, check, terminal};
use crate::report::model::{self, DecisionValue, Report, StageState};

pub(super) fn run(session: &Session, arguments: &CheckArguments) -> Result<u8> {
    let mut plan = load(&arguments.input)?;
    plan.up_to = arguments.stage.as_deref().map(|name| stage_of(&plan, name)).transpose()?;
    let link = arguments.report_url.as_deref().map(web_address).transpose()?;
    let generated_at = clock(None)?;
    let cache = arguments.cache.as_deref().map(|folder| (folder, arguments.input.keep.as_slice()));
    let report = session.with_progress(|| growth::report(&plan, generated_at, cache, &session.run))?;
    match arguments.format {
        CheckFormat::Text => {
            session.console.tell(&config_told(&plan))?;
            session.console.tell(&terminal::check(&report, session.console.colour))?;
            session.console.tell(&yet_to_begin(&plan, &report))?;
        }
        CheckFormat::Json => console::print(&check::json(&report))?,
        CheckFormat::Github => console::print(&check::github(&report))?,
        CheckFormat::Junit => console::print(&check::junit(&report))?,
        CheckFormat::Markdown => console::print(&announce::markdown(&report, link))?,
        CheckFormat::Slack => console::print(&announce::slack(&report, link))?,
    }
    Ok(exit_code(report.decision.value, arguments.fail_on))
}

/// What the numbers of the stages to come cannot show: while they have not begun, the plan can still be changed.
fn yet_to_begin(plan: &Plan, report: &Report) -> String {
    let to_come = |stage: &Stage| {
        let is_stage = |known: &&model::Stage| known.name == stage.name && known.state == StageState::NotBegun;
        stage.percentage > 0.0 && report.stages.iter().any(|known| is_stage(&known))
    };
    match power::cannot_show(plan, to_come) {
        none if none.is_empty() => none,
        lines => plain_lines(&format!("\nStages to come\n{lines}")),
    }
}

/// The decision as an exit code.
pub(super) fn exit_code(decision: DecisionValue, fail_on: FailOn) -> u8 {
    let mildest = match fail_on {
        FailOn::Incomplete => DecisionValue::Incomplete,
        FailOn::Review => DecisionValue::Review,
        FailOn::NoGo => DecisionValue::NoGo,
    };
    match decision {
        milder if milder < mildest => 0,
        DecisionValue::Go => 0,
        DecisionValue::NoGo | DecisionValue::Rollback => 1,
        DecisionValue::Review => 3,
        DecisionValue::Incomplete => 4,
    }
}

/// An address that can stand in a link of Markdown and of Slack.
fn web_address(text: &str) -> Result<&str> {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'(' | b')' | b'|' | b'"' | b'\\');
    let is_address = (text.starts_with("https://") || text.starts_with("http://")) && text.bytes().all(plain);
    is_address.then_some(text).ok_or_else(|| {
        Error::new(format!("--report-url {text:?} is no address of the web"))
            .help("write it like https://ci.example/runs/7/report.html; other characters as %28")
    })
}
