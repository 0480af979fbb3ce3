//! A server of the real binary, on a port that the system chooses.

use std::fs::{File, read_to_string};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;

use super::trellis;

static LAUNCHED: AtomicU32 = AtomicU32::new(0);

/// A running server; killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    /// `http://127.0.0.1:PORT`.
    pub(crate) address: String,
    log: PathBuf,
    /// Everything that it printed, once it has ended.
    output: Option<JoinHandle<String>>,
    banner: String,
}

impl Server {
    /// Starts a server with its data in `home/data` and waits until it says where it listens.
    pub(crate) fn start(home: &Path, flags: &[&str]) -> Self {
        Self::try_start(home, flags).unwrap_or_else(|log| panic!("the server did not start:\n{log}"))
    }

    /// The same with more variables in its environment.
    pub(crate) fn start_with(home: &Path, flags: &[&str], variables: &[(&str, &str)]) -> Self {
        let server = Self::try_start_with(home, flags, variables);
        server.unwrap_or_else(|log| panic!("the server did not start:\n{log}"))
    }

    /// The same; `Err` with its log where it ends instead.
    pub(crate) fn try_start(home: &Path, flags: &[&str]) -> Result<Self, String> {
        Self::launch(home, flags).ready()
    }

    /// The same with more variables in its environment.
    pub(crate) fn try_start_with(
        home: &Path,
        flags: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<Self, String> {
        Self::launch_on(home, "0", flags, variables).ready()
    }

    /// Waits until it says where it listens.
    fn ready(self) -> Result<Self, String> {
        let mut server = self;
        let mut lines = BufReader::new(server.child.stdout.take().expect("it is piped"));
        loop {
            let start = server.banner.len();
            if lines.read_line(&mut server.banner).expect("a pipe can be read") == 0 {
                server.child.wait().expect("a child can be waited for");
                return Err(read_to_string(&server.log).unwrap_or_default());
            }
            if let Some((_, address)) = server.banner[start..].trim().split_once("serves on ") {
                server.address = address.to_owned();
                break;
            }
        }
        server.output = Some(std::thread::spawn(move || {
            let mut rest = String::new();
            let _ = lines.read_to_string(&mut rest);
            rest
        }));
        Ok(server)
    }

    /// Starts a server on the port of an earlier one that has ended.
    pub(crate) fn start_again(home: &Path, address: &str) -> Self {
        let port = address.rsplit(':').next().expect("an address ends with its port");
        let server = Self::launch_on(home, port, &[], &[]).ready();
        server.unwrap_or_else(|log| panic!("the server did not start:\n{log}"))
    }

    /// Starts a server and does not wait for it.
    pub(crate) fn launch(home: &Path, flags: &[&str]) -> Self {
        Self::launch_on(home, "0", flags, &[])
    }

    fn launch_on(home: &Path, port: &str, flags: &[&str], variables: &[(&str, &str)]) -> Self {
        // One each: several servers may be tried in one home.
        let log = home.join(format!("server-{}.log", LAUNCHED.fetch_add(1, Ordering::Relaxed)));
        let mut command = trellis(home);
        command
            .args(["serve", "--port", port, "--data-dir"])
            .arg(home.join("data"))
            .args(flags)
            .envs(variables.iter().copied());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).expect("a log file"));
        let child = command.spawn().expect("the binary runs");
        Self {
            child,
            address: String::new(),
            log,
            output: None,
            banner: String::new(),
        }
    }

    /// Sends a signal by its name without `SIG`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = std::process::Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status()
            .expect("`kill` is a command of every Unix");
        assert!(sent.success());
    }

    /// Waits until it has ended; its exit status and everything that it printed.
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().expect("a child can be waited for");
        let rest = self
            .output
            .take()
            .and_then(|output| output.join().ok())
            .unwrap_or_default();
        (status, std::mem::take(&mut self.banner) + &rest)
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        read_to_string(&self.log).unwrap_or_default()
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it without warning.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("a child can be waited for");
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the log of a failed test is for whoever reads the test's output"
)]
impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!(
                "----- the server's log\n{}",
                read_to_string(&self.log).unwrap_or_default()
            );
        }
    }
}
