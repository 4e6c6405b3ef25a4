//! Personal data: named fields of log lines become keyed digests, home folders lose their owner.

use std::borrow::Cow;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use regex::bytes::{Captures, Regex};
use sha2::Sha256;

use super::keys::redaction_key;
use crate::error::{Error, Result};
use crate::packing::hex;

/// Fields that the figures are made of: they cannot be hidden.
const NEEDED: [&str; 14] = [
    "execution_type",
    "success",
    "duration_ms",
    "timestamp",
    "error_type",
    "fallback_used",
    "file_size_mb",
    "provider",
    "file_type",
    "memory_mb",
    "stage",
    "event_type",
    "percentage",
    "rss_mb",
];
/// What takes the place of a user's name in a path.
const OWNER: &str = "USER";

/// What is hidden, and with which key.
#[derive(Debug)]
pub struct Redaction {
    /// The named fields up to their values; `None` where none is named.
    fields: Option<Regex>,
    names: Vec<String>,
    key: Vec<u8>,
    homes: Regex,
}

impl Redaction {
    /// Hides the values of `fields` behind HMAC-SHA-256 with `key`.
    ///
    /// # Errors
    /// A field that the figures are made of, or no field name.
    pub fn new(fields: &[String], key: Vec<u8>) -> Result<Self> {
        for field in fields {
            let fail = |message: String| Error::new(message);
            if NEEDED.contains(&field.as_str()) {
                return Err(fail(format!("{field} cannot be redacted: the figures are made of it"))
                    .help("redact what names people or requests, such as request_id"));
            }
            if field.is_empty() || !field.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.')) {
                return Err(fail(format!("{field:?} is no field name")));
            }
        }
        let names: Vec<String> = fields.iter().map(|field| regex::escape(field)).collect();
        let compiled = |pattern: &str| Regex::new(pattern).expect("a pattern of escaped names");
        // The opening quote may be lost where a line was torn.
        let pattern = format!(r#"\b{{start-half}}(?:{})"\s*:\s*"#, names.join("|"));
        Ok(Self {
            fields: (!names.is_empty()).then(|| compiled(&pattern)),
            names: fields.to_vec(),
            key,
            homes: compiled(
                r#"(?P<head>(?i:/home/|/Users/|[A-Z]:(?:\\\\?|/)Users(?:\\\\?|/)|[A-Z]:(?:\\\\?|/)Documents and Settings(?:\\\\?|/)))(?:(?P<blanks>[^/\\\s"'<>|:;,&`*?]+(?: [^/\\\s"'<>|:;,&`*?]+){1,3})(?P<tail>[/\\])|[^/\\\s"'<>|:;,&`)*?]+)"#,
            ),
        })
    }

    /// Hides `fields` with the key in the file `key`, else with one that is made beside the bundles of `out`.
    ///
    /// # Errors
    /// As [`Self::new`]; the key cannot be read or made.
    pub fn for_bundle(fields: &[String], key: Option<&Path>, out: &Path) -> Result<Self> {
        let key = if fields.is_empty() { Vec::new() } else { redaction_key(key, out)? };
        Self::new(fields, key)
    }

    /// The names of the hidden fields.
    pub fn fields(&self) -> &[String] {
        &self.names
    }

    /// A line or text with its fields and homes hidden; borrowed where there is nothing to hide.
    pub fn apply<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        let hidden = match &self.fields {
            None => Cow::Borrowed(text),
            Some(fields) => {
                // A key may be written with escapes; then the line is written anew without them.
                let is_escaped = memchr::memmem::find(text, b"\\u").is_some();
                let anew = |text: &[u8]| {
                    let value = serde_json::from_slice::<serde_json::Value>(text).ok().filter(|_| is_escaped);
                    value.map(|value| value.to_string().into_bytes())
                };
                match (anew(text), self.without_values(fields, text)) {
                    (Some(plain), _) => Cow::Owned(self.without_values(fields, &plain).unwrap_or(plain)),
                    (None, None) => Cow::Borrowed(text),
                    // What tore the line may have been hidden: then there is a line with escapes now.
                    (None, Some(hidden)) => match anew(&hidden) {
                        Some(plain) => Cow::Owned(self.without_values(fields, &plain).unwrap_or(plain)),
                        None => Cow::Owned(hidden),
                    },
                }
            }
        };
        match hidden {
            Cow::Borrowed(text) => self.without_homes(text),
            Cow::Owned(text) => Cow::Owned(self.without_homes(&text).into_owned()),
        }
    }

    /// Digests in place of the values of `fields`; `None` where there are none.
    fn without_values(&self, fields: &Regex, text: &[u8]) -> Option<Vec<u8>> {
        let (mut hidden, mut copied) = (Vec::new(), 0);
        while let Some(head) = fields.find_at(text, copied) {
            let end = value_end(text, head.end());
            hidden.extend_from_slice(&text[copied..head.end()]);
            // `x-user` is another field than `user`.
            let is_longer = head.start() > 0 && matches!(text[head.start() - 1], b'-' | b'.');
            if !is_longer && end > head.end() {
                hidden.extend(self.digest(&text[head.end()..end]).bytes());
                copied = end;
            } else {
                copied = head.end();
            }
        }
        (copied > 0).then(|| {
            hidden.extend_from_slice(&text[copied..]);
            hidden
        })
    }

    /// A text with its fields and homes hidden.
    pub fn text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.apply(text.as_bytes())).into_owned()
    }

    fn without_homes<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        self.homes.replace_all(text, |captures: &Captures<'_>| {
            let tail = captures.name("tail").map_or(&b""[..], |tail| tail.as_bytes());
            [&captures["head"], OWNER.as_bytes(), tail].concat()
        })
    }

    /// `"redacted-…"`: the same value has the same digest, and without the key nobody can try values out.
    fn digest(&self, value: &[u8]) -> String {
        let value = value.strip_prefix(b"\"").unwrap_or(value);
        let value = value.strip_suffix(b"\"").unwrap_or(value);
        format!("\"redacted-{}\"", hex(&self.keyed(value)[..12]))
    }

    /// What stands for the hash of a request id: a keyed one where request ids are hidden.
    pub fn request_id(&self, hash: u64) -> u64 {
        if !self.names.iter().any(|field| field == "request_id") {
            return hash;
        }
        self.keyed(&hash.to_le_bytes())[..8].iter().fold(0, |hash, byte| hash << 8 | u64::from(*byte))
    }

    /// HMAC-SHA-256 (RFC 2104) of `bytes`, 32 bytes.
    fn keyed(&self, bytes: &[u8]) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("a key of any length");
        mac.update(bytes);
        mac.finalize().into_bytes().to_vec()
    }

    /// Every text of a JSON value hidden.
    pub fn value(&self, value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(text) => *text = self.text(text),
            serde_json::Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            serde_json::Value::Object(fields) => fields.values_mut().for_each(|item| self.value(item)),
            _ => {}
        }
    }
}

/// Where the JSON value that begins at `start` ends, or the line where it does not. In a torn line a value may be a
/// key that has one of its own: then both are the value.
fn value_end(text: &[u8], start: usize) -> usize {
    let mut at = start;
    loop {
        at = match text.get(at) {
            Some(b'"') => string_end(text, at),
            Some(b'{' | b'[') => nested_end(text, at),
            _ => at + text[at..].iter().take_while(|byte| !b",}]\" \t\r\n".contains(byte)).count(),
        };
        let behind = at + blanks(&text[at..]);
        if text.get(behind) != Some(&b':') {
            return at;
        }
        at = behind + 1 + blanks(&text[behind + 1..]);
    }
}

fn blanks(text: &[u8]) -> usize {
    text.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

/// Behind the closing quote of the string that begins at `start`.
fn string_end(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\n' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

/// Behind the bracket that closes the one at `start`.
fn nested_end(text: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                at = string_end(text, at);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 1 => return at + 1,
            b'}' | b']' => depth -= 1,
            b'\n' => return at,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redaction(fields: &[&str]) -> Redaction {
        let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
        Redaction::new(&fields, b"key".to_vec()).unwrap()
    }

    #[test]
    fn named_fields_become_keyed_digests_wherever_and_however_they_stand() {
        let hide = redaction(&["request_id", "user"]);
        for line in [
            r#"{"request_id": "r-qz", "success": true}"#,
            r#"{"success": true,"request_id":"r-qz"}"#,
            r#"{"request_id" : "r\"-qz}", "a": 1}"#,
            r#"{"a": {"request_id": "r-qz"}}"#,
            r#"{"request\u005fid": "r-qz"}"#,
            r#"{"request_id": r-1, "request\u005fid": "r-qz"}"#,
            r#"{"request_id": 98765432109, "broken"#,
            r#"{"request_id": "r-qz cut"#,
            r#"{"user": {"name": "r-qz"}, "b": 2}"#,
            r#"{"user": {"a": {"b": [1]}, "name": "r-qz"}, "b": 2}"#,
            r#"{"user": [["}"], "r-qz"], "b": 2}"#,
            r#"{"request_id": "r-1{"request_id": "r-qz"}"#,
            r#"{"request_id":"request_id": "r-qz"}"#,
            r#"{"request_id": r-1"request_id": "r-qz"}"#,
        ] {
            let hidden = hide.text(line);
            assert!(
                hidden.contains("redacted-") && !hidden.contains("qz") && !hidden.contains("98765432109"),
                "{line} -> {hidden}"
            );
        }
        let same = |line: &str| hide.text(line);
        assert_eq!(same(r#"{"request_id":"a"}"#), same(r#"{"request_id":"a"}"#));
        assert_ne!(same(r#"{"request_id":"a"}"#), same(r#"{"request_id":"b"}"#));
        // printf 'r-17' | openssl dgst -sha256 -hmac key
        assert!(same(r#"{"request_id":"r-17"}"#).contains("redacted-caf41d9d02eefbe03a9a8f4e"));
    }

    /// A line may be cut, doubled or torn: what stands behind the name of a hidden field is gone all the same.
    #[test]
    fn what_is_hidden_stays_hidden_in_damaged_lines() {
        let hide = redaction(&["request_id"]);
        let sound = r#"{"a": [1, "x"], "request_id": "secret-of-alice", "success": true, "p": "C:\\Users\\bob\\x"}"#;
        crate::damage::for_each_damage(sound.as_bytes(), |bytes| {
            let hidden = hide.apply(bytes);
            let named = |text: &[u8]| memchr::memmem::find(text, b"\"request_id\": \"secret-of-alice\"").is_some();
            assert!(!named(&hidden), "{}", String::from_utf8_lossy(&hidden));
            // What was hidden once is not hidden again behind another digest of its own making.
            assert_eq!(hide.apply(&hidden).len(), hidden.len());
        });
    }

    #[test]
    fn homes_lose_their_owner_and_nothing_else() {
        let hide = redaction(&[]);
        for (text, hidden) in [
            ("open /home/alice/app/x.py: no", "open /home/USER/app/x.py: no"),
            ("/Users/Bob Smith/x and /Users/eve", "/Users/USER/x and /Users/USER"),
            (r"C:\Users\alice\AppData", r"C:\Users\USER\AppData"),
            (r#"{"text": "c:\\Users\\alice m\\x"}"#, r#"{"text": "c:\\Users\\USER\\x"}"#),
            ("D:/Users/alice/x", "D:/Users/USER/x"),
            ("nothing to hide in /srv/home/", "nothing to hide in /srv/home/"),
        ] {
            assert_eq!(hide.text(text), hidden);
        }
        assert!(matches!(hide.apply(b"plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn what_the_figures_are_made_of_cannot_be_hidden() {
        let refused = Redaction::new(&["provider".to_owned()], Vec::new()).unwrap_err().to_string();
        assert!(refused.contains("provider cannot be redacted"), "{refused}");
        assert!(Redaction::new(&["a\"b".to_owned()], Vec::new()).is_err());
    }
}
