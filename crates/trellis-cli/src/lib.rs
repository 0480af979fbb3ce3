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
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(not(feature = "otlp"))]
#[path = "no_otlp.rs"]
mod otlp;
mod output;
mod signals;

use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory as _, Parser as _};

pub use cli::Cli;

use cli::Command;
use commands::{
    Context, closure, completions, config as settings, doctor, generate, jobs, keys, lock, man, model, nodes,
    serve, store, top, verify, workers,
};
use env::Environment;
use error::CliError;
use exit::Exit;

/// Reads the command line, runs the command and reports how it ended: 0 done, 1 the work or part of it failed, 2 could
/// not start or wrong usage.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) => return answered(&told),
    };
    let environment = Environment::of_process();
    match dispatch(cli, &environment) {
        Ok(exit) => exit.into(),
        Err(error) => {
            output::complain(&error);
            error.exit().into()
        }
    }
}

/// Prints a help page, or what is wrong with the command line, which may hold the names of others' files.
fn answered(told: &clap::Error) -> ExitCode {
    let text = told.render();
    if told.use_stderr() {
        output::write_stderr_coloured(&output::styled(&text, &std::io::stderr()));
    } else {
        // A reader that went away has read enough.
        let _ = output::write_coloured(&output::styled(&text, &std::io::stdout()));
    }
    ExitCode::from(u8::try_from(told.exit_code()).unwrap_or(2))
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
        Command::Store(args) => store::run(&args, &context),
        Command::Nodes(args) => nodes::run(&args, &context),
        Command::Top(args) => top::run(args, &context),
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

/// Threads for work that blocks: files, pictures, the preview backend. Each has a stack and a part of the heap.
const BLOCKING_THREADS: usize = 64;

/// Runs what waits for something. A call that still blocks afterwards, on a broken disk for instance, does not keep the
/// process.
fn block_on<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let runtime = runtime()?;
    let ended = runtime.block_on(work);
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

/// The runtime of commands that wait for something.
fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    // By itself tokio starts 512 threads for work that blocks, when 200 clients upload at once for example.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build();
    runtime.map_err(|error| {
        CliError::not_started(error)
            .context("cannot start threads")
            .hint("look at this user's limits")
    })
}
