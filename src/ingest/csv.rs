//! Where the records of CSV end, and what a lost quote would swallow.

/// Whether a reader of CSV is between quotes.
#[derive(Debug, Clone, Copy)]
pub struct Quoting {
    inside: bool,
    /// The byte before.
    before: u8,
}

impl Default for Quoting {
    fn default() -> Self {
        Self { inside: false, before: b'\n' }
    }
}

/// Where the records of `bytes` end, behind their newlines; `quoting` is what holds before, and then after them. A
/// newline between quotes ends none; a quote opens them at the beginning of a field alone.
pub fn ends<'b>(bytes: &'b [u8], separator: u8, quoting: &'b mut Quoting) -> impl Iterator<Item = usize> + 'b {
    let mut marks = memchr::memchr2_iter(b'"', b'\n', bytes);
    // The byte behind a closed pair of quotes: a quote there opens it again.
    let mut closed = None;
    std::iter::from_fn(move || {
        for at in marks.by_ref() {
            let before = at.checked_sub(1).map_or(quoting.before, |before| bytes[before]);
            match (bytes[at], quoting.inside) {
                (b'"', true) => (quoting.inside, closed) = (false, Some(at + 1)),
                (b'"', false) => {
                    quoting.inside =
                        before == separator || before == b'\n' || closed == Some(at) || at == 0 && before == b'"';
                }
                (_, false) => return Some(at + 1),
                (_, true) => {}
            }
        }
        quoting.before = bytes.last().copied().unwrap_or(quoting.before);
        None
    })
}

/// Lines that are taken off one record for a quote that is not closed; then what is left is given up as one.
const MOST_TORN: usize = 100;

/// A record of CSV, or a line of what only a lost quote made one.
pub struct Piece<'p> {
    pub bytes: &'p [u8],
    pub torn: bool,
}

/// The records of a part. One that a lost quote would let swallow the rows behind it loses its first line, and the rest
/// is read again.
pub fn pieces(part: &[u8], separator: u8) -> impl Iterator<Item = Piece<'_>> {
    let quoted = memchr::memchr(b'"', part).is_some();
    let mut quoting = Quoting::default();
    let ends: Vec<usize> = if quoted { ends(part, separator, &mut quoting).collect() } else { Vec::new() };
    let mut plain = memchr::memchr_iter(b'\n', if quoted { &[] } else { part }).map(|newline| newline + 1);
    let mut ends = ends.into_iter();
    let (mut start, mut done) = (0, false);
    let whole = std::iter::from_fn(move || {
        while !done {
            let end = if quoted { ends.next() } else { plain.next() };
            done = end.is_none();
            let from = std::mem::replace(&mut start, end.unwrap_or(part.len()));
            if from < start {
                return Some(&part[from..start]);
            }
        }
        None
    });
    whole.flat_map(move |record| {
        let apart = (quoted && is_torn(record, separator)).then(|| taken_apart(record, separator));
        let one = if apart.is_none() { Some(Piece { bytes: record, torn: false }) } else { None };
        apart.into_iter().flatten().chain(one)
    })
}

fn taken_apart(record: &[u8], separator: u8) -> Vec<Piece<'_>> {
    let (mut found, mut rest, mut torn_lines) = (Vec::new(), record, 0);
    while !rest.is_empty() {
        let end = ends(rest, separator, &mut Quoting::default()).next().unwrap_or(rest.len());
        let torn = is_torn(&rest[..end], separator);
        torn_lines += usize::from(torn);
        let line = memchr::memchr(b'\n', &rest[..end]).map_or(end, |newline| newline + 1);
        let (bytes, after) = rest.split_at(if torn && torn_lines <= MOST_TORN { line } else { end });
        found.push(Piece { bytes, torn });
        rest = after;
    }
    found
}

/// Lines of one record from which on they are asked whether they are rows themselves.
const MANY_LINES: usize = 20;

/// Whether most lines of a record have as many columns as each other: then they are rows, and the quotes around them are
/// those of two fields.
fn holds_rows(record: &[u8], separator: u8) -> bool {
    if memchr::memchr_iter(b'\n', record).nth(MANY_LINES).is_none() {
        return false;
    }
    let columns = record.split(|byte| *byte == b'\n').map(|line| memchr::memchr_iter(separator, line).count());
    let mut counts: Vec<usize> = columns.collect();
    counts.sort_unstable();
    let usual = counts[counts.len() / 2];
    usual >= 2 && counts.iter().filter(|count| **count == usual).count() * 10 >= counts.len() * 9
}

/// Whether a quote is closed where more of its field follows, or never; or rows stand between quotes.
fn is_torn(record: &[u8], separator: u8) -> bool {
    if holds_rows(record, separator) {
        return true;
    }
    let (mut inside, mut at) = (false, 0);
    while let Some(found) = record.get(at..).and_then(|rest| memchr::memchr(b'"', rest)) {
        let quote = at + found;
        at = quote + 1;
        if !inside {
            inside = quote == 0 || record[quote - 1] == separator || record[quote - 1] == b'\n';
            continue;
        }
        match record.get(at) {
            Some(b'"') => at += 1,
            None | Some(b'\n' | b'\r' | b' ' | b'\t') => inside = false,
            Some(byte) if *byte == separator => inside = false,
            Some(_) => return true,
        }
    }
    inside
}
