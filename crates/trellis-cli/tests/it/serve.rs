//! `trellis serve`: what it prints, what it keeps over restarts, how it ends.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use tempfile::TempDir;

use crate::kit::client::{Client, is_glb};
use crate::kit::server::Server;
use crate::kit::{describe, filters, picture, trellis};

fn home() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[tokio::test]
async fn says_where_to_look_and_ends_with_0() {
    let home = home();
    let server = Server::start(home.path(), &[]);
    server.signal("TERM");
    let (status, output) = server.wait();
    assert_eq!(status.code(), Some(0));
    filters(home.path()).bind(|| insta::assert_snapshot!("serve_banner", output));
}

#[tokio::test]
async fn the_printed_command_works_when_pasted() {
    let home = home();
    fs::write(home.path().join("photo.png"), picture::png(96, 90)).unwrap();
    let server = Server::start(home.path(), &[]);
    let address = server.address.clone();
    server.signal("TERM");
    let (_, output) = server.wait();
    let paste = commands(&output);
    let server = Server::start(home.path(), &[]);
    // The second server has another port, which a person would not have to exchange.
    let paste = paste.replace(&address, &server.address);
    let pasted = Command::new("sh")
        .args(["-c", &paste])
        .current_dir(home.path())
        .output()
        .unwrap();
    assert!(
        pasted.status.success(),
        "{}",
        String::from_utf8_lossy(&pasted.stderr)
    );
    assert!(is_glb(&fs::read(home.path().join("model.glb")).unwrap()));
}

/// The commands of a banner: what stands between its last two empty lines.
fn commands(banner: &str) -> String {
    let (_, rest) = banner.split_once(" in another terminal:\n\n").expect("commands");
    rest.split("\n\n").next().expect("an end").to_owned()
}

#[tokio::test]
async fn the_printed_commands_stop_where_the_first_one_fails() {
    let home = home();
    fs::write(home.path().join("photo.png"), "not a picture").unwrap();
    let server = Server::start(home.path(), &[]);
    let address = server.address.clone();
    server.signal("TERM");
    let (_, output) = server.wait();
    let server = Server::start(home.path(), &[]);
    let paste = commands(&output).replace(&address, &server.address);
    let pasted = Command::new("sh")
        .args(["-c", &paste])
        .current_dir(home.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&pasted.stdout);
    assert!(!pasted.status.success());
    assert!(
        said.contains("urn:trellis-server:problem:picture_format"),
        "{said}"
    );
    assert!(!said.contains("/events"), "it went on: {said}");
    assert!(!home.path().join("model.glb").exists());
}

#[tokio::test]
async fn the_sample_is_named_where_it_is_and_localhost_can_be_listened_on() {
    let home = home();
    fs::create_dir(home.path().join("samples")).unwrap();
    fs::write(home.path().join("samples/duck.png"), picture::png(96, 90)).unwrap();
    let server = Server::start(home.path(), &["--host", "localhost"]);
    let address = server.address.clone();
    assert!(address.starts_with("http://127.0.0.1:"), "{address}");
    server.signal("TERM");
    let (_, output) = server.wait();
    assert!(commands(&output).contains("image=@samples/duck.png"), "{output}");
}

#[tokio::test]
async fn jobs_survive_a_restart() {
    let home = home();
    let server = Server::start(home.path(), &[]);
    let client = Client::new(&server.address);
    let id = client.accepted(picture::png(96, 90), "one").await;
    let before = client.finished(&id).await;
    assert_eq!(before["state"], "succeeded");
    server.signal("TERM");
    assert_eq!(server.wait().0.code(), Some(0));
    let server = Server::start(home.path(), &[]);
    let client = Client::new(&server.address);
    assert_eq!(client.job(&id).await, before);
    assert_eq!(client.damage(&before).await, None);
    assert_eq!(
        client.accepted(picture::png(96, 90), "one").await,
        id,
        "the key is remembered"
    );
}

#[tokio::test]
async fn a_killed_server_does_its_jobs_after_the_restart() {
    let home = home();
    let server = Server::start(home.path(), &[]);
    let client = Client::new(&server.address);
    let mut ids = Vec::new();
    for tint in 0..6 {
        ids.push(
            client
                .accepted(picture::png(1500, tint), &format!("key-{tint}"))
                .await,
        );
    }
    server.kill();
    let server = Server::start(home.path(), &[]);
    let client = Client::new(&server.address);
    for id in ids {
        let job = client.finished(&id).await;
        assert_eq!(job["state"], "succeeded", "{job}");
        assert_eq!(client.damage(&job).await, None);
    }
}

#[tokio::test]
async fn a_second_server_in_the_same_folder_is_refused() {
    let home = home();
    let server = Server::start(home.path(), &[]);
    let Err(log) = Server::try_start(home.path(), &[]) else {
        panic!("two servers in one folder")
    };
    let log = without_id(&log, &server);
    filters(home.path()).bind(|| insta::assert_snapshot!("serve_second_server", log));
}

/// The log with the process id of `server` named.
fn without_id(log: &str, server: &Server) -> String {
    log.replace(&format!("process {}", server.id()), "process [PID]")
}

#[test]
fn what_keeps_it_from_starting_is_told_with_a_way_out() {
    let home = home();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let text = describe(trellis(home.path()).args(["serve", "--port", &port]));
    filters(home.path()).bind(|| insta::assert_snapshot!("serve_port_in_use", text));
    let at = format!("127.0.0.1:{port}");
    let dialect = ["--compat-projectorz", "--compat-projectorz-listen", &at];
    let text = describe(trellis(home.path()).args(["serve", "--port", "0"]).args(dialect));
    filters(home.path()).bind(|| insta::assert_snapshot!("serve_projectorz_port_in_use", text));
    fs::write(home.path().join("file"), "").unwrap();
    let text = describe(trellis(home.path()).args(["serve", "--port", "0", "--data-dir", "file/data"]));
    filters(home.path()).bind(|| insta::assert_snapshot!("serve_unusable_folder", text));
    fs::create_dir(home.path().join("bad")).unwrap();
    fs::write(home.path().join("bad/jobs.sqlite"), [b'x'; 8192]).unwrap();
    let text = describe(trellis(home.path()).args(["serve", "--port", "0", "--data-dir", "bad"]));
    filters(home.path()).bind(|| insta::assert_snapshot!("serve_not_a_database", text));
}

/// Whoever set the variable would look for spans in vain.
#[cfg(not(feature = "otlp"))]
#[test]
fn a_build_that_exports_no_spans_says_so_where_they_are_wanted() {
    let home = home();
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
    let server = Server::start_with(home.path(), &[], &[endpoint]);
    assert!(
        server.log().contains("without the feature `otlp`"),
        "{}",
        server.log()
    );
    let server_without = Server::start_with(
        tempfile::tempdir().expect("a folder").path(),
        &[],
        &[endpoint, ("OTEL_SDK_DISABLED", "true")],
    );
    assert!(!server_without.log().contains("otlp"), "{}", server_without.log());
}
