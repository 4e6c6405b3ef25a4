//! Arguments -> one call -> exit code. The only printer of errors.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use clap::{CommandFactory, Parser};
use stagegate::cli::{CheckFormat, Cli, Command, InputArguments, SchemaOf, ValidationAction};
use stagegate::config::{self, Plan};
use stagegate::error::{Boundary, Error, Result};
use stagegate::output::OutputFile;
use stagegate::phases::Phases;
use stagegate::render::terminal::{self, Colour};
use stagegate::render::{check, diff, status};
use stagegate::report::model::DecisionValue;
use stagegate::{bundle, clock, cube, ingest, output, render, report, simulate};

/// How often a watched log is looked at.
const WATCH_PAUSE: Duration = Duration::from_millis(500);
/// Usage, config or input error.
const FAILURE: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::from(FAILURE)
        }
    }
}

fn run(cli: &Cli) -> Result<u8> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let phases = Phases::new(cli.threads.map_or(cores, usize::from));
    let code = match &cli.command {
        Command::Report { input, out, generated_at, summary, pdf, watch } => {
            let plan = load(input)?;
            loop {
                let seen = if *watch { ingest::source::sizes(&plan)? } else { Vec::new() };
                let generated_at = clock(generated_at.as_deref())?;
                let report = watched(cli, &phases, || stagegate::report(&plan, generated_at, &phases))?;
                let mut files = phases.time("render", || render::all(&report));
                if *pdf {
                    files.push(phases.time("pdf", || stagegate::pdf::of(&files))?);
                }
                output::write(out, &files)?;
                if *summary {
                    print(&terminal::digest(&report))?;
                } else if !cli.quiet {
                    print(&terminal::summary(&report, colour()))?;
                    print(&written(out, *pdf))?;
                }
                if !*watch {
                    break;
                }
                while ingest::source::sizes(&plan)? == seen {
                    std::thread::sleep(WATCH_PAUSE);
                }
            }
            0
        }
        Command::Daily { input, date, out, generated_at } => {
            let plan = load(input)?;
            let day = date.as_deref().map(parse_day).transpose()?;
            let generated_at = clock(generated_at.as_deref())?;
            let (report, day) = watched(cli, &phases, || stagegate::daily(&plan, day, generated_at, &phases))?;
            let folder = out.join("daily").join(config::daily::date_folder(day));
            output::write(&folder, &render::all(&report))?;
            if !cli.quiet {
                print(&terminal::summary(&report, colour()))?;
                print(&written(&folder, false))?;
            }
            0
        }
        Command::Status { out, generated_at } => {
            let generated_at = clock(generated_at.as_deref())?;
            let found = stagegate::reports::find(out)?;
            output::write(out, &[OutputFile::new("index.html", status::html(&found, &generated_at))])?;
            if !cli.quiet {
                print(&format!("wrote {} ({} reports)\n", out.join("index.html").display(), found.len()))?;
            }
            0
        }
        Command::Diff { before, after } => {
            let (before, after) = (stagegate::reports::read(before)?, stagegate::reports::read(after)?);
            print(&diff::text(&before, &after, colour()))?;
            0
        }
        Command::Check { input, format } => {
            let plan = load(input)?;
            let generated_at = clock(None)?;
            let report = watched(cli, &phases, || stagegate::report(&plan, generated_at, &phases))?;
            match format {
                CheckFormat::Text if cli.quiet => {}
                CheckFormat::Text => print(&terminal::check(&report, colour()))?,
                CheckFormat::Json => print(&check::json(&report))?,
                CheckFormat::Github => print(&check::github(&report))?,
                CheckFormat::Junit => print(&check::junit(&report))?,
            }
            exit_code(report.decision.value)
        }
        Command::Cube { input, output, timeline } => {
            let plan = load(input)?;
            let mut cube = watched(cli, &phases, || stagegate::cube(&plan, timeline, &phases))?;
            phases.time("write", || cube::store::write(&mut cube, output))?;
            if !cli.quiet {
                print(&format!("wrote {}\n", output.display()))?;
            }
            0
        }
        Command::Bundle {
            input,
            out,
            commit,
            no_code,
            raw,
            redact,
            redact_key,
            sign_key,
            max_tokens,
            max_part_mb,
            generated_at,
        } => {
            let plan = load(input)?;
            let options = bundle::Options {
                out,
                raw_logs: *raw,
                signing_key: sign_key.as_deref().map(bundle::read_key).transpose()?,
                max_tokens: *max_tokens,
                max_part_mb: *max_part_mb,
            };
            let repository = stagegate::repository(&plan, (!no_code).then_some(commit))?;
            let time = repository.as_ref().map(|repository| repository.committed_at);
            let generated_at = clock_or(generated_at.as_deref(), time)?;
            let redaction = bundle::Redaction::for_bundle(redact, redact_key.as_deref(), out)?;
            let bundled = watched(cli, &phases, || {
                stagegate::bundle(&plan, repository.as_ref(), &redaction, &options, generated_at, &phases)
            })?;
            bundled.warnings.iter().try_for_each(|warning| warn(warning))?;
            if !cli.quiet {
                print(&bundled.text())?;
            }
            0
        }
        Command::Verify { bundle, public_key } => {
            let key = public_key.as_deref().map(bundle::read_key).transpose()?;
            let verified = watched(cli, &phases, || bundle::verify::verify(bundle, key.as_deref(), &phases))?;
            if !cli.quiet || !verified.problems.is_empty() {
                print(&verified.text(&bundle.display().to_string()))?;
            }
            u8::from(!verified.problems.is_empty())
        }
        Command::Validation { action: ValidationAction::Record { response, bundle, config, generated_at } } => {
            let plan = config::load(config.as_deref(), &[])?;
            let generated_at = clock(generated_at.as_deref())?;
            let recorded =
                watched(cli, &phases, || stagegate::record_validation(&plan, response, bundle, generated_at, &phases))?;
            if !cli.quiet {
                print(&recorded)?;
            }
            0
        }
        Command::Generate { scenario, uploads, seed, output, truth } => {
            let mut written_truth = None;
            let mut write = |out: &mut dyn Write| {
                simulate::rollout(*scenario, *uploads, *seed, out).map(|truth| written_truth = Some(truth))
            };
            if output == Path::new("-") {
                let mut out = io::BufWriter::new(io::stdout().lock());
                quiet_broken_pipe(write(&mut out))?;
            } else {
                output::stream_packed(output, write)?;
            }
            if let (Some(path), Some(truth)) = (truth, written_truth) {
                output::write_at(path, format!("{:#}\n", serde_json::json!(truth)).as_bytes())?;
            }
            0
        }
        Command::Init { path } => {
            output::write_new(path, config::commented_rollout_file().as_bytes())?;
            if !cli.quiet {
                print(&format!("wrote {}\n", path.display()))?;
            }
            0
        }
        Command::Schema { of } => {
            let schema = match of {
                SchemaOf::Config => config::schema(),
                SchemaOf::Report => report::schema(),
            };
            print(&format!("{schema:#}\n"))?;
            0
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "stagegate", &mut script);
            print(&String::from_utf8_lossy(&script))?;
            0
        }
    };
    if cli.verbose {
        print_phases(&phases);
    }
    Ok(code)
}

fn load(input: &InputArguments) -> Result<Plan> {
    config::load(input.config.as_deref(), &input.files)
}

fn clock(argument: Option<&str>) -> Result<String> {
    clock_or(argument, None)
}

/// As [`clock`], but `time` (seconds since 1970-01-01) stands in for now.
fn clock_or(argument: Option<&str>, time: Option<i64>) -> Result<String> {
    let epoch = std::env::var("SOURCE_DATE_EPOCH").ok().or_else(|| time.map(|time| time.to_string()));
    clock::generated_at(argument, epoch.as_deref())
}

/// The decision as an exit code.
fn exit_code(decision: DecisionValue) -> u8 {
    match decision {
        DecisionValue::Go => 0,
        DecisionValue::NoGo | DecisionValue::Rollback => 1,
        DecisionValue::Review | DecisionValue::Incomplete => 3,
    }
}

fn colour() -> Colour {
    let wanted = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if wanted { Colour::Always } else { Colour::Never }
}

/// A day of the calendar, in days since 1970-01-01.
fn parse_day(text: &str) -> Result<i64> {
    config::daily::parse_date(text).ok_or_else(|| {
        Error::new(Boundary::Usage, format!("--date {text:?} is not a day")).help("write it like 2025-11-12")
    })
}

fn written(out: &Path, pdf: bool) -> String {
    let names = ["report.html", "report.md", "report.json", "charts/"].into_iter().chain(pdf.then_some("report.pdf"));
    let lines: String = names.map(|name| format!("  {}\n", out.join(name).display())).collect();
    format!("\nwrote\n{lines}")
}

/// Prints to standard output.
fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    quiet_broken_pipe(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Tells what is not an error.
fn warn(text: &str) -> Result<()> {
    quiet_broken_pipe(writeln!(io::stderr(), "warning: {text}"))
}

/// A reader that has gone away is no error.
fn quiet_broken_pipe(outcome: io::Result<()>) -> Result<()> {
    match outcome {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(Boundary::Output, format!("cannot print: {error}")))
        }
        _ => Ok(()),
    }
}

fn print_phases(phases: &Phases) {
    let mut err = io::stderr().lock();
    for (name, time) in phases.times() {
        let _ = writeln!(err, "{name:<10} {:>9.1} ms", time.as_secs_f64() * 1e3);
    }
    let _ = writeln!(err, "{:<10} {:>9.1} MB over all passes", "bytes", phases.bytes_read() as f64 / 1e6);
}

/// Runs `work` on the run's threads, with a sign of life on a terminal after a second.
fn watched<T: Send>(cli: &Cli, phases: &Phases, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(phases.threads)
        .build()
        .map_err(|error| Error::new(Boundary::Usage, format!("cannot start {} threads: {error}", phases.threads)))?;
    if cli.quiet || !io::stderr().is_terminal() {
        return pool.install(work);
    }
    let (working, waiting) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let start = Instant::now();
            let bar = indicatif::ProgressBar::hidden();
            let bytes_style =
                indicatif::ProgressStyle::with_template("{wide_bar} {decimal_bytes} of {decimal_total_bytes}")
                    .expect("a template of known keys");
            // The channel closes when the work has ended, also by a panic: nobody waits for the next tick.
            while waiting.recv_timeout(Duration::from_millis(50)) == Err(mpsc::RecvTimeoutError::Timeout) {
                if start.elapsed() >= Duration::from_secs(1) {
                    bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
                    match phases.progress() {
                        (_, 0) => bar.set_message(format!("{:.0} MB read", phases.bytes_read() as f64 / 1e6)),
                        (done, total) => {
                            bar.set_style(bytes_style.clone());
                            bar.set_length(total);
                            bar.set_position(done.min(total));
                        }
                    }
                    bar.tick();
                }
            }
            bar.finish_and_clear();
        });
        let _working = working;
        pool.install(work)
    })
}
