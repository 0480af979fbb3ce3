//! Sessions: what the page's cookie opens, and for whom it does not.

use axum::body::Body;
use axum::http::{Method, header};
use serde_json::{Value, json};
use trellis_server::{AllowedOrigins, ApiKeys};

use crate::kit::{Answer, Kit, Wishes, request};

const STUDIO: &str = "s3cret-of-the-studio";
const CLIENT: &str = "the-other-secret";

fn kit() -> Kit {
    Kit::with(wishes())
}

fn wishes() -> Wishes {
    Wishes {
        keys: Some("studio s3cret-of-the-studio\nclient the-other-secret"),
        ..Wishes::default()
    }
}

/// A request with these headers.
async fn ask(kit: &Kit, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut call = request(method, path);
    for (name, value) in headers {
        call = call.header(*name, *value);
    }
    kit.send(call.body(Body::empty()).unwrap()).await
}

async fn sign_in(kit: &Kit, key: &str, headers: &[(&str, &str)]) -> Answer {
    let mut call = request(Method::POST, "/v1/session").header(header::CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        call = call.header(*name, *value);
    }
    let body = json!({ "key": key }).to_string();
    kit.send(call.body(Body::from(body)).unwrap()).await
}

/// The cookie of a new session, as a browser sends it.
async fn cookie(kit: &Kit, key: &str) -> String {
    let answer = sign_in(kit, key, &[]).await;
    assert_eq!(answer.status, 204, "{}", answer.text());
    let set = answer.header(header::SET_COOKIE);
    set.split(';').next().unwrap().to_owned()
}

async fn who(kit: &Kit, cookie: &str) -> Value {
    let answer = ask(kit, Method::GET, "/v1/session", &[("cookie", cookie)]).await;
    assert_eq!(answer.status, 200);
    answer.json()
}

async fn jobs(kit: &Kit, cookie: &str) -> Answer {
    ask(kit, Method::GET, "/v1/jobs", &[("cookie", cookie)]).await
}

#[tokio::test]
async fn a_key_is_exchanged_for_a_cookie_that_counts_like_it() {
    let kit = kit();
    assert_eq!(who(&kit, "").await, json!({"key_needed": true, "name": null}));
    let answer = sign_in(&kit, STUDIO, &[]).await;
    let set = answer.header(header::SET_COOKIE).to_owned();
    assert!(
        set.starts_with("trellis_session=")
            && set.ends_with("; Max-Age=2592000; Path=/; HttpOnly; SameSite=Strict"),
        "{set}"
    );
    assert!(!set.contains(STUDIO), "{set}");
    assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
    let cookie = set.split(';').next().unwrap();
    assert_eq!(
        who(&kit, cookie).await,
        json!({"key_needed": true, "name": "studio"})
    );
    assert_eq!(jobs(&kit, cookie).await.status, 200);
    assert_eq!(
        ask(&kit, Method::GET, "/v1/status", &[("cookie", cookie)])
            .await
            .status,
        200
    );

    let out = ask(&kit, Method::DELETE, "/v1/session", &[("cookie", cookie)]).await;
    assert_eq!(out.status, 204);
    assert!(
        out.header(header::SET_COOKIE)
            .starts_with("trellis_session=; Max-Age=0; Path=/"),
        "{:?}",
        out.headers
    );
}

#[tokio::test]
async fn a_server_without_keys_says_so_and_gives_no_cookie() {
    let kit = Kit::new();
    assert_eq!(who(&kit, "").await, json!({"key_needed": false, "name": null}));
    let answer = sign_in(&kit, "whatever-it-may-be", &[]).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header(header::SET_COOKIE)),
        (204, "")
    );
    // A cookie that is left of another server at the same name.
    assert_eq!(jobs(&kit, "trellis_session=a.1.studio").await.status, 200);
    let page = [
        ("cookie", "trellis_session=a.1.studio"),
        ("origin", "http://localhost"),
    ];
    let answer = ask(
        &kit,
        Method::DELETE,
        "/v1/jobs/0198b2f4-7c5e-7a6f-8d1e-2f3a4b5c6d7e",
        &page,
    )
    .await;
    answer.assert_problem(404, "job_not_found");
}

#[tokio::test]
async fn over_tls_the_cookie_stays_on_tls() {
    let kit = Kit::with(Wishes {
        proxies: vec!["0.0.0.0"],
        ..wishes()
    });
    let secure = sign_in(&kit, STUDIO, &[("x-forwarded-proto", "https")]).await;
    assert!(
        secure
            .header(header::SET_COOKIE)
            .ends_with("; SameSite=Strict; Secure")
    );
    let told = sign_in(&self::kit(), STUDIO, &[("x-forwarded-proto", "https")]).await;
    assert!(
        !told.header(header::SET_COOKIE).contains("Secure"),
        "nobody's word"
    );
}

#[tokio::test]
async fn wrong_keys_count_as_they_do_in_a_header() {
    let kit = kit();
    for _ in 0..5 {
        let wrong = sign_in(&kit, "a-guess-of-somebody", &[]).await;
        wrong.assert_problem(401, "api_key_unknown");
        let call = [("authorization", "Bearer a-guess-of-somebody")];
        ask(&kit, Method::GET, "/v1/jobs", &call)
            .await
            .assert_problem(401, "api_key_unknown");
    }
    let slowed = sign_in(&kit, STUDIO, &[]).await;
    slowed.assert_problem(429, "too_many_wrong_keys");
    assert!(slowed.header(header::RETRY_AFTER).parse::<u16>().is_ok());
}

#[tokio::test]
async fn what_is_not_a_key_in_json_is_refused() {
    let kit = kit();
    for (media_type, body, status, kind) in [
        (
            "text/plain",
            r#"{"key": "s3cret-of-the-studio"}"#,
            415,
            "unsupported_media_type",
        ),
        ("application/json", "{", 400, "malformed_json"),
        ("application/json", "[]", 422, "invalid_json"),
        ("application/json", r#"{"key": 7}"#, 422, "invalid_json"),
        (
            "application/json",
            r#"{"key": "a", "key": "b"}"#,
            422,
            "invalid_json",
        ),
        (
            "application/json",
            r#"{"key": "a", "name": "b"}"#,
            422,
            "invalid_json",
        ),
        ("application/json", r#"{"key": ""}"#, 401, "api_key_unknown"),
        ("application/json", r#"{"key": "\u0000"}"#, 401, "api_key_unknown"),
    ] {
        let call = request(Method::POST, "/v1/session").header(header::CONTENT_TYPE, media_type);
        let answer = kit.send(call.body(Body::from(body)).unwrap()).await;
        answer.assert_problem(status, kind);
    }
    let long = sign_in(&kit, &"k".repeat(70_000), &[]).await;
    long.assert_problem(413, "json_too_long");
}

/// A cookie goes along with whatever a browser sends here, also for a page of another port, and where every site may
/// read.
#[tokio::test]
async fn only_the_servers_own_page_changes_anything_with_the_cookie() {
    for origins in [AllowedOrigins::default(), AllowedOrigins::new(["*"]).unwrap()] {
        let kit = Kit::with(Wishes {
            origins,
            keys: Some("studio s3cret-of-the-studio scopes=admin\nclient the-other-secret"),
            ..wishes()
        });
        let cookie = cookie(&kit, STUDIO).await;
        for elsewhere in [
            &[
                ("sec-fetch-site", "cross-site"),
                ("origin", "https://evil.example"),
            ][..],
            &[
                ("sec-fetch-site", "same-site"),
                ("origin", "http://localhost:9000"),
            ],
            &[("origin", "http://localhost:9000")],
            &[("origin", "null")],
            &[],
        ] {
            let headers = [elsewhere, &[("cookie", &cookie)]].concat();
            for (method, path) in [
                (Method::POST, "/v1/jobs"),
                (Method::DELETE, "/v1/jobs/0198b2f4-7c5e-7a6f-8d1e-2f3a4b5c6d7e"),
                (Method::POST, "/v1/workers/paper-0/drain"),
            ] {
                let answer = ask(&kit, method, path, &headers).await;
                answer.assert_problem(403, "session_elsewhere");
            }
            let signed = sign_in(&kit, CLIENT, elsewhere).await;
            let out = ask(&kit, Method::DELETE, "/v1/session", elsewhere).await;
            if elsewhere.is_empty() {
                // No browser.
                assert_eq!((signed.status.as_u16(), out.status.as_u16()), (204, 204));
            } else {
                assert_eq!((signed.status.as_u16(), out.status.as_u16()), (403, 403));
                assert_eq!(signed.header(header::SET_COOKIE), "");
                assert_eq!(out.header(header::SET_COOKIE), "");
            }
        }
        for own in [("sec-fetch-site", "same-origin"), ("origin", "http://localhost")] {
            let headers = [own, ("cookie", &cookie)];
            let answer = ask(&kit, Method::POST, "/v1/workers/paper-0/drain", &headers).await;
            assert!(answer.status.is_success(), "{own:?} {}", answer.text());
            let client = self::cookie(&kit, CLIENT).await;
            let answer = ask(
                &kit,
                Method::POST,
                "/v1/workers/paper-0/drain",
                &[own, ("cookie", &client)],
            )
            .await;
            answer.assert_problem(403, "scope_missing");
        }
    }
}

#[tokio::test]
async fn a_session_ends_with_its_key() {
    let kit = kit();
    let cookie = cookie(&kit, STUDIO).await;
    let replace = |text: &str| kit.state.keys.replace(ApiKeys::parse(text).unwrap());
    for (keys, opens) in [
        ("client the-other-secret", false),
        ("studio a-new-secret-of-it", false),
        ("client s3cret-of-the-studio", false),
        ("studio s3cret-of-the-studio", true),
    ] {
        replace(keys);
        let name = if opens { json!("studio") } else { Value::Null };
        assert_eq!(who(&kit, &cookie).await["name"], name, "{keys}");
        let answer = jobs(&kit, &cookie).await;
        if opens {
            assert_eq!(answer.status, 200);
        } else {
            answer.assert_problem(401, "api_key_missing");
        }
    }
}

#[tokio::test]
async fn a_cookie_that_is_not_exactly_ours_opens_nothing() {
    let kit = kit();
    let (studio, client) = (cookie(&kit, STUDIO).await, cookie(&kit, CLIENT).await);
    let forged = studio.replace(".studio", ".client");
    for cookie in [
        forged.as_str(),
        &format!("{studio}; {client}"),
        &format!("{studio}; trellis_session="),
        &format!("{studio}x"),
        "trellis_session=..studio",
        "trellis_session=",
    ] {
        jobs(&kit, cookie).await.assert_problem(401, "api_key_missing");
    }
    let elsewhere = self::kit();
    jobs(&elsewhere, &studio)
        .await
        .assert_problem(401, "api_key_missing");
}

#[tokio::test]
async fn a_key_that_is_sent_counts_more_than_the_cookie() {
    let kit = kit();
    let studio = cookie(&kit, STUDIO).await;
    let body = json!({"images": [crate::kit::png_uri()]}).to_string();
    let call = request(Method::POST, "/v1/jobs")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {CLIENT}"))
        .header(header::COOKIE, &studio);
    let submitted = kit.send(call.body(Body::from(body)).unwrap()).await;
    assert_eq!(submitted.status, 202, "{}", submitted.text());
    let listed = |answer: Answer| answer.json()["jobs"].as_array().unwrap().len();
    assert_eq!(listed(jobs(&kit, &studio).await), 0, "it is the other key's");
    let both = [
        ("cookie", studio.as_str()),
        ("authorization", "Bearer the-other-secret"),
    ];
    assert_eq!(listed(ask(&kit, Method::GET, "/v1/jobs", &both).await), 1);
    let wrong = [
        ("cookie", studio.as_str()),
        ("authorization", "Bearer a-guess-of-somebody"),
    ];
    let answer = ask(&kit, Method::GET, "/v1/jobs", &wrong).await;
    answer.assert_problem(401, "api_key_unknown");
}
