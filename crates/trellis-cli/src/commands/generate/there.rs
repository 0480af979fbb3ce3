//! Makes assets on a server: submits, follows the job's events, fetches its files.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use rand::random;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use trellis_backend::{Content, Reporter as _};
use trellis_core::{
    Artifact, BackendChoice, EventKind, Format, Job, JobEvent, JobId, JobState, StatementFile,
};
use trellis_jobs::sha256;

use super::client::{CallError, Client, Facts};
use super::engine::{Asset, Order, Stated};
use super::pieces::{Piece, pieces};
use super::show::JobShow;
use super::sse::EventStream;
use super::trouble::Trouble;

/// How often in a row a server may fail to answer before a job is given up; with the waits below this is
/// about a minute, enough for a restart.
const PATIENCE: u32 = 10;
/// Longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// A server and the backend that it is asked for.
#[derive(Debug)]
pub(crate) struct There {
    client: Client,
    backend: BackendChoice,
    facts: Facts,
}

impl There {
    /// A server that answers and lets this client in.
    pub(crate) async fn reach(client: Client, backend: BackendChoice) -> Result<Self, Trouble> {
        let facts = client.facts().await?;
        // Once and before any picture is sent: a missing key is not the pictures' fault.
        client.check_access().await?;
        Ok(Self {
            client,
            backend,
            facts,
        })
    }

    pub(crate) fn introduction(&self) -> String {
        let mut text = format!(
            "server: {}, backend {}",
            crate::server_address::shown(self.client.address()),
            self.backend
        );
        for backend in &self.facts.backends {
            let _ = write!(text, "\n  {}: {}", backend.name, backend.description);
        }
        text
    }

    /// What a person should know of a backend's results.
    fn about(&self, name: &str) -> String {
        let backend = self.facts.backends.iter().find(|backend| backend.name == name);
        backend
            .map(|backend| backend.description.clone())
            .unwrap_or_default()
    }

    pub(crate) async fn make(
        &self,
        order: &Order,
        show: &JobShow<'_>,
        stopping: &CancellationToken,
    ) -> Result<Asset, Trouble> {
        let submitted = tokio::select! {
            job = self.submit(order, show) => job?,
            () = stopping.cancelled() => return Err(Trouble::interrupted()),
        };
        let work = async {
            let job = self.follow(submitted.id, show).await?;
            self.collect(job, order).await
        };
        tokio::select! {
            asset = work => asset,
            () = stopping.cancelled() => {
                // Nobody waits for it any more. A server that is gone needs no telling.
                let _ = self.client.cancel(submitted.id).await;
                Err(Trouble::interrupted())
            }
        }
    }

    /// Submits; tries again with the same key, so that a lost answer does not make a second job.
    async fn submit(&self, order: &Order, show: &JobShow<'_>) -> Result<Job, Trouble> {
        let key = format!("{:032x}", random::<u128>());
        let mut failures = 0;
        let mut told = false;
        loop {
            match self.client.submit(order, self.backend, &key).await {
                Ok(job) => return Ok(job),
                Err(CallError::Busy { problem, after }) => {
                    if !std::mem::replace(&mut told, true) {
                        show.note(&format!("{}, waiting", problem.message));
                    }
                    sleep(after).await;
                }
                Err(CallError::Unreachable(_)) if failures < PATIENCE => {
                    failures += 1;
                    sleep(wait(failures)).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Follows a job's events until it is final; a broken stream is taken up where it broke.
    async fn follow(&self, id: JobId, show: &JobShow<'_>) -> Result<Job, Trouble> {
        let mut last_seen = 0;
        let mut failures = 0;
        loop {
            let seen_before = last_seen;
            let watched = self.watch(id, &mut last_seen, show).await;
            // The stream only says that something happened; the job itself says what.
            match self.client.job(id).await {
                Ok(job) if job.state.is_final() => return Ok(job),
                Ok(_) if watched.is_ok() || last_seen > seen_before => failures = 0,
                Ok(_) | Err(CallError::Unreachable(_) | CallError::Busy { .. }) if failures < PATIENCE => {
                    failures += 1;
                }
                Ok(_) => return Err(watched.err().map_or_else(Trouble::interrupted, Trouble::from)),
                Err(error) => return Err(error.into()),
            }
            sleep(wait(failures)).await;
        }
    }

    /// Reads one stream of events to its end.
    async fn watch(&self, id: JobId, last_seen: &mut u64, show: &JobShow<'_>) -> Result<(), CallError> {
        let mut response = self.client.events(id, *last_seen).await?;
        let mut stream = EventStream::default();
        while let Some(chunk) = response.chunk().await.map_err(CallError::from)? {
            for text in stream.feed(&chunk) {
                // An event of a kind added later is none of ours.
                let Ok(event) = serde_json::from_str::<JobEvent>(&text) else {
                    continue;
                };
                *last_seen = event.seq;
                match event.kind {
                    EventKind::Progress(progress) => show.progress(progress),
                    EventKind::State {
                        state: JobState::Queued,
                        attempt,
                        ..
                    } if attempt > 0 => {
                        show.note("back in the queue");
                    }
                    EventKind::State { state, .. } if state.is_final() => return Ok(()),
                    EventKind::State { .. } | EventKind::Artifact { .. } => {}
                }
            }
        }
        Ok(())
    }

    /// Fetches the files of a finished job, one for each format asked for.
    async fn collect(&self, mut job: Job, order: &Order) -> Result<Asset, Trouble> {
        match (job.state, job.failure.take()) {
            (JobState::Succeeded, _) => {}
            (_, Some(failure)) => return Err(failure.into()),
            (state, None) => {
                return Err(Trouble {
                    kind: state.name().to_owned(),
                    message: format!("the job was {state} on the server"),
                    fix: "submit it again".to_owned(),
                });
            }
        }
        let mut files = Vec::new();
        for format in &job.params.formats.clone() {
            let fits = |artifact: &&Artifact| artifact.format == *format && !artifact.preview;
            let Some(artifact) = job.artifacts.iter().find(fits) else {
                let message = format!("job `{}` has no file of the format {format}", job.id);
                return Err(Trouble::not_understood(message));
            };
            let content = Content::Bytes(self.fetch(job.id, artifact).await?);
            files.extend(in_pieces(*format, content, order.names.clone()).await?);
        }
        let stated = self.statement_of(&mut job, order, &files).await?;
        let made_by = job.made_by.unwrap_or_else(|| job.backend.name().to_owned());
        Ok(Asset {
            job: job.id,
            about: self.about(&made_by),
            made_by,
            params: job.params,
            notes: job.notes,
            files,
            timings: job.timings,
            provenance: job.provenance,
            stated,
            cached: job.cached,
            _scratch: None,
        })
    }

    /// The statement, where it is asked for or signed; notes say where it is not what one may expect.
    async fn statement_of(
        &self,
        job: &mut Job,
        order: &Order,
        files: &[Piece],
    ) -> Result<Option<Stated>, Trouble> {
        let Some(file) = job.statement.take() else {
            if order.of_server.states {
                job.notes.push(
                    "the server made no statement: its setting `provenance.statement` is off".to_owned(),
                );
            }
            return Ok(None);
        };
        if !order.of_server.states && file.signed_by.is_none() {
            return Ok(None);
        }
        let apart =
            |piece: &Piece| piece.format == Format::Obj && piece.media_type != Format::Obj.media_type();
        if files.iter().any(apart) {
            job.notes.push(format!(
                "`{}` is about the zip of the OBJ: `-o NAME.zip` saves that file",
                file.name
            ));
        }
        self.stated(job.id, file).await.map(Some)
    }

    /// Fetches the statement.
    async fn stated(&self, id: JobId, file: StatementFile) -> Result<Stated, Trouble> {
        let bytes = whole(&file.name, &file.sha256, || self.client.statement(id)).await?;
        let ending = file
            .name
            .split_once('.')
            .map_or(file.name.as_str(), |(_, ending)| ending);
        Ok(Stated {
            ending: ending.to_owned(),
            bytes,
            signed_by: file.signed_by,
        })
    }

    /// Fetches one file.
    async fn fetch(&self, id: JobId, artifact: &Artifact) -> Result<Bytes, Trouble> {
        let fetch = || self.client.artifact(id, &artifact.name);
        whole(&artifact.name, &artifact.sha256, fetch).await
    }
}

/// An OBJ taken apart, off the threads that others wait for.
async fn in_pieces(
    format: Format,
    content: Content,
    names: Vec<(Format, String)>,
) -> Result<Vec<Piece>, Trouble> {
    let done = tokio::task::spawn_blocking(move || pieces(format, &content, &names)).await;
    match done {
        Ok(files) => Ok(files?),
        Err(_) => Err(Trouble::not_understood(
            "the zip of the OBJ cannot be read".to_owned(),
        )),
    }
}

/// Compares what is fetched with its digest; what was cut short is fetched again.
async fn whole<F>(name: &str, digest: &str, fetch: impl Fn() -> F) -> Result<Bytes, Trouble>
where
    F: Future<Output = Result<Bytes, CallError>>,
{
    let mut failures = 0;
    loop {
        let trouble = match fetch().await {
            Ok(bytes) if sha256(&bytes) == digest => return Ok(bytes),
            Ok(_) => Trouble::not_understood(format!("`{name}` arrived damaged")),
            Err(error @ CallError::Problem(_)) => return Err(error.into()),
            Err(error) => error.into(),
        };
        failures += 1;
        if failures > 3 {
            return Err(trouble);
        }
        sleep(wait(failures)).await;
    }
}

/// 100 ms, doubled with each failure in a row.
fn wait(failures: u32) -> Duration {
    Duration::from_millis(100)
        .saturating_mul(1 << failures.min(10))
        .min(LONGEST_WAIT)
}
