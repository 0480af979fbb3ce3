//! Shows work going on, on standard error: a bar per running job on a terminal, plain lines elsewhere.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use trellis_backend::Reporter;
use trellis_core::{Progress, Stage, plain_text};

use crate::output;

/// Parts of a bar for each stage.
const STAGE_PARTS: u64 = 100;

/// The whole display.
#[derive(Debug)]
pub(crate) struct Show {
    bars: Option<MultiProgress>,
    unwritten: OnceLock<std::io::Error>,
}

impl Show {
    /// Bars where standard error is a terminal.
    pub(crate) fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self {
            bars: terminal.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr())),
            unwritten: OnceLock::new(),
        }
    }

    /// A line for people.
    pub(crate) fn line(&self, text: &str) {
        self.aside(|| output::write_stderr(&format!("{text}\n")));
    }

    /// A line of the result, on standard output. A reader that is gone misses it; what cannot be written for
    /// another reason is kept for [`Show::unwritten`].
    pub(crate) fn result(&self, text: &str) {
        self.print(|| output::write_stdout(&format!("{text}\n")));
    }

    fn print(&self, print: impl FnOnce() -> std::io::Result<()>) {
        self.aside(|| match print() {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => drop(self.unwritten.set(error)),
            _ => {}
        });
    }

    /// Why standard output does not hold every result.
    pub(crate) fn unwritten(&self) -> Option<&std::io::Error> {
        self.unwritten.get()
    }

    /// The path of a finished file, for whoever reads standard output. On a terminal the lines for people
    /// have said it already.
    pub(crate) fn path(&self, path: &Path) {
        if !(self.bars.is_some() && std::io::stdout().is_terminal()) {
            self.print(|| output::write_path(path));
        }
    }

    /// The display of one job, gone when it is dropped.
    pub(crate) fn job(&self, name: &str) -> JobShow<'_> {
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new(Stage::ALL.len() as u64 * STAGE_PARTS));
            let style = ProgressStyle::with_template("{spinner} {prefix:30!} {bar:24} {elapsed:>4} {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_prefix(tail(&plain_text(name), 30));
            bar.set_message("waiting");
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        JobShow {
            show: self,
            bar,
            name: name.to_owned(),
            stage: Mutex::new(None),
        }
    }

    fn aside(&self, print: impl FnOnce()) {
        match &self.bars {
            Some(bars) => bars.suspend(print),
            None => print(),
        }
    }
}

/// One job's bar or lines.
#[derive(Debug)]
pub(crate) struct JobShow<'a> {
    show: &'a Show,
    bar: Option<ProgressBar>,
    name: String,
    stage: Mutex<Option<Stage>>,
}

impl JobShow<'_> {
    /// A line about this job.
    pub(crate) fn note(&self, text: &str) {
        self.show.line(&format!("{}: {text}", self.name));
    }
}

impl Reporter for JobShow<'_> {
    fn progress(&self, progress: Progress) {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        let entered = stage.replace(progress.stage) != Some(progress.stage);
        if let Some(bar) = &self.bar {
            bar.set_position(position(progress));
            bar.set_message(match progress.total {
                0 | 1 => progress.stage.to_string(),
                total => format!("{} {}/{total}", progress.stage, progress.step),
            });
        } else if entered {
            self.note(progress.stage.name());
        }
    }
}

impl Drop for JobShow<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn position(progress: Progress) -> u64 {
    let before = Stage::ALL.iter().filter(|stage| **stage < progress.stage).count() as u64;
    let total = u64::from(progress.total.max(1));
    before * STAGE_PARTS + u64::from(progress.step).min(total) * STAGE_PARTS / total
}

/// The end of a long path says more than its start.
fn tail(name: &str, width: usize) -> String {
    let count = name.chars().count();
    if count <= width {
        return name.to_owned();
    }
    let kept: String = name.chars().skip(count + 1 - width).collect();
    format!("…{kept}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_moves_from_nothing_to_full() {
        let at = |stage, step, total| position(Progress { stage, step, total });
        assert_eq!(at(Stage::Preprocess, 0, 1), 0);
        assert_eq!(at(Stage::StructuredLatent, 6, 12), 350);
        assert_eq!(at(Stage::Export, 1, 1), Stage::ALL.len() as u64 * STAGE_PARTS);
        assert_eq!(at(Stage::Export, 9, 0), at(Stage::Export, 1, 1));
    }

    #[test]
    fn a_long_name_keeps_its_end() {
        assert_eq!(tail("photos/of/a/chair.png", 10), "…chair.png");
        assert_eq!(tail("chair.png", 10), "chair.png");
    }
}
