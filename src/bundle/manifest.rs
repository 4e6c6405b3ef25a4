//! The layout of a bag (BagIt, RFC 8493): a declaration, manifests with SHA-256, and what the bag is.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::names;
use super::payload::Payload;
use crate::packing::hex;

pub const DECLARATION: &str = "bagit.txt";
pub const DECLARATION_TEXT: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
pub const INFO: &str = "bag-info.txt";
pub const MANIFEST: &str = "manifest-sha256.txt";
pub const TAG_MANIFEST: &str = "tagmanifest-sha256.txt";
/// What is in a bag: below this folder.
pub const DATA: &str = "data/";
/// The request and what is packed for a model: they are made of the evidence and name its digest.
pub const REQUEST: &str = "data/REQUEST.md";
pub const REQUEST_FACTS: &str = "data/request.json";
pub const CONTEXT: &str = "data/context/";
/// Files that a manifest lists at most.
const MAX_LISTED: usize = 2_000_000;

/// Lines `digest  path`, sorted by path.
pub fn text(files: &[Payload]) -> String {
    let mut lines: Vec<(&str, &str)> = files.iter().map(|file| (file.name.as_str(), file.sha256.as_str())).collect();
    lines.sort_unstable();
    lines.iter().map(|(name, digest)| format!("{digest}  {name}\n")).collect()
}

/// The digest by which an answer names the bundle that it answers: SHA-256 over the manifest's lines but those of
/// the request and the context, which are made of the others.
pub fn evidence_digest(manifest: &str) -> String {
    let mut digest = Sha256::new();
    for line in manifest.split_inclusive('\n') {
        let name = line.split_once("  ").map_or("", |(_, name)| name.trim_end_matches('\n'));
        if name != REQUEST && name != REQUEST_FACTS && !name.starts_with(CONTEXT) {
            digest.update(line);
        }
    }
    hex(&digest.finalize())
}

/// `bag-info.txt`: when, by what, and how much.
pub fn info(files: &[Payload], date: &str, title: &str, consultation_id: Option<&str>) -> String {
    let bytes: u64 = files.iter().map(|file| file.bytes).sum();
    // A label's value is one line.
    let line = |text: &str| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    let mut info = format!(
        "Bag-Software-Agent: stagegate {}\nBagging-Date: {date}\nExternal-Description: {}\n",
        env!("CARGO_PKG_VERSION"),
        line(title)
    );
    if let Some(id) = consultation_id {
        info.push_str(&format!("External-Identifier: {}\n", line(id)));
    }
    info.push_str(&format!("Payload-Oxum: {bytes}.{}\n", files.len()));
    info
}

/// Path -> digest of a manifest.
///
/// # Errors
/// What is wrong with which line.
pub fn parse(file: &str, text: &str) -> Result<BTreeMap<String, String>, Vec<String>> {
    let mut listed: BTreeMap<String, String> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut refuse = |why: &str| wrong.push(format!("{file}:{}: {why}", index + 1));
        if listed.len() >= MAX_LISTED {
            refuse("more files than are read");
            break;
        }
        let Some((digest, name)) = line.split_once([' ', '\t']) else {
            refuse("not a digest and a path");
            continue;
        };
        let name = name.trim_start_matches([' ', '\t', '*']);
        if digest.len() != 64 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            refuse("not a SHA-256 digest");
        } else if let Err(why) = names::check(name) {
            refuse(why);
        } else if listed.insert(name.to_owned(), digest.to_ascii_lowercase()).is_some() {
            refuse("the path is listed twice");
        }
    }
    if wrong.is_empty() { Ok(listed) } else { Err(wrong) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> Payload {
        Payload { name: name.into(), bytes: 3, sha256: "ab".repeat(32), lines: None, redacted: false }
    }

    #[test]
    fn a_manifest_reads_back_and_its_digest_leaves_out_what_is_made_of_it() {
        let evidence = [file("data/b"), file("data/a c.txt")];
        let text = text(&evidence);
        let listed = parse(MANIFEST, &text).unwrap();
        assert_eq!(listed.keys().collect::<Vec<_>>(), ["data/a c.txt", "data/b"]);
        let more =
            [file("data/b"), file(REQUEST), file("data/context/index.md"), file(REQUEST_FACTS), file("data/a c.txt")];
        assert_eq!(evidence_digest(&super::text(&more)), evidence_digest(&text));
        assert_ne!(evidence_digest(&super::text(&[file("data/b")])), evidence_digest(&text));
        assert!(
            info(&evidence, "2025-11-18", "a\nb", None).ends_with("External-Description: a b\nPayload-Oxum: 6.2\n")
        );
    }

    #[test]
    fn a_hostile_manifest_is_refused_line_by_line() {
        let digest = "ab".repeat(32);
        let text = format!("{digest}  data/../x\nxyz  data/a\n{digest}  data/b\n{digest}  data/b\nnonsense\n");
        let wrong = parse("m", &text).unwrap_err();
        assert_eq!(wrong.len(), 4, "{wrong:?}");
        assert!(wrong[0].starts_with("m:1: the path leaves the bundle"));
    }
}
