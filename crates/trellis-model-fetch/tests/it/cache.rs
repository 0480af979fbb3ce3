//! The hub cache's layout, as Python's client writes and reads it.

use std::fs;
use std::path::{Path, PathBuf};

use trellis_model_fetch::{Fetched, Hub, Layout, fetch};
use trellis_models::{Places, cache, check::check, locate};

use crate::kit::{Bench, FLOW, REPO, names};
use crate::stand_in::{COMMIT, Content, Fault};

async fn fetch_to_cache(bench: &Bench, cache: &Path) -> Fetched {
    let mut request = bench.request();
    request.layout = Layout::Cache(cache.to_owned());
    let hub = Hub::new(bench.settings()).unwrap();
    fetch(&hub, &request, &bench.told).await.unwrap()
}

#[tokio::test]
async fn files_are_links_into_blobs_named_by_their_digest() {
    let bench = Bench::new().await;
    let places = Places::under(bench.root.path());
    let fetched = fetch_to_cache(&bench, &places.hub_cache).await;
    let repo = places.hub_cache.join("models--microsoft--TRELLIS-image-large");
    assert_eq!(fetched.folder, repo.join("snapshots").join(COMMIT));
    assert_eq!(fs::read_to_string(repo.join("refs/main")).unwrap(), COMMIT);
    for file in &fetched.files {
        let link = fs::read_link(fetched.folder.join(&file.path)).unwrap();
        assert!(
            link.is_relative() && link.ends_with(PathBuf::from("blobs").join(&file.digest)),
            "{}",
            link.display()
        );
        assert_eq!(
            fs::read(fetched.folder.join(&file.path)).unwrap(),
            bench.published(&file.path)
        );
    }
    assert_eq!(names(&repo.join("blobs")).len(), fetched.files.len());
    let located = locate(REPO, &places).unwrap();
    assert_eq!(located.snapshot.as_ref().unwrap().revision, COMMIT);
    assert!(check(&located, &places).passed());
    assert_eq!(cache::refs_to(&located.snapshot.unwrap()), ["main"]);
}

#[tokio::test]
async fn the_reference_appears_only_when_every_file_is_there() {
    let bench = Bench::new().await;
    let places = Places::under(bench.root.path());
    bench.fault(FLOW, [Fault::Status(404, None)]);
    let mut request = bench.request();
    request.layout = Layout::Cache(places.hub_cache.clone());
    let hub = Hub::new(bench.settings()).unwrap();
    fetch(&hub, &request, &bench.told).await.unwrap_err();
    let repo = cache::repo_folder(&places.hub_cache, REPO);
    assert!(!repo.join("refs/main").exists());
    assert!(!repo.join("snapshots").join(COMMIT).join(FLOW).exists());
    fetch_to_cache(&bench, &places.hub_cache).await;
    assert!(repo.join("refs/main").exists());
}

#[tokio::test]
async fn a_changed_file_gets_a_new_blob_and_the_link_follows() {
    let bench = Bench::new().await;
    let places = Places::under(bench.root.path());
    let before = fetch_to_cache(&bench, &places.hub_cache).await;
    let new = bench.published("pipeline.json").repeat(1);
    let new = [new, b"\n".to_vec()].concat();
    bench.script(|script| {
        let files = script.files.get_mut(REPO).unwrap();
        files.insert("pipeline.json".to_owned(), Content::Bytes(new.clone().into()));
    });
    let after = fetch_to_cache(&bench, &places.hub_cache).await;
    assert_eq!(before.folder, after.folder);
    assert_eq!(fs::read(after.folder.join("pipeline.json")).unwrap(), new);
    let blobs = names(&cache::repo_folder(&places.hub_cache, REPO).join("blobs"));
    assert_eq!(blobs.len(), after.files.len() + 1);
}
