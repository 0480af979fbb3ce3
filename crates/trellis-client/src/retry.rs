//! Calls that outlive a restart of the server: submitting under one key, following a job's events, downloading.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;
use trellis_core::{Artifact, Backoff, EventKind, Job, JobEvent, JobId, Sha256, StatementFile};

use crate::client::{Client, Submission};
use crate::error::{ClientError, ServerProblem};
use crate::sse::EventStream;

/// How often in a row a server may fail to answer before a call gives up; with the waits below this is about a
/// minute, enough for a restart.
const PATIENCE: u32 = 10;
/// How often a file is downloaded again.
const DOWNLOADS: u32 = 3;
/// Waits between two tries, spread so that a server that comes back is not called by all its clients at once.
const WAITS: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(8)).with_jitter(0.25);

impl Client {
    /// Submits a job. Tries again under the same idempotency key, so that a lost answer does not make a second
    /// job. `waiting` is told why, once, where the server asks to be called later; then this waits for as long
    /// as the server says so.
    pub async fn submit(
        &self,
        submission: &Submission<'_>,
        waiting: impl FnOnce(&ServerProblem),
    ) -> Result<Job, ClientError> {
        let key = format!("{:032x}", rand::random::<u128>());
        let mut waiting = Some(waiting);
        let mut failures = 0;
        loop {
            match self.submit_once(submission, &key).await {
                Ok(job) => return Ok(job),
                Err(ClientError::Busy { problem, after }) => {
                    if let Some(tell) = waiting.take() {
                        tell(&problem);
                    }
                    sleep(after).await;
                }
                Err(ClientError::Unreachable { .. }) if failures < PATIENCE => {
                    failures += 1;
                    sleep(wait(failures)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until a job is final.
    pub async fn wait(&self, id: JobId) -> Result<Job, ClientError> {
        self.follow(id, |_| {}).await
    }

    /// Follows a job's events until it is final. A broken stream is resumed where it broke, so that `observe`
    /// sees each event once.
    pub async fn follow(&self, id: JobId, mut observe: impl FnMut(&JobEvent)) -> Result<Job, ClientError> {
        let mut last_seen = 0;
        let mut failures = 0;
        loop {
            let seen_before = last_seen;
            let watched = self.watch(id, &mut last_seen, &mut observe).await;
            // The stream only says that something happened; the job itself says what.
            let failed = match self.job(id).await {
                Ok(job) if job.state.is_final() => return Ok(job),
                Ok(_) => watched.err().filter(|_| last_seen == seen_before),
                Err(error) if error.may_pass() => Some(error),
                Err(error) => return Err(error),
            };
            match failed {
                None => failures = 0,
                Some(error) if failures == PATIENCE => return Err(error),
                Some(_) => failures += 1,
            }
            sleep(wait(failures)).await;
        }
    }

    /// Reads one stream of events to its end.
    async fn watch(
        &self,
        id: JobId,
        last_seen: &mut u64,
        observe: &mut impl FnMut(&JobEvent),
    ) -> Result<(), ClientError> {
        let mut response = self.events(id, *last_seen).await?;
        let mut stream = EventStream::default();
        while let Some(chunk) = response.chunk().await? {
            for text in stream.feed(&chunk) {
                // A later version's server may send kinds of events that this client does not know.
                if let Ok(event) = serde_json::from_str::<JobEvent>(&text) {
                    *last_seen = event.seq;
                    observe(&event);
                    if matches!(&event.kind, EventKind::State { state, .. } if state.is_final()) {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Downloads one file of a job and compares it with the digest that the job lists.
    pub async fn download(&self, id: JobId, artifact: &Artifact) -> Result<Bytes, ClientError> {
        let call = || self.artifact_once(id, &artifact.name);
        whole(&artifact.name, artifact.sha256, call).await
    }

    /// Downloads the statement about a job's result and compares it with the digest that the job lists.
    pub async fn statement(&self, id: JobId, file: &StatementFile) -> Result<Bytes, ClientError> {
        whole(&file.name, file.sha256, || self.statement_once(id)).await
    }
}

/// Calls until the bytes have the digest.
async fn whole<F>(name: &str, digest: Sha256, call: impl Fn() -> F) -> Result<Bytes, ClientError>
where
    F: Future<Output = Result<Bytes, ClientError>>,
{
    let mut failures = 0;
    loop {
        let error = match call().await {
            Ok(bytes) if Sha256::of(&bytes) == digest => return Ok(bytes),
            Ok(_) => ClientError::Damaged {
                name: name.to_owned(),
            },
            Err(error) => error,
        };
        failures += 1;
        if failures > DOWNLOADS || matches!(error, ClientError::Refused(_)) {
            return Err(error);
        }
        sleep(wait(failures)).await;
    }
}

/// The wait after so many failures in a row; after none as after the first.
fn wait(failures: u32) -> Duration {
    WAITS.wait(failures.max(1), rand::random())
}
