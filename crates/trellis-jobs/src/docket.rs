//! Dockets: what the database knows of a job, in small files beside the job's own, so that the rows can be made again
//! when the database is gone.
//!
//! A job has two: `JOB.accepted.json` from the moment it is accepted, and `JOB.ended.json` once it has ended. They are
//! written without waiting for the disk: a power cut may take the newest, and only who has lost the database too
//! misses it.

use serde::{Deserialize, Serialize};
use trellis_core::{Job, JobId};

use crate::{BlobKey, CacheKey, Latents, Owner, StoredJob, Thumbnail, Webhook};

/// The form that this version writes. A later one that this version cannot use gets another number.
const FORM: u32 = 1;
/// A docket is a few KiB; what is much larger is not one.
pub(crate) const MAX_BYTES: u64 = 16 << 20;

/// A job with what only the server knows of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Docket {
    /// The job.
    pub(crate) stored: StoredJob,
    /// The client's `Idempotency-Key` with a digest of the request.
    pub(crate) idempotency: Option<(String, String)>,
}

/// Why a file is not a docket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotADocket {
    /// It is damaged.
    #[error("it is damaged")]
    Damaged(#[from] serde_json::Error),
    /// It is of a later version.
    #[error("it has form {found}, and this version reads {FORM}")]
    Newer {
        /// Its form.
        found: u32,
    },
    /// It is of another job, or names files of one.
    #[error("it is about another job")]
    Foreign,
}

#[derive(Serialize, Deserialize)]
struct Written {
    form: u32,
    owner: String,
    job: Job,
    inputs: Vec<String>,
    artifacts: Vec<String>,
    statement: Option<String>,
    cache_key: Option<String>,
    #[serde(default)]
    latents: Option<Latents>,
    #[serde(default)]
    thumbnail: Option<Thumbnail>,
    #[serde(default)]
    idempotency: Option<(String, String)>,
    #[serde(default)]
    webhook: Option<Webhook>,
}

impl Docket {
    /// As a file.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let texts = |keys: &[BlobKey]| keys.iter().map(|key| key.as_str().to_owned()).collect();
        let stored = &self.stored;
        let written = Written {
            form: FORM,
            owner: stored.owner.as_str().to_owned(),
            job: stored.job.clone(),
            inputs: texts(&stored.inputs),
            artifacts: texts(&stored.artifacts),
            statement: stored.statement.as_ref().map(|key| key.as_str().to_owned()),
            cache_key: stored.cache_key.as_ref().map(|key| key.as_str().to_owned()),
            latents: stored.latents.clone(),
            thumbnail: stored.thumbnail.clone(),
            idempotency: self.idempotency.clone(),
            webhook: stored.webhook.clone(),
        };
        serde_json::to_vec(&written).expect("a job is JSON")
    }

    /// From the file of that job.
    pub(crate) fn from_json(job: JobId, bytes: &[u8]) -> Result<Self, NotADocket> {
        #[derive(Deserialize)]
        struct Form {
            form: u32,
        }
        let Form { form } = serde_json::from_slice(bytes)?;
        if form > FORM {
            return Err(NotADocket::Newer { found: form });
        }
        let written: Written = serde_json::from_slice(bytes)?;
        let keys = |texts: Vec<String>| texts.into_iter().map(BlobKey::from_stored).collect();
        let docket = Self {
            stored: StoredJob {
                owner: Owner::named(&written.owner),
                inputs: keys(written.inputs),
                artifacts: keys(written.artifacts),
                statement: written.statement.map(BlobKey::from_stored),
                cache_key: written.cache_key.map(CacheKey::from_stored),
                webhook: written.webhook,
                thumbnail: written.thumbnail,
                latents: written.latents,
                job: written.job,
            },
            idempotency: written.idempotency,
        };
        if docket.is_about(job) {
            Ok(docket)
        } else {
            Err(NotADocket::Foreign)
        }
    }

    fn is_about(&self, job: JobId) -> bool {
        let stored = &self.stored;
        let mut keys = stored
            .inputs
            .iter()
            .chain(&stored.artifacts)
            .chain(&stored.statement)
            .chain(stored.thumbnail.iter().map(|thumbnail| &thumbnail.key))
            .chain(stored.latents.iter().map(|latents| &latents.key));
        stored.job.id == job
            && stored.inputs.len() == stored.job.inputs.len()
            && stored.artifacts.len() == stored.job.artifacts.len()
            && stored.statement.is_some() == stored.job.statement.is_some()
            && keys.all(|key| key.belongs_to(job))
    }
}
