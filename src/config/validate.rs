//! The sections of a config -> the plan: defaults by percentage, short forms written out, and every value that cannot
//! be meant refused with its place in the file.

use std::path::PathBuf;

use super::accept;
use super::asked::{Bound, Criteria, Criterion, Form, HEADLINE_LATENCY, Improvement, RECORDS, Scope, THROUGHPUT};
use super::exclude;
use super::locate::{Located, Step};
use super::overlap;
use super::plan::{Plan, Stream, metric_of, with_unit};
use super::sections::{AnalysisSection, BundleSection, RolloutFile, Stage};
use super::sources;
use super::triggers::Watch;
use crate::error::{Error, Result, did_you_mean};
use crate::metric::{Better, Distribution, Estimator, Metric, Share, Unit};
use crate::schema::metrics::Metrics;
use crate::schema::record::{RecordFault, Schema};
use Step::{Index, Key};

/// Most stages of a plan: with the periods of the log they fill a byte of the cube's keys.
pub const MAX_STAGES: usize = 64;
/// Most size bounds: with "above the last" and "unknown" they fill four bits.
const MAX_SIZE_BOUNDS: usize = 14;
/// Most names of a dimension that a config may list: with `max_distinct` others they fill nine bits.
const MAX_NAMED: usize = 300;
/// Most entries of a list of criteria, improvements or triggers.
const MAX_ASKED: usize = 100;
/// Fewest tokens of a part of the context: a piece of a line, however odd, and its headers must fit.
const MIN_PART_TOKENS: f64 = 8000.0;

pub(super) fn plan(file: RolloutFile, located: &Located<'_>, base: PathBuf) -> Result<Plan> {
    let schema =
        Schema::new(&file.record, &file.variants.providers, &file.variants.file_types, &file.analysis.size_bounds_mb);
    let schema = schema.map_err(|fault| record_fault(fault, located))?;
    let metrics = Metrics::of(&schema);
    let check = Check { located, metrics: &metrics, schema: &schema };
    check.fraction(file.input.max_rejected_share, &[Key("input"), Key("max_rejected_share")])?;
    check.within(f64::from(file.input.max_distinct), 1.0, 200.0, &[Key("input"), Key("max_distinct")])?;
    check.analysis(&file.analysis)?;
    let variants = &file.variants;
    check.within(variants.providers.len() as f64, 0.0, MAX_NAMED as f64, &[Key("variants"), Key("providers")])?;
    check.within(variants.file_types.len() as f64, 0.0, MAX_NAMED as f64, &[Key("variants"), Key("file_types")])?;
    check.bundle(&file.bundle)?;
    for (index, start) in file.starts.iter().enumerate() {
        check.within(start.percentage, 0.0, 100.0, &[Key("starts"), Index(index), Key("percentage")])?;
    }
    if let Some((index, message, help)) = overlap::start_of_nothing(&file.starts, &file.stages) {
        return Err(check.fail(message, &[Key("starts"), Index(index), Key("percentage")]).help(help));
    }
    let of_people = [("accept", accept::first_wrong(&file.accept)), ("exclude", exclude::first_wrong(&file.exclude))];
    for (list, wrong) in of_people {
        if let Some((index, key, why, help)) = wrong {
            return Err(check.fail(why, &[Key(list), Index(index), Key(key)]).help(help));
        }
    }
    check.different(file.accept.iter().map(|accept| accept.finding.clone()), "waivers", &[Key("accept")])?;
    let sources = sources::read(&file, &schema, located)?;
    let presets = sources::presets(&file, &schema);
    let mut input = file.input;
    // Where the config names files at its sources alone, these are the log.
    let named = file.sources.iter().all(|source| !source.files.is_empty());
    if !located.says("input", "files") && !file.sources.is_empty() && named {
        input.files = sources.iter().flat_map(|source| &source.files).map(|glob| glob.as_str().to_owned()).collect();
    }
    let stages = stages(file.stages, file.criteria, &file.analysis, &check)?;
    let mut improvements = Vec::new();
    for (index, improvement) in file.improvements.iter().flatten().enumerate() {
        check.improvement(improvement, &file.analysis, &[Key("improvements"), Index(index)])?;
        improvements.push(improvement.clone());
    }
    // A list says all that is asked; beside it the short form adds what it names.
    let alone = file.improvements.is_none();
    for (key, improvement) in file.targets.improvements() {
        check.improvement(&improvement, &file.analysis, &[Key("targets"), Key(key)])?;
        if alone || improvement.is_judged() {
            improvements.push(improvement);
        }
    }
    check.different(improvements.iter().map(Improvement::id), "improvements", &[Key("improvements")])?;
    for (index, watch) in file.triggers.watch.iter().enumerate() {
        check.watch(watch, &file.analysis, &[Key("triggers"), Key("watch"), Index(index)])?;
    }
    let names = file.triggers.watched().into_iter().map(|watch| watch.name);
    check.different(names, "triggers", &[Key("triggers"), Key("watch")])?;
    for (key, value, least, most) in file.triggers.ranges() {
        check.within(value, least, most, &[Key("triggers"), Key(key)])?;
    }
    let mut schema = schema;
    schema.words.timezone = file.report.timezone;
    Ok(Plan {
        title: file.title.unwrap_or_else(|| schema.words.title()),
        schema,
        metrics,
        input,
        sources,
        presets,
        starts: file.starts,
        stages,
        analysis: file.analysis,
        improvements,
        triggers: file.triggers,
        accept: file.accept,
        exclude: exclude::in_order(file.exclude),
        tests: file.tests,
        coverage: file.coverage,
        variants: file.variants,
        completion: file.completion,
        notes: file.notes,
        validation: file.validation,
        bundle: file.bundle,
        base,
        file: None,
        files_from_command_line: false,
        stream: Stream::default(),
        by_day: None,
        up_to: None,
        file_found_above: false,
        rollout_stages: None,
    })
}

/// A fault of `[record]` at its place.
fn record_fault(fault: RecordFault, located: &Located<'_>) -> Error {
    let (key, index) = fault.place;
    let path: Vec<Step<'_>> = [Key("record"), Key(key)].into_iter().chain(index.map(Index)).collect();
    let error = Error::new(fault.message).at(located.position(&path));
    match fault.help {
        Some(help) => error.help(help),
        None => error,
    }
}

/// The stages with all that is asked of them: their own criteria, else those of their percentage, and those of all.
fn stages(
    mut stages: Vec<Stage>,
    mut of_all: Vec<Criterion>,
    analysis: &AnalysisSection,
    check: &Check<'_>,
) -> Result<Vec<Stage>> {
    let here = |index| [Key("stages"), Index(index)];
    if stages.is_empty() {
        return Err(check
            .fail("a rollout needs at least one stage", &[Key("stages")])
            .help("add [[stages]] with name = \"baseline\" and percentage = 0"));
    }
    if stages.len() > MAX_STAGES {
        return Err(
            check.fail(format!("{} stages; at most {MAX_STAGES} can be told apart", stages.len()), &here(MAX_STAGES))
        );
    }
    for (index, stage) in stages.iter().enumerate() {
        if stage.name.trim().is_empty() {
            return Err(check.fail("a stage without a name", &here(index)).help("add name = \"10%\""));
        }
        if stages[..index].iter().any(|earlier| earlier.name == stage.name) {
            return Err(check.fail(format!("two stages are called {:?}", stage.name), &here(index)));
        }
        check.within(stage.percentage, 0.0, 100.0, &[Key("stages"), Index(index), Key("percentage")])?;
        if let (Some(from), Some(to)) = (stage.from, stage.to)
            && from >= to
        {
            let at = [Key("stages"), Index(index), Key("to")];
            return Err(check.fail(format!("stage {:?} ends before it starts", stage.name), &at));
        }
        if let Some(earlier) = stages[..index].iter().find(|earlier| overlap::in_time(earlier, stage)) {
            let key = if stage.from.is_some() { "from" } else { "to" };
            let message = format!("the intervals of the stages {:?} and {:?} overlap", earlier.name, stage.name);
            return Err(check
                .fail(message, &[Key("stages"), Index(index), Key(key)])
                .help("a record belongs to one stage: let one end where the other begins (`to` is the first moment that is outside)"));
        }
        if let Some((number, earlier)) = overlap::same_files(&stages[..index], stage) {
            let message = format!("the files of the stages {:?} and {:?} are the same", earlier.name, stage.name);
            return Err(check.fail(message, &[Key("stages"), Index(index), Key("files"), Index(number)]));
        }
    }
    if !stages.iter().any(|stage| stage.percentage == 0.0) {
        return Err(check
            .fail("no baseline: no stage has percentage 0", &[Key("stages")])
            .help("add [[stages]] with name = \"baseline\" and percentage = 0: every comparison starts from it"));
    }
    of_all.iter_mut().for_each(|criterion| check.name_metric(criterion));
    for (index, criterion) in of_all.iter().enumerate() {
        check.criterion(criterion, analysis, &[Key("criteria"), Index(index)])?;
    }
    for (index, stage) in stages.iter_mut().enumerate() {
        let mut asked = std::mem::take(&mut stage.criteria).list(stage.percentage);
        asked.iter_mut().for_each(|criterion| check.name_metric(criterion));
        for (number, criterion) in asked.iter().enumerate() {
            let path = [Key("stages"), Index(index), Key("criteria"), Key(key_of(criterion)), Index(number)];
            check.criterion(criterion, analysis, &path)?;
        }
        let of_all = if stage.percentage > 0.0 { &of_all[..] } else { &[] };
        // What a stage says for itself goes before what is said for all.
        let own_words: Vec<String> = asked.iter().map(Criterion::word).collect();
        asked.extend(of_all.iter().filter(|criterion| !own_words.contains(&criterion.word())).cloned());
        let path = [Key("stages"), Index(index), Key("criteria")];
        check.different(asked.iter().map(Criterion::word), "criteria", &path)?;
        let default = if stage.percentage == 0.0 { Scope::All } else { Scope::Treated };
        asked.iter_mut().for_each(|criterion| criterion.scope = criterion.scope.or(Some(default)));
        stage.criteria = Criteria::List(asked);
    }
    Ok(stages)
}

/// The key of the table form that a criterion may come from.
fn key_of(criterion: &Criterion) -> &'static str {
    match criterion.metric.as_str() {
        "success_rate" => "success_rate",
        "error_rate" => "error_rate",
        HEADLINE_LATENCY => "latency_vs_baseline",
        RECORDS => "uploads",
        _ => "metric",
    }
}

/// Refuses values, with their place.
struct Check<'a> {
    located: &'a Located<'a>,
    metrics: &'a Metrics,
    schema: &'a Schema,
}

impl Check<'_> {
    fn fail(&self, message: impl Into<String>, path: &[Step<'_>]) -> Error {
        Error::new(message).at(self.located.position(path))
    }

    fn within(&self, value: f64, low: f64, high: f64, path: &[Step<'_>]) -> Result<()> {
        if (low..=high).contains(&value) {
            return Ok(());
        }
        let key = path.iter().rev().find_map(|step| if let Key(key) = step { Some(*key) } else { None });
        Err(self.fail(format!("{} is {value}; it must lie between {low} and {high}", key.unwrap_or("value")), path))
    }

    fn fraction(&self, value: f64, path: &[Step<'_>]) -> Result<()> {
        self.within(value, 0.0, 1.0, path).map_err(|error| {
            if value > 1.0 && value <= 100.0 {
                error.help(format!("rates are fractions: write {} for {value} %", value / 100.0))
            } else {
                error
            }
        })
    }

    fn analysis(&self, analysis: &AnalysisSection) -> Result<()> {
        let at = |key| [Key("analysis"), Key(key)];
        self.sizes(&analysis.size_bounds_mb)?;
        self.within(f64::from(analysis.replicates), 100.0, 100_000.0, &at("replicates"))?;
        self.fraction(analysis.regression_margin, &at("regression_margin"))?;
        self.fraction(analysis.max_fallback_rate, &at("max_fallback_rate"))?;
        self.within(analysis.min_window_uploads as f64, 1.0, 1e6, &at("min_window_uploads"))?;
        let error_names = analysis.timeout_errors.len() + analysis.critical_errors.len();
        self.within(error_names as f64, 0.0, MAX_NAMED as f64, &at("timeout_errors"))
    }

    /// The number of records goes by the noun, too, and other metrics without their unit.
    fn name_metric(&self, criterion: &mut Criterion) {
        let is_count = [self.schema.words.many.as_str(), "uploads", "records"].contains(&criterion.metric.as_str());
        let unit = || with_unit(self.metrics, &criterion.metric).map(|metric| metric.id.as_str());
        criterion.metric = if is_count { Some(RECORDS) } else { unit() }.unwrap_or(&criterion.metric).to_owned();
    }

    /// The metric that a config's word asks for.
    fn metric(&self, word: &str, analysis: &AnalysisSection, path: &[Step<'_>]) -> Result<&Metric> {
        metric_of(self.metrics, analysis, word).ok_or_else(|| {
            let ids = self.metrics.iter().map(|metric| metric.id.as_str());
            let known: Vec<&str> = ids.chain([HEADLINE_LATENCY, THROUGHPUT]).collect();
            let near = did_you_mean(word, known.iter().copied());
            self.fail(format!("{word:?} is no metric{near}"), path).help(format!("metrics: {}", known.join(", ")))
        })
    }

    fn criterion(&self, criterion: &Criterion, analysis: &AnalysisSection, path: &[Step<'_>]) -> Result<()> {
        let Some(bound) = criterion.bound() else {
            return Err(self
                .fail(format!("the criterion of {} needs one bound", criterion.metric), path)
                .help("give one of at_least, at_most, at_least_times_baseline, at_most_times_baseline"));
        };
        if criterion.metric == RECORDS {
            return match bound {
                Bound::AtLeast(count) => self.within(count, 0.0, 1e15, path),
                _ => Err(self
                    .fail(format!("a number of {} can only be asked for with at_least", self.schema.words.many), path)),
            };
        }
        let metric = self.metric(&criterion.metric, analysis, path)?;
        self.bound(metric, bound, path)
    }

    fn bound(&self, metric: &Metric, bound: Bound, path: &[Step<'_>]) -> Result<()> {
        match bound {
            Bound::AtLeast(value) | Bound::AtMost(value) if metric.unit == Unit::Fraction => self.fraction(value, path),
            Bound::AtLeast(value) | Bound::AtMost(value) => self.within(value, 0.0, 1e12, path),
            Bound::AtLeastTimesBaseline(times) | Bound::AtMostTimesBaseline(times) => {
                self.within(times, f64::MIN_POSITIVE, 1000.0, path)
            }
        }
    }

    fn improvement(&self, improvement: &Improvement, analysis: &AnalysisSection, path: &[Step<'_>]) -> Result<()> {
        let metric = self.metric(&improvement.metric, analysis, path)?;
        let id = improvement.id();
        match (metric.better, improvement.form) {
            (Better::Neither, _) => {
                let message = format!("{} is neither better nor worse when it rises: it cannot improve", metric.id);
                return Err(self.fail(message, path));
            }
            (Better::Higher, Form::Reduction) => {
                return Err(self
                    .fail(format!("less of {} is no improvement", metric.id), path)
                    .help("write as = \"ratio\""));
            }
            _ => {}
        }
        if [improvement.min, improvement.max].into_iter().flatten().any(|end| !end.is_finite()) {
            return Err(self.fail(format!("target {id} is not finite"), path));
        }
        match (improvement.min, improvement.max) {
            (Some(min), Some(max)) if max < min => Err(self
                .fail(format!("target {id} is inverted: min {min} is above max {max}"), path)
                .help(format!("write {id} = {{ min = {max}, max = {min} }}"))),
            _ => Ok(()),
        }
    }

    fn watch(&self, watch: &Watch, analysis: &AnalysisSection, path: &[Step<'_>]) -> Result<()> {
        let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if watch.name.is_empty() || !watch.name.chars().all(is_word) {
            let message = format!("{:?} is no name of a trigger", watch.name);
            return Err(self.fail(message, path).help("use small letters, digits and _, such as slow_uploads"));
        }
        let metric = self.metric(&watch.metric, analysis, path)?;
        let Some(bound) = watch.bound() else {
            return Err(self
                .fail(format!("the trigger {} needs one bound", watch.name), path)
                .help("give one of at_least, at_most, at_most_times_baseline"));
        };
        self.bound(metric, bound, path)?;
        let fits = matches!(
            (metric.estimator, bound),
            (Estimator::Rate(Share::Successes), Bound::AtLeast(_))
                | (Estimator::Rate(Share::Failures), Bound::AtMost(_))
                | (
                    Estimator::Quantile(Distribution::Latency, _) | Estimator::Mean(Distribution::Latency),
                    Bound::AtMost(_) | Bound::AtMostTimesBaseline(_)
                )
                | (
                    Estimator::Mean(Distribution::Measure(_)),
                    Bound::AtLeast(_) | Bound::AtMost(_) | Bound::AtMostTimesBaseline(_)
                )
        );
        if fits {
            return Ok(());
        }
        Err(self
            .fail(format!("{} cannot be watched minute by minute with this bound", metric.id), path)
            .help("watch success_rate with at_least, error_rate with at_most, latencies and means of measures with at_most or at_most_times_baseline"))
    }

    /// Refuses a list that asks for the same twice, or for too much.
    fn different(&self, ids: impl Iterator<Item = String>, what: &str, path: &[Step<'_>]) -> Result<()> {
        let mut seen = std::collections::BTreeSet::new();
        for id in ids {
            if seen.len() >= MAX_ASKED {
                return Err(self.fail(format!("more than {MAX_ASKED} {what}"), path));
            }
            if !seen.insert(id.clone()) {
                return Err(self.fail(format!("the {what} ask for the same twice: {id}"), path));
            }
        }
        Ok(())
    }

    fn bundle(&self, bundle: &BundleSection) -> Result<()> {
        let limits = |tokens: Option<u64>, megabytes: Option<u64>, place: &[Step<'_>]| {
            let within = |value: Option<u64>, low: f64, high: f64, key: &'static str| {
                let path: Vec<Step<'_>> = place.iter().copied().chain([Key(key)]).collect();
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
        let asked = |stage: usize| {
            plan.stages[stage]
                .criteria()
                .iter()
                .map(|criterion| (criterion.word(), criterion.bound().unwrap()))
                .collect::<Vec<_>>()
        };
        assert_eq!(asked(0), []);
        assert_eq!(asked(3)[0], ("success_rate".into(), Bound::AtLeast(0.985)));
        assert_eq!(asked(3)[2], ("latency_vs_baseline".into(), Bound::AtMostTimesBaseline(1.02)));
        // Targets, variants and completion are what a plan writes, never what the program makes up.
        assert!(plan.improvements.iter().all(|improvement| !improvement.is_judged()));
        assert!(plan.variants.providers.is_empty() && plan.completion.criteria.is_empty());
        assert_eq!(plan.baseline(), Some(0));
    }

    #[test]
    fn a_percentage_between_two_rows_takes_the_lower_row() {
        let text = "[[stages]]\nname='b'\npercentage=0\n[[stages]]\nname='c'\npercentage=25\n";
        let plan = parse("rollout.toml", text, PathBuf::new()).unwrap();
        assert_eq!(plan.stages[1].criteria()[3].bound(), Some(Bound::AtLeast(500.0)));
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
    fn a_moment_or_a_file_of_two_stages_is_refused() {
        let stage = |name: &str, percentage: u32, more: &str| {
            format!("[[stages]]\nname = '{name}'\npercentage = {percentage}\n{more}\n")
        };
        let two = |a: &str, b: &str| stage("a", 0, a) + &stage("b", 10, b);
        let refused = |a: &str, b: &str, says: &str| {
            let found = message(&two(a, b));
            assert!(found.contains(says), "{found}");
        };
        let (first, second) = ("to = '2025-01-02T00:00:00Z'", "from = '2025-01-01T00:00:00Z'");
        refused(first, second, "rollout.toml:8:1: the intervals of the stages \"a\" and \"b\" overlap");
        refused(
            "files = ['x.jsonl']",
            "files = ['y.jsonl', 'x.jsonl']",
            "the files of the stages \"a\" and \"b\" are the same",
        );
        // One ends where the other begins, and a stage without an interval has none.
        for (a, b) in [(first, "from = '2025-01-02T00:00:00Z'"), ("", second), (second, "")] {
            assert!(parse("rollout.toml", &two(a, b), PathBuf::new()).is_ok(), "{a} {b}");
        }
    }

    #[test]
    fn no_baseline_an_unknown_word_and_bad_toml_are_refused() {
        assert!(message("[[stages]]\nname='c'\npercentage=1\n").contains("no baseline"));
        assert!(message("[analysis]\nlatency_statistic='p51'\n").starts_with("rollout.toml:2:"));
        assert!(message("title = \n").starts_with("rollout.toml:1:"));
        assert!(message("[[stages]]\nname='b'\nfrom='monday'\n").contains("is not a time"));
    }
}
