//! API keys through the real binary: server, client, reload.

use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::kit::client::is_glb;
use crate::kit::server::Server;
use crate::kit::{describe, filters, picture, trellis};

/// printf %s the-second-of-them | sha256sum
const SECOND: &str = "sha256:e97f1144003dac150501d2aee116ea61e5062192f6a93062b5bb864bf118d055";

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
    write_keys(
        home.path(),
        &format!("studio the-first-of-them\nclient {SECOND}\n"),
    );
    let server = Server::start(home.path(), &["--auth-keys-file", "keys"]);

    let text = describe(&mut generate(home.path(), &server, None, &[]));
    filters(home.path()).bind(|| insta::assert_snapshot!("keys_none", text));
    let text = describe(&mut generate(home.path(), &server, Some("wrong"), &[]));
    filters(home.path()).bind(|| insta::assert_snapshot!("keys_wrong", text));
    let text = describe(&mut generate(home.path(), &server, Some("two words"), &[]));
    filters(home.path()).bind(|| insta::assert_snapshot!("keys_unusable", text));
    assert!(!home.path().join("chair.glb").exists());

    let made = generate(home.path(), &server, Some("the-first-of-them"), &[])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", said(&made));
    assert!(is_glb(&fs::read(home.path().join("chair.glb")).unwrap()));
    // The file is asked before the variable.
    fs::write(home.path().join("key"), "the-second-of-them\n").unwrap();
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
    for secret in ["the-first", "the-second", "wrong", "e97f1144"] {
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
    write_keys(home.path(), "studio the-first-of-them");
    let server = Server::start(home.path(), &["--auth-keys-file", "keys"]);
    let works = |key| {
        generate(home.path(), &server, Some(key), &[])
            .status()
            .unwrap()
            .success()
    };
    write_keys(home.path(), "studio the-second-of-them");
    server.signal("HUP");
    wait_for(&server, "reloaded the API keys");
    assert!(!works("the-first-of-them") && works("the-second-of-them"));
    write_keys(home.path(), "# studio the-second-of-them\nhunter2\n");
    server.signal("HUP");
    wait_for(&server, "cannot reload the API keys; the old ones stay in force");
    assert!(works("the-second-of-them"));
    let log = server.log();
    assert!(
        log.contains("line 2 does not begin with a name and a secret") && !log.contains("hunter2"),
        "{log}"
    );
}

/// Scopes and limits count after SIGHUP too, and a running server keeps to the last ones that could be read.
#[test]
fn scopes_and_limits_are_read_again_at_sighup() {
    let home = tempfile::tempdir().unwrap();
    let keys = |words: &str| write_keys(home.path(), &format!("studio the-first-of-them {words}"));
    keys("scopes=read");
    let server = Server::start(home.path(), &["--auth-keys-file", "keys"]);
    let reload = |words: &str, times| {
        keys(words);
        server.signal("HUP");
        wait_for_times(&server, "reloaded the API keys", times);
    };
    let told = |call: &mut Command| {
        let output = call.env("TRELLIS_API_KEY", "the-first-of-them").output().unwrap();
        (output.status.success(), said(&output))
    };
    let made = || told(&mut generate(home.path(), &server, None, &[]));
    let workers = || told(trellis(home.path()).args(["workers", "--server", &server.address]));
    let (done, refused) = made();
    assert!(!done && refused.contains("lacks the scope `submit`"), "{refused}");
    reload("requests_per_minute=1", 1);
    assert!(workers().0);
    let (done, refused) = workers();
    assert!(
        !done && refused.contains("as many requests a minute as it may"),
        "{refused}"
    );
    reload("scopes=submit kept=1KiB", 2);
    let (_, first) = made();
    let (done, refused) = made();
    assert!(
        !done && refused.contains("and this one would be too much"),
        "{first}{refused}"
    );
    keys("scopes=submit,write");
    server.signal("HUP");
    wait_for(&server, "`scopes` in line 1 must be `submit`, `read`, `admin`");
    let (done, refused) = made();
    assert!(!done && refused.contains("would be too much"), "{refused}");
    reload("scopes=submit", 3);
    let (done, refused) = made();
    assert!(done, "{refused}");
}

fn wait_for(server: &Server, text: &str) {
    wait_for_times(server, text, 1);
}

fn wait_for_times(server: &Server, text: &str, times: usize) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while server.log().matches(text).count() < times {
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
    write_keys(home.path(), "# the studio\nstudio the-first-of-them queue=20\n");
    let text = describe(&mut serve());
    filters(home.path()).bind(|| insta::assert_snapshot!("keys_bad_line", text));
    assert!(!home.path().join("data").exists());
}

/// As a service manager hands them over; what others can read is refused.
#[test]
fn handed_over_keys_are_taken_and_readable_ones_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("credentials");
    let file = folder.join("api-keys");
    fs::create_dir(&folder).unwrap();
    fs::write(&file, "studio the-first-of-them").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
    let handed = [("CREDENTIALS_DIRECTORY", folder.to_str().unwrap())];
    let server = Server::start_with(home.path(), &[], &handed);
    let refused = generate(home.path(), &server, None, &[]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    drop(server);

    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let mut serve = trellis(home.path());
    serve.args(["serve", "--port", "0"]).envs(handed);
    let text = describe(&mut serve);
    filters(home.path()).bind(|| insta::assert_snapshot!("keys_exposed", text));
}

#[test]
fn a_short_secret_keeps_the_server_from_starting() {
    let home = tempfile::tempdir().unwrap();
    write_keys(home.path(), "studio hunter2\n");
    let mut serve = trellis(home.path());
    serve.args(["serve", "--port", "0", "--auth-keys-file", "keys"]);
    let text = describe(&mut serve);
    filters(home.path()).bind(|| insta::assert_snapshot!("keys_short", text));
}

#[test]
fn a_server_that_others_reach_needs_keys_or_a_word() {
    let home = tempfile::tempdir().unwrap();
    let mut serve = trellis(home.path());
    serve.args(["serve", "--port", "0", "--host", "0.0.0.0"]);
    let text = describe(&mut serve);
    filters(home.path()).bind(|| insta::assert_snapshot!("keys_open_to_all", text));
    assert!(!home.path().join(".local").exists(), "nothing is made");

    let server = Server::start(home.path(), &["--host", "0.0.0.0", "--insecure-no-auth"]);
    wait_for(&server, "anyone who can reach this address can use the server");
    drop(server);
    let word = [("TRELLIS_AUTH_INSECURE_NO_AUTH", "true")];
    drop(Server::start_with(home.path(), &["--host", "0.0.0.0"], &word));
    write_keys(home.path(), "studio the-first-of-them\n");
    let server = Server::start(home.path(), &["--host", "0.0.0.0", "--auth-keys-file", "keys"]);
    assert!(!server.log().contains("anyone who can reach"), "{}", server.log());
}

/// A listener that a service manager opened is no reason to let everybody in.
#[test]
fn a_listener_that_was_handed_over_needs_keys_too() {
    let home = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    // The number must be that of the process which takes the descriptor.
    let script = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" serve";
    let mut serve = Command::new("sh");
    serve.args(["-c", script, env!("CARGO_BIN_EXE_trellis")]);
    serve
        .env_clear()
        .env("HOME", home.path())
        .current_dir(home.path());
    let text = describe(serve.stdin(OwnedFd::from(listener)));
    assert!(text.starts_with("exit code: 2\n"), "{text}");
    assert!(text.contains(&format!("0.0.0.0:{port} can be reached")), "{text}");
}

#[test]
fn a_new_key_is_shown_once_and_opens_the_server() {
    let home = tempfile::tempdir().unwrap();
    let new = |arguments: &[&str]| {
        let output = trellis(home.path())
            .args(["keys", "new"])
            .args(arguments)
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout.clone()).unwrap(),
            said(&output),
        )
    };
    // Apart: the line where it can be sent to a file, the secret for eyes.
    let (code, line, told) = new(&["studio"]);
    let secret = told.lines().next().unwrap().strip_prefix("secret: ").unwrap();
    assert!(
        code == Some(0) && secret.len() >= 40 && !line.contains(secret),
        "{told}{line}"
    );
    assert!(
        line.starts_with("studio sha256:") && line.lines().count() == 1,
        "{line}"
    );
    write_keys(home.path(), &line);

    let (code, second, told) = new(&["client", "--append", "keys"]);
    let second = second.trim_end();
    assert!(code == Some(0) && !told.contains(second), "{told}");
    let file = home.path().join("keys");
    let text = fs::read_to_string(&file).unwrap();
    assert!(
        text.starts_with(&line) && text.contains("\nclient sha256:") && !text.contains(second),
        "{text}"
    );
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let server = Server::start(home.path(), &["--auth-keys-file", "keys"]);
    for key in [secret, second] {
        let made = generate(home.path(), &server, Some(key), &[]).output().unwrap();
        assert!(made.status.success(), "{}", said(&made));
    }
    let limits = "--scopes submit,admin --requests-per-minute 60 --queued 20 --running 2 --kept 10GiB";
    let arguments: Vec<&str> = ["ops"].into_iter().chain(limits.split(' ')).collect();
    let (_, line, _) = new(&arguments);
    let expected = " scopes=submit,admin requests_per_minute=60 queued=20 running=2 kept=10GiB\n";
    assert!(
        line.starts_with("ops sha256:") && line.ends_with(expected),
        "{line}"
    );
    let mut refused = String::new();
    for arguments in [
        &["a", "--scopes", "submit,write"][..],
        &["a", "--kept", "10GB"],
        &["a", "--queued", "0"],
        &["client", "--append", "keys"],
        &["two words"],
        &["a", "--append", "none/keys"],
    ] {
        refused += &describe(trellis(home.path()).args(["keys", "new"]).args(arguments));
    }
    filters(home.path()).bind(|| insta::assert_snapshot!("keys_new_refused", refused));
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}
