//! `stagegate timeline`: logs -> their stage events.

use super::session::{Session, load};
use super::shard;
use crate::cli::TimelineArguments;
use crate::error::Result;
use crate::{console, ingest};

pub(super) fn run(session: &Session, arguments: &TimelineArguments) -> Result<u8> {
    let TimelineArguments { input, shard } = arguments;
    let logs = match shard::asked(shard, &input.files)? {
        Some(asked) => asked.sources()?,
        None => ingest::recognise::inputs(&load(input)?)?.logs,
    };
    let events = session
        .with_progress(|| session.run.time("timeline", || ingest::timeline::events_in_order(&logs, &session.run)))?;
    console::print(&events.iter().map(|event| event.line() + "\n").collect::<String>())?;
    Ok(0)
}
