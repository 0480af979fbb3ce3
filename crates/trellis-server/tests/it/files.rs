//! Artifacts and inputs: conditions, ranges, streaming.

use axum::body::Body;
use axum::http::{Method, StatusCode, header};

use crate::kit::{Answer, Kit, png, request};

/// Larger than one chunk, and no chunk like another.
fn content() -> Vec<u8> {
    (0..1_300_000u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

struct Shelf {
    kit: Kit,
    path: String,
}

impl Shelf {
    async fn new() -> Self {
        let kit = Kit::new();
        let id = kit.submit().await;
        kit.succeed(&kit.claim().await, &content()).await;
        Self {
            kit,
            path: format!("/v1/jobs/{id}/artifacts/model.glb"),
        }
    }

    async fn fetch(&self, method: Method, headers: &[(header::HeaderName, &str)]) -> Answer {
        let request = headers
            .iter()
            .fold(request(method, &self.path), |request, (name, value)| {
                request.header(name, *value)
            });
        self.kit.send(request.body(Body::empty()).unwrap()).await
    }
}

#[tokio::test]
async fn a_whole_artifact() {
    let shelf = Shelf::new().await;
    let answer = shelf.fetch(Method::GET, &[]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body == content(), "other bytes");
    let shown = [
        header::CONTENT_TYPE,
        header::CONTENT_LENGTH,
        header::ETAG,
        header::ACCEPT_RANGES,
        header::CACHE_CONTROL,
        header::CONTENT_DISPOSITION,
        header::X_CONTENT_TYPE_OPTIONS,
    ]
    .map(|name| format!("{name}: {}", answer.header(&name)));
    insta::assert_json_snapshot!(shown);
    let head = shelf.fetch(Method::HEAD, &[]).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    assert_eq!(head.header(header::CONTENT_LENGTH), "1300000");
}

#[tokio::test]
async fn a_part_of_an_artifact() {
    let shelf = Shelf::new().await;
    for (range, from, to) in [
        ("bytes=0-9", 0, 10),
        ("bytes=1200000-", 1_200_000, 1_300_000),
        ("bytes=-5", 1_299_995, 1_300_000),
        ("bytes=100-1000099", 100, 1_000_100),
    ] {
        let answer = shelf.fetch(Method::GET, &[(header::RANGE, range)]).await;
        assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT);
        assert!(answer.body == content()[from..to], "{range}: other bytes");
        assert_eq!(
            answer.header(header::CONTENT_RANGE),
            format!("bytes {from}-{}/1300000", to - 1)
        );
        assert_eq!(answer.header(header::CONTENT_LENGTH), (to - from).to_string());
    }
    let outside = shelf
        .fetch(Method::GET, &[(header::RANGE, "bytes=1300000-")])
        .await;
    outside.assert_problem(416, "range_not_satisfiable");
    assert_eq!(outside.header(header::CONTENT_RANGE), "bytes */1300000");
    let several = shelf
        .fetch(Method::GET, &[(header::RANGE, "bytes=0-1,5-6")])
        .await;
    assert_eq!((several.status, several.body.len()), (StatusCode::OK, 1_300_000));
}

#[tokio::test]
async fn conditions() {
    let shelf = Shelf::new().await;
    let etag = shelf
        .fetch(Method::HEAD, &[])
        .await
        .header(header::ETAG)
        .to_owned();
    let same = shelf
        .fetch(
            Method::GET,
            &[(header::IF_NONE_MATCH, &etag), (header::RANGE, "bytes=0-1")],
        )
        .await;
    assert_eq!((same.status, same.body.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!(same.header(header::ETAG), etag);
    let other = shelf
        .fetch(Method::GET, &[(header::IF_NONE_MATCH, "\"other\"")])
        .await;
    assert_eq!(other.status, StatusCode::OK);
    let resumed = shelf
        .fetch(
            Method::GET,
            &[(header::IF_RANGE, &etag), (header::RANGE, "bytes=0-1")],
        )
        .await;
    assert_eq!(resumed.status, StatusCode::PARTIAL_CONTENT);
    let changed = shelf
        .fetch(
            Method::GET,
            &[(header::IF_RANGE, "\"other\""), (header::RANGE, "bytes=0-1")],
        )
        .await;
    assert_eq!((changed.status, changed.body.len()), (StatusCode::OK, 1_300_000));
    for (tag, status) in [(etag.as_str(), 206), ("*", 206), ("\"other\"", 412)] {
        let headers = [(header::IF_MATCH, tag), (header::RANGE, "bytes=0-1")];
        let answer = shelf.fetch(Method::GET, &headers).await;
        assert_eq!(answer.status, status, "{tag}");
    }
    let stale = shelf.fetch(Method::GET, &[(header::IF_MATCH, "\"other\"")]).await;
    stale.assert_problem(412, "precondition_failed");
}

/// A range is of `GET` alone, and what is gone is gone for `HEAD` too.
#[tokio::test]
async fn head_says_what_get_would_give_whole() {
    let shelf = Shelf::new().await;
    let part = shelf.fetch(Method::HEAD, &[(header::RANGE, "bytes=0-1")]).await;
    assert_eq!(
        (part.status, part.header(header::CONTENT_LENGTH)),
        (StatusCode::OK, "1300000")
    );
    std::fs::remove_dir_all(shelf.kit.path().join("blobs/jobs")).unwrap();
    let gone = shelf.fetch(Method::HEAD, &[]).await;
    assert_eq!(gone.status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn a_preview_is_there_before_the_result_and_not_kept_by_caches() {
    let kit = Kit::new();
    let id = kit.submit().await;
    kit.deliver_preview(&kit.claim().await, b"quick").await;
    let answer = kit.get(&format!("/v1/jobs/{id}/artifacts/preview.glb")).await;
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"quick"[..]));
    assert_eq!(answer.header(header::CACHE_CONTROL), "private, no-cache");
}

#[tokio::test]
async fn the_submitted_picture_comes_back() {
    let kit = Kit::new();
    let id = kit.submit().await;
    let answer = kit.get(&format!("/v1/jobs/{id}/input/0")).await;
    assert_eq!((answer.status, answer.body.clone()), (StatusCode::OK, png()));
    assert_eq!(answer.header(header::CONTENT_TYPE), "image/png");
    assert_eq!(
        answer.header(header::CONTENT_DISPOSITION),
        "inline; filename=\"input-0.png\""
    );
}

#[tokio::test]
async fn names_that_are_not_there() {
    let shelf = Shelf::new().await;
    let job = shelf.path.trim_end_matches("/artifacts/model.glb");
    for name in ["other.glb", "..%2F..%2Fjobs.db", "%00", "model.glb%2F"] {
        shelf
            .kit
            .get(&format!("{job}/artifacts/{name}"))
            .await
            .assert_problem(404, "artifact_not_found");
    }
    shelf
        .kit
        .get(&format!("{job}/input/1"))
        .await
        .assert_problem(404, "input_not_found");
    for index in ["-1", "x", "4294967296"] {
        shelf
            .kit
            .get(&format!("{job}/input/{index}"))
            .await
            .assert_problem(400, "invalid_path");
    }
}

#[tokio::test]
async fn a_file_that_was_removed_from_the_disk_is_a_problem() {
    let shelf = Shelf::new().await;
    std::fs::remove_dir_all(shelf.kit.path().join("blobs/jobs")).unwrap();
    let answer = shelf.fetch(Method::GET, &[]).await;
    answer.assert_problem(500, "blob_not_found");
    assert!(!answer.text().contains(shelf.kit.path().to_str().unwrap()));
    let head = shelf.fetch(Method::HEAD, &[]).await;
    assert_eq!(
        head.status, answer.status,
        "`HEAD` promises what `GET` does not keep"
    );
}
