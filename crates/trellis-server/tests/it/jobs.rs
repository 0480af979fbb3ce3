//! `GET /v1/jobs`, `GET` and `DELETE /v1/jobs/{id}`, `POST /v1/jobs/{id}/cancel`.

use axum::body::Body;
use axum::http::{Method, StatusCode, header};
use serde_json::json;

use crate::kit::{Kit, png_uri, request, settled, submission};

const UNKNOWN: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

#[tokio::test]
async fn a_job_shows_its_whole_life() {
    let kit = Kit::new();
    let id = kit.submit().await;
    let claim = kit.claim().await;
    kit.progress(&claim, 4).await;
    let running = kit.get(&format!("/v1/jobs/{id}")).await.json();
    kit.succeed(&claim, b"glb").await;
    let done = kit.get(&format!("/v1/jobs/{id}")).await.json();
    insta::assert_json_snapshot!([settled(running), settled(done)]);
}

#[tokio::test]
async fn a_failed_job_says_why_and_what_to_do() {
    let kit = Kit::new();
    let id = kit.submit().await;
    kit.fail(&kit.claim().await).await;
    let job = kit.get(&format!("/v1/jobs/{id}")).await.json();
    assert_eq!(job["state"], "failed");
    assert_eq!(job["failure"]["kind"], "no_object");
    assert!(!job["failure"]["fix"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn the_list_goes_on_where_it_stopped() {
    let kit = Kit::new();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(kit.submit().await);
    }
    ids.sort();
    ids.reverse();
    let mut seen = Vec::new();
    let mut path = "/v1/jobs?limit=2&state=queued".to_owned();
    for _ in 0..3 {
        let list = kit.get(&path).await.json();
        seen.extend(
            list["jobs"]
                .as_array()
                .unwrap()
                .iter()
                .map(|job| job["id"].as_str().unwrap().to_owned()),
        );
        match list["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/jobs?limit=2&state=queued&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, ids);
    let none = kit.get("/v1/jobs?state=failed").await.json();
    assert_eq!(none, serde_json::json!({"jobs": []}));
}

#[tokio::test]
async fn a_query_that_is_not_understood_is_refused() {
    let kit = Kit::new();
    let mut said = Vec::new();
    for query in [
        "limit=0",
        "limit=101",
        "limit=x",
        "state=done",
        "cursor=x",
        "color=red",
        "limit=1&limit=2",
    ] {
        let answer = kit.get(&format!("/v1/jobs?{query}")).await;
        let problem = answer.assert_problem(400, "invalid_query");
        said.push(format!("{query}: {}", problem["detail"].as_str().unwrap()));
    }
    insta::assert_snapshot!(said.join("\n"));
}

#[tokio::test]
async fn delete_cancels_a_live_job_and_forgets_a_finished_one() {
    let kit = Kit::new();
    let id = kit.submit().await;
    let path = format!("/v1/jobs/{id}");
    let delete = || request(Method::DELETE, &path).body(Body::empty()).unwrap();
    let cancelled = kit.send(delete()).await;
    assert_eq!(cancelled.status, StatusCode::OK);
    assert_eq!(cancelled.json()["state"], "cancelled");
    assert_eq!(kit.get(&path).await.json()["state"], "cancelled");
    assert_eq!(kit.state.jobs.blobs.jobs().await.unwrap().len(), 1);
    let deleted = kit.send(delete()).await;
    assert_eq!((deleted.status, deleted.body.len()), (StatusCode::NO_CONTENT, 0));
    assert!(kit.state.jobs.blobs.jobs().await.unwrap().is_empty());
    kit.get(&path).await.assert_problem(404, "job_not_found");
    kit.send(delete()).await.assert_problem(404, "job_not_found");
}

/// Who only wants to cancel does not lose a result that came at the same moment.
#[tokio::test]
async fn cancel_ends_a_live_job_and_leaves_a_finished_one() {
    let kit = Kit::new();
    let cancel = |id: &str| {
        let call = request(Method::POST, &format!("/v1/jobs/{id}/cancel"));
        kit.send(call.body(Body::empty()).unwrap())
    };
    let live = kit.submit().await;
    for _ in 0..2 {
        let answer = cancel(&live).await;
        assert_eq!(
            (answer.status, &answer.json()["state"]),
            (StatusCode::OK, &json!("cancelled"))
        );
    }
    let done = kit.submit().await;
    kit.succeed(&kit.claim().await, b"glTF").await;
    let answer = cancel(&done).await;
    assert_eq!(
        (answer.status, &answer.json()["state"]),
        (StatusCode::OK, &json!("succeeded"))
    );
    let file = kit.get(&format!("/v1/jobs/{done}/artifacts/model.glb")).await;
    assert_eq!(file.text(), "glTF");
    cancel(UNKNOWN).await.assert_problem(404, "job_not_found");
}

#[tokio::test]
async fn a_job_that_is_not_there_is_told_from_an_id_that_is_none() {
    let kit = Kit::new();
    for rest in ["", "/events", "/artifacts/model.glb", "/input/0"] {
        kit.get(&format!("/v1/jobs/{UNKNOWN}{rest}"))
            .await
            .assert_problem(404, "job_not_found");
        kit.get(&format!("/v1/jobs/nonsense{rest}"))
            .await
            .assert_problem(400, "invalid_job_id");
        kit.get(&format!("/v1/jobs/{}{rest}", UNKNOWN.to_uppercase()))
            .await
            .assert_problem(400, "invalid_job_id");
    }
    kit.get("/v1/jobs/%FF").await.assert_problem(400, "invalid_path");
}

#[tokio::test]
async fn a_client_may_wait_for_the_end() {
    let kit = Kit::new();
    let id = kit.submit().await;
    let claim = kit.claim().await;
    let path = format!("/v1/jobs/{id}?wait=60");
    let (waited, ()) = tokio::join!(kit.get(&path), async {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        kit.succeed(&claim, b"glTF").await;
    });
    assert_eq!(waited.json()["state"], "succeeded");
    let queued = kit.submit().await;
    let waited = kit.get(&format!("/v1/jobs/{queued}?wait=0")).await;
    assert_eq!(waited.json()["state"], "queued");
    kit.get(&format!("/v1/jobs/{queued}?wait=601"))
        .await
        .assert_problem(400, "invalid_query");
}

#[tokio::test]
async fn a_submission_may_wait_for_the_end() {
    let kit = Kit::new();
    let body = json!({ "images": [png_uri()], "params": { "seed": 7 } });
    let with = |prefer: &str| {
        let mut request = submission(&body);
        request.headers_mut().insert("prefer", prefer.parse().unwrap());
        request
    };
    let (waited, ()) = tokio::join!(kit.send(with("respond-async, wait=60")), async {
        while kit.get("/v1/jobs").await.json()["jobs"] == json!([]) {
            tokio::task::yield_now().await;
        }
        kit.succeed(&kit.claim().await, b"glTF").await;
    });
    assert_eq!(
        (waited.status, waited.json()["state"].as_str()),
        (StatusCode::OK, Some("succeeded"))
    );
    assert_eq!(waited.header("preference-applied"), "wait=60");
    let late = kit.send(with("wait=0")).await;
    assert_eq!(
        (late.status, late.json()["state"].as_str()),
        (StatusCode::ACCEPTED, Some("queued"))
    );
    let unread = kit.send(with("wait=soon")).await;
    assert_eq!(
        (unread.status, unread.header("preference-applied")),
        (StatusCode::ACCEPTED, "")
    );
}

/// A job changes while it lives and has no `ETag`: only `*` is sure to mean it.
#[tokio::test]
async fn a_condition_that_does_not_hold_changes_nothing() {
    let kit = Kit::new();
    let path = format!("/v1/jobs/{}", kit.submit().await);
    let with = |method, name, value: &'static str| {
        let call = request(method, &path).header(name, value);
        kit.send(call.body(Body::empty()).unwrap())
    };
    for (name, value) in [(header::IF_MATCH, "\"an old one\""), (header::IF_NONE_MATCH, "*")] {
        let refused = with(Method::DELETE, name.clone(), value).await;
        refused.assert_problem(412, "precondition_failed");
        let cancel = request(Method::POST, &format!("{path}/cancel")).header(name, value);
        let refused = kit.send(cancel.body(Body::empty()).unwrap()).await;
        refused.assert_problem(412, "precondition_failed");
    }
    assert_eq!(kit.get(&path).await.json()["state"], "queued");
    assert_eq!(with(Method::GET, header::IF_NONE_MATCH, "*").await.status, 304);
    assert_eq!(with(Method::DELETE, header::IF_MATCH, "*").await.status, 200);
    assert_eq!(kit.get(&path).await.json()["state"], "cancelled");
    let nothing = "/v1/jobs/0198b2f4-7c5e-7a6f-8d1e-2f3a4b5c6d7e";
    let none = request(Method::DELETE, nothing).header(header::IF_MATCH, "\"x\"");
    let answer = kit.send(none.body(Body::empty()).unwrap()).await;
    answer.assert_problem(404, "job_not_found");
}
