//! API keys: who comes in, what the others are told, what the contract says of it.

use axum::body::Body;
use axum::http::{Method, header};
use serde_json::json;
use trellis_jobs::StoreStats;
use trellis_server::{AllowedOrigins, ApiKeys};

use crate::kit::{Answer, Kit, Wishes, form, png, png_uri, request, submission};

fn kit() -> Kit {
    Kit::with(Wishes {
        keys: Some("studio s3cret-of-the-studio\nclient the-other-secret"),
        ..Wishes::default()
    })
}

async fn jobs(kit: &Kit, authorization: Option<&str>) -> Answer {
    let mut call = request(Method::GET, "/v1/jobs");
    if let Some(value) = authorization {
        call = call.header(header::AUTHORIZATION, value);
    }
    kit.send(call.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_key_is_needed_where_keys_are_set() {
    let kit = kit();
    let none = jobs(&kit, None).await;
    none.assert_problem(401, "api_key_missing");
    assert_eq!(none.header(header::WWW_AUTHENTICATE), "Bearer");
    for wrong in [
        "Bearer s3cret-of-the-studi",
        "Bearer studio",
        "Basic s3cret-of-the-studio",
        "s3cret-of-the-studio",
    ] {
        let answer = jobs(&kit, Some(wrong)).await;
        let problem = answer.assert_problem(401, "api_key_unknown");
        assert_eq!(
            answer.header(header::WWW_AUTHENTICATE),
            r#"Bearer error="invalid_token""#
        );
        assert!(!problem.to_string().contains("s3cre"), "{problem}");
    }
    for right in ["Bearer s3cret-of-the-studio", "bearer the-other-secret"] {
        assert_eq!(jobs(&kit, Some(right)).await.status, 200, "{right}");
    }
    let open = Kit::new();
    assert_eq!(
        jobs(&open, Some("Bearer whatever")).await.status,
        200,
        "NIM clients send one unasked"
    );
}

#[tokio::test]
async fn a_body_is_not_taken_without_a_key() {
    let kit = kit();
    let refused = kit.send(form(&[("image", &png())])).await;
    refused.assert_problem(401, "api_key_missing");
    assert_eq!(kit.state.jobs.stats().await.unwrap(), StoreStats::default());
}

/// Every route with every method: whatever the contract does not declare open is closed, and so is what it does not
/// know.
#[tokio::test]
async fn only_what_tells_nothing_of_jobs_is_open() {
    let kit = kit();
    let contract = serde_json::to_value(trellis_server::openapi(16)).unwrap();
    assert_eq!(contract["security"], json!([{}, {"key": []}, {"session": []}]));
    assert_eq!(
        contract["components"]["securitySchemes"]["key"]["scheme"],
        "bearer"
    );
    let mut open = Vec::new();
    // Routes of other contracts, and paths without one.
    let mut closed: Vec<String> = [
        "/generate",
        "/metrics",
        "/v1/metrics",
        "/v1/new",
        "/new",
        "/v1",
        "/v1/",
    ]
    .map(str::to_owned)
    .into();
    for (path, item) in contract["paths"].as_object().unwrap() {
        let mut operations = item.as_object().unwrap().values();
        if operations
            .clone()
            .any(|operation| operation["security"] == json!([{}]))
        {
            assert!(
                operations.all(|operation| operation["security"] == json!([{}])),
                "{path}"
            );
            open.push(path.as_str());
            continue;
        }
        for operation in operations {
            for status in ["401", "403", "429"] {
                assert!(operation["responses"][status].is_object(), "{path} {status}");
            }
        }
        closed.push(
            path.replace("{id}", "0198b2f4-7c5e-7a6f-8d1e-2f3a4b5c6d7e")
                .replace("{index}", "0")
                .replace("{name}", "model.glb")
                .replace("{command}", "drain"),
        );
    }
    for path in &closed {
        assert!(!path.contains('{'), "{path}");
        for method in [
            "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND",
        ] {
            let call = request(method.parse().unwrap(), path)
                .body(Body::empty())
                .unwrap();
            let answer = kit.send(call).await;
            assert_eq!(answer.status, 401, "{method} {path}");
            if method != "HEAD" {
                answer.assert_problem(401, "api_key_missing");
            }
        }
    }
    open.sort_unstable();
    open.dedup();
    assert_eq!(
        open,
        [
            "/v1/health/live",
            "/v1/health/ready",
            "/v1/session",
            "/v1/version"
        ]
    );
    for path in ["/", "/docs", "/docs/style.css", "/openapi.json"] {
        let page = kit.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert_eq!(
            page.body,
            Kit::new().get(path).await.body,
            "{path} is the same on every server"
        );
    }
    for path in [
        "/nothing",
        "/v1/health/",
        "/v1/health/../jobs",
        "//v1/version",
        "/v1/version/",
    ] {
        kit.get(path).await.assert_problem(401, "api_key_missing");
    }
}

#[tokio::test]
async fn a_page_of_an_allowed_site_may_ask_before_it_sends_its_key() {
    let origin = "https://studio.example";
    let kit = Kit::with(Wishes {
        keys: Some("studio s3cret-of-the-studio"),
        origins: AllowedOrigins::new([origin]).unwrap(),
        ..Wishes::default()
    });
    let ask = request(Method::OPTIONS, "/v1/jobs")
        .header(header::ORIGIN, origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization");
    let ask = kit.send(ask.body(Body::empty()).unwrap()).await;
    assert_eq!(ask.status, 200);
    assert!(
        ask.header("access-control-allow-headers")
            .contains("authorization")
    );
    let refused = request(Method::GET, "/v1/jobs").header(header::ORIGIN, origin);
    let refused = kit.send(refused.body(Body::empty()).unwrap()).await;
    refused.assert_problem(401, "api_key_missing");
    assert_eq!(
        refused.header(header::ACCESS_CONTROL_ALLOW_ORIGIN),
        origin,
        "the page may read why"
    );
}

#[tokio::test]
async fn exchanged_keys_count_at_once() {
    let kit = kit();
    kit.state
        .keys
        .replace(ApiKeys::parse("studio a-new-secret-of-it").unwrap());
    jobs(&kit, Some("Bearer s3cret-of-the-studio"))
        .await
        .assert_problem(401, "api_key_unknown");
    assert_eq!(jobs(&kit, Some("Bearer a-new-secret-of-it")).await.status, 200);
}

/// The job that a key gets for a request with this `Idempotency-Key`.
async fn submitted(kit: &Kit, secret: &str, seed: u32) -> Answer {
    let mut request = submission(&json!({"images": [png_uri()], "params": {"seed": seed}}));
    let headers = request.headers_mut();
    headers.insert("idempotency-key", "k1".parse().unwrap());
    headers.insert(header::AUTHORIZATION, format!("Bearer {secret}").parse().unwrap());
    kit.send(request).await
}

async fn with_key(kit: &Kit, secret: &str, method: Method, path: &str) -> Answer {
    let call = request(method, path).header(header::AUTHORIZATION, format!("Bearer {secret}"));
    kit.send(call.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn each_key_has_its_own_jobs_and_its_own_idempotency_keys() {
    let kit = kit();
    let mut ids = Vec::new();
    // The same request, and another one: neither is the other key's business.
    for (secret, seed) in [
        ("s3cret-of-the-studio", 7),
        ("the-other-secret", 7),
        ("s3cret-of-the-studio", 7),
    ] {
        let answer = submitted(&kit, secret, seed).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        ids.push(answer.json()["id"].as_str().unwrap().to_owned());
    }
    assert!(ids[0] != ids[1] && ids[0] == ids[2], "{ids:?}");
    submitted(&kit, "the-other-secret", 8)
        .await
        .assert_problem(422, "idempotency_key_reused");
    for (secret, id) in [("s3cret-of-the-studio", &ids[0]), ("the-other-secret", &ids[1])] {
        let list = with_key(&kit, secret, Method::GET, "/v1/jobs").await.json();
        let listed: Vec<&str> = list["jobs"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|job| job["id"].as_str())
            .collect();
        assert_eq!(listed, [id.as_str()]);
    }
    let path = format!("/v1/jobs/{}", ids[0]);
    for rest in ["", "/events", "/artifacts/model.glb", "/input/0", "/statement"] {
        let answer = with_key(&kit, "the-other-secret", Method::GET, &format!("{path}{rest}")).await;
        answer.assert_problem(404, "job_not_found");
    }
    let answer = with_key(&kit, "the-other-secret", Method::DELETE, &path).await;
    answer.assert_problem(404, "job_not_found");
    let input = with_key(
        &kit,
        "s3cret-of-the-studio",
        Method::GET,
        &format!("{path}/input/0"),
    )
    .await;
    assert_eq!(input.body, png());
    let job = with_key(&kit, "s3cret-of-the-studio", Method::GET, &path)
        .await
        .json();
    assert_eq!(job["state"], "queued");
    assert!(
        !job.to_string().contains("studio"),
        "the contract of a job has no owner: {job}"
    );
    let workers = with_key(&kit, "the-other-secret", Method::GET, "/v1/workers")
        .await
        .json();
    assert_eq!(workers["workers"].as_array().unwrap().len(), 1);
}

/// A server that gets keys still shows what was submitted while it was open to everyone.
#[tokio::test]
async fn jobs_of_the_time_without_keys_stay_open() {
    let kit = Kit::new();
    let id = kit.submit().await;
    kit.state
        .keys
        .replace(ApiKeys::parse("studio s3cret-of-the-studio\nclient the-other-secret").unwrap());
    for secret in ["s3cret-of-the-studio", "the-other-secret"] {
        let job = with_key(&kit, secret, Method::GET, &format!("/v1/jobs/{id}")).await;
        assert_eq!(job.status, 200);
        let list = with_key(&kit, secret, Method::GET, "/v1/jobs").await.json();
        assert_eq!(list["jobs"].as_array().unwrap().len(), 1);
    }
}

/// As a client that goes through a list of passwords; somebody else works behind the same address.
#[tokio::test]
async fn wrong_keys_are_slowed_and_right_ones_work_on() {
    let kit = kit();
    let right = Some("Bearer s3cret-of-the-studio");
    assert_eq!(jobs(&kit, right).await.status, 200);
    for _ in 0..10 {
        jobs(&kit, Some("Bearer a-guess-of-somebody"))
            .await
            .assert_problem(401, "api_key_unknown");
    }
    for guess in ["Bearer another-guess-of-it", "Bearer the-other-secret"] {
        let slowed = jobs(&kit, Some(guess)).await;
        slowed.assert_problem(429, "too_many_wrong_keys");
        let after: u16 = slowed.header(header::RETRY_AFTER).parse().unwrap();
        assert!((1..=6).contains(&after), "{after}");
    }
    assert_eq!(jobs(&kit, right).await.status, 200);
    jobs(&kit, None).await.assert_problem(401, "api_key_missing");
    let page =
        request(Method::GET, "/v1/version").header(header::AUTHORIZATION, "Bearer a-guess-of-somebody");
    assert_eq!(kit.send(page.body(Body::empty()).unwrap()).await.status, 200);
}

/// Behind a proxy, a client that guesses does not slow the others.
#[tokio::test]
async fn a_trusted_proxy_tells_clients_apart() {
    // Requests that come over no connection have no address.
    for (proxies, others) in [(vec!["0.0.0.0"], 200), (vec![], 429)] {
        let kit = Kit::with(Wishes {
            keys: Some("studio s3cret-of-the-studio\nclient the-other-secret"),
            proxies,
            ..Wishes::default()
        });
        let from = |client: &'static str, key: &'static str| {
            let call = request(Method::GET, "/v1/jobs").header("x-forwarded-for", client);
            let call = call.header(header::AUTHORIZATION, format!("Bearer {key}"));
            kit.send(call.body(Body::empty()).unwrap())
        };
        for _ in 0..10 {
            assert_eq!(from("198.51.100.1", "a-guess-of-somebody").await.status, 401);
        }
        assert_eq!(from("198.51.100.1", "the-other-secret").await.status, 429);
        assert_eq!(from("198.51.100.2", "the-other-secret").await.status, others);
    }
}
