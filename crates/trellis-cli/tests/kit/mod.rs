//! What the tests of the real binary share: calls of it, servers on port 0, pictures, an HTTP client.

#![allow(dead_code, reason = "each of the two test programs uses a part")]

pub(crate) mod client;
pub(crate) mod fake;
pub(crate) mod picture;
pub(crate) mod server;
pub(crate) mod terminal;

use std::path::Path;
use std::process::{Command, Output};

/// A call of the binary with an environment that holds nothing but a home.
pub(crate) fn trellis(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trellis"));
    command.env_clear().env("HOME", home).current_dir(home);
    command
}

/// Runs a call and describes it: exit code, standard output, standard error.
pub(crate) fn describe(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("the binary runs");
    let code = status.code().map_or("killed".to_owned(), |code| code.to_string());
    format!(
        "exit code: {code}\n----- stdout\n{}----- stderr\n{}",
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr)
    )
}

/// Snapshot settings in which folders, times and versions have constant names.
pub(crate) fn filters(home: &Path) -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    let home = home.to_str().expect("temporary folders are UTF-8");
    settings.add_filter(&home.replace('.', "\\."), "[HOME]");
    settings.add_filter(&env!("CARGO_PKG_VERSION").replace('.', "\\."), "[VERSION]");
    settings.add_filter(r"in \d+\.\d s", "in [TIME]");
    settings.add_filter(r"\(\d+(\.\d)? [kM]?B", "([SIZE]");
    settings.add_filter(r"127\.0\.0\.1:\d+", "127.0.0.1:[PORT]");
    settings.set_prepend_module_to_snapshot(false);
    settings
}
