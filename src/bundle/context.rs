//! The bundle once more, packed for the context of a model: text with paths and line numbers, in parts that
//! keep to an estimated number of tokens and a size.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use super::payload::Payload;
use super::tokens::tokens;
use crate::config::ProviderSection;
use crate::error::{Error, Position, Result};
use crate::format;
use crate::packing::sha256;
use crate::run::Run;

/// Longest piece of a line, in bytes; a longer line goes on with its number again.
const MAX_PIECE: usize = 4096;
/// Text that is read at once, in bytes.
const SEGMENT: usize = 256 << 10;

/// What a part must keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    pub max_tokens: u64,
    pub max_bytes: u64,
}

/// A text of the bundle that is to be packed.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// Inside the bundle.
    pub name: String,
    pub lines: u64,
}

/// A part that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// File name in the context folder.
    pub name: String,
    pub tokens: u64,
    pub bytes: u64,
    /// Hexadecimal.
    pub sha256: String,
    /// The files in it: name, first and last line.
    pub files: Vec<(String, u64, u64)>,
}

/// Packs `sources` of the bundle at `root` into `folder`. `mark` is a word that stands in front of every
/// file's name, so that no file can pretend to begin another.
///
/// # Errors
/// A file cannot be read or written.
pub(super) fn pack(
    root: &Path,
    folder: &Path,
    sources: &[Source],
    limits: Limits,
    mark: &str,
    run: &Run,
) -> Result<Vec<Part>> {
    let fail = |error: io::Error| {
        Error::new(format!("cannot pack the context: {error}")).at(Position::file(folder.display().to_string()))
    };
    fs::create_dir_all(folder).map_err(fail)?;
    let mut packer = Packer { folder, limits, mark, parts: Vec::new(), open: None };
    let mut segments = Segments { root, sources, next: 0, reader: None };
    while let Some(segment) = segments.next().map_err(fail)? {
        packer.add(&sources[segment.source], &segment).map_err(fail)?;
        run.advance(segment.text.len() as u64);
    }
    packer.finish().map_err(fail)
}

/// `index.md`: what is in which part, what is not packed, and which provider takes the parts.
pub(super) fn index(
    parts: &[Part],
    not_packed: &[&Payload],
    limits: Limits,
    providers: &BTreeMap<String, ProviderSection>,
) -> String {
    let tokens: u64 = parts.iter().map(|part| part.tokens).sum();
    let mut text = format!(
        "# Index of the packed texts\n\nRead `REQUEST.md` at the start of part 1 first. {} in {}, at most {} tokens (estimated, on the high side) and {} a part.\n\n",
        format::counted(tokens, "token"),
        format::counted(parts.len() as u64, "part"),
        format::count(limits.max_tokens),
        format::bytes(limits.max_bytes),
    );
    let largest = parts.iter().map(|part| (part.tokens, part.bytes)).fold((0, 0), |a, b| (a.0.max(b.0), a.1.max(b.1)));
    for (name, limit) in providers {
        let fits = limit.max_tokens.is_none_or(|most| largest.0 <= most)
            && limit.max_part_mb.is_none_or(|most| largest.1 <= most.saturating_mul(1 << 20));
        let all = limit.max_tokens.is_some_and(|most| tokens <= most);
        text.push_str(&format!(
            "- {}: {}{}\n",
            code(name),
            if fits { "takes each part in one upload" } else { "does not take every part" },
            if all { ", and all parts at once" } else { "" },
        ));
    }
    text.push_str("\n## Parts\n");
    for part in parts {
        let (count, size) = (format::count(part.tokens), format::bytes(part.bytes));
        text.push_str(&format!("\n### {} ({count} tokens, {size})\n\n", part.name));
        for (file, first, last) in &part.files {
            text.push_str(&format!("- {}, lines {first} to {last}\n", code(file)));
        }
    }
    text.push_str(
        "\n## Not packed\n\nBinary files, tables, logs, pages and drawings of figures that stand in the reports.\n\n",
    );
    for file in not_packed {
        let name = file.name.strip_prefix("data/").unwrap_or(&file.name);
        text.push_str(&format!("- {}, {}, sha256 `{}`\n", code(name), format::bytes(file.bytes), file.sha256));
    }
    text
}

/// A name as a code span.
fn code(name: &str) -> String {
    let ticks = name.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(ticks + 1);
    if ticks > 0 { format!("{fence} {name} {fence}") } else { format!("`{name}`") }
}

fn push_behind_number(text: &mut String, piece: &str) {
    text.push_str(": ");
    text.push_str(piece);
    if !piece.ends_with('\n') {
        text.push('\n');
    }
}

/// Whole lines of a file.
struct Segment {
    source: usize,
    /// From 1.
    first_line: u64,
    text: String,
}

impl Segment {
    /// Lines, those that are too long in pieces, each with its newline where it has one.
    fn pieces(&self) -> impl Iterator<Item = &str> {
        self.text.split_inclusive('\n').flat_map(|line| {
            let mut rest = line;
            std::iter::from_fn(move || {
                if rest.is_empty() {
                    return None;
                }
                let piece = &rest[..rest.floor_char_boundary(MAX_PIECE)];
                rest = &rest[piece.len()..];
                Some(piece)
            })
        })
    }
}

/// Reads the sources in segments.
struct Segments<'a> {
    root: &'a Path,
    sources: &'a [Source],
    next: usize,
    reader: Option<(usize, u64, BufReader<File>)>,
}

impl Segments<'_> {
    fn next(&mut self) -> io::Result<Option<Segment>> {
        loop {
            let Some((source, line, reader)) = &mut self.reader else {
                let Some(source) = self.sources.get(self.next) else { return Ok(None) };
                let file = BufReader::with_capacity(SEGMENT, File::open(self.root.join(&source.name))?);
                self.reader = Some((self.next, 1, file));
                self.next += 1;
                continue;
            };
            let mut bytes = Vec::with_capacity(SEGMENT + 1024);
            reader.by_ref().take(SEGMENT as u64).read_to_end(&mut bytes)?;
            if bytes.is_empty() {
                self.reader = None;
                continue;
            }
            if bytes.last() != Some(&b'\n') {
                reader.read_until(b'\n', &mut bytes)?;
            }
            let text = String::from_utf8(bytes).map_err(|_| io::Error::other("a text changed while it was read"))?;
            let segment = Segment { source: *source, first_line: *line, text };
            *line += memchr::memchr_iter(b'\n', segment.text.as_bytes()).count() as u64;
            return Ok(Some(segment));
        }
    }
}

/// A part that is being filled.
struct Open {
    text: String,
    tokens: u64,
    files: Vec<(String, u64, u64)>,
    /// The source whose lines come last in it.
    source: Option<String>,
}

struct Packer<'a> {
    folder: &'a Path,
    limits: Limits,
    mark: &'a str,
    parts: Vec<Part>,
    open: Option<Open>,
}

impl Packer<'_> {
    fn add(&mut self, source: &Source, segment: &Segment) -> io::Result<()> {
        let mut line = segment.first_line;
        let mut numbered = String::new();
        for piece in segment.pieces() {
            numbered.clear();
            let _ = write!(numbered, "{line}");
            push_behind_number(&mut numbered, piece);
            let (tokens, bytes) = (tokens(&numbered), numbered.len() as u64);
            let fits = self.open.as_ref().is_some_and(|open| {
                open.tokens + tokens <= self.limits.max_tokens
                    && open.text.len() as u64 + bytes <= self.limits.max_bytes
            });
            if !fits {
                self.close()?;
            }
            if self.open.as_ref().is_none_or(|open| open.source.as_deref() != Some(&source.name)) {
                self.begin(source, line, tokens, bytes)?;
            }
            let open = self.open.as_mut().expect("a part was begun");
            open.text.push_str(&numbered);
            open.tokens += tokens;
            if let Some(file) = open.files.last_mut() {
                file.2 = line;
            }
            line += u64::from(piece.ends_with('\n'));
        }
        Ok(())
    }

    /// Writes a file's header, in a new part where it does not fit with the line that follows.
    fn begin(&mut self, source: &Source, line: u64, of_line: u64, bytes: u64) -> io::Result<()> {
        let name = source.name.strip_prefix("data/").unwrap_or(&source.name);
        let header = format!("=== {} {name} (from line {line} of {})\n", self.mark, source.lines);
        let header_tokens = tokens(&header);
        let fits = self.open.as_ref().is_some_and(|open| {
            open.tokens + header_tokens + of_line <= self.limits.max_tokens
                && (open.text.len() + header.len()) as u64 + bytes <= self.limits.max_bytes
        });
        if !fits {
            self.close()?;
            let text = format!(
                "Part {} of the validation bundle. A line that begins with \"=== {}\" names the file that follows; each line has its number in front.\n",
                self.parts.len() + 1,
                self.mark
            );
            self.open = Some(Open { tokens: tokens(&text), text, files: Vec::new(), source: None });
        }
        let open = self.open.as_mut().expect("a part is open");
        open.text.push_str(&header);
        open.tokens += header_tokens;
        open.source = Some(source.name.clone());
        open.files.push((name.to_owned(), line, line));
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        if let Some(open) = self.open.take() {
            let name = format!("part-{:04}.txt", self.parts.len() + 1);
            fs::write(self.folder.join(&name), &open.text)?;
            let bytes = open.text.len() as u64;
            let sha256 = sha256(open.text.as_bytes());
            self.parts.push(Part { name, tokens: open.tokens, bytes, sha256, files: open.files });
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<Vec<Part>> {
        self.close()?;
        Ok(self.parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(files: &[(&str, String)], limits: Limits) -> (Vec<Part>, Vec<String>) {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("context");
        let sources: Vec<Source> = files
            .iter()
            .map(|(name, text)| {
                fs::write(root.path().join(name), text).unwrap();
                Source { name: (*name).into(), lines: text.lines().count() as u64 }
            })
            .collect();
        let parts = pack(root.path(), &folder, &sources, limits, "m4rk", &Run::new(2)).unwrap();
        let texts = parts.iter().map(|part| fs::read_to_string(folder.join(&part.name)).unwrap()).collect();
        (parts, texts)
    }

    #[test]
    fn parts_keep_to_their_limits_and_lose_no_line() {
        let long = format!("{}\nshort\n", "lorem ipsum {}; ".repeat(2000));
        let many: String = (0..5000).map(|line| format!("    call({line}, \"text\");\n")).collect();
        let files = [("a.txt", long.clone()), ("b.rs", many.clone()), ("c.txt", "no newline".to_owned())];
        let limits = Limits { max_tokens: 8000, max_bytes: 1 << 20 };
        let (parts, texts) = packed(&files, limits);
        assert!(parts.len() > 5, "{}", parts.len());
        for (part, text) in parts.iter().zip(&texts) {
            assert_eq!(part.tokens, tokens(text), "{}", part.name);
            assert!(part.tokens <= limits.max_tokens && part.bytes <= limits.max_bytes);
        }
        let all = texts.concat();
        assert!(all.contains("=== m4rk b.rs (from line 1 of 5000)\n1:     call(0, \"text\");\n2: "));
        assert_eq!(all.matches("call(").count(), 5000);
        assert_eq!(all.matches("lorem").count(), 2000);
        assert!(all.ends_with("=== m4rk c.txt (from line 1 of 1)\n1: no newline\n"));
        let (small, _) = packed(&files, Limits { max_tokens: 1 << 30, max_bytes: 40_000 });
        assert!(small.len() > 3 && small.iter().all(|part| part.bytes <= 40_000));
    }
}
