//! Exports of earlier jobs over HTTP. What is made of a GLB, the runner's tests look at.

use axum::body::{Body, Bytes};
use axum::http::{Method, header};
use jiff::Timestamp;
use serde_json::json;
use trellis_core::{Artifact, Format, Sha256};
use trellis_jobs::{BlobKey, Delivered, Outcome};

use crate::kit::{Answer, Kit, Wishes, request};

const GLB: &[u8] = b"glTF and more";

async fn export(kit: &Kit, id: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
    let mut call = request(Method::POST, &format!("/v1/jobs/{id}/exports"))
        .header(header::CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        call = call.header(*name, *value);
    }
    kit.send(call.body(Body::from(body.to_owned())).unwrap()).await
}

/// A job with a GLB that is what its digest says.
async fn succeeded(kit: &Kit) -> String {
    let id = kit.submit().await;
    let claim = kit.claim().await;
    let key = BlobKey::artifact(claim.lease.job, claim.lease.attempt, "model.glb");
    let jobs = &kit.state.jobs;
    jobs.blobs.put(&key, Bytes::from_static(GLB)).await.unwrap();
    let artifact = Artifact {
        name: "model.glb".to_owned(),
        format: Format::Glb,
        media_type: Format::Glb.media_type().to_owned(),
        size_bytes: GLB.len() as u64,
        sha256: Sha256::of(GLB),
        preview: false,
    };
    let outcome = Outcome {
        made_by: "paper".to_owned(),
        artifacts: vec![Delivered { artifact, key }],
        notes: Vec::new(),
        timings: None,
        provenance: None,
        statement: None,
        latents: None,
        cache_key: None,
    };
    jobs.store
        .succeed(&claim.lease, Timestamp::now(), outcome)
        .await
        .unwrap();
    id
}

/// What is asked counts, not what the earlier job had.
#[tokio::test]
async fn an_export_has_a_priority_of_its_own() {
    let kit = Kit::new();
    let earlier = succeeded(&kit).await;
    for (body, expected) in [
        (r#"{"format": "stl"}"#, "normal"),
        (r#"{"format": "stl", "priority": "low"}"#, "low"),
    ] {
        let answer = export(&kit, &earlier, body, &[]).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        assert_eq!(answer.json()["priority"], expected);
    }
    let key = [("idempotency-key", "k1")];
    let first = export(&kit, &earlier, r#"{"format": "stl"}"#, &key).await;
    let same = r#"{"format": "stl", "priority": "normal"}"#;
    let same = export(&kit, &earlier, same, &key).await;
    assert_eq!(same.json()["id"], first.json()["id"]);
    let other = r#"{"format": "stl", "priority": "high"}"#;
    let other = export(&kit, &earlier, other, &key).await;
    other.assert_problem(422, "idempotency_key_reused");
    let unknown = r#"{"format": "stl", "priority": "urgent"}"#;
    let unknown = export(&kit, &earlier, unknown, &[]).await;
    unknown.assert_problem(422, "invalid_json");
}

#[tokio::test]
async fn an_export_is_a_new_job_that_names_its_source() {
    let kit = Kit::new();
    let earlier = succeeded(&kit).await;
    let body = r#"{"format": "voxels", "voxel_resolution": 32}"#;
    let key = [("idempotency-key", "k1")];
    let answer = export(&kit, &earlier, body, &key).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let job = answer.json();
    let id = job["id"].as_str().unwrap();
    assert_eq!(answer.header(header::LOCATION), format!("/v1/jobs/{id}"));
    assert_ne!(id, earlier);
    assert_eq!(
        (&job["state"], &job["backend"]),
        (&json!("queued"), &json!("export"))
    );
    assert_eq!(
        (&job["params"]["formats"], &job["params"]["voxel_resolution"]),
        (&json!(["voxels"]), &json!(32))
    );
    assert_eq!(
        job["source"],
        json!({"job": earlier, "artifact": "model.glb", "sha256": Sha256::of(GLB), "made_by": "paper"})
    );
    let again = export(&kit, &earlier, body, &key).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.json()["id"], id);
    let listed = kit.get("/v1/jobs").await.json();
    assert_eq!(listed["jobs"].as_array().unwrap().len(), 2);
    assert_eq!(kit.get(&format!("/v1/jobs/{id}")).await.json(), job);
    let events = request(Method::DELETE, &format!("/v1/jobs/{id}"));
    assert_eq!(
        kit.send(events.body(Body::empty()).unwrap()).await.status,
        200,
        "cancelled"
    );
    let events = kit.get(&format!("/v1/jobs/{id}/events")).await.text();
    assert!(events.contains(r#""state":"cancelled""#), "{events}");
}

#[tokio::test]
async fn what_cannot_be_exported_is_told_plainly() {
    let kit = Kit::new();
    let live = kit.submit().await;
    let answer = export(&kit, &live, r#"{"format": "obj"}"#, &[]).await;
    let problem = answer.assert_problem(422, "job_not_succeeded");
    assert!(
        problem["detail"].as_str().unwrap().contains("is queued"),
        "{problem}"
    );
    kit.fail(&kit.claim().await).await;
    export(&kit, &live, r#"{"format": "obj"}"#, &[])
        .await
        .assert_problem(422, "job_not_succeeded");
    let good = succeeded(&kit).await;
    for (body, status, kind) in [
        (r#"{"format": "glb"}"#, 422, "no_latents"),
        (r#"{"format": "turntable"}"#, 422, "no_latents"),
        (r#"{"formats": ["obj", "stl"]}"#, 422, "no_latents"),
        (r#"{"format": "stl", "texture_size": 512}"#, 422, "no_latents"),
        ("{}", 422, "no_latents"),
        (r#"{"format": "fbx"}"#, 422, "invalid_json"),
        (r#"{"formats": ["fbx"]}"#, 422, "invalid_json"),
        (
            r#"{"format": "voxels", "voxel_resolution": 3}"#,
            422,
            "invalid_parameter",
        ),
        (
            r#"{"format": "stl", "stl_size_mm": -1}"#,
            422,
            "invalid_parameter",
        ),
        (r#"{"format": "obj", "seed": 3}"#, 422, "invalid_json"),
    ] {
        export(&kit, &good, body, &[]).await.assert_problem(status, kind);
    }
    let unknown = "0198b2f4-7c5e-7a6f-8d1e-2f3a4b5c6d7e";
    export(&kit, unknown, r#"{"format": "obj"}"#, &[])
        .await
        .assert_problem(404, "job_not_found");
    let submitted = crate::kit::submission(&json!({"images": [crate::kit::png_uri()], "backend": "export"}));
    let problem = kit.send(submitted).await.assert_problem(422, "invalid_json");
    let said = problem["detail"].as_str().unwrap();
    assert!(
        said.ends_with("choose from `auto`, `trellis`, `relief`"),
        "{said}"
    );
}

#[tokio::test]
async fn another_keys_job_is_not_exported() {
    let kit = Kit::with(Wishes {
        keys: Some("studio s3cret-of-the-studio\nclient the-other-secret"),
        ..Wishes::default()
    });
    let mut submitted = crate::kit::submission(&json!({"images": [crate::kit::png_uri()]}));
    let studio = "Bearer s3cret-of-the-studio".parse().unwrap();
    submitted.headers_mut().insert(header::AUTHORIZATION, studio);
    let id = kit.send(submitted).await.json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let other = [("authorization", "Bearer the-other-secret")];
    let answer = export(&kit, &id, r#"{"format": "obj"}"#, &other).await;
    answer.assert_problem(404, "job_not_found");
}
