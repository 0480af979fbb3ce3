//! What every blob store does.

use std::io::Read as _;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
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

/// Any part of it is read; where fewer bytes are there than are asked for, that is an error after them.
pub async fn a_part_is_read_and_a_blob_that_is_too_short_says_so<F: BlobFixture>() {
    let place = F::new().await;
    let blobs = place.blobs();
    let key = BlobKey::input(job(1), 0);
    blobs.put(&key, Bytes::from_static(b"short")).await.unwrap();
    for (range, found) in [(0..5, "short"), (1..3, "ho"), (4..5, "t"), (3..3, "")] {
        let parts: Vec<Bytes> = blobs
            .read(&key, range)
            .await
            .unwrap()
            .try_collect()
            .await
            .unwrap();
        assert_eq!(parts.concat(), found.as_bytes());
    }
    let parts: Vec<_> = blobs.read(&key, 0..9).await.unwrap().collect().await;
    // What is there may be told before.
    assert!(
        matches!(parts.last(), Some(Err(BlobError::Unavailable { .. }))),
        "{parts:?}"
    );
    assert!(parts.len() <= 2, "{parts:?}");
    let gone = BlobKey::input(job(1), 1);
    for range in [0..1, 0..0] {
        let read = blobs.read(&gone, range).await.err();
        assert!(matches!(read, Some(BlobError::NotFound { .. })), "{read:?}");
    }
}

/// A file that is large is whole afterwards; one that cannot be read leaves what was there.
pub async fn a_large_file_is_taken_over_and_a_missing_one_changes_nothing<F: BlobFixture>() {
    let place = F::new().await;
    let blobs = place.blobs();
    let folder = tempfile::tempdir().unwrap();
    // Whole parts of an upload as well as an odd end.
    for size in [0, 1, 8 << 20, 16 << 20, 20_000_000] {
        let bytes: Vec<u8> = (0..=250).cycle().take(size).collect();
        let source = folder.path().join("elsewhere");
        std::fs::write(&source, &bytes).unwrap();
        let key = BlobKey::artifact(job(1), 1, "model.ply");
        blobs.put_file(&key, &source).await.unwrap();
        assert!(blobs.get(&key).await.unwrap() == bytes, "{size}");
        let missing = blobs.put_file(&key, &folder.path().join("nothing")).await;
        assert!(missing.is_err());
        assert!(blobs.get(&key).await.unwrap() == bytes, "{size}");
    }
}

/// A job's files are told from those of its neighbours, also where an earlier version kept them.
pub async fn a_job_s_files_are_found_and_removed_and_no_others<F: BlobFixture>() {
    let place = F::new().await;
    let blobs = place.blobs();
    let old = BlobKey::from_stored(format!("jobs/{}/artifacts/1/model.glb", job(2)));
    let keys = [
        BlobKey::input(job(1), 0),
        BlobKey::artifact(job(1), 2, "model.glb"),
        BlobKey::input(job(2), 0),
        old.clone(),
        BlobKey::statement(job(3), 1, "model.glb"),
    ];
    for key in &keys {
        blobs.put(key, Bytes::from_static(b"x")).await.unwrap();
        assert_eq!(key.job(), blobs.jobs().await.unwrap().last().copied());
    }
    assert_eq!(blobs.jobs().await.unwrap(), [job(1), job(2), job(3)]);
    let mut found = blobs.of_job(job(1)).await.unwrap();
    found.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    let mut expected = keys[..2].to_vec();
    expected.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    assert_eq!(found, expected);
    blobs.delete_job(job(2)).await.unwrap();
    assert_eq!(blobs.jobs().await.unwrap(), [job(1), job(3)]);
    assert!(matches!(blobs.get(&old).await, Err(BlobError::NotFound { .. })));
    blobs.delete_job(job(1)).await.unwrap();
    assert_eq!(blobs.jobs().await.unwrap(), [job(3)]);
}

/// Removing twice is as good as once.
pub async fn removing_what_is_gone_is_no_error<F: BlobFixture>() {
    let place = F::new().await;
    let blobs = place.blobs();
    let keys = [BlobKey::input(job(1), 0), BlobKey::input(job(2), 0)];
    for key in &keys {
        blobs.put(key, Bytes::from_static(b"x")).await.unwrap();
    }
    for _ in 0..2 {
        blobs.delete(&keys[..1]).await.unwrap();
        blobs.delete_job(job(1)).await.unwrap();
        assert_eq!(blobs.jobs().await.unwrap(), [job(2)]);
    }
    blobs.delete(&[]).await.unwrap();
    assert_eq!(blobs.get(&keys[1]).await.unwrap(), "x");
}

/// A key stays within the store.
pub async fn refuses_a_key_that_leads_elsewhere<F: BlobFixture>() {
    let place = F::new().await;
    let blobs = place.blobs();
    for key in ["../outside", "jobs/../../outside", "jobs//x", "jobs/./x"] {
        let key = BlobKey::from_stored(key.to_owned());
        let put = blobs.put(&key, Bytes::from_static(b"x")).await;
        assert!(
            matches!(put, Err(BlobError::Unavailable { .. })),
            "{key}: {put:?}"
        );
    }
}

/// To which database the blobs belong is remembered.
pub async fn an_identity_is_kept_and_is_no_job_s<F: BlobFixture>() {
    let place = F::new().await;
    let blobs = place.blobs();
    assert_eq!(blobs.identity().await.unwrap(), None);
    for identity in ["one", "other"] {
        blobs.keep_identity(identity).await.unwrap();
        assert_eq!(blobs.identity().await.unwrap().as_deref(), Some(identity));
    }
    assert_eq!(blobs.jobs().await.unwrap(), []);
}
