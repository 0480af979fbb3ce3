//! Files without a job and jobs without files, in the data folder of a server that has ended.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::SignedDuration;
use trellis_core::JobId;
use trellis_jobs::{
    FolderBlobs, Janitor, JobQuery, JobStore, Moment, Retention, SqliteStore, StoreError, Unknown,
};

/// Longer than the janitor leaves alone what may be on its way.
const LATER: Duration = Duration::from_secs(2 * 3600);

/// Sweeps as a server does some hours later, and lists what should not be there then.
pub(crate) async fn after_a_sweep(data: &Path) -> Vec<String> {
    let store = Arc::new(SqliteStore::open(&data.join("jobs.sqlite")).expect("the database"));
    let root = data.join("blobs");
    for file in files(&root.join("jobs")) {
        let long_ago = SystemTime::now() - LATER;
        let aged = File::options().append(true).open(file);
        aged.and_then(|file| file.set_modified(long_ago))
            .expect("a file of ours");
    }
    let janitor = Janitor {
        store: store.clone(),
        blobs: Arc::new(FolderBlobs::open(&root).expect("the folder")),
        retention: Retention::default(),
        unknown: Unknown::SetAside,
    };
    let mut later = Moment::now();
    later.now += SignedDuration::try_from(LATER).expect("hours fit");
    later.running += LATER;
    let swept = janitor.sweep(&later).await.expect("a sweep");
    println!(
        "swept: {} jobs' files that nobody knows, {} staging files, {} files of lost attempts",
        swept.set_aside.len() + swept.deleted.len(),
        swept.unfinished,
        swept.leftovers
    );

    let there = files(&root.join("jobs"));
    let mut wrong = Vec::new();
    let mut wanted = BTreeSet::new();
    let every = JobQuery {
        limit: 1_000_000,
        ..JobQuery::default()
    };
    let listed = store.list(every).await.expect("a list").jobs;
    let mut jobs: BTreeSet<JobId> = listed.into_iter().map(|job| job.id).collect();
    jobs.extend(there.iter().filter_map(|file| owner(file)));
    for id in &jobs {
        match store.find(*id).await {
            Ok(job) => {
                let keys = job.inputs.iter().chain(&job.artifacts).chain(&job.statement);
                wanted.extend(keys.map(|key| root.join(key.as_str())));
            }
            Err(StoreError::NotFound { .. }) => wrong.push(format!("files of {id}, without a job")),
            Err(error) => panic!("{error:?}"),
        }
    }
    wrong.extend(
        wanted
            .iter()
            .filter(|file| !file.is_file())
            .map(|file| format!("{} is not there", file.display())),
    );
    let is_of_attempt = |file: &Path| {
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let mut parts = name.split('.').skip(1);
        let is_number = |part: &str| part.parse::<u32>().is_ok();
        parts
            .next()
            .is_some_and(|part| part == "statement" || is_number(part))
            || name.contains('#')
    };
    let left = there
        .iter()
        .filter(|file| is_of_attempt(file) && !wanted.contains(*file));
    wrong.extend(left.map(|file| format!("{} belongs to nothing", file.display())));
    wrong
}

fn owner(file: &Path) -> Option<JobId> {
    file.file_name()?.to_str()?.split('.').next()?.parse().ok()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files(&entry.path())),
            _ => found.push(entry.path()),
        }
    }
    found
}
