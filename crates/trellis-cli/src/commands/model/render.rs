//! What the actions say to people: sizes, the list of checkpoints, problems with their advice.

use std::fmt::Write as _;

use trellis_core::file_size;
use trellis_models::{Checkpoint, Located, Report, Severity};

pub(super) use crate::output::{count, short};
use crate::output::{problem_lines, tally};

/// The model by name: its repository and commit, or its folder.
pub(super) fn title(located: &Located) -> String {
    match &located.snapshot {
        Some(snapshot) => format!("{} at {}", snapshot.repo, short(&snapshot.revision)),
        None => located.folder.display().to_string(),
    }
}

/// A report, as `check` prints it.
pub(super) fn report(located: &Located, report: &Report) -> String {
    let mut text = format!("{}\n", title(located));
    if located.snapshot.is_some() {
        let _ = writeln!(text, "in {}", report.folder.display());
    }
    if !report.checkpoints.is_empty() {
        text.push_str("\nAvailable checkpoints:\n");
        let width = report.checkpoints.iter().map(|c| c.name.chars().count()).max();
        for checkpoint in &report.checkpoints {
            text.push_str(&checkpoint_line(checkpoint, width.unwrap_or(0)));
        }
    }
    if !report.extras.is_empty() {
        text.push_str("\nBesides the model:\n");
        for extra in &report.extras {
            let mark = if extra.sound { '✓' } else { '✗' };
            let _ = writeln!(text, "  {mark} {:<14}  {}", extra.name, extra.path.display());
        }
    }
    text.push('\n');
    for problem in &report.problems {
        text.push_str(&problem_lines(problem));
    }
    text.push_str(&conclusion(report));
    text
}

fn checkpoint_line(checkpoint: &Checkpoint, width: usize) -> String {
    let mark = if checkpoint.sound { '✓' } else { '✗' };
    let roles = if checkpoint.roles.is_empty() {
        "(not named in pipeline.json)".to_owned()
    } else {
        checkpoint.roles.join(", ")
    };
    let state = match (checkpoint.bytes, checkpoint.present) {
        (Some(bytes), _) => {
            let built_in = if checkpoint.built_in_config {
                ", configuration built in"
            } else {
                ""
            };
            format!("{} {}{built_in}", file_size(bytes), checkpoint.dtypes.join("+"))
        }
        (None, true) => "not sound".to_owned(),
        (None, false) => "not there".to_owned(),
    };
    let line = format!("  {mark} {:<width$}  {roles:<27}  {state}", checkpoint.name);
    format!("{}\n", line.trim_end())
}

fn conclusion(report: &Report) -> String {
    let depth = if report.hashed {
        "every byte was hashed"
    } else {
        "headers, sizes and samples of the numbers were read"
    };
    let (errors, warnings) = (report.count(Severity::Error), report.count(Severity::Warning));
    tally(errors, warnings, "nothing is wrong", depth)
}
