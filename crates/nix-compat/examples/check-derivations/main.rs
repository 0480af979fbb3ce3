//! Reads every `.drv` file of a store's folder and recomputes what Nix computed for it.
//!
//! `cargo run -p nix-compat --example check-derivations -- /nix/store`. Exit codes: 0 all agree, 1 some do
//! not, and each is named with what differs, 2 there was nothing to compare.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for a terminal"
)]

use std::path::PathBuf;
use std::process::ExitCode;

mod store;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: check-derivations STORE_FOLDER");
        return ExitCode::from(2);
    };
    let found = match store::check(&folder) {
        Ok(found) => found,
        Err(error) => {
            eprintln!("cannot read {}: {error}", folder.display());
            return ExitCode::from(2);
        }
    };
    for (name, difference) in &found.differing {
        println!("{name}: {difference}");
    }
    println!(
        "{} derivations with {} outputs ({} fixed) agree with Nix: text, own path, output paths; {} do not",
        found.agreeing,
        found.outputs,
        found.fixed,
        found.differing.len()
    );
    match (found.agreeing, found.differing.len()) {
        (0, 0) => ExitCode::from(2),
        (_, 0) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
