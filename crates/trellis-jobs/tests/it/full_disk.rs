//! A disk that is full: really, on a file system of 4 MiB.

#![expect(
    clippy::print_stdout,
    reason = "a test that cannot run says why, and the child speaks to its parent so"
)]

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use trellis_core::{Failure, FailureKind, JobId};
use trellis_jobs::{
    BlobError, BlobKey, Claim, JobQuery, JobStore as _, Jobs, Owner, SqliteStore, StoreError, StoreStats,
    Terms,
};

use crate::child::child;
use crate::kit::{Submission, at, claim, new_job, picture, submit};

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
    let running = claim(&*jobs.store, "a", 1).await.unwrap();
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
    end_at_zero_bytes(jobs, folder, &accepted, &running).await;
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

/// Every way to end a job and to be rid of it works without a free byte, and so does a start.
async fn end_at_zero_bytes(jobs: &Jobs, folder: &Path, accepted: &[JobId], running: &Claim) {
    let owner = Owner::default();
    let mut filler = File::create(folder.join("filler")).unwrap();
    for size in [1 << 12, 1] {
        while filler.write_all(&vec![0; size]).is_ok() {}
    }
    let refused = jobs.accepts(0).await.unwrap_err();
    assert_eq!(refused.kind(), "storage_full");
    let failure = Failure::new(FailureKind::StorageFull, "the disk is full");
    jobs.store.fail(&running.lease, at(2), failure).await.unwrap();
    let again = SqliteStore::open(&folder.join("jobs.db")).unwrap();
    assert!(again.get(running.lease.job).await.unwrap().failure.is_some());
    drop(again);
    for id in accepted {
        if *id != running.lease.job {
            jobs.cancel_or_delete(&owner, *id).await.unwrap();
        }
        // What that set free is taken at once.
        let _ = filler.write_all(&[0; 1 << 12]);
        jobs.cancel_or_delete(&owner, *id).await.unwrap();
        let _ = filler.write_all(&[0; 1 << 12]);
    }
    assert_eq!(jobs.store.stats().await.unwrap(), StoreStats::default());
    assert_eq!(jobs.blobs.jobs().await.unwrap(), []);
    std::fs::remove_file(folder.join("filler")).unwrap();
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
