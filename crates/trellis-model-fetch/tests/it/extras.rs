//! DINOv2's code and weights, and u2net: from a mirror, verified, where torch.hub and rembg look.

use std::fs;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use trellis_core::Explain as _;
use trellis_model_fetch::{ExtraSources, FetchError, FetchedFile, How, Hub, fetch_extras};
use trellis_models::Places;
use trellis_models::extras::Dinov2;

use crate::kit::Bench;
use crate::stand_in::{Content, Fault};

const U2NET: &[u8] = b"a network for removing backgrounds";
const WEIGHTS: usize = 50_000;

fn network() -> Dinov2 {
    Dinov2::from_name("dinov2_vitl14_reg").unwrap()
}

fn tarball(path: &str) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_size(3);
    header.set_mode(0o644);
    // The name is written by hand: the safe way refuses `..`.
    header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_cksum();
    archive.append(&header, &b"abc"[..]).unwrap();
    let mut encoder = archive.into_inner().unwrap();
    encoder.flush().unwrap();
    encoder.finish().unwrap()
}

/// A mirror with all three, and what the code's tree must hash to.
async fn mirror() -> (Bench, ExtraSources) {
    let bench = Bench::new().await;
    let tree = bench.root.path().join("tree");
    fs::create_dir_all(&tree).unwrap();
    fs::write(tree.join("hubconf.py"), "abc").unwrap();
    bench.script(|script| {
        let files = script.files.entry("mirror/extras".to_owned()).or_default();
        let mut add =
            |name: &str, bytes: Vec<u8>| files.insert(name.to_owned(), Content::Bytes(bytes.into()));
        add("dinov2.tar.gz", tarball("dinov2-b8931f7/hubconf.py"));
        add("dinov2_vitl14_reg4_pretrain.pth", vec![7; WEIGHTS]);
        add("u2net.onnx", U2NET.to_vec());
    });
    let base = format!("{}/bytes/mirror/extras", bench.hub.endpoint());
    let mut sources = ExtraSources::published(Some(network()))
        .unwrap()
        .mirrored(&base)
        .unwrap();
    sources.code_nar_hash = trellis_closure::hash_path(&tree).unwrap().0.to_sri_string();
    sources.weights.size = Some(WEIGHTS as u64);
    sources.weights.sha256 = Some(Content::Bytes(vec![7; WEIGHTS].into()).sha256());
    sources.u2net.size = Some(U2NET.len() as u64);
    sources.u2net.sha256 = Some(Content::Bytes(U2NET.into()).sha256());
    (bench, sources)
}

async fn bring(
    bench: &Bench,
    sources: &ExtraSources,
    places: &Places,
) -> Result<Vec<FetchedFile>, FetchError> {
    let hub = Hub::new(bench.settings()).unwrap();
    let extras = trellis_models::extras::needed(network(), places);
    fetch_extras(&hub, &extras, sources, places, &bench.told).await
}

#[tokio::test]
async fn all_three_arrive_where_their_readers_look_and_are_not_fetched_twice() {
    let (bench, sources) = mirror().await;
    let places = Places::under(bench.root.path());
    bench.fault("dinov2_vitl14_reg4_pretrain.pth", [Fault::Pass, Fault::Cut(1000)]);
    bring(&bench, &sources, &places).await.unwrap();
    for extra in trellis_models::extras::needed(network(), &places) {
        assert!(extra.path.is_file(), "{}", extra.path.display());
    }
    let torch = fs::read_dir(&places.torch_hub).unwrap().count();
    assert_eq!(torch, 2, "the archive is gone: only code and checkpoints stay");
    bench.script(|script| script.requests.clear());
    let again = bring(&bench, &sources, &places).await.unwrap();
    assert!(again.iter().all(|file| file.how == How::AlreadyThere));
    assert!(bench.hub.script.lock().unwrap().requests.is_empty());
}

#[tokio::test]
async fn another_tree_is_refused_and_one_that_is_in_the_way_is_kept_beside() {
    let (bench, sources) = mirror().await;
    let places = Places::under(bench.root.path());
    let mut other = sources.clone();
    other.code_nar_hash = "sha256-AAAA".to_owned();
    let error = bring(&bench, &other, &places).await.unwrap_err();
    assert_eq!(error.kind(), "wrong_digest");
    let code = trellis_models::extras::dinov2_code(&places);
    assert!(!code.exists());
    fs::create_dir_all(&code).unwrap();
    fs::write(code.join("hubconf.py"), "older").unwrap();
    bring(&bench, &sources, &places).await.unwrap();
    assert_eq!(fs::read(code.join("hubconf.py")).unwrap(), b"abc");
    let kept = code.with_file_name("facebookresearch_dinov2_main.before-fetch");
    assert_eq!(fs::read(kept.join("hubconf.py")).unwrap(), b"older");
}

#[tokio::test]
async fn an_archive_that_leads_out_of_its_folder_writes_nothing_there() {
    let (bench, sources) = mirror().await;
    let places = Places::under(bench.root.path());
    bench.script(|script| {
        let files = script.files.get_mut("mirror/extras").unwrap();
        files.insert(
            "dinov2.tar.gz".to_owned(),
            Content::Bytes(tarball("../../escaped.py").into()),
        );
    });
    let error = bring(&bench, &sources, &places).await.unwrap_err();
    assert_eq!(error.kind(), "archive");
    assert!(!bench.root.path().join("torch/escaped.py").exists());
    assert!(!places.torch_hub.join("escaped.py").exists());
}

#[tokio::test]
async fn a_wrong_u2net_is_found_by_its_hash() {
    let (bench, mut sources) = mirror().await;
    sources.u2net.sha256 = Some("0".repeat(64));
    let places = Places::under(bench.root.path());
    assert_eq!(
        bring(&bench, &sources, &places).await.unwrap_err().kind(),
        "wrong_digest"
    );
    assert!(!places.u2net.join("u2net.onnx").exists());
}

#[test]
fn the_published_places_are_the_pinned_ones_and_those_beside_them() {
    let pinned = ExtraSources::published(Some(network())).unwrap();
    insta::assert_debug_snapshot!([
        pinned.code.as_str(),
        pinned.weights.url.as_str(),
        pinned.u2net.url.as_str()
    ]);
    assert!(pinned.code_nar_hash.starts_with("sha256-"));
    assert!(pinned.u2net.sha256.is_some());
    let other = ExtraSources::published(Dinov2::from_name("dinov2_vitb14")).unwrap();
    let folder = pinned
        .weights
        .url
        .as_str()
        .trim_end_matches("dinov2_vitl14/dinov2_vitl14_reg4_pretrain.pth");
    assert_eq!(
        other.weights.url.as_str(),
        format!("{folder}dinov2_vitb14/dinov2_vitb14_pretrain.pth")
    );
    assert_eq!(other.weights.size, None);
}
