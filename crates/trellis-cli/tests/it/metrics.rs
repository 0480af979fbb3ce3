//! `metrics.public` and `metrics.listen` through the real binary.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::kit::client;
use crate::kit::server::Server;
use crate::kit::{describe, fake, picture, trellis};
use crate::rack::{Rack, borrowed};

const KEY: &str = "the-first-of-them";

fn write_keys(home: &Path) {
    let path = home.join("keys");
    fs::write(&path, format!("studio {KEY} scopes=admin\n")).expect("a temporary folder takes files");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its owner may");
}

/// The address of the listener for the figures, from the server's log.
fn metrics_address(server: &Server) -> String {
    let begun = Instant::now();
    while !server.log().contains("has a listener of its own") {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", server.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    let log = server.log();
    let line = log
        .lines()
        .find(|line| line.contains("has a listener of its own"));
    let line = line.unwrap_or_else(|| panic!("no such line in {log}"));
    let (_, address) = line.split_once("address=").expect("it names its address");
    format!("http://{}", address.trim())
}

#[tokio::test]
async fn a_listener_of_its_own_needs_no_key_where_the_server_does() {
    let home = tempfile::tempdir().unwrap();
    write_keys(home.path());
    let flags = [
        "--auth-keys-file",
        "keys",
        "--metrics-listen",
        "localhost:0",
        "--backend",
        "relief",
    ];
    let server = Server::start(home.path(), &flags);
    let metrics = metrics_address(&server);
    let (status, _) = client::get(&format!("{}/metrics", server.address), None).await;
    assert_eq!(status, 401);
    let (status, text) = client::get(&format!("{}/metrics", server.address), Some(KEY)).await;
    assert_eq!(status, 200, "{text}");
    let (status, text) = client::get(&format!("{metrics}/metrics"), None).await;
    assert_eq!(status, 200, "{text}");
    assert!(text.contains("\nprocess_open_fds "), "{text}");
    let (status, _) = client::get(&format!("{metrics}/v1/jobs"), Some(KEY)).await;
    assert_eq!(status, 404);
    server.signal("TERM");
    let (status, output) = server.wait();
    assert!(status.success(), "{status}");
    assert!(
        output.contains(&format!("  metrics   {metrics}/metrics\n")),
        "{output}"
    );
}

#[tokio::test]
async fn public_figures_are_on_the_servers_own_address() {
    let home = tempfile::tempdir().unwrap();
    write_keys(home.path());
    let flags = ["--auth-keys-file", "keys", "--metrics-public"];
    let server = Server::start(home.path(), &flags);
    let (status, text) = client::get(&format!("{}/metrics", server.address), None).await;
    assert_eq!(status, 200, "{text}");
    let (status, _) = client::get(&format!("{}/v1/jobs", server.address), None).await;
    assert_eq!(status, 401);
}

/// Every server is a target of its own: what it says is its own, so that sums over all are right.
#[tokio::test]
async fn a_server_that_only_works_has_its_own_figures_and_the_others_do_not_repeat_them() {
    let Some(rack) = Rack::new() else { return };
    let home = rack.home("gpu");
    let mut flags = rack.flags("worker");
    flags.extend(fake::flags(&fake::model(&home, &json!([])), 1));
    flags.extend(["--metrics-listen", "127.0.0.1:0"].map(str::to_owned));
    let worker = Server::launch(&home, &borrowed(&flags));
    rack.wait_for("gpu", "trellis", "ready");
    let (server, api) = rack.api("api");
    let id = api.for_trellis(picture::png(64, 48), &json!({})).await;
    assert_eq!(api.finished(&id).await["state"], "succeeded");
    assert_eq!(
        api.look("workers").await["workers"].as_array().map(Vec::len),
        Some(1),
        "it is listed at the other one"
    );

    let metrics = metrics_address(&worker);
    let (status, ours) = client::get(&format!("{metrics}/metrics"), None).await;
    assert_eq!(status, 200, "{ours}");
    let (_, theirs) = client::get(&format!("{}/metrics", server.address), None).await;
    let ended = "trellis_jobs_finished_total{backend=\"trellis\"";
    for (figure, here, there) in [
        ("trellis_worker_state{", true, false),
        (ended, true, false),
        ("trellis_jobs_accepted_total 1", false, true),
        ("trellis_jobs{state=\"succeeded\"} 1", true, true),
    ] {
        assert_eq!(
            (ours.contains(figure), theirs.contains(figure)),
            (here, there),
            "{figure}"
        );
    }
    let (status, _) = client::get(&format!("{metrics}/v1/jobs"), None).await;
    assert_eq!(status, 404, "nothing else is served there");
}

#[test]
fn a_listener_that_cannot_be_is_refused_with_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let serve = |flags: &[&str]| {
        let mut call = trellis(home.path());
        call.args(["serve", "--port", "0", "--data-dir", "data"])
            .args(flags);
        let said = describe(&mut call);
        assert!(said.starts_with("exit code: 2\n"), "{said}");
        said
    };
    let said = serve(&["--metrics-listen", &address]);
    assert!(
        said.contains(&format!(
            "error: cannot listen on {address} for metrics (`metrics.listen`)"
        )),
        "{said}"
    );
    assert!(said.contains("hint: another program"), "{said}");
    let said = serve(&["--metrics-listen", "0.0.0.0:0"]);
    assert!(said.contains("can be reached from other machines"), "{said}");
    assert!(said.contains("hint: listen on 127.0.0.1 there; or,"), "{said}");
    let said = serve(&["--metrics-listen", "studio.example:9000"]);
    assert!(
        said.contains("an IP address with a port such as `127.0.0.1:8001`"),
        "{said}"
    );
    assert!(!home.path().join("data/jobs.sqlite").exists(), "it began to work");
}

#[tokio::test]
async fn other_machines_may_read_public_figures() {
    let home = tempfile::tempdir().unwrap();
    let flags = ["--metrics-listen", "0.0.0.0:0", "--metrics-public"];
    let server = Server::start(home.path(), &flags);
    let metrics = metrics_address(&server).replace("0.0.0.0", "127.0.0.1");
    let (status, text) = client::get(&format!("{metrics}/metrics"), None).await;
    assert_eq!(status, 200, "{text}");
}
