//! The simulated rollout in the format of a preset: each line of the log is read, and written anew by its template.

use std::io::{self, Write};

use chrono::{DateTime, Utc};

use crate::ingest::native::{self, EventKind, Line};
use crate::ingest::record::Record as Read;
use crate::ingest::timestamp::NANOS_PER_SECOND;
use crate::schema::presets::{Preset, WriteSection};
use crate::schema::record::{FILE_TYPE, MEMORY, PROVIDER, SIZE};
use crate::schema::source::Parse;

const NANOS_PER_MS: i64 = 1_000_000;

/// A part of a template.
#[derive(Debug)]
enum Part {
    Text(String),
    Value(String),
    Choice(String, Vec<Self>, Vec<Self>),
}

/// Writes what it is given, lines of stagegate's own format, in another one.
pub struct Shaper<'w> {
    out: &'w mut dyn Write,
    line: Vec<Part>,
    header: Option<String>,
    /// Whether the simulation's mark can stand between the rows.
    holds_events: bool,
    unfinished: Vec<u8>,
    number: u64,
    starts: Vec<(i64, f64)>,
}

impl<'w> Shaper<'w> {
    pub fn new(preset: &Preset, write: &WriteSection, out: &'w mut dyn Write) -> Self {
        let holds_events = preset.source.parse.is_none_or(|parse| parse == Parse::Json);
        let (line, header) = (parts(&write.line), write.header.clone());
        Self { out, line, header, holds_events, unfinished: Vec::new(), number: 0, starts: Vec::new() }
    }

    /// When stages began (ns since 1970-01-01T00:00:00Z), and with which percentage.
    pub fn starts(self) -> Vec<(i64, f64)> {
        self.starts
    }

    fn one(&mut self, line: &[u8]) -> io::Result<()> {
        let text = String::from_utf8_lossy(line);
        if let Some(header) = self.header.take() {
            writeln!(self.out, "{header}")?;
        }
        match native::parse_line(text.trim_end()) {
            Ok(Line::Record(upload)) => {
                self.number += 1;
                let record = Record::of(&upload, self.number);
                let mut row = String::new();
                record.write(&self.line, &mut row);
                writeln!(self.out, "{row}")
            }
            Ok(Line::Event(event)) => match (event.kind, event.timestamp) {
                (EventKind::RolloutStage { percentage }, Some(at)) => {
                    self.starts.push((at, percentage));
                    Ok(())
                }
                (EventKind::Simulation, _) if self.holds_events => self.out.write_all(line),
                _ => Ok(()),
            },
            // What is no line of a log stays what it is.
            Err(_) => self.out.write_all(line),
        }
    }
}

impl Write for Shaper<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unfinished.extend_from_slice(bytes);
        while let Some(end) = memchr::memchr(b'\n', &self.unfinished) {
            let line: Vec<u8> = self.unfinished.drain(..=end).collect();
            self.one(&line)?;
        }
        Ok(bytes.len())
    }

    /// Called by the simulator at its end alone.
    fn flush(&mut self) -> io::Result<()> {
        let rest = std::mem::take(&mut self.unfinished);
        if !rest.is_empty() {
            self.one(&rest)?;
        }
        self.out.flush()
    }
}

/// A template's text and placeholders.
fn parts(template: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some(open) = rest.find('<') {
        parts.push(Part::Text(rest[..open].to_owned()));
        let inside = &rest[open + 1..];
        let end = closing(inside);
        let choices = split(&inside[..end]);
        parts.push(match choices.as_slice() {
            [name, yes, no] => Part::Choice((*name).to_owned(), self::parts(yes), self::parts(no)),
            _ => Part::Value(inside[..end].to_owned()),
        });
        rest = &inside[end + 1..];
    }
    parts.push(Part::Text(rest.to_owned()));
    parts
}

/// Where the placeholder ends that `inside` begins in.
fn closing(inside: &str) -> usize {
    let mut depth = 0_usize;
    let end = inside.char_indices().find(|(_, c)| {
        match c {
            '<' => depth += 1,
            '>' if depth == 0 => return true,
            '>' => depth -= 1,
            _ => {}
        }
        false
    });
    // Presets are the program's own: see the test.
    end.map(|(at, _)| at).expect("every < of a template has its >")
}

/// The parts between the bars that stand in no placeholder.
fn split(inside: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0_usize, 0, Vec::new());
    for (at, character) in inside.char_indices() {
        match character {
            '<' => depth += 1,
            '>' => depth -= 1,
            '|' if depth == 0 => {
                found.push(&inside[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(&inside[start..]);
    found
}

/// What a template can say.
struct Record<'u> {
    upload: &'u Read<'u>,
    number: u64,
    start: i64,
    end: i64,
    duration_ms: i64,
    timeout: bool,
}

impl<'u> Record<'u> {
    fn of(upload: &'u Read<'u>, number: u64) -> Self {
        let end = (upload.timestamp + NANOS_PER_SECOND / 2).div_euclid(NANOS_PER_SECOND) * NANOS_PER_SECOND;
        let duration_ms = (upload.duration_ms.unwrap_or(0.0).round() as i64).max(1);
        let timeout = !upload.success && upload.error_type.as_deref().is_some_and(|name| name.contains("Timeout"));
        Self { upload, number, start: end - duration_ms * NANOS_PER_MS, end, duration_ms, timeout }
    }

    fn write(&self, parts: &[Part], out: &mut String) {
        for part in parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Value(name) => out.push_str(&self.value(name)),
                Part::Choice(name, yes, no) => {
                    let holds = if name == "ok" { self.upload.success } else { self.timeout };
                    self.write(if holds { yes } else { no }, out);
                }
            }
        }
    }

    fn value(&self, name: &str) -> String {
        let time = |at: i64, format: &str| DateTime::<Utc>::from_timestamp_nanos(at).format(format).to_string();
        let seconds = |at: i64| format!("{}.{:03}", at / NANOS_PER_SECOND, at % NANOS_PER_SECOND / NANOS_PER_MS);
        let text = |value: Option<&str>| value.map_or(serde_json::Value::Null, Into::into).to_string();
        let number = |value: Option<f64>| value.map_or_else(|| "null".to_owned(), |value| format!("{value:?}"));
        let upload = self.upload;
        match name {
            "arm" => upload.execution_type.word().into(),
            "ok" => upload.success.to_string(),
            "status" if upload.success => "200".into(),
            "status" => if self.timeout { "504" } else { "500" }.into(),
            "number" => self.number.to_string(),
            "start" => time(self.start, "%Y-%m-%dT%H:%M:%S%.3fZ"),
            "end" => time(self.end, "%Y-%m-%dT%H:%M:%S%.3fZ"),
            "end_date" => time(self.end, "%Y-%m-%d"),
            "end_time" => time(self.end, "%H:%M:%S"),
            "start_s" => seconds(self.start),
            "end_s" => seconds(self.end),
            "end_whole_s" => (self.end / NANOS_PER_SECOND).to_string(),
            "start_ms" => (self.start / NANOS_PER_MS).to_string(),
            "end_ms" => (self.end / NANOS_PER_MS).to_string(),
            "start_ns" => self.start.to_string(),
            "end_ns" => self.end.to_string(),
            "duration_s" => format!("{}.{:03}", self.duration_ms / 1000, self.duration_ms % 1000),
            "duration_ms" => self.duration_ms.to_string(),
            "duration_ns" => (self.duration_ms * NANOS_PER_MS).to_string(),
            "hex16" => format!("{:016x}", self.number),
            "hex32" => format!("{:032x}", self.number),
            "id" => upload.request_id.as_deref().unwrap_or_default().to_owned(),
            "id!" => text(upload.request_id.as_deref()),
            "error!" => text(upload.error_type.as_deref()),
            "provider!" => text(upload.name(PROVIDER)),
            "file_type!" => text(upload.name(FILE_TYPE)),
            "size_mb!" => number(upload.number(SIZE)),
            "memory_mb!" => number(upload.measures[MEMORY]),
            // Presets are the program's own: see the test.
            other => unreachable!("no value is called {other:?}"),
        }
    }
}

/// The rollout.toml that reads a log in this format.
pub fn plan(name: &str, write: &WriteSection, starts: &[(i64, f64)]) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let mut text =
        format!("# Reads what `stagegate generate --as {name}` wrote.\n\n[[sources]]\npreset = {}\n", quoted(name));
    text.push_str(&format!("[sources.fields]\narm = {}\n", quoted(&write.arm)));
    for (at, percentage) in starts {
        let at = DateTime::<Utc>::from_timestamp_nanos(*at).format("%Y-%m-%dT%H:%M:%SZ");
        text.push_str(&format!("\n[[starts]]\nat = \"{at}\"\npercentage = {percentage}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::presets;

    #[test]
    fn every_template_can_be_written() {
        let line = r#"{"execution_type": "async", "success": false, "duration_ms": 18.6, "timestamp": "2025-11-12T08:15:30.6", "error_type": "TimeoutError", "provider": "k\"x", "request_id": "r-1"}"#;
        for (name, preset) in presets::all() {
            let Some(write) = &preset.write else { continue };
            let mut out = Vec::new();
            let mut shaper = Shaper::new(preset, write, &mut out);
            shaper.write_all(format!("{line}\n{}", line.replace("false", "true")).as_bytes()).unwrap();
            shaper.flush().unwrap();
            let text = String::from_utf8(out).unwrap();
            assert!(text.contains("async") && !text.contains(['<', '>']), "{name}: {text}");
            crate::config::parse("rollout.toml", &plan(name, write, &[(0, 1.0)]), Default::default()).unwrap();
        }
    }
}
