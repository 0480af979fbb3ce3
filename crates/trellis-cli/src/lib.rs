//! What the program `trellis` does with its command line.
//!
//! One file a command under `commands/`; settings and where they come from under `config/`. Nothing
//! here decides about jobs or pictures: the crates below do, this one wires them up and talks to people.

mod cli;
mod commands;
mod config;
#[cfg(test)]
mod docs;
mod env;
mod error;
mod exit;
mod logs;
mod numbers;
mod output;
mod signals;

use std::process::ExitCode;

use clap::CommandFactory as _;

pub use cli::Cli;

use cli::Command;
use commands::{
    Context, closure, completions, config as settings, doctor, generate, jobs, keys, lock, man, model, serve,
    verify, workers,
};
use env::Environment;
use error::CliError;
use exit::Exit;

/// Runs the command and reports how it ended: 0 done, 1 the work or part of it failed, 2 could not
/// start or wrong usage.
pub fn run(cli: Cli) -> ExitCode {
    let environment = Environment::of_process();
    match dispatch(cli, &environment) {
        Ok(exit) => exit.into(),
        Err(error) => {
            output::complain(&error);
            error.exit().into()
        }
    }
}

/// Runs the command that the command line names.
fn dispatch(cli: Cli, environment: &Environment) -> Result<Exit, CliError> {
    let context = Context {
        environment,
        config_file: cli.config,
    };
    match cli.command {
        Command::Serve(args) => serve::run(&args, &context),
        Command::Generate(args) => generate::run(&args, &context),
        Command::Doctor(args) => doctor::run(&args, &context),
        Command::Workers(args) => workers::run(args, &context),
        Command::Jobs(args) => jobs::run(args, &context),
        Command::Keys(args) => keys::run(&args),
        Command::Config(args) => settings::run(args, &context),
        Command::Completions(args) => completions::run(&args, Cli::command()),
        Command::Man(args) => man::run(args, Cli::command()),
        Command::Model(args) => model::run(args, &context),
        Command::Closure(args) => closure::run(args),
        Command::Lock(args) => lock::run(args),
        Command::Verify(args) => verify::run(&args, &context),
    }
}

/// The runtime of commands that wait for something.
fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| {
        CliError::not_started(error)
            .context("cannot start threads")
            .hint("look at this user's limits")
    })
}
