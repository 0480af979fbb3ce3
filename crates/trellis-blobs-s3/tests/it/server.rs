//! A server that speaks S3, in a folder that goes with it: `s3s-fs`, which keeps objects as files and checks signatures.
//!
//! A shell that reads from this process until its end, whatever ends it, stops the server and removes the folder.

#![expect(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Starts the server, waits for the end of its input, stops the server and tidies up.
const KEEPER: &str = r#"
    folder=$1; shift
    RUST_LOG=info "$@" >"$folder/log" 2>&1 &
    cat >/dev/null
    kill -KILL $!; wait; rm -rf "$folder"
"#;

pub(crate) const KEY_ID: &str = "AKIATRELLISTEST";
pub(crate) const SECRET: &str = "hunter2/of+the=storage";
pub(crate) const BUCKET: &str = "studio";

/// A running server with one bucket.
pub(crate) struct Server {
    folder: PathBuf,
    pub(crate) port: u16,
    // Its input ends with this.
    _keeper: Child,
}

impl Server {
    /// What is not here.
    pub(crate) fn missing() -> Option<String> {
        program()
            .is_none()
            .then(|| "the S3 server `s3s-fs` is not here; tests/setup installs it".to_owned())
    }

    pub(crate) fn start() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("trellis-s3-")
            .tempdir()
            .unwrap()
            .keep();
        fs::create_dir_all(folder.join("data").join(BUCKET)).unwrap();
        let mut keeper = Command::new("sh");
        keeper
            .args(["-c", KEEPER, "keeper"])
            .arg(&folder)
            .arg(program().unwrap());
        keeper.args(["--host", "127.0.0.1", "--port", "0"]);
        keeper.args(["--access-key", KEY_ID, "--secret-key", SECRET]);
        keeper.arg(folder.join("data"));
        let keeper = keeper
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let port = wait(&folder.join("log"));
        Self {
            folder,
            port,
            _keeper: keeper,
        }
    }

    /// The bucket, below a prefix.
    pub(crate) fn address(&self) -> String {
        address(BUCKET, self.port)
    }

    /// What it keeps the bucket's objects in.
    pub(crate) fn bucket(&self) -> PathBuf {
        self.folder.join("data").join(BUCKET)
    }

    /// What it keeps besides: of uploads in parts that are under way.
    #[allow(dead_code, reason = "not by everybody who has this file")]
    pub(crate) fn unfinished(&self) -> Vec<String> {
        let names = fs::read_dir(self.folder.join("data")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains("upload")).collect()
    }
}

/// A bucket of the server that is reached at this port.
pub(crate) fn address(bucket: &str, port: u16) -> String {
    format!("s3://{bucket}/below/here?endpoint=http://127.0.0.1:{port}&region=us-east-1")
}

/// The text of a file with the credentials.
#[allow(dead_code, reason = "not by everybody who has this file")]
pub(crate) fn credentials_file() -> String {
    format!("[default]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n")
}

/// The port that it says it took.
fn wait(log: &Path) -> u16 {
    let begun = Instant::now();
    loop {
        let said = fs::read_to_string(log).unwrap_or_default();
        let port = said.split_once("http://127.0.0.1:").and_then(|(_, rest)| {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        });
        if let Some(port) = port {
            return port;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{said}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Where tests/setup puts it, or in `PATH`.
fn program() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    let ours = root.map(|root| root.join("target").join("tools").join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = ours.into_iter().chain(std::env::split_paths(&path));
    places.find_map(|place| Some(place.join("s3s-fs")).filter(|program| program.exists()))
}
