//! Which field is the time, the duration, the outcome: what is proposed, and what a person must decide.

use super::{Proposal, also, examples, toml_text};
use crate::ingest::survey::{Survey, is_called};
use crate::render::escape::one_line;

impl Proposal {
    pub(super) fn timestamp(&mut self, survey: &Survey) {
        let candidates = survey.timestamps();
        match candidates.split_first() {
            Some(((path, field), others)) => {
                let marks = if path.contains("start") || path.contains("begin") { "start" } else { "end" };
                let unit = field.epoch_unit().map(|(unit, _)| format!(", unit = \"{unit}\""));
                let format = field.time_format().map(|format| format!(", format = {}", toml_text(format)));
                let unit = unit.or(format).unwrap_or_default();
                self.line(&format!(
                    "# Does {} mark the start or the end?{}",
                    one_line(path),
                    also(others.iter().map(|(path, _)| *path))
                ));
                self.line(&format!("timestamp = {{ path = {}{unit}, marks = \"{marks}\" }}", toml_text(path)));
                self.open
                    .push(format!("whether {} marks the start or the end (taken for the {marks})", one_line(path)));
            }
            None => {
                self.open.push("which field is the time".into());
                self.line(
                    "# Which field is the time? None is ISO 8601 or counts from 1970; a format says how it is written.",
                );
                self.line("timestamp = { path = \"time\", format = \"%d/%b/%Y:%H:%M:%S %z\", marks = \"end\" }");
            }
        }
    }

    pub(super) fn duration(&mut self, survey: &Survey) {
        let candidates = survey.durations();
        if let Some((path, Some(unit))) = candidates.iter().find(|(_, unit)| unit.is_some()) {
            let others = candidates.iter().map(|(path, _)| *path).filter(|other| other != path);
            self.line(&format!("# {} by its name.{}", unit, also(others)));
            self.line(&format!("duration = {{ path = {}, unit = \"{unit}\" }}", toml_text(path)));
            return;
        }
        let start = survey
            .first_named(&["start", "begin"])
            .filter(|(_, field)| field.epoch_unit().is_some() || field.kind() == "time");
        let end = survey
            .first_named(&["end", "finish", "stop"])
            .filter(|(_, field)| field.epoch_unit().is_some() || field.kind() == "time");
        if let (Some((start, field)), Some((end, _))) = (start, end) {
            let unit = field.epoch_unit().map(|(unit, _)| format!(", unit = \"{unit}\"")).unwrap_or_default();
            self.line(&format!("duration = {{ path = {}, minus = {}{unit} }}", toml_text(end), toml_text(start)));
            return;
        }
        match candidates.first().and_then(|(path, _)| Some((*path, survey.fields.get(*path)?))) {
            Some((path, field)) if field.kind() == "text" => {
                self.line("# The texts carry their unit.");
                self.line(&format!("duration = {}", toml_text(path)));
            }
            Some((path, field)) => {
                self.line(&format!(
                    "# Its unit stands nowhere: values from {} to {}. ns, us, ms, s, min or h?{}",
                    field.smallest,
                    field.largest,
                    also(candidates[1..].iter().map(|(path, _)| *path))
                ));
                self.line(&format!("duration = {{ path = {}, unit = \"ms\" }}", toml_text(path)));
                self.open.push(format!("the unit of {} (ms stands there for now)", one_line(path)));
            }
            None => {
                self.open.push("which field is the duration".into());
                self.line("# Which field is the duration?");
                self.line("duration = { path = \"duration\", unit = \"ms\" }");
            }
        }
    }

    pub(super) fn outcome(&mut self, survey: &Survey) {
        let candidates = survey.outcomes();
        let found = candidates.first().and_then(|path| Some((*path, survey.fields.get(*path)?)));
        match found {
            Some((path, field)) if field.kind() == "true or false" => {
                self.line(&format!("success = {}", toml_text(path)));
            }
            Some((path, field)) if field.kind() == "number" && field.largest >= 100.0 => {
                self.line("# An HTTP status: which ones are failures of the service is yours to say.");
                self.line(&format!(
                    "success = {{ path = {}, map = {{ \"100..399\" = true }}, default = false }}",
                    toml_text(path)
                ));
            }
            Some((path, field)) if field.kind() == "number" => {
                // A flag is 1 for what went well, an exit code 0.
                const FLAGS: [&str; 4] = ["ok", "success", "succeeded", "successful"];
                let is_flag = FLAGS.iter().any(|word| is_called(path, word)) && field.largest <= 1.0;
                let good = usize::from(is_flag);
                self.line(&format!("# {}", examples(field)));
                self.line(&format!(
                    "success = {{ path = {}, map = {{ {good} = true }}, default = false }}",
                    toml_text(path)
                ));
                self.open
                    .push(format!("which values of {} are a success ({good} stands there for now)", one_line(path)));
            }
            Some((path, field)) => {
                const GOOD: [&str; 7] = ["ok", "success", "succeeded", "successful", "pass", "passed", "completed"];
                let words = field.by_frequency();
                let good = words.iter().find(|(word, _)| GOOD.contains(&word.to_lowercase().as_str()));
                let word = good.or(words.first()).map_or("ok", |(word, _)| word);
                if good.is_none() {
                    self.open.push(format!("which values of {} are a success", one_line(path)));
                }
                self.line(&format!("# {}", examples(field)));
                self.line(&format!(
                    "success = {{ path = {}, map = {{ {} = true }}, default = false }}",
                    toml_text(path),
                    toml_text(word)
                ));
            }
            None => {
                self.open.push("which field says whether it went well".into());
                self.line("# Which field says whether it went well? Where an error stands in failures alone:");
                self.line("success = { path = \"error\", map = { \"/./\" = false }, default = true }");
            }
        }
    }
}
