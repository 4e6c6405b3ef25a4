//! Ledgers of parts of files -> those of the files, as if each had been read at once.

use std::ops::Range;

use super::ledger::{Ends, FileLedger, Part};
use crate::error::{Error, Position, Result};

/// Sorts ledgers by name, and joins those of parts that follow each other. What misses stays apart.
///
/// # Errors
/// Two of them hold the same bytes, or speak of different files of one name.
pub fn join(mut ledgers: Vec<FileLedger>) -> Result<Vec<FileLedger>> {
    let start = |file: &FileLedger| file.part.as_ref().map_or(0, |part| part.range.start);
    ledgers.sort_by(|a, b| (&a.path, start(a), &a.digest).cmp(&(&b.path, start(b), &b.digest)));
    let mut joined: Vec<FileLedger> = Vec::new();
    for next in ledgers {
        match joined.last_mut().filter(|last| last.path == next.path) {
            Some(last) if last.part.is_some() || next.part.is_some() => {
                if let Some(apart) = follow(last, next)? {
                    joined.push(apart);
                }
            }
            _ => joined.push(next),
        }
    }
    Ok(joined.into_iter().map(FileLedger::settled).collect())
}

/// Adds what follows at once; gives back what follows later.
fn follow(last: &mut FileLedger, next: FileLedger) -> Result<Option<FileLedger>> {
    let fail = |message: String| Error::new(message).at(Position::file(&next.path));
    let (Some(before), Some(part)) = (&mut last.part, &next.part) else {
        return Err(fail("it is in two of the inputs, in one of them as a part".into())
            .help("its records would count twice: leave one of the inputs out"));
    };
    if before.size != part.size || last.format != next.format {
        let message = format!(
            "its parts are of two files: of {} bytes read as {}, and of {} read as {}",
            before.size, last.format, part.size, next.format
        );
        return Err(fail(message).help("it changed between the runs: make all parts again, of one plan"));
    }
    if part.range.start < before.range.end {
        let end = before.range.end.min(part.range.end);
        return Err(fail(format!("bytes {} to {end} are in two of the inputs", part.range.start))
            .help("its records would count twice: ranges that belong together end where the next begins"));
    }
    if part.range.start > before.range.end {
        return Ok(Some(next));
    }
    let joined = std::mem::take(&mut before.subtrees).join(&part.subtrees, part.size);
    before.subtrees = joined.ok_or_else(|| fail("the digests of its parts do not fit each other".into()))?;
    before.range.end = part.range.end;
    let mut ends = Ends { first: before.first_timestamp, last: before.last_timestamp };
    last.append(next, &mut ends);
    if let Some(part) = &mut last.part {
        (part.first_timestamp, part.last_timestamp) = (ends.first, ends.last);
    }
    Ok(None)
}

/// The bytes of a file that its parts do not hold; each is the name, the size and the gaps of one.
pub fn missing(files: &[FileLedger]) -> Vec<(&str, u64, Vec<Range<u64>>)> {
    let parts: Vec<(&str, &Part)> =
        files.iter().filter_map(|file| Some((file.path.as_str(), file.part.as_ref()?))).collect();
    let gaps = |parts: &[(&str, &Part)]| {
        let size = parts[0].1.size;
        let starts = parts.iter().map(|(_, part)| part.range.start).chain([size]);
        let ends = std::iter::once(0).chain(parts.iter().map(|(_, part)| part.range.end));
        ends.zip(starts).filter(|(end, start)| end < start).map(|(end, start)| end..start).collect()
    };
    parts.chunk_by(|a, b| a.0 == b.0).map(|parts| (parts[0].0, parts[0].1.size, gaps(parts))).collect()
}

/// Refuses what is not the whole of a file: its figures would be those of a part.
///
/// # Errors
/// The first file of which a part is missing.
pub fn whole(files: &[FileLedger]) -> Result<()> {
    let Some((path, size, gaps)) = missing(files).into_iter().next() else { return Ok(()) };
    let named: Vec<String> = gaps.iter().take(5).map(|gap| format!("{} to {}", gap.start, gap.end)).collect();
    let more = if gaps.len() > 5 { format!(", and {} more", gaps.len() - 5) } else { String::new() };
    Err(Error::new(format!("only a part of it was folded: of {size} bytes, {}{more} are missing", named.join(", ")))
        .at(Position::file(path))
        .help("give the cubes of its other ranges, too"))
}
