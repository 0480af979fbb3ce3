//! `trellis model list`.

use std::fmt::Write as _;

use trellis_core::file_size;
use trellis_models::Located;
use trellis_models::list::{Listed, list};
use trellis_models::record::LastCheck;

use super::{Machine, print, print_json, render};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output;

/// Show the TRELLIS models of this machine: the hub cache's, and folders that were checked
#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// Print JSON instead
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(args: &ListArgs, machine: &Machine<'_>) -> Result<Exit, CliError> {
    let found = list(&machine.places);
    if args.json {
        return print_json(&found);
    }
    if found.is_empty() {
        let cache = machine.places.hub_cache.display();
        output::write_stderr(&format!(
            "no TRELLIS model in {cache}; `trellis model fetch` downloads one\n"
        ));
        return Ok(Exit::Done);
    }
    print(&found.iter().map(lines).collect::<String>())
}

fn lines(listed: &Listed) -> String {
    let located = Located {
        folder: listed.folder.clone(),
        snapshot: listed.snapshot.clone(),
    };
    let mut text = render::title(&located);
    if !listed.refs.is_empty() {
        let _ = write!(text, " ({})", listed.refs.join(", "));
    }
    let files = render::count(usize::try_from(listed.files).unwrap_or(usize::MAX), "file");
    let _ = writeln!(
        text,
        "\n  {}, {files}, {}",
        listed.pipeline,
        file_size(listed.bytes)
    );
    if listed.snapshot.is_some() {
        let _ = writeln!(text, "  {}", listed.folder.display());
    }
    let _ = writeln!(
        text,
        "  {}",
        listed
            .last_check
            .as_ref()
            .map_or("never checked".to_owned(), last_check)
    );
    text
}

fn last_check(check: &LastCheck) -> String {
    let outcome = match (check.errors, check.warnings) {
        (0, 0) => "nothing wrong".to_owned(),
        (errors, warnings) => {
            format!(
                "{}, {}",
                render::count(errors, "error"),
                render::count(warnings, "warning")
            )
        }
    };
    let depth = if check.hashed { ", hashed" } else { "" };
    format!("checked {:.0}: {outcome}{depth}", check.at)
}
