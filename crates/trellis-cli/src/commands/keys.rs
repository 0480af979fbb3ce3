//! `trellis keys`: makes API keys for a server. The file of keys has the digest of a secret, never the secret.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use trellis_node::{add_key, make_key};
use trellis_server::{DEFAULT_SCOPES, Grant, Scope, Size};

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
    /// The line, NAME, the secret's SHA-256, scopes and limits, goes to standard output and the secret to standard error. With
    /// --append the line goes into the file and the secret alone to standard output:
    /// `secret=$(trellis keys new studio --append keys)`.
    New {
        /// Who or what will use it; each name has jobs of its own
        name: String,
        /// Add the line to this file, which is made with mode 0600 where there is none; `auth.keys_file` names it
        #[arg(long, value_name = "FILE")]
        append: Option<PathBuf>,
        #[command(flatten)]
        grant: GrantFlags,
    },
}

/// What the key may do, and how much of it.
#[derive(Debug, clap::Args)]
struct GrantFlags {
    /// What it may do, with commas between: `submit` jobs, `read` the list of its jobs, `admin`: see and end all jobs,
    /// command workers, read `/metrics`; else `submit,read`
    #[arg(long, value_name = "SCOPES", value_delimiter = ',', default_values_t = DEFAULT_SCOPES, hide_default_value = true)]
    scopes: Vec<Scope>,
    /// How many requests a minute it may make; else any number
    #[arg(long, value_name = "NUMBER")]
    requests_per_minute: Option<NonZeroU32>,
    /// How many of its jobs may wait; else as many as the server takes
    #[arg(long, value_name = "NUMBER")]
    queued: Option<NonZeroU64>,
    /// How many of its jobs may run at a time; others wait
    #[arg(long, value_name = "NUMBER")]
    running: Option<NonZeroU64>,
    /// How much its jobs may keep, in bytes or with a unit: `10GiB`
    #[arg(long, value_name = "SIZE")]
    kept: Option<Size>,
}

impl GrantFlags {
    fn grant(&self) -> Grant {
        let mut scopes = self.scopes.clone();
        scopes.sort_unstable();
        scopes.dedup();
        Grant {
            scopes,
            requests_per_minute: self.requests_per_minute.map(NonZeroU32::get),
            queued: self.queued.map(NonZeroU64::get),
            running: self.running.map(NonZeroU64::get),
            kept: self.kept,
        }
    }
}

pub(crate) fn run(args: &KeysArgs) -> Result<Exit, CliError> {
    match &args.action {
        Action::New { name, append, grant } => new(name, append.as_deref(), grant),
    }
}

fn new(name: &str, file: Option<&Path>, grant: &GrantFlags) -> Result<Exit, CliError> {
    let key = make_key(name, grant.grant())?;
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
