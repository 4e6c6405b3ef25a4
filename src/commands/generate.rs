//! `stagegate generate`: a simulated rollout -> its log.

use std::io::Write;
use std::path::Path;

use crate::cli::GenerateArguments;
use crate::error::{Error, Result};
use crate::schema::presets;
use crate::simulate::shape::{self, Shaper};
use crate::{console, output, simulate};

pub(super) fn run(arguments: &GenerateArguments) -> Result<u8> {
    let GenerateArguments { scenario, uploads, seed, output, shape, plan, truth } = arguments;
    let shape = shape.as_deref().map(shape_of).transpose()?;
    let mut planted = None;
    let mut starts = Vec::new();
    let mut write = |out: &mut dyn Write| match &shape {
        None => simulate::rollout(*scenario, *uploads, *seed, out).map(|truth| planted = Some(truth)),
        Some((_, preset, write)) => {
            let mut shaper = Shaper::new(preset, write, out);
            planted = Some(simulate::rollout(*scenario, *uploads, *seed, &mut shaper)?);
            starts = shaper.starts();
            Ok(())
        }
    };
    if output == Path::new("-") {
        console::print_with(write)?;
    } else {
        output::stream_packed(output, &mut write)?;
    }
    if let (Some(path), Some((name, _, write))) = (plan, &shape) {
        output::write_at(path, shape::plan(name, write, &starts).as_bytes())?;
    }
    if let (Some(path), Some(planted)) = (truth, planted) {
        output::write_at(path, format!("{:#}\n", serde_json::json!(planted)).as_bytes())?;
    }
    Ok(0)
}

type Shape<'n> = (&'n str, &'static presets::Preset, &'static presets::WriteSection);

fn shape_of(name: &str) -> Result<Shape<'_>> {
    let preset = presets::find(name).map_err(|why| Error::new(why).help("`stagegate formats` lists the presets"))?;
    let write = preset.write.as_ref().ok_or_else(|| {
        Error::new(format!("{name} cannot be simulated: no arm stands in its files"))
            .help("`stagegate formats` lists the presets")
    })?;
    Ok((name, preset, write))
}
