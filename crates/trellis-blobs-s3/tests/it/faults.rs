//! Storage that is overloaded, slow, out of reach for a moment, or without what it should have.

use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use trellis_blobs_s3::S3Blobs;
use trellis_jobs::{BlobError, BlobKey, BlobStore as _};

use crate::kit::{Place, job, skipped};
use crate::proxy::{Fault, Proxy};

fn bytes(count: usize) -> Bytes {
    (0..=250).cycle().take(count).collect::<Vec<u8>>().into()
}

/// An empty bucket, and the same one reached through a proxy.
async fn behind_a_proxy() -> (Place, Proxy, S3Blobs) {
    let place = Place::with(false).await;
    let proxy = Proxy::start(place.server.port).await;
    let blobs = place.through(proxy.port).await;
    (place, proxy, blobs)
}

#[tokio::test]
async fn overloaded_storage_is_asked_again() {
    if skipped() {
        return;
    }
    let (place, proxy, blobs) = behind_a_proxy().await;
    let key = BlobKey::artifact(job(1), 1, "model.glb");
    proxy.set(Fault::Overloaded(3));
    blobs.put(&key, bytes(1000)).await.unwrap();
    proxy.set(Fault::Overloaded(2));
    assert!(blobs.get(&key).await.unwrap() == bytes(1000));
    proxy.set(Fault::Overloaded(1));
    blobs.delete_job(job(1)).await.unwrap();
    assert_eq!(proxy.harmed(), 6);
    assert_eq!(place.blobs.jobs().await.unwrap(), []);
}

#[tokio::test]
async fn a_download_that_is_cut_goes_on_where_it_ended() {
    if skipped() {
        return;
    }
    let (place, proxy, blobs) = behind_a_proxy().await;
    let key = BlobKey::artifact(job(1), 1, "model.glb");
    place.blobs.put(&key, bytes(3_000_000)).await.unwrap();
    proxy.set(Fault::CutAnswer(2, 1_000_000));
    let parts: Vec<Bytes> = blobs
        .read(&key, 7..2_999_999)
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert!(parts.concat() == bytes(3_000_000)[7..2_999_999]);
    assert_eq!(proxy.harmed(), 2);
}

#[tokio::test]
async fn an_upload_whose_connection_is_cut_is_whole() {
    if skipped() {
        return;
    }
    let (place, proxy, blobs) = behind_a_proxy().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.ply");
    for size in [500_000, 20_000_000] {
        std::fs::write(&file, bytes(size)).unwrap();
        let key = BlobKey::artifact(job(1), 1, "model.ply");
        let before = proxy.harmed();
        proxy.set(Fault::CutRequest(2, 300_000));
        blobs.put_file(&key, &file).await.unwrap();
        assert_eq!(proxy.harmed() - before, 2);
        assert!(place.blobs.get(&key).await.unwrap() == bytes(size));
    }
    assert_eq!(place.server.unfinished(), Vec::<String>::new());
}

#[tokio::test]
async fn slow_storage_is_waited_for() {
    if skipped() {
        return;
    }
    let (_place, proxy, blobs) = behind_a_proxy().await;
    let key = BlobKey::artifact(job(1), 1, "model.glb");
    proxy.set(Fault::Slow(Duration::from_millis(300)));
    blobs.put(&key, bytes(200_000)).await.unwrap();
    assert!(blobs.get(&key).await.unwrap() == bytes(200_000));
}

#[tokio::test]
async fn an_upload_that_nobody_waits_for_leaves_nothing_behind() {
    if skipped() {
        return;
    }
    let (place, proxy, blobs) = behind_a_proxy().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.ply");
    std::fs::write(&file, bytes(40_000_000)).unwrap();
    let key = BlobKey::artifact(job(1), 1, "model.ply");
    proxy.set(Fault::Stuck(9_000_000));
    tokio::select! {
        done = blobs.put_file(&key, &file) => panic!("it cannot be done: {done:?}"),
        () = async {
            while proxy.harmed() == 0 || place.server.unfinished().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        } => {}
    }
    proxy.set(Fault::None);
    for _ in 0..1000 {
        if place.server.unfinished().is_empty() {
            let found = place.blobs.get(&key).await;
            assert!(matches!(found, Err(BlobError::NotFound { .. })), "{found:?}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("parts are left: {:?}", place.server.unfinished());
}

#[tokio::test]
async fn a_bucket_that_is_gone_is_not_taken_for_an_object_that_is_gone() {
    if skipped() {
        return;
    }
    let place = Place::with(false).await;
    let key = BlobKey::input(job(1), 0);
    place.blobs.put(&key, bytes(10)).await.unwrap();
    std::fs::rename(
        place.server.bucket(),
        place.server.bucket().with_extension("gone"),
    )
    .unwrap();
    let listed = place.blobs.jobs().await;
    assert!(matches!(listed, Err(BlobError::Unavailable { .. })), "{listed:?}");
}
