//! `trellis model check`.

use std::path::PathBuf;

use trellis_models::check::{check, files_read};
use trellis_models::lock::{Lock, lock_path, verify_blobs};
use trellis_models::pipeline::Pipeline;
use trellis_models::record::Record;
use trellis_models::{Located, Problem, Report};

use super::{Fault, Machine, print, print_json, words};
use crate::commands::bar::hashing;
use crate::exit::Exit;

/// Say whether everything that TRELLIS reads is there, whole and of the right kind
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without options only headers and sizes are read: a second, whatever the size of the model. With a lock \
beside pipeline.json the sizes are held against it.

Exit codes: 0 no errors (there may be warnings), 1 errors, 2 could not start.")]
pub(super) struct CheckArgs {
    /// A folder, or a repository in the hub cache, ORG/NAME or ORG/NAME@REVISION; default:
    /// $TRELLIS_MODEL_PATH, else the pinned model
    model: Option<String>,

    /// Hash every byte: against the lock, else against the names that the hub cache gives its blobs
    #[arg(long)]
    hash: bool,

    /// Hash every byte against the lock, which must be there
    #[arg(long)]
    locked: bool,

    /// The lock; default: beside pipeline.json, for the hub cache in the state folder
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,

    /// Print JSON instead
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(args: &CheckArgs, machine: &Machine<'_>) -> Result<Exit, Fault> {
    let located = machine.locate(args.model.as_deref())?;
    let mut report = check(&located, &machine.places);
    verify(&mut report, &located, args, machine);
    // A convenience for `list`: a state folder that can't be written is no reason to fail.
    let _ = Record::note(&machine.places.state, &report, jiff::Timestamp::now());
    if args.json {
        print_json(&report)?;
    } else {
        print(&words::report(&located, &report))?;
    }
    Ok(if report.passed() { Exit::Done } else { Exit::Failed })
}

/// Adds what the lock, or the cache's own names, say.
fn verify(report: &mut Report, located: &Located, args: &CheckArgs, machine: &Machine<'_>) {
    let path = args
        .lock
        .clone()
        .unwrap_or_else(|| lock_path(located, &machine.places));
    let hashed = args.hash || args.locked;
    let found = match Lock::read(&path) {
        Ok(lock) => {
            let bar = hashing(lock.bytes(), args.json || !hashed);
            let found = lock.verify(&located.folder, &machine.places, hashed, &|bytes| bar.inc(bytes));
            bar.finish_and_clear();
            report.hashed = hashed;
            found
        }
        Err(error) if error.is_not_found() && !args.locked && args.lock.is_none() => {
            if !args.hash {
                return;
            }
            if located.snapshot.is_none() {
                vec![Problem::LockMissing { path }]
            } else {
                report.hashed = true;
                hash_blobs(report, located, args)
            }
        }
        Err(error) if error.is_not_found() => vec![Problem::LockMissing { path }],
        Err(source) => vec![Problem::LockUnreadable { source }],
    };
    report.add(found);
}

fn hash_blobs(report: &Report, located: &Located, args: &CheckArgs) -> Vec<Problem> {
    let Ok(pipeline) = Pipeline::read(&located.folder) else {
        return Vec::new();
    };
    let bytes = report
        .checkpoints
        .iter()
        .filter_map(|checkpoint| checkpoint.bytes)
        .sum();
    let bar = hashing(bytes, args.json);
    let files = files_read(&located.folder, &pipeline);
    let found = verify_blobs(&located.folder, &files, &|bytes| bar.inc(bytes));
    bar.finish_and_clear();
    found
}
