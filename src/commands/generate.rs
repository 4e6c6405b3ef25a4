//! `stagegate generate`: a simulated rollout -> its log.

use std::io::Write;
use std::path::Path;

use crate::cli::GenerateArguments;
use crate::error::Result;
use crate::{console, output, simulate};

pub(super) fn run(arguments: &GenerateArguments) -> Result<u8> {
    let GenerateArguments { scenario, uploads, seed, output, truth } = arguments;
    let mut planted = None;
    let mut write =
        |out: &mut dyn Write| simulate::rollout(*scenario, *uploads, *seed, out).map(|truth| planted = Some(truth));
    if output == Path::new("-") {
        console::print_with(write)?;
    } else {
        output::stream_packed(output, &mut write)?;
    }
    if let (Some(path), Some(planted)) = (truth, planted) {
        output::write_at(path, format!("{:#}\n", serde_json::json!(planted)).as_bytes())?;
    }
    Ok(0)
}
