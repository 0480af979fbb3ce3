//! `trellis jobs`: what a person does with jobs that are there already.
//!
//! One file an action.

mod export;
mod rescue;

use clap::Subcommand;

use super::{Context, tell};
use crate::error::CliError;
use crate::exit::Exit;

/// Export earlier jobs, or rescue those of a lost job database
#[derive(Debug, clap::Args)]
pub(crate) struct JobsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Export(export::ExportArgs),
    Rescue(rescue::RescueArgs),
}

pub(crate) fn run(args: JobsArgs, context: &Context<'_>) -> Result<Exit, CliError> {
    match args.action {
        Action::Export(args) => {
            let json = args.json;
            tell(export::run(args, context), json)
        }
        Action::Rescue(args) => tell(rescue::run(&args, context), args.json),
    }
}
