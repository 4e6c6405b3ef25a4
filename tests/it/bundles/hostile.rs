//! Bundles that lie: every one is refused with a clear word, and nothing is written.

use super::{Place, bundle, files_below, rollout};

/// One entry of an archive that is put together byte by byte.
#[derive(Clone)]
struct Entry {
    name: Vec<u8>,
    /// The name that the local header gives.
    local_name: Vec<u8>,
    content: Vec<u8>,
    method: u16,
    flags: u16,
    /// Unix mode.
    mode: u32,
    /// Uncompressed size as the headers give it.
    size: u32,
    crc: u32,
    /// Points at the data of the entry before.
    overlaps: bool,
}

impl Entry {
    fn new(name: impl Into<Vec<u8>>, content: impl Into<Vec<u8>>) -> Self {
        let (name, content) = (name.into(), content.into());
        let mut crc = flate2::Crc::new();
        crc.update(&content);
        Self {
            local_name: name.clone(),
            size: content.len() as u32,
            crc: crc.sum(),
            name,
            content,
            method: 0,
            flags: 0x800,
            mode: 0o100_644,
            overlaps: false,
        }
    }
}

/// A .zip of the entries, sound or not.
fn zip(entries: &[Entry]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    let mut last_offset = 0;
    for entry in entries {
        let offset = if entry.overlaps { last_offset } else { bytes.len() as u32 };
        last_offset = offset;
        let mut common = Vec::new();
        common.extend(20_u16.to_le_bytes());
        common.extend(entry.flags.to_le_bytes());
        common.extend(entry.method.to_le_bytes());
        common.extend([0, 0, 0x21, 0]);
        common.extend(entry.crc.to_le_bytes());
        common.extend((entry.content.len() as u32).to_le_bytes());
        common.extend(entry.size.to_le_bytes());
        if !entry.overlaps {
            bytes.extend(b"PK\x03\x04");
            bytes.extend(&common);
            bytes.extend((entry.local_name.len() as u16).to_le_bytes());
            bytes.extend(0_u16.to_le_bytes());
            bytes.extend(&entry.local_name);
            bytes.extend(&entry.content);
        }
        directory.extend(b"PK\x01\x02");
        directory.extend([20, 3]);
        directory.extend(&common);
        directory.extend((entry.name.len() as u16).to_le_bytes());
        directory.extend([0; 8]);
        directory.extend((entry.mode << 16).to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(&entry.name);
    }
    let start = bytes.len() as u32;
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend((entries.len() as u16).to_le_bytes());
    bytes.extend((entries.len() as u16).to_le_bytes());
    bytes.extend((directory.len() as u32).to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

/// The files of a sound bundle.
fn sound() -> (Place, Vec<Entry>) {
    let place = rollout();
    bundle(&place, &[]).expect(0);
    let entries = files_below(&place.path("out/validation-bundle"))
        .into_iter()
        .map(|(path, bytes)| Entry::new(format!("validation-bundle/{}", path.to_string_lossy()), bytes))
        .collect();
    (place, entries)
}

fn edit(entries: &[Entry], name: &str, change: impl Fn(&mut Entry)) -> Vec<u8> {
    let mut entries = entries.to_vec();
    let found = entries.iter_mut().find(|entry| entry.name.ends_with(name.as_bytes())).expect("such an entry");
    change(found);
    zip(&entries)
}

fn with(entries: &[Entry], more: Entry) -> Vec<u8> {
    zip(&[entries, &[more]].concat())
}

fn text(entry: &Entry) -> String {
    String::from_utf8(entry.content.clone()).unwrap()
}

fn set(entry: &mut Entry, content: String) {
    *entry = Entry::new(entry.name.clone(), content);
}

#[test]
fn hostile_archives_are_refused_with_a_clear_word() {
    let (place, entries) = sound();
    let top = "validation-bundle";
    place.write("sound.zip", zip(&entries));
    place.run(&["verify", "sound.zip"]).expect(0);
    let extra = |name: &str| with(&entries, Entry::new(name, "x"));
    let deflated = |bytes: usize| {
        use std::io::Write;
        let mut out = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::new(9));
        out.write_all(&vec![0; bytes]).unwrap();
        out.finish().unwrap()
    };
    let whole = zip(&entries);
    let mut bomb = Entry::new(format!("{top}/data/bomb"), deflated(150 << 20));
    (bomb.method, bomb.size) = (8, 150 << 20);
    let mut liar = Entry::new(format!("{top}/data/liar"), deflated(1 << 20));
    (liar.method, liar.size) = (8, 10);
    let mut impossible = Entry::new(format!("{top}/data/impossible"), deflated(1000));
    (impossible.method, impossible.size) = (8, u32::MAX - 1);
    let mut link = Entry::new(format!("{top}/data/link"), "/etc/passwd");
    link.mode = 0o120_777;
    let mut device = Entry::new(format!("{top}/data/device"), "");
    device.mode = 0o020_644;
    let mut two_names = Entry::new(format!("{top}/data/a.txt"), "x");
    two_names.local_name = format!("{top}/data/b.txt").into_bytes();
    let mut encrypted = Entry::new(format!("{top}/data/e"), "x");
    encrypted.flags |= 1;
    let mut unknown = Entry::new(format!("{top}/data/u"), "x");
    unknown.method = 14;
    let mut overlap = Entry::new(format!("{top}/data/o"), entries.last().unwrap().content.clone());
    (overlap.overlaps, overlap.local_name) = (true, entries.last().unwrap().name.clone());
    overlap.name = entries.last().unwrap().name.clone();
    overlap.crc = entries.last().unwrap().crc;
    let mut latin = Entry::new(format!("{top}/data/\u{e9}"), "x");
    latin.name = [format!("{top}/data/").as_bytes(), b"\xe9"].concat();
    latin.local_name = latin.name.clone();

    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("parent", extra("validation-bundle/../evil"), "leaves the bundle"),
        ("deep parent", extra("validation-bundle/data/../../../evil"), "leaves the bundle"),
        ("absolute", extra("/tmp/evil"), "absolute"),
        ("drive", extra("C:/evil"), "drive"),
        ("backslash", extra("validation-bundle\\..\\evil"), "backslash"),
        ("NUL", extra("validation-bundle/data/a\0.txt"), "NUL"),
        ("control", extra("validation-bundle/data/a\n.txt"), "control character"),
        ("dot", extra("validation-bundle/./data/x"), "plain form"),
        ("empty part", extra("validation-bundle//data/x"), "plain form"),
        ("device name", extra("validation-bundle/data/AUX"), "device"),
        ("trailing dot", extra("validation-bundle/data/x."), "dot or a blank"),
        ("empty name", extra(""), "empty"),
        ("long name", extra(&format!("validation-bundle/data/{}", "x".repeat(2000))), "too long"),
        ("outside of the top", extra("other/x"), "outside"),
        ("not UTF-8", with(&entries, latin), "UTF-8"),
        ("duplicate", extra("validation-bundle/bagit.txt"), "twice"),
        ("case", extra("validation-bundle/BAGIT.txt"), "case or accents"),
        ("accents", extra("validation-bundle/bagit.t\u{ff58}t"), "case or accents"),
        ("file as folder", extra("validation-bundle/bagit.txt/x"), "is a file"),
        ("symbolic link", with(&entries, link), "symbolic link"),
        ("device", with(&entries, device), "symbolic link or no file"),
        ("two names", with(&entries, two_names), "two names"),
        ("encrypted", with(&entries, encrypted), "encrypted"),
        ("unknown method", with(&entries, unknown), "method"),
        ("bomb", with(&entries, bomb), "bomb"),
        ("impossible size", with(&entries, impossible), "bomb"),
        ("more than it says", with(&entries, liar), "extra: data/liar"),
        ("overlap", with(&entries, overlap), "overlap"),
        ("extra file", extra("validation-bundle/data/extra"), "extra: data/extra"),
        ("extra tag file", extra("validation-bundle/notes.txt"), "extra: notes.txt"),
        ("fetch", extra("validation-bundle/fetch.txt"), "fetch.txt"),
        (
            "missing file",
            zip(&entries.iter().filter(|e| !e.name.ends_with(b"app.py")).cloned().collect::<Vec<_>>()),
            "missing: data/code/src/app.py",
        ),
        (
            "missing manifest",
            zip(&entries.iter().filter(|e| !e.name.ends_with(b"/manifest-sha256.txt")).cloned().collect::<Vec<_>>()),
            "missing: manifest-sha256.txt",
        ),
        ("wrong digest", edit(&entries, "app.py", |e| set(e, "changed".into())), "altered: data/code/src/app.py"),
        ("wrong checksum", edit(&entries, "app.py", |e| e.crc ^= 1), "altered or damaged: data/code/src/app.py"),
        (
            "manifest leaves",
            edit(&entries, "/manifest-sha256.txt", |e| set(e, text(e).replacen("data/REQUEST.md", "../../x", 1))),
            "leaves the bundle",
        ),
        ("manifest twice", edit(&entries, "/manifest-sha256.txt", |e| set(e, text(e).repeat(2))), "listed twice"),
        (
            "wrong sum",
            edit(&entries, "bag-info.txt", |e| set(e, text(e).replace("Payload-Oxum: ", "Payload-Oxum: 1"))),
            "Payload-Oxum",
        ),
        ("no bag", edit(&entries, "bagit.txt", |e| set(e, "BagIt-Version: 9\n".into())), "declaration"),
        (
            "other statement",
            edit(&entries, "intoto.json", |e| set(e, text(e).replacen("data/REQUEST.md", "data/x", 1))),
            "speaks for other files",
        ),
        ("truncated", whole[..whole.len() / 2].to_vec(), "not a whole .zip"),
        ("cut at the end", whole[..whole.len() - 3].to_vec(), "not a whole .zip"),
        ("in front", [b"#!/bin/sh\n".as_slice(), &whole].concat(), "in front of the archive"),
        ("behind", [&whole[..], b"more"].concat(), "behind the archive"),
        ("no archive", b"hello".to_vec(), "not a whole .zip"),
        ("empty", Vec::new(), "not a whole .zip"),
    ];
    assert!(cases.len() >= 30);
    let before = files_below(&place.path("."));
    for (name, bytes, words) in cases {
        let hostile = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(hostile.path(), bytes).unwrap();
        let run = place.run(&["verify", hostile.path().to_str().unwrap()]).expect(1);
        assert!(run.out.contains("REFUSED") && run.out.contains(words), "{name}: {words:?} is not in {}", run.out);
        assert!(run.err.is_empty() && !run.out.contains('\0'), "{name}: {}", run.err);
    }
    assert_eq!(files_below(&place.path(".")), before, "something was written");
}

#[test]
#[cfg(unix)]
fn hostile_folders_are_refused() {
    let (place, _) = sound();
    let at = |name: &str| place.path(&format!("out/validation-bundle/{name}"));
    let refuse = |words: &str| {
        let run = place.run(&["verify", "out/validation-bundle"]).expect(1);
        assert!(run.out.contains(words), "{words:?} is not in {}", run.out);
    };
    std::os::unix::fs::symlink("/etc", at("data/link")).unwrap();
    refuse("data/link: a symbolic link");
    std::fs::remove_file(at("data/link")).unwrap();
    std::fs::write(at("data/x\ty"), "").unwrap();
    refuse("control character");
    std::fs::remove_file(at("data/x\ty")).unwrap();
    std::fs::write(at("data/request.JSON"), "").unwrap();
    refuse("case or accents");
    std::fs::remove_file(at("data/request.JSON")).unwrap();
    std::fs::write(at("data/extra"), "").unwrap();
    std::fs::remove_file(at("data/code/src/app.py")).unwrap();
    std::fs::write(at("data/code/src/data.bin"), "other").unwrap();
    let run = place.run(&["verify", "out/validation-bundle"]).expect(1);
    for words in ["extra: data/extra", "missing: data/code/src/app.py", "altered: data/code/src/data.bin"] {
        assert!(run.out.contains(words), "{words:?} is not in {}", run.out);
    }
    let nothing = place.run(&["verify", "nowhere"]).expect(2);
    assert!(nothing.err.contains("nowhere: cannot read the bundle"), "{}", nothing.err);
}
