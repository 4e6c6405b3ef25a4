//! What speaks for a rollout beside its log: test results, coverage, notes that people wrote, the external
//! review. Read whole, bounded, and never trusted.

mod coverage;
mod junit;
pub mod response;
mod text;
pub mod validation;

use std::path::Path;

use crate::config::{Plan, TestPhaseSection};
use crate::error::{Error, Result};
use crate::files::read_text;
use junit::Results;

pub use junit::{TestCase, TestOutcome};

/// Largest file that is read, in bytes.
const MAX_BYTES: u64 = 64 << 20;
/// Largest note, in bytes.
const MAX_NOTE_BYTES: u64 = 1 << 20;
/// Files of one phase.
const MAX_FILES: usize = 2000;

/// Everything that was found.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    pub phases: Vec<PhaseResults>,
    /// Covered lines / lines, 0 to 1.
    pub coverage: Option<f64>,
    pub notes: Vec<Note>,
    /// The external review, once recorded.
    pub validation: Option<validation::Record>,
}

/// The test results of one phase.
#[derive(Debug, Clone)]
pub struct PhaseResults {
    pub name: String,
    pub expected: u64,
    /// Relative to the config.
    pub files: Vec<String>,
    pub cases: Vec<TestCase>,
    /// Suites whose own counts are not those of their cases, as sentences.
    pub disagreements: Vec<String>,
    /// Of the run before, where the config names one.
    pub previous: Vec<TestCase>,
}

/// Markdown that people wrote.
#[derive(Debug, Clone)]
pub struct Note {
    /// `findings`, `lessons_learned` or `recommendations`.
    pub kind: &'static str,
    pub file: String,
    pub markdown: String,
}

/// Reads what the plan names.
///
/// # Errors
/// A file that is named and missing, too large, not UTF-8, or not what it should be.
pub fn read(plan: &Plan) -> Result<Evidence> {
    let phases = plan.tests.iter().map(|phase| read_phase(plan, phase)).collect::<Result<Vec<_>>>()?;
    let coverage =
        plan.coverage.file.as_deref().map(|file| coverage::read(file, &text(plan, file, MAX_BYTES)?)).transpose()?;
    let notes = [
        ("findings", &plan.notes.findings),
        ("lessons_learned", &plan.notes.lessons_learned),
        ("recommendations", &plan.notes.recommendations),
    ];
    let mut read = Vec::new();
    for (kind, file) in notes {
        if let Some(file) = file {
            let markdown = without_front_matter(&text(plan, file, MAX_NOTE_BYTES)?).to_owned();
            read.push(Note { kind, file: file.to_owned(), markdown });
        }
    }
    Ok(Evidence { phases, coverage, notes: read, validation: validation::read(plan)? })
}

fn read_phase(plan: &Plan, phase: &TestPhaseSection) -> Result<PhaseResults> {
    let (files, now) = read_cases(plan, &phase.files)?;
    let (_, before) = read_cases(plan, &phase.previous)?;
    Ok(PhaseResults {
        name: phase.name.clone(),
        expected: phase.expected,
        files,
        cases: now.cases,
        disagreements: now.disagreements,
        previous: before.cases,
    })
}

/// The cases of all files that the globs name. A glob that matches nothing is missing evidence, not an error.
fn read_cases(plan: &Plan, globs: &[String]) -> Result<(Vec<String>, Results)> {
    let (mut files, mut all) = (Vec::new(), Results::default());
    for pattern in globs {
        let full = plan.base.join(pattern).display().to_string();
        let matches =
            glob::glob(&full).map_err(|error| Error::new(format!("bad glob {pattern:?} in [[tests]]: {error}")))?;
        for path in matches.flatten().filter(|path| path.is_file()) {
            if files.len() >= MAX_FILES {
                return Err(Error::new(format!("{pattern:?} names more than {MAX_FILES} files"))
                    .help("narrow the glob in [[tests]] files"));
            }
            let name = shown(plan, &path);
            let found = junit::parse(&name, &text::read_declared(&path, &name, MAX_BYTES)?)?;
            all.cases.extend(found.cases);
            all.disagreements.extend(found.disagreements);
            files.push(name);
        }
    }
    files.sort();
    Ok((files, all))
}

/// The path as the config would write it.
fn shown(plan: &Plan, path: &Path) -> String {
    path.strip_prefix(&plan.base).unwrap_or(path).display().to_string()
}

fn text(plan: &Plan, file: &str, most: u64) -> Result<String> {
    text::read_declared(&plan.base.join(file), file, most)
}

/// The reviewer's answer at `path`.
///
/// # Errors
/// The file is missing, too large or not UTF-8.
pub fn read_response(path: &Path) -> Result<String> {
    read_text(path, &path.display().to_string(), MAX_NOTE_BYTES)
}

/// The text behind an optional front matter between two lines of `---`.
fn without_front_matter(text: &str) -> &str {
    let text = text.trim_start_matches('\u{feff}');
    let Some(rest) = text.strip_prefix("---\n").or_else(|| text.strip_prefix("---\r\n")) else { return text };
    rest.find("\n---").map_or(text, |end| {
        let after = &rest[end + 4..];
        after.find('\n').map_or("", |line| &after[line + 1..])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn front_matter_is_left_out() {
        assert_eq!(without_front_matter("---\ntitle: a\n---\n# b\n"), "# b\n");
        assert_eq!(without_front_matter("# b\n---\n"), "# b\n---\n");
        assert_eq!(without_front_matter("---\nnever closed\n"), "---\nnever closed\n");
    }
}
