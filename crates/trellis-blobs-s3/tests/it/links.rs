//! Addresses that are handed to clients.

use std::time::Duration;

use bytes::Bytes;
use trellis_jobs::{BlobError, BlobKey, BlobStore as _, LinkAs};

use crate::kit::{Place, job, skipped};
use crate::server::SECRET;

fn shown() -> LinkAs {
    LinkAs {
        media_type: "model/gltf-binary".to_owned(),
        disposition: "attachment; filename=\"model.glb\"".to_owned(),
    }
}

#[tokio::test]
async fn a_link_opens_one_blob_for_a_while_without_a_key() {
    if skipped() {
        return;
    }
    let place = Place::with(true).await;
    let (key, other) = (
        BlobKey::artifact(job(1), 1, "model.glb"),
        BlobKey::input(job(2), 0),
    );
    for key in [&key, &other] {
        place.blobs.put(key, Bytes::from(key.to_string())).await.unwrap();
    }
    let shown = shown();
    let link = |valid_for| place.blobs.link(&key, &shown, valid_for);
    let address = link(Duration::from_secs(60)).await.unwrap().unwrap();
    assert!(!address.contains(SECRET) && address.contains("response-content-disposition=attachment"));
    let http = reqwest::Client::new();
    let got = http.get(&address).send().await.unwrap();
    assert_eq!(got.status(), 200);
    assert_eq!(got.text().await.unwrap(), key.to_string());
    let part = http
        .get(&address)
        .header("range", "bytes=5-8")
        .send()
        .await
        .unwrap();
    assert_eq!(part.text().await.unwrap(), key.to_string()[5..9]);
    // For nothing else, and not for ever.
    let of_other = address.replace(key.as_str(), other.as_str());
    assert_ne!(of_other, address);
    assert_eq!(http.get(of_other).send().await.unwrap().status(), 403);
    assert_eq!(http.put(&address).body("z").send().await.unwrap().status(), 403);
    let short = link(Duration::from_secs(1)).await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_ne!(http.get(short).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_blob_that_is_gone_has_no_link_and_links_are_given_where_they_are_wanted() {
    if skipped() {
        return;
    }
    let place = Place::with(true).await;
    let key = BlobKey::artifact(job(1), 1, "model.glb");
    let gone = place.blobs.link(&key, &shown(), Duration::from_secs(60)).await;
    assert!(matches!(gone, Err(BlobError::NotFound { .. })), "{gone:?}");
    let without = place.through(place.server.port).await;
    let link = without.link(&key, &shown(), Duration::from_secs(60)).await;
    assert_eq!(link.unwrap(), None);
}
