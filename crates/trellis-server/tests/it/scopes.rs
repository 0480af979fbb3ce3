//! What keys may do: scopes, limits of each key, and an admin's view.

use axum::body::Body;
use axum::http::{Method, header};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use trellis_jobs::JobLimits;
use trellis_server::{ApiKeys, HttpLimits, app};

use crate::kit::{Answer, Kit, Wishes, png_uri, request, submission};

const KEYS: &str = "up up-with-that-thing scopes=submit
    down down-with-that-thing scopes=read
    boss the-boss-of-all-things scopes=admin
    plain just-another-of-the-keys";

fn secret(name: &str) -> &'static str {
    match name {
        "up" => "up-with-that-thing",
        "down" => "down-with-that-thing",
        "boss" => "the-boss-of-all-things",
        _ => "just-another-of-the-keys",
    }
}

fn kit(keys: &'static str) -> Kit {
    Kit::with(Wishes {
        keys: Some(keys),
        ..Wishes::default()
    })
}

async fn call(kit: &Kit, name: &str, method: Method, path: &str) -> Answer {
    let call = request(method, path).header(header::AUTHORIZATION, format!("Bearer {}", secret(name)));
    kit.send(call.body(Body::empty()).unwrap()).await
}

async fn submit(kit: &Kit, name: &str, seed: u32) -> Answer {
    let mut request = submission(&json!({"images": [png_uri()], "params": {"seed": seed}}));
    let key = format!("Bearer {}", secret(name)).parse().unwrap();
    request.headers_mut().insert(header::AUTHORIZATION, key);
    kit.send(request).await
}

fn id(answer: &Answer) -> String {
    assert_eq!(answer.status, 202, "{}", answer.text());
    answer.json()["id"].as_str().unwrap().to_owned()
}

fn listed(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["jobs"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_key_does_what_its_scopes_say() {
    let kit = kit(KEYS);
    let job = "/v1/jobs/0198b2f4-7c5e-7a6f-8d1e-2f3a4b5c6d7e";
    let file = format!("{job}/artifacts/model.glb");
    let events = format!("{job}/events");
    let cancel = format!("{job}/cancel");
    let all: &[&str] = &["up", "down", "boss", "plain"];
    let submitters: &[&str] = &["up", "plain"];
    for (method, path, allowed, scopes) in [
        (Method::POST, "/v1/jobs", submitters, "`submit`"),
        (Method::POST, "/v1/infer", submitters, "`submit`"),
        (Method::POST, "/generate", submitters, "`submit`"),
        (
            Method::GET,
            "/v1/jobs",
            &["down", "boss", "plain"],
            "`read` or `admin`",
        ),
        (Method::HEAD, "/v1/jobs", &["down", "boss", "plain"], ""),
        (Method::GET, job, all, ""),
        (Method::GET, &file, all, ""),
        (Method::GET, &events, all, ""),
        (
            Method::DELETE,
            job,
            &["up", "boss", "plain"],
            "`submit` or `admin`",
        ),
        (
            Method::POST,
            &cancel,
            &["up", "boss", "plain"],
            "`submit` or `admin`",
        ),
        (Method::GET, "/v1/workers", all, ""),
        (Method::GET, "/v1/status", all, ""),
        (Method::POST, "/v1/workers/paper-0/restart", &["boss"], "`admin`"),
        (Method::POST, "/v1/workers/paper-0/drain", &["boss"], "`admin`"),
        (Method::GET, "/metrics", &["boss"], "`admin`"),
        (Method::GET, "/v1/metrics", &["boss"], "`admin`"),
        (Method::GET, "/v1/metadata", all, ""),
        (Method::GET, "/v1/version", all, ""),
    ] {
        for name in all {
            let answer = call(&kit, name, method.clone(), path).await;
            if allowed.contains(name) {
                assert_ne!(answer.status, 403, "{name} {method} {path}: {}", answer.text());
            } else if method == Method::HEAD {
                assert_eq!(answer.status, 403, "{name} {method} {path}");
            } else {
                let problem = answer.assert_problem(403, "scope_missing");
                let detail = format!("the API key `{name}` lacks the scope {scopes}");
                assert_eq!(problem["detail"], detail, "{method} {path}");
                let challenge = answer.header(header::WWW_AUTHENTICATE);
                assert_eq!(challenge, r#"Bearer error="insufficient_scope""#);
            }
        }
    }
    assert_eq!(kit.state.jobs.stats().await.unwrap().queued, 0);
}

#[tokio::test]
async fn who_has_no_scope_to_list_still_follows_what_it_submitted() {
    let kit = kit(KEYS);
    let path = format!("/v1/jobs/{}", id(&submit(&kit, "up", 1).await));
    assert_eq!(call(&kit, "up", Method::GET, &path).await.status, 200);
    call(&kit, "down", Method::GET, &path)
        .await
        .assert_problem(404, "job_not_found");
    assert_eq!(call(&kit, "up", Method::DELETE, &path).await.status, 200);
}

#[tokio::test]
async fn an_admin_sees_and_ends_the_jobs_of_all_keys_and_is_told_whose_they_are() {
    let kit = kit(KEYS);
    let (plain, up) = (
        id(&submit(&kit, "plain", 1).await),
        id(&submit(&kit, "up", 2).await),
    );
    let told = |jobs: Vec<Value>| -> Vec<(Value, Value)> {
        let told = jobs
            .into_iter()
            .map(|job| (job["id"].clone(), job["owner"].clone()));
        told.collect()
    };
    let seen = told(listed(&call(&kit, "boss", Method::GET, "/v1/jobs").await));
    assert_eq!(seen, [(json!(up), json!("up")), (json!(plain), json!("plain"))]);
    let seen = told(listed(&call(&kit, "plain", Method::GET, "/v1/jobs").await));
    assert_eq!(seen, [(json!(plain), Value::Null)]);
    let path = format!("/v1/jobs/{plain}");
    assert_eq!(
        call(&kit, "boss", Method::GET, &path).await.json()["owner"],
        "plain"
    );
    let picture = call(&kit, "boss", Method::GET, &format!("{path}/input/0")).await;
    assert_eq!(picture.status, 200);
    let cancelled = call(&kit, "boss", Method::DELETE, &path).await;
    assert_eq!(
        (cancelled.status.as_u16(), &cancelled.json()["owner"]),
        (200, &json!("plain"))
    );
    assert_eq!(
        call(&kit, "plain", Method::GET, &path).await.json()["state"],
        "cancelled"
    );
    assert_eq!(call(&kit, "boss", Method::DELETE, &path).await.status, 204);
    call(&kit, "plain", Method::GET, &path)
        .await
        .assert_problem(404, "job_not_found");
}

#[tokio::test]
async fn requests_beyond_a_key_s_number_a_minute_wait() {
    let keys = "plain just-another-of-the-keys requests_per_minute=3\nup up-with-that-thing";
    let kit = kit(keys);
    let list = |name| call(&kit, name, Method::GET, "/v1/jobs");
    for _ in 0..3 {
        assert_eq!(list("plain").await.status, 200);
        // What needs no key is not counted.
        assert_eq!(call(&kit, "plain", Method::GET, "/v1/version").await.status, 200);
    }
    let refused = list("plain").await;
    let problem = refused.assert_problem(429, "too_many_requests");
    assert!(
        problem["detail"].as_str().unwrap().contains("`plain`"),
        "{problem}"
    );
    let after: u16 = refused.header(header::RETRY_AFTER).parse().unwrap();
    assert!((1..=21).contains(&after), "{after}");
    let submitted = submit(&kit, "plain", 1).await;
    submitted.assert_problem(429, "too_many_requests");
    assert_eq!(list("up").await.status, 200);
    // A reload that raises the limit counts at once.
    let raised = "plain just-another-of-the-keys requests_per_minute=60000";
    kit.state.keys.replace(ApiKeys::parse(raised).unwrap());
    assert_eq!(list("plain").await.status, 200);
}

#[tokio::test]
async fn a_key_has_no_more_jobs_waiting_than_it_may() {
    let kit = kit("plain just-another-of-the-keys queued=2\nup up-with-that-thing");
    for seed in [1, 2] {
        id(&submit(&kit, "plain", seed).await);
    }
    let refused = submit(&kit, "plain", 3).await;
    let problem = refused.assert_problem(429, "key_queue_full");
    assert_eq!(
        problem["detail"],
        "2 jobs of this API key wait, and its limit is 2"
    );
    assert!(!refused.header(header::RETRY_AFTER).is_empty());
    let mut infer = request(Method::POST, "/v1/infer")
        .header(header::AUTHORIZATION, format!("Bearer {}", secret("plain")))
        .header(header::CONTENT_TYPE, "application/json");
    infer = infer.header("nvcf-poll-seconds", "1");
    let body = json!({"mode": "image", "image": png_uri()}).to_string();
    let dialect = kit.send(infer.body(Body::from(body)).unwrap()).await;
    assert_eq!(dialect.status, 429, "{}", dialect.text());
    id(&submit(&kit, "up", 3).await);
    // One of them is begun.
    let _running = kit.claim().await;
    id(&submit(&kit, "plain", 4).await);
    submit(&kit, "plain", 5)
        .await
        .assert_problem(429, "key_queue_full");
}

/// Without a limit of its own either: whoever fills the queue leaves others a quarter of it.
#[tokio::test]
async fn one_key_cannot_have_the_whole_queue_where_there_are_others() {
    let jobs = JobLimits {
        queue_limit: 4,
        ..Wishes::default().jobs
    };
    let filled = async |keys| {
        let kit = Kit::with(Wishes {
            keys: Some(keys),
            jobs,
            ..Wishes::default()
        });
        for seed in 1..=3 {
            id(&submit(&kit, "plain", seed).await);
        }
        kit
    };
    let kit = filled("plain just-another-of-the-keys\nup up-with-that-thing").await;
    let refused = submit(&kit, "plain", 4).await;
    refused.assert_problem(429, "key_queue_full");
    id(&submit(&kit, "up", 4).await);
    // There is nobody to leave room for.
    let kit = filled("plain just-another-of-the-keys").await;
    id(&submit(&kit, "plain", 4).await);
}

/// However many addresses it comes from: a quarter of the connections is left to others.
#[tokio::test]
async fn one_key_has_no_more_requests_at_work_than_one_address() {
    let kit = Kit::with(Wishes {
        keys: Some("plain just-another-of-the-keys\nup up-with-that-thing"),
        limits: HttpLimits {
            connections: 4,
            ..HttpLimits::default()
        },
        ..Wishes::default()
    });
    let path = format!("/v1/jobs/{}/events", id(&submit(&kit, "plain", 1).await));
    let follow = || {
        let call =
            request(Method::GET, &path).header(header::AUTHORIZATION, format!("Bearer {}", secret("plain")));
        app(kit.state.clone()).oneshot(call.body(Body::empty()).unwrap())
    };
    let mut open = Vec::new();
    for _ in 0..3 {
        let answer = follow().await.unwrap();
        assert_eq!(answer.status(), 200);
        open.push(answer);
    }
    let refused = call(&kit, "plain", Method::GET, "/v1/jobs").await;
    let problem = refused.assert_problem(429, "too_many_at_once");
    assert_eq!(
        problem["detail"],
        "the API key `plain` has 3 requests at work, as many as it may"
    );
    assert_eq!(refused.header(header::RETRY_AFTER), "5");
    assert_eq!(call(&kit, "up", Method::GET, "/v1/jobs").await.status, 200);
    assert_eq!(call(&kit, "plain", Method::GET, "/v1/version").await.status, 200);
    open.pop();
    assert_eq!(call(&kit, "plain", Method::GET, "/v1/jobs").await.status, 200);
}

#[tokio::test]
async fn a_key_keeps_no_more_than_it_may() {
    let kit = kit("plain just-another-of-the-keys kept=1KiB\nup up-with-that-thing");
    let first = id(&submit(&kit, "plain", 1).await);
    let claim = kit.claim().await;
    kit.succeed(&claim, &[7; 1000]).await;
    let problem = submit(&kit, "plain", 2)
        .await
        .assert_problem(507, "key_storage_full");
    let (detail, fix) = (
        problem["detail"].as_str().unwrap(),
        problem["fix"].as_str().unwrap(),
    );
    assert!(
        detail.contains("1 kB") && fix.contains("DELETE /v1/jobs/{id}"),
        "{problem}"
    );
    id(&submit(&kit, "up", 2).await);
    let deleted = call(&kit, "plain", Method::DELETE, &format!("/v1/jobs/{first}")).await;
    assert_eq!(deleted.status, 204);
    id(&submit(&kit, "plain", 2).await);
}
