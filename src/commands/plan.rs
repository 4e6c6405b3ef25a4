//! `stagegate plan`: logs -> which process folds what.

use std::path::Path;

use super::session::{Session, load};
use crate::cli::PlanArguments;
use crate::error::{Error, Result};
use crate::format;
use crate::ingest::source::Source;
use crate::ingest::timeline::Timeline;
use crate::{console, ingest, output, shards};

pub(super) fn run(session: &Session, arguments: &PlanArguments) -> Result<u8> {
    let PlanArguments { input, output, split, timeline, listing } = arguments;
    let plan = load(input)?;
    if !plan.schema.tries.is_all() {
        let tries = plan.schema.tries.word();
        return Err(Error::new(format!("[record] tries = {tries:?}: which try counts shows in the whole log only"))
            .help("leave it out, or fold the log as one with `stagegate cube`"));
    }
    let listed = listing.as_deref().map(shards::listing).transpose()?.unwrap_or_default();
    // A listing alone is enough.
    let logs = if listing.is_some() && input.files.is_empty() {
        Vec::new()
    } else {
        let inputs = ingest::recognise::inputs(&plan)?;
        if let Some((name, _)) = inputs.cubes.first() {
            return Err(Error::new(format!("{name} is a cube: it is folded already"))
                .help("plan the logs; cubes of other logs are merged with theirs by `stagegate cube`"));
        }
        inputs.logs
    };
    if let Some(stream) = logs.iter().find(|log| log.is_spooled()) {
        return Err(Error::new(format!("{} can be read only once, and by this process alone", stream.name))
            .help("plan files, or give a --listing of what lies elsewhere"));
    }
    let known = session.with_progress(|| {
        let of_plan = Timeline::of_plan(&plan);
        if !timeline.is_empty() {
            return crate::events_beside(&plan, timeline, &session.run).map(|told| Some(of_plan.and_told(&told)));
        }
        if !listed.is_empty() {
            return Ok(None);
        }
        session.run.time("timeline", || of_plan.and_of(&logs, &session.run)).map(Some)
    })?;
    let made = shards::make(&plan, (&logs, &listed), known, (&input.keep, *split))?;
    let text = made.text()?;
    let same =
        |log: &&Source| output.canonicalize().ok().zip(log.path.canonicalize().ok()).is_some_and(|(a, b)| a == b);
    if let Some(log) = logs.iter().find(same) {
        return Err(Error::new(format!("{} is a log of the plan, and would be replaced by it", log.name))
            .help("give another name to --output"));
    }
    if output == Path::new("-") {
        console::print(&text)?;
    } else {
        output::write_at(output, text.as_bytes())?;
    }
    let (files, parts) = (made.files.len() as u64, made.parts.len() as u64);
    let bytes = made.files.iter().map(|file| file.bytes).sum();
    let told =
        format!("{}, {}, in {}", format::counted(files, "file"), format::bytes(bytes), format::counted(parts, "part"));
    let open = match &made.timeline {
        Some(_) => "",
        None => {
            "\nthe stage events are not known: stagegate timeline --plan PLAN --part NUMBER searches them, part by part; then plan again with --timeline"
        }
    };
    session.console.note(&format!("{told}{open}"))?;
    Ok(0)
}
