//! Words for people: counts; on standard error `error:`, `hint:` and their colours.
//!
//! Colour only repeats what the words say, and only on a terminal without `NO_COLOR`.

use std::fmt::Write as _;
use std::io::Write as _;

use trellis_core::{Explain, Severity, counted};

use crate::env;
use crate::error::CliError;

/// The few styles in use, as SGR codes.
#[derive(Debug, Clone, Copy)]
enum Style {
    Error,
    Hint,
}

/// Prints why a command ended early.
pub(crate) fn complain(error: &CliError) {
    let colours = colours_on(&std::io::stderr());
    write_stderr(&render(error, colours));
}

/// Writes to standard error; that nobody reads it any more is no error.
pub(crate) fn write_stderr(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Writes to standard output; `Err` where the reader is gone.
pub(crate) fn write_stdout(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Whether a stream wants colours.
pub(crate) fn colours_on(stream: &impl std::io::IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os(env::NO_COLOR).is_none_or(|value| value.is_empty())
}

/// `1 file`, `3 files`.
pub(crate) fn count(number: usize, one: &str) -> String {
    counted(number as u64, one, &format!("{one}s"))
}

/// A finding and what to do about it.
pub(crate) fn problem_lines(problem: &impl Explain) -> String {
    let mark = match problem.severity() {
        Severity::Error => '✗',
        Severity::Warning => '!',
    };
    format!("{mark} {}\n  hint: {}\n\n", problem.sentence(), problem.advice())
}

/// The last line of a check: how many findings, and how deep it looked.
pub(crate) fn tally(errors: usize, warnings: usize, clean: &str, depth: &str) -> String {
    if errors + warnings == 0 {
        return format!("✓ {clean} ({depth})\n");
    }
    let (errors, warnings) = (count(errors, "error"), count(warnings, "warning"));
    format!("{errors}, {warnings} ({depth})\n")
}

/// A commit as people write it.
pub(crate) fn short(revision: &str) -> &str {
    revision.get(..12).unwrap_or(revision)
}

fn render(error: &CliError, colours: bool) -> String {
    let mut text = String::new();
    for (depth, sentence) in error.sentences().enumerate() {
        let label = if depth == 0 {
            paint("error:", Style::Error, colours)
        } else {
            "  because:".to_owned()
        };
        let _ = writeln!(text, "{label} {sentence}");
    }
    let advice = error.advice();
    if !advice.is_empty() {
        let _ = writeln!(text, "\n{} {advice}", paint("hint:", Style::Hint, colours));
    }
    text
}

fn paint(word: &str, style: Style, colours: bool) -> String {
    let code = match style {
        Style::Error => "1;31",
        Style::Hint => "1;36",
    };
    if colours {
        format!("\x1b[{code}m{word}\x1b[0m")
    } else {
        word.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stop() -> CliError {
        CliError::usage("Permission denied (os error 13)")
            .context("cannot open `/srv/trellis`")
            .hint("choose another folder with `--data-dir`")
    }

    #[test]
    fn an_error_shows_its_causes_and_a_hint() {
        insta::assert_snapshot!(render(&stop(), false), @r"
        error: cannot open `/srv/trellis`
          because: Permission denied (os error 13)

        hint: choose another folder with `--data-dir`
        ");
    }

    #[test]
    fn colours_add_nothing_but_colour() {
        let coloured = render(&stop(), true);
        let plain = coloured
            .replace("\x1b[1;31m", "")
            .replace("\x1b[1;36m", "")
            .replace("\x1b[0m", "");
        assert_ne!(coloured, plain);
        assert_eq!(plain, render(&stop(), false));
    }
}
