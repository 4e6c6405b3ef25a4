//! Text in the encoding that it declares: by a byte-order mark, or in XML's first line. Test runners on Windows write
//! UTF-16, old ones ISO 8859-1.

use std::path::Path;

use encoding_rs::{Encoding, UTF_8};

use crate::error::{Error, Position, Result};
use crate::files;

/// Bytes in which XML's declaration must stand.
const DECLARATION: usize = 256;

/// Reads a text of at most `most` bytes; `name` is what messages call it.
///
/// # Errors
/// As [`files::read`]; an encoding that nobody knows, or bytes that are none of it.
pub(super) fn read_declared(path: &Path, name: &str, most: u64) -> Result<String> {
    decoded(&files::read(path, name, most)?, name)
}

fn decoded(bytes: &[u8], name: &str) -> Result<String> {
    let fail = |message: String| Error::new(message).at(Position::file(name));
    let (encoding, marked) = match Encoding::for_bom(bytes) {
        Some((encoding, mark)) => (encoding, mark),
        None => match declared(bytes) {
            None => (UTF_8, 0),
            // The declaration was read as ASCII, so that it cannot be in what it names.
            Some(label) if label.to_ascii_lowercase().starts_with("utf-16") => (UTF_8, 0),
            Some(label) => {
                let known = Encoding::for_label(label.as_bytes());
                let unknown = || {
                    fail(format!("its first line declares the encoding {label:?}, which is not known"))
                        .help("write it in UTF-8")
                };
                (known.ok_or_else(unknown)?, 0)
            }
        },
    };
    let text = encoding.decode_without_bom_handling_and_without_replacement(&bytes[marked..]);
    text.map(std::borrow::Cow::into_owned).ok_or_else(|| {
        let valid = if encoding == UTF_8 { Encoding::utf8_valid_up_to(&bytes[marked..]) + marked } else { 0 };
        let message = match encoding == UTF_8 {
            true => format!("not UTF-8 from byte {valid}"),
            false => format!("its bytes are not the {} that it declares", encoding.name()),
        };
        fail(message).help("an XML file may declare its encoding: <?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>")
    })
}

/// What XML's declaration says.
fn declared(bytes: &[u8]) -> Option<&str> {
    let head = &bytes[..bytes.len().min(DECLARATION)];
    let declaration = head.trim_ascii_start().strip_prefix(b"<?xml")?;
    let end = declaration.windows(2).position(|two| two == b"?>")?;
    let inside = std::str::from_utf8(&declaration[..end]).ok()?;
    let value = inside.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    value[1..].split_once(quote).map(|(label, _)| label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_in_its_encoding() {
        let utf_16: Vec<u8> =
            [0xff, 0xfe].into_iter().chain("<a>é</a>".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let read = |bytes: &[u8]| decoded(bytes, "a.xml").unwrap();
        assert_eq!(read(&utf_16), "<a>é</a>");
        assert_eq!(read("\u{feff}# é".as_bytes()), "# é");
        assert_eq!(read(b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>").chars().nth_back(4), Some('é'));
        assert_eq!(
            read(b"<?xml version=\"1.0\" encoding=\"utf-16\"?><a/>"),
            "<?xml version=\"1.0\" encoding=\"utf-16\"?><a/>"
        );
        assert_eq!(read(b"plain"), "plain");
    }

    #[test]
    fn what_is_not_as_declared_is_refused() {
        let why = |bytes: &[u8]| decoded(bytes, "a.xml").unwrap_err().to_string();
        assert!(why(b"caf\xe9").starts_with("a.xml: not UTF-8 from byte 3"), "{}", why(b"caf\xe9"));
        assert!(why(b"<?xml version='1.0' encoding='ebcdic'?>").contains("\"ebcdic\", which is not known"));
        assert!(why(b"\xff\xfea").contains("not the UTF-16LE"));
    }
}
