//! The commands, one file each: its arguments and its `run`.

mod bar;
pub(crate) mod closure;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod doctor;
mod fault;
pub(crate) mod generate;
pub(crate) mod lock;
pub(crate) mod man;
pub(crate) mod model;
pub(crate) mod serve;
pub(crate) mod verify;
pub(crate) mod workers;

use crate::cli::{Cli, Command};
use crate::env::Environment;
use crate::exit::{Exit, Stop};

/// What every command gets besides its own arguments.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    /// The environment as the program found it.
    pub(crate) environment: &'a Environment,
    /// The settings file that `--config` names.
    pub(crate) config_file: Option<std::path::PathBuf>,
}

/// Runs the command that the command line names.
pub(crate) fn run(cli: Cli, environment: &Environment) -> Result<Exit, Stop> {
    let context = Context {
        environment,
        config_file: cli.config,
    };
    match cli.command {
        Command::Serve(args) => serve::run(&args, &context),
        Command::Generate(args) => generate::run(&args, &context),
        Command::Doctor(args) => doctor::run(&args, &context),
        Command::Workers(args) => workers::run(args, &context),
        Command::Config(args) => config::run(args, &context),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(args),
        Command::Model(args) => model::run(args, &context),
        Command::Closure(args) => closure::run(args),
        Command::Lock(args) => lock::run(args),
        Command::Verify(args) => verify::run(&args, &context),
    }
}

/// Prints a command's result. A reader that went away (`| head`) ends the program quietly.
fn print(text: &str) -> Result<Exit, Stop> {
    match crate::output::write_stdout(text) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Stop::failed(
            anyhow::Error::new(error).context("cannot write to standard output"),
        )),
        _ => Ok(Exit::Done),
    }
}
