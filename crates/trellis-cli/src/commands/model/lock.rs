//! `trellis model lock`.

use std::path::{Path, PathBuf};

use trellis_models::Located;
use trellis_models::check::check;
use trellis_models::lock::{Lock, lock_path};

use super::{Machine, made, print, print_json};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output;

/// Record every file's size and SHA-256, and print them as a Nix attribute set
#[derive(Debug, clap::Args)]
pub(super) struct LockArgs {
    /// As for `check`
    model: Option<String>,

    /// Write the lock here; default: beside pipeline.json, for the hub cache in the state folder
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// The repository that the folder came from, where that is not known
    #[arg(long)]
    repo: Option<String>,

    /// Its commit, where that is not known
    #[arg(long)]
    revision: Option<String>,

    /// Print the lock as JSON instead of the attribute set
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(args: &LockArgs, machine: &Machine<'_>) -> Result<Exit, CliError> {
    let located = machine.locate(args.model.as_deref())?;
    let path = args
        .out
        .clone()
        .unwrap_or_else(|| lock_path(&located, &machine.places));
    let bytes = check(&located, &machine.places)
        .checkpoints
        .iter()
        .filter_map(|c| c.bytes)
        .sum();
    let mut lock = made(&located, machine, bytes, args.json)?;
    (lock.repo, lock.revision) = origin(args, &located, &path);
    lock.write(&path)
        .map_err(|error| CliError::write(&path, &error))?;
    if args.json {
        return print_json(&lock);
    }
    output::write_stderr(&format!("wrote {}\n", path.display()));
    print(&lock.to_nix())
}

/// Where the files came from: as the options say, else as the cache does, else as the lock before did.
fn origin(args: &LockArgs, located: &Located, path: &Path) -> (Option<String>, Option<String>) {
    if args.repo.is_some() || args.revision.is_some() {
        return (args.repo.clone(), args.revision.clone());
    }
    if let Some(snapshot) = &located.snapshot {
        return (Some(snapshot.repo.clone()), Some(snapshot.revision.clone()));
    }
    Lock::read(path).map_or((None, None), |before| (before.repo, before.revision))
}
