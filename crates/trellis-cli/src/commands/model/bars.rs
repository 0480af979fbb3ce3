//! Progress of downloads: bars with rate and time left on a terminal, a line a file elsewhere.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};
use trellis_core::{file_size, plain_text};
use trellis_model_fetch::Progress;

use crate::commands::bar::styled;
use crate::output;

const FILE: &str = "{prefix:44!} {bar:20} {bytes:>9}/{total_bytes:9} {bytes_per_sec:>11} {eta:>4} left";

/// The display of a download.
pub(super) struct Bars {
    terminal: Option<MultiProgress>,
    files: Mutex<BTreeMap<String, ProgressBar>>,
    quiet: bool,
}

impl Bars {
    /// Bars where standard error is a terminal; nothing at all when `quiet`.
    pub(super) fn new(quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal() && !quiet;
        Self {
            terminal: terminal.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr())),
            files: Mutex::default(),
            quiet,
        }
    }

    /// A line for people.
    pub(super) fn line(&self, text: &str) {
        let print = || output::write_stderr(&format!("{text}\n"));
        match &self.terminal {
            _ if self.quiet => {}
            Some(bars) => bars.suspend(print),
            None => print(),
        }
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<String, ProgressBar>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bar(&self, file: &str) -> Option<ProgressBar> {
        self.files().get(file).cloned()
    }
}

impl Progress for Bars {
    fn started(&self, file: &str, bytes: u64, already: u64) {
        if let Some(bars) = &self.terminal {
            let bar = styled(bars.add(ProgressBar::new(bytes)), FILE);
            bar.set_prefix(plain_text(file).into_owned());
            bar.set_position(already);
            // The rate is that of this run, not of what an earlier one left.
            bar.reset_eta();
            self.files().insert(file.to_owned(), bar);
        } else if already == bytes {
            self.line(&format!("{file}: here already, {}", file_size(bytes)));
        } else if already > 0 {
            self.line(&format!(
                "{file}: {} of {} are here already",
                file_size(already),
                file_size(bytes)
            ));
        } else {
            self.line(&format!("{file}: {}", file_size(bytes)));
        }
    }

    fn advanced(&self, file: &str, bytes: u64) {
        if let Some(bar) = self.bar(file) {
            bar.inc(bytes);
        }
    }

    fn lost(&self, file: &str, bytes: u64) {
        if let Some(bar) = self.bar(file) {
            bar.set_position(bar.position().saturating_sub(bytes));
        }
    }

    fn finished(&self, file: &str) {
        if let Some(bar) = self.files().remove(file) {
            bar.finish_and_clear();
            let bytes = bar.length().unwrap_or(0);
            self.line(&format!("✓ {file}, {}", file_size(bytes)));
        }
    }

    fn waiting(&self, why: &str, wait: Duration) {
        self.line(&format!("{why}, trying again in {:.1} s", wait.as_secs_f64()));
    }
}
