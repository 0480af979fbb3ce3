//! `trellis closure show`.

use std::fmt::Write as _;
use std::path::PathBuf;

use jiff::Timestamp;
use nix_compat::nixhash::CAHash;
use serde::Serialize;
use trellis_closure::{Closure, PathInfo, Source, Store};
use trellis_core::file_size;

use super::{StoreArgs, according_to, print, print_json, start, totals};
use crate::error::CliError;
use crate::exit::Exit;

/// Say what is known of one path: hash, size, references, recipe, signatures
#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    /// A store path, a file in one, or a link to one; default: where this program runs from
    path: Option<PathBuf>,

    #[command(flatten)]
    store: StoreArgs,

    /// Print JSON instead
    #[arg(long)]
    pub(super) json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    info: &'a PathInfo,
    closure_paths: usize,
    closure_nar_size: u64,
}

pub(super) fn run(args: &ShowArgs) -> Result<Exit, CliError> {
    let store = args.store.open()?;
    let closure = store.closure(&start(&store, args.path.as_deref())?)?;
    let info = closure.start_info();
    if args.json {
        return print_json(&Shown {
            info,
            closure_paths: closure.paths.len(),
            closure_nar_size: closure.nar_size(),
        });
    }
    print(&described(&store, &closure, info))
}

fn described(store: &Store, closure: &Closure, info: &PathInfo) -> String {
    let mut text = format!("{}\n", info.path.to_absolute_path());
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<11} {value}");
    };
    row("NAR", format!("{}, {}", info.nar_hash, file_size(info.nar_size)));
    row("closure", totals(closure));
    row("known", according_to(store.source()).to_owned());
    if let Some(registered) = info.registered.and_then(|at| Timestamp::from_second(at).ok()) {
        row("registered", registered.to_string());
    }
    if let Some(deriver) = &info.deriver {
        row("recipe", deriver.to_absolute_path());
    }
    if let Some(ca) = &info.ca {
        row("address", CAHash::to_nix_nixbase32_string(ca));
    }
    let names: Vec<&str> = info
        .signatures
        .iter()
        .map(|signature| signature.name().as_str())
        .collect();
    let signed = match (&info.source, names.as_slice()) {
        (Source::Scan, _) => "unknown".to_owned(),
        (_, []) if info.built_here => "not signed, built on this machine".to_owned(),
        (_, []) => "not signed".to_owned(),
        (_, names) => format!("in the name of {}", names.join(", ")),
    };
    row("signature", signed);
    let _ = match info.references.len() {
        0 => writeln!(text, "  refers to nothing"),
        _ => writeln!(text, "  refers to"),
    };
    for reference in &info.references {
        let _ = writeln!(text, "    {}", reference.to_absolute_path());
    }
    text
}
