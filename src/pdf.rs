//! report.html -> report.pdf, printed by an installed Chromium.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::error::{Error, Result};
use crate::files::OutputFile;

/// Names under which Chromium and its kin are installed.
const BROWSERS: [&str; 5] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

/// The printed page of a report's files.
///
/// # Errors
/// No Chromium is installed, or it printed nothing.
pub fn of(files: &[OutputFile]) -> Result<OutputFile> {
    let fail = |message: String| Error::new(message);
    let browser = browser().ok_or_else(|| {
        fail("--pdf needs Chromium, and none is installed".into())
            .help("install it (Debian: apt-get install chromium), or name one: CHROMIUM=/path/to/chrome")
    })?;
    let folder = tempfile::tempdir().map_err(|error| fail(format!("cannot make a temporary folder: {error}")))?;
    let page = files.iter().find(|file| file.path == std::path::Path::new("report.html"));
    let page = page.ok_or_else(|| fail("there is no report.html to print".into()))?;
    crate::output::write(folder.path(), std::slice::from_ref(page))?;
    let print = |sandbox: &[&str]| {
        Command::new(&browser)
            .args([
                "--headless",
                "--disable-gpu",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-sync",
            ])
            .args(sandbox)
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .args(["--no-pdf-header-footer", "--print-to-pdf=report.pdf", "report.html"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
    };
    let printed = || crate::output::read(&folder.path().join("report.pdf")).filter(|pdf| pdf.starts_with(b"%PDF-"));
    print(&[]).map_err(|error| fail(format!("cannot start {}: {error}", browser.display())))?;
    // In a container, and as root, Chromium's sandbox cannot start. The page is our own and forbids itself everything.
    let pdf = match printed() {
        Some(pdf) => Some(pdf),
        None => print(&["--no-sandbox"]).ok().and_then(|_| printed()),
    };
    let pdf = pdf.ok_or_else(|| {
        fail(format!("{} printed no PDF", browser.display())).help("open report.html and print it from the browser")
    })?;
    Ok(OutputFile::new("report.pdf", pdf))
}

/// The browser that prints: CHROMIUM, else the first of the usual names on the PATH.
pub fn browser() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("CHROMIUM").filter(|name| !name.is_empty()) {
        return Some(named.into());
    }
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    BROWSERS.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|path| path.is_file())
}
