//! The one service that all edges use: submit, wait, follow, cancel, read. An adapter translates to and from it and
//! needs no rule of its own.
//!
//! Everything is asked by an [`Owner`]; a job that the owner does not see is not there for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tracing::warn;
use trellis_core::{
    BackendChoice, Defaults, Demand, Failure, FailureKind, Format, Input, Job, JobEvent, JobId, JobState,
    Model, Params, Sha256,
};

use crate::rules::Command;
use crate::{
    BlobKey, BlobStore, Delivered, DeliveredStatement, HeavyWork, JobQuery, JobStore, Needs, Owner, Page,
    Staging, StoreError, StoreStats, StoredJob, WaitingKind,
};

/// What is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobLimits {
    /// Pixels of one picture.
    pub max_pixels: u64,
    /// Pictures of one job.
    pub max_images: usize,
    /// Jobs that may wait at a time.
    pub queue_limit: u64,
    /// How long one attempt of a job may take. Told here; the runner enforces it.
    pub attempt_time: Duration,
}

/// What the service asks of the backends.
pub trait Makers: Send + Sync + 'static {
    /// Names everything that would make the result of such a job now, besides pictures and parameters; `None` where
    /// it is not known exactly, so that no earlier result stands for it. Fails with
    /// [`trellis_core::FailureKind::Unsupported`] where no backend here will ever make it.
    fn made_by(&self, demand: Demand, formats: &[Format]) -> Result<Option<String>, Failure>;

    /// The same for a job that textures a given mesh.
    fn made_by_with_mesh(&self, demand: Demand, formats: &[Format]) -> Result<Option<String>, Failure> {
        self.made_by(demand, formats)
    }

    /// The model of jobs that name none.
    fn default_model(&self) -> Model;

    /// Fails with [`trellis_core::FailureKind::Unsupported`] where what such a job goes to cannot texture a given mesh.
    fn textures_meshes(&self, _demand: Demand) -> Result<(), Failure> {
        Err(Failure::new(
            FailureKind::Unsupported,
            "nothing here textures meshes",
        ))
    }

    /// What a server must have to do such a job; nothing, where all that claim jobs are alike. `decoder`: what sampled the
    /// latents that are decoded, where this is an export of them. Fails likewise where no server has it.
    fn needs(
        &self,
        _choice: BackendChoice,
        _params: &Params,
        decoder: Option<Sha256>,
    ) -> Result<Needs, Failure> {
        Ok(Needs {
            decoder,
            ..Needs::default()
        })
    }

    /// Why no server can do a job that demands this and has these needs ([`Needs::to_text`]), and what to do; `None`: one can
    /// or soon will, or that is not known.
    fn lack(&self, _demand: Demand, _needs: &str) -> Option<Failure> {
        None
    }

    /// Whether something here decodes what this model sampled in `decoder`, a Python environment and a model's folder.
    fn decodes(&self, _model: Model, _decoder: Sha256) -> bool {
        false
    }
}

/// What became of a job that a client no longer wants.
#[derive(Debug, Clone, PartialEq)]
pub enum Removed {
    /// It was live: it is cancelled and kept.
    Cancelled(Box<Job>),
    /// It was finished: it is gone with its files.
    Deleted,
}

/// The job service. Clones share it.
#[derive(Clone)]
pub struct Jobs {
    /// Where jobs are kept.
    pub store: Arc<dyn JobStore>,
    /// Where pictures and assets are kept.
    pub blobs: Arc<dyn BlobStore>,
    /// What makes results.
    pub makers: Arc<dyn Makers>,
    /// What is taken.
    pub limits: JobLimits,
    /// What holds where a submission leaves it open.
    pub defaults: Defaults,
    /// Room on disk for submissions that are still coming in.
    pub staging: Staging,
    /// Memory for looking at what came in.
    pub heavy_work: HeavyWork,
}

impl Jobs {
    /// A job.
    pub async fn get(&self, owner: &Owner, id: JobId) -> Result<Job, StoreError> {
        let mut job = self.find(owner, id).await?.shown_to(owner);
        self.say_what_they_wait_for(std::slice::from_mut(&mut job))
            .await?;
        Ok(job)
    }

    /// The jobs that the owner sees, newest first; `query.owner` is overwritten.
    pub async fn list(&self, owner: &Owner, query: JobQuery) -> Result<Page, StoreError> {
        let owner = owner.clone();
        let mut page = self.store.list(JobQuery { owner, ..query }).await?;
        self.say_what_they_wait_for(&mut page.jobs).await?;
        Ok(page)
    }

    /// Sets why no server can do those of these jobs that wait, with one query for all of them.
    async fn say_what_they_wait_for(&self, jobs: &mut [Job]) -> Result<(), StoreError> {
        let queued = jobs.iter().filter(|job| job.state == JobState::Queued);
        let queued: Vec<JobId> = queued.map(|job| job.id).collect();
        if queued.is_empty() {
            return Ok(());
        }
        let kinds: HashMap<JobId, WaitingKind> = self.store.waits_as(&queued).await?.into_iter().collect();
        let mut lacks = HashMap::new();
        for job in jobs {
            let Some(kind) = kinds.get(&job.id) else { continue };
            let lack = lacks.entry(kind).or_insert_with(|| {
                // What a newer version wrote this one cannot judge.
                self.makers.lack(kind.demand.parse().ok()?, &kind.needs)
            });
            job.waits_for.clone_from(lack);
        }
        Ok(())
    }

    /// Events of all jobs of all owners after entry `after`, oldest first, at most `limit`. Not for clients.
    pub async fn feed(&self, after: u64, limit: u32) -> Result<Vec<JobEvent>, StoreError> {
        self.store.events(None, after, limit).await
    }

    /// Cancels a live job and leaves one that has ended as it is. The job after that.
    pub async fn cancel(&self, owner: &Owner, id: JobId) -> Result<Job, StoreError> {
        let command = Command::Cancel { by: owner.clone() };
        match self.store.apply(id, Timestamp::now(), command).await {
            Ok(_) | Err(StoreError::WrongState { .. }) => self.get(owner, id).await,
            Err(error) => Err(error),
        }
    }

    /// Cancels a live job, deletes a finished one, in one step.
    pub async fn cancel_or_delete(&self, owner: &Owner, id: JobId) -> Result<Removed, StoreError> {
        let by = owner.clone();
        let command = Command::CancelOrDelete { by };
        let applied = self.store.apply(id, Timestamp::now(), command).await?;
        if let Some(mut job) = applied.job {
            if owner.rights().sees_all {
                // Whose it was.
                job = self.get(owner, id).await.unwrap_or(job);
            }
            return Ok(Removed::Cancelled(Box::new(job)));
        }
        // The job is forgotten already; files that are left now are orphans, which the janitor removes.
        if let Err(error) = self.blobs.delete_job(id).await {
            warn!(job = %id, error = &error as &dyn std::error::Error, "files of a deleted job left to the janitor");
        }
        Ok(Removed::Deleted)
    }

    /// The picture or mesh at `index` and where it is.
    pub async fn input(
        &self,
        owner: &Owner,
        id: JobId,
        index: u32,
    ) -> Result<Option<(Input, BlobKey)>, StoreError> {
        let found = self.find(owner, id).await?;
        let mut inputs = found.job.inputs.into_iter().zip(found.inputs);
        Ok(inputs.nth(index as usize))
    }

    /// The file of that name and where it is.
    pub async fn artifact(
        &self,
        owner: &Owner,
        id: JobId,
        name: &str,
    ) -> Result<Option<Delivered>, StoreError> {
        let found = self.find(owner, id).await?;
        let files = found.job.artifacts.into_iter().zip(found.artifacts);
        let mut files = files.map(|(artifact, key)| Delivered { artifact, key });
        Ok(files.find(|file| file.artifact.name == name))
    }

    /// The statement about the job's result and where it is.
    pub async fn statement(
        &self,
        owner: &Owner,
        id: JobId,
    ) -> Result<Option<DeliveredStatement>, StoreError> {
        let found = self.find(owner, id).await?;
        let statement = found.job.statement.zip(found.statement);
        Ok(statement.map(|(file, key)| DeliveredStatement { file, key }))
    }

    /// How much there is, of all owners.
    pub async fn stats(&self) -> Result<StoreStats, StoreError> {
        self.store.stats().await
    }

    pub(crate) async fn find(&self, owner: &Owner, id: JobId) -> Result<StoredJob, StoreError> {
        let found = self.store.find(id).await?;
        if owner.sees(&found.owner) {
            Ok(found)
        } else {
            Err(StoreError::NotFound { id })
        }
    }
}
