//! A server on a Unix socket through the real binary: made by it, or handed over.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::process::Command;

use crate::kit::client::is_glb;
use crate::kit::server::Server;
use crate::kit::{picture, trellis};

#[test]
fn the_printed_commands_work_and_the_socket_goes_with_the_server() {
    let home = tempfile::tempdir().unwrap();
    let socket = home.path().join("http.sock");
    let path = socket.to_str().unwrap();
    fs::write(home.path().join("photo.png"), picture::png(96, 90)).unwrap();
    let server = Server::start(home.path(), &["--socket", path]);
    assert_eq!(server.address, format!("unix:{path}"));
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o660);
    // A kill leaves it, and the next server takes its place.
    server.kill();
    assert!(socket.exists());
    let server = Server::start(home.path(), &["--socket", path]);
    let second = trellis(home.path())
        .args([
            "serve",
            "--backend",
            "relief",
            "--data-dir",
            "other",
            "--socket",
            path,
        ])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(
        second.status.code() == Some(2) && said.contains("another program does"),
        "{said}"
    );
    let paste = trellis_server::Example {
        address: "http://localhost",
        socket: Some(path),
        picture: "photo.png",
        output: "model.glb",
        key_variable: None,
    };
    let pasted = Command::new("sh")
        .args(["-c", &paste.commands()])
        .current_dir(home.path())
        .output()
        .unwrap();
    assert!(
        pasted.status.success(),
        "{}",
        String::from_utf8_lossy(&pasted.stderr)
    );
    assert!(is_glb(&fs::read(home.path().join("model.glb")).unwrap()));
    server.signal("TERM");
    let (status, output) = server.wait();
    assert_eq!(status.code(), Some(0));
    assert!(output.contains(&paste.commands()), "{output}");
    assert!(!socket.exists());
}

/// A socket that the service manager made is its own to remove, and needs no keys.
#[test]
fn a_unix_socket_is_taken_over_from_the_service_manager() {
    let home = tempfile::tempdir().unwrap();
    let socket = home.path().join("http.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let handed_over = OwnedFd::from(listener);
    // As file 3, with the shell in between because the number of the process is part of the contract.
    let script = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 \
        exec \"$0\" serve --data-dir data --backend relief --host 0.0.0.0";
    let mut child = Command::new("sh");
    child
        .args(["-c", script, env!("CARGO_BIN_EXE_trellis")])
        .env_clear()
        .env("HOME", home.path())
        .current_dir(home.path())
        .stdin(handed_over)
        .stdout(fs::File::create(home.path().join("banner")).unwrap());
    let mut child = child.spawn().unwrap();
    let health = Command::new("curl")
        .args([
            "-sS",
            "--fail",
            "--retry",
            "30",
            "--retry-all-errors",
            "--retry-delay",
            "1",
        ])
        .arg("--unix-socket")
        .arg(&socket)
        .arg("http://localhost/v1/health/live")
        .output()
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        health.status.success(),
        "{}",
        String::from_utf8_lossy(&health.stderr)
    );
    let banner = fs::read_to_string(home.path().join("banner")).unwrap();
    assert!(banner.contains(&format!("unix:{}", socket.display())), "{banner}");
    assert!(socket.exists());
}
