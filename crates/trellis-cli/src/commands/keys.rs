//! `trellis keys`: makes API keys for a server. The file of keys has the digest of a secret, never the secret.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use trellis_node::{add_key, make_key};

use super::print;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::write_stderr;

/// Make API keys for a server
#[derive(Debug, clap::Args)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a key: its line for the file of keys, and its secret, which is shown this once
    ///
    /// The line, NAME and the secret's SHA-256, goes to standard output and the secret to standard error. With
    /// --append the line goes into the file and the secret alone to standard output:
    /// `secret=$(trellis keys new studio --append keys)`.
    New {
        /// Who or what will use it; each name has jobs of its own
        name: String,
        /// Add the line to this file, which is made with mode 0600 where there is none; `auth.keys_file` names it
        #[arg(long, value_name = "FILE")]
        append: Option<PathBuf>,
    },
}

pub(crate) fn run(args: &KeysArgs) -> Result<Exit, CliError> {
    match &args.action {
        Action::New { name, append } => new(name, append.as_deref()),
    }
}

fn new(name: &str, file: Option<&Path>) -> Result<Exit, CliError> {
    let key = make_key(name)?;
    let secret = key.secret().reveal();
    let Some(file) = file else {
        write_stderr(&format!(
            "secret: {secret}\n\
             It is not shown again. Clients send it; the line on standard output is for the file that\n\
             `auth.keys_file` names, and a running server reads that again at SIGHUP.\n"
        ));
        return print(&format!("{}\n", key.line()));
    };
    add_key(file, &key)?;
    write_stderr(&format!(
        "added `{name}` to `{}`; a running server reads it again at SIGHUP\n\
         Its secret, on standard output, is not shown again.\n",
        file.display()
    ));
    print(&format!("{secret}\n"))
}
