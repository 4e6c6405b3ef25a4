//! `[[sources]]` and `[record]` -> mappings, with every fault at its place in the file.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::locate::{Located, Step};
use super::plan::{Plan, Source};
use super::sections::RolloutFile;
use super::values::Glob;
use crate::error::{Error, Result};
use crate::schema::arms::{Arms, ArmsSection};
use crate::schema::condition::Condition;
use crate::schema::mapping::{Mapping, SourceFault};
use crate::schema::presets;
use crate::schema::record::{RecordSection, Schema};
use crate::schema::source::SourceSection;
use Step::{Index, Key};

/// Most sources of a config.
const MAX_SOURCES: usize = 100;

/// The sources of a config.
pub(super) fn read(file: &RolloutFile, schema: &Schema, located: &Located<'_>) -> Result<Vec<Source>> {
    let schema = Arc::new(schema.clone());
    let arms = Arms::new(&file.record.arms).map_err(|(arm, index, message)| {
        let path = [Key("record"), Key("arms"), Key(arm), Index(index)];
        Error::new(message).at(located.position(&path)).help("give words of the log, or patterns between slashes")
    })?;
    let arms = Arc::new(arms);
    if file.sources.len() > MAX_SOURCES {
        let at = located.position(&[Key("sources"), Index(MAX_SOURCES)]);
        return Err(Error::new(format!("more than {MAX_SOURCES} sources")).at(at));
    }
    let read = |(index, section): (usize, &SourceSection)| {
        let fail = |fault: SourceFault| {
            let keys = fault.keys.iter().map(|key| Key(key));
            let path: Vec<Step<'_>> = [Key("sources"), Index(index)].into_iter().chain(keys).collect();
            let error = Error::new(fault.message).at(located.position(&path));
            match fault.help {
                Some(help) => error.help(help),
                None => error,
            }
        };
        let of_all = (Arc::clone(&schema), Arc::clone(&arms));
        let mapping = Mapping::new(section, &file.record, of_all, file.input.timestamp_marks).map_err(fail)?;
        let glob = |(number, pattern): (usize, &String)| {
            Glob::parse(pattern).map_err(|message| {
                let path = [Key("sources"), Index(index), Key("files"), Index(number)];
                Error::new(message).at(located.position(&path))
            })
        };
        let files = section.files.iter().enumerate().map(glob).collect::<Result<_>>()?;
        Ok(Source { files, mapping: Arc::new(mapping) })
    };
    let mut sources = file.sources.iter().enumerate().map(read).collect::<Result<Vec<Source>>>()?;
    // The own format may carry what `[record]` adds: then its preset reads the files that no source names.
    if reads_more(&file.record) && sources.iter().all(|source| !source.files.is_empty()) {
        let section = SourceSection { preset: Some(presets::OWN.into()), ..SourceSection::default() };
        let mapping = Mapping::new(&section, &file.record, (schema, arms), file.input.timestamp_marks);
        let mapping = mapping.map_err(|fault| {
            let error = Error::new(fault.message).at(located.position(&[Key("record")]));
            match fault.help {
                Some(help) => error.help(help),
                None => error,
            }
        })?;
        sources.push(Source { files: Vec::new(), mapping: Arc::new(mapping) });
    }
    Ok(sources)
}

/// The presets that `[record]` completes: where it says in which field the arm stands, a log needs no source of its own.
pub(super) fn presets(file: &RolloutFile, schema: &Schema) -> BTreeMap<&'static str, Arc<Mapping>> {
    let mut completed = BTreeMap::new();
    let Ok(arms) = Arms::new(&file.record.arms) else { return completed };
    if file.record.arms.field.is_none() {
        return completed;
    }
    let of_all = (Arc::new(schema.clone()), Arc::new(arms));
    for (name, _) in presets::all().filter(|(name, _)| *name != presets::OWN) {
        let section = SourceSection { preset: Some(name.into()), ..SourceSection::default() };
        let of_all = (Arc::clone(&of_all.0), Arc::clone(&of_all.1));
        // One that needs more than the arm is not taken by itself.
        if let Ok(mapping) = Mapping::new(&section, &file.record, of_all, file.input.timestamp_marks) {
            completed.insert(name, Arc::new(mapping));
        }
    }
    completed
}

/// Whether `[record]` says where something stands that the reader of the own format does not look for.
fn reads_more(record: &RecordSection) -> bool {
    let fields = record.dimensions.iter().map(|dimension| &dimension.field);
    let fields = fields.chain(record.measures.iter().map(|measure| &measure.field)).chain([&record.arms.field]);
    let words = ArmsSection { field: None, names: record.arms.names.clone(), ..ArmsSection::default() };
    fields.flatten().next().is_some() || ArmsSection { field: None, ..record.arms.clone() } != words
}

/// Adds conditions that all rows must fulfil.
///
/// # Errors
/// One that is none.
pub(super) fn keep(plan: &mut Plan, texts: &[String]) -> Result<()> {
    let condition = |text: &String| {
        Condition::parse(text).map_err(|why| {
            Error::new(format!("the condition {text:?} of --keep {why}"))
                .help("write it like --keep 'service == \"upload\"'")
        })
    };
    let conditions = texts.iter().map(condition).collect::<Result<Vec<_>>>()?;
    if conditions.is_empty() {
        return Ok(());
    }
    // Files that no source names are stagegate's own format, which has a preset for this.
    if plan.sources.iter().all(|source| !source.files.is_empty()) {
        plan.sources.push(Source { files: Vec::new(), mapping: Arc::new(own_format(plan)?) });
    }
    for source in &mut plan.sources {
        let mut mapping = Mapping::clone(&source.mapping);
        mapping.keep_only(&conditions);
        source.mapping = Arc::new(mapping);
    }
    Ok(())
}

/// stagegate's own format, read by its preset.
fn own_format(plan: &Plan) -> Result<Mapping> {
    let section = SourceSection { preset: Some(presets::OWN.into()), ..SourceSection::default() };
    let bug = |message: String| Error::new(message);
    let arms = Arms::new(&ArmsSection::default()).map_err(|(_, _, message)| bug(message))?;
    let of_all = (Arc::new(plan.schema.clone()), Arc::new(arms));
    Mapping::new(&section, &RecordSection::default(), of_all, plan.input.timestamp_marks)
        .map_err(|fault| bug(fault.message))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use crate::config::parse;

    #[track_caller]
    fn message(text: &str) -> String {
        parse("rollout.toml", text, PathBuf::new()).expect_err("must be refused").to_string()
    }

    #[test]
    fn faults_of_a_source_say_where_and_what_to_do() {
        insta::assert_snapshot!(message("[[sources]]\npreset = \"k6-jsn\"\n"), @r#"
        rollout.toml:2:1: no preset is called "k6-jsn"; did you mean "k6-json"?
          help: `stagegate formats` lists the presets, and what each reads
        "#);
        insta::assert_snapshot!(message("[[sources]]\npreset = \"k6-json\"\n"), @r#"
        rollout.toml:1:1: arm is not known: the preset k6-json cannot say where it stands
          help: write arm = "a.path", with the words of each arm in [record.arms], or a map: arm = { path = "a.path", map = { canary = "treated" , stable = "control" } }
        "#);
        let says = |text: &str, wanted: &str| {
            let found = message(text);
            assert!(found.contains(wanted), "{text}: {found}");
        };
        let fields = "[[sources]]\n[sources.fields]\ntimestamp = 'ts'\narm = 'a'\nsuccess = 'ok'\n";
        says(
            &format!("{fields}duration = {{ path = 'd', unit = 'mss' }}\n"),
            "rollout.toml:6:26: \"mss\" is no unit of duration; did you mean \"ms\"?",
        );
        says(&format!("{fields}size = 'x'\n"), "rollout.toml:6:1: size has no unit");
        says(
            &format!("{fields}duration = {{ sum = ['a'], value = 1 }}\n"),
            "rollout.toml:6:1: duration comes from several places",
        );
        says(&format!("{fields}duration = 'a..b'\n"), "the path \"a..b\" has an empty step");
        says(&format!("{fields}duration = '^.a'\n"), "the path \"^.a\" leads out of the line");
        says(&format!("{fields}latency = 'd'\n"), "rollout.toml:6:1: no field is called \"latency\"");
        says(&format!("{fields}duration = {{ pth = 'x' }}\n"), "rollout.toml:6:14: unknown key \"pth\"");
        says(&format!("{fields}error = {{ path = 'e', map = {{ \"(\" = 1 }} }}\n"), "\"(\" is no pattern");
        says(&fields.replace("'ts'", "{ path = 'ts', zone = 'Europe/Berln' }"), "did you mean \"Europe/Berlin\"?");
        says(&fields.replace("'ts'", "{ path = 'ts', format = 'day' }"), "is no format of a time");
        says("[[sources]]\nparse = 'csv'\nrows = 'a[]'\n[sources.fields]\n", "timestamp is missing");
        says("[[sources]]\npreset = 'tool-calls'\nkeep = ['service']\nfields = { arm = 'x' }\n", "has no operator");
        says("[record.arms]\ncontrol = ['(']\n", "rollout.toml:2:12: \"(\" is no pattern");
        says("[[starts]]\nat = '2025-11-01T00:00:00Z'\npercentage = 101\n", "between 0 and 100");
    }
}
