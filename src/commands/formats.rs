//! `stagegate formats`: the presets, or one of them as it could stand in a rollout.toml.

use crate::cli::FormatsArguments;
use crate::console;
use crate::error::{Error, Result};
use crate::schema::presets;

pub(super) fn run(arguments: &FormatsArguments) -> Result<u8> {
    let text = match &arguments.name {
        None => list(),
        Some(name) => {
            presets::find(name).map_err(|why| Error::new(why).help("`stagegate formats` without a name lists them"))?;
            presets::text(name).unwrap_or_default().to_owned()
        }
    };
    console::print(&text)?;
    Ok(0)
}

fn list() -> String {
    let lines = presets::all().map(|(name, preset)| format!("{name:<20} {}\n", preset.title));
    let list: String = lines.collect();
    format!(
        "{list}\nA preset stands in rollout.toml; the arm is what it cannot know:\n\n  [[sources]]\n  preset = \"k6-json\"\n  [sources.fields]\n  arm = \"data.tags.scenario\"\n\n`stagegate formats NAME` prints what a preset reads, `stagegate init LOG` proposes a config for a log.\n"
    )
}
