//! Submissions with a priority.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::kit::{Answer, Kit, form, png, png_uri, submission};

async fn by_json(kit: &Kit, priority: Value) -> Answer {
    let body = json!({"images": [png_uri()], "priority": priority});
    kit.send(submission(&body)).await
}

async fn by_form(kit: &Kit, priority: &[&str]) -> Answer {
    let mut parts: Vec<(&str, &[u8])> = vec![];
    let png = png();
    parts.push(("image", &png));
    parts.extend(priority.iter().map(|name| ("priority", name.as_bytes())));
    kit.send(form(&parts)).await
}

#[tokio::test]
async fn a_job_shows_its_priority_and_the_urgent_one_is_claimed_first() {
    let kit = Kit::new();
    let mut ids = Vec::new();
    for (answer, expected) in [
        (by_form(&kit, &[]).await, "normal"),
        (by_form(&kit, &["low"]).await, "low"),
        (by_json(&kit, Value::Null).await, "normal"),
        (by_json(&kit, json!("high")).await, "high"),
    ] {
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        for answer in [answer, kit.get(&format!("/v1/jobs/{id}")).await] {
            assert_eq!(answer.json()["priority"], expected);
        }
        ids.push(id);
    }
    let listed = kit.get("/v1/jobs").await.json();
    let listed: Vec<&Value> = listed["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| &job["priority"])
        .collect();
    assert_eq!(listed, ["high", "normal", "low", "normal"]);
    for at in [3, 0, 2, 1] {
        assert_eq!(kit.claim().await.lease.job.to_string(), ids[at]);
    }
}

#[tokio::test]
async fn an_unknown_priority_is_refused_with_those_that_are_known() {
    let kit = Kit::new();
    let refused = by_json(&kit, json!("urgent")).await;
    let problem = refused.assert_problem(422, "invalid_json");
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("`priority`") && detail.contains("`high`"),
        "{detail}"
    );
    let refused = by_form(&kit, &["urgent"]).await;
    let problem = refused.assert_problem(422, "invalid_part");
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("`urgent`") && detail.contains("`high`"),
        "{detail}"
    );
    by_form(&kit, &["low", "low"])
        .await
        .assert_problem(422, "invalid_part");
}
