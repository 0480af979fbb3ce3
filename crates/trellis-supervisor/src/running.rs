//! A process with its socket and logs: what the driver talks to.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::io::BufReader;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::cause::Cause;
use crate::clocks::Clocks;
use crate::logs::{JobLogs, Output, capture};
use crate::messages::Memory;
use crate::process::{Launch, Process, in_words};
use crate::protocol::{FrameError, FromWorker, ToWorker, read_frame, write_frame};

/// How long an end that is under way may take to show.
const END_SHOWS: Duration = Duration::from_secs(2);
/// A worker that does not read its socket for so long is not there.
const SEND_LIMIT: Duration = Duration::from_secs(10);
/// Messages read ahead of the driver.
const READ_AHEAD: usize = 256;

/// A running worker.
#[derive(Debug)]
pub(crate) struct Running {
    process: Process,
    writer: OwnedWriteHalf,
    frames: mpsc::Receiver<Result<FromWorker, FrameError>>,
    output: Arc<Output>,
    tasks: Vec<JoinHandle<()>>,
    pub(crate) clocks: Clocks,
    /// Jobs that this process ended.
    pub(crate) jobs: u32,
    /// What it held after its first job.
    pub(crate) baseline: Option<Memory>,
}

impl Running {
    /// Starts a process for the worker of that name.
    pub(crate) async fn start(
        launch: Launch,
        worker: Arc<str>,
        dropped: Arc<AtomicU64>,
    ) -> std::io::Result<Self> {
        let (process, streams) = Process::start(launch).await?;
        let output = Arc::new(Output::default());
        let (reader, writer) = streams.socket.into_split();
        // A sampler says much at once.
        let mut reader = BufReader::new(reader);
        let (read, frames) = mpsc::channel(READ_AHEAD);
        let log = |name| {
            (
                Arc::clone(&worker),
                name,
                Arc::clone(&output),
                Arc::clone(&dropped),
            )
        };
        let (stdout, stderr) = (log("stdout"), log("stderr"));
        let tasks = vec![
            tokio::spawn(async move {
                loop {
                    let frame = read_frame(&mut reader).await.map(FromWorker::bounded);
                    let last = frame.is_err();
                    if read.send(frame).await.is_err() || last {
                        return;
                    }
                }
            }),
            tokio::spawn(capture(streams.stdout, stdout.0, stdout.1, stdout.2, stdout.3)),
            tokio::spawn(capture(streams.stderr, stderr.0, stderr.1, stderr.2, stderr.3)),
        ];
        let clocks = Clocks::started(Instant::now());
        Ok(Self {
            process,
            writer,
            frames,
            output,
            tasks,
            clocks,
            jobs: 0,
            baseline: None,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid
    }

    /// Whose log lines come from here on.
    pub(crate) fn set_job(&self, job: Option<JobLogs>) {
        *self
            .output
            .job
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = job;
    }

    /// The next message, or why there will be none. May be dropped at any time.
    pub(crate) async fn receive(&mut self) -> Result<FromWorker, Cause> {
        match self.frames.recv().await {
            Some(Ok(message)) => {
                self.clocks.heard(Instant::now());
                Ok(message)
            }
            Some(Err(error @ (FrameError::TooLong { .. } | FrameError::NotAMessage { .. }))) => {
                Err(Cause::BadFrame {
                    reason: error.to_string(),
                })
            }
            Some(Err(FrameError::Closed | FrameError::Socket { .. })) | None => Err(self.autopsy().await),
        }
    }

    /// Sends a message.
    pub(crate) async fn send(&mut self, message: &ToWorker) -> Result<(), Cause> {
        match timeout(SEND_LIMIT, write_frame(&mut self.writer, message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(self.autopsy().await),
            Err(_) => Err(Cause::Silent { silent: SEND_LIMIT }),
        }
    }

    /// Asks whether it is there.
    pub(crate) async fn ping(&mut self) -> Result<(), Cause> {
        self.send(&ToWorker::Ping).await
    }

    /// Why the socket is closed: usually because the process ended, which then shows at once. May be dropped
    /// and begun again at any time: the driver does so when its next ping is due meanwhile.
    async fn autopsy(&mut self) -> Cause {
        match timeout(END_SHOWS, self.process.ended()).await {
            Ok(Some(status)) => {
                self.end_of_output().await;
                Cause::Exited {
                    how: in_words(status),
                    inferred: self.output.inferred_kind(),
                }
            }
            _ => Cause::Closed,
        }
    }

    /// Asks it to leave and kills it where it does not within `grace`.
    pub(crate) async fn shut_down(mut self, grace: Duration) {
        let leaving = async {
            self.send(&ToWorker::Shutdown).await.ok();
            self.process.ended().await;
        };
        // A worker that waits for `shutdown` leaves at once; one in the midst of loading does not hear it.
        let _ = timeout(grace, leaving).await;
        self.kill().await;
    }

    /// Kills the group and waits until it is gone.
    pub(crate) async fn kill(mut self) {
        self.process.kill();
        let _ = timeout(SEND_LIMIT, self.process.ended()).await;
        self.end_of_output().await;
    }

    /// Lets the log readers come to the end of what was written.
    async fn end_of_output(&mut self) {
        for task in &mut self.tasks {
            if !task.is_finished() && timeout(END_SHOWS, &mut *task).await.is_err() {
                task.abort();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tokio::sync::oneshot;
    use trellis_core::FailureKind;

    use super::*;

    #[tokio::test]
    async fn an_autopsy_that_was_dropped_midway_finds_the_same_cause() {
        let launch = Launch {
            program: "/bin/sh".into(),
            arguments: vec![
                "-c".into(),
                "echo 'no kernel image is available' >&2; exit 1".into(),
            ],
            environment: BTreeMap::new(),
        };
        let mut running = Running::start(launch, "w".into(), Arc::default()).await.unwrap();
        // Its output has not come to its end when its exit is already seen.
        let (open, opened) = oneshot::channel::<()>();
        running.tasks.push(tokio::spawn(async move {
            let _ = opened.await;
        }));
        while running.process.status.is_none() {
            let early = timeout(Duration::from_millis(10), running.receive()).await;
            assert!(
                early.is_err(),
                "it does not wait for the end of the output: {early:?}"
            );
        }
        open.send(()).unwrap();
        let cause = timeout(Duration::from_secs(20), running.receive()).await.unwrap();
        let Err(Cause::Exited { how, inferred }) = cause else {
            panic!("{cause:?}")
        };
        assert_eq!(
            (how.as_str(), inferred),
            ("exited with status 1", Some(FailureKind::NoKernelImage))
        );
    }
}
