//! `trellis lock check`.

use jiff::Timestamp;
use serde::Serialize;
use trellis_closure::lock::{Finding, Severity, check};
use trellis_core::Explain as _;

use super::{Files, print, print_json};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{count, problem_lines, tally};

/// Check that everything is pinned and that `flake.lock` and `nix/pins.json` agree
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 no errors (there may be warnings), 1 errors, 2 could not start.")]
pub(super) struct CheckArgs {
    #[command(flatten)]
    files: Files,

    /// A flake older than this is a warning; default: as long as a nixpkgs release is kept up
    #[arg(long, value_name = "DAYS", value_parser = crate::numbers::parse::<i64>, default_value_t = 210, hide_default_value = false)]
    max_age: i64,

    /// Print JSON instead
    #[arg(long)]
    pub(super) json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Outcome<'a> {
    passed: bool,
    pins_from: &'a str,
    findings: &'a [Finding],
}

pub(super) fn run(args: &CheckArgs) -> Result<Exit, CliError> {
    let pinned = args.files.read()?;
    let now = Timestamp::now().as_second();
    let findings = check(&pinned.lock, &pinned.pins, now, args.max_age);
    let errors = findings
        .iter()
        .filter(|finding| finding.severity() == Severity::Error)
        .count();
    if args.json {
        print_json(&Outcome {
            passed: errors == 0,
            pins_from: &pinned.pins_from,
            findings: &findings,
        })?;
    } else {
        let inputs = count(pinned.lock.nodes().count(), "input");
        print(&report(
            &findings,
            errors,
            &format!("{inputs}, compared with {}", pinned.pins_from),
        ))?;
    }
    Ok(Exit::done_if(errors == 0))
}

fn report(findings: &[Finding], errors: usize, depth: &str) -> String {
    let lines: String = findings.iter().map(problem_lines).collect();
    let warnings = findings.len() - errors;
    let clean = "everything is pinned, and the pins agree";
    format!("{lines}{}", tally(errors, warnings, clean, depth))
}
