//! The one way in: pictures, perhaps a mesh, and parameters become a job that is safely on disk.
//!
//! Order: everything is checked, then the files get their names, then the row is written. A crash between
//! the two leaves files without a row, which the janitor removes; never a row without its files.

use futures::future::join_all;
use jiff::Timestamp;
use trellis_core::{
    BackendChoice, Demand, Failure, FailureKind, Input, Job, JobState, ParamsPatch, Priority, Sha256,
    TraceParent,
};

use crate::intake::Received;
use crate::{CacheKey, Intake, Jobs, NewJob, Owner, StagedBlob, StoreError, SubmitError, Submitted, Webhook};

/// What is asked of the pictures.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// The parameters; the rest takes its default.
    pub params: ParamsPatch,
    /// Which backend.
    pub backend: BackendChoice,
    /// How urgent it is among its owner's.
    pub priority: Priority,
    /// Who is to be told of the job; its address was checked.
    pub webhook: Option<Webhook>,
}

/// Who asks, and how.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// Whose job it is to be.
    pub owner: Owner,
    /// A name of the request, of the client's choice: sent again, the same request answers with the same job.
    pub idempotency_key: Option<String>,
    /// The trace that the request belongs to.
    pub traceparent: Option<TraceParent>,
    /// Have the result made although an earlier job asked the same.
    pub no_cache: bool,
}

impl Jobs {
    /// Accepts a job, or answers with the earlier one of the same idempotency key, or with one that is done at once
    /// where an earlier job asked the same. Everything is on disk when this returns; after an error nothing is
    /// left, unless nobody knows whether the job was accepted: its pictures are then there.
    pub async fn submit(&self, intake: Intake, asked: Asked, terms: Terms) -> Result<Submitted, SubmitError> {
        let id = intake.id();
        let Asked {
            params: patch,
            backend: asked_backend,
            priority,
            webhook,
        } = asked;
        self.accepts(0).await?;
        // What the pictures take stays counted until the job is there.
        let Received {
            inputs,
            keys,
            staged,
            claims,
        } = intake.into_received();
        if inputs.iter().all(Input::is_mesh) {
            return Err(SubmitError::NoPicture);
        }
        let textures = inputs.iter().any(Input::is_mesh);
        let (backend, asked) = if textures {
            (texturing(asked_backend)?, patch.for_a_mesh()?)
        } else {
            (asked_backend, patch.clone().or_model(self.makers.default_model()))
        };
        let params = asked.or(&self.defaults).resolve(rand::random())?;
        let demand = Demand::new(backend, params.model.model());
        let made_by = if textures {
            self.makers.made_by_with_mesh(demand, &params.formats)
        } else {
            self.makers.made_by(demand, &params.formats)
        };
        let made_by = match made_by {
            Ok(made_by) => made_by,
            // Now, rather than after a wait.
            Err(failure) if failure.kind == FailureKind::Unsupported => {
                return Err(SubmitError::Unsupported(Box::new(failure)));
            }
            Err(_) => None,
        };
        if textures {
            let able = self.makers.textures_meshes(demand);
            able.map_err(|failure| SubmitError::Unsupported(Box::new(failure)))?;
        }
        let needs = self.makers.needs(backend, &params, None);
        let mut needs = needs.map_err(|failure| SubmitError::Unsupported(Box::new(failure)))?;
        // Servers that cannot do it, those of earlier versions among them, leave it to others.
        needs.mesh = textures;
        let digest = digest(&inputs, asked_backend, &patch, priority, webhook.as_ref());
        let now = Timestamp::now();
        // A random seed asks for something new.
        let same = made_by.filter(|_| patch.given("seed").is_some() && !terms.no_cache);
        let cached = same.map(|made_by| CacheKey::new(&inputs, &params, &made_by));
        let new = NewJob {
            id,
            owner: terms.owner,
            now,
            backend,
            priority,
            name: inputs.first().and_then(|input| input.name.clone()),
            source: None,
            params,
            inputs: inputs.into_iter().zip(keys).collect(),
            idempotency: terms.idempotency_key.map(|key| (key, digest)),
            traceparent: terms.traceparent,
            webhook,
            needs,
            queue_limit: self.limits.queue_limit,
            recalled: None,
        };
        let jobs = self.clone();
        // On its own: a client that goes away now leaves a job behind or nothing, never files without a job.
        let accepted = tokio::spawn(async move {
            let _claims = claims;
            jobs.accept(new, cached, staged).await
        });
        accepted.await.unwrap_or_else(|ended| {
            let source = Box::new(ended);
            Err(StoreError::Unavailable { source }.into())
        })
    }

    pub(crate) async fn accept(
        &self,
        mut new: NewJob,
        cached: Option<CacheKey>,
        staged: Vec<Box<dyn StagedBlob>>,
    ) -> Result<Submitted, SubmitError> {
        let (id, owner) = (new.id, new.owner.clone());
        let lack = self.makers.lack(new.demand(), &new.needs.to_text());
        if let Some(key) = cached {
            new.recalled = self.recall(&new.owner, &key, id).await;
        }
        let done = self.keep(new, staged).await;
        let needed = match &done {
            Ok(submitted) => !submitted.replayed,
            Err(SubmitError::Store(error)) => error.may_be_done(),
            Err(_) => false,
        };
        if !needed {
            // What cannot be removed now is set aside later.
            let _ = self.blobs.delete_job(id).await;
        }
        let done = done?;
        let job = Job {
            owner: owner.name_for(&owner),
            waits_for: lack.filter(|_| done.job.state == JobState::Queued),
            ..done.job
        };
        Ok(Submitted { job, ..done })
    }

    async fn keep(&self, new: NewJob, staged: Vec<Box<dyn StagedBlob>>) -> Result<Submitted, SubmitError> {
        // All are waited for, so that none is still on its way when a failed one has the rest removed.
        for kept in join_all(staged.into_iter().map(StagedBlob::keep)).await {
            kept?;
        }
        Ok(self.store.submit(new).await?)
    }
}

/// The backend that textures a mesh. No preview stands in for it: that would show another shape.
fn texturing(asked: BackendChoice) -> Result<BackendChoice, SubmitError> {
    match asked {
        BackendChoice::Auto | BackendChoice::Trellis => Ok(BackendChoice::Trellis),
        BackendChoice::Relief | BackendChoice::Export => {
            let failure = Failure {
                fix: "ask for the backend `trellis`, or for none".to_owned(),
                ..Failure::new(
                    FailureKind::Unsupported,
                    format!("`{asked}` does not texture meshes"),
                )
            };
            Err(SubmitError::Unsupported(Box::new(failure)))
        }
    }
}

/// A digest of what is asked: pictures in order and the mesh, parameters as given, backend, priority, webhook. Not of its encoding: the
/// same request as a form with another boundary or other file names, or as JSON, is the same request.
fn digest(
    inputs: &[Input],
    backend: BackendChoice,
    patch: &ParamsPatch,
    priority: Priority,
    webhook: Option<&Webhook>,
) -> String {
    let pictures: Vec<Sha256> = inputs.iter().map(|input| input.sha256).collect();
    let asked = (pictures, backend, patch);
    // What is as usual is left out, as before there was anything else: keys of earlier versions go on answering.
    let priority = Some(priority).filter(|priority| *priority != Priority::Normal);
    let asked = match (webhook, priority) {
        (None, None) => serde_json::to_vec(&asked),
        (Some(webhook), None) => serde_json::to_vec(&(asked, webhook)),
        (webhook, Some(priority)) => serde_json::to_vec(&(asked, webhook, priority)),
    };
    let asked = asked.expect("texts and numbers are JSON");
    Sha256::of(asked).to_string()
}
