//! The status dashboard: every report of a folder with its decision, and the trend of the headline figures
//! over the daily ones.

use serde::Serialize;

use super::charts::{self, Chart};
use super::marks;
use super::templates::render;
use crate::format;
use crate::metric::{Distribution, Estimator, Share};
use crate::report::model::Report;
use crate::report::words::{decision_meaning, decision_words};
use crate::schema::record::MEMORY;
use crate::zone::Zone;

/// A report and where it lies, relative to the dashboard.
pub struct Found {
    /// Its folder, `.` for the dashboard's own.
    pub folder: String,
    pub report: Report,
}

#[derive(Serialize)]
pub struct Dashboard {
    version: &'static str,
    generated_at: String,
    latest: Option<RowView>,
    rows: Vec<RowView>,
    charts: Vec<TrendView>,
}

#[derive(Serialize, Clone)]
struct RowView {
    href: String,
    title: String,
    class: &'static str,
    mark: &'static str,
    word: &'static str,
    meaning: String,
    reason: String,
    period: String,
    /// The one that runs, or ran on that day.
    stage: String,
    records: String,
    success_rate: String,
    latency: String,
    throughput: String,
    memory: String,
    incidents: String,
    generated_at: String,
}

#[derive(Serialize)]
struct TrendView {
    id: String,
    title: String,
    wide: String,
    narrow: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// index.html of the folder that holds the reports; newest period first.
pub fn html(found: &[Found], generated_at: &str) -> String {
    let mut sorted: Vec<&Found> = found.iter().collect();
    sorted.sort_by(|a, b| period_end(&b.report).cmp(&period_end(&a.report)).then_with(|| a.folder.cmp(&b.folder)));
    let mut days: Vec<&Found> = sorted.iter().copied().filter(|found| found.folder.starts_with("daily/")).collect();
    days.sort_by(|a, b| a.folder.cmp(&b.folder));
    let trend = |chart: Chart| {
        let [wide, narrow] = chart.inline();
        TrendView { id: chart.id, title: chart.title, wide, narrow, columns: chart.columns, rows: chart.rows }
    };
    let latest = sorted.iter().find(|found| found.folder == ".").or(sorted.first());
    let view = Dashboard {
        version: env!("CARGO_PKG_VERSION"),
        generated_at: latest.map_or_else(Zone::default, |found| found.report.words.timezone).date_time(generated_at),
        latest: latest.map(|found| row(found)),
        rows: sorted.iter().map(|found| row(found)).collect(),
        charts: charts::trends(&days.iter().map(|found| (day_of(&found.folder), &found.report)).collect::<Vec<_>>())
            .into_iter()
            .map(trend)
            .collect(),
    };
    render("status.html", &view)
}

/// `daily/2025-11-12` -> `2025-11-12`
fn day_of(folder: &str) -> &str {
    folder.rsplit('/').next().unwrap_or(folder)
}

fn period_end(report: &Report) -> Option<&str> {
    report.stages.iter().filter_map(|stage| stage.to.as_deref()).max()
}

/// The last stage that carried traffic; of a day, the rollout's.
fn stage(report: &Report) -> String {
    let last = || report.stages.iter().rfind(|stage| stage.groups.all.n > 0).map(|stage| stage.name.clone());
    report.day.as_ref().map(|day| day.stage.clone()).or_else(last).unwrap_or_else(|| "–".into())
}

fn row(found: &Found) -> RowView {
    let report = &found.report;
    let (word, meaning) = (decision_words(report.decision.value).0, decision_meaning(report));
    let show = |estimator| {
        charts::headline(report, estimator).map_or_else(
            || format::NOT_MEASURED.to_owned(),
            |(figure, metric)| format::figure(figure.value, figure.ci, &metric.unit).0,
        )
    };
    let stages = || report.stages.iter();
    let from = stages().filter_map(|stage| stage.from.as_deref()).min();
    // Names of folders come from the disk: only what a link may hold stays.
    let href: String =
        found.folder.chars().map(|c| if c.is_ascii_alphanumeric() || "-_./".contains(c) { c } else { '_' }).collect();
    RowView {
        href: format!("{href}/report.html"),
        title: report.title.clone(),
        class: marks::level(report.decision.value),
        mark: marks::sign(report.decision.value),
        word,
        meaning,
        reason: report.decision.reasons.first().map_or_else(String::new, |reason| reason.text.clone()),
        period: from.zip(period_end(report)).map_or_else(|| "–".into(), |(from, to)| report.words.period(from, to)),
        stage: stage(report),
        records: report.words.counted(stages().map(|stage| stage.groups.all.n).sum()),
        success_rate: show(Estimator::Rate(Share::Successes)),
        latency: show(Estimator::Quantile(Distribution::Latency, 0.5)),
        throughput: show(Estimator::RecordThroughput),
        memory: show(Estimator::Mean(Distribution::Measure(MEMORY))),
        incidents: format::count(report.triggers.iter().filter(|trigger| trigger.fired).count() as u64),
        generated_at: report.words.date_time(&report.generated_at),
    }
}
