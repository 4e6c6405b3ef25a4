//! The command line: clap structs, nothing else.

mod diff;
mod input;
mod shards;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub use diff::{DiffArguments, DiffFailOn, DiffFormat};
pub use input::InputArguments;
pub use shards::{CubeArguments, Index, PlanArguments, ShardArguments, TimelineArguments};

use crate::simulate::Scenario;

/// Reads the metrics log of a staged rollout and writes a final report that claims only what was
/// measured.
#[derive(Debug, Parser)]
#[command(name = "stagegate", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    /// Print nothing but errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Also print where the time went.
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Colour what goes to the terminal; auto: where there is one, and NO_COLOR is not set.
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN")]
    pub color: ColorChoice,
    /// Worker threads [default: all cores]. The output does not depend on it.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write report.html, report.md, report.json and charts.
    #[command(after_help = "Example:\n  stagegate report --out out data/*.jsonl.gz")]
    Report(ReportArguments),
    /// Write the report of one day against the baseline and the day before.
    #[command(after_help = "Example:\n  stagegate daily --date 2025-11-12 data/*.jsonl.gz")]
    Daily(DailyArguments),
    /// Write index.html: every report of a folder with its decision, and the trend over the days.
    #[command(after_help = "Example:\n  stagegate status --out out")]
    Status(StatusArguments),
    /// Print what changed between two reports.
    #[command(
        after_help = "Exit code:\n  0  told\n  1  what --fail-on names\n  2  a report cannot be read\n\nExample:\n  stagegate diff monday/ tuesday/ --fail-on worse"
    )]
    Diff(DiffArguments),
    /// Print the decision, improvements, criteria, triggers and completion; write nothing.
    #[command(
        after_help = "Exit code:\n  0  go, or milder than --fail-on\n  1  no go, or roll back\n  2  usage, config or input error\n  3  review\n  4  incomplete\n\nExamples:\n  stagegate check --config rollout.toml\n  stagegate check --stage 10% --fail-on review --format markdown >> \"$GITHUB_STEP_SUMMARY\""
    )]
    Check(CheckArguments),
    /// Fold logs into a cube: report and check take it in place of the logs.
    #[command(
        after_help = "Examples:\n  stagegate cube data/*.jsonl.gz -o week1.cube\n  stagegate report week1.cube week2.cube\n  stagegate cube --plan plan.json --part 3 -o parts/3.cube\n  stagegate cube --plan plan.json parts/*.cube -o all.cube"
    )]
    Cube(CubeArguments),
    /// Plan a fold by many processes or machines: which of them folds what (docs/cluster.md).
    #[command(after_help = "Example:\n  stagegate plan 'logs/*.jsonl' --split 1GB -o plan.json")]
    Plan(PlanArguments),
    /// Print the rollout_stage and rollback events of logs, one JSON object a line, as --timeline takes them.
    #[command(after_help = "Example:\n  stagegate timeline logs/*.jsonl > events.jsonl")]
    Timeline(TimelineArguments),
    /// Pack code, metrics, test results and reports for an outside reviewer.
    #[command(
        after_help = "Nothing is written when a secret is found (exit code 2). The clock is --generated-at, else SOURCE_DATE_EPOCH, else the time of the commit, so that the same tree gives the same bytes.\n\nExample:\n  stagegate bundle --sign-key release.pem --redact request_id"
    )]
    Bundle(BundleArguments),
    /// Check that a bundle is complete, unchanged, and signed by whom.
    #[command(
        after_help = "Exit code:\n  0  the bundle is what was sent\n  1  refused, with every altered, missing or extra file\n  2  it cannot be read\n\nExample:\n  stagegate verify out/validation-bundle.zip --public-key release.pub.pem"
    )]
    Verify(VerifyArguments),
    /// The external review.
    Validation(ValidationArguments),
    /// Simulate a rollout and write its log.
    #[command(
        after_help = "Example:\n  stagegate generate --scenario incident --uploads 50000 -o incident.jsonl.gz --truth truth.json\n  stagegate generate --as k6-json -o k6.json --plan rollout.toml"
    )]
    Generate(GenerateArguments),
    /// Look at a log and write a rollout.toml that reads it; without a log, one with every key and a comment each.
    #[command(after_help = "Examples:\n  stagegate init requests.jsonl\n  stagegate init rollout.toml")]
    Init(InitArguments),
    /// Show how a log is read: the first rows beside what each became, counts, rejects, stages. Writes nothing.
    #[command(after_help = "Example:\n  stagegate inspect --config rollout.toml requests.jsonl")]
    Inspect(InspectArguments),
    /// Tell what a plan can show: the records that each stage's rates need. Reads no log.
    #[command(after_help = "Example:\n  stagegate power --per-day 2000")]
    Power(PowerArguments),
    /// Tell how a figure or finding of a report came about; without an id, list all.
    #[command(
        after_help = "Examples:\n  stagegate explain criteria.100%.success_rate\n  stagegate explain | grep latency"
    )]
    Explain(ExplainArguments),
    /// Tell what this installation is and finds, and what would keep it from working. Writes nothing.
    #[command(after_help = "Exit code:\n  0  nothing is wrong\n  2  something is\n\nExample:\n  stagegate doctor")]
    Doctor(DoctorArguments),
    /// List the formats that can be read, or print one.
    #[command(after_help = "Example:\n  stagegate formats k6-json")]
    Formats(FormatsArguments),
    /// Print a JSON Schema.
    #[command(after_help = "Example:\n  stagegate schema report > report.schema.json")]
    Schema(SchemaArguments),
    /// Write the manual pages, one a command.
    #[command(after_help = "Example:\n  stagegate man --out /usr/local/share/man/man1")]
    Man(ManArguments),
    /// Print a shell completion script.
    #[command(after_help = "Example:\n  stagegate completions bash > /etc/bash_completion.d/stagegate")]
    Completions(CompletionsArguments),
}

#[derive(Debug, Args)]
pub struct ReportArguments {
    #[command(flatten)]
    pub input: InputArguments,
    /// Folder that the report is written to.
    #[arg(short, long, default_value = "out", value_name = "FOLDER")]
    pub out: PathBuf,
    /// Time that the report says it was written, RFC 3339 [default: SOURCE_DATE_EPOCH, else now].
    #[arg(long, value_name = "TIME")]
    pub generated_at: Option<String>,
    /// Print at most 15 plain lines, for a chat or a mail.
    #[arg(long)]
    pub summary: bool,
    /// Also write report.pdf, with an installed Chromium (CHROMIUM names another).
    #[arg(long)]
    pub pdf: bool,
    /// Open report.html in the browser (BROWSER names one).
    #[arg(long)]
    pub open: bool,
    /// Stay, and write the report anew whenever the log has grown; only what is new is folded, and the page reloads itself.
    #[arg(long, conflicts_with = "generated_at")]
    pub watch: bool,
    /// Keep what is folded of the logs in this folder: the next run folds what came since.
    #[arg(long, value_name = "FOLDER")]
    pub cache: Option<PathBuf>,
    /// Exit as `check` does: 0 go, 1 no go or roll back, 3 review, 4 incomplete.
    #[arg(long, conflicts_with = "watch")]
    pub check: bool,
    /// With --check: the mildest decision that is no exit code 0.
    #[arg(long, value_enum, default_value_t = FailOn::Incomplete, value_name = "DECISION", requires = "check")]
    pub fail_on: FailOn,
}

#[derive(Debug, Args)]
pub struct DailyArguments {
    #[command(flatten)]
    pub input: InputArguments,
    /// The UTC day, like 2025-11-12 [default: the last one of the log].
    #[arg(long, value_name = "DATE")]
    pub date: Option<String>,
    /// Folder of reports; the day's goes to daily/DATE in it.
    #[arg(short, long, default_value = "out", value_name = "FOLDER")]
    pub out: PathBuf,
    /// Keep what is folded of the logs in this folder: the next run folds what came since, of a new day that day.
    #[arg(long, value_name = "FOLDER")]
    pub cache: Option<PathBuf>,
    /// Time that the report says it was written, RFC 3339 [default: SOURCE_DATE_EPOCH, else now].
    #[arg(long, value_name = "TIME")]
    pub generated_at: Option<String>,
}

#[derive(Debug, Args)]
pub struct StatusArguments {
    /// Folder of reports.
    #[arg(short, long, default_value = "out", value_name = "FOLDER")]
    pub out: PathBuf,
    /// Time that the page says it was written, RFC 3339 [default: SOURCE_DATE_EPOCH, else now].
    #[arg(long, value_name = "TIME")]
    pub generated_at: Option<String>,
}

#[derive(Debug, Args)]
pub struct CheckArguments {
    #[command(flatten)]
    pub input: InputArguments,
    /// How the answer is printed.
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    pub format: CheckFormat,
    /// May the rollout go on from this stage? Judges it and those before; what came after is left out.
    #[arg(long, value_name = "STAGE")]
    pub stage: Option<String>,
    /// The mildest decision that is no exit code 0.
    #[arg(long, value_enum, default_value_t = FailOn::Incomplete, value_name = "DECISION")]
    pub fail_on: FailOn,
    /// Keep what is folded of the logs in this folder: the next run folds what came since.
    #[arg(long, value_name = "FOLDER")]
    pub cache: Option<PathBuf>,
    /// Where the whole report lies, for the link in markdown and slack.
    #[arg(long, value_name = "URL")]
    pub report_url: Option<String>,
}

#[derive(Debug, Args)]
pub struct BundleArguments {
    #[command(flatten)]
    pub input: InputArguments,
    /// Folder that validation-bundle/ and validation-bundle.zip are written to.
    #[arg(short, long, default_value = "out", value_name = "FOLDER")]
    pub out: PathBuf,
    /// Commit whose tracked files are the code.
    #[arg(long, default_value = "HEAD", value_name = "REVISION", conflicts_with = "no_code")]
    pub commit: String,
    /// Leave the code out.
    #[arg(long)]
    pub no_code: bool,
    /// Also pack the raw logs.
    #[arg(long)]
    pub raw: bool,
    /// Fields of log lines whose values become keyed digests, such as request_id.
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    pub redact: Vec<String>,
    /// File whose content keys these digests [default: one made beside the bundle, never in it].
    #[arg(long, value_name = "FILE")]
    pub redact_key: Option<PathBuf>,
    /// Ed25519 private key (PKCS#8 PEM) that signs the statement.
    #[arg(long, value_name = "FILE")]
    pub sign_key: Option<PathBuf>,
    /// Most tokens of a part of the context [default: that of the config, 100000].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(8000..))]
    pub max_tokens: Option<u64>,
    /// Largest part of the context in MB [default: that of the config, 20].
    #[arg(long, value_name = "MB", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub max_part_mb: Option<u64>,
    /// Time that the bundle says it was made, RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub generated_at: Option<String>,
}

#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// The bundle's folder or .zip.
    pub bundle: PathBuf,
    /// Ed25519 public key (PEM) that must have signed it.
    #[arg(long, value_name = "FILE")]
    pub public_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ValidationArguments {
    #[command(subcommand)]
    pub action: ValidationAction,
}

#[derive(Debug, Args)]
pub struct GenerateArguments {
    /// What happens in the rollout.
    #[arg(long, value_enum, default_value_t = Scenario::Good)]
    pub scenario: Scenario,
    /// Uploads of the whole rollout, about.
    #[arg(long, default_value_t = 30_000, value_name = "N", value_parser = clap::value_parser!(u64).range(100..=10_000_000_000))]
    pub uploads: u64,
    /// Seed: the same seed gives the same log.
    #[arg(long, default_value_t = 20_251_118)]
    pub seed: u64,
    /// Log that is written, .gz or .zst packed by name; - is standard output.
    #[arg(short, long, default_value = "-", value_name = "FILE")]
    pub output: PathBuf,
    /// Format of the log, one of `stagegate formats`; times are rounded to seconds and durations to milliseconds, so that
    /// the same seed gives the same rollout in each.
    #[arg(long = "as", value_name = "PRESET", requires = "plan")]
    pub shape: Option<String>,
    /// Write the rollout.toml that reads a log of another format.
    #[arg(long, value_name = "FILE", requires = "shape")]
    pub plan: Option<PathBuf>,
    /// Write what was planted, as JSON.
    #[arg(long, value_name = "FILE")]
    pub truth: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct InitArguments {
    /// Logs to look at, and a name that ends in .toml for the file that is written [default: rollout.toml].
    #[arg(value_name = "FILES")]
    pub files: Vec<PathBuf>,
    /// File that is written; it must not exist.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct InspectArguments {
    #[command(flatten)]
    pub input: InputArguments,
    /// Rows that are shown.
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub rows: usize,
}

#[derive(Debug, Args)]
pub struct PowerArguments {
    #[command(flatten)]
    pub input: InputArguments,
    /// Records of all arms that are expected on a day.
    #[arg(long, value_name = "N", value_parser = positive)]
    pub per_day: Option<f64>,
}

#[derive(Debug, Args)]
pub struct DoctorArguments {
    #[command(flatten)]
    pub input: InputArguments,
}

/// A number above 0.
fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    if number.is_finite() && number > 0.0 { Ok(number) } else { Err("it must be above 0".into()) }
}

#[derive(Debug, Args)]
pub struct FormatsArguments {
    /// The preset to print.
    pub name: Option<String>,
}

#[derive(Debug, Args)]
pub struct SchemaArguments {
    /// Of which file.
    #[arg(value_enum)]
    pub of: SchemaOf,
}

#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// As `check` prints it behind a reason, and report.json in claims and findings.
    pub id: Option<String>,
    /// Folder of the report.
    #[arg(short, long, default_value = "out", value_name = "FOLDER")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub struct ManArguments {
    /// Folder that the pages are written to.
    #[arg(short, long, value_name = "FOLDER")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub struct CompletionsArguments {
    /// For which shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

#[derive(Debug, Subcommand)]
pub enum ValidationAction {
    /// Check the reviewer's answer against the bundle that it answers, and keep it for the report.
    #[command(after_help = "Example:\n  stagegate validation record answer.md --bundle out/validation-bundle.zip")]
    Record(RecordArguments),
}

#[derive(Debug, Args)]
pub struct RecordArguments {
    /// The answer, Markdown or JSON as REQUEST.md asks.
    pub response: PathBuf,
    /// The bundle that was sent, folder or .zip.
    #[arg(long, default_value = "out/validation-bundle.zip", value_name = "BUNDLE")]
    pub bundle: PathBuf,
    /// rollout.toml [default: that of the working directory or the nearest above it, else the built-in rollout].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Time of the record, RFC 3339 [default: SOURCE_DATE_EPOCH, else now].
    #[arg(long, value_name = "TIME")]
    pub generated_at: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    Text,
    Json,
    /// Annotations of GitHub Actions: errors for what is not met, warnings for what is not settled.
    Github,
    /// JUnit XML: a test case for everything that is judged; what is not settled is skipped.
    Junit,
    /// For $GITHUB_STEP_SUMMARY, a merge request or a mail.
    Markdown,
    /// A message in Slack's blocks, as JSON.
    Slack,
}

/// When what is printed is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    Auto,
    Always,
    Never,
}

/// From which decision on `check` fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    Incomplete,
    Review,
    #[value(name = "no_go", alias = "no-go")]
    NoGo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    Config,
    Report,
}
