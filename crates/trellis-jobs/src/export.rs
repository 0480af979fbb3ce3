//! Other files of an earlier job: a job of its own, which works on a copy of that one's GLB, or of what was sampled for
//! it, and outlives it.
//!
//! A GLB is converted without a GPU. What was sampled is decoded again by TRELLIS, without sampling. Either is queued,
//! limited, followed and cached like any other job. Not here: the conversion and the decoding.

use jiff::Timestamp;
use tracing::warn;
use trellis_core::{
    BackendChoice, Demand, FailureKind, Format, JobId, JobState, Model, Params, ParamsPatch, Priority,
    Sha256, Source,
};

use crate::{
    BlobError, BlobKey, CacheKey, Jobs, NewJob, StoreError, StoredJob, SubmitError, Submitted, Terms,
};

/// What is asked of an earlier job.
#[derive(Debug, Clone)]
pub struct ExportOf {
    /// The earlier job.
    pub job: JobId,
    /// What is to be made; nothing: a GLB.
    pub formats: Vec<Format>,
    /// What is to be otherwise.
    pub params: ParamsPatch,
    /// How urgent it is among its owner's; not that of the earlier job.
    pub priority: Priority,
}

/// Parameters of an export that a finished GLB cannot follow.
const DECODED_FOR: [&str; 6] = [
    "texture_size",
    "texture_format",
    "mesh_simplify",
    "decimation_target",
    "remesh",
    "texture",
];
/// What else may differ from the earlier job.
const OF_THE_FILES: [&str; 2] = ["stl_size_mm", "voxel_resolution"];

impl ExportOf {
    /// Whether a GLB does not suffice to make it.
    fn is_decoded(&self) -> bool {
        let of_glb =
            |format: &Format| matches!(format, Format::Obj | Format::Voxels | Format::Stl | Format::Ply);
        !matches!(&self.formats[..], [format] if of_glb(format))
            || DECODED_FOR.iter().any(|name| self.params.given(name).is_some())
    }

    fn formats(&self) -> Vec<Format> {
        if self.formats.is_empty() {
            return vec![Format::Glb];
        }
        self.formats.clone()
    }

    /// What the new job asks for: of a GLB the seed alone is the earlier one's, else everything that is not otherwise.
    fn patch(&self, earlier: &Params, is_decoded: bool) -> ParamsPatch {
        let whole = || {
            let whole = serde_json::to_value(earlier).and_then(serde_json::from_value);
            whole.expect("checked parameters are parameters as somebody may ask for them")
        };
        let patch = if is_decoded {
            whole()
        } else {
            ParamsPatch::default().with("seed", i64::from(earlier.seed))
        };
        let given = DECODED_FOR
            .iter()
            .chain(&OF_THE_FILES)
            .filter_map(|name| Some((*name, self.params.given(name)?.clone())));
        given
            .fold(patch, |patch, (name, value)| patch.with(name, value))
            .with("formats", self.formats())
    }
}

/// What an export works on.
struct Origin {
    backend: BackendChoice,
    source: Source,
    size_bytes: u64,
    from: BlobKey,
    to: fn(JobId) -> BlobKey,
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
    /// What was sampled for it is not kept, or no longer.
    #[error("nothing that TRELLIS sampled for the job `{id}` is kept, so it cannot be decoded again")]
    NoLatents {
        /// The earlier job.
        id: JobId,
    },
    /// It has no colours, and its model samples those apart from the shape.
    #[error("no colours were sampled for the job `{id}`, as its files show none, so they cannot be decoded")]
    NoColours {
        /// The earlier job.
        id: JobId,
    },
    /// Another environment or model sampled it.
    #[error(
        "what was sampled for the job `{id}` can be decoded only by the Python environment and the model that sampled \
         it, and this server has others now"
    )]
    OtherDecoder {
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
            Self::NoLatents { .. } => "no_latents",
            Self::NoColours { .. } => "no_colours",
            Self::OtherDecoder { .. } => "other_decoder",
            Self::Damaged { .. } => "glb_damaged",
            Self::Submit(error) => error.kind(),
        }
    }

    /// What to do about it, one sentence.
    pub fn advice(&self) -> &str {
        match self {
            Self::NotSucceeded { .. } => "wait until it has succeeded, or export another job",
            Self::NoGlb { .. } => "submit its picture again and ask for the format, or for `glb`",
            Self::NoLatents { .. } | Self::OtherDecoder { .. } => {
                "submit its pictures again with these parameters; `retention.latent_hours` and `retention.latent_bytes` \
                 say how long what was sampled is kept"
            }
            Self::NoColours { .. } => {
                "submit its pictures again with these parameters, or give `texture` as false"
            }
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
        let origin = match glb_of(&earlier) {
            // A job that asked for splats alone has none, and one can be decoded.
            Err(ExportError::NoGlb { .. }) if earlier.latents.is_some() => self.sampled_for(&earlier)?,
            _ if of.is_decoded() => self.sampled_for(&earlier)?,
            glb => glb?,
        };
        self.accepts(0).await?;
        let patch = of
            .patch(&earlier.job.params, origin.source.decoder.is_some())
            .or_model(earlier.job.params.model.model());
        let params = patch
            .resolve(earlier.job.params.seed)
            .map_err(SubmitError::from)?;
        if origin.source.decoder.is_some() && lacks_colours(&earlier.job.params, &params) {
            return Err(ExportError::NoColours { id: of.job });
        }
        let demand = Demand::new(origin.backend, params.model.model());
        let made_by = match self.makers.made_by(demand, &params.formats) {
            Ok(made_by) => made_by.filter(|_| !terms.no_cache),
            Err(failure) if failure.kind == FailureKind::Unsupported => {
                return Err(SubmitError::Unsupported(Box::new(failure)).into());
            }
            Err(_) => None,
        };
        let needs = self.makers.needs(origin.backend, &params, origin.source.decoder);
        let needs = needs.map_err(|failure| SubmitError::Unsupported(Box::new(failure)))?;
        let id = self.intake().id();
        let inputs = earlier.job.inputs.iter().cloned();
        let inputs: Vec<_> = (0..)
            .zip(inputs)
            .map(|(n, input)| (input, BlobKey::input(id, n)))
            .collect();
        let of_bytes = origin.source.sha256;
        let cached =
            made_by.map(|made_by| CacheKey::of_export(&earlier.job.inputs, &params, &made_by, of_bytes));
        let new = NewJob {
            id,
            owner: terms.owner,
            now: Timestamp::now(),
            backend: origin.backend,
            priority: of.priority,
            name: earlier.job.name.clone(),
            source: Some(origin.source.clone()),
            params,
            inputs,
            idempotency: terms
                .idempotency_key
                .map(|key| (key, digest(of.job, of_bytes, &patch, of.priority))),
            traceparent: terms.traceparent,
            webhook: None,
            needs,
            queue_limit: self.limits.queue_limit,
            recalled: None,
        };
        let jobs = self.clone();
        // On its own: a client that goes away now leaves a job behind or nothing, never files without a job.
        let accepted = tokio::spawn(async move {
            if let Err(error) = jobs.copy_for(&new, &earlier, &origin).await {
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

    /// What the export works on and the pictures of the earlier job, under keys of the new one.
    async fn copy_for(&self, new: &NewJob, earlier: &StoredJob, origin: &Origin) -> Result<(), ExportError> {
        let id = earlier.job.id;
        let expected = (origin.size_bytes, origin.source.sha256);
        let copied = self
            .copy_whole(&origin.from, expected, &(origin.to)(new.id))
            .await;
        match (copied, origin.backend) {
            (Ok(true), _) => {}
            (Ok(false), BackendChoice::Export) => return Err(ExportError::Damaged { id }),
            (Ok(false), _) => {
                warn!(job = %id, "what was sampled for a job is damaged");
                return Err(ExportError::NoLatents { id });
            }
            // The janitor was here.
            (Err(BlobError::NotFound { .. }), choice) if choice != BackendChoice::Export => {
                return Err(ExportError::NoLatents { id });
            }
            (Err(error), _) => return Err(error.into()),
        }
        for (from, (_, to)) in earlier.inputs.iter().zip(&new.inputs) {
            self.blobs.copy(from, to).await?;
        }
        Ok(())
    }

    fn sampled_for(&self, earlier: &StoredJob) -> Result<Origin, ExportError> {
        let StoredJob { job, latents, .. } = earlier;
        let id = succeeded(earlier)?;
        let latents = latents.as_ref().ok_or(ExportError::NoLatents { id })?;
        if !self.makers.decodes(job.params.model.model(), latents.decoder) {
            return Err(ExportError::OtherDecoder { id });
        }
        Ok(Origin {
            backend: BackendChoice::Trellis,
            source: Source {
                job: id,
                artifact: "latents.safetensors".to_owned(),
                sha256: latents.sha256,
                made_by: job.made_by.clone(),
                decoder: Some(latents.decoder),
            },
            size_bytes: latents.size_bytes,
            from: latents.key.clone(),
            to: BlobKey::source_latents,
        })
    }
}

/// Whether colours are asked for that a job did not sample. TRELLIS-image-large has them in the one latent.
fn lacks_colours(earlier: &Params, asked: &Params) -> bool {
    earlier.model.model() == Model::Trellis2 && asked.shows_colours() && !earlier.shows_colours()
}

/// A digest of what is asked.
fn digest(job: JobId, source: Sha256, patch: &ParamsPatch, priority: Priority) -> String {
    let asked = (job, source, patch);
    // As before there were priorities, where it is as usual: keys of earlier versions go on answering.
    let asked = match priority {
        Priority::Normal => serde_json::to_vec(&asked),
        Priority::Low | Priority::High => serde_json::to_vec(&(asked, priority)),
    };
    let asked = asked.expect("texts and numbers are JSON");
    Sha256::of(asked).to_string()
}

/// The job's name, where it has a result.
fn succeeded(earlier: &StoredJob) -> Result<JobId, ExportError> {
    let job = &earlier.job;
    if job.state == JobState::Succeeded {
        return Ok(job.id);
    }
    Err(ExportError::NotSucceeded {
        id: job.id,
        state: job.state,
    })
}

fn glb_of(earlier: &StoredJob) -> Result<Origin, ExportError> {
    let id = succeeded(earlier)?;
    let StoredJob { job, artifacts, .. } = earlier;
    let mut files = job.artifacts.iter().zip(artifacts);
    let glb = files.find(|(artifact, _)| artifact.format == Format::Glb);
    let (glb, key) = glb.ok_or(ExportError::NoGlb { id })?;
    Ok(Origin {
        backend: BackendChoice::Export,
        source: Source {
            job: id,
            artifact: glb.name.clone(),
            sha256: glb.sha256,
            made_by: job.made_by.clone(),
            decoder: None,
        },
        size_bytes: glb.size_bytes,
        from: key.clone(),
        to: BlobKey::source,
    })
}
