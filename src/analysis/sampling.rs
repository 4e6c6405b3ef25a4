//! Rows that are not the traffic one to one: a sample of it, and requests that were tried again.

use crate::config::Plan;
use crate::cube::Cube;
use crate::format;
use crate::ingest::ledger::{FileLedger, WeighedOutcomes, add_weights};
use crate::report::model::{Finding, Severity};
use crate::schema::record::Words;

/// Rows of requests of which another try counts.
pub(super) fn other_tries(plan: &Plan, cube: &Cube) -> Option<Finding> {
    let tries = plan.schema.tries;
    let (words, files) = (&plan.schema.words, &cube.header.files);
    let (other, counted): (u64, u64) =
        files.iter().fold((0, 0), |(other, counted), file| (other + file.other_tries, counted + file.uploads));
    if tries.is_all() || counted == 0 {
        return None;
    }
    let asked = format!("[record] tries = \"{}\"", tries.word());
    if cube.request_ids.parts().0.is_empty() {
        let text = format!("{asked}, and no {} has an id: each row is counted, retries too", words.one);
        return Some(Finding::of_quality("other_tries", Severity::Error, text));
    }
    let text = format!(
        "{asked}: {} {} left out, for another row of the same id counts",
        format::counted(other, "row"),
        format::are(other)
    );
    (other > 0).then(|| Finding::of_quality("other_tries", Severity::Info, text))
}

/// Between what failures and successes of a sample stand for, the ratio up to which it was taken without regard to them.
const SAME_WEIGHT: f64 = 1.2;

/// A log that holds some of the traffic only.
pub(super) fn sampled(words: &Words, files: &[FileLedger]) -> Option<Finding> {
    let mut weighed = WeighedOutcomes::default();
    files.iter().for_each(|file| add_weights(&mut weighed, file.weighed));
    let [successes, failures] = weighed.map(|of| of.mean());
    let [mut all, of_failures] = weighed;
    all.add(of_failures);
    let mean = all.mean().filter(|mean| *mean > 1.0)?;
    let one_of = |mean: f64| format!("1 of {}", format::plain((mean * 10.0).round() / 10.0));
    let (severity, text) = match successes.zip(failures) {
        Some((successes, failures)) if (successes / failures).ln().abs() > SAME_WEIGHT.ln() => (
            Severity::Error,
            format!(
                "the log is a sample that was taken by how {} ended: {} failed ones and {} others was kept; no rate and no latency of all {} can be read off it",
                words.many,
                one_of(failures),
                one_of(successes),
                words.many
            ),
        ),
        _ => (
            Severity::Warning,
            format!(
                "the log is a sample: it holds {} {}; counts, throughput and {} in flight are those of what was kept, not of the traffic",
                one_of(mean),
                words.many,
                words.many
            ),
        ),
    };
    Some(Finding::of_quality("sampled", severity, text))
}
