//! A disk that is full or read-only: submissions are refused with the reason, the server stays, and once
//! there is room it goes on.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use reqwest::StatusCode;
use serde_json::Value;

use super::mount::Tmpfs;
use crate::kit::client::Client;
use crate::kit::picture;
use crate::kit::server::Server;

/// Fills the file system of `folder` to the last byte, again where some became free.
fn fill(folder: &Path) {
    let file = File::options()
        .create(true)
        .append(true)
        .open(folder.join("filler"));
    let mut file = file.expect("a file");
    for size in [1 << 16, 1 << 10, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

/// The kind of an error answer.
async fn kind(response: reqwest::Response) -> String {
    let problem: Value = response.json().await.expect("problem+json");
    let kind = problem["type"].as_str().unwrap_or_default();
    assert!(
        problem["fix"].as_str().is_some_and(|fix| !fix.is_empty()),
        "{problem}"
    );
    kind.rsplit(':').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_full_disk_refuses_jobs_and_loses_none() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let data = home.path().join("data");
    fs::create_dir(&data).expect("a folder");
    let Some(_tmpfs) = Tmpfs::mount(&data, "16m") else {
        return;
    };
    let server = Server::start(home.path(), &[]);
    let client = Client::new(&server.address);
    let first = client.accepted(picture::png(128, 1), "first").await;
    assert_eq!(client.finished(&first).await["state"], "succeeded");

    // Full while jobs are worked on, then a submission.
    let mut accepted = Vec::new();
    for number in 0..10 {
        accepted.push(client.accepted(picture::png(900, 3), &format!("{number}")).await);
    }
    client.running(&accepted[0], 1).await;
    fill(&data);
    let mut refused = None;
    for number in 10..400 {
        let response = client
            .submit(picture::png(600, 3), &format!("{number}"))
            .await
            .expect("an answer");
        if response.status() != StatusCode::ACCEPTED {
            refused = Some(response);
            break;
        }
        let job: Value = response.json().await.expect("JSON");
        accepted.push(job["id"].as_str().expect("an id").to_owned());
    }
    let refused = refused.expect("a full disk takes no more");
    assert_eq!(refused.status(), StatusCode::INSUFFICIENT_STORAGE);
    assert_eq!(kind(refused).await, "storage_full");
    assert_eq!(
        client.job(&first).await["state"],
        "succeeded",
        "what is there can still be read"
    );

    fs::remove_file(data.join("filler")).expect("the filler is there");
    let (mut done, mut failed) = (0, 0);
    for id in &accepted {
        let job = client.finished(id).await;
        match job["state"].as_str() {
            Some("succeeded") => {
                assert_eq!(client.damage(&job).await, None);
                done += 1;
            }
            Some("failed") if job["failure"]["kind"] == "storage_full" => failed += 1,
            _ => panic!("{job}"),
        }
    }
    let last = client.accepted(picture::png(128, 2), "last").await;
    assert_eq!(
        client.finished(&last).await["state"],
        "succeeded",
        "with room it goes on"
    );
    println!(
        "disk full: {} accepted, {done} done, {failed} failed with `storage_full`, 0 lost",
        accepted.len()
    );
}

/// What ends jobs works without a free byte, also after a kill; jobs that wait are kept waiting rather than failed, and
/// everything goes on by itself once there is room.
#[tokio::test]
async fn a_full_disk_has_a_way_out() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let data = home.path().join("data");
    fs::create_dir(&data).expect("a folder");
    let Some(_tmpfs) = Tmpfs::mount(&data, "32m") else {
        return;
    };
    let server = Server::start(home.path(), &[]);
    let client = Client::new(&server.address);
    let mut finished = Vec::new();
    for number in 0..4 {
        finished.push(
            client
                .accepted(picture::png(128, number), &format!("f{number}"))
                .await,
        );
        client.finished(&finished[usize::from(number)]).await;
    }
    let large = picture::png(900, 3);
    let mut waiting = Vec::new();
    for number in 0..40 {
        waiting.push(client.accepted(large.clone(), &format!("{number}")).await);
    }
    client
        .until("jobs?state=running", |list| list["jobs"][0]["id"].is_string())
        .await;
    fill(&data);

    let refused = client
        .submit(picture::png(64, 3), "refused")
        .await
        .expect("an answer");
    assert_eq!(refused.status(), StatusCode::INSUFFICIENT_STORAGE);
    assert_eq!(kind(refused).await, "storage_full");
    let ready = client.look("health/ready").await;
    assert_eq!(ready["status"], "not_ready");
    let message = ready["message"].as_str().expect("a sentence");
    assert!(message.contains("free disk space"), "{message}");

    let gone = async |client: &Client, id: &str| {
        let answer = client.look(&format!("jobs/{id}")).await;
        assert_eq!(
            answer["type"], "urn:trellis-server:problem:job_not_found",
            "{answer}"
        );
    };
    for id in &finished[..2] {
        client.cancel(id).await;
        fill(&data);
        gone(&client, id).await;
    }
    // Of those that wait the last, and what is running.
    let running = client.look("jobs?state=running").await;
    let mut cancelled = vec![
        waiting.pop().expect("there are more"),
        waiting.pop().expect("there are more"),
    ];
    let running = running["jobs"].as_array().into_iter().flatten();
    cancelled.extend(running.filter_map(|job| job["id"].as_str()).map(str::to_owned));
    for id in &cancelled {
        client.cancel(id).await;
        fill(&data);
    }
    waiting.retain(|id| !cancelled.contains(id));
    for id in &cancelled[..2] {
        assert_eq!(client.job(id).await["state"], "cancelled");
    }
    // Whatever was running has ended by now or does so: nothing stays at work without an end.
    for id in &waiting {
        client
            .until(&format!("jobs/{id}"), |job| job["state"] != "running")
            .await;
    }
    server.kill();

    let server = Server::start(home.path(), &[]);
    let client = Client::new(&server.address);
    client.cancel(&finished[2]).await;
    gone(&client, &finished[2]).await;
    fs::remove_file(data.join("filler")).expect("the filler is there");
    client
        .until("health/ready", |ready| ready["status"] == "ready")
        .await;
    let (mut done, mut failed) = (0, 0);
    for id in &waiting {
        let job = client.finished(id).await;
        match job["state"].as_str() {
            Some("succeeded") => {
                assert_eq!(client.damage(&job).await, None);
                done += 1;
            }
            Some("failed") if job["failure"]["kind"] == "storage_full" => failed += 1,
            _ => panic!("{job}"),
        }
    }
    println!(
        "disk full to the last byte: 3 deleted, {} cancelled; with room: {done} done, {failed} failed",
        cancelled.len()
    );
    assert!(failed < done, "those that waited were failed");
    let kept = client.job(&finished[3]).await;
    assert_eq!(client.damage(&kept).await, None);
    let reserve = data.join("jobs.sqlite-reserve");
    client.until("health/ready", |_| reserve.exists()).await;
}

#[tokio::test]
async fn a_server_on_a_full_disk_does_not_start_and_says_why() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let data = home.path().join("data");
    fs::create_dir(&data).expect("a folder");
    let Some(_tmpfs) = Tmpfs::mount(&data, "1m") else {
        return;
    };
    fill(&data);
    let Err(log) = Server::try_start(home.path(), &[]) else {
        panic!("it starts on a full disk")
    };
    println!("{log}");
    assert!(log.contains("hint: free disk space"), "{log}");
}

#[tokio::test]
async fn a_server_on_a_read_only_disk_does_not_start_and_says_why() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let data = home.path().join("data");
    fs::create_dir(&data).expect("a folder");
    let Some(tmpfs) = Tmpfs::mount(&data, "64m") else {
        return;
    };
    let server = Server::start(home.path(), &[]);
    let client = Client::new(&server.address);
    let id = client.accepted(picture::png(128, 1), "first").await;
    let first = client.finished(&id).await;
    server.kill();
    tmpfs.set_writable(false);
    let Err(log) = Server::try_start(home.path(), &[]) else {
        panic!("it starts on a read-only disk")
    };
    println!("{log}");
    assert!(
        log.contains("cannot use the data folder") && log.contains("--data-dir"),
        "{log}"
    );
    tmpfs.set_writable(true);
    let server = Server::start(home.path(), &[]);
    assert_eq!(Client::new(&server.address).job(&id).await, first);
}

#[tokio::test]
async fn a_folder_that_becomes_unwritable_refuses_jobs_until_it_is_well_again() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(home.path(), &[]);
    let client = Client::new(&server.address);
    // A file in the folder's place stops root as well as anybody else.
    let folder = home.path().join("data/blobs/jobs");
    let aside = home.path().join("data/blobs/aside");
    fs::rename(&folder, &aside).expect("the folder of blobs");
    fs::write(&folder, "").expect("a file in its place");
    let response = client
        .submit(picture::png(128, 1), "one")
        .await
        .expect("an answer");
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(kind(response).await, "blobs_unavailable");
    fs::remove_file(&folder).expect("the file is there");
    fs::rename(&aside, &folder).expect("the folder is there");
    let id = client.accepted(picture::png(128, 1), "one").await;
    let job = client.finished(&id).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!(client.damage(&job).await, None);
}

#[tokio::test]
async fn a_folder_without_permission_is_told() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let data = home.path().join("data");
    fs::create_dir(&data).expect("a folder");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o500)).expect("it is ours");
    if File::create(data.join("probe")).is_ok() {
        println!("skipped: root may write everywhere; the read-only disk shows the same");
        return;
    }
    let Err(log) = Server::try_start(home.path(), &[]) else {
        panic!("it starts without permission")
    };
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).expect("it is ours");
    assert!(
        log.contains("cannot use the data folder") && log.contains("hint:"),
        "{log}"
    );
}
