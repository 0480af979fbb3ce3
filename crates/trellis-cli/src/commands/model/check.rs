//! `trellis model check`.

use std::path::PathBuf;

use trellis_models::check::check;
use trellis_models::hash::Hashing;
use trellis_models::lock::{Lock, lock_path, verify_blobs};
use trellis_models::pipeline::Pipeline;
use trellis_models::published;
use trellis_models::record::Record;
use trellis_models::{Located, Problem, Report};

use super::{Machine, nar_hash, print, print_json, render};
use crate::commands::bar::hashing;
use crate::error::CliError;
use crate::exit::Exit;

/// Check that everything TRELLIS reads is there, complete and of the right kind
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without options headers, sizes and a few samples of the numbers are read: a second or so, whatever the \
size of the model. With a lock beside pipeline.json the sizes are held against it. What lies between the \
samples only --hash looks at.

Exit codes: 0 no errors (there may be warnings), 1 errors, 2 could not start.")]
pub(super) struct CheckArgs {
    /// A folder, or a repository in the hub cache, ORG/NAME or ORG/NAME@REVISION; default:
    /// $TRELLIS_MODEL_PATH, else the pinned model
    model: Option<String>,

    /// Hash every byte: against the lock, else against the names that the hub cache gives its blobs, else
    /// against the digests of the published model
    #[arg(long)]
    hash: bool,

    /// Hash every byte and compare with the lock, which must exist
    #[arg(long)]
    locked: bool,

    /// The lock; default: beside pipeline.json, for the hub cache in the state folder
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,

    /// Print JSON instead
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(args: &CheckArgs, machine: &Machine<'_>) -> Result<Exit, CliError> {
    let located = machine.locate(args.model.as_deref())?;
    let mut report = check(&located, &machine.places);
    verify(&mut report, &located, args, machine);
    // A convenience for `list`: a state folder that can't be written is no reason to fail.
    let _ = Record::note(&machine.places.state, &report, jiff::Timestamp::now());
    if args.json {
        print_json(&report)?;
    } else {
        print(&render::report(&located, &report))?;
    }
    Ok(Exit::done_if(report.passed()))
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
            let on_bytes = |bytes| bar.inc(bytes);
            let how = hashed.then_some(Hashing {
                on_bytes: &on_bytes,
                folder: &nar_hash,
            });
            let found = lock.verify(&located.folder, &machine.places, how);
            bar.finish_and_clear();
            report.hashed = hashed;
            found.into_iter().chain(published::compare_lock(&lock)).collect()
        }
        Err(error) if error.is_not_found() && !args.locked && args.lock.is_none() => {
            if !args.hash {
                return;
            }
            hash_without_lock(report, located, path, args, machine)
        }
        Err(error) if error.is_not_found() => vec![Problem::LockMissing { path }],
        Err(source) => vec![Problem::LockUnreadable { source }],
    };
    report.add(found);
}

/// Hashes what is known without a lock: a snapshot by the names of its blobs, a folder by the pins.
fn hash_without_lock(
    report: &mut Report,
    located: &Located,
    lock: PathBuf,
    args: &CheckArgs,
    machine: &Machine<'_>,
) -> Vec<Problem> {
    let Ok(pipeline) = Pipeline::read(&located.folder) else {
        return Vec::new();
    };
    let files = pipeline.files_read(&located.folder);
    let weights = report
        .checkpoints
        .iter()
        .filter_map(|checkpoint| checkpoint.bytes);
    let bar = hashing(weights.sum(), args.json);
    let on_bytes = |bytes| bar.inc(bytes);
    let mut found = if located.snapshot.is_some() {
        report.hashed = true;
        verify_blobs(&located.folder, &files, &on_bytes)
    } else {
        let model = pipeline.model();
        let covered = published::uncovered(model, &files).is_empty();
        report.hashed = covered;
        match model {
            Some(model) if covered => published::verify(model, &located.folder, &files, &on_bytes),
            _ => vec![Problem::LockMissing { path: lock }],
        }
    };
    found.extend(published::verify_extras(&pipeline, &machine.places, &on_bytes));
    bar.finish_and_clear();
    found
}
