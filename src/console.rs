//! The only place that prints: answers to standard output; errors, warnings, times and progress to standard error.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::cli::ColorChoice;
use crate::error::{Error, Result};
use crate::render::terminal::Colour;
use crate::run::Run;

/// How long a run may be silent, and how often its progress is drawn.
const SILENCE: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(50);

/// Who a command talks to.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    /// Print nothing but errors and what was asked for.
    pub quiet: bool,
    /// Of what goes to standard output.
    pub colour: Colour,
}

impl Console {
    /// What a command tells of itself, unless it is to be quiet.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn tell(self, text: &str) -> Result<()> {
        if self.quiet { Ok(()) } else { print(text) }
    }

    /// As [`Self::tell`], beside standard output: that holds what was asked for.
    ///
    /// # Errors
    /// As there.
    pub fn note(self, text: &str) -> Result<()> {
        if self.quiet { Ok(()) } else { quiet_broken_pipe(writeln!(io::stderr(), "{text}")) }
    }

    /// Runs `work` on the run's threads, with a sign of life on a terminal after a second.
    ///
    /// # Errors
    /// `work` fails, or its threads cannot be started.
    pub fn with_progress<T: Send>(self, run: &Run, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(run.threads)
            .build()
            .map_err(|error| Error::new(format!("cannot start {} threads: {error}", run.threads)))?;
        if self.quiet || !io::stderr().is_terminal() {
            return pool.install(work);
        }
        let (working, waiting) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || draw_progress(run, &waiting));
            let _working = working;
            pool.install(work)
        })
    }
}

/// Draws a bar until the channel closes: when the work has ended, also by a panic.
fn draw_progress(run: &Run, waiting: &mpsc::Receiver<()>) {
    let start = Instant::now();
    let bar = indicatif::ProgressBar::hidden();
    let bytes_style = indicatif::ProgressStyle::with_template("{wide_bar} {decimal_bytes} of {decimal_total_bytes}")
        .expect("a template of known keys");
    while waiting.recv_timeout(TICK) == Err(mpsc::RecvTimeoutError::Timeout) {
        if start.elapsed() >= SILENCE {
            bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
            match run.progress() {
                (_, 0) => bar.set_message(format!("{:.0} MB read", run.bytes_read() as f64 / 1e6)),
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
}

/// Prints to standard output.
///
/// # Errors
/// It cannot be written; a reader that has gone away is no error.
pub fn print(text: &str) -> Result<()> {
    print_with(|out| out.write_all(text.as_bytes()))
}

/// Prints what `write` writes to standard output.
///
/// # Errors
/// As [`print()`].
pub fn print_with(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    quiet_broken_pipe(write(&mut out).and_then(|()| out.flush()))
}

/// Tells what is not an error.
///
/// # Errors
/// As [`print()`].
pub fn warn(text: &str) -> Result<()> {
    quiet_broken_pipe(writeln!(io::stderr(), "warning: {text}"))
}

/// Tells what stopped the run.
pub fn error(error: &Error) {
    let _ = writeln!(io::stderr(), "error: {error}");
}

/// Tells where the time went.
pub fn print_times(run: &Run) {
    let mut err = io::stderr().lock();
    for (name, time) in run.times() {
        let _ = writeln!(err, "{name:<10} {:>9.1} ms", time.as_secs_f64() * 1e3);
    }
    let _ = writeln!(err, "{:<10} {:>9.1} MB over all passes", "bytes", run.bytes_read() as f64 / 1e6);
}

/// Whether to colour what goes to standard output.
pub fn colour(choice: ColorChoice) -> Colour {
    let no_color = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    match choice {
        ColorChoice::Always => Colour::Always,
        ColorChoice::Auto if io::stdout().is_terminal() && !no_color() => Colour::Always,
        ColorChoice::Auto | ColorChoice::Never => Colour::Never,
    }
}

fn quiet_broken_pipe(outcome: io::Result<()>) -> Result<()> {
    match outcome {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::new(format!("cannot print: {error}"))),
        _ => Ok(()),
    }
}
