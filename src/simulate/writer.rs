//! Records -> lines as Python's `json.dumps` writes them, and the mess of the messy scenario.

use std::io::{self, Write};

use chrono::DateTime;

use super::scenario::{Scenario, StageSetting};
use super::traffic::Record;
use super::truth::Truth;
use crate::ingest::record::ExecutionType;
use stagegate_stats::random::Stream;

/// Seconds between the start of the outage and the rollback that answers it.
const ROLLBACK_AFTER_S: f64 = 240.0;

/// Writes the log and counts what it wrote.
pub(super) struct LogWriter<'w> {
    out: &'w mut dyn Write,
    scenario: Scenario,
    seed: u64,
    random: Stream,
    uploads: u64,
    lines: u64,
    events: u64,
    blank: u64,
    duplicates: u64,
    rejected: std::collections::BTreeMap<&'static str, u64>,
    rollback_at_s: Option<f64>,
}

fn timestamp(epoch_s: f64) -> String {
    let micros = (epoch_s * 1e6).round() as i64;
    DateTime::from_timestamp_micros(micros)
        .map(|time| time.format("%Y-%m-%dT%H:%M:%S%.6f").to_string())
        .unwrap_or_default()
}

impl<'w> LogWriter<'w> {
    pub(super) fn new(scenario: Scenario, seed: u64, out: &'w mut dyn Write) -> Self {
        Self {
            out,
            scenario,
            seed,
            random: Stream::new(seed, "mess"),
            uploads: 0,
            lines: 0,
            events: 0,
            blank: 0,
            duplicates: 0,
            rejected: Default::default(),
            rollback_at_s: None,
        }
    }

    /// The first line says that nothing here was measured.
    pub(super) fn begin(&mut self, at_s: f64) -> io::Result<()> {
        let scenario = serde_json::to_value(self.scenario).unwrap_or_default();
        let scenario = scenario.as_str().unwrap_or_default().to_owned();
        let seed = self.seed;
        if self.scenario == Scenario::Messy {
            self.out.write_all(b"\xef\xbb\xbf")?;
        }
        self.event(&format!(
            "{{\"event_type\": \"simulation\", \"timestamp\": \"{}\", \"scenario\": \"scenario {scenario}, seed {seed}\"}}",
            timestamp(at_s)
        ))
    }

    pub(super) fn stage_event(&mut self, at_s: f64, stage: &StageSetting) -> io::Result<()> {
        self.rollback_at_s = stage.outage.as_ref().map(|(when, _)| at_s + when.start as f64 + ROLLBACK_AFTER_S);
        let number = match stage.percentage as u64 {
            1 => 1,
            10 => 2,
            50 => 3,
            _ => 4,
        };
        self.event(&format!(
            "{{\"event_type\": \"rollout_stage\", \"timestamp\": \"{}\", \"stage\": {number}, \"percentage\": {}, \"metrics\": {{}}}}",
            timestamp(at_s),
            stage.percentage
        ))
    }

    fn event(&mut self, line: &str) -> io::Result<()> {
        self.events += 1;
        self.line(line.as_bytes())
    }

    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        self.lines += 1;
        self.out.write_all(line)?;
        let crlf = self.scenario == Scenario::Messy && self.lines.is_multiple_of(97);
        self.out.write_all(if crlf { b"\r\n" } else { b"\n" })
    }

    pub(super) fn upload(&mut self, record: &Record) -> io::Result<()> {
        if let Some(at_s) = self.rollback_at_s.take_if(|at| *at <= record.end_s) {
            self.event(&format!(
                "{{\"event_type\": \"rollback\", \"timestamp\": \"{}\", \"reason\": \"error rate above 5 %\", \"metrics\": {{}}}}",
                timestamp(at_s)
            ))?;
        }
        self.uploads += 1;
        let line = self.upload_line(record);
        if self.scenario == Scenario::Messy {
            self.mess(&line)?;
        }
        self.line(line.as_bytes())
    }

    fn upload_line(&self, record: &Record) -> String {
        let error = record.error_type.map_or_else(|| "null".to_owned(), |name| format!("\"{name}\""));
        let memory = if self.scenario == Scenario::NoMemory {
            String::new()
        } else {
            format!(", \"memory_mb\": {:?}", record.memory_mb)
        };
        format!(
            "{{\"execution_type\": \"{}\", \"success\": {}, \"duration_ms\": {:?}, \"timestamp\": \"{}\", \"error_type\": {error}, \"fallback_used\": {}, \"file_size_mb\": {:?}, \"provider\": \"{}\", \"request_id\": \"r-{:06}\", \"file_type\": \"{}\"{memory}}}",
            record.execution_type.word(),
            record.success,
            record.duration_ms,
            timestamp(record.end_s),
            record.execution_type == ExecutionType::SyncFallback,
            record.size_mb,
            record.provider,
            self.uploads,
            record.file_type
        )
    }

    /// Before one line in eighty, something that is not an upload, or the upload twice.
    fn mess(&mut self, line: &str) -> io::Result<()> {
        if self.random.below(80) > 0 {
            return Ok(());
        }
        let (reason, bad): (&'static str, Vec<u8>) = match self.random.below(12) {
            0 => ("not_json", line.as_bytes()[..line.len() / 2].to_vec()),
            1 => ("not_an_object", b"[1, 2, 3]".to_vec()),
            2 => ("missing_field", line.replace("\"success\"", "\"succeeded\"").into_bytes()),
            3 => ("bad_value", line.replace("\"duration_ms\": ", "\"duration_ms\": -").into_bytes()),
            4 => ("bad_value", line.replace("\"success\": ", "\"success\": 1, \"x\": ").into_bytes()),
            5 => (
                "unknown_execution_type",
                line.replace("\"execution_type\": \"", "\"execution_type\": \"x").into_bytes(),
            ),
            6 => ("no_stage", line.replace("{\"execution", "{\"stage\": \"11%\", \"execution").into_bytes()),
            7 => ("invalid_utf8", [line.as_bytes(), &b"\xff"[..]].concat()),
            8 => {
                self.blank += 1;
                return self.line(b"   ");
            }
            9 => return self.event("{\"event_type\": \"deploy\", \"note\": \"not known to stagegate\"}"),
            _ => {
                self.duplicates += 1;
                return self.line(line.as_bytes());
            }
        };
        *self.rejected.entry(reason).or_default() += 1;
        self.line(&bad)
    }

    /// The last line is cut in mid-write where the log is messy.
    pub(super) fn finish(mut self, truth: Truth) -> io::Result<Truth> {
        if self.scenario == Scenario::Messy {
            self.lines += 1;
            *self.rejected.entry("not_json").or_default() += 1;
            self.out.write_all(b"{\"execution_type\": \"async\", \"succ")?;
        }
        self.out.flush()?;
        Ok(Truth {
            lines: self.lines,
            events: self.events,
            blank: self.blank,
            rejected: self.rejected,
            duplicate_request_ids: self.duplicates,
            ..truth
        })
    }
}
