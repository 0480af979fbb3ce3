//! The program `trellis`: runs, and maps the result to an exit code.

use std::process::ExitCode;

// Linking it is what puts it in place.
use trellis_allocator as _;

fn main() -> ExitCode {
    trellis_cli::run()
}
