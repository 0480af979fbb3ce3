//! What is around every route: request ids, problems, limits on other sites' pages.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use trellis_server::AllowedOrigins;

use crate::kit::{Kit, Wishes, request};

#[tokio::test]
async fn a_request_id_is_kept_or_made() {
    let kit = Kit::new();
    let named = request(Method::GET, "/v1/health/live")
        .header("x-request-id", "from-client.7")
        .body(Body::empty());
    assert_eq!(
        kit.send(named.unwrap()).await.header("x-request-id"),
        "from-client.7"
    );
    let odd = request(Method::GET, "/v1/nothing")
        .header("x-request-id", "a b")
        .body(Body::empty());
    let answer = kit.send(odd.unwrap()).await;
    assert_eq!(
        answer.assert_problem(404, "route_not_found")["request_id"]
            .as_str()
            .unwrap()
            .len(),
        36
    );
}

#[tokio::test]
async fn a_wrong_method_lists_the_right_ones() {
    let kit = Kit::new();
    for (path, allowed) in [
        ("/v1/jobs", "GET,HEAD,POST,OPTIONS"),
        ("/v1/health/live", "GET,HEAD,OPTIONS"),
        ("/docs", "GET,HEAD,OPTIONS"),
    ] {
        let answer = kit
            .send(request(Method::PUT, path).body(Body::empty()).unwrap())
            .await;
        answer.assert_problem(405, "method_not_allowed");
        assert_eq!(answer.header(header::ALLOW), allowed);
        let asked = request(Method::OPTIONS, path).body(Body::empty()).unwrap();
        let answer = kit.send(asked).await;
        assert_eq!(
            (answer.status, answer.text()),
            (StatusCode::NO_CONTENT, String::new())
        );
        assert_eq!(answer.header(header::ALLOW), allowed);
    }
}

#[tokio::test]
async fn what_is_asked_of_the_whole_server_is_answered_to_its_clients_only() {
    let kit = Kit::new();
    for (host, status) in [("localhost", 204), ("evil.example", 421)] {
        let asked = Request::builder()
            .method(Method::OPTIONS)
            .uri("*")
            .header(header::HOST, host);
        let answer = kit.send(asked.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, status, "{host}");
    }
    let nothing = request(Method::OPTIONS, "/nothing").body(Body::empty()).unwrap();
    kit.send(nothing).await.assert_problem(404, "route_not_found");
}

/// Every route that reads a query, those for other servers' clients too.
#[tokio::test]
async fn a_query_that_cannot_be_read_is_a_problem() {
    let kit = Kit::new();
    let job = kit.submit().await;
    for (method, path) in [
        (Method::GET, "/v1/jobs?limit=1&limit=2".to_owned()),
        (Method::GET, format!("/v1/jobs/{job}?wait=1&wait=2")),
        (Method::POST, "/generate?glb_data=1&glb_data=2".to_owned()),
    ] {
        let answer = kit
            .send(request(method, &path).body(Body::empty()).unwrap())
            .await;
        answer.assert_problem(400, "invalid_query");
    }
}

#[tokio::test]
async fn a_head_that_is_too_long_is_named() {
    let kit = Kit::new();
    let long = format!("/v1/jobs?cursor={}", "x".repeat(8 * 1024));
    kit.get(&long).await.assert_problem(414, "target_too_long");
    let wide = request(Method::GET, "/v1/jobs").header("cookie", "x".repeat(32 * 1024));
    let answer = kit.send(wide.body(Body::empty()).unwrap()).await;
    answer.assert_problem(431, "headers_too_large");
}

#[tokio::test]
async fn pages_of_other_sites_change_nothing_and_read_nothing() {
    let kit = Kit::new();
    let from = |method, origin, site| {
        request(method, "/v1/jobs")
            .header(header::ORIGIN, origin)
            .header("sec-fetch-site", site)
            .body(Body::empty())
            .unwrap()
    };
    let other = "https://elsewhere.example";
    kit.send(from(Method::POST, other, "cross-site"))
        .await
        .assert_problem(403, "cross_origin");
    let own = kit
        .send(from(Method::POST, "http://127.0.0.1:8000", "same-origin"))
        .await;
    own.assert_problem(415, "unsupported_media_type");
    let read = kit.send(from(Method::GET, other, "cross-site")).await;
    assert_eq!(
        (read.status, read.header(header::ACCESS_CONTROL_ALLOW_ORIGIN)),
        (StatusCode::OK, "")
    );

    let origins = AllowedOrigins::new([other]).unwrap();
    let kit = Kit::with(Wishes {
        origins,
        ..Wishes::default()
    });
    kit.send(from(Method::POST, other, "cross-site"))
        .await
        .assert_problem(415, "unsupported_media_type");
    kit.send(from(Method::POST, "https://third.example", "cross-site"))
        .await
        .assert_problem(403, "cross_origin");
    let read = kit.send(from(Method::GET, other, "cross-site")).await;
    assert_eq!(read.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), other);
    let ask = request(Method::OPTIONS, "/v1/jobs")
        .header(header::ORIGIN, other)
        .header("access-control-request-method", "POST");
    let ask = kit.send(ask.body(Body::empty()).unwrap()).await;
    assert_eq!(
        (ask.status, ask.header("access-control-allow-methods")),
        (StatusCode::OK, "GET,HEAD,POST,PUT,PATCH,DELETE")
    );
}

#[tokio::test]
async fn a_panic_ends_the_request_and_not_the_server() {
    let kit = Kit::with(Wishes {
        readiness: vec![|| panic!("a secret of the server")],
        ..Wishes::default()
    });
    let answer = kit.get("/v1/health/ready").await;
    answer.assert_problem(500, "internal");
    assert!(
        !answer.text().contains("a secret of the server"),
        "{}",
        answer.text()
    );
}
