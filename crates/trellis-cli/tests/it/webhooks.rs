//! Secrets of webhooks through the real binary: which ones sign, and a reload.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use tokio::sync::mpsc::{Receiver, channel};

use crate::kit::client::Client;
use crate::kit::picture;
use crate::kit::server::Server;

/// The first 8 hexadecimal digits of the SHA-256 of 32 bytes, all 1 and all 2.
const SECRETS: [(&str, &str); 2] = [
    ("whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=", "72cd6e84"),
    ("whsec_AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=", "75877bb4"),
];

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("a file of secrets");
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).expect("its mode");
}

/// A receiver on a port of its own; which secrets signed what it got.
async fn receiver() -> (String, Receiver<String>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("loopback");
    let address = listener.local_addr().expect("it is bound");
    let (send, receive) = channel(9);
    let take = move |headers: HeaderMap| {
        let ids = headers["webhook-key-id"].to_str().expect("ASCII").to_owned();
        let send = send.clone();
        async move {
            send.send(ids).await.expect("the test listens");
            StatusCode::NO_CONTENT
        }
    };
    let app = Router::new().route("/", post(take));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (format!("http://{address}/"), receive)
}

/// A new secret signs after SIGHUP; a file that cannot be used changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_read_again_at_sighup() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let file = home.path().join("secrets");
    let [(first, first_id), (second, second_id)] = SECRETS;
    write(&file, first);
    let name = file.to_str().expect("UTF-8");
    let flags = ["--webhooks-secret-file", name, "--webhooks-allow", "127.0.0.1"];
    let server = Server::start(home.path(), &flags);
    let client = Client::new(&server.address);
    let (url, mut told) = receiver().await;
    let mut ids = async |key: &str| {
        let sent = client.submit_form(picture::png(48, 90), key, |form| {
            form.text("webhook", url.clone())
        });
        assert_eq!(sent.await.expect("an answer").status(), 202);
        told.recv().await.expect("a message")
    };
    assert_eq!(ids("first").await, first_id);
    write(&file, &format!("{second}\n{first}\n"));
    server.signal("HUP");
    heard(&server, "reloaded the secrets of webhooks").await;
    assert_eq!(ids("both").await, format!("{second_id} {first_id}"));
    write(&file, "whsec_short");
    server.signal("HUP");
    heard(
        &server,
        "cannot reload the secrets of webhooks; the old ones stay in force",
    )
    .await;
    assert_eq!(ids("again").await, format!("{second_id} {first_id}"));
    let log = server.log();
    assert!(
        !log.contains("wait for a restart") && !log.contains("whsec_short"),
        "{log}"
    );
}

async fn heard(server: &Server, text: &str) {
    let told = async {
        while !server.log().contains(text) {
            tokio::task::yield_now().await;
        }
    };
    let told = tokio::time::timeout(Duration::from_secs(20), told).await;
    assert!(told.is_ok(), "{text} is missing in {}", server.log());
}
