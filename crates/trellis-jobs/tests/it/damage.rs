//! Files that are not what they should be.

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use trellis_jobs::{
    BlobError, FolderBlobs, JobQuery, JobStore, OpenError, SqliteStore, StoreError, SubmitError, Terms,
};

use crate::kit::{self, Place, Submission, claim, new_job, picture, submit};

#[tokio::test]
async fn a_damaged_database_is_told() {
    let place = Place::new();
    for n in 1..200 {
        place.store.submit(new_job(n)).await.unwrap();
    }
    let path = place.folder.path().join("jobs.db");
    let copy = place.folder.path().join("copy.db");
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute("VACUUM INTO ?1", [copy.to_str().unwrap()])
        .unwrap();
    let size = std::fs::metadata(&copy).unwrap().len();
    let mut file = std::fs::OpenOptions::new().write(true).open(&copy).unwrap();
    for page in 2..size / 4096 {
        file.seek(SeekFrom::Start(page * 4096)).unwrap();
        file.write_all(&[0xa5; 4096]).unwrap();
    }
    drop(file);
    let damaged = SqliteStore::open(&copy).unwrap_err();
    assert!(matches!(damaged, StoreError::Corrupt { .. }), "{damaged:?}");
    assert_eq!(damaged.to_string(), "the job database is damaged");

    std::fs::write(&copy, vec![0xa5; 8192]).unwrap();
    assert!(matches!(
        SqliteStore::open(&copy),
        Err(StoreError::Corrupt { .. })
    ));
}

/// Pages that are overwritten under an open store: the first call that meets one is told, and from then on no job is
/// taken or begun.
#[tokio::test]
async fn a_database_that_is_damaged_while_it_is_open_takes_no_more_jobs() {
    let place = Place::new();
    for n in 1..400 {
        place.store.submit(new_job(n)).await.unwrap();
    }
    let jobs = place.jobs();
    jobs.accepts(0).await.unwrap();
    let path = place.folder.path().join("jobs.db");
    let fresh = place.opened_again();
    // Into the file with what the log holds.
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
    let size = std::fs::metadata(&path).unwrap().len();
    let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    for page in 2..size / 4096 {
        file.seek(SeekFrom::Start(page * 4096)).unwrap();
        file.write_all(&[0xa5; 4096]).unwrap();
    }
    // A list is no way to change anything, and still it is what finds the damage.
    let query = JobQuery {
        limit: 1_000,
        ..JobQuery::default()
    };
    let found = fresh.list(query).await.unwrap_err();
    assert!(matches!(found, StoreError::Corrupt { .. }), "{found:?}");
    let refused = fresh.submit(new_job(1_000)).await.unwrap_err();
    assert_eq!(refused.kind(), "database_corrupt");
    assert!(
        refused.advice().contains("put back a copy"),
        "{}",
        refused.advice()
    );
    assert!(claim(&fresh, "a", 2_000).await.is_none(), "no job is begun");
    let jobs = kit::jobs(fresh, place.blobs.clone(), "relief of today");
    assert_eq!(jobs.accepts(0).await.unwrap_err().kind(), "database_corrupt");
    // Each process finds out by itself.
    place.store.sound().unwrap();
}

#[tokio::test]
async fn a_database_of_another_program_or_of_the_future_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE theirs (x)")
        .unwrap();
    let refused = |path: &Path| {
        let error = SqliteStore::open(path).unwrap_err();
        let advice = error.advice();
        assert!(advice.contains("name another data folder"), "{advice}");
        let StoreError::Unavailable { source } = error else {
            panic!("{error:?}")
        };
        // The advice stands once: not in the sentence too.
        assert!(!source.to_string().contains("server"), "{source}");
        *source.downcast::<OpenError>().unwrap()
    };
    assert!(matches!(refused(&path), OpenError::NotOurs { .. }));

    let path = folder.path().join("future.db");
    drop(SqliteStore::open(&path).unwrap());
    rusqlite::Connection::open(&path)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    assert!(matches!(
        refused(&path),
        OpenError::Newer {
            found: 99,
            known: 16,
            ..
        }
    ));
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a-file");
    std::fs::write(&file, "").unwrap();
    assert!(matches!(
        SqliteStore::open(&file.join("jobs.db")),
        Err(StoreError::Unavailable { .. })
    ));
    assert!(matches!(
        FolderBlobs::open(&file),
        Err(BlobError::Unavailable { .. })
    ));

    let place = Place::new();
    // In the way of the job's folder, whoever runs this: root may write where permissions say no.
    std::fs::remove_dir(place.folder.path().join("blobs/jobs")).unwrap();
    std::fs::write(place.folder.path().join("blobs/jobs"), "").unwrap();
    let submission = Submission {
        pictures: vec![picture(4)],
        ..Submission::default()
    };
    let error = submit(&place.jobs(), submission, Terms::default())
        .await
        .unwrap_err();
    assert!(
        matches!(error, SubmitError::Blob(BlobError::Unavailable { .. })),
        "{error:?}"
    );
    assert!(claim(&place.store, "a", 1).await.is_none());
}
