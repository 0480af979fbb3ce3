//! `trellis completions`: completions for a shell.

use clap_complete::Shell;

use crate::error::CliError;
use crate::exit::Exit;

/// Print completions for a shell
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: trellis completions bash > ~/.local/share/bash-completion/completions/trellis"
)]
pub(crate) struct CompletionsArgs {
    /// Which shell
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs, mut program: clap::Command) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program, "trellis", &mut script);
    super::print(&String::from_utf8_lossy(&script))
}
