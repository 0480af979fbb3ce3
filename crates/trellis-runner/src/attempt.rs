//! One attempt of one job, from the claim to its end.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tokio_util::task::AbortOnDropHandle;
use tracing::{error, info, warn};
use trellis_backend::{Backend, Latents, Output, Request, SourceGlb};
use trellis_core::{Failure, FailureKind, GenerateError, Source};
use trellis_jobs::{BlobError, BlobKey, Claim, Lease};

use crate::ending::{Ending, Recorded, end};
use crate::lease::{Gone, keep};
use crate::reporter::reports;
use crate::result::Storing;
use crate::scratch;
use crate::shared::Shared;
use crate::work::{Stop, work};

/// How long storing may take where a job is done close to its time limit: what is done is not thrown away for a moment.
const STORING_AT_LEAST: Duration = Duration::from_secs(2);
/// The same at the end of the server, which then has 4 s left for this and for stopping the backend.
const STORING_AT_THE_END: Duration = Duration::from_millis(1500);

/// How long it may take to see whether a disk is full.
const LOOKING: Duration = Duration::from_secs(5);

pub(crate) struct Attempt {
    shared: Arc<Shared>,
    backend: Arc<dyn Backend>,
    claim: Claim,
    began_at: Timestamp,
    /// Reading the pictures, the work and storing its result end by then.
    deadline: Instant,
}

impl Attempt {
    pub(crate) fn new(shared: Arc<Shared>, backend: Arc<dyn Backend>, claim: Claim) -> Self {
        Self {
            deadline: Instant::now() + shared.settings.job_limit,
            shared,
            backend,
            claim,
            began_at: Timestamp::now(),
        }
    }

    /// Works on the job and writes down how it ended. `free` is dropped once the backend has done its part.
    pub(crate) async fn run(mut self, free: oneshot::Sender<()>) {
        let lease = self.claim.lease.clone();
        // Ends with this future, however that ends: a claim that nobody works on must lapse.
        let mut keeping = AbortOnDropHandle::new(tokio::spawn(keep(self.shared.clone(), lease.clone())));
        let prepared = timeout_at(self.deadline, self.prepare()).await;
        let folder = prepared.unwrap_or_else(|_| Err(self.too_long()));
        let gone = async {
            // One that panicked keeps nothing.
            (&mut keeping).await.unwrap_or(Gone::Lost)
        };
        let ending = match &folder {
            Ok(folder) => self.ending(folder, gone, free).await,
            Err(failure) => Ending::Fail(failure.clone()),
        };
        let ending = self.unless_the_disk_is_full(ending, folder.as_deref().ok()).await;
        let recorded = end(&self.shared, &lease, &ending).await;
        keeping.abort();
        if let (Ending::Succeed(outcome), Recorded::No) = (&ending, recorded) {
            self.storing().discard(outcome).await;
        }
        // Also a preview, whose place the result took. A handed-back job goes on, and its preview is still shown.
        let over = matches!(ending, Ending::Succeed(_) | Ending::Fail(_));
        if over && recorded == Recorded::Yes && self.had_company() {
            self.shared.clear_leftovers(lease.job).await;
        }
        if let Ok(folder) = folder {
            scratch::remove(&folder).await;
        }
    }

    /// A job that found no space goes back to the queue where the disk of this server is full without it: it waits for room
    /// there, or another server does it. One that fills the disk by itself fails.
    async fn unless_the_disk_is_full(&self, ending: Ending, folder: Option<&Path>) -> Ending {
        if !matches!(&ending, Ending::Fail(failure) if failure.kind == FailureKind::StorageFull) {
            return ending;
        }
        let looked = async {
            if let Some(folder) = folder {
                scratch::remove(folder).await;
            }
            self.shared.has_scratch().await
        };
        // A disk that hangs is of no more use than one that is full.
        if timeout(LOOKING, looked).await.unwrap_or(false) {
            return ending;
        }
        warn!("the disk of the scratch folder is full: the job goes back to the queue");
        Ending::Release
    }

    /// Whether the job may have files that nobody needs once it has ended: of an attempt before it, of the maker of
    /// previews, or what it was converted from.
    fn had_company(&self) -> bool {
        self.claim.lease.attempt > 1 || self.shared.previews || self.claim.job.source.is_some()
    }

    /// Settles who works on it, and where.
    async fn prepare(&mut self) -> Result<PathBuf, Failure> {
        self.backend = self.suited()?;
        info!(backend = self.backend.capabilities().name, "job started");
        let Lease { job, attempt, .. } = self.claim.lease;
        let folder = scratch::make(&self.shared.settings.scratch, job, attempt).await;
        folder.map_err(|cause| no_scratch(&cause))
    }

    async fn ending(
        &self,
        folder: &Path,
        gone: impl Future<Output = Gone>,
        free: oneshot::Sender<()>,
    ) -> Ending {
        let request = match timeout_at(self.deadline, self.request(folder)).await {
            Ok(Ok(request)) => request,
            Ok(Err(failure)) => return Ending::Fail(failure),
            Err(_) => return Ending::Fail(self.too_long()),
        };
        let (reports, carrier) = reports(self.shared.clone(), self.claim.lease.clone());
        let carrying = AbortOnDropHandle::new(tokio::spawn(carrier.run()));
        let (done, stop) = work(
            &self.shared,
            self.backend.clone(),
            request,
            reports,
            self.deadline,
            gone,
        )
        .await;
        drop(free);
        if matches!(stop, Some(Stop::Gone(_))) {
            carrying.abort();
            info!(?stop, "claim lost");
            return Ending::Nothing;
        }
        // Reports come before the end; a backend that was abandoned still holds its end of them.
        if stop.is_some() {
            carrying.abort();
        }
        let _ = carrying.await;
        match (done, stop) {
            // Done is done, even where it was told to stop.
            (Ok(output), _) => self.store(folder, output).await,
            (Err(_), Some(Stop::Drained)) => Ending::Release,
            (Err(_), Some(Stop::TimeLimit)) => Ending::Fail(self.too_long()),
            (Err(GenerateError::Failed(failure)), _) => Ending::Fail(failure),
            // Nobody told it to.
            (Err(GenerateError::Cancelled), _) => Ending::Fail(Failure::new(
                FailureKind::Internal,
                "the backend cancelled the job without being told to",
            )),
        }
    }

    /// Stores the result, for as long as there is time: a disk that hangs must not keep the slot.
    async fn store(&self, folder: &Path, output: Output) -> Ending {
        let names: Vec<String> = output.files.iter().map(|file| file.name.clone()).collect();
        let storing = self.storing();
        let deadline = self.deadline.max(Instant::now() + STORING_AT_LEAST);
        let ending = tokio::select! {
            stored = storing.store(folder, output) => {
                return stored.map_or_else(Ending::Fail, |outcome| Ending::Succeed(Box::new(outcome)));
            }
            () = sleep_until(deadline) => Ending::Fail(self.too_long()),
            () = self.end_of_the_server() => Ending::Release,
        };
        warn!("the result is not stored in time");
        storing.abandon(names);
        ending
    }

    async fn end_of_the_server(&self) {
        self.shared.drained.cancelled().await;
        sleep(STORING_AT_THE_END).await;
    }

    async fn request(&self, folder: &Path) -> Result<Request, Failure> {
        let (mut pictures, mut mesh, mut glb, mut latents) = (Vec::new(), None, None, Latents::Forget);
        let id = self.claim.lease.job;
        match &self.claim.job.source {
            Some(Source {
                made_by,
                decoder: None,
                ..
            }) => {
                glb = Some(SourceGlb {
                    glb: self.read(&BlobKey::source(id), "the GLB").await?,
                    made_by: made_by.clone(),
                });
            }
            Some(Source {
                decoder: Some(decoder),
                ..
            }) => {
                let model = self.claim.job.params.model.model();
                if *decoder != self.shared.origin.decoder(model) {
                    return Err(other_decoder());
                }
                let key = BlobKey::source_latents(id);
                latents = Latents::Of(self.read(&key, "what was sampled").await?);
            }
            None => {
                for (input, key) in self.claim.job.inputs.iter().zip(&self.claim.inputs) {
                    if input.is_mesh() {
                        mesh = Some(self.read(key, "the mesh").await?);
                    } else {
                        pictures.push(self.read(key, "a picture").await?);
                    }
                }
                if self.shared.settings.keep_latents {
                    latents = Latents::Keep;
                }
            }
        }
        let first = self.claim.job.inputs.first();
        Ok(Request {
            job: self.claim.lease.job,
            attempt: self.claim.lease.attempt,
            pictures,
            mesh,
            source: glb,
            latents,
            name: first.and_then(|input| input.name.clone()).unwrap_or_default(),
            params: self.claim.job.params.clone(),
            traceparent: self.claim.job.traceparent,
            scratch: folder.to_owned(),
        })
    }

    async fn read(&self, key: &BlobKey, what: &str) -> Result<Bytes, Failure> {
        let read = self.shared.blobs.get(key).await;
        read.map_err(|cause| unreadable(&cause, what))
    }

    /// The backend that was given the job or, where that does not make what is asked for, another one
    /// that the job's choice allows.
    fn suited(&self) -> Result<Arc<dyn Backend>, Failure> {
        let job = &self.claim.job;
        let made = &self.backend.capabilities().formats;
        if job.params.formats.iter().all(|format| made.contains(format)) {
            return Ok(self.backend.clone());
        }
        let registry = &self.shared.here;
        let backend = registry.route(job.demand(), &job.params.formats).backend()?;
        info!(
            backend = backend.capabilities().name,
            reason = registry.reason(job.demand(), &job.params.formats, &backend),
            "handed to another backend"
        );
        Ok(backend)
    }

    fn storing(&self) -> Storing<'_> {
        Storing {
            shared: &self.shared,
            backend: self.backend.as_ref(),
            claim: &self.claim,
            began_at: self.began_at,
        }
    }

    fn too_long(&self) -> Failure {
        let seconds = self.shared.settings.job_limit.as_secs();
        Failure::new(
            FailureKind::TimeLimit,
            format!(
                "the job took longer than {}",
                trellis_core::counted(seconds, "second", "seconds")
            ),
        )
    }
}

fn no_scratch(cause: &std::io::Error) -> Failure {
    error!(%cause, "cannot create the scratch folder");
    match cause.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Failure::new(
            FailureKind::StorageFull,
            "no space for temporary files: the disk is full",
        ),
        _ => Failure::new(FailureKind::Internal, "the scratch folder cannot be created"),
    }
}

/// The server was set up otherwise while the job waited.
fn other_decoder() -> Failure {
    let message = "what was sampled for the earlier job can be decoded only by the Python environment and the model that \
                   sampled it, and this server has others now";
    Failure {
        fix: "submit its pictures again with these parameters".to_owned(),
        ..Failure::new(FailureKind::Unsupported, message)
    }
}

fn unreadable(cause: &BlobError, what: &str) -> Failure {
    error!(
        error = cause as &dyn std::error::Error,
        what, "a file cannot be read"
    );
    let message = match cause {
        BlobError::NotFound { .. } => format!("{what} of the job is missing"),
        _ => format!("{what} of the job cannot be read"),
    };
    Failure::new(FailureKind::Internal, message)
}
