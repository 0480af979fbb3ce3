//! `trellis lock`: what `flake.lock` and `nix/pins.json` pin, how old it is, and whether they agree.
//!
//! One file an action.

mod check;
mod show;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use trellis_closure::lock::FlakeLock;
use trellis_core::Explain as _;
use trellis_pins::Pins;

use super::{print, print_json, tell};
use crate::error::CliError;
use crate::exit::Exit;
use trellis_node::nearby;

/// Show and check what `flake.lock` and `nix/pins.json` pin
#[derive(Debug, clap::Args)]
pub(crate) struct LockArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Show(show::ShowArgs),
    Check(check::CheckArgs),
}

pub(crate) fn run(args: LockArgs) -> Result<Exit, CliError> {
    let (outcome, json) = match args.action {
        Action::Show(args) => (show::run(&args), args.json),
        Action::Check(args) => (check::run(&args), args.json),
    };
    tell(outcome, json)
}

/// The lock file of the folder that one is in.
const FLAKE_LOCK: &str = "flake.lock";

/// Which files.
#[derive(Debug, clap::Args)]
struct Files {
    /// The lock file, or the folder that has it
    #[arg(default_value = FLAKE_LOCK)]
    lock: PathBuf,

    /// The pins; default: `nix/pins.json` beside the lock file, else those that this program was built with
    #[arg(long, value_name = "FILE")]
    pins: Option<PathBuf>,
}

/// The files, read.
struct Pinned {
    lock: FlakeLock,
    pins: Cow<'static, Pins>,
    /// Where the pins are from, for people.
    pins_from: String,
}

impl Files {
    fn read(&self) -> Result<Pinned, CliError> {
        let file = if self.lock.is_dir() {
            self.lock.join(FLAKE_LOCK)
        } else {
            self.lock.clone()
        };
        let lock = FlakeLock::read(&file).map_err(|error| {
            let advice = error.advice();
            let error = CliError::from(error);
            // The default's name says nothing to somebody who is in the wrong folder.
            if file == Path::new(FLAKE_LOCK) {
                error.hint(advice)
            } else {
                error
            }
        })?;
        let beside = file.with_file_name("nix").join("pins.json");
        let named = self.pins.as_ref().or_else(|| beside.is_file().then_some(&beside));
        let Some(named) = named else {
            return Ok(Pinned {
                lock,
                pins: Cow::Borrowed(Pins::embedded()),
                pins_from: "the pins of this program".to_owned(),
            });
        };
        Ok(Pinned {
            lock,
            pins: Cow::Owned(read_pins(named)?),
            pins_from: named.display().to_string(),
        })
    }
}

fn read_pins(path: &Path) -> Result<Pins, CliError> {
    let unusable = format!("`{}` cannot be used", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| {
        let hint = nearby::hint(path, &error).unwrap_or_else(|| "name the file with `--pins`".to_owned());
        CliError::not_started(error)
            .context(&unusable)
            .kind("pins_unreadable")
            .hint(hint)
    })?;
    Pins::parse(&text).map_err(|error| {
        CliError::failed(error)
            .context(&unusable)
            .kind("pins_shape")
            .hint("run `nix/update-pins` to write it again")
    })
}
