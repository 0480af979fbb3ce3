//! `POST /v1/jobs`.

use axum::body::{Body, Bytes};
use axum::http::{Method, StatusCode, header};
use serde_json::json;
use trellis_jobs::{JobLimits, JobQuery};

use crate::kit::{Kit, Wishes, form, form_body, png, png_uri, request, settled, submission};

#[tokio::test]
async fn a_form_becomes_a_job_on_disk() {
    let kit = Kit::new();
    let picture = png();
    let parts: [(&str, &[u8]); 4] = [
        ("image", &picture),
        ("image", &picture),
        ("params", br#"{"seed": 3, "formats": ["glb"]}"#),
        ("backend", b"relief"),
    ];
    let answer = kit.send(form(&parts)).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
    let job = answer.json();
    assert_eq!(
        answer.header(header::LOCATION),
        format!("/v1/jobs/{}", job["id"].as_str().unwrap())
    );
    insta::assert_json_snapshot!(settled(job.clone()));
    // What was accepted is what is read back, through a store opened anew.
    let id = job["id"].as_str().unwrap().parse().unwrap();
    let reopened = trellis_jobs::SqliteStore::open(&kit.path().join("jobs.db")).unwrap();
    let stored = trellis_jobs::JobStore::get(&reopened, id).await.unwrap();
    assert_eq!(serde_json::to_value(stored).unwrap(), job);
}

#[tokio::test]
async fn the_file_s_name_becomes_the_object_s() {
    let kit = Kit::new();
    let names = [
        ("my chair.png", Some("my chair")),
        ("C:\\\\photos\\\\stuhl grün.webp", Some("stuhl grün")),
        ("???", None),
    ];
    for (file_name, expected) in names {
        let mut body = form_body(&[("image", &png())]);
        let place = body
            .windows(12)
            .position(|part| part == b"name=\"image\"")
            .unwrap()
            + 12;
        let name = format!("; filename=\"{file_name}\"");
        body.splice(place..place, name.into_bytes());
        let request = request(Method::POST, "/v1/jobs")
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=cut")
            .body(Body::from(body));
        let answer = kit.send(request.unwrap()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
        assert_eq!(
            answer.json()["inputs"][0]["name"].as_str(),
            expected,
            "{file_name}"
        );
    }
}

#[tokio::test]
async fn json_with_data_uris_becomes_a_job() {
    let kit = Kit::new();
    let body = json!({"images": [png_uri()], "params": {"seed": 3}, "backend": null});
    let answer = kit.send(submission(&body)).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
    assert_eq!(answer.json()["inputs"][0]["size_bytes"], png().len());
}

/// The server's default is `exact` here, and the contract names none.
#[tokio::test]
async fn a_job_says_its_quality_whether_it_was_asked_for_or_not() {
    let kit = Kit::new();
    for (params, expected) in [
        (json!({}), "exact"),
        (json!({"quality": "draft"}), "draft"),
        (json!({"quality": null}), "exact"),
    ] {
        let answer = kit
            .send(submission(&json!({"images": [png_uri()], "params": params})))
            .await;
        assert_eq!(answer.json()["params"]["quality"], expected, "{params}");
    }
    let unknown = submission(&json!({"images": [png_uri()], "params": {"quality": "best"}}));
    kit.send(unknown).await.assert_problem(422, "invalid_json");
    let contract = kit.get("/openapi.json").await.json();
    let asked = &contract["components"]["schemas"]["ParamsPatch"]["properties"]["quality"];
    assert!(asked["default"].is_null());
    assert!(asked.to_string().contains("as the server is set"), "{asked}");
    assert!(
        contract["components"]["schemas"]["Quality"]
            .to_string()
            .contains("0.823")
    );
}

#[tokio::test]
async fn a_charset_after_the_media_type_is_no_obstacle() {
    let kit = Kit::new();
    let request =
        request(Method::POST, "/v1/jobs").header(header::CONTENT_TYPE, "Application/JSON; charset=utf-8");
    let body = json!({"images": [png_uri()]}).to_string();
    assert_eq!(
        kit.send(request.body(Body::from(body)).unwrap()).await.status,
        StatusCode::ACCEPTED
    );
}

#[tokio::test]
async fn the_same_key_answers_with_the_same_job() {
    let kit = Kit::new();
    let keyed = |mut request: axum::http::Request<Body>, key: &'static str| {
        request
            .headers_mut()
            .insert("idempotency-key", key.parse().unwrap());
        request
    };
    let body = json!({"images": [png_uri()], "params": {"seed": 3}});
    let first = kit.send(keyed(submission(&body), "k1")).await;
    assert_eq!(first.header("idempotency-replayed"), "");
    let again = kit.send(keyed(submission(&body), "k1")).await;
    assert_eq!(
        (again.status, again.header("idempotency-replayed")),
        (StatusCode::ACCEPTED, "true")
    );
    assert_eq!(again.json()["id"], first.json()["id"]);
    // The same request in another encoding is the same request.
    let as_form = kit
        .send(keyed(
            form(&[("params", br#"{"seed": 3}"#), ("image", &png())]),
            "k1",
        ))
        .await;
    assert_eq!(as_form.json()["id"], first.json()["id"]);
    let other = json!({"images": [png_uri()], "params": {"seed": 4}});
    kit.send(keyed(submission(&other), "k1"))
        .await
        .assert_problem(422, "idempotency_key_reused");
    assert_eq!(
        kit.send(keyed(submission(&other), "k2")).await.status,
        StatusCode::ACCEPTED
    );
    kit.send(keyed(submission(&body), ""))
        .await
        .assert_problem(400, "invalid_header");
    let all = kit
        .state
        .jobs
        .store
        .list(JobQuery {
            limit: 9,
            ..JobQuery::default()
        })
        .await
        .unwrap();
    assert_eq!(all.jobs.len(), 2);
}

#[tokio::test]
async fn malformed_bodies_are_refused() {
    let kit = Kit::new();
    for (media_type, body, status, kind) in [
        ("application/json", "{", 400, "malformed_json"),
        ("application/json", "", 400, "malformed_json"),
        ("text/plain", "hello", 415, "unsupported_media_type"),
        ("multipart/form-data", "x", 400, "boundary_missing"),
        ("multipart/form-data; charset=utf-8", "x", 400, "boundary_missing"),
        ("multipart/form-data; boundary=\"\"", "x", 400, "boundary_missing"),
        (
            "application/x-www-form-urlencoded",
            "image=@photo.png",
            415,
            "unsupported_media_type",
        ),
        (
            "multipart/form-data; boundary=cut",
            "--cut\r\nnonsense",
            400,
            "body_unreadable",
        ),
        (
            "multipart/form-data; boundary=cut",
            "--cut\r\ncontent-disposition: form-data; name=\"image\"\r\n\r\nabc",
            400,
            "body_unreadable",
        ),
    ] {
        let request = request(Method::POST, "/v1/jobs").header(header::CONTENT_TYPE, media_type);
        kit.send(request.body(Body::from(body)).unwrap())
            .await
            .assert_problem(status, kind);
    }
    let untyped = request(Method::POST, "/v1/jobs").body(Body::from("{}")).unwrap();
    kit.send(untyped)
        .await
        .assert_problem(415, "unsupported_media_type");
}

#[tokio::test]
async fn a_compressed_body_is_named_as_what_it_is() {
    let kit = Kit::new();
    let send = |encoding: &'static str| {
        let mut request = submission(&json!({"images": [png_uri()]}));
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_ENCODING, encoding.parse().unwrap());
        kit.send(request)
    };
    for encoding in ["gzip", "br, identity", "Zstd"] {
        let problem = send(encoding).await.assert_problem(415, "unsupported_encoding");
        let named = format!("`Content-Encoding: {}`", encoding.to_lowercase());
        assert!(problem["detail"].as_str().unwrap().contains(&named), "{problem}");
    }
    assert_eq!(send("identity").await.status, StatusCode::ACCEPTED);
}

/// As `base64` without `-w0`, as tools for URLs and as people write it.
#[tokio::test]
async fn base64_is_taken_as_tools_write_it() {
    let kit = Kit::new();
    let (opening, content) = png_uri()
        .split_once(',')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let lines: Vec<&str> = content
        .as_bytes()
        .chunks(20)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    for content in [
        lines.join("\r\n"),
        content.replace('+', "-").replace('/', "_").replace('=', ""),
        content
            .replace('+', "%2B")
            .replace('/', "%2F")
            .replace('=', "%3D"),
        format!("\n  {content}\n"),
    ] {
        let uri = format!("{opening},{content}");
        let answer = kit.send(submission(&json!({"images": [uri]}))).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{uri}: {}", answer.text());
        assert_eq!(answer.json()["inputs"][0]["size_bytes"], png().len());
    }
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_announced_or_not() {
    let kit = Kit::new();
    let picture = vec![0; 270 * 1024];
    let announced = request(Method::POST, "/v1/jobs")
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=cut")
        .header(header::CONTENT_LENGTH, 270 * 1024);
    // The answer comes before any of the body: this body never ends.
    let endless = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
    kit.send(announced.body(endless).unwrap())
        .await
        .assert_problem(413, "body_too_large");

    let in_chunks = |body: Vec<u8>, media_type: &str| {
        let chunks: Vec<_> = body
            .chunks(1000)
            .map(|chunk| Ok::<_, std::io::Error>(Bytes::copy_from_slice(chunk)))
            .collect();
        let body = Body::from_stream(futures::stream::iter(chunks));
        request(Method::POST, "/v1/jobs")
            .header(header::CONTENT_TYPE, media_type)
            .body(body)
            .unwrap()
    };
    let body = form_body(&[("image", &picture)]);
    let answer = kit
        .send(in_chunks(body, "multipart/form-data; boundary=cut"))
        .await;
    answer.assert_problem(413, "body_too_large");
    let answer = kit
        .send(in_chunks(vec![b' '; 270 * 1024], "application/json"))
        .await;
    answer.assert_problem(413, "body_too_large");
}

#[tokio::test]
async fn pixels_are_counted_from_the_header() {
    let kit = Kit::with(Wishes {
        jobs: JobLimits {
            max_pixels: 3,
            queue_limit: 9,
            ..Wishes::default().jobs
        },
        ..Wishes::default()
    });
    let answer = kit.send(submission(&json!({"images": [png_uri()]}))).await;
    let problem = answer.assert_problem(422, "picture_too_large");
    assert_eq!(
        problem["detail"],
        "picture 1 cannot be used: the picture has 2 × 2 pixels, the limit is 3"
    );
}

#[tokio::test]
async fn a_full_queue_says_when_to_try_again() {
    let kit = Kit::with(Wishes {
        jobs: JobLimits {
            max_pixels: 99,
            queue_limit: 2,
            ..Wishes::default().jobs
        },
        ..Wishes::default()
    });
    kit.submit().await;
    kit.submit().await;
    let answer = kit.send(submission(&json!({"images": [png_uri()]}))).await;
    answer.assert_problem(503, "queue_full");
    assert_eq!(answer.header(header::RETRY_AFTER), "15");
}

#[tokio::test]
async fn while_the_queue_is_full_no_body_is_read() {
    let kit = Kit::with(Wishes {
        jobs: JobLimits {
            queue_limit: 2,
            ..Wishes::default().jobs
        },
        ..Wishes::default()
    });
    kit.submit().await;
    kit.submit().await;
    // Only now it is known.
    let surplus = || submission(&json!({"images": [png_uri()]}));
    kit.send(surplus()).await.assert_problem(503, "queue_full");
    let unread = || Body::from_stream(futures::stream::pending::<std::io::Result<Bytes>>());
    let request = |path| request(Method::POST, path).header(header::CONTENT_TYPE, "application/json");
    let answer = kit.send(request("/v1/jobs").body(unread()).unwrap()).await;
    answer.assert_problem(503, "queue_full");
    assert_eq!(answer.header(header::RETRY_AFTER), "15");
    let answer = kit.send(request("/v1/infer").body(unread()).unwrap()).await;
    assert_eq!(
        answer.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "{}",
        answer.text()
    );
    let _claim = kit.claim().await;
    // One place is free: one body is read, and another would find none.
    let first = kit.send(request("/v1/jobs").body(unread()).unwrap());
    let second = kit.send(request("/v1/jobs").body(unread()).unwrap());
    tokio::select! {
        biased;
        answer = first => panic!("its body has not come: {}", answer.text()),
        answer = second => answer.assert_problem(503, "queue_full"),
    };
    assert_eq!(kit.send(surplus()).await.status, StatusCode::ACCEPTED);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_sending_is_let_go() {
    let kit = Kit::new();
    let start = futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"{"))]);
    let body = Body::from_stream(futures::StreamExt::chain(start, futures::stream::pending()));
    let request = request(Method::POST, "/v1/jobs").header(header::CONTENT_TYPE, "application/json");
    kit.send(request.body(body).unwrap())
        .await
        .assert_problem(408, "body_too_slow");
}
