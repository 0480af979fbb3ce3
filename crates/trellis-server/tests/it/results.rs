//! Results of earlier jobs and statements over HTTP.

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Request, StatusCode, header};
use jiff::Timestamp;
use serde_json::{Value, json};
use trellis_backend::Readiness;
use trellis_core::{Artifact, BackendChoice, Failure, FailureKind, Format, Sha256, StatementFile};
use trellis_jobs::{BlobKey, CacheKey, Delivered, DeliveredStatement, Outcome};

use crate::kit::{Kit, Wishes, png_uri, settled, submission};

const MODEL: &[u8] = b"glTF made once";
const STATEMENT: &[u8] = b"{\"_type\":\"https://in-toto.io/Statement/v1\"}";

fn ask(seed: u32) -> Request<Body> {
    submission(&json!({"images": [png_uri()], "params": {"seed": seed}}))
}

fn with_header(mut request: Request<Body>, value: &'static str) -> Request<Body> {
    let value = HeaderValue::from_static(value);
    request.headers_mut().append(header::CACHE_CONTROL, value);
    request
}

async fn asked(kit: &Kit, request: Request<Body>) -> Value {
    let answer = kit.send(request).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
    answer.json()
}

/// Has the waiting job made, as the runner does.
async fn make(kit: &Kit) {
    let claim = kit.claim().await;
    let lease = &claim.lease;
    let model = BlobKey::artifact(lease.job, lease.attempt, "model.glb");
    let statement = BlobKey::statement(lease.job, lease.attempt, "model.intoto.json");
    kit.state
        .jobs
        .blobs
        .put(&model, Bytes::from_static(MODEL))
        .await
        .unwrap();
    kit.state
        .jobs
        .blobs
        .put(&statement, Bytes::from_static(STATEMENT))
        .await
        .unwrap();
    let job = &claim.job;
    let made_by = kit
        .state
        .jobs
        .makers
        .made_by(BackendChoice::Relief.into(), &job.params.formats);
    let made_by = made_by.unwrap().unwrap();
    let outcome = Outcome {
        made_by: "paper".to_owned(),
        artifacts: vec![Delivered {
            artifact: Artifact {
                name: "model.glb".to_owned(),
                format: Format::Glb,
                media_type: Format::Glb.media_type().to_owned(),
                size_bytes: MODEL.len() as u64,
                sha256: Sha256::of(MODEL),
                preview: false,
            },
            key: model,
        }],
        notes: vec![],
        timings: None,
        provenance: None,
        statement: Some(DeliveredStatement {
            file: StatementFile {
                name: "model.intoto.json".to_owned(),
                media_type: "application/vnd.in-toto+json".to_owned(),
                size_bytes: STATEMENT.len() as u64,
                sha256: Sha256::of(STATEMENT),
                signed_by: None,
            },
            key: statement,
        }),
        latents: None,
        cache_key: Some(CacheKey::new(&job.inputs, &job.params, &made_by)),
    };
    let store = &kit.state.jobs.store;
    store.succeed(lease, Timestamp::now(), outcome).await.unwrap();
}

#[tokio::test]
async fn the_second_of_two_jobs_that_ask_the_same_is_done_at_once() {
    let kit = Kit::new();
    let first = asked(&kit, ask(7)).await;
    assert_eq!(
        (&first["state"], &first["cached"]),
        (&json!("queued"), &json!(false))
    );
    make(&kit).await;
    let second = asked(&kit, ask(7)).await;
    insta::assert_json_snapshot!(settled(second.clone()));
    let path = format!("/v1/jobs/{}", second["id"].as_str().unwrap());
    let model = kit.get(&format!("{path}/artifacts/model.glb")).await;
    assert_eq!(model.body, MODEL);
    let statement = kit.get(&format!("{path}/statement")).await;
    assert_eq!(statement.body, STATEMENT);
    assert_eq!(
        statement.header(header::CONTENT_TYPE),
        "application/vnd.in-toto+json"
    );
    assert!(
        statement
            .header(header::CONTENT_DISPOSITION)
            .contains("model.intoto.json")
    );
    // The stream ends by itself, after the final state.
    let events = kit.get(&format!("{path}/events")).await.text();
    let last = events.trim().rsplit("\n\n").next().unwrap();
    assert!(last.contains("\"state\":\"succeeded\""), "{events}");
}

/// A job for TRELLIS is not answered by a preview, even where that was made of the same picture and seed.
#[tokio::test]
async fn auto_waits_for_a_trellis_that_starts_and_takes_no_preview_from_the_cache() {
    fn starting() -> Readiness {
        Readiness::Starting {
            reason: "loading the weights".to_owned(),
        }
    }
    fn unavailable() -> Readiness {
        let failure = Failure::new(FailureKind::DriverMissing, "no NVIDIA driver was found");
        Readiness::Unavailable { failure }
    }
    for (trellis, state) in [(starting as fn() -> _, "queued"), (unavailable, "succeeded")] {
        let kit = Kit::with(Wishes {
            trellis: Some(trellis),
            ..Wishes::default()
        });
        let ask = |backend: &str| {
            submission(&json!({"images": [png_uri()], "params": {"seed": 7}, "backend": backend}))
        };
        asked(&kit, ask("relief")).await;
        make(&kit).await;
        assert_eq!(asked(&kit, ask("relief")).await["cached"], true);
        let job = asked(&kit, ask("auto")).await;
        assert_eq!(job["state"], state);
        assert_eq!(job["cached"], state == "succeeded");
    }
}

#[tokio::test]
async fn no_cache_has_it_made_again_and_other_directives_do_not() {
    let kit = Kit::new();
    asked(&kit, ask(7)).await;
    make(&kit).await;
    for (value, cached) in [
        ("no-cache", false),
        ("max-age=0, No-Cache", false),
        ("max-age=0", true),
        ("no-cachet", true),
    ] {
        let job = asked(&kit, with_header(ask(7), value)).await;
        assert_eq!(job["cached"], cached, "{value}");
    }
    let several = with_header(with_header(ask(7), "max-age=0"), "no-cache");
    assert_eq!(asked(&kit, several).await["cached"], false);
}

#[tokio::test]
async fn a_job_without_a_result_has_no_statement() {
    let kit = Kit::new();
    let id = kit.submit().await;
    kit.get(&format!("/v1/jobs/{id}/statement"))
        .await
        .assert_problem(404, "statement_not_found");
    kit.get("/v1/jobs/01890a5d-ac96-774b-bcce-b302099a8057/statement")
        .await
        .assert_problem(404, "job_not_found");
}
