//! Requests that are addressed to somebody else.

use axum::body::Body;
use axum::http::{Method, Request, header};

use crate::kit::Kit;

/// What a browser sends for a page of `evil.example` once that name has the address of this server.
fn rebound(method: Method, target: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(target)
        .header(header::HOST, "evil.example:8000")
        .header(header::ORIGIN, "http://evil.example:8000")
        .header("sec-fetch-site", "same-origin")
        .body(Body::empty())
        .unwrap()
}

#[tokio::test]
async fn a_page_whose_name_was_given_our_address_can_do_nothing() {
    let kit = Kit::new();
    let job = kit.submit().await;
    let one = format!("/v1/jobs/{job}");
    for (method, path) in [
        (Method::GET, "/"),
        (Method::GET, "/v1/version"),
        (Method::GET, "/v1/jobs"),
        (Method::POST, "/v1/jobs"),
        (Method::DELETE, one.as_str()),
    ] {
        let answer = kit.send(rebound(method, path)).await;
        let problem = answer.assert_problem(421, "host_not_allowed");
        assert_eq!(
            problem["detail"],
            "this server does not answer to the host `evil.example:8000`"
        );
    }
    assert_eq!(kit.get(&one).await.json()["state"], "queued");
}

#[tokio::test]
async fn a_target_that_is_a_whole_url_counts_too() {
    let kit = Kit::new();
    for (target, host, status) in [
        ("http://evil.example/v1/jobs", "localhost", 421),
        ("http://localhost/v1/jobs", "evil.example", 421),
        ("http://localhost/v1/jobs", "localhost", 200),
    ] {
        let request = Request::get(target).header(header::HOST, host);
        let answer = kit.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status.as_u16(), status, "{target} {host}");
    }
}

#[tokio::test]
async fn one_host_header_is_there() {
    let kit = Kit::new();
    let none = Request::get("/v1/version").body(Body::empty()).unwrap();
    kit.send(none).await.assert_problem(400, "host_missing");
    let two = Request::get("/v1/version")
        .header(header::HOST, "localhost")
        .header(header::HOST, "localhost");
    let answer = kit.send(two.body(Body::empty()).unwrap()).await;
    answer.assert_problem(400, "host_missing");
}

/// What no URL can name is no host, whoever is meant by it.
#[tokio::test]
async fn a_host_that_is_none_is_malformed() {
    let kit = Kit::new();
    for host in [
        "",
        "a b",
        ":8000",
        "me@localhost",
        "localhost/v1",
        "localhost:http",
    ] {
        let odd = Request::get("/v1/version").header(header::HOST, host);
        let answer = kit.send(odd.body(Body::empty()).unwrap()).await;
        answer.assert_problem(400, "host_missing");
    }
}
