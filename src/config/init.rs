//! What `stagegate init` writes: a rollout.toml with every key and a comment each.

/// The commented config. What a plan decides for itself (targets, variants, completion) it writes as an
/// example; a test parses it and holds all the rest against the defaults.
pub fn commented_rollout_file() -> &'static str {
    include_str!("../../templates/rollout.toml")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{RolloutFile, parse};

    #[test]
    fn every_key_stands_in_the_file_and_has_its_default() {
        let text = commented_rollout_file();
        let written: RolloutFile = toml::from_str(text).unwrap();
        let default = RolloutFile::default();
        assert_eq!(toml::to_string(&written.analysis).unwrap(), toml::to_string(&default.analysis).unwrap());
        assert_eq!(toml::to_string(&written.triggers).unwrap(), toml::to_string(&default.triggers).unwrap());
        assert_eq!(toml::to_string(&written.input).unwrap(), toml::to_string(&default.input).unwrap());
        let parsed = parse("rollout.toml", text, Default::default()).unwrap();
        let built_in = parse("built-in", "", Default::default()).unwrap();
        assert_eq!(parsed.folding_rules(), built_in.folding_rules());
        for (written, default) in parsed.stages.iter().zip(&built_in.stages) {
            assert_eq!(written.criteria, default.criteria, "{}", written.name);
        }
    }

    #[test]
    fn every_key_of_the_schema_stands_in_the_file() {
        let text = commented_rollout_file();
        let schema = crate::config::schema();
        let tables = schema["$defs"].as_object().unwrap().values().chain([&schema]);
        for key in tables.filter_map(|table| table["properties"].as_object()).flat_map(|keys| keys.keys()) {
            let assigned = text.lines().any(|line| {
                let line = line.trim_start_matches(['#', ' ']);
                line.starts_with(&format!("{key} ="))
                    || line.contains(&format!(" {key} ="))
                    || line.contains(&format!("[{key}]"))
                    || line.contains(&format!("[{key}."))
                    || line.contains(&format!("[record.{key}]"))
                    || line.contains(&format!("[sources.{key}]"))
                    || line.contains(&format!("[stages.{key}]"))
                    || line.contains(&format!("[bundle.{key}"))
                    || line.contains(&format!("[triggers.{key}]"))
            });
            assert!(assigned, "templates/rollout.toml does not show the key {key}");
        }
    }
}
