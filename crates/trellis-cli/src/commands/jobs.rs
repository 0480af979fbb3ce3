//! `trellis jobs`: what a person does to the jobs of a server that is stopped.
//!
//! One file an action.

mod rescue;

use clap::Subcommand;

use super::{Context, tell};
use crate::error::CliError;
use crate::exit::Exit;

/// Rescue the jobs of a server whose job database is lost
#[derive(Debug, clap::Args)]
pub(crate) struct JobsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Rescue(rescue::RescueArgs),
}

pub(crate) fn run(args: JobsArgs, context: &Context<'_>) -> Result<Exit, CliError> {
    let Action::Rescue(args) = args.action;
    tell(rescue::run(&args, context), args.json)
}
