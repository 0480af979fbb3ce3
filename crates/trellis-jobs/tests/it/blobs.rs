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
async fn a_blob_that_is_too_short_ends_with_an_error() {
    let place = Place::new();
    let key = BlobKey::input(job(1), 0);
    place.blobs.put(&key, Bytes::from_static(b"short")).await.unwrap();
    let parts: Vec<_> = place.blobs.read(&key, 0..9).await.unwrap().collect().await;
    // What is there may be told before.
    assert!(
        matches!(parts.last(), Some(Err(BlobError::Unavailable { .. }))),
        "{parts:?}"
    );
    assert!(parts.len() <= 2, "{parts:?}");
}

/// Folders of earlier versions, one a job.
#[tokio::test]
async fn jobs_of_an_earlier_version_are_found_and_removed() {
    let place = Place::new();
    let key = BlobKey::from_stored(format!("jobs/{}/artifacts/1/model.glb", job(3)));
    let beside = BlobKey::artifact(job(3), 2, "model.glb");
    for key in [&key, &beside] {
        place.blobs.put(key, Bytes::from_static(b"x")).await.unwrap();
        assert_eq!(place.blobs.get(key).await.unwrap(), "x");
    }
    assert_eq!(place.blobs.jobs().await.unwrap(), [job(3)]);
    place.blobs.delete_job(job(3)).await.unwrap();
    assert_eq!(place.blobs.jobs().await.unwrap(), []);
}

#[tokio::test]
async fn a_file_is_taken_over_from_elsewhere_part_by_part() {
    let place = Place::new();
    let bytes: Vec<u8> = (0..20_000_000u32)
        .map(|n| u8::try_from(n % 251).unwrap())
        .collect();
    let source = place.folder.path().join("elsewhere");
    std::fs::write(&source, &bytes).unwrap();
    let key = BlobKey::artifact(job(1), 1, "model.ply");
    place.blobs.put_file(&key, &source).await.unwrap();
    assert!(place.blobs.get(&key).await.unwrap() == bytes);
    let missing = place
        .blobs
        .put_file(&key, &place.folder.path().join("nothing"))
        .await;
    assert!(missing.is_err());
    assert!(
        place.blobs.get(&key).await.unwrap() == bytes,
        "a failed write leaves the old bytes"
    );
}

#[tokio::test]
async fn what_is_removed_is_gone_and_removing_it_again_is_no_error() {
    let place = Place::new();
    let keys = [
        BlobKey::input(job(1), 0),
        BlobKey::input(job(1), 1),
        BlobKey::input(job(2), 0),
    ];
    for key in &keys {
        place.blobs.put(key, Bytes::from_static(b"x")).await.unwrap();
    }
    for _ in 0..2 {
        place.blobs.delete(&keys[..1]).await.unwrap();
        assert!(matches!(
            place.blobs.get(&keys[0]).await,
            Err(BlobError::NotFound { .. })
        ));
    }
    for _ in 0..2 {
        place.blobs.delete_job(job(1)).await.unwrap();
        assert_eq!(place.blobs.jobs().await.unwrap(), [job(2)]);
    }
    assert_eq!(place.blobs.get(&keys[2]).await.unwrap(), "x");
}

#[tokio::test]
async fn refuses_a_key_that_leads_out_of_the_folder() {
    let place = Place::new();
    for key in ["../outside", "jobs/../../outside", "jobs//x", "jobs/./x"] {
        let key = BlobKey::from_stored(key.to_owned());
        let put = place.blobs.put(&key, Bytes::from_static(b"x")).await;
        assert!(
            matches!(put, Err(BlobError::Unavailable { .. })),
            "{key}: {put:?}"
        );
    }
    assert!(!place.folder.path().join("outside").exists());
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
