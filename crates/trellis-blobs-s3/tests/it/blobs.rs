//! What every blob store does, and what only this one does.

use bytes::Bytes;
use trellis_jobs::{BlobKey, BlobStore as _};

use crate::kit::{Place, job, skipped};

trellis_jobs::blob_store_conformance!(Place);

#[tokio::test]
async fn keys_are_those_of_a_folder_below_the_prefix() {
    if skipped() {
        return;
    }
    let place = Place::with(false).await;
    let key = BlobKey::input(job(1), 0);
    place.blobs.put(&key, Bytes::from_static(b"x")).await.unwrap();
    let file = place.server.bucket().join("below/here").join(key.as_str());
    assert_eq!(std::fs::read(file).unwrap(), b"x");
    // What others keep in the bucket is not ours.
    let beside = place.server.bucket().join("below/here-too").join(key.as_str());
    std::fs::create_dir_all(beside.parent().unwrap()).unwrap();
    std::fs::write(&beside, "y").unwrap();
    place.blobs.delete_job(job(1)).await.unwrap();
    assert!(place.blobs.jobs().await.unwrap().is_empty() && beside.exists());
}
