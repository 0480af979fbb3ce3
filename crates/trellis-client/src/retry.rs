//! Calls that outlive a restart of the server: submitting under one key, following a job's events, downloading.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use tokio::fs::File;
use tokio::time::sleep;
use trellis_core::{Artifact, Backoff, EventKind, Job, JobEvent, JobId, Sha256, StatementFile};

use crate::answer::{file, not_kept, server};
use crate::client::{Client, Export, Submission};
use crate::error::{ClientError, ServerProblem};
use crate::limits::{MAX_EVENTS_BYTES, MAX_STATEMENT_BYTES};
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
        let key = new_key();
        until_accepted(|| self.submit_once(submission, &key), waiting).await
    }

    /// Has a file made of an earlier job's GLB, by a job of its own that this returns. Tries again as [`Self::submit`] does.
    pub async fn export(
        &self,
        of: JobId,
        export: &Export,
        waiting: impl FnOnce(&ServerProblem),
    ) -> Result<Job, ClientError> {
        let key = new_key();
        until_accepted(|| self.export_once(of, export, &key), waiting).await
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
        let mut left = MAX_EVENTS_BYTES;
        loop {
            let seen_before = last_seen;
            let watched = self.watch(id, &mut last_seen, &mut left, &mut observe).await;
            if let Err(error @ ClientError::NotUnderstood { .. }) = watched {
                return Err(error);
            }
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
        left: &mut u64,
        observe: &mut impl FnMut(&JobEvent),
    ) -> Result<(), ClientError> {
        let mut response = self.events(id, *last_seen).await?;
        let mut stream = EventStream::default();
        while let Some(chunk) = response.chunk().await? {
            let after = left.checked_sub(chunk.len() as u64);
            *left = after.ok_or_else(|| ClientError::NotUnderstood {
                server: Some(server(&response)),
                reason: "its events have no end".to_owned(),
            })?;
            for text in stream.feed(&chunk) {
                // A later version's server may send kinds of events that this client does not know.
                let event = serde_json::from_str::<JobEvent>(&text);
                if let Ok(event) = event.map_err(drop)
                    && event.job == id
                    && event.seq > *last_seen
                {
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

    /// Downloads one file of a job into the file at `place` and compares it with the size and the digest that the job
    /// lists while it comes. What is not right is removed.
    pub async fn download(&self, id: JobId, artifact: &Artifact, place: &Path) -> Result<(), ClientError> {
        let kept = again(|| self.download_once(id, artifact, place)).await;
        if kept.is_err() {
            let _ = tokio::fs::remove_file(place).await;
        }
        kept
    }

    async fn download_once(&self, id: JobId, artifact: &Artifact, place: &Path) -> Result<(), ClientError> {
        let response = self.artifact(id, &artifact.name).await?;
        let mut into = File::create(place).await.map_err(|error| not_kept(&error))?;
        file(response, artifact, &mut into).await
    }

    /// Downloads the statement about a job's result and compares it with the digest that the job lists.
    pub async fn statement(&self, id: JobId, file: &StatementFile) -> Result<Bytes, ClientError> {
        let most = file.size_bytes.min(MAX_STATEMENT_BYTES);
        again(|| async move {
            let bytes = self.statement_once(id, most).await?;
            if Sha256::of(&bytes) == file.sha256 {
                return Ok(bytes);
            }
            Err(ClientError::Damaged {
                name: file.name.clone(),
            })
        })
        .await
    }
}

/// An idempotency key that nobody has used.
fn new_key() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// Asks for a job until there is one, for as long as the server says so, and through its restarts.
async fn until_accepted<F>(
    call: impl Fn() -> F,
    waiting: impl FnOnce(&ServerProblem),
) -> Result<Job, ClientError>
where
    F: Future<Output = Result<Job, ClientError>>,
{
    let mut waiting = Some(waiting);
    let mut failures = 0;
    loop {
        match call().await {
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

/// Calls until it works, a few times.
async fn again<T, F>(call: impl Fn() -> F) -> Result<T, ClientError>
where
    F: Future<Output = Result<T, ClientError>>,
{
    let mut failures = 0;
    loop {
        let error = match call().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        failures += 1;
        let is_final = matches!(error, ClientError::Refused(_) | ClientError::NotKept { .. });
        if failures > DOWNLOADS || is_final {
            return Err(error);
        }
        sleep(wait(failures)).await;
    }
}

/// The wait after so many failures in a row; after none as after the first.
fn wait(failures: u32) -> Duration {
    WAITS.wait(failures.max(1), rand::random())
}
