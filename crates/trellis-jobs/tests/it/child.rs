//! This test binary run a second time, so that it can be killed or live on a small disk.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use trellis_jobs::{FolderBlobs, Intake, IntakeLimits, SqliteStore};

use crate::{cache, full_disk, kill};

const FOLDER: &str = "TRELLIS_TEST_FOLDER";
const TASK: &str = "TRELLIS_TEST_TASK";

fn intake(folder: &Path) -> Intake {
    Intake {
        store: Arc::new(SqliteStore::open(&folder.join("jobs.db")).unwrap()),
        blobs: Arc::new(FolderBlobs::open(&folder.join("blobs")).unwrap()),
        limits: IntakeLimits {
            max_pixels: 1_000_000,
            max_images: 1,
            queue_limit: 1_000_000,
        },
        cache: None,
    }
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
    let intake = intake(Path::new(&folder));
    match task.as_str() {
        "submit" => kill::submit_for_ever(intake).await,
        "keep" => cache::keep_for_ever(&intake).await,
        "fill" => full_disk::fill(&intake, Path::new(&folder)).await,
        task => panic!("there is no task `{task}`"),
    }
}
