//! A PostgreSQL server of this process, in a folder that goes with it, reached by a socket in that folder.
//!
//! It refuses to run as root, so that it is `nobody` there. A shell that reads from this process until its end, whatever
//! ends it, stops the server and removes the folder.

#![expect(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use trellis_store_postgres::Address;

/// Starts the server, waits for the end of its input, stops the server and tidies up.
const KEEPER: &str = r#"
    folder=$1; shift
    "$@" >"$folder/log" 2>&1 &
    cat >/dev/null
    kill -QUIT $!; wait; rm -rf "$folder"
"#;
/// What is lost with the machine may be lost here.
const SETTINGS: &[&str] = &[
    "fsync=off",
    "full_page_writes=off",
    "listen_addresses=",
    "shared_buffers=32MB",
    "max_connections=60",
];

/// What differs from a server that listens on its socket alone.
#[derive(Default)]
pub(crate) struct Wishes {
    /// In `data`, written before it starts, for its own eyes only: name and contents.
    pub(crate) files: Vec<(&'static str, String)>,
    pub(crate) settings: Vec<String>,
    /// In place of PostgreSQL's own; also in its socket's name.
    pub(crate) port: Option<u16>,
}

/// A running server. Clones are of the same one.
#[derive(Clone)]
pub(crate) struct Server {
    /// Its data are in `data` there, and its socket.
    pub(crate) folder: PathBuf,
    port: u16,
    // Its input ends with this process.
    _keeper: Arc<Mutex<Child>>,
}

impl Server {
    /// What is not here.
    pub(crate) fn missing() -> Option<String> {
        programs()
            .is_none()
            .then(|| "PostgreSQL's `initdb` is not here; tests/setup installs it".to_owned())
    }

    /// The one of this process.
    pub(crate) fn of_this_process() -> Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| Self::start(&Wishes::default())).clone()
    }

    pub(crate) fn start(wishes: &Wishes) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("trellis-pg-")
            .tempdir()
            .unwrap()
            .keep();
        // Its user passes through.
        fs::set_permissions(&folder, Permissions::from_mode(0o711)).unwrap();
        copy(&template(), &folder.join("data"));
        for (name, contents) in &wishes.files {
            write(&folder.join("data").join(name), contents);
        }
        let mut postgres = as_its_user(&programs().unwrap().join("postgres"));
        postgres.arg("-D").arg(folder.join("data"));
        for setting in SETTINGS {
            postgres.args(["-c", setting]);
        }
        for setting in &wishes.settings {
            postgres.args(["-c", setting]);
        }
        let sockets = folder.join("data");
        postgres
            .arg("-c")
            .arg(format!("unix_socket_directories={}", sockets.display()));
        let port = wishes.port.unwrap_or(5432);
        postgres.args(["-p", &port.to_string()]);
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "keeper"]).arg(&folder);
        keeper.arg(postgres.get_program()).args(postgres.get_args());
        let keeper = keeper
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self {
            folder,
            port,
            _keeper: Arc::new(Mutex::new(keeper)),
        };
        server.wait();
        server
    }

    fn wait(&self) {
        let begun = Instant::now();
        let mut ready = Command::new(programs().unwrap().join("pg_isready"));
        ready.args(["-q", "-p", &self.port.to_string(), "-h"]);
        ready.arg(self.folder.join("data"));
        while !ready.status().unwrap().success() {
            let log = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(begun.elapsed() < Duration::from_secs(60), "{}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Where a database of it is.
    pub(crate) fn address(&self, database: &str) -> Address {
        let sockets = self.folder.join("data").display().to_string().replace('/', "%2F");
        format!("postgres://trellis@{sockets}:{}/{database}", self.port)
            .parse()
            .unwrap()
    }
}

/// The folder of PostgreSQL's programs, the newest there is. Debian keeps them out of `PATH`.
pub(crate) fn programs() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version = path.file_name()?.to_str()?.parse().ok()?;
            Some((version, path.join("bin")))
        })
        .collect();
    versions.sort();
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<PathBuf> = std::env::split_paths(&on_path).collect();
    let mut all = versions.into_iter().rev().map(|(_, path)| path).chain(on_path);
    all.find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
}

/// The program, run by somebody who is not root.
fn as_its_user(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"]);
    command.arg(program);
    command
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.trim_ascii() == b"0"
}

/// A folder of data as `initdb` makes it, made once.
fn template() -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let version = Command::new(programs().unwrap().join("postgres"))
        .arg("--version")
        .output()
        .unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let number = version
        .split_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let template = place.join(format!("postgresql-{}", number.unwrap()));
    let lock = File::create(place.join("postgresql.lock")).unwrap();
    lock.lock().unwrap();
    if !template.exists() {
        let folder = tempfile::Builder::new().prefix("trellis-pg-").tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        let made = folder.path().join("data");
        let mut initdb = as_its_user(&programs().unwrap().join("initdb"));
        initdb.args([
            "--auth=trust",
            "--username=trellis",
            "--encoding=UTF8",
            "--locale=C",
        ]);
        initdb
            .args(["--no-sync", "--no-instructions", "--wal-segsize=1", "-D"])
            .arg(&made);
        let done = initdb.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let half = place.join("postgresql.half");
        let _ = fs::remove_dir_all(&half);
        copy(&made, &half);
        fs::rename(&half, &template).unwrap();
    }
    template
}

/// Writes a file that is the server's.
fn write(path: &Path, contents: &str) {
    let mut shell = as_its_user(Path::new("sh"));
    shell.args(["-c", r#"umask 077; cat >"$1""#, "sh"]).arg(path);
    let mut shell = shell.stdin(Stdio::piped()).spawn().unwrap();
    let mut input = shell.stdin.take().unwrap();
    input.write_all(contents.as_bytes()).unwrap();
    drop(input);
    assert!(shell.wait().unwrap().success());
}

/// With owners and times.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}
