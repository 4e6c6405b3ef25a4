//! Is a bundle complete, unchanged, and signed by whom? Nothing is unpacked to disk; names, sizes and links are
//! judged before a byte of content is read.

mod opened;

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::{manifest, names, statement};
use crate::error::{Error, Position, Result};
use crate::format;
use crate::packing::hex;
use crate::run::Run;
use opened::{Item, Opened};

/// Largest tag file that is read whole, in bytes.
const MAX_TAG_BYTES: u64 = 512 << 20;
/// Problems of one kind that are listed.
const MOST_LISTED: usize = 100;
const FETCH: &str = "fetch.txt";

/// What a check found.
#[derive(Debug, Default)]
pub struct Verified {
    pub files: u64,
    pub bytes: u64,
    /// `sha256:…`, by which an answer names the bundle.
    pub digest: String,
    /// The signature's key, and whether it was checked against a public key that was given.
    pub signed_by: Option<(String, bool)>,
    /// Everything that is wrong; empty where the bundle is what was sent.
    pub problems: Vec<String>,
    /// What was asked of the reviewer; `None` where the bundle does not hold it.
    pub request: Option<Vec<u8>>,
}

impl Verified {
    fn refused(problems: Vec<String>) -> Self {
        Self { problems, ..Self::default() }
    }

    /// The outcome in lines.
    pub fn text(&self, name: &str) -> String {
        if self.problems.is_empty() {
            let signed = match &self.signed_by {
                None => "not signed".to_owned(),
                Some((key, true)) => format!("signed with the key given (SHA-256 {key})"),
                Some((key, false)) => format!("signed, it says, with key {key}: give --public-key to check that"),
            };
            return format!(
                "{name}: complete and unchanged\n  {}, {}\n  {}\n  {signed}\n",
                format::counted(self.files, "file"),
                format::bytes(self.bytes),
                self.digest
            );
        }
        let mut text = format!("{name}: REFUSED, {}\n", format::counted(self.problems.len() as u64, "problem"));
        for problem in self.problems.iter().take(MOST_LISTED) {
            text.push_str(&format!("  {}\n", names::printable(problem)));
        }
        if self.problems.len() > MOST_LISTED {
            text.push_str(&format!("  … and {} more\n", self.problems.len() - MOST_LISTED));
        }
        text
    }
}

/// Checks the bundle in the folder or .zip at `path`, and its signature against `public_key` (SPKI PEM).
///
/// # Errors
/// Nothing is there, or it cannot be read. What is wrong with a bundle is in the outcome.
pub fn verify(path: &Path, public_key: Option<&str>, run: &Run) -> Result<Verified> {
    let fail = |message: String| Error::new(message).at(Position::file(path.display().to_string()));
    let metadata = std::fs::metadata(path).map_err(|error| fail(format!("cannot read the bundle: {error}")))?;
    let (opened, problems) = match metadata.is_dir() {
        true => opened::folder(path),
        false => opened::archive(path),
    }
    .map_err(|error| fail(format!("cannot read the bundle: {error}")))?;
    let Some(opened) = opened.filter(|_| problems.is_empty()) else { return Ok(Verified::refused(problems)) };
    Ok(Check { opened: &opened, run, problems }.run(public_key))
}

struct Check<'a> {
    opened: &'a Opened,
    run: &'a Run,
    problems: Vec<String>,
}

impl Check<'_> {
    fn run(mut self, public_key: Option<&str>) -> Verified {
        let items: BTreeMap<&str, &Item> = self.opened.items.iter().map(|item| (item.name.as_str(), item)).collect();
        match self.tag(&items, manifest::DECLARATION) {
            Some(text) if text == manifest::DECLARATION_TEXT.as_bytes() => {}
            Some(_) => {
                self.problem(format!("{}: not the declaration of a bag (BagIt 1.0, UTF-8)", manifest::DECLARATION))
            }
            None => {}
        }
        if items.contains_key(FETCH) {
            self.problem(format!("{FETCH}: files that must be fetched are not in the bundle"));
        }
        let payload = self.listed(&items, manifest::MANIFEST);
        let tags = self.listed(&items, manifest::TAG_MANIFEST);
        let (Some((payload, manifest_text)), Some((tags, _))) = (payload, tags) else {
            return Verified::refused(self.problems);
        };
        let expected: BTreeMap<&str, &str> =
            payload.iter().chain(&tags).map(|(name, digest)| (name.as_str(), digest.as_str())).collect();
        for name in payload.keys().filter(|name| !name.starts_with(manifest::DATA)) {
            self.problem(format!("{name}: listed as payload outside of data/"));
        }
        for name in expected.keys().filter(|name| !items.contains_key(*name)) {
            self.problem(format!("missing: {name}"));
        }
        for name in items.keys().filter(|name| **name != manifest::TAG_MANIFEST && !expected.contains_key(*name)) {
            self.problem(format!("extra: {name}"));
        }
        let digest = format!("sha256:{}", manifest::evidence_digest(&manifest_text));
        self.content(&items, &expected);
        self.info(&items);
        let signed_by = self.signature(&items, &payload, public_key);
        let request =
            items.contains_key(manifest::REQUEST_FACTS).then(|| self.tag(&items, manifest::REQUEST_FACTS)).flatten();
        let asked = request.as_ref().and_then(|text| serde_json::from_slice::<serde_json::Value>(text).ok());
        if asked.as_ref().is_none_or(|asked| asked["bundle"] != digest) {
            self.problem(format!("{}: asks about another bundle than this", manifest::REQUEST_FACTS));
        }
        let payloads = self.opened.items.iter().filter(|item| item.name.starts_with(manifest::DATA));
        let (files, bytes) = payloads.fold((0, 0), |(files, bytes), item| (files + 1, bytes + item.bytes));
        Verified { files, bytes, digest, signed_by, problems: self.problems, request }
    }

    fn problem(&mut self, problem: String) {
        self.problems.push(problem);
    }

    /// A tag file's content; a problem where it is not there or too large.
    fn tag(&mut self, items: &BTreeMap<&str, &Item>, name: &str) -> Option<Vec<u8>> {
        let Some(item) = items.get(name) else {
            self.problem(format!("missing: {name}"));
            return None;
        };
        if item.bytes > MAX_TAG_BYTES {
            self.problem(format!("{name}: {} are too many", format::bytes(item.bytes)));
            return None;
        }
        let mut content = Vec::new();
        let read = self.opened.read(item).and_then(|mut reader| reader.read_to_end(&mut content));
        if let Err(error) = read {
            self.problem(format!("{name}: cannot be read: {error}"));
            return None;
        }
        Some(content)
    }

    /// What a manifest lists, and its text.
    fn listed(&mut self, items: &BTreeMap<&str, &Item>, name: &str) -> Option<(BTreeMap<String, String>, String)> {
        let content = self.tag(items, name)?;
        let Ok(text) = String::from_utf8(content) else {
            self.problem(format!("{name}: not UTF-8"));
            return None;
        };
        match manifest::parse(name, &text) {
            Ok(listed) => Some((listed, text)),
            Err(wrong) => {
                self.problems.extend(wrong);
                None
            }
        }
    }

    /// Reads every file and holds it against its digest.
    fn content(&mut self, items: &BTreeMap<&str, &Item>, expected: &BTreeMap<&str, &str>) {
        let listed: Vec<(&Item, &str)> =
            items.iter().filter_map(|(name, item)| Some((*item, *expected.get(name)?))).collect();
        self.run.begin(listed.iter().map(|(item, _)| item.bytes).sum());
        let found: Vec<Option<String>> = listed
            .par_iter()
            .map_init(
                || vec![0; 1 << 18],
                |block, (item, wanted)| {
                    let outcome = self.opened.read(item).and_then(|reader| digest(reader, block));
                    self.run.advance(item.bytes);
                    match outcome {
                        Ok(digest) if digest == *wanted => None,
                        Ok(_) => Some(format!("altered: {}", item.name)),
                        Err(error) => Some(format!("altered or damaged: {}: {error}", item.name)),
                    }
                },
            )
            .collect();
        self.problems.extend(found.into_iter().flatten());
    }

    /// The sum that the bag's description gives.
    fn info(&mut self, items: &BTreeMap<&str, &Item>) {
        let Some(content) = self.tag(items, manifest::INFO) else { return };
        let text = String::from_utf8_lossy(&content).into_owned();
        let payloads = self.opened.items.iter().filter(|item| item.name.starts_with(manifest::DATA));
        let (bytes, files) = payloads.fold((0, 0), |(bytes, files), item| (bytes + item.bytes, files + 1));
        let told = text.lines().find_map(|line| line.strip_prefix("Payload-Oxum:"));
        let wanted = format!("{bytes}.{files}");
        if told.map(str::trim) != Some(wanted.as_str()) {
            self.problem(format!("{}: Payload-Oxum is not {wanted}", manifest::INFO));
        }
    }

    /// Whether the statement speaks for exactly what the manifest lists, and who signed it.
    fn signature(
        &mut self,
        items: &BTreeMap<&str, &Item>,
        payload: &BTreeMap<String, String>,
        public_key: Option<&str>,
    ) -> Option<(String, bool)> {
        let text = self.tag(items, statement::STATEMENT)?;
        match statement::subjects(&text) {
            Err(why) => self.problem(format!("{}: {why}", statement::STATEMENT)),
            Ok(subjects) => {
                let count = subjects.len();
                let stated: BTreeMap<String, String> = subjects.into_iter().collect();
                if stated.len() != count || stated != *payload {
                    self.problem(format!(
                        "{}: speaks for other files than {}",
                        statement::STATEMENT,
                        manifest::MANIFEST
                    ));
                }
            }
        }
        if !items.contains_key(statement::ENVELOPE) {
            if public_key.is_some() {
                self.problem("not signed: there is no signature to check the public key against".into());
            }
            return None;
        }
        let envelope = self.tag(items, statement::ENVELOPE)?;
        match statement::verify(&envelope, &text, public_key) {
            Ok(key) => Some((key, public_key.is_some())),
            Err(why) => {
                self.problem(format!("{}: {why}", statement::ENVELOPE));
                None
            }
        }
    }
}

fn digest(mut reader: Box<dyn Read + '_>, block: &mut [u8]) -> io::Result<String> {
    let mut digest = Sha256::new();
    loop {
        match reader.read(block)? {
            0 => return Ok(hex(&digest.finalize())),
            read => digest.update(&block[..read]),
        }
    }
}
