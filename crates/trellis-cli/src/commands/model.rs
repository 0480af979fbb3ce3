//! `trellis model`: fetch, check, lock and repair model folders.
//!
//! One file an action.

mod bars;
mod check;
mod dinov3;
mod fetch;
mod list;
mod lock;
mod render;
mod repair;

use std::io;
use std::path::Path;

use clap::Subcommand;
use trellis_core::Model;
use trellis_models::hash::Hashing;
use trellis_models::lock::{Lock, LockError, make};
use trellis_models::{Located, Places, locate};
use trellis_pins::Pins;

use super::Context;
use super::bar::hashing;
use super::{print, print_json, tell};
use crate::env;
use crate::error::CliError;
use crate::exit::Exit;

/// Fetch, check, lock and repair model folders
#[derive(Debug, clap::Args)]
pub(crate) struct ModelArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Check(check::CheckArgs),
    Dinov3(dinov3::Dinov3Args),
    Fetch(fetch::FetchArgs),
    Lock(lock::LockArgs),
    Repair(repair::RepairArgs),
    List(list::ListArgs),
}

pub(crate) fn run(args: ModelArgs, context: &Context<'_>) -> Result<Exit, CliError> {
    let machine = Machine {
        places: Places::from_env(|name| context.environment.get(name).map(Into::into)),
        context,
    };
    let (outcome, json) = match args.action {
        Action::Check(args) => (check::run(&args, &machine), args.json),
        Action::Dinov3(args) => (dinov3::run(&args), false),
        Action::Fetch(args) => (fetch::run(&args, &machine), args.json),
        Action::Lock(args) => (lock::run(&args, &machine), args.json),
        Action::Repair(args) => (repair::run(&args, &machine), args.json),
        Action::List(args) => (list::run(&args, &machine), args.json),
    };
    tell(outcome, json)
}

/// The machine as the actions see it.
struct Machine<'a> {
    places: Places,
    context: &'a Context<'a>,
}

impl Machine<'_> {
    /// The model that is named, else `TRELLIS_MODEL_PATH`, else the pinned one in the hub cache.
    fn locate(&self, asked: Option<&str>) -> Result<Located, CliError> {
        let variable = self.context.environment.get(env::MODEL_PATH);
        let variable = variable.map(|value| value.to_string_lossy().into_owned());
        let pinned = &Pins::embedded().models.folders[Model::DEFAULT.name()].repository;
        let asked = asked.or(variable.as_deref()).unwrap_or(pinned);
        Ok(locate(asked, &self.places)?)
    }
}

/// Hashes what a lock of the model has, with a bar over its bytes.
fn made(located: &Located, machine: &Machine<'_>, bytes: u64, quiet: bool) -> Result<Lock, LockError> {
    let bar = hashing(bytes, quiet);
    let how = Hashing {
        on_bytes: &|bytes| bar.inc(bytes),
        folder: &nar_hash,
    };
    let made = make(&located.folder, &machine.places, how);
    bar.finish_and_clear();
    made
}

/// The hash that Nix gives a folder, as a model's lock has it.
fn nar_hash(folder: &Path) -> io::Result<String> {
    let (hash, _) = trellis_closure::hash_path(folder).map_err(io::Error::other)?;
    Ok(hash.to_sri_string())
}
