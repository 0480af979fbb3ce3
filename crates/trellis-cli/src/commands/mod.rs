//! The commands, one file each: its arguments and its `run`.

mod bar;
pub(crate) mod closure;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod doctor;
pub(crate) mod generate;
pub(crate) mod jobs;
pub(crate) mod keys;
pub(crate) mod lock;
pub(crate) mod man;
pub(crate) mod model;
pub(crate) mod nodes;
mod reach;
pub(crate) mod serve;
pub(crate) mod store;
pub(crate) mod top;
pub(crate) mod verify;
pub(crate) mod workers;

use crate::env::Environment;
use crate::error::CliError;
use crate::exit::Exit;

/// What every command gets besides its own arguments.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    /// The environment as the program found it.
    pub(crate) environment: &'a Environment,
    /// The settings file that `--config` names.
    pub(crate) config_file: Option<std::path::PathBuf>,
}

/// Prints a command's result. A reader that went away (`| head`) ends the program quietly.
fn print(text: &str) -> Result<Exit, CliError> {
    printed(crate::output::write_stdout(text))
}

/// The same with colours of ours.
fn print_coloured(text: &str) -> Result<Exit, CliError> {
    printed(crate::output::write_coloured(text))
}

fn printed(written: std::io::Result<()>) -> Result<Exit, CliError> {
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(CliError::failed(error)
            .context("cannot write to standard output")
            .kind("output")
            .hint("look at where the output goes")),
        _ => Ok(Exit::Done),
    }
}

/// Prints a value as indented JSON.
fn print_json(value: &impl serde::Serialize) -> Result<Exit, CliError> {
    let text = serde_json::to_string_pretty(value).map_err(CliError::internal)?;
    print(&format!("{text}\n"))
}

/// Ends an action: with `--json` an error is the object on standard output.
fn tell(outcome: Result<Exit, CliError>, json: bool) -> Result<Exit, CliError> {
    match outcome {
        Err(error) if json => {
            print(&error.to_json())?;
            Ok(error.exit())
        }
        other => other,
    }
}
