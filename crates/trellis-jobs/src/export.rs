//! Other files from the GLB of an earlier job: a job of its own, which converts a copy of that GLB and outlives the
//! earlier job.
//!
//! It is queued, limited, followed and cached like any other. Not here: the conversion.

use jiff::Timestamp;
use trellis_core::{
    Artifact, BackendChoice, FailureKind, Format, Job, JobId, JobState, ParamsPatch, Sha256, Source,
};

use crate::{
    BlobError, BlobKey, CacheKey, Jobs, Needs, NewJob, StoreError, StoredJob, SubmitError, Submitted, Terms,
};

/// What is asked of an earlier job.
#[derive(Debug, Clone)]
pub struct ExportOf {
    /// The earlier job.
    pub job: JobId,
    /// What is to be made.
    pub format: Format,
    /// The format's parameters; the rest takes its default.
    pub params: ParamsPatch,
}

/// Why an earlier job is not exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It has no result, or not yet.
    #[error("the job `{id}` is {state}: there is no result to convert")]
    NotSucceeded {
        /// The earlier job.
        id: JobId,
        /// Where it stands.
        state: JobState,
    },
    /// Its result has other formats.
    #[error("the job `{id}` has no GLB to convert")]
    NoGlb {
        /// The earlier job.
        id: JobId,
    },
    /// Its GLB is not what it was.
    #[error("the GLB of the job `{id}` is damaged")]
    Damaged {
        /// The earlier job.
        id: JobId,
    },
    /// The new job is refused.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

impl ExportError {
    /// The stable name in JSON, metrics, docs and tests.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotSucceeded { .. } => "job_not_succeeded",
            Self::NoGlb { .. } => "no_glb",
            Self::Damaged { .. } => "glb_damaged",
            Self::Submit(error) => error.kind(),
        }
    }

    /// What to do about it, one sentence.
    pub fn advice(&self) -> &str {
        match self {
            Self::NotSucceeded { .. } => "wait until it has succeeded, or export another job",
            Self::NoGlb { .. } => "submit its picture again and ask for the format, or for `glb`",
            Self::Damaged { .. } => {
                "submit its picture again: the file in the data directory is not what was stored"
            }
            Self::Submit(error) => error.advice(),
        }
    }
}

impl From<StoreError> for ExportError {
    fn from(error: StoreError) -> Self {
        Self::Submit(error.into())
    }
}

impl From<BlobError> for ExportError {
    fn from(error: BlobError) -> Self {
        Self::Submit(error.into())
    }
}

impl Jobs {
    /// Accepts an export of an earlier job that the caller sees, or answers with the earlier export of the same
    /// idempotency key, or with one that is done at once where an earlier one asked the same.
    pub async fn export(&self, of: ExportOf, terms: Terms) -> Result<Submitted, ExportError> {
        let earlier = self.find(&terms.owner, of.job).await?;
        let (glb, key) = glb_of(&earlier)?;
        self.accepts(0).await?;
        let patch = of
            .params
            .with("formats", vec![of.format])
            .with("seed", i64::from(earlier.job.params.seed));
        let params = patch
            .resolve(earlier.job.params.seed)
            .map_err(SubmitError::from)?;
        let made_by = match self.makers.made_by(BackendChoice::Export, &params.formats) {
            Ok(made_by) => made_by.filter(|_| !terms.no_cache),
            Err(failure) if failure.kind == FailureKind::Unsupported => {
                return Err(SubmitError::Unsupported(Box::new(failure)).into());
            }
            Err(_) => None,
        };
        let now = Timestamp::now();
        let id = self.intake().id();
        let inputs = earlier.job.inputs.iter().cloned();
        let inputs: Vec<_> = (0..)
            .zip(inputs)
            .map(|(n, input)| (input, BlobKey::input(id, n)))
            .collect();
        let cached =
            made_by.map(|made_by| CacheKey::of_export(&earlier.job.inputs, &params, &made_by, glb.sha256));
        let new = NewJob {
            id,
            owner: terms.owner,
            now,
            backend: BackendChoice::Export,
            name: earlier.job.name.clone(),
            source: Some(source(&earlier.job, glb)),
            params,
            inputs,
            idempotency: terms
                .idempotency_key
                .map(|key| (key, digest(of.job, glb.sha256, &patch))),
            traceparent: terms.traceparent,
            webhook: None,
            needs: Needs::default(),
            queue_limit: self.limits.queue_limit,
            recalled: None,
        };
        let (jobs, expected, key) = (self.clone(), (glb.size_bytes, glb.sha256), key.clone());
        // On its own: a client that goes away now leaves a job behind or nothing, never files without a job.
        let accepted = tokio::spawn(async move {
            if let Err(error) = jobs.copy_for(&new, &earlier, &key, expected).await {
                // What cannot be removed now is set aside later.
                let _ = jobs.blobs.delete_job(id).await;
                // Deleted meanwhile, perhaps: that is what to say.
                jobs.find(&new.owner, earlier.job.id).await?;
                return Err(error);
            }
            Ok(jobs.accept(new, cached, Vec::new()).await?)
        });
        accepted.await.unwrap_or_else(|ended| {
            let source = Box::new(ended);
            Err(StoreError::Unavailable { source }.into())
        })
    }

    /// The GLB and the pictures of the earlier job, under keys of the new one.
    async fn copy_for(
        &self,
        new: &NewJob,
        earlier: &StoredJob,
        glb: &BlobKey,
        expected: (u64, Sha256),
    ) -> Result<(), ExportError> {
        if !self.copy_whole(glb, expected, &BlobKey::source(new.id)).await? {
            return Err(ExportError::Damaged { id: earlier.job.id });
        }
        for (from, (_, to)) in earlier.inputs.iter().zip(&new.inputs) {
            self.blobs.copy(from, to).await?;
        }
        Ok(())
    }
}

/// A digest of what is asked.
fn digest(job: JobId, glb: Sha256, patch: &ParamsPatch) -> String {
    let asked = serde_json::to_vec(&(job, glb, patch)).expect("texts and numbers are JSON");
    Sha256::of(asked).to_string()
}

fn glb_of(earlier: &StoredJob) -> Result<(&Artifact, &BlobKey), ExportError> {
    let StoredJob { job, artifacts, .. } = earlier;
    if job.state != JobState::Succeeded {
        return Err(ExportError::NotSucceeded {
            id: job.id,
            state: job.state,
        });
    }
    let mut files = job.artifacts.iter().zip(artifacts);
    let glb = files.find(|(artifact, _)| artifact.format == Format::Glb);
    glb.ok_or(ExportError::NoGlb { id: job.id })
}

fn source(earlier: &Job, glb: &Artifact) -> Source {
    Source {
        job: earlier.id,
        artifact: glb.name.clone(),
        sha256: glb.sha256,
        made_by: earlier.made_by.clone(),
    }
}
