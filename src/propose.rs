//! A rollout.toml for a log of somebody's own: what was seen, what was taken for what, and what a person must decide.

mod fields;

use std::fmt::Write;

use crate::ingest::recognise::Recognised;
use crate::ingest::survey::{ERRORS, Field, Survey, unit_in_name};
use crate::render::escape::one_line;
use crate::schema::presets;

/// Fields that are listed.
const FIELDS_LISTED: usize = 40;
/// Values of a field that are shown.
const VALUES_SHOWN: usize = 6;
/// Dimensions and measures that are proposed, each.
const OWN_PROPOSED: usize = 4;
/// Most values of a dimension that is proposed.
const DIMENSION_VALUES: usize = 30;
/// Words that people call the old way and the new way by.
const CONTROL: [&str; 13] =
    ["control", "sync", "stable", "old", "baseline", "blue", "v1", "off", "false", "0", "a", "primary", "legacy"];
const TREATED: [&str; 14] = [
    "treated",
    "treatment",
    "async",
    "canary",
    "new",
    "candidate",
    "green",
    "v2",
    "on",
    "true",
    "1",
    "b",
    "test",
    "next",
];

/// A proposal.
pub struct Proposal {
    /// The text of a rollout.toml.
    pub text: String,
    /// What a person must decide before it can be used, a sentence each.
    pub open: Vec<String>,
}

/// Proposes a config for the log called `file`, of which `survey` saw the first rows.
pub fn propose(file: &str, survey: Option<&Survey>, recognised: Option<&Recognised>) -> Proposal {
    let mut proposal = Proposal { text: String::new(), open: Vec::new() };
    proposal.seen(file, survey, recognised);
    let glob = toml_text(file);
    let arm = match (recognised, survey) {
        (Some(found), _) if found.name == presets::OWN => {
            proposal.line("\n# stagegate reads this format by itself: no [[sources]] is needed.");
            proposal.line(&format!("[input]\nfiles = [{glob}]"));
            None
        }
        (Some(found), survey) => Some(proposal.of_preset(found, survey, &glob)),
        (None, Some(survey)) => Some(proposal.of_survey(survey, &glob)),
        (None, None) => {
            proposal.open.push("how a line is read: write a pattern with a name for each field".into());
            proposal.line(&format!(
                "\n[[sources]]\nfiles = [{glob}]\nparse = \"regex\"\npattern = '^(?P<time>\\S+) (?P<status>\\d+) (?P<ms>[\\d.]+) (?P<variant>\\S+)'\n[sources.fields]\ntimestamp = \"time\"\nduration = {{ path = \"ms\", unit = \"ms\" }}\nsuccess = {{ path = \"status\", map = {{ \"200..399\" = true }}, default = false }}\narm = \"variant\""
            ));
            None
        }
    };
    if let Some(arm) = arm.flatten() {
        proposal.arms(&arm);
    }
    if let Some(survey) = survey {
        proposal.of_own(survey, recognised);
    }
    proposal.stages();
    proposal
}

/// The arm's values with their counts.
type ArmValues = Vec<(String, usize)>;

impl Proposal {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn seen(&mut self, file: &str, survey: Option<&Survey>, recognised: Option<&Recognised>) {
        self.line(&format!("# A proposal for {}: read the comments, and decide where it says so.", one_line(file)));
        if let Some(found) = recognised {
            self.line(&format!(
                "# {} of the first {} lines are of the preset {}: {}.",
                found.fits, found.of, found.name, found.preset.title
            ));
            for note in &found.preset.notes {
                self.line(&format!("#   {}", one_line(note)));
            }
        }
        let Some(survey) = survey else { return };
        self.line(&format!("# Seen in {} rows, of a long log at its beginning, middle and end:", survey.rows));
        for (path, field) in survey.fields.iter().take(FIELDS_LISTED) {
            let share = 100.0 * field.present as f64 / survey.rows.max(1) as f64;
            self.line(&format!("#   {:<32} {:<14} {share:>3.0} %  {}", one_line(path), field.kind(), examples(field)));
        }
        if survey.fields.len() > FIELDS_LISTED {
            self.line(&format!("#   … and {} more", survey.fields.len() - FIELDS_LISTED));
        }
    }

    /// The source of a format that is known; the arm's values, where some field may be it.
    fn of_preset(&mut self, found: &Recognised, survey: Option<&Survey>, glob: &str) -> Option<ArmValues> {
        self.line(&format!("\n[[sources]]\nfiles = [{glob}]\npreset = \"{}\"\n[sources.fields]", found.name));
        let seen = |path: &&String| {
            let field = survey?.fields.get(path.as_str())?;
            (2..=12).contains(&field.values.len()).then_some((path.to_string(), field))
        };
        let candidates: Vec<(String, &Field)> = found.preset.arms.iter().filter_map(|path| seen(&path)).collect();
        match candidates.first() {
            Some((path, field)) => self.arm(
                path,
                field,
                &candidates[1..].iter().map(|(path, field)| (path.as_str(), *field)).collect::<Vec<_>>(),
            ),
            None => {
                let candidates = survey.map(Survey::arms).unwrap_or_default();
                match candidates.split_first() {
                    Some(((path, field), others)) => self.arm(path, field, others),
                    None => {
                        let places = found.preset.arms.join(", ");
                        self.open.push(format!(
                            "which field says the arm: none has a few values; it often stands in {places}"
                        ));
                        self.line("# Which field says the arm? None of those seen has a few values.");
                        self.line(&format!(
                            "arm = {}",
                            toml_text(found.preset.arms.first().map_or("variant", String::as_str))
                        ));
                        None
                    }
                }
            }
        }
    }

    fn of_survey(&mut self, survey: &Survey, glob: &str) -> Option<ArmValues> {
        self.line(&format!("\n[[sources]]\nfiles = [{glob}]"));
        if let Some(separator) = survey.separator {
            self.line("parse = \"csv\"");
            match separator {
                b',' => {}
                b'\t' => self.line("separator = \"tab\""),
                other => self.line(&format!("separator = \"{}\"", char::from(other))),
            }
        }
        if let Some(rows) = &survey.batch {
            self.line("# Each line holds several rows. ^ is the object around a row.");
            self.line(&format!("rows = {}", toml_text(rows)));
        }
        self.line("[sources.fields]");
        self.timestamp(survey);
        self.duration(survey);
        self.outcome(survey);
        if let Some((path, _)) = survey.first_named(&ERRORS) {
            self.line(&format!("error = {}", toml_text(path)));
        }
        if let Some((path, _)) = survey.first_named(&["id", "uuid", "trace"]).filter(|(_, field)| field.many_values) {
            self.line(&format!("id = {}", toml_text(path)));
        }
        if let Some((path, _)) = survey.first_named(&["rss", "memory", "mem", "heap"]) {
            let unit = unit_in_name(path).filter(|unit| matches!(*unit, "MB" | "B"));
            match unit {
                Some(unit) => self.line(&format!("memory = {{ path = {}, unit = \"{unit}\" }}", toml_text(path))),
                None => self
                    .line(&format!("# memory = {{ path = {}, unit = \"MB\" }}    # B, kB, MB or GB?", toml_text(path))),
            }
        }
        let candidates = survey.arms();
        match candidates.split_first() {
            Some(((path, field), others)) => self.arm(path, field, others),
            None => {
                self.open.push("which field says the arm: none has a few values".into());
                self.line("# Which field says the arm? None has a few values. Of files: arm = { path = \"$file\", map = { \"/canary/\" = \"treated\" }, default = \"control\" }");
                self.line("arm = \"variant\"");
                None
            }
        }
    }

    fn arm(&mut self, path: &str, field: &Field, others: &[(&str, &Field)]) -> Option<ArmValues> {
        self.line(&format!(
            "# Which field says the arm? {}: {}.{}",
            one_line(path),
            examples(field),
            also(others.iter().map(|(path, _)| *path))
        ));
        self.line(&format!("arm = {}", toml_text(path)));
        let values: ArmValues =
            field.by_frequency().into_iter().map(|(value, count)| (value.to_owned(), count)).collect();
        self.open.push(format!("whether {} is the arm ({})", one_line(path), examples(field)));
        Some(values)
    }

    /// The words of the arms: those that people use, else a question.
    fn arms(&mut self, values: &ArmValues) {
        let is = |words: &[&str], value: &str| words.contains(&value.to_lowercase().as_str());
        let holds = |words: &[&str], value: &str| {
            let value = value.to_lowercase();
            words.iter().any(|word| word.len() > 2 && value.contains(word))
        };
        let pick = |words: &[&str]| -> Vec<&String> {
            let exact: Vec<&String> = values.iter().map(|(value, _)| value).filter(|value| is(words, value)).collect();
            if exact.is_empty() {
                values.iter().map(|(value, _)| value).filter(|value| holds(words, value)).collect()
            } else {
                exact
            }
        };
        let (mut control, mut treated) = (pick(&CONTROL), pick(&TREATED));
        let sure = !control.is_empty() && !treated.is_empty() && control.iter().all(|value| !treated.contains(value));
        if !sure {
            let all: Vec<&String> = values.iter().map(|(value, _)| value).collect();
            let (first, second) = all.split_at(1.min(all.len()));
            (control, treated) = (first.to_vec(), second.iter().copied().take(1).collect());
            self.open.push("which words are the old way and which the new: nothing in them says it".into());
        }
        let is_fallback = |value: &String| value.to_lowercase().contains("fallback");
        let fallback: Vec<&String> = values.iter().map(|(value, _)| value).filter(|value| is_fallback(value)).collect();
        control.retain(|value| !is_fallback(value));
        treated.retain(|value| !is_fallback(value));
        let list = |words: &[&String]| words.iter().map(|word| toml_text(word)).collect::<Vec<_>>().join(", ");
        let left: Vec<&str> = values
            .iter()
            .filter(|(value, _)| ![&control, &treated, &fallback].iter().any(|words| words.contains(&value)))
            .map(|(value, _)| value.as_str())
            .collect();
        let question = if sure {
            "Which words stand for which arm, by what they are called."
        } else {
            "Which is the old way, which the new? The order of these says nothing."
        };
        let rest = if left.is_empty() {
            String::new()
        } else {
            format!(" Rows of {} are rejected until they stand here, or are dropped.", one_line(&left.join(", ")))
        };
        self.line(&format!("\n# {question}{rest}"));
        self.line(&format!(
            "[record.arms]\ncontrol = [{}]\ntreated = [{}]\nfallback = [{}]",
            list(&control),
            list(&treated),
            list(&fallback)
        ));
        if let (Some(old), Some(new)) = (control.first(), treated.first()) {
            self.line(&format!(
                "# How the report calls the two ways.\nnames = {{ control = {}, treated = {} }}",
                toml_text(old),
                toml_text(new)
            ));
        }
    }

    /// What else the rows hold that a report can tell apart, or measure.
    fn of_own(&mut self, survey: &Survey, recognised: Option<&Recognised>) {
        self.line("\n# What one row is called, and several.\n# [record]\n# noun = [\"request\", \"requests\"]");
        let of_preset: Vec<String> = recognised
            .iter()
            .flat_map(|found| found.preset.source.fields.values())
            .flat_map(|field| {
                let table = field.table().into_owned();
                table.path.into_iter().chain(table.first).chain(table.join).chain(table.sum).chain(table.minus)
            })
            .collect();
        let used = |path: &String| of_preset.contains(path) || self.text.contains(&toml_text(path));
        let unused: Vec<(&String, &Field)> = survey.fields.iter().filter(|(path, _)| !used(path)).collect();
        let all = survey.rows.max(1);
        let apart = |field: &Field| {
            let values = field.values.len();
            // Names that come once each are no dimension.
            field.kind() == "text"
                && !field.many_values
                && (2..=DIMENSION_VALUES).contains(&values)
                && field.present >= 3 * values
        };
        let measured = |field: &Field| field.kind() == "number" && field.many_values && field.smallest >= 0.0;
        let often = |field: &Field| field.present * 2 > all;
        let dimensions = unused.iter().filter(|(_, field)| apart(field) && often(field)).take(OWN_PROPOSED);
        let dimensions: Vec<String> = dimensions
            .map(|(path, field)| {
                format!(
                    "# [[record.dimensions]]    # {}\n# name = \"{}\"\n# field = {}",
                    examples(field),
                    name_of(path),
                    toml_text(path)
                )
            })
            .collect();
        if !dimensions.is_empty() {
            self.line(&format!("\n# What rows can be told apart by.\n{}", dimensions.join("\n")));
        }
        let numbers = unused.iter().filter(|(_, field)| measured(field) && field.epoch_unit().is_none());
        let measures: Vec<String> = numbers
            .take(OWN_PROPOSED)
            .map(|(path, field)| {
                format!(
                    "# [[record.measures]]    # {}\n# name = \"{}\"\n# field = {}\n# unit = \"{}\"\n# better = \"lower\"",
                    examples(field),
                    name_of(path),
                    toml_text(path),
                    if path.to_lowercase().ends_with("usd") { "USD" } else { "" }
                )
            })
            .collect();
        if !measures.is_empty() {
            self.line(&format!("\n# What rows carry that can be measured.\n{}", measures.join("\n")));
        }
    }

    fn stages(&mut self) {
        self.line(
            "\n# When did which share of the traffic go to the new way? The log does not say it; rollout_stage events would.\n\
             # [[starts]]\n# at = \"2026-03-02T09:00:00Z\"\n# percentage = 10\n\
             \n[[stages]]\nname = \"baseline\"\npercentage = 0\n\
             \n[[stages]]\nname = \"10%\"\npercentage = 10\n\
             \n[[stages]]\nname = \"100%\"\npercentage = 100",
        );
        self.open.push("the stages, and when each began ([[starts]])".into());
    }
}

/// A path as the name of a dimension or measure.
fn name_of(path: &str) -> String {
    let last = path.rsplit(['.', '"']).find(|part| part.chars().any(|c| c.is_ascii_alphabetic())).unwrap_or("value");
    let word: String =
        last.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    let word = word.trim_matches(|c: char| !c.is_ascii_lowercase()).to_owned();
    if word.is_empty() { "value".into() } else { word.chars().take(40).collect() }
}

/// Some values of a field, the most frequent first.
fn examples(field: &Field) -> String {
    if field.kind() == "number" && field.many_values {
        return format!("{} to {}", field.smallest, field.largest);
    }
    if field.many_values {
        let (value, _) = field.by_frequency()[0];
        return format!("many, such as {}", shown(value));
    }
    let values = field.by_frequency();
    let mut text = String::new();
    for (value, count) in values.iter().take(VALUES_SHOWN) {
        let _ = write!(text, "{}{} {count}", if text.is_empty() { "" } else { ", " }, shown(value));
    }
    if values.len() > VALUES_SHOWN {
        text.push_str(", …");
    }
    text
}

fn also<'p>(others: impl Iterator<Item = &'p str>) -> String {
    let others: Vec<String> = others.take(VALUES_SHOWN).map(one_line).collect();
    if others.is_empty() { String::new() } else { format!(" Also possible: {}.", others.join(", ")) }
}

fn shown(value: &str) -> String {
    let short: String = value.chars().take(40).collect();
    one_line(&if short.len() < value.len() { format!("{short}…") } else { short })
}

/// A TOML string.
fn toml_text(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
