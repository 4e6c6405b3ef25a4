//! Line coverage from Cobertura XML or LCOV.

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::error::{Error, Position, Result};

/// Covered lines / lines, 0 to 1, of the file called `name`.
///
/// # Errors
/// Neither Cobertura XML nor LCOV, or without a line.
pub(super) fn read(name: &str, text: &str) -> Result<f64> {
    let found = if text.trim_start().starts_with('<') { cobertura(text) } else { lcov(text) };
    found.filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| {
        Error::new("no line coverage in it").at(Position::file(name)).help(
            "give Cobertura XML (line-rate, or lines-covered and lines-valid, of <coverage>) or LCOV (LF and LH records)",
        )
    })
}

fn cobertura(text: &str) -> Option<f64> {
    let mut reader = Reader::from_str(text);
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) | Event::Empty(tag) if tag.local_name().as_ref() == b"coverage" => {
                let number = |wanted: &str| -> Option<f64> {
                    let value = tag.try_get_attribute(wanted).ok().flatten()?;
                    std::str::from_utf8(&value.value).ok()?.trim().parse().ok()
                };
                let counted = number("lines-covered").zip(number("lines-valid")).filter(|(_, lines)| *lines > 0.0);
                return counted.map(|(covered, lines)| covered / lines).or_else(|| number("line-rate"));
            }
            Event::Eof => return None,
            _ => {}
        }
    }
}

fn lcov(text: &str) -> Option<f64> {
    let sum = |prefix: &str| -> Option<u64> {
        text.lines()
            .filter_map(|line| line.trim().strip_prefix(prefix))
            .try_fold(0_u64, |sum, count| count.trim().parse().ok().and_then(|count: u64| sum.checked_add(count)))
    };
    let (found, hit) = (sum("LF:")?, sum("LH:")?);
    (found > 0).then(|| hit as f64 / found as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_refused_or_still_a_share() {
        for sound in [
            "<coverage line-rate=\"0.5\" lines-covered=\"30\" lines-valid=\"40\"/>",
            "SF:a\nLF:10\nLH:9\nend_of_record\n",
        ] {
            crate::damage::for_each_damage(sound.as_bytes(), |bytes| {
                if let Ok(share) = read("c", &String::from_utf8_lossy(bytes)) {
                    assert!((0.0..=1.0).contains(&share), "{share}");
                }
            });
        }
    }

    #[test]
    fn cobertura_and_lcov() {
        let counted = "<?xml version=\"1.0\"?><!DOCTYPE coverage SYSTEM \"x.dtd\"><coverage line-rate=\"0.5\" lines-covered=\"30\" lines-valid=\"40\"/>";
        assert_eq!(read("c.xml", counted).unwrap(), 0.75);
        assert_eq!(read("c.xml", "<coverage line-rate='0.5'></coverage>").unwrap(), 0.5);
        assert_eq!(read("l.info", "SF:a\nLF:10\nLH:9\nend_of_record\nSF:b\nLF:10\nLH:1\n").unwrap(), 0.5);
        for nothing in ["", "LF:0\nLH:0\n", "<html/>", "<coverage line-rate='7'/>", "LF:x\nLH:1\n"] {
            assert!(read("x", nothing).is_err(), "{nothing}");
        }
    }
}
