//! What somebody else put into the blob folder: neither handed out, nor waited for, nor followed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use trellis_core::JobId;
use trellis_jobs::{BlobError, BlobKey, BlobStore};

use crate::kit::{Place, at};

fn job() -> JobId {
    JobId::new(at(1), [1; 10])
}

/// A job with one picture, and where a second file of it would be.
async fn with_a_gap() -> (Place, BlobKey, PathBuf) {
    let place = Place::new();
    let picture = BlobKey::input(job(), 0);
    place.blobs.put(&picture, Bytes::from_static(b"x")).await.unwrap();
    let key = BlobKey::artifact(job(), 1, "model.glb");
    let gap = place.folder.path().join("blobs").join(key.as_str());
    (place, key, gap)
}

async fn is_refused(place: &Place, key: &BlobKey) {
    let elsewhere = BlobKey::artifact(job(), 2, "model.glb");
    let refusals = [
        place.blobs.get(key).await.err(),
        place.blobs.read(key, 0..1).await.err(),
        place.blobs.copy(key, &elsewhere).await.err(),
    ];
    for refusal in refusals {
        let Some(BlobError::Unavailable { source, .. }) = refusal else {
            panic!("{refusal:?}");
        };
        assert!(source.to_string().contains("in place of the file"), "{source}");
    }
    assert!(place.blobs.get(&elsewhere).await.is_err(), "it was copied");
}

#[tokio::test]
async fn a_link_in_the_place_of_a_file_is_not_followed() {
    let (place, key, gap) = with_a_gap().await;
    let secret = place.folder.path().join("secret");
    fs::write(&secret, "nobody's business").unwrap();
    symlink(&secret, &gap).unwrap();
    is_refused(&place, &key).await;
    place.blobs.delete_job(job()).await.unwrap();
    assert!(secret.exists() && fs::symlink_metadata(&gap).is_err());
}

#[tokio::test]
async fn a_pipe_in_the_place_of_a_file_keeps_nobody_waiting() {
    let (place, key, gap) = with_a_gap().await;
    let made = std::process::Command::new("mkfifo").arg(&gap).status().unwrap();
    assert!(made.success());
    tokio::time::timeout(Duration::from_secs(20), is_refused(&place, &key))
        .await
        .expect("an answer");
}

#[tokio::test]
async fn a_link_in_the_place_of_a_folder_is_not_followed() {
    let place = Place::new();
    let key = BlobKey::input(job(), 0);
    let folder = place.folder.path().join("blobs").join(key.as_str());
    let folder = folder.parent().unwrap();
    let theirs = place.folder.path().join("theirs");
    fs::create_dir(&theirs).unwrap();
    let file = theirs.join(format!("{}.input.0", job()));
    fs::write(&file, "theirs").unwrap();
    let leftover = theirs.join("half#1");
    fs::write(&leftover, "theirs").unwrap();
    symlink(&theirs, folder).unwrap();

    is_refused(&place, &key).await;
    assert_eq!(place.blobs.jobs().await.unwrap(), []);
    place.blobs.delete_job(job()).await.unwrap();
    place.blobs.sweep_unfinished(Duration::ZERO).await.unwrap();
    assert!(file.exists() && leftover.exists());
}
