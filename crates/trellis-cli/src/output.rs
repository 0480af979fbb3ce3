//! Words for people: counts; on standard error `error:`, `hint:` and their colours.
//!
//! Everything that is printed goes through here, and nobody's control characters get through: names of files and models,
//! a server's words and a worker's may hold any. Colour only repeats what the words say, and only on a terminal without
//! `NO_COLOR`.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

use clap::builder::StyledStr;
use trellis_core::{Explain, Severity, counted, plain_text};

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
    let _ = std::io::stderr()
        .lock()
        .write_all(render(error, colours).as_bytes());
}

/// Writes to standard error; that nobody reads it any more is no error.
pub(crate) fn write_stderr(text: &str) {
    let _ = std::io::stderr().lock().write_all(plain_text(text).as_bytes());
}

/// The same for a text with colours of ours.
pub(crate) fn write_stderr_coloured(text: &str) {
    let _ = std::io::stderr()
        .lock()
        .write_all(plain_but_colours(text).as_bytes());
}

/// A text of the command line's reader, in colours where the stream wants them.
pub(crate) fn styled(text: &StyledStr, stream: &impl std::io::IsTerminal) -> String {
    if colours_on(stream) {
        text.ansi().to_string()
    } else {
        text.to_string()
    }
}

/// Writes to standard output; `Err` where the reader is gone. JSON stays the same JSON.
pub(crate) fn write_stdout(text: &str) -> std::io::Result<()> {
    write_all(&plain_text(text))
}

/// The same for a text with colours of ours, where they are on.
pub(crate) fn write_coloured(text: &str) -> std::io::Result<()> {
    write_all(&plain_but_colours(text))
}

/// Writes the path of a file for whoever reads standard output: as it is, unless that is a person.
pub(crate) fn write_path(path: &Path) -> std::io::Result<()> {
    let text = format!("{}\n", path.display());
    if std::io::stdout().is_terminal() {
        write_stdout(&text)
    } else {
        write_all(&text)
    }
}

fn write_all(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// The text with nothing that a terminal obeys but colours (`\x1b[1;31m`).
pub(crate) fn plain_but_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut pieces = text.split("\x1b[");
    plain.push_str(&plain_text(pieces.next().unwrap_or_default()));
    for piece in pieces {
        let end = piece.find(|letter: char| !letter.is_ascii_digit() && letter != ';');
        match end.filter(|end| piece[*end..].starts_with('m')) {
            Some(_) => plain.push_str("\x1b["),
            None => plain.push_str(&plain_text("\x1b[")),
        }
        plain.push_str(&plain_text(piece));
    }
    plain
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
        let _ = writeln!(text, "{label} {}", plain_text(sentence));
    }
    let advice = error.advice();
    if !advice.is_empty() {
        let hint = paint("hint:", Style::Hint, colours);
        let _ = writeln!(text, "\n{hint} {}", plain_text(advice));
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
    fn nobodys_control_characters_are_printed() {
        let odd = "\x1b]0;owned\x07\x1b[2J\u{9b}1m";
        let error = CliError::usage(odd).context(odd).hint(odd);
        let shown = render(&error, false);
        assert!(
            !shown.contains(|letter: char| letter.is_control() && letter != '\n'),
            "{shown:?}"
        );
        let coloured = render(&error, true);
        assert_eq!(coloured.matches('\x1b').count(), 4, "{coloured:?}");
        assert_eq!(
            plain_but_colours("\x1b[1;31merror\x1b[0m \x1b[2J\x1b]0;x\x07\x1b["),
            "\x1b[1;31merror\x1b[0m \\u001b[2J\\u001b]0;x\\u0007\\u001b["
        );
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
