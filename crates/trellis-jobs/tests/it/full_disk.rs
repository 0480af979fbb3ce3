//! A disk that is full: really, on a file system of 4 MiB.

#![expect(
    clippy::print_stdout,
    reason = "a test that cannot run says why, and the child speaks to its parent so"
)]

use std::path::Path;
use std::process::Command;

use trellis_jobs::{BlobError, BlobKey, JobQuery, Jobs, StoreError, Terms};

use crate::child::child;
use crate::kit::{Submission, new_job, picture, submit};

/// On a disk that is nearly full.
pub(crate) async fn fill(jobs: &Jobs, folder: &Path) {
    let mut accepted = Vec::new();
    // Pictures first fill the disk.
    let full = loop {
        match submit(
            jobs,
            Submission {
                pictures: vec![picture(30)],
                ..Submission::default()
            },
            Terms::default(),
        )
        .await
        {
            Ok(submitted) => accepted.push(submitted.job.id),
            Err(error) => break error,
        }
    };
    assert_eq!(full.kind(), "storage_full", "{full:?}");
    let big = jobs
        .blobs
        .put(&BlobKey::input(new_job(1).id, 0), vec![0; 1 << 21].into())
        .await;
    assert!(matches!(big, Err(BlobError::Full { .. })), "{big:?}");
    assert!(matches!(
        jobs.blobs.get(&BlobKey::input(new_job(1).id, 0)).await,
        Err(BlobError::NotFound { .. })
    ));
    // Then rows alone do.
    let full = loop {
        match jobs
            .store
            .submit(new_job(1_000 + u32::try_from(accepted.len()).unwrap()))
            .await
        {
            Ok(submitted) => accepted.push(submitted.job.id),
            Err(error) => break error,
        }
    };
    assert!(matches!(full, StoreError::Full { .. }), "{full:?}");
    let query = JobQuery {
        limit: 100_000,
        ..JobQuery::default()
    };
    let listed = jobs.store.list(query).await.unwrap().jobs.len();
    assert_eq!(
        listed,
        accepted.len(),
        "what was refused is not there, what was accepted is"
    );
    std::fs::remove_file(folder.join("ballast")).unwrap();
    submit(
        jobs,
        Submission {
            pictures: vec![picture(30)],
            ..Submission::default()
        },
        Terms::default(),
    )
    .await
    .unwrap();
    println!("a full disk was survived with {listed} jobs");
}

#[test]
fn a_full_disk_is_told_and_survived() {
    let folder = tempfile::tempdir().unwrap();
    // A file system of 4 MiB, seen by the child alone and gone with it.
    let script = r#"mount -t tmpfs -o size=4m trellis-test "$0" && head -c 1000000 /dev/zero > "$0/ballast" && exec "$@""#;
    let inner = child("fill", folder.path());
    let run = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .arg(folder.path())
        .arg(inner.get_program())
        .args(inner.get_args())
        .envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .output();
    let may_mount = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "true"])
        .output();
    if !may_mount.is_ok_and(|output| output.status.success()) {
        println!("skipped: a small file system needs `unshare` and user namespaces");
        return;
    }
    let run = run.unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    let complained = String::from_utf8_lossy(&run.stderr);
    assert!(
        run.status.success() && said.contains("a full disk was survived"),
        "{said}\n{complained}"
    );
}
