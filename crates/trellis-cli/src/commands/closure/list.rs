//! `trellis closure list`.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Serialize;
use trellis_closure::{PathInfo, Source};
use trellis_core::file_size;

use super::{StoreArgs, according_to, print, print_json, start, totals};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::write_stderr;

/// Print every path of a closure, one a line
#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// A store path, a file in one, or a link to one; default: where this program runs from
    path: Option<PathBuf>,

    #[command(flatten)]
    store: StoreArgs,

    /// Print each path's NAR size before it
    #[arg(long)]
    size: bool,

    /// Print JSON instead
    #[arg(long)]
    pub(super) json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Listed<'a> {
    start: String,
    source: Source,
    nar_size: u64,
    paths: &'a [PathInfo],
}

pub(super) fn run(args: &ListArgs) -> Result<Exit, CliError> {
    let store = args.store.open()?;
    let closure = store.closure(&start(&store, args.path.as_deref())?)?;
    if args.json {
        return print_json(&Listed {
            start: closure.start.to_absolute_path(),
            source: store.source(),
            nar_size: closure.nar_size(),
            paths: &closure.paths,
        });
    }
    let mut text = String::new();
    for info in &closure.paths {
        if args.size {
            let _ = write!(text, "{:>8}  ", file_size(info.nar_size));
        }
        let _ = writeln!(text, "{}", info.path.to_absolute_path());
    }
    let ended = print(&text)?;
    write_stderr(&format!(
        "{}, {}\n",
        totals(&closure),
        according_to(store.source())
    ));
    Ok(ended)
}
