//! This test binary run a second time, so that it can be killed or live on a small disk.

use std::path::Path;
use std::process::{Command, Stdio};

use trellis_jobs::{FolderBlobs, Jobs, SqliteStore};

use crate::{full_disk, kill, kit};

const FOLDER: &str = "TRELLIS_TEST_FOLDER";
const TASK: &str = "TRELLIS_TEST_TASK";

fn jobs(folder: &Path) -> Jobs {
    let store = SqliteStore::open(&folder.join("jobs.db")).unwrap();
    let blobs = FolderBlobs::open(&folder.join("blobs")).unwrap();
    let mut jobs = kit::jobs(store, blobs, "");
    (jobs.limits.max_pixels, jobs.limits.queue_limit) = (1_000_000, 1_000_000);
    jobs
}

/// A command that runs `as_child` in a process of its own.
pub(crate) fn child(task: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child::as_child", "--nocapture"]);
    command.env(TASK, task).env(FOLDER, folder).stdin(Stdio::null());
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn as_child() {
    let (Ok(task), Ok(folder)) = (std::env::var(TASK), std::env::var(FOLDER)) else {
        return; // Run by the test runner: there is nothing to do.
    };
    let jobs = jobs(Path::new(&folder));
    match task.as_str() {
        "submit" => kill::submit_for_ever(jobs).await,
        "fill" => full_disk::fill(&jobs, Path::new(&folder)).await,
        task => panic!("there is no task `{task}`"),
    }
}
