//! `trellis completions`: completions for a shell.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::{Exit, Stop};

/// Print completions for a shell
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: trellis completions bash > ~/.local/share/bash-completion/completions/trellis"
)]
pub(crate) struct CompletionsArgs {
    /// Which shell
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs) -> Result<Exit, Stop> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "trellis", &mut script);
    super::print(&String::from_utf8_lossy(&script))
}
