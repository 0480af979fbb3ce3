//! The program `trellis`: parse, run, map the result to an exit code.

use std::process::ExitCode;

use clap::Parser as _;
// Linking it is what puts it in place.
use trellis_allocator as _;
use trellis_cli::Cli;

fn main() -> ExitCode {
    trellis_cli::run(Cli::parse())
}
