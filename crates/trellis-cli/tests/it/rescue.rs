//! A job database that is lost: nothing is thrown away, and every job comes back.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::kit::client::Client;
use crate::kit::server::Server;
use crate::kit::{describe, filters, picture, trellis};

/// A job of 2023, of which only a picture is there.
const OLD: &str = "018bcfe5-6800-7000-8000-000000000000";

fn lose_database(home: &Path) {
    for name in ["jobs.sqlite", "jobs.sqlite-wal", "jobs.sqlite-shm"] {
        let _ = fs::remove_file(home.join("data").join(name));
    }
}

fn rescue(home: &Path, flags: &[&str]) -> String {
    let mut call = trellis(home);
    describe(call.args(["jobs", "rescue", "--data-dir", "data"]).args(flags))
}

/// Whether the note of the job's end is in a folder of a period.
fn ended(jobs: &Path, id: &str) -> bool {
    let folders = fs::read_dir(jobs).expect("a folder");
    folders
        .flatten()
        .any(|folder| folder.path().join(format!("{id}.ended.json")).exists())
}

/// Bytes of all files of a job, by their names.
async fn files(client: &Client, job: &Value) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for artifact in job["artifacts"].as_array().expect("a list") {
        let name = artifact["name"].as_str().expect("a name");
        let id = job["id"].as_str().expect("an id");
        files.push((name.to_owned(), client.artifact(id, name).await.to_vec()));
    }
    files
}

#[tokio::test]
async fn a_lost_database_costs_no_job_and_no_file() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let home = home.path();
    let server = Server::start(home, &["--backend", "relief"]);
    let client = Client::new(&server.address);
    let mut made = Vec::new();
    for number in [60, 90] {
        let id = client
            .accepted(picture::png(64, number), &number.to_string())
            .await;
        let job = client.finished(&id).await;
        assert_eq!(job["state"], "succeeded", "{job}");
        made.push((files(&client, &job).await, job));
    }
    server.kill();
    let old = home.join(format!("data/blobs/jobs/{}/{OLD}.input.0", &OLD[..7]));
    fs::create_dir(old.parent().expect("a folder")).expect("a folder");
    fs::write(&old, "a picture").expect("a file");
    lose_database(home);

    // A server that is started all the same says what is wrong, works, and removes nothing.
    let server = Server::start(home, &["--backend", "relief"]);
    let client = Client::new(&server.address);
    let later = client.accepted(picture::png(64, 30), "later").await;
    client.finished(&later).await;
    let log = server.log();
    assert!(
        log.contains("does not know the jobs") && log.contains("trellis jobs rescue"),
        "{log}"
    );
    let in_use = rescue(home, &[]);
    assert!(in_use.contains("in use by another server"), "{in_use}");
    server.kill();
    assert!(old.exists(), "it was taken away");

    let would = rescue(home, &["--dry-run"]);
    assert!(
        would.contains("would rescue 2 jobs; 1 is listed already"),
        "{would}"
    );
    let did = rescue(home, &[]);
    assert!(did.starts_with("exit code: 0"), "{did}");
    assert!(
        did.contains("\nrescued 2 jobs; 1 is listed already; the files of 1 other stay"),
        "{did}"
    );
    assert!(rescue(home, &[]).contains("rescued 0 jobs; 3 are listed already"));

    let server = Server::start(home, &["--backend", "relief"]);
    let client = Client::new(&server.address);
    let listed = client.look("jobs").await;
    assert_eq!(listed["jobs"].as_array().expect("a list").len(), 3, "{listed}");
    for (bytes, job) in made {
        let id = job["id"].as_str().expect("an id");
        let found = client.job(id).await;
        assert_eq!(found, job);
        assert!(files(&client, &found).await == bytes, "files of {id}");
    }
    // They belong together again: what nobody knows is set aside.
    let aside = home.join(format!("data/blobs/lost+found/{OLD}/{OLD}.input.0"));
    let deadline = Instant::now() + Duration::from_secs(60);
    while !aside.exists() {
        assert!(Instant::now() < deadline, "{}", server.log());
        tokio::task::yield_now().await;
    }
    assert!(!old.exists());
}

/// A copy of the files alone is a whole copy.
#[tokio::test]
async fn the_blob_folder_alone_brings_all_jobs_back() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let copy = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(home.path(), &["--backend", "relief"]);
    let client = Client::new(&server.address);
    let id = client.accepted(picture::png(64, 60), "one").await;
    let job = client.finished(&id).await;
    // Clients hear of the end while the note of it is being written.
    let deadline = Instant::now() + Duration::from_secs(30);
    while !ended(&home.path().join("data/blobs/jobs"), &id) {
        assert!(Instant::now() < deadline, "the end was not noted");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    fs::create_dir(copy.path().join("data")).expect("a folder");
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .arg(home.path().join("data/blobs"))
        .arg(copy.path().join("data"))
        .status();
    assert!(copied.expect("`cp` runs").success(), "while the server runs");
    let did = rescue(copy.path(), &["--json"]);
    assert!(did.contains(&id), "{did}");
    let server = Server::start(copy.path(), &["--backend", "relief"]);
    assert_eq!(Client::new(&server.address).job(&id).await, job);
}

#[test]
fn a_folder_that_no_server_has_used_is_told() {
    let home = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(home.path().join("data")).expect("a folder");
    let said = rescue(home.path(), &[]);
    filters(home.path()).bind(|| {
        insta::assert_snapshot!(said, @r"
        exit code: 2
        ----- stdout
        ----- stderr
        error: `data` is not the data folder of a server: it has no folder `blobs`

        hint: name the folder that the server uses with `--data-dir`
        ");
    });
    assert!(!home.path().join("data/jobs.sqlite").exists());
}
