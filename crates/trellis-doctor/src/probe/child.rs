//! Runs one Python program with a time limit and keeps the end of what it prints.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// Kept of each stream; a traceback's end is what matters.
const MAX_BYTES: usize = 64 << 10;

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub errors: String,
    /// It left by itself with 0.
    pub success: bool,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// The limit, if it was ended for it.
    pub timed_out: Option<Duration>,
}

/// Runs `python -c program arguments…` in a process group of its own; all of it is killed at the limit.
pub(super) fn run(
    python: &Path,
    program: &str,
    arguments: Vec<OsString>,
    limit: Duration,
) -> io::Result<Outcome> {
    let mut child = Command::new(python)
        .args(["-c", program])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let deadline = Instant::now() + limit;
    let output = collect(child.stdout.take().expect("the stream is piped"));
    let errors = collect(child.stderr.take().expect("the stream is piped"));
    // A stream ends when the last process that holds it does.
    let rest = |deadline: Instant| deadline.saturating_duration_since(Instant::now());
    let in_time = output.ended.recv_timeout(rest(deadline)) != Err(mpsc::RecvTimeoutError::Timeout)
        && errors.ended.recv_timeout(rest(deadline)) != Err(mpsc::RecvTimeoutError::Timeout);
    if !in_time && let Some(group) = group {
        // It may have ended by itself just now, which is as good.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let status = child.wait()?;
    Ok(Outcome {
        output: output.text(),
        errors: errors.text(),
        success: status.success(),
        signal: status.signal(),
        timed_out: (!in_time).then_some(limit),
    })
}

struct Collected {
    ended: mpsc::Receiver<()>,
    thread: thread::JoinHandle<Vec<u8>>,
}

impl Collected {
    fn text(self) -> String {
        let bytes = self.thread.join().unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn collect(mut stream: impl Read + Send + 'static) -> Collected {
    let (send, ended) = mpsc::channel();
    let thread = thread::spawn(move || {
        let mut kept = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            kept.extend_from_slice(&buffer[..count]);
            if kept.len() > 2 * MAX_BYTES {
                kept.drain(..kept.len() - MAX_BYTES);
            }
        }
        kept.drain(..kept.len().saturating_sub(MAX_BYTES));
        let _ = send.send(());
        kept
    });
    Collected { ended, thread }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn python(program: &str, limit: Duration) -> Outcome {
        run(Path::new("python3"), program, vec!["argument".into()], limit)
            .expect("tests/setup installs python3")
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn keeps_both_streams_and_the_exit() {
        let outcome = python("import sys; print(sys.argv[1]); sys.exit('no')", LONG);
        assert_eq!(
            (outcome.output.as_str(), outcome.errors.as_str()),
            ("argument\n", "no\n")
        );
        assert!(!outcome.success);
        assert_eq!(outcome.timed_out, None);
    }

    #[test]
    fn keeps_the_end_of_endless_output() {
        let outcome = python("print('x' * 10_000_000); print('end')", LONG);
        assert!(outcome.output.len() <= MAX_BYTES && outcome.output.ends_with("x\nend\n"));
    }

    #[test]
    fn ends_what_does_not_end_with_all_that_it_started() {
        let limit = Duration::from_millis(300);
        let outcome = python("import subprocess; subprocess.run(['cat', '/dev/zero'])", limit);
        assert_eq!(outcome.timed_out, Some(limit));
        let outcome = python(
            "import subprocess, time; subprocess.Popen(['tail', '-f', '/dev/null'])",
            limit,
        );
        assert_eq!(
            outcome.timed_out,
            Some(limit),
            "a process left behind holds the streams"
        );
    }

    #[test]
    fn tells_the_signal() {
        let outcome = python("import os; os.kill(os.getpid(), 9)", LONG);
        assert_eq!(outcome.signal, Some(9));
    }
}
