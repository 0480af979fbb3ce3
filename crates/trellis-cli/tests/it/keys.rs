//! API keys through the real binary: server, client, reload.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::kit::client::is_glb;
use crate::kit::server::Server;
use crate::kit::{describe, filters, picture, trellis};

/// printf %s second | sha256sum
const SECOND: &str = "sha256:16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4";

fn write_keys(home: &Path, text: &str) {
    let path = home.join("keys");
    fs::write(&path, text).expect("a temporary folder takes files");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its owner may");
}

fn generate(home: &Path, server: &Server, key: Option<&str>, more: &[&str]) -> Command {
    fs::write(home.join("photo.png"), picture::png(96, 90)).expect("a temporary folder takes files");
    let mut call = trellis(home);
    call.args([
        "generate",
        "photo.png",
        "-o",
        "chair.glb",
        "--server",
        &server.address,
    ]);
    call.args(more);
    if let Some(key) = key {
        call.env("TRELLIS_API_KEY", key);
    }
    call
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_server_with_keys_works_for_who_has_one() {
    let home = tempfile::tempdir().unwrap();
    write_keys(home.path(), &format!("studio first\nclient {SECOND}\n"));
    let server = Server::start(home.path(), &["--auth-keys-file", "keys"]);

    let text = describe(&mut generate(home.path(), &server, None, &[]));
    filters(home.path()).bind(|| insta::assert_snapshot!("keys_none", text));
    let text = describe(&mut generate(home.path(), &server, Some("wrong"), &[]));
    filters(home.path()).bind(|| insta::assert_snapshot!("keys_wrong", text));
    let text = describe(&mut generate(home.path(), &server, Some("two words"), &[]));
    filters(home.path()).bind(|| insta::assert_snapshot!("keys_unusable", text));
    assert!(!home.path().join("chair.glb").exists());

    let made = generate(home.path(), &server, Some("first"), &[])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", said(&made));
    assert!(is_glb(&fs::read(home.path().join("chair.glb")).unwrap()));
    // The file is asked before the variable.
    fs::write(home.path().join("key"), "second\n").unwrap();
    let more = ["--api-key-file", "key"];
    let made = generate(home.path(), &server, Some("wrong"), &more)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", said(&made));
    let workers = ["workers", "--server", &server.address, "--api-key-file", "key"];
    assert!(trellis(home.path()).args(workers).status().unwrap().success());

    let log = server.log();
    assert!(
        log.contains("key=\"studio\"") && log.contains("key=\"client\""),
        "{log}"
    );
    for secret in ["first", "second", "wrong", "16367aac"] {
        assert!(!log.contains(secret), "{log}");
    }
    server.signal("TERM");
    let banner = server.wait().1;
    assert!(
        banner.contains("anyone with an API key: studio, client\n"),
        "{banner}"
    );
}

/// Exchanged keys count after SIGHUP; a file that cannot be used changes nothing.
#[test]
fn keys_are_read_anew_at_sighup() {
    let home = tempfile::tempdir().unwrap();
    write_keys(home.path(), "studio first");
    let server = Server::start(home.path(), &["--auth-keys-file", "keys"]);
    let works = |key| {
        generate(home.path(), &server, Some(key), &[])
            .status()
            .unwrap()
            .success()
    };
    write_keys(home.path(), "studio second");
    server.signal("HUP");
    wait_for(&server, "reloaded the API keys");
    assert!(!works("first") && works("second"));
    write_keys(home.path(), "# studio second\nhunter2\n");
    server.signal("HUP");
    wait_for(&server, "cannot reload the API keys; the old ones stay in force");
    assert!(works("second"));
    let log = server.log();
    assert!(
        log.contains("line 2 is not a name and a secret") && !log.contains("hunter2"),
        "{log}"
    );
}

fn wait_for(server: &Server, text: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !server.log().contains(text) {
        assert!(Instant::now() < deadline, "not said: {text}");
        std::thread::yield_now();
    }
}

#[test]
fn keys_that_cannot_be_used_keep_the_server_from_starting() {
    let home = tempfile::tempdir().unwrap();
    let serve = || {
        let mut call = trellis(home.path());
        call.args(["serve", "--port", "0", "--auth-keys-file", "keys"]);
        call
    };
    let text = describe(&mut serve());
    filters(home.path()).bind(|| insta::assert_snapshot!("keys_no_file", text));
    write_keys(home.path(), "# the studio\nstudio hunter2 hunter3\n");
    let text = describe(&mut serve());
    filters(home.path()).bind(|| insta::assert_snapshot!("keys_bad_line", text));
    assert!(!home.path().join("data").exists());
}

/// As a service manager hands them over; what others can read is said.
#[test]
fn handed_over_keys_are_taken_and_readable_ones_are_warned_of() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("credentials");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("api-keys"), "studio first").unwrap();
    fs::set_permissions(folder.join("api-keys"), fs::Permissions::from_mode(0o644)).unwrap();
    let server = Server::start_with(
        home.path(),
        &[],
        &[("CREDENTIALS_DIRECTORY", folder.to_str().unwrap())],
    );
    let refused = generate(home.path(), &server, None, &[]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    wait_for(&server, "the API keys are world-readable");
}

#[test]
fn an_open_server_says_what_that_means() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(home.path(), &["--host", "0.0.0.0"]);
    wait_for(&server, "anyone who can reach this address can use the server");
    drop(server);
    let server = Server::start(home.path(), &[]);
    assert!(!server.log().contains("everybody"), "{}", server.log());
}
