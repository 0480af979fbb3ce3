//! `trellis store migrate`: from a server that works alone to one among several.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::kit::client::{Client, is_glb};
use crate::kit::server::Server;
use crate::kit::{describe, fake, picture, trellis};
use crate::postgres;
use crate::rack::Rack;

/// The command with more flags; what it printed.
fn migrate(home: &Path, url: &str, more: &[&str]) -> String {
    let mut command = trellis(home);
    command.args([
        "store", "migrate", "--from", "data", "--to", url, "--blobs", "shared",
    ]);
    describe(command.args(more))
}

#[tokio::test]
async fn jobs_and_files_move_once_however_often_the_command_is_run() {
    if let Some(missing) = postgres::Server::missing() {
        println!("skipped: {missing}");
        return;
    }
    let url = postgres::Server::of_this_process()
        .address("postgres")
        .to_string();
    let place = tempfile::tempdir().expect("a temporary folder");
    let home = place.path();
    // Alone: two jobs that are done, one at work, one that waits.
    let model = fake::model(home, &json!([]));
    let flags = fake::flags(&model, 1);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let alone = Server::start(home, &flags);
    let client = Client::new(&alone.address);
    let mut done = Vec::new();
    for (n, key) in [(1, "first"), (2, "second")] {
        let id = client.accepted(picture::png(64, n), key).await;
        done.push(client.finished(&id).await);
    }
    let glb = client
        .artifact(done[0]["id"].as_str().expect("an id"), "model.glb")
        .await;
    let hangs = json!([{ "at": "decode", "do": "hang" }]);
    fs::write(model.join("script.json"), hangs.to_string()).expect("the folder is there");
    let running = client.accepted(picture::png(64, 3), "third").await;
    client.running(&running, 1).await;
    let waiting = client.accepted(picture::png(64, 4), "fourth").await;
    let said = migrate(home, &url, &[]);
    assert!(said.contains("is in use by another server"), "{said}");
    alone.kill();

    let said = migrate(home, &url, &[]);
    assert!(
        said.starts_with("exit code: 0") && said.contains("moved 4 jobs; "),
        "{said}"
    );
    let said = migrate(home, &url, &["--json"]);
    assert!(
        said.starts_with("exit code: 0") && said.contains("\"moved\": 0"),
        "{said}"
    );
    assert!(
        said.contains("\"known\": 4") && said.contains("\"wrong\": []"),
        "{said}"
    );
    // What went missing on the way is brought again.
    let id = done[0]["id"].as_str().expect("an id");
    let file = home.join(format!("shared/jobs/{}/{id}.1.model.glb", &id[..7]));
    fs::write(&file, "cut off").expect("a file");
    let said = migrate(home, &url, &[]);
    assert!(said.starts_with("exit code: 0"), "{said}");
    assert_eq!(fs::read(&file).expect("a file"), glb);

    // Several: all is there, and goes on.
    let (shared, server) = (home.join("shared").display().to_string(), home.join("several"));
    fs::create_dir(&server).expect("a folder");
    let several = Server::start(&server, &["--store", &url, "--blobs", &shared]);
    let client = Client::new(&several.address);
    for job in &done {
        let id = job["id"].as_str().expect("an id");
        let found = client.look(&format!("jobs/{id}")).await;
        assert_eq!(found, *job);
        assert_eq!(client.damage(job).await, None);
    }
    assert!(is_glb(&client.artifact(id, "model.glb").await));
    assert_eq!(
        client.accepted(picture::png(64, 1), "first").await,
        id,
        "its key answers with it"
    );
    for (id, attempt) in [(&running, 2), (&waiting, 1)] {
        let job = client.finished(id).await;
        assert_eq!(
            (&job["state"], &job["attempt"]),
            (&json!("succeeded"), &json!(attempt))
        );
    }
    let log = several.log();
    assert!(!log.contains("does not know the jobs"), "{log}");
}

/// What a store keeps of each job that no client is told.
const KEPT: &str =
    "SELECT id, backend, needs, charged, state, owner, idempotency_key, size_bytes, cache_key, latents
                    FROM trellis.jobs ORDER BY number";

#[tokio::test]
async fn jobs_move_from_one_shared_store_to_another_and_back_into_a_data_folder() {
    let Some(rack) = Rack::new() else { return };
    let home = rack.place.path();
    // Two that are done, one with what was sampled for it; one that waits for another model, one for nobody yet.
    let gpu = rack.gpu("gpu", &json!([]));
    rack.wait_for("gpu", "trellis", "ready");
    let (server, api) = rack.api("api");
    let mut jobs = vec![api.for_trellis(picture::png(64, 1), &json!({"seed": 7})).await];
    jobs.push(api.accepted(picture::png(64, 2), "second").await);
    for id in &jobs {
        assert_eq!(api.finished(id).await["state"], "succeeded");
    }
    let told = rack.migrate(&["--from", &rack.url, "--from-blobs", "blobs", "--to", "alone"]);
    assert!(told.contains("servers still work on the job store"), "{told}");
    gpu.kill();
    let second = json!({"model": "trellis2-4b"});
    jobs.push(api.for_trellis(picture::png(64, 3), &second).await);
    jobs.push(api.for_trellis(picture::png(64, 4), &json!({})).await);
    let mut before = Vec::new();
    for id in &jobs {
        before.push(api.job(id).await);
    }
    server.kill();
    rack.ask("DELETE FROM trellis.nodes");

    rack.ask("CREATE DATABASE other");
    let other = rack.url.replace("/postgres", "/other");
    let from = ["--from", &rack.url, "--from-blobs", "blobs"];
    let to = ["--to", &other, "--blobs", "other-blobs"];
    let told = rack.migrate(&[from, to].concat());
    assert!(
        told.starts_with("exit code: 0") && told.contains("moved 4 jobs; "),
        "{told}"
    );
    assert_eq!(rack.ask(KEPT), Rack::ask_of(&other, KEPT));
    let told = rack.migrate(&[from, to].concat());
    assert!(told.contains("moved 0 jobs; 4 were there already"), "{told}");

    let from = ["--from", &other, "--from-blobs", "other-blobs"];
    let told = rack.migrate(&[&from[..], &["--to", "alone/data"]].concat());
    assert!(told.contains("`alone` does not exist"), "{told}");
    fs::create_dir(home.join("alone")).expect("a folder");
    let told = rack.migrate(&[&from[..], &["--to", "alone/data"]].concat());
    assert!(
        told.starts_with("exit code: 0") && told.contains("moved 4 jobs; "),
        "{told}"
    );

    // The one that waited for TRELLIS is done there, the other model is not.
    let model = home.join("gpu/model");
    let flags = fake::flags(&model, 1);
    std::os::unix::fs::symlink(home.join("gpu/.cache"), home.join("alone/.cache")).expect("a link");
    let alone = Server::start(
        &home.join("alone"),
        &flags.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let client = Client::new(&alone.address);
    for job in &before[..2] {
        let id = job["id"].as_str().expect("an id");
        assert_eq!(client.job(id).await, *job);
        assert_eq!(client.damage(job).await, None);
    }
    assert_eq!(client.accepted(picture::png(64, 2), "second").await, jobs[1]);
    assert_eq!(client.finished(&jobs[3]).await["state"], "succeeded");
    assert_eq!(client.job(&jobs[2]).await["state"], "queued");
    let (status, export) = client.export(&jobs[0], &json!({"texture_size": 2048})).await;
    assert_eq!(status, 202, "what was sampled has come along: {export}");
    let export = export["id"].as_str().expect("an id");
    assert_eq!(client.finished(export).await["state"], "succeeded");
}

#[test]
fn what_cannot_be_moved_is_said_with_what_to_do() {
    if let Some(missing) = postgres::Server::missing() {
        println!("skipped: {missing}");
        return;
    }
    let url = postgres::Server::of_this_process()
        .address("postgres")
        .to_string();
    let place = tempfile::tempdir().expect("a temporary folder");
    let home = place.path();
    let said = migrate(home, &url, &[]);
    assert!(
        said.starts_with("exit code: 2") && said.contains("has no folder `blobs`"),
        "{said}"
    );
    fs::create_dir_all(home.join("data/blobs")).expect("a folder");
    let mut command = trellis(home);
    let said = describe(command.args(["store", "migrate", "--from", "data"]));
    assert!(
        said.contains("names no job store") && said.contains("hint: "),
        "{said}"
    );
    let mut command = trellis(home);
    let said = describe(command.args(["store", "migrate", "--from", "data", "--to", &url]));
    assert!(said.contains("`store.blobs` names no place"), "{said}");
}
