//! `trellis store`: moves jobs between a data folder and stores that servers share.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Value, json};
use trellis_core::counted;
use trellis_jobs::Moved;
use trellis_node::{JobPlace, NodeError, SharedStoreError, Store};

use super::{Context, print, print_json, tell};
use crate::config::{self, SettingFlags};
use crate::error::CliError;
use crate::exit::Exit;
use crate::runtime;

/// Move jobs between a data folder and stores that servers share
#[derive(Debug, clap::Args)]
pub(crate) struct StoreArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Migrate(MigrateArgs),
}

/// Move all jobs and their files: from a data folder into PostgreSQL, between two such databases, or back
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Stop the servers that use the old place first. Jobs that were waiting or running wait again; everything else stays \
as it is, except for the numbers of events. At the end the command looks for every job, reads every file again and \
compares it with its digest. If it is interrupted, run it again: it brings what is missing. The old place is left \
as it is: keep it until you trust the new one, and do not start a server on it again.

Exit codes: 0 all jobs are there, 1 a file was already damaged or a job is not as it was, 2 could not start.")]
struct MigrateArgs {
    /// The data folder of a server that worked alone, or the PostgreSQL database of servers that share jobs
    #[arg(long, value_name = "DIR|URL")]
    from: String,
    /// Where that database's files are
    #[arg(long, value_name = "PLACE")]
    from_blobs: Option<PathBuf>,
    /// File with that database's password; default: PostgreSQL's own password file
    #[arg(long, value_name = "FILE")]
    from_password_file: Option<PathBuf>,
    /// The PostgreSQL database, or a data folder; default: the database in the settings
    #[arg(long, value_name = "DIR|URL")]
    to: Option<String>,
    /// The database's place for files; default: the one in the settings
    #[arg(long, value_name = "PLACE")]
    blobs: Option<PathBuf>,
    /// Print JSON instead
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &StoreArgs, context: &Context<'_>) -> Result<Exit, CliError> {
    match &args.action {
        Action::Migrate(args) => tell(migrate(args, context), args.json),
    }
}

fn migrate(args: &MigrateArgs, context: &Context<'_>) -> Result<Exit, CliError> {
    let flags = SettingFlags::default();
    let effective = config::load(&flags, context.environment, context.config_file.as_deref())?;
    let settings = effective.config.node;
    let from = place(&args.from, || Store {
        url: args.from.clone(),
        password_file: args.from_password_file.clone().unwrap_or_default(),
        blobs: args.from_blobs.clone().unwrap_or_default(),
    });
    let to = args.to.as_ref().unwrap_or(&settings.store.url);
    if to.is_empty() {
        return Err(NodeError::from(SharedStoreError::NotShared).into());
    }
    let to = place(to, || Store {
        url: to.clone(),
        blobs: args.blobs.clone().unwrap_or_else(|| settings.store.blobs.clone()),
        ..settings.store.clone()
    });
    let moved = runtime()?.block_on(trellis_node::migrate(&settings, &from, &to))?;
    let printed = if args.json {
        print_json(&as_json(&moved))?
    } else {
        print(&as_text(&moved))?
    };
    Ok(if moved.damaged.is_empty() && moved.wrong.is_empty() {
        printed
    } else {
        Exit::Failed
    })
}

/// A database by its URL, else a folder.
fn place(named: &str, store: impl FnOnce() -> Store) -> JobPlace {
    let schemes = ["postgres://", "postgresql://"];
    if schemes.iter().any(|scheme| named.starts_with(scheme)) {
        return JobPlace::Shared(store());
    }
    JobPlace::Alone(PathBuf::from(named))
}

fn as_text(moved: &Moved) -> String {
    let mut text = String::new();
    for key in &moved.damaged {
        let _ = writeln!(text, "{key}  missing or damaged in the old place, not moved");
    }
    for id in &moved.wrong {
        let _ = writeln!(text, "{id}  not there as it was; run the command again");
    }
    let _ = write!(text, "moved {}", counted(moved.jobs, "job", "jobs"));
    if moved.known > 0 {
        let _ = write!(text, "; {} were there already", moved.known);
    }
    let _ = writeln!(
        text,
        "; {} ({} bytes) compared with their digests",
        counted(moved.files, "file", "files"),
        moved.bytes
    );
    text
}

fn as_json(moved: &Moved) -> Value {
    json!({
        "moved": moved.jobs,
        "known": moved.known,
        "files": moved.files,
        "bytes": moved.bytes,
        "damaged": moved.damaged,
        "wrong": moved.wrong,
    })
}

#[cfg(test)]
mod tests {
    use trellis_jobs::BlobKey;

    use super::*;

    #[test]
    fn people_read_the_sums_and_what_is_wrong() {
        let moved = Moved {
            jobs: 2,
            known: 1,
            files: 7,
            bytes: 4096,
            damaged: vec![BlobKey::from_stored("jobs/01890a5/x.1.model.glb".to_owned())],
            wrong: vec!["01890a5d-ac96-774b-bcce-b302099a8051".parse().unwrap()],
        };
        insta::assert_snapshot!(as_text(&moved), @r"
        jobs/01890a5/x.1.model.glb  missing or damaged in the old place, not moved
        01890a5d-ac96-774b-bcce-b302099a8051  not there as it was; run the command again
        moved 2 jobs; 1 were there already; 7 files (4096 bytes) compared with their digests
        ");
    }
}
