//! The bundle once more, packed for the context of a model: text with paths and line numbers, in parts that
//! keep to a number of tokens and a size.
//!
//! Tokens are those of OpenAI's o200k_base, the one large public vocabulary with an exact and fast counter;
//! other models count the same text within about a sixth. A line's count does not depend on its neighbours,
//! because every line begins with a digit and the vocabulary's splitter never joins a newline with one. So
//! counts add up, and a line that was counted once is not counted again.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use bpe_openai::Tokenizer;
use rustc_hash::FxHashMap;
use xxhash_rust::xxh3::xxh3_64;

use super::payload::Payload;
use crate::config::ProviderSection;
use crate::error::{Error, Position, Result};
use crate::format;
use crate::packing::sha256;
use crate::run::Run;

/// Longest piece of a line, in bytes; a longer line goes on with its number again.
const MAX_PIECE: usize = 4096;
/// Text that one task counts, in bytes.
const SEGMENT: usize = 256 << 10;
/// Segments that wait between reading, counting and packing.
const IN_FLIGHT: usize = 16;
/// Counts that a thread remembers: 12 MB.
const REMEMBERED: usize = 3 << 18;

/// What a part must keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub max_tokens: u64,
    pub max_bytes: u64,
}

/// A text of the bundle that is to be packed.
#[derive(Debug, Clone)]
pub struct Source {
    /// Inside the bundle.
    pub name: String,
    pub lines: u64,
}

/// A part that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
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
pub fn pack(
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
    let tokenizer = bpe_openai::o200k_base();
    let mut packer = Packer { folder, limits, mark, tokenizer, parts: Vec::new(), open: None };
    // Read -> count, by several threads -> pack in the order of reading.
    let (to_count, waiting) = crossbeam_channel::bounded::<(usize, Segment)>(IN_FLIGHT);
    let (to_pack, counted) = crossbeam_channel::bounded::<(usize, Segment, Vec<u32>)>(IN_FLIGHT);
    let outcome = std::thread::scope(|scope| {
        let reader = scope.spawn(move || -> io::Result<()> {
            let mut segments = Segments { root, sources, next: 0, reader: None };
            let mut number = 0;
            while let Some(segment) = segments.next()? {
                if to_count.send((number, segment)).is_err() {
                    break;
                }
                number += 1;
            }
            Ok(())
        });
        for _ in 0..run.threads {
            let (waiting, to_pack) = (waiting.clone(), to_pack.clone());
            scope.spawn(move || {
                let mut known = FxHashMap::default();
                for (number, segment) in waiting {
                    let tokens = segment.pieces().map(|piece| count(tokenizer, piece, &mut known)).collect();
                    if to_pack.send((number, segment, tokens)).is_err() {
                        break;
                    }
                }
            });
        }
        drop((waiting, to_pack));
        let mut early = BTreeMap::new();
        let mut next = 0;
        for (number, segment, tokens) in counted {
            early.insert(number, (segment, tokens));
            while let Some((segment, tokens)) = early.remove(&next) {
                packer.add(&sources[segment.source], &segment, &tokens)?;
                run.advance(segment.text.len() as u64);
                next += 1;
            }
        }
        reader.join().expect("the reader does not panic")
    });
    outcome.map_err(fail)?;
    packer.finish().map_err(fail)
}

/// `index.md`: what is in which part, what is not packed, and which provider takes the parts.
pub fn index(
    parts: &[Part],
    not_packed: &[&Payload],
    limits: Limits,
    providers: &BTreeMap<String, ProviderSection>,
) -> String {
    let tokens: u64 = parts.iter().map(|part| part.tokens).sum();
    let mut text = format!(
        "# Index of the packed texts\n\nRead `REQUEST.md` at the start of part 1 first. {} in {}, at most {} tokens (o200k_base) and {} a part.\n\n",
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

/// Tokens of a text.
#[cfg(test)]
fn tokens(text: &str) -> u64 {
    bpe_openai::o200k_base().count(text) as u64
}

/// Tokens of `: ` and a piece, which are those of the line without its number.
fn count(tokenizer: &Tokenizer, piece: &str, known: &mut FxHashMap<u64, u32>) -> u32 {
    let hash = xxh3_64(piece.as_bytes());
    if let Some(tokens) = known.get(&hash) {
        return *tokens;
    }
    let mut text = String::with_capacity(piece.len() + 3);
    push_behind_number(&mut text, piece);
    let tokens = tokenizer.count(&text[..]) as u32;
    if known.len() < REMEMBERED {
        known.insert(hash, tokens);
    }
    tokens
}

fn push_behind_number(text: &mut String, piece: &str) {
    text.push_str(": ");
    text.push_str(piece);
    if !piece.ends_with('\n') {
        text.push('\n');
    }
}

/// Tokens of a number: the vocabulary has all of up to three digits.
fn tokens_of_number(number: u64) -> u64 {
    u64::from(number.max(1).ilog10() + 1).div_ceil(3)
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
    tokenizer: &'a Tokenizer,
    parts: Vec<Part>,
    open: Option<Open>,
}

impl Packer<'_> {
    fn add(&mut self, source: &Source, segment: &Segment, counts: &[u32]) -> io::Result<()> {
        let mut line = segment.first_line;
        for (piece, behind) in segment.pieces().zip(counts) {
            let tokens = u64::from(*behind) + tokens_of_number(line);
            let bytes = piece.len() as u64 + u64::from(line.ilog10()) + 4;
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
            let _ = write!(open.text, "{line}");
            push_behind_number(&mut open.text, piece);
            open.tokens += tokens;
            if let Some(file) = open.files.last_mut() {
                file.2 = line;
            }
            line += u64::from(piece.ends_with('\n'));
        }
        Ok(())
    }

    /// Writes a file's header, in a new part where it does not fit with the line that follows.
    fn begin(&mut self, source: &Source, line: u64, tokens: u64, bytes: u64) -> io::Result<()> {
        let name = source.name.strip_prefix("data/").unwrap_or(&source.name);
        let header = format!("=== {} {name} (from line {line} of {})\n", self.mark, source.lines);
        let header_tokens = self.tokenizer.count(header.as_str()) as u64;
        let fits = self.open.as_ref().is_some_and(|open| {
            open.tokens + header_tokens + tokens <= self.limits.max_tokens
                && (open.text.len() + header.len()) as u64 + bytes <= self.limits.max_bytes
        });
        if !fits {
            self.close()?;
            let text = format!(
                "Part {} of the validation bundle. A line that begins with \"=== {}\" names the file that follows; each line has its number in front.\n",
                self.parts.len() + 1,
                self.mark
            );
            let tokens = self.tokenizer.count(text.as_str()) as u64;
            self.open = Some(Open { text, tokens, files: Vec::new(), source: None });
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
    use proptest::prelude::*;

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

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// What the packing rests on: the tokens of lines that begin with their number add up.
        #[test]
        fn tokens_of_numbered_lines_add_up(lines in prop::collection::vec("[ \\ta-zA-Z0-9/{}().;\\r'é日#=-]{0,40}", 1..60)) {
            let mut known = FxHashMap::default();
            let (mut text, mut sum) = (String::new(), 0);
            for (line, number) in lines.iter().zip(995_u64..) {
                text.push_str(&number.to_string());
                push_behind_number(&mut text, line);
                sum += u64::from(count(bpe_openai::o200k_base(), line, &mut known)) + tokens_of_number(number);
            }
            prop_assert_eq!(sum, tokens(&text));
        }
    }
}
