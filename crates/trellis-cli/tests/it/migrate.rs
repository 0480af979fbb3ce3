//! `trellis store migrate`: from a server that works alone to one among several.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::kit::client::{Client, is_glb};
use crate::kit::server::Server;
use crate::kit::{describe, fake, picture, trellis};
use crate::postgres;

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
