//! Names inside a bundle: which files never go in, what a file is called there, and which names of
//! others are refused.

use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization;

use crate::packing::sha256;

/// Longest name inside a bundle, in bytes.
pub(super) const MAX_NAME: usize = 1024;

/// Files that hold keys whatever their content.
const KEY_FILES: [&str; 17] = [
    ".env",
    ".netrc",
    "_netrc",
    ".pgpass",
    ".my.cnf",
    ".htpasswd",
    ".git-credentials",
    ".npmrc",
    ".yarnrc",
    ".pypirc",
    ".dockercfg",
    "credentials.json",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    ".vault-token",
];
/// Endings of key stores.
const KEY_ENDINGS: [&str; 12] =
    ["pem", "key", "p12", "pfx", "pkcs12", "jks", "keystore", "bks", "kdbx", "ppk", "gpg", "keychain"];
/// Folders that are never looked into.
const KEY_FOLDERS: [&str; 6] = [".git", ".ssh", ".gnupg", ".aws", ".kube", ".docker"];
/// Endings of `.env.…` files that are templates.
const ENV_TEMPLATES: [&str; 5] = ["example", "sample", "template", "dist", "defaults"];

/// Why a file never goes into a bundle, whatever it holds; `None` where it may.
pub(super) fn forbidden(path: &str) -> Option<&'static str> {
    let path = path.to_ascii_lowercase();
    let mut parts: Vec<&str> = path.split('/').collect();
    let name = parts.pop().unwrap_or_default();
    if parts.iter().any(|part| KEY_FOLDERS.contains(part)) || name == ".git" {
        return Some("in a folder of keys or of git");
    }
    if let Some(suffix) = name.strip_prefix(".env.") {
        return (!suffix.split('.').any(|part| ENV_TEMPLATES.contains(&part))).then_some("an environment file");
    }
    if KEY_FILES.contains(&name) || name.ends_with(".env") {
        return Some("a file of keys");
    }
    name.rsplit_once('.').is_some_and(|(_, ending)| KEY_ENDINGS.contains(&ending)).then_some("a key store")
}

/// A name of others as a terminal may show it: it steers nothing.
pub(super) fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Names of the devices of Windows, which are no files there under any ending.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

fn is_device(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let numbered = stem.len() == 4 && (stem.starts_with("com") || stem.starts_with("lpt"));
    DEVICES.contains(&stem.as_str()) || numbered && stem.ends_with(|c: char| c.is_ascii_digit())
}

/// Under this key, file systems that fold case or accents may take two names for one.
pub(super) fn folded(name: &str) -> String {
    name.nfkc().collect::<String>().to_lowercase().nfkc().collect()
}

/// Whether a name inside a bundle stays there, on every system.
///
/// # Errors
/// The reason why not.
pub(super) fn check(name: &str) -> Result<(), &'static str> {
    if name.is_empty() || name.len() > MAX_NAME {
        return Err("the name is empty or too long");
    }
    if name.contains('\0') {
        return Err("the name holds a NUL");
    }
    if name.chars().any(char::is_control) {
        return Err("the name holds a control character");
    }
    if name.contains('\\') {
        return Err("the name holds a backslash");
    }
    if name.starts_with('/') {
        return Err("the path is absolute");
    }
    if name.split('/').next().is_some_and(|first| first.contains(':')) {
        return Err("the path names a drive");
    }
    for part in name.split('/') {
        match part {
            ".." => return Err("the path leaves the bundle"),
            "" | "." => return Err("the path is not in its plain form"),
            _ if is_device(part) => return Err("the name is that of a device"),
            _ if part.ends_with(['.', ' ']) => return Err("a part of the path ends in a dot or a blank"),
            _ => {}
        }
    }
    Ok(())
}

/// Characters that some file system, shell or bag validator reads as something else.
fn is_awkward(character: char) -> bool {
    character.is_control()
        || matches!(character, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' | '%' | '\u{fffd}')
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
}

/// Gives every file a name that is safe everywhere and its alone.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: HashSet<String>,
}

impl Names {
    /// The name below `folder` for a file that is called `original` outside. Where that is not safe, or
    /// is taken on a file system that folds case, a digest of the original name is added.
    pub(super) fn place(&mut self, folder: &str, original: &[u8]) -> String {
        let text = String::from_utf8_lossy(original);
        let plain = format!("{folder}/{text}");
        let awkward = text.contains(is_awkward) || check(&plain).is_err();
        if !awkward && plain.len() <= MAX_NAME - 200 && self.taken.insert(folded(&plain)) {
            return plain;
        }
        let digest = sha256(original);
        let clean = |part: &str| -> String {
            let safe: String = part.chars().map(|c| if is_awkward(c) { '_' } else { c }).take(100).collect();
            let safe = safe.trim_end_matches(['.', ' ']).to_owned();
            if safe.is_empty() || is_device(&safe) { format!("_{safe}") } else { safe }
        };
        let mut parts: Vec<String> = text.split('/').map(clean).collect();
        parts.drain(..parts.len().saturating_sub(6));
        let name = parts.pop().unwrap_or_default();
        parts.push(match name.split_once('.') {
            Some((stem, ending)) => format!("{stem}~{}.{ending}", &digest[..12]),
            None => format!("{name}~{}", &digest[..12]),
        });
        let placed = format!("{folder}/{}", parts.join("/"));
        self.taken.insert(folded(&placed));
        placed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_keys_stay_out_and_templates_may_go_in() {
        for path in [
            ".env",
            "a/.ENV",
            ".env.production",
            "prod.env",
            "deploy/tls.KEY",
            ".git/config",
            "a/.ssh/known_hosts",
            "x/id_ed25519",
            "release.keystore",
            ".npmrc",
        ] {
            assert!(forbidden(path).is_some(), "{path}");
        }
        for path in [".env.example", "src/env.rs", "keys.md", "src/monkey.py", ".gitignore", "id_rsa.pub"] {
            assert_eq!(forbidden(path), None, "{path}");
        }
    }

    #[test]
    fn names_that_leave_or_fool_are_refused() {
        for name in [
            "",
            "../a",
            "a/../../b",
            "/etc/passwd",
            "a//b",
            "./a",
            "C:/a",
            "a\\b",
            "a\0b",
            "a\nb",
            "data/con",
            "data/Com1.txt",
            "a./b",
            "data/x ",
        ] {
            assert!(check(name).is_err(), "{name:?}");
        }
        assert_eq!(check("data/code/src/main.rs"), Ok(()));
        assert_eq!(check("data/code/común/日本.txt"), Ok(()));
    }

    #[test]
    fn every_placed_name_is_safe_and_its_own() {
        let mut names = Names::default();
        let originals: [&[u8]; 10] = [
            b"README.md",
            b"readme.md",
            "\u{e9}.txt".as_bytes(),
            "e\u{301}.txt".as_bytes(),
            b"a\nb%41.txt",
            b"\xff\xfe",
            b"100%.csv",
            b"aux.c",
            b"../../etc/passwd",
            b"trailing. ",
        ];
        let placed: Vec<String> = originals.iter().map(|original| names.place("data/code", original)).collect();
        let distinct: HashSet<String> = placed.iter().map(|name| folded(name)).collect();
        assert_eq!(distinct.len(), originals.len(), "{placed:?}");
        for name in &placed {
            assert_eq!(check(name), Ok(()), "{name}");
            assert!(name.starts_with("data/code/"), "{name}");
        }
        assert_eq!(placed[0], "data/code/README.md");
    }
}
