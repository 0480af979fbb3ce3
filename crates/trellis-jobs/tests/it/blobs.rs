//! Bytes in a folder.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use trellis_core::JobId;
use trellis_jobs::{BlobError, BlobKey, BlobStore, FolderBlobs};

use crate::kit::{Place, at};

trellis_jobs::blob_store_conformance!(Place);

fn job(n: u8) -> JobId {
    JobId::new(at(i64::from(n)), [n; 10])
}

#[tokio::test]
async fn what_is_put_can_be_read_whole_and_in_parts() {
    let place = Place::new();
    let key = BlobKey::artifact(job(1), 1, "model.glb");
    place
        .blobs
        .put(&key, Bytes::from_static(b"0123456789"))
        .await
        .unwrap();
    let again = FolderBlobs::open(&place.folder.path().join("blobs")).unwrap();
    assert_eq!(again.get(&key).await.unwrap(), "0123456789");
    assert_eq!(read(&again, &key, 2..5).await.unwrap(), b"234");
    assert_eq!(read(&again, &key, 3..3).await.unwrap(), b"");
    assert_eq!(again.jobs().await.unwrap(), [job(1)]);
}

async fn read(blobs: &dyn BlobStore, key: &BlobKey, range: Range<u64>) -> Result<Vec<u8>, BlobError> {
    let parts: Vec<Bytes> = blobs.read(key, range).await?.try_collect().await?;
    assert!(
        parts.iter().all(|part| part.len() <= 128 << 10),
        "a part at a time"
    );
    Ok(parts.concat())
}

/// A download opens its file once: it goes on when the job is deleted meanwhile.
#[tokio::test]
async fn a_blob_is_read_to_its_end_though_it_is_removed() {
    let place = Place::new();
    let key = BlobKey::artifact(job(1), 1, "model.glb");
    let bytes: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    place.blobs.put(&key, bytes.clone().into()).await.unwrap();
    let mut parts = place.blobs.read(&key, 10..3_000_000).await.unwrap();
    let mut found = parts.next().await.unwrap().unwrap().to_vec();
    place.blobs.delete_job(job(1)).await.unwrap();
    while let Some(part) = parts.next().await {
        found.extend(part.unwrap());
    }
    assert!(found == bytes[10..]);
    assert!(matches!(
        place.blobs.read(&key, 0..1).await,
        Err(BlobError::NotFound { .. })
    ));
}

#[tokio::test]
async fn leftovers_of_killed_writes_are_swept_and_blobs_are_not() {
    let place = Place::new();
    let key = BlobKey::artifact(job(1), 1, "model.glb");
    place.blobs.put(&key, Bytes::from_static(b"x")).await.unwrap();
    let leftover = place.folder.path().join(format!("blobs/{key}#1"));
    std::fs::write(&leftover, "half").unwrap();
    assert_eq!(
        place
            .blobs
            .sweep_unfinished(Duration::from_secs(3600))
            .await
            .unwrap(),
        0
    );
    assert_eq!(place.blobs.sweep_unfinished(Duration::ZERO).await.unwrap(), 1);
    assert!(!leftover.exists());
    assert_eq!(place.blobs.get(&key).await.unwrap(), "x");
}

#[tokio::test]
async fn what_earlier_versions_cached_beside_the_jobs_is_removed() {
    let place = Place::new();
    let key = BlobKey::artifact(job(1), 1, "model.glb");
    place.blobs.put(&key, Bytes::from_static(b"x")).await.unwrap();
    let cache = place.folder.path().join("blobs/cache");
    std::fs::create_dir(&cache).unwrap();
    std::fs::write(cache.join("1.model.glb"), "x").unwrap();
    place
        .blobs
        .sweep_unfinished(Duration::from_secs(3600))
        .await
        .unwrap();
    assert!(!cache.exists());
    assert_eq!(place.blobs.get(&key).await.unwrap(), "x");
}
