//! The scan for secrets over everything that goes into a bundle. A keyword search (Aho and Corasick 1975)
//! finds the places where a rule's pattern is tried at all; entropy is Shannon's (1948).

mod plausible;
mod rule;
mod rules;
mod text;

use std::collections::{BTreeMap, HashMap};

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind};
use regex::bytes::Regex;
use sha2::{Digest, Sha256};

use crate::packing::hex;
use plausible::{MAX_RANDOM, MIN_RANDOM, is_random_byte, is_secret, looks_random};
use rule::{Reach, Rule};
use rules::RULES;
use text::Text;

/// Of the text before a block, what is looked at again with it.
const CARRIED: usize = 8 << 10;

/// Bytes of a line before and after a keyword that a pattern sees.
const BEFORE: usize = 400;

const AFTER: usize = 1200;

/// Bytes after a keyword that a pattern of a block sees.
const BLOCK_AFTER: usize = 6 << 10;

/// Bytes at the start of a file by which text is told from binary.
const SNIFFED: usize = 8 << 10;

/// Findings of one file.
const MAX_FINDINGS: usize = 1000;

/// The rule for values that nothing but their randomness gives away.
const HIGH_ENTROPY: &str = "high-entropy-string";

/// Bytes before a random value in which its name may stand.
const NAME_BEFORE: usize = 160;

/// A secret that was found, without the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub rule: &'static str,
    /// From 1.
    pub line: u64,
    /// In bytes, from 1.
    pub column: u64,
    /// The first characters, and how long it is.
    pub masked: String,
    /// By which the config may allow it: 16 hexadecimal digits of rule, file and secret.
    pub fingerprint: String,
}

/// All rules, compiled.
#[derive(Debug)]
pub struct Scanner {
    keywords: AhoCorasick,
    /// Of each keyword: its rules.
    rules_of: Vec<Vec<usize>>,
    patterns: Vec<Regex>,
}

impl Scanner {
    /// Compiles the rules.
    ///
    /// # Panics
    /// When a rule is no regular expression: a bug, caught by the tests.
    pub fn new() -> Self {
        let mut words: Vec<&str> = Vec::new();
        let mut rules_of: Vec<Vec<usize>> = Vec::new();
        let mut known: HashMap<&str, usize> = HashMap::new();
        for (index, rule) in RULES.iter().enumerate() {
            for keyword in rule.keywords {
                let at = *known.entry(keyword).or_insert_with(|| {
                    words.push(keyword);
                    rules_of.push(Vec::new());
                    words.len() - 1
                });
                rules_of[at].push(index);
            }
        }
        let keywords = AhoCorasickBuilder::new()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(aho_corasick::AhoCorasickKind::DFA))
            .build(words)
            .expect("a few hundred short keywords");
        let compiled = |rule: &Rule| {
            let anchored =
                if rule.begins_with_keyword { format!(r"\A(?:{})", rule.pattern) } else { rule.pattern.into() };
            Regex::new(&anchored).unwrap_or_else(|error| panic!("rule {}: {error}", rule.id))
        };
        Self { keywords, rules_of, patterns: RULES.iter().map(compiled).collect() }
    }

    /// Begins to scan a file that findings and fingerprints call `path`.
    pub fn file<'a>(&'a self, path: &'a str) -> FileScan<'a> {
        FileScan {
            scanner: self,
            path,
            text: Text::of(path),
            buffer: Vec::new(),
            started: false,
            offset: 0,
            lines_before: 0,
            column_before: 0,
            found: BTreeMap::new(),
        }
    }
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

/// A match: where it begins in the file is its key.
#[derive(Debug)]
struct Found {
    rule: usize,
    length: usize,
    line: u64,
    column: u64,
    secret: Vec<u8>,
}

/// The scan of one file, block by block.
#[derive(Debug)]
pub struct FileScan<'a> {
    scanner: &'a Scanner,
    path: &'a str,
    text: Text,
    /// The end of what was seen, and the block.
    buffer: Vec<u8>,
    started: bool,
    /// Of the buffer's first byte in the file.
    offset: usize,
    /// Newlines before the buffer.
    lines_before: u64,
    /// Bytes of the buffer's first line that stand before it.
    column_before: u64,
    found: BTreeMap<usize, Found>,
}

impl FileScan<'_> {
    /// Looks at the next bytes.
    pub fn feed(&mut self, block: &[u8]) {
        if !self.started {
            self.started = true;
            let head = &block[..block.len().min(SNIFFED)];
            let wide = head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]);
            if !wide && memchr::memchr(0, head).is_some() {
                self.text = Text::Binary;
            }
        }
        if self.text != Text::Binary && memchr::memchr(0, block).is_some() {
            // UTF-16: without its zeros, plain text stays.
            self.buffer.extend(block.iter().filter(|byte| **byte != 0));
        } else {
            self.buffer.extend_from_slice(block);
        }
        let buffer = std::mem::take(&mut self.buffer);
        self.look(&buffer);
        let kept = buffer.len().min(CARRIED);
        let gone = &buffer[..buffer.len() - kept];
        self.lines_before += memchr::memchr_iter(b'\n', gone).count() as u64;
        self.column_before = match memchr::memrchr(b'\n', gone) {
            Some(at) => (gone.len() - at - 1) as u64,
            None => self.column_before + gone.len() as u64,
        };
        self.offset += gone.len();
        self.buffer = buffer[gone.len()..].to_vec();
    }

    /// What was found, in the file's order.
    pub fn finish(self) -> Vec<Finding> {
        let mut findings: Vec<(usize, Found)> = self.found.into_iter().collect();
        // Of overlapping matches the most specific rule's stays.
        findings.sort_by_key(|(at, found)| (found.rule, *at));
        let mut kept: Vec<(usize, Found)> = Vec::new();
        for (at, found) in findings {
            let apart = |(other, known): &(usize, Found)| at >= other + known.length || *other >= at + found.length;
            if kept.len() < MAX_FINDINGS && kept.iter().all(apart) {
                kept.push((at, found));
            }
        }
        kept.sort_by_key(|(at, _)| *at);
        let finding = |(_, found): (usize, Found)| {
            let rule = RULES.get(found.rule).map_or(HIGH_ENTROPY, |rule| rule.id);
            Finding {
                rule,
                line: found.line,
                column: found.column,
                masked: mask(&found.secret),
                fingerprint: fingerprint(rule, self.path, &found.secret),
            }
        };
        kept.into_iter().map(finding).collect()
    }

    fn look(&mut self, buffer: &[u8]) {
        let scanner = self.scanner;
        // Of each rule: up to where its last window reached.
        let mut tried = [0_usize; RULES.len()];
        for hit in scanner.keywords.find_overlapping_iter(buffer) {
            for rule_index in &scanner.rules_of[hit.pattern().as_usize()] {
                let rule = &RULES[*rule_index];
                if !self.text.takes(rule.place) {
                    continue;
                }
                if rule.begins_with_keyword {
                    if starts_word(buffer, hit.start()) {
                        let end = buffer.len().min(hit.start() + AFTER);
                        self.try_rule(*rule_index, buffer, hit.start()..end);
                    }
                    continue;
                }
                if hit.start() < tried[*rule_index] {
                    continue;
                }
                let window = window(buffer, hit.start(), hit.end(), rule.reach);
                tried[*rule_index] = window.end;
                self.try_rule(*rule_index, buffer, window);
            }
        }
        if matches!(self.text, Text::Code | Text::Settings) {
            self.look_for_random(buffer);
        }
    }

    fn try_rule(&mut self, index: usize, buffer: &[u8], window: std::ops::Range<usize>) {
        let rule = &RULES[index];
        let start = window.start;
        for captures in self.scanner.patterns[index].captures_iter(&buffer[window]) {
            let Some(secret) = captures.name("s").or_else(|| captures.get(0)) else { continue };
            if is_secret(rule, secret.as_bytes()) {
                self.keep(index, buffer, start + secret.start(), secret.as_bytes());
            }
        }
    }

    /// Quoted values that look drawn at random, without a name that says so.
    fn look_for_random(&mut self, buffer: &[u8]) {
        let mut start = 0;
        while start < buffer.len() {
            // Skips along: a run of 32 holds a byte at every 32nd place.
            let probe = start + MIN_RANDOM - 1;
            if probe >= buffer.len() {
                break;
            }
            if !is_random_byte(buffer[probe]) {
                start = probe + 1;
                continue;
            }
            let from = buffer[start..=probe]
                .iter()
                .rposition(|byte| !is_random_byte(*byte))
                .map_or(start, |at| start + at + 1);
            let to =
                buffer[probe..].iter().position(|byte| !is_random_byte(*byte)).map_or(buffer.len(), |at| probe + at);
            if to - from < MIN_RANDOM {
                start = to + 1;
                continue;
            }
            let quoted =
                from > 0 && matches!(buffer[from - 1], b'"' | b'\'') && buffer.get(to) == Some(&buffer[from - 1]);
            let value = &buffer[from..to];
            if quoted && value.len() <= MAX_RANDOM && looks_random(value) && named_like_a_secret(buffer, from) {
                self.keep(RULES.len(), buffer, from, value);
            }
            start = to + 1;
        }
    }

    fn keep(&mut self, rule: usize, buffer: &[u8], at: usize, secret: &[u8]) {
        let key = self.offset + at;
        if self
            .found
            .get(&key)
            .is_some_and(|known| known.rule < rule || known.rule == rule && known.length >= secret.len())
        {
            return;
        }
        let before = &buffer[..at];
        let line = self.lines_before + memchr::memchr_iter(b'\n', before).count() as u64 + 1;
        let column = match memchr::memrchr(b'\n', before) {
            Some(newline) => (at - newline) as u64,
            None => self.column_before + at as u64 + 1,
        };
        self.found.insert(key, Found { rule, length: secret.len(), line, column, secret: secret.to_vec() });
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether a word begins at `at`, and not merely a part of a long encoded text.
fn starts_word(buffer: &[u8], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).map(|before| buffer[before]) else { return true };
    if matches!(before, b'+' | b'/') {
        let run = buffer[..at].iter().rev().take(MIN_RANDOM).take_while(|byte| is_random_byte(**byte)).count();
        return run < MIN_RANDOM;
    }
    !is_word(before)
}

/// The part of the buffer that a pattern sees around a keyword.
fn window(buffer: &[u8], start: usize, end: usize, reach: Reach) -> std::ops::Range<usize> {
    let from = line_start(buffer, start, BEFORE);
    if reach == Reach::Block {
        return from..buffer.len().min(end + BLOCK_AFTER);
    }
    let ceiling = buffer.len().min(end + AFTER);
    let to = memchr::memchr(b'\n', &buffer[end..ceiling]).map_or(ceiling, |at| end + at);
    from..to
}

/// Where the line begins that `at` lies in, or `most` bytes before it.
fn line_start(buffer: &[u8], at: usize, most: usize) -> usize {
    let floor = at.saturating_sub(most);
    memchr::memrchr(b'\n', &buffer[floor..at]).map_or(floor, |newline| floor + newline + 1)
}

/// Whether the line up to a value names something that is kept secret.
fn named_like_a_secret(buffer: &[u8], at: usize) -> bool {
    let from = line_start(buffer, at, NAME_BEFORE);
    let line = String::from_utf8_lossy(&buffer[from..at]).to_ascii_lowercase();
    let good = [
        "key", "secret", "token", "pass", "auth", "cred", "pwd", "salt", "sign", "login", "access", "private", "seed",
        "pepper",
    ];
    let harmless = [
        "public",
        "pubkey",
        "integrity",
        "sha",
        "hash",
        "digest",
        "checksum",
        "test",
        "assert",
        "expect",
        "fixture",
        "vector",
    ];
    good.iter().any(|word| line.contains(word)) && !harmless.iter().any(|word| line.contains(word))
}

/// The first characters of a secret, and its length.
fn mask(secret: &[u8]) -> String {
    let text = String::from_utf8_lossy(secret);
    let shown: String =
        text.trim_start().chars().take(4.min(text.len() / 4)).filter(|c| c.is_ascii_graphic()).collect();
    format!("{shown}… ({} characters)", text.chars().count())
}

/// 16 hexadecimal digits by which a finding may be allowed: of its rule, file and secret, not of its line.
fn fingerprint(rule: &str, path: &str, secret: &[u8]) -> String {
    let mut digest = Sha256::new();
    for part in [rule.as_bytes(), path.as_bytes(), secret] {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    hex(&digest.finalize()[..8])
}

#[cfg(test)]
mod tests;
