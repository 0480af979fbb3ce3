//! `trellis closure`: which exact files a program runs with, whether they are whole, and what changed.
//!
//! One file an action.

mod diff;
mod list;
mod show;
mod verify;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use nix_compat::store_path::StorePath;
use trellis_closure::{Closure, ClosureError, Source, Store, own_store_path};
use trellis_core::file_size;

use super::{print, print_json, tell};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{self, count};
use trellis_node::nearby;

/// List, verify and compare Nix closures: the exact files that this program, or any other, runs with
#[derive(Debug, clap::Args)]
pub(crate) struct ClosureArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Verify(verify::VerifyArgs),
    Diff(diff::DiffArgs),
}

pub(crate) fn run(args: ClosureArgs) -> Result<Exit, CliError> {
    let (outcome, json) = match args.action {
        Action::List(args) => (list::run(&args), args.json),
        Action::Show(args) => (show::run(&args), args.json),
        Action::Verify(args) => (verify::run(&args), args.json),
        Action::Diff(args) => (diff::run(&args), args.json),
    };
    tell(outcome, json)
}

/// Which store.
#[derive(Debug, clap::Args)]
struct StoreArgs {
    /// The folder that holds `nix/store`, for a store elsewhere; its paths are still called /nix/store/…
    #[arg(long, value_name = "ROOT", default_value = "/")]
    store: PathBuf,
}

impl StoreArgs {
    fn open(&self) -> Result<Store, CliError> {
        if let Some(advice) = nearby::missing(&self.store) {
            let store = self.store.join("nix/store");
            return Err(CliError::from(ClosureError::StoreMissing { store }).hint(advice));
        }
        let store = Store::open(&self.store)?;
        if store.is_behind() {
            output::write_stderr(
                "note: Nix has changes that are not in its database yet, and this user may not read them\n",
            );
        }
        Ok(store)
    }
}

/// The path that a person names; by default the one that this program runs from.
fn start(store: &Store, named: Option<&Path>) -> Result<StorePath<String>, CliError> {
    if let Some(named) = named {
        return Ok(store.find(named)?);
    }
    let own = std::env::current_exe().ok().and_then(|exe| own_store_path(&exe));
    own.ok_or_else(|| {
        CliError::usage("this program does not run from a Nix store")
            .kind("not_from_a_store")
            .hint("name a path, such as `./result` or `/nix/store/…`")
    })
}

/// `42 paths, 1.20 GB`.
fn totals(closure: &Closure) -> String {
    format!(
        "{}, {}",
        count(closure.paths.len(), "path"),
        file_size(closure.nar_size())
    )
}

/// Where what is said comes from.
fn according_to(source: Source) -> &'static str {
    match source {
        Source::Database => "from the database",
        Source::Scan => "by scanning the files, as there is no database",
        Source::BinaryCache => "from the binary cache",
    }
}
