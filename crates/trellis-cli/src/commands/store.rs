//! `trellis store`: moves jobs from an embedded database into one that servers share.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Value, json};
use trellis_core::counted;
use trellis_jobs::Moved;

use super::{Context, print, print_json, tell};
use crate::config::{self, SettingFlags};
use crate::error::CliError;
use crate::exit::Exit;
use crate::runtime;

/// Move jobs into a store that servers share
#[derive(Debug, clap::Args)]
pub(crate) struct StoreArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Migrate(MigrateArgs),
}

/// Move the jobs and files of a server that worked alone into PostgreSQL and a shared place for files
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The server of the data folder must be stopped. Jobs that waited or were worked on wait again; the rest stays \
as it is, but for the numbers of events. In the end every job is looked for and every file is read again and \
compared with its digest. Run again after a break, the command brings what is missing. The data folder is left \
as it is: keep it until you trust the new store, and start no server on it any more.

Exit codes: 0 all jobs are there, 1 a file was damaged already or a job is not as it was, 2 could not start.")]
struct MigrateArgs {
    /// The data folder of the server that worked alone
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// The PostgreSQL database; else that of the settings
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// The place for files; else that of the settings
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
    let mut settings = effective.config.node;
    if let Some(url) = &args.to {
        settings.store.url.clone_from(url);
    }
    if let Some(place) = &args.blobs {
        settings.store.blobs.clone_from(place);
    }
    let moved = runtime()?.block_on(trellis_node::migrate(&settings, &args.from))?;
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

fn as_text(moved: &Moved) -> String {
    let mut text = String::new();
    for key in &moved.damaged {
        let _ = writeln!(text, "{key}  missing or damaged in the data folder, not moved");
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
        jobs/01890a5/x.1.model.glb  missing or damaged in the data folder, not moved
        01890a5d-ac96-774b-bcce-b302099a8051  not there as it was; run the command again
        moved 2 jobs; 1 were there already; 7 files (4096 bytes) compared with their digests
        ");
    }
}
