//! `stagegate cube`: logs -> a cube.

use super::session::{Session, load};
use crate::cli::CubeArguments;
use crate::cube::store;
use crate::error::Result;

pub(super) fn run(session: &Session, arguments: &CubeArguments) -> Result<u8> {
    let CubeArguments { input, output, timeline } = arguments;
    let plan = load(input)?;
    let mut cube = session.with_progress(|| crate::cube(&plan, timeline, &session.run))?;
    session.run.time("write", || store::write(&mut cube, output))?;
    session.console.tell(&format!("wrote {}\n", output.display()))?;
    Ok(0)
}
