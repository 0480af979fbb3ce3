//! Files that are not what they should be.

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use trellis_jobs::{
    BlobError, FolderBlobs, JobStore, OpenError, SqliteStore, StoreError, SubmitError, Terms,
};

use crate::kit::{Place, Submission, claim, new_job, picture, submit};

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

#[tokio::test]
async fn a_database_of_another_program_or_of_the_future_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE theirs (x)")
        .unwrap();
    let refused = |path: &Path| match SqliteStore::open(path) {
        Err(StoreError::Unavailable { source }) => *source.downcast::<OpenError>().unwrap(),
        other => panic!("{other:?}"),
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
            known: 4,
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
