//! A worker's process: started in a group of its own, killed with its whole group, never left a zombie.
//!
//! A thread of its own starts the process and waits for it to the end. The worker asks the kernel for a
//! signal when its parent dies, and Linux means the parent's thread: one of a pool might end earlier.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::sync::oneshot;

/// How to start a worker.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) environment: BTreeMap<&'static str, OsString>,
}

/// A running process. Dropping it kills the group.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    exit: oneshot::Receiver<ExitStatus>,
    pub(crate) status: Option<ExitStatus>,
    group: Arc<Group>,
}

/// What a process was started with.
pub(crate) struct Streams {
    pub(crate) socket: UnixStream,
    pub(crate) stdout: pipe::Receiver,
    pub(crate) stderr: pipe::Receiver,
}

/// The process group, as long as its number is ours.
#[derive(Debug)]
struct Group(Mutex<Option<Pid>>);

impl Group {
    fn kill(&self) {
        // A poisoned lock still holds a valid number.
        let pid = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pid) = *pid {
            // It may have ended by itself meanwhile.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

impl Process {
    /// Starts it. The socket is its standard input: the one descriptor that needs no further arrangement
    /// to be inherited.
    pub(crate) async fn start(launch: Launch) -> io::Result<(Self, Streams)> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let (started, start) = oneshot::channel();
        let (ended, exit) = oneshot::channel();
        std::thread::Builder::new()
            .name("trellis-worker".to_owned())
            .spawn(move || {
                match spawn(launch, theirs.into()) {
                    Ok((child, group, pid)) => {
                        let mut child = child;
                        let streams = (child.stdout.take(), child.stderr.take());
                        // Whoever asked may be gone: the process then ends with the group below.
                        if started.send(Ok((pid, Arc::clone(&group), streams))).is_err() {
                            group.kill();
                        }
                        if let Ok(status) = wait(child, &group) {
                            let _ = ended.send(status);
                        }
                    }
                    Err(error) => {
                        let _ = started.send(Err(error));
                    }
                }
            })?;
        let gone = || io::Error::other("the thread that starts workers ended");
        let (pid, group, (stdout, stderr)) = start.await.map_err(|_| gone())??;
        let process = Self {
            pid,
            exit,
            status: None,
            group,
        };
        let stdout = pipe::Receiver::from_owned_fd(stdout.ok_or_else(gone)?.into())?;
        let stderr = pipe::Receiver::from_owned_fd(stderr.ok_or_else(gone)?.into())?;
        Ok((
            process,
            Streams {
                socket: UnixStream::from_std(ours)?,
                stdout,
                stderr,
            },
        ))
    }

    /// Resolves once the process has ended and its group is dead; `None` where its end was not seen. May be
    /// dropped and asked again at any time.
    pub(crate) async fn ended(&mut self) -> Option<ExitStatus> {
        // A receiver that has given its value, or lost its sender, gives nothing more.
        if self.status.is_none() && !self.exit.is_terminated() {
            self.status = (&mut self.exit).await.ok();
        }
        self.status
    }

    /// Kills the group. `ended` resolves soon after.
    pub(crate) fn kill(&self) {
        self.group.kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(launch: Launch, socket: OwnedFd) -> io::Result<(Child, Arc<Group>, u32)> {
    let child = Command::new(launch.program)
        .args(launch.arguments)
        .env_clear()
        .envs(launch.environment)
        .stdin(Stdio::from(socket))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let pid = child.id();
    let group = Group(Mutex::new(i32::try_from(pid).ok().and_then(Pid::from_raw)));
    Ok((child, Arc::new(group), pid))
}

/// Waits for the end, kills what is left of the group, and only then lets the number go.
fn wait(mut child: Child, group: &Group) -> io::Result<ExitStatus> {
    let leader = *group.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(leader) = leader {
        // The dead leader stays a zombie here, so that its number cannot become another group's.
        while let Err(rustix::io::Errno::INTR) =
            waitid(WaitId::Pid(leader), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
        {}
    }
    let mut number = group.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(leader) = number.take() {
        let _ = kill_process_group(leader, Signal::KILL);
    }
    child.wait()
}

/// An end in words: `exited with status 3`, `was killed by signal 9 (SIGKILL)`.
pub(crate) fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with status {code}"),
        (None, Some(signal)) => {
            let (name, hint) = match signal {
                4 => ("SIGILL", ""),
                6 => ("SIGABRT", ""),
                7 => ("SIGBUS", ""),
                8 => ("SIGFPE", ""),
                9 => ("SIGKILL", ", which the kernel sends when main memory runs out"),
                11 => ("SIGSEGV", ""),
                15 => ("SIGTERM", ""),
                _ => ("", ""),
            };
            let name = if name.is_empty() {
                String::new()
            } else {
                format!(" ({name})")
            };
            format!("was killed by signal {signal}{name}{hint}")
        }
        (None, None) => "ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncReadExt;

    use super::*;

    fn shell(script: &str) -> Launch {
        Launch {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            environment: BTreeMap::from([("PATH", "/usr/bin:/bin".into())]),
        }
    }

    async fn within<T>(future: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(20), future)
            .await
            .expect("it ends soon")
    }

    /// A zombie whose parent has not looked yet is dead.
    fn is_alive(pid: &str) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[tokio::test]
    async fn ends_are_put_in_words() {
        for (script, words) in [
            ("exit 3", "exited with status 3"),
            (
                "kill -9 $$",
                "was killed by signal 9 (SIGKILL), which the kernel sends when main memory runs out",
            ),
            ("kill -11 $$", "was killed by signal 11 (SIGSEGV)"),
        ] {
            let (mut process, _streams) = Process::start(shell(script)).await.unwrap();
            assert_eq!(in_words(within(process.ended()).await.unwrap()), words);
        }
    }

    #[tokio::test]
    async fn a_grandchild_dies_with_its_group() {
        for how in ["wait", "exit 0", "sleep 1000"] {
            // The grandchild ignores a hangup and holds no stream of ours but the one it tells its number on.
            let script =
                format!("(trap '' HUP; exec sleep 1000) </dev/null 2>&1 & echo $!; exec 1>&-; {how}");
            let (mut process, mut streams) = Process::start(shell(&script)).await.unwrap();
            let mut number = [0; 32];
            let count = within(streams.stdout.read(&mut number)).await.unwrap();
            let grandchild = String::from_utf8_lossy(&number[..count]).trim().to_owned();
            process.kill();
            within(process.ended()).await.unwrap();
            let gone = async {
                // SIGKILL is sent; the kernel removes the process when it gets to it.
                while is_alive(&grandchild) {
                    tokio::task::yield_now().await;
                }
            };
            within(gone).await;
        }
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_an_error() {
        let launch = Launch {
            program: "/no/such/python".into(),
            ..shell("")
        };
        let error = Process::start(launch).await.err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
