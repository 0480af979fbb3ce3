//! The command line as a whole: global options and the list of commands.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands::{
    closure, completions, config, doctor, generate, lock, man, model, serve, verify, workers,
};

/// A picture goes in, a 3D asset comes out.
#[derive(Debug, Parser)]
#[command(
    name = "trellis",
    version,
    long_version = long_version(),
    after_help = AFTER_HELP,
    propagate_version = false,
    max_term_width = 100
)]
pub struct Cli {
    /// Settings file; else `$TRELLIS_CONFIG`, else `trellis-server/config.toml` in the XDG folders
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Serve(serve::ServeArgs),
    Generate(Box<generate::GenerateArgs>),
    Doctor(doctor::DoctorArgs),
    Workers(workers::WorkersArgs),
    Config(config::ConfigArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
    Model(model::ModelArgs),
    Closure(closure::ClosureArgs),
    Lock(lock::LockArgs),
    Verify(verify::VerifyArgs),
}

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 the work or part of it failed, 2 could not start or wrong usage.
Results go to standard output, everything else to standard error. NO_COLOR is respected.";

/// What `--version` prints after the program's name.
fn long_version() -> String {
    let build = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    format!(
        "{version}\n\
         platform: {os} {arch}, {build} build\n\
         licence:  {licence}",
        version = env!("CARGO_PKG_VERSION"),
        os = std::env::consts::OS,
        arch = std::env::consts::ARCH,
        licence = env!("CARGO_PKG_LICENSE"),
    )
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn definitions_are_consistent() {
        super::Cli::command().debug_assert();
    }
}
