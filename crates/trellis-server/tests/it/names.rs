//! Names of jobs, searching by them, and thumbnails.

use std::io::Cursor;

use axum::body::Body;
use axum::http::{Method, header};
use serde_json::{Value, json};

use crate::kit::{Answer, Kit, Wishes, png, request};

async fn rename(kit: &Kit, id: &str, body: &str) -> Answer {
    let call =
        request(Method::PATCH, &format!("/v1/jobs/{id}")).header(header::CONTENT_TYPE, "application/json");
    kit.send(call.body(Body::from(body.to_owned())).unwrap()).await
}

async fn put(kit: &Kit, id: &str, media_type: &str, picture: impl Into<Body>) -> Answer {
    let call =
        request(Method::PUT, &format!("/v1/jobs/{id}/thumbnail")).header(header::CONTENT_TYPE, media_type);
    kit.send(call.body(picture.into()).unwrap()).await
}

fn names(list: &Value) -> Vec<&str> {
    let jobs = list["jobs"].as_array().unwrap().iter();
    jobs.map(|job| job["name"].as_str().unwrap_or_default()).collect()
}

/// A picture of one colour.
fn picture(width: u32, height: u32, format: image::ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    image::RgbImage::new(width, height)
        .write_to(&mut Cursor::new(&mut bytes), format)
        .unwrap();
    bytes
}

#[tokio::test]
async fn a_job_is_renamed_and_found_by_its_name() {
    let kit = Kit::new();
    let (chair, table) = (kit.submit().await, kit.submit().await);
    let answer = rename(&kit, &chair, r#"{"name": " My Chair.v2\n"}"#).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["name"], "My Chair.v2");
    assert_eq!(rename(&kit, &table, r#"{"name": "Tisch 50%"}"#).await.status, 200);
    // A job is renamed when it has ended, too.
    kit.succeed(&kit.claim().await, b"glb").await;
    assert_eq!(rename(&kit, &chair, r#"{"name": "Red Chair"}"#).await.status, 200);
    for (query, expected) in [
        ("name=chair", vec!["Red Chair"]),
        ("name=RED%20ch", vec!["Red Chair"]),
        ("name=50%25", vec![]),
        ("name=50_", vec!["Tisch 50_"]),
        ("name=nothing", vec![]),
        ("name=", vec!["Tisch 50_", "Red Chair"]),
        ("name=c&state=queued", vec!["Tisch 50_"]),
    ] {
        let list = kit.get(&format!("/v1/jobs?{query}")).await.json();
        assert_eq!(names(&list), expected, "{query}");
    }
    let page = kit.get("/v1/jobs?name=c&limit=1").await.json();
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = kit
        .get(&format!("/v1/jobs?name=c&limit=1&cursor={cursor}"))
        .await
        .json();
    assert_eq!(
        (names(&page), names(&rest)),
        (vec!["Tisch 50_"], vec!["Red Chair"])
    );
    assert_eq!(rest.get("next_cursor"), None);
    let events = kit.get(&format!("/v1/jobs/{chair}/events")).await.text();
    assert!(
        events.contains("event: renamed") && events.contains(r#""name":"Red Chair""#),
        "{events}"
    );
}

#[tokio::test]
async fn a_name_that_says_nothing_is_refused() {
    let kit = Kit::new();
    let id = kit.submit().await;
    for (body, status, kind) in [
        (r#"{"name": "?!"}"#, 422, "invalid_json"),
        (r#"{"name": ""}"#, 422, "invalid_json"),
        (r#"{"name": null}"#, 422, "invalid_json"),
        ("{}", 422, "invalid_json"),
        (r#"{"name": "a", "state": "succeeded"}"#, 422, "invalid_json"),
        ("name=a", 400, "malformed_json"),
    ] {
        rename(&kit, &id, body).await.assert_problem(status, kind);
    }
    let unknown = rename(&kit, "0198b2f4-7c5e-7a6f-8d1e-2f3a4b5c6d7e", r#"{"name": "a"}"#).await;
    unknown.assert_problem(404, "job_not_found");
    assert_eq!(kit.get(&format!("/v1/jobs/{id}")).await.json().get("name"), None);
}

#[tokio::test]
async fn a_thumbnail_is_kept_with_its_job_and_goes_with_it() {
    let kit = Kit::new();
    let id = kit.submit().await;
    let path = format!("/v1/jobs/{id}/thumbnail");
    kit.get(&path).await.assert_problem(404, "thumbnail_not_found");
    assert_eq!(put(&kit, &id, "image/png", png()).await.status, 204);
    let job = kit.get(&format!("/v1/jobs/{id}")).await.json();
    assert_eq!(job["thumbnail"], path);
    let first = kit.get(&path).await;
    assert_eq!((first.status.as_u16(), &first.body), (200, &png()));
    assert_eq!(first.header(header::CONTENT_TYPE), "image/png");
    assert_eq!(first.header(header::CACHE_CONTROL), "private, no-cache");
    let etag = first.header(header::ETAG).to_owned();
    let again = request(Method::GET, &path).header(header::IF_NONE_MATCH, &etag);
    assert_eq!(kit.send(again.body(Body::empty()).unwrap()).await.status, 304);

    // What the bytes are counts, not what the client says.
    let jpeg = picture(16, 8, image::ImageFormat::Jpeg);
    assert_eq!(put(&kit, &id, "image/webp", jpeg.clone()).await.status, 204);
    kit.succeed(&kit.claim().await, b"glb").await;
    let second = kit.get(&path).await;
    assert_eq!(second.header(header::CONTENT_TYPE), "image/jpeg");
    assert!(second.body == jpeg && second.header(header::ETAG) != etag);
    let files = || {
        let period = std::fs::read_dir(kit.path().join("blobs/jobs")).unwrap().next();
        let Some(period) = period else { return 0 };
        let names = std::fs::read_dir(period.unwrap().path()).unwrap();
        names
            .filter(|name| {
                name.as_ref()
                    .unwrap()
                    .file_name()
                    .to_string_lossy()
                    .contains(".thumbnail.")
            })
            .count()
    };
    assert_eq!(files(), 1, "the earlier one is gone");
    let forget = request(Method::DELETE, &format!("/v1/jobs/{id}"));
    assert_eq!(kit.send(forget.body(Body::empty()).unwrap()).await.status, 204);
    assert_eq!(files(), 0);
}

#[tokio::test]
async fn what_is_no_thumbnail_is_refused_and_leaves_nothing() {
    let kit = Kit::new();
    let id = kit.submit().await;
    let wide = picture(1025, 1, image::ImageFormat::Png);
    let tall = picture(1, 1025, image::ImageFormat::Png);
    let gif = b"GIF89a\x01\x00\x01\x00\x00\x00\x00\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;".to_vec();
    for (media_type, body, status, kind) in [
        ("image/png", wide, 422, "not_a_thumbnail"),
        ("image/png", tall, 422, "not_a_thumbnail"),
        ("image/png", gif, 422, "not_a_thumbnail"),
        (
            "image/png",
            picture(2, 2, image::ImageFormat::Bmp),
            422,
            "not_a_thumbnail",
        ),
        ("image/png", png()[..20].to_vec(), 422, "picture_damaged"),
        (
            "image/png",
            b"<svg onload='alert(1)'/>".to_vec(),
            422,
            "picture_format",
        ),
        ("image/png", Vec::new(), 422, "picture_format"),
        ("image/svg+xml", png().to_vec(), 415, "unsupported_media_type"),
        ("text/plain", png().to_vec(), 415, "unsupported_media_type"),
        ("image/png", vec![0; (256 << 10) + 1], 413, "body_too_large"),
    ] {
        put(&kit, &id, media_type, body)
            .await
            .assert_problem(status, kind);
    }
    let parts = [vec![0u8; 200_000], vec![0; 200_000]].map(Ok::<_, std::io::Error>);
    let unannounced = Body::from_stream(futures::stream::iter(parts));
    put(&kit, &id, "image/png", unannounced)
        .await
        .assert_problem(413, "body_too_large");
    assert_eq!(
        kit.get(&format!("/v1/jobs/{id}")).await.json().get("thumbnail"),
        None
    );
    let unknown = put(&kit, "0198b2f4-7c5e-7a6f-8d1e-2f3a4b5c6d7e", "image/png", png()).await;
    unknown.assert_problem(404, "job_not_found");
}

#[tokio::test]
async fn another_keys_job_is_neither_renamed_nor_pictured() {
    let kit = Kit::with(Wishes {
        keys: Some("studio s3cret-of-the-studio\nclient the-other-secret"),
        ..Wishes::default()
    });
    let with = |key: &str, method: Method, path: &str, media_type: &str| {
        request(method, path)
            .header(header::AUTHORIZATION, format!("Bearer {key}"))
            .header(header::CONTENT_TYPE, media_type)
    };
    let body = json!({"images": [crate::kit::png_uri()]}).to_string();
    let call = with(
        "s3cret-of-the-studio",
        Method::POST,
        "/v1/jobs",
        "application/json",
    );
    let submitted = kit.send(call.body(Body::from(body)).unwrap()).await.json();
    let path = format!("/v1/jobs/{}", submitted["id"].as_str().unwrap());
    let thumbnail = format!("{path}/thumbnail");
    for (method, path, media_type, body) in [
        (
            Method::PATCH,
            &path,
            "application/json",
            r#"{"name": "mine"}"#.into(),
        ),
        (Method::PUT, &thumbnail, "image/png", png()),
        (Method::GET, &thumbnail, "image/png", png()),
    ] {
        let call = with("the-other-secret", method, path, media_type);
        let answer = kit.send(call.body(Body::from(body)).unwrap()).await;
        answer.assert_problem(404, "job_not_found");
    }
    let call = with("the-other-secret", Method::GET, "/v1/jobs?name=", "");
    let list = kit.send(call.body(Body::empty()).unwrap()).await.json();
    assert_eq!(list["jobs"], json!([]));
}
