//! `/metrics`.

use crate::kit::{Kit, Wishes};

#[tokio::test]
async fn what_happens_to_jobs_is_counted() {
    let kit = Kit::new();
    for succeeds in [true, false] {
        kit.submit().await;
        let claim = kit.claim().await;
        if succeeds {
            kit.succeed(&claim, b"glTF").await;
        } else {
            kit.fail(&claim).await;
        }
    }
    kit.submit().await;
    kit.get("/v1/jobs/not-an-id").await;
    let answer = kit.get("/metrics").await;
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4");
    let text = answer.text();
    for line in [
        r#"trellis_jobs_accepted_total 3"#,
        r#"trellis_jobs_finished_total{backend="paper",kind="none",state="succeeded"} 1"#,
        r#"trellis_jobs_finished_total{backend="none",kind="no_object",state="failed"} 1"#,
        r#"trellis_jobs{state="queued"} 1"#,
        r#"trellis_jobs{state="succeeded"} 1"#,
        r#"trellis_job_wait_seconds_count 2"#,
        r#"trellis_artifact_bytes_total{format="glb"} 4"#,
        r#"trellis_http_requests_total{method="POST",route="/v1/jobs",status="202"} 3"#,
        r#"trellis_http_requests_total{method="GET",route="/v1/jobs/{id}",status="400"} 1"#,
        r#"trellis_worker_state{state="ready",worker="paper-0"} 1"#,
        r#"trellis_build_info{version="1.2.3"} 1"#,
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line} is missing:\n{text}"
        );
    }
    assert!(text.contains("\nprocess_cpu_seconds_total "), "{text}");
}

#[tokio::test]
async fn they_need_a_key_where_the_server_has_keys() {
    let kit = Kit::with(Wishes {
        keys: Some("studio long-enough-for-a-secret"),
        ..Wishes::default()
    });
    kit.get("/metrics").await.assert_problem(401, "api_key_missing");
}
