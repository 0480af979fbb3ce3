//! HTTPS through the real binary, with a certificate authority of its own.

#![expect(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use crate::kit::client::is_glb;
use crate::kit::server::Server;
use crate::kit::{describe, filters, picture, trellis};

const FLAGS: [&str; 4] = ["--tls-certificate", "fullchain.pem", "--tls-key", "key.pem"];

/// A certificate authority, whose certificate is in `ca.pem`.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(home: &Path) -> Self {
        Self::named(home, "the studio's own")
    }

    fn named(home: &Path, name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let own = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(home.join("ca.pem"), own.pem()).unwrap();
        Self(own)
    }

    /// Writes a certificate for `localhost` that ends on the first of that year.
    fn certify(&self, home: &Path, until: i32) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        fs::write(home.join("fullchain.pem"), certificate.pem()).unwrap();
        write_key(home, &key.serialize_pem());
    }
}

fn write_key(home: &Path, pem: &str) {
    let path = home.join("key.pem");
    fs::write(&path, pem).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn generate(home: &Path, server: &Server, authorities: Option<&str>) -> Output {
    fs::write(home.join("photo.png"), picture::png(96, 90)).unwrap();
    let mut call = trellis(home);
    call.args([
        "generate",
        "photo.png",
        "-o",
        "chair.glb",
        "--server",
        &server.address,
    ]);
    if let Some(file) = authorities {
        call.env("SSL_CERT_FILE", home.join(file));
    }
    call.output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_private_authority_is_enough_from_the_picture_to_the_file() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let authority = Authority::new(home);
    authority.certify(home, 2100);
    let server = Server::start(home, &FLAGS);
    assert!(
        server.address.starts_with("https://localhost:"),
        "{}",
        server.address
    );
    let made = generate(home, &server, Some("ca.pem"));
    assert!(made.status.success(), "{}", said(&made));
    assert!(is_glb(&fs::read(home.join("chair.glb")).unwrap()));
    let workers = ["workers", "--server", &server.address];
    let listed = trellis(home)
        .args(workers)
        .env("SSL_CERT_FILE", home.join("ca.pem"))
        .status();
    assert!(listed.unwrap().success());
    // Of another authority, and of another one with the same name.
    for name in ["somebody else's", "the studio's own"] {
        Authority::named(home, name);
        let refused = generate(home, &server, Some("ca.pem"));
        assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
        assert!(
            said(&refused).contains("no authority that this machine trusts"),
            "{}",
            said(&refused)
        );
    }
}

/// New ones count after SIGHUP; files that cannot be used change nothing.
#[test]
fn certificates_are_read_again_at_sighup() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    Authority::new(home).certify(home, 2100);
    let server = Server::start(home, &FLAGS);
    fs::copy(home.join("ca.pem"), home.join("old.pem")).unwrap();
    write_key(home, "hunter2");
    server.signal("HUP");
    wait_for(
        &server,
        "cannot reload the certificate; the old one stays in force",
    );
    assert!(generate(home, &server, Some("old.pem")).status.success());
    Authority::new(home).certify(home, 2021);
    server.signal("HUP");
    wait_for(&server, "reloaded the certificate");
    assert!(
        server
            .log()
            .contains("the certificate has expired: clients refuse it"),
        "{}",
        server.log()
    );
    let refused = generate(home, &server, Some("ca.pem"));
    assert!(
        said(&refused).contains("its certificate has expired"),
        "{}",
        said(&refused)
    );
    assert!(!server.log().contains("hunter2"));
}

/// As the NixOS module has it: the listener and the files come from the service manager.
#[test]
fn a_listener_that_was_handed_over_speaks_tls_too() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    Authority::new(home).certify(home, 2100);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // The number must be that of the process which takes the descriptor.
    let script = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 \
        exec \"$0\" serve --data-dir data --backend relief \"$@\"";
    let mut serve = Command::new("sh");
    serve
        .args(["-c", script, env!("CARGO_BIN_EXE_trellis")])
        .args(FLAGS)
        .env_clear()
        .env("HOME", home)
        .current_dir(home)
        .stdin(OwnedFd::from(listener))
        .stdout(fs::File::create(home.join("banner")).unwrap());
    let mut child = serve.spawn().unwrap();
    let health = Command::new("curl")
        .args(["-sS", "--fail", "--noproxy", "*", "--cacert"])
        .arg(home.join("ca.pem"))
        .arg(format!("https://localhost:{port}/v1/health/live"))
        .output()
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(health.status.success(), "{}", said(&health));
    let banner = fs::read_to_string(home.join("banner")).unwrap();
    assert!(
        banner.contains(&format!("https://localhost:{port}\n")),
        "{banner}"
    );
}

#[test]
fn what_is_wrong_is_said_before_anything_starts() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let authority = Authority::new(home);
    let mut text = String::new();
    let mut serve = |flags: &[&str]| {
        let mut call = trellis(home);
        call.args([
            "serve",
            "--port",
            "0",
            "--data-dir",
            "data",
            "--backend",
            "relief",
        ]);
        text += &describe(call.args(flags));
    };
    serve(&FLAGS[..2]);
    serve(&FLAGS);
    authority.certify(home, 2100);
    serve(&["--tls-certificate", "fullchain.pem", "--tls-key", "kye.pem"]);
    serve(&[&FLAGS[..], &["--socket", "http.sock"]].concat());
    let other = KeyPair::generate().unwrap().serialize_pem();
    write_key(home, &other);
    serve(&FLAGS);
    fs::set_permissions(home.join("key.pem"), fs::Permissions::from_mode(0o644)).unwrap();
    serve(&FLAGS);
    fs::write(home.join("fullchain.pem"), "\0").unwrap();
    write_key(home, &other);
    serve(&FLAGS);
    filters(home).bind(|| insta::assert_snapshot!("tls_refused", text));
    assert!(!home.join("data").exists());
}

fn wait_for(server: &Server, line: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !server.log().contains(line) {
        assert!(Instant::now() < deadline, "`{line}` is not in the log");
        std::thread::sleep(Duration::from_millis(20));
    }
}
