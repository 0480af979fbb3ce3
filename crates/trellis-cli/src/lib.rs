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
mod exit;
mod logs;
mod numbers;
mod output;
mod signals;

use std::process::ExitCode;

pub use cli::Cli;

/// Runs the command and reports how it ended: 0 done, 1 the work or part of it failed, 2 could not
/// start or wrong usage.
pub fn run(cli: Cli) -> ExitCode {
    let environment = env::Environment::of_process();
    match commands::run(cli, &environment) {
        Ok(exit) => exit.into(),
        Err(stop) => {
            output::complain(&stop);
            stop.exit().into()
        }
    }
}

/// The runtime of commands that wait for something.
fn runtime() -> Result<tokio::runtime::Runtime, exit::Stop> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime
        .map_err(|error| exit::Stop::not_started(anyhow::Error::new(error).context("cannot start threads")))
}
