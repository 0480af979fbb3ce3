//! Whether a database and a folder belong together, and what is said where they do not.

use bytes::Bytes;
use trellis_jobs::{BlobKey, BlobStore, JobStore, Kinship, SqliteStore, rescue};

use crate::kit::{Place, new_job};

async fn kinship(place: &Place) -> Kinship {
    Kinship::of(&place.store, &place.blobs).await.unwrap()
}

async fn submitted(place: &Place, n: u32) {
    let new = new_job(n);
    let key = BlobKey::input(new.id, 0);
    place.blobs.put(&key, Bytes::from_static(b"x")).await.unwrap();
    place.store.submit(new).await.unwrap();
}

/// The same files with a new database.
fn with_a_new_database(mut place: Place) -> Place {
    let path = place.folder.path().join("new.db");
    place.store = SqliteStore::open(&path).unwrap();
    place
}

#[tokio::test]
async fn what_began_together_belongs_together() {
    let place = Place::new();
    assert_eq!(kinship(&place).await, Kinship::Same);
    submitted(&place, 1).await;
    // A submission that a crash cut off.
    let key = BlobKey::input(new_job(2).id, 0);
    place.blobs.put(&key, Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(kinship(&place).await, Kinship::Same);
}

#[tokio::test]
async fn a_new_database_beside_old_files_is_told_until_they_are_joined() {
    let place = Place::new();
    assert_eq!(kinship(&place).await, Kinship::Same);
    submitted(&place, 1).await;
    submitted(&place, 2).await;
    let place = with_a_new_database(place);
    for n in [3, 4] {
        assert_eq!(kinship(&place).await, Kinship::Parted { unknown: 2 });
        submitted(&place, n).await;
    }
    rescue(&place.store, &place.blobs, false).await.unwrap();
    assert_eq!(kinship(&place).await, Kinship::Same);
}

#[tokio::test]
async fn a_database_beside_the_files_of_another_is_told() {
    let (one, other) = (Place::new(), Place::new());
    for place in [&one, &other] {
        assert_eq!(kinship(place).await, Kinship::Same);
    }
    submitted(&one, 1).await;
    submitted(&other, 2).await;
    let swapped = Kinship::of(&one.store, &other.blobs).await.unwrap();
    assert_eq!(swapped, Kinship::Parted { unknown: 1 });
}

#[tokio::test]
async fn a_new_database_beside_no_files_belongs_to_them() {
    let place = Place::new();
    assert_eq!(kinship(&place).await, Kinship::Same);
    let place = with_a_new_database(place);
    assert_eq!(kinship(&place).await, Kinship::Same);
}

#[tokio::test]
async fn those_of_an_earlier_version_are_joined_unless_the_database_is_new() {
    let place = Place::new();
    submitted(&place, 1).await;
    let key = BlobKey::input(new_job(2).id, 0);
    place.blobs.put(&key, Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(kinship(&place).await, Kinship::Same);

    let place = Place::new();
    place.blobs.put(&key, Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(kinship(&place).await, Kinship::Parted { unknown: 1 });
}
