//! One server with workers of both models, whose TRELLIS and TRELLIS.2 are stand-ins.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::kit::client::Client;
use crate::kit::server::Server;
use crate::kit::{fake, picture, trellis};

/// A server with a worker of each model.
fn of_both(home: &Path) -> Server {
    let model = fake::model(home, &json!([]));
    let mut flags = fake::flags(&model, 1);
    flags.extend(fake::trellis2(home));
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    Server::start(home, &flags)
}

/// One queue, two models: each job is made by a worker of its own model, and the page of the server names both.
#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_both_models_are_made_by_workers_of_their_own() {
    let home = tempfile::tempdir().unwrap();
    let server = of_both(home.path());
    let client = Client::new(&server.address);
    let version = client.look("version").await;
    assert_eq!(version["models"], json!(["trellis-image-large", "trellis2-4b"]));
    assert_eq!(version["default_model"], "trellis-image-large");
    let mut jobs = Vec::new();
    for seed in 1..=3 {
        for (name, made_by) in [("trellis-image-large", "trellis"), ("trellis2-4b", "trellis2")] {
            let params = json!({"seed": seed, "model": name, "texture_size": 1024});
            jobs.push((
                client.for_trellis(picture::png(64, 90), &params).await,
                name,
                made_by,
            ));
        }
    }
    for (id, name, made_by) in jobs {
        let job = client.finished(&id).await;
        assert_eq!(job["state"], "succeeded", "{job}");
        assert_eq!(
            (&job["params"]["model"], &job["made_by"]),
            (&json!(name), &json!(made_by))
        );
        assert_eq!(job["provenance"]["backend"], made_by);
        let stages = job["timings"]["stages"].as_array().unwrap();
        let colours = stages.iter().any(|time| time["stage"] == "texture_latent");
        assert_eq!(colours, made_by == "trellis2");
    }
}

/// A queue of one model holds up nothing of the other, whoever's turn it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_model_whose_worker_is_busy_leaves_the_other_to_its_jobs() {
    let home = tempfile::tempdir().unwrap();
    let stuck = json!([{"at": "sparse_structure", "do": "hang", "seed": 1}]);
    let model = fake::model(home.path(), &stuck);
    let mut flags = fake::flags(&model, 1);
    flags.extend(fake::trellis2(home.path()));
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let server = Server::start(home.path(), &flags);
    let client = Client::new(&server.address);
    let mut firsts = Vec::new();
    for seed in 1..=3 {
        let params = json!({"seed": seed, "model": "trellis-image-large", "texture_size": 1024});
        firsts.push(client.for_trellis(picture::png(64, 90), &params).await);
    }
    for seed in 1..=3 {
        let params = json!({"seed": seed, "model": "trellis2-4b", "texture_size": 1024});
        let id = client.for_trellis(picture::png(64, 90), &params).await;
        let job = client.finished(&id).await;
        assert_eq!(job["state"], "succeeded", "{job}");
    }
    client.running(&firsts[0], 1).await;
    for waiting in &firsts[1..] {
        assert_eq!(client.job(waiting).await["state"], "queued");
    }
}

/// What each model sampled is decoded again by itself, with the settings that it has.
#[tokio::test(flavor = "multi_thread")]
async fn a_glb_of_either_model_is_made_again_without_sampling() {
    let home = tempfile::tempdir().unwrap();
    let server = of_both(home.path());
    let client = Client::new(&server.address);
    let export = |id: &str, words: &[&str]| -> Command {
        let mut call = trellis(home.path());
        call.args([
            "jobs",
            "export",
            "--server",
            &server.address,
            id,
            "--format",
            "glb",
        ])
        .args(["-o", "again.glb", "--json"])
        .args(words);
        call
    };
    for (name, made_by, words, field, value) in [
        (
            "trellis-image-large",
            "trellis",
            &["--mesh-simplify", "0.5"][..],
            "mesh_simplify",
            json!(0.5),
        ),
        (
            "trellis2-4b",
            "trellis2",
            &["--remesh", "false", "--texture-format", "webp"],
            "texture_format",
            json!("webp"),
        ),
    ] {
        let params = json!({"seed": 7, "model": name});
        let id = client.for_trellis(picture::png(64, 90), &params).await;
        let earlier = client.finished(&id).await;
        assert!(
            earlier["latents"]["size_bytes"].as_u64() > Some(0),
            "{name}: {earlier}"
        );
        let output = export(&id, words).output().unwrap();
        let problem = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{name}: {problem}");
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        let job = client.job(said["job"].as_str().unwrap()).await;
        assert_eq!(
            (&job["made_by"], &job["params"][field]),
            (&json!(made_by), &value),
            "{job}"
        );
        let stages = job["timings"]["stages"].as_array().unwrap();
        assert_eq!(stages[0]["stage"], "decode", "nothing was sampled: {job}");
    }
}

/// TRELLIS.2's own voxels, and those that are made from its GLB; with another model there are only the latter.
#[tokio::test(flavor = "multi_thread")]
async fn voxels_of_trellis_2_come_in_two_formats() {
    let home = tempfile::tempdir().unwrap();
    let server = of_both(home.path());
    let client = Client::new(&server.address);
    let params = json!({"seed": 1, "model": "trellis2-4b", "formats": ["vxz", "voxels"]});
    let id = client.for_trellis(picture::png(64, 90), &params).await;
    let job = client.finished(&id).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    let artifacts = job["artifacts"].as_array().unwrap();
    let files: Vec<[&Value; 3]> = artifacts
        .iter()
        .map(|file| ["name", "format", "media_type"].map(|field| &file[field]))
        .collect();
    assert_eq!(
        json!(files),
        json!([
            ["model.vxz", "vxz", "model/x-vxz"],
            ["model.vox", "voxels", "model/x-vox"],
        ])
    );
    assert!(client.artifact(&id, "model.vxz").await.starts_with(b"VXZ\0"));
    assert!(client.artifact(&id, "model.vox").await.starts_with(b"VOX "));
    let note = job["notes"].to_string();
    assert!(note.contains("has 1024 voxels a side"), "{note}");

    // A job that made none can be exported as one.
    let params = json!({"seed": 2, "model": "trellis2-4b"});
    let id = client.for_trellis(picture::png(64, 90), &params).await;
    client.finished(&id).await;
    let mut export = trellis(home.path());
    export.args([
        "jobs",
        "export",
        "--server",
        &server.address,
        &id,
        "--format",
        "vxz",
    ]);
    let output = export.output().unwrap();
    let problem = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{problem}");
    assert!(problem.contains("has 1024 voxels a side"), "{problem}");
    let written = std::fs::read(home.path().join("photo.vxz")).unwrap();
    assert!(written.starts_with(b"VXZ\0"));

    let params = json!({"model": "trellis-image-large", "formats": ["vxz"]});
    let (status, refused) = client.submit_for("trellis", picture::png(64, 90), &params).await;
    assert_eq!(status.as_u16(), 422, "{refused}");
    assert!(
        refused.to_string().contains("`vxz` cannot be made here"),
        "{refused}"
    );
}
