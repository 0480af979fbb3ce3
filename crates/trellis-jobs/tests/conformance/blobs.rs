//! What every blob store does.

use std::io::Read as _;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use trellis_core::JobId;

use super::BlobFixture;
use super::kit::at;
use crate::{BlobError, BlobKey, BlobStore, StagedBlob};

fn job(n: u8) -> JobId {
    JobId::new(at(i64::from(n)), [n; 10])
}

/// Begins a blob of three parts.
async fn half_sent(blobs: &dyn BlobStore, key: &BlobKey) -> Box<dyn StagedBlob> {
    let mut staged = blobs.stage(key).await.unwrap();
    for part in ["abc", "", "defg"] {
        staged.append(Bytes::from_static(part.as_bytes())).await.unwrap();
    }
    staged
}

/// What is put is read back, whole and in parts, until it is deleted.
pub async fn what_is_put_is_read_until_it_is_deleted<F: BlobFixture>() {
    let place = F::new().await;
    let blobs = place.blobs();
    let (key, copy) = (BlobKey::input(job(1), 0), BlobKey::artifact(job(2), 1, "a.glb"));
    blobs.put(&key, Bytes::from_static(b"0123456789")).await.unwrap();
    blobs.copy(&key, &copy).await.unwrap();
    assert_eq!(blobs.jobs().await.unwrap(), [job(1), job(2)]);
    blobs.delete_job(job(1)).await.unwrap();
    assert!(matches!(blobs.get(&key).await, Err(BlobError::NotFound { .. })));
    let parts: Vec<Bytes> = blobs
        .read(&copy, 2..5)
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(parts.concat(), b"234");
    blobs.delete(&[copy.clone(), key]).await.unwrap();
    assert!(matches!(blobs.get(&copy).await, Err(BlobError::NotFound { .. })));
}

/// A blob that is sent in parts is not there before it is kept, and then it is there whole.
pub async fn a_staged_blob_is_there_once_it_is_kept<F: BlobFixture>() {
    let place = F::new().await;
    let blobs = place.blobs();
    let key = BlobKey::input(job(1), 0);
    let mut staged = half_sent(&*blobs, &key).await;
    assert!(matches!(blobs.get(&key).await, Err(BlobError::NotFound { .. })));
    let mut reader = staged.reopen().await.unwrap();
    staged.append(Bytes::from_static(b"h")).await.unwrap();
    staged.keep().await.unwrap();
    assert_eq!(blobs.get(&key).await.unwrap(), "abcdefgh");
    let read = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    });
    assert!(
        read.await.unwrap().starts_with("abcdefg"),
        "a reader outlives the blob"
    );
    // Empty pictures come too.
    let empty = BlobKey::input(job(1), 1);
    blobs.stage(&empty).await.unwrap().keep().await.unwrap();
    assert_eq!(blobs.get(&empty).await.unwrap(), "");
}

/// A blob that is given up leaves nothing behind, also where another one has its key.
pub async fn a_staged_blob_that_is_dropped_was_never_there<F: BlobFixture>() {
    let place = F::new().await;
    let blobs = place.blobs();
    let (key, other) = (BlobKey::input(job(1), 0), BlobKey::input(job(2), 0));
    drop(half_sent(&*blobs, &key).await);
    let given_up = half_sent(&*blobs, &other).await;
    blobs.put(&other, Bytes::from_static(b"x")).await.unwrap();
    drop(given_up);
    assert_eq!(blobs.get(&other).await.unwrap(), "x");
    for _ in 0..500 {
        if blobs.jobs().await.unwrap() == [job(2)] {
            assert_eq!(blobs.sweep_unfinished(Duration::ZERO).await.unwrap(), 0);
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("something was left: {:?}", blobs.jobs().await);
}

/// Blobs that are sent at the same time do not mix.
pub async fn blobs_are_staged_side_by_side<F: BlobFixture>() {
    let place = F::new().await;
    let blobs = place.blobs();
    let keys: Vec<BlobKey> = (1..9).map(|n| BlobKey::input(job(n), 0)).collect();
    let mut staged = Vec::new();
    for key in &keys {
        staged.push(blobs.stage(key).await.unwrap());
    }
    for round in 0..3 {
        for (n, staged) in staged.iter_mut().enumerate() {
            staged.append(Bytes::from(format!("{n}.{round} "))).await.unwrap();
        }
    }
    futures::future::try_join_all(staged.into_iter().map(StagedBlob::keep))
        .await
        .unwrap();
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(blobs.get(key).await.unwrap(), format!("{n}.0 {n}.1 {n}.2 "));
    }
}
