//! [`RolloutFile`] -> [`Plan`]: defaults by percentage, and every value that cannot be
//! meant refused with its place in the file.

use std::path::PathBuf;

use super::file::{BundleSection, CriteriaSection, RolloutFile, Scope, StageSection, TargetSection};
use super::locate::{Located, Step};
use super::{Analysis, Criteria, EpochNanos, Plan, Stage, Targets};
use crate::error::{Error, Result};
use Step::{Index, Key};

/// Most stages of a plan: the cube keeps the stage of an upload in six bits.
const MAX_STAGES: usize = 64;
/// Most size bounds: with "above the last" and "unknown" they fill four bits.
const MAX_SIZE_BOUNDS: usize = 14;
/// Most names of a dimension that a config may list: with `max_distinct` others they fill nine bits.
const MAX_NAMED: usize = 300;

/// Fewest tokens of a part of the context: a piece of a line, however odd, and its headers must fit.
const MIN_PART_TOKENS: f64 = 8000.0;

/// Default criteria by percentage (the plan's table): percentage, success rate, error rate, latency, uploads.
const CRITERIA_BY_PERCENTAGE: [(f64, f64, f64, f64, u64); 4] = [
    (1.0, 0.995, 0.005, 1.10, 100),
    (10.0, 0.99, 0.01, 1.05, 500),
    (50.0, 0.985, 0.015, 1.02, 2000),
    (100.0, 0.98, 0.02, 1.00, 5000),
];

pub(super) fn plan(file: RolloutFile, located: &Located<'_>, base: PathBuf) -> Result<Plan> {
    let check = Check { located };
    check.fraction(file.input.max_rejected_share, &[Key("input"), Key("max_rejected_share")])?;
    check.within(f64::from(file.input.max_distinct), 1.0, 200.0, &[Key("input"), Key("max_distinct")])?;
    let stages = stages(&file.stages, &check)?;
    check.sizes(&file.analysis.size_bounds_mb)?;
    check.within(f64::from(file.analysis.replicates), 100.0, 100_000.0, &[Key("analysis"), Key("replicates")])?;
    check.fraction(file.analysis.regression_margin, &[Key("analysis"), Key("regression_margin")])?;
    check.fraction(file.analysis.max_fallback_rate, &[Key("analysis"), Key("max_fallback_rate")])?;
    let windows = file.analysis.min_window_uploads as f64;
    check.within(windows, 1.0, 1e6, &[Key("analysis"), Key("min_window_uploads")])?;
    let error_names = file.analysis.timeout_errors.len() + file.analysis.critical_errors.len();
    check.within(error_names as f64, 0.0, MAX_NAMED as f64, &[Key("analysis"), Key("timeout_errors")])?;
    check.within(file.variants.providers.len() as f64, 0.0, MAX_NAMED as f64, &[Key("variants"), Key("providers")])?;
    check.within(
        file.variants.file_types.len() as f64,
        0.0,
        MAX_NAMED as f64,
        &[Key("variants"), Key("file_types")],
    )?;
    let targets = &file.targets;
    for (name, target) in [
        ("memory_reduction", targets.memory_reduction),
        ("throughput_ratio", targets.throughput_ratio),
        ("latency_reduction", targets.latency_reduction),
        ("timeout_reduction", targets.timeout_reduction),
    ] {
        check.target(name, target)?;
    }
    check.bundle(&file.bundle)?;
    Ok(Plan {
        title: file.title,
        base,
        files: file.input.files,
        files_from_command_line: false,
        timestamp_marks: file.input.timestamp_marks,
        max_rejected_share: file.input.max_rejected_share,
        max_distinct: usize::from(file.input.max_distinct),
        stages,
        by_day: None,
        analysis: Analysis {
            latency_statistic: file.analysis.latency_statistic,
            timeout_errors: file.analysis.timeout_errors,
            critical_errors: file.analysis.critical_errors,
            size_bounds_mb: file.analysis.size_bounds_mb,
            min_window_uploads: file.analysis.min_window_uploads,
            regression_margin: file.analysis.regression_margin,
            max_fallback_rate: file.analysis.max_fallback_rate,
            replicates: file.analysis.replicates,
            seed: file.analysis.seed,
        },
        targets: Targets {
            memory_reduction: targets.memory_reduction,
            throughput_ratio: targets.throughput_ratio,
            latency_reduction: targets.latency_reduction,
            timeout_reduction: targets.timeout_reduction,
        },
        variants: file.variants,
        completion: file.completion.criteria,
        consultation_id: file.validation.consultation_id,
        tests: file.tests,
        coverage: file.coverage.file,
        notes: file.notes,
        response: file.validation.response,
        bundle: file.bundle,
        file: None,
    })
}

fn stages(sections: &[StageSection], check: &Check<'_>) -> Result<Vec<Stage>> {
    let here = |index| [Key("stages"), Index(index)];
    if sections.is_empty() {
        return Err(check
            .fail("a rollout needs at least one stage", &[Key("stages")])
            .help("add [[stages]] with name = \"baseline\" and percentage = 0"));
    }
    if sections.len() > MAX_STAGES {
        return Err(
            check.fail(format!("{} stages; at most {MAX_STAGES} can be told apart", sections.len()), &here(MAX_STAGES))
        );
    }
    for (index, section) in sections.iter().enumerate() {
        if section.name.trim().is_empty() {
            return Err(check.fail("a stage without a name", &here(index)).help("add name = \"10%\""));
        }
        if sections[..index].iter().any(|earlier| earlier.name == section.name) {
            return Err(check.fail(format!("two stages are called {:?}", section.name), &here(index)));
        }
        check.within(section.percentage, 0.0, 100.0, &[Key("stages"), Index(index), Key("percentage")])?;
    }
    if !sections.iter().any(|section| section.percentage == 0.0) {
        return Err(check
            .fail("no baseline: no stage has percentage 0", &[Key("stages")])
            .help("add [[stages]] with name = \"baseline\" and percentage = 0: every comparison starts from it"));
    }
    sections.iter().enumerate().map(|(index, section)| stage(section, index, check)).collect()
}

fn stage(section: &StageSection, index: usize, check: &Check<'_>) -> Result<Stage> {
    let at = |key| [Key("stages"), Index(index), Key(key)];
    let files = section
        .files
        .iter()
        .map(|text| {
            glob::Pattern::new(text).map_err(|error| check.fail(format!("bad glob {text:?}: {error}"), &at("files")))
        })
        .collect::<Result<Vec<_>>>()?;
    let from = section.from.as_deref().map(|text| time(text, check, &at("from"))).transpose()?;
    let to = section.to.as_deref().map(|text| time(text, check, &at("to"))).transpose()?;
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        return Err(check.fail(format!("stage {:?} ends before it starts", section.name), &at("to")));
    }
    let criteria = criteria(section, index, check)?;
    Ok(Stage { name: section.name.clone(), percentage: section.percentage, files, from, to, criteria })
}

fn time(text: &str, check: &Check<'_>, path: &[Step]) -> Result<EpochNanos> {
    chrono::DateTime::parse_from_rfc3339(text).ok().and_then(|time| time.timestamp_nanos_opt()).ok_or_else(|| {
        check.fail(format!("{text:?} is not a time"), path).help("write it like \"2025-10-29T00:00:00Z\"")
    })
}

/// The stage's own criteria over the defaults of its percentage: those of the largest
/// percentage of the table that is not above it.
fn criteria(section: &StageSection, index: usize, check: &Check<'_>) -> Result<Criteria> {
    let at = |key| [Key("stages"), Index(index), Key("criteria"), Key(key)];
    let own: &CriteriaSection = &section.criteria;
    for (key, value) in [("success_rate", own.success_rate), ("error_rate", own.error_rate)] {
        if let Some(rate) = value {
            check.fraction(rate, &at(key))?;
        }
    }
    if let Some(ratio) = own.latency_vs_baseline {
        check.within(ratio, f64::MIN_POSITIVE, 1000.0, &at("latency_vs_baseline"))?;
    }
    if section.percentage == 0.0 {
        return Ok(Criteria {
            success_rate: own.success_rate,
            error_rate: own.error_rate,
            latency_vs_baseline: own.latency_vs_baseline,
            uploads: own.uploads,
            scope: own.scope.unwrap_or(Scope::All),
        });
    }
    let row = CRITERIA_BY_PERCENTAGE
        .iter()
        .rev()
        .find(|row| row.0 <= section.percentage)
        .unwrap_or(&CRITERIA_BY_PERCENTAGE[0]);
    Ok(Criteria {
        success_rate: own.success_rate.or(Some(row.1)),
        error_rate: own.error_rate.or(Some(row.2)),
        latency_vs_baseline: own.latency_vs_baseline.or(Some(row.3)),
        uploads: own.uploads.or(Some(row.4)),
        scope: own.scope.unwrap_or(Scope::Treated),
    })
}

/// Refuses values, with their place.
struct Check<'a> {
    located: &'a Located<'a>,
}

impl Check<'_> {
    fn fail(&self, message: impl Into<String>, path: &[Step]) -> Error {
        Error::new(message).at(self.located.position(path))
    }

    fn within(&self, value: f64, low: f64, high: f64, path: &[Step]) -> Result<()> {
        if (low..=high).contains(&value) {
            return Ok(());
        }
        let key = path.iter().rev().find_map(|step| match step {
            Key(key) => Some(*key),
            Index(_) => None,
        });
        Err(self.fail(format!("{} is {value}; it must lie between {low} and {high}", key.unwrap_or("value")), path))
    }

    fn fraction(&self, value: f64, path: &[Step]) -> Result<()> {
        self.within(value, 0.0, 1.0, path).map_err(|error| {
            if value > 1.0 && value <= 100.0 {
                error.help(format!("rates are fractions: write {} for {value} %", value / 100.0))
            } else {
                error
            }
        })
    }

    fn target(&self, name: &'static str, target: TargetSection) -> Result<()> {
        let path = [Key("targets"), Key(name)];
        if !target.min.is_finite() || target.max.is_some_and(|max| !max.is_finite()) {
            return Err(self.fail(format!("target {name} is not finite"), &path));
        }
        match target.max {
            Some(max) if max < target.min => Err(self
                .fail(format!("target {name} is inverted: min {} is above max {max}", target.min), &path)
                .help(format!("write {name} = {{ min = {max}, max = {} }}", target.min))),
            _ => Ok(()),
        }
    }

    fn bundle(&self, bundle: &BundleSection) -> Result<()> {
        let limits = |tokens: Option<u64>, megabytes: Option<u64>, place: &[Step]| {
            let within = |value: Option<u64>, low: f64, high: f64, key: &'static str| {
                let path: Vec<Step> = place.iter().copied().chain([Key(key)]).collect();
                value.map_or(Ok(()), |value| self.within(value as f64, low, high, &path))
            };
            within(tokens, MIN_PART_TOKENS, 1e9, "max_tokens")?;
            within(megabytes, 1.0, 1e6, "max_part_mb")
        };
        limits(Some(bundle.max_tokens), Some(bundle.max_part_mb), &[Key("bundle")])?;
        for provider in bundle.providers.values() {
            limits(provider.max_tokens, provider.max_part_mb, &[Key("bundle"), Key("providers")])?;
        }
        for (index, allowed) in bundle.allow.iter().enumerate() {
            let at = [Key("bundle"), Key("allow"), Index(index)];
            if allowed.fingerprint.len() != 16 {
                let message = format!("{:?} is no fingerprint of the secret scan", allowed.fingerprint);
                return Err(self.fail(message, &at).help("copy the 16 digits that the scan printed"));
            }
            if allowed.reason.trim().is_empty() {
                return Err(self
                    .fail("a finding is allowed without a reason", &at)
                    .help("add reason = \"…\": whoever reads the config must be able to judge it"));
            }
        }
        Ok(())
    }

    fn sizes(&self, bounds: &[f64]) -> Result<()> {
        let path = [Key("analysis"), Key("size_bounds_mb")];
        if bounds.is_empty() || bounds.len() > MAX_SIZE_BOUNDS {
            return Err(self.fail(format!("{} size bounds; give 1 to {MAX_SIZE_BOUNDS}", bounds.len()), &path));
        }
        let rising = bounds.windows(2).all(|pair| pair[0] < pair[1]);
        if !rising || bounds[0] <= 0.0 || bounds.iter().any(|bound| !bound.is_finite()) {
            return Err(self
                .fail("size_bounds_mb must be positive and rising", &path)
                .help("for example [1, 10, 50, 100]"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn message(text: &str) -> String {
        parse("rollout.toml", text, PathBuf::new()).expect_err("must be refused").to_string()
    }

    #[test]
    fn the_empty_file_is_the_plan_of_the_seed() {
        let plan = parse("rollout.toml", "", PathBuf::new()).unwrap();
        assert_eq!(
            plan.stages.iter().map(|stage| stage.name.as_str()).collect::<Vec<_>>(),
            ["baseline", "1%", "10%", "50%", "100%"]
        );
        assert_eq!(plan.stages[3].criteria.success_rate, Some(0.985));
        assert_eq!(plan.stages[0].criteria.success_rate, None);
        assert_eq!(plan.baseline(), Some(0));
    }

    #[test]
    fn a_percentage_between_two_rows_takes_the_lower_row() {
        let text = "[[stages]]\nname='b'\npercentage=0\n[[stages]]\nname='c'\npercentage=25\n";
        let plan = parse("rollout.toml", text, PathBuf::new()).unwrap();
        assert_eq!(plan.stages[1].criteria.uploads, Some(500));
    }

    #[test]
    fn an_unknown_key_is_named_with_line_and_neighbour() {
        insta::assert_snapshot!(message("[[stages]]\nname = \"baseline\"\n[stages.criteria]\nsucess_rate = 0.9\n"), @r#"
        rollout.toml:4:1: unknown key "sucess_rate" in [stages.criteria]; did you mean "success_rate"?
          help: known keys here: success_rate, error_rate, latency_vs_baseline, uploads, scope
        "#);
    }

    #[test]
    fn an_inverted_target_is_refused() {
        insta::assert_snapshot!(message("\n[targets]\nmemory_reduction = { min = 0.9, max = 0.8 }\n"), @r"
        rollout.toml:3:1: target memory_reduction is inverted: min 0.9 is above max 0.8
          help: write memory_reduction = { min = 0.8, max = 0.9 }
        ");
    }

    #[test]
    fn a_percent_where_a_fraction_is_meant_is_explained() {
        insta::assert_snapshot!(message("[[stages]]\nname='b'\npercentage=0\n[stages.criteria]\nsuccess_rate = 98\n"), @r"
        rollout.toml:5:1: success_rate is 98; it must lie between 0 and 1
          help: rates are fractions: write 0.98 for 98 %
        ");
    }

    #[test]
    fn no_baseline_an_unknown_word_and_bad_toml_are_refused() {
        assert!(message("[[stages]]\nname='c'\npercentage=1\n").contains("no baseline"));
        assert!(message("[analysis]\nlatency_statistic='p51'\n").starts_with("rollout.toml:2:"));
        assert!(message("title = \n").starts_with("rollout.toml:1:"));
        assert!(message("[[stages]]\nname='b'\nfrom='monday'\n").contains("is not a time"));
    }
}
