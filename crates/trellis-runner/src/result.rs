//! From what a backend gave to a result in the store: its files and the statement about them, where there is to
//! be one.

use std::path::Path;

use jiff::Timestamp;
use trellis_backend::{Backend, Finished, Finishing, Made, Output, Pictures, StatementText};
use trellis_core::{Failure, Input, Sha256, StatementFile, is_plain_name};
use trellis_jobs::{BlobKey, CacheKey, Claim, Delivered, DeliveredStatement, Lease, Outcome};

use crate::shared::Shared;
use crate::upload::{Place, not_stored};

/// One attempt's way to store what it made.
pub(crate) struct Storing<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) backend: &'a dyn Backend,
    pub(crate) claim: &'a Claim,
    pub(crate) began_at: Timestamp,
}

impl Storing<'_> {
    /// Stores every file and the statement; where one cannot be stored, none stays.
    pub(crate) async fn store(&self, folder: &Path, output: Output) -> Result<Outcome, Failure> {
        let inputs = &self.claim.job.inputs;
        let job = Finishing {
            job: self.claim.lease.job,
            began_at: self.began_at,
            pictures: Pictures {
                sha256: inputs.iter().map(|input| input.sha256).collect(),
                source: self.claim.job.source.as_ref().map(|source| source.sha256),
                name: inputs.first().and_then(|input| input.name.clone()),
            },
            params: self.claim.job.params.clone(),
            scratch: folder.to_owned(),
        };
        let model = job.params.model.model();
        let origin = &self.shared.origin;
        let as_made = |made: Made| Ok(vec![made.into()]);
        let Finished {
            files,
            latents,
            notes,
            timings,
            provenance,
            statement,
        } = origin.finish(self.backend, job, output, as_made).await?;
        let place = Place {
            blobs: self.shared.blobs.as_ref(),
            job: self.claim.lease.job,
            attempt: self.claim.lease.attempt,
        };
        let mut outcome = Outcome {
            made_by: self.backend.capabilities().name.to_owned(),
            artifacts: place.store_all(files).await?,
            notes,
            timings: Some(timings),
            provenance: Some(provenance),
            statement: None,
            latents: place.keep_latents(latents, origin.decoder(model)).await,
            cache_key: self.cache_key(),
        };
        if let Some(text) = statement {
            match self.state(&outcome.artifacts, text).await {
                Ok(stated) => outcome.statement = Some(stated),
                Err(failure) => {
                    self.discard(&outcome).await;
                    return Err(failure);
                }
            }
        }
        Ok(outcome)
    }

    async fn state(&self, files: &[Delivered], text: StatementText) -> Result<DeliveredStatement, Failure> {
        let lease = &self.claim.lease;
        let first = files.first().map_or("result", |file| file.artifact.name.as_str());
        let stem = first.split_once('.').map_or(first, |(stem, _)| stem);
        let name = format!("{stem}.{}", text.ending);
        let key = BlobKey::statement(lease.job, lease.attempt, &name);
        let file = StatementFile {
            name,
            media_type: text.media_type.to_owned(),
            size_bytes: text.bytes.len() as u64,
            sha256: Sha256::of(&text.bytes),
            signed_by: text.signed_by,
        };
        let stored = self.shared.blobs.put(&key, text.bytes.into()).await;
        stored.map_err(|cause| not_stored(&cause))?;
        Ok(DeliveredStatement { file, key })
    }

    /// By what later jobs that ask the same find the result, where it is known what that is.
    fn cache_key(&self) -> Option<CacheKey> {
        let (job, origin) = (&self.claim.job, &self.shared.origin);
        // What is converted from a GLB was encoded before.
        let made_by = if job.source.is_none() && job.inputs.iter().any(Input::is_mesh) {
            origin.identity_with_mesh(self.backend)
        } else {
            origin.identity(self.backend)
        }?;
        Some(match &job.source {
            None => CacheKey::new(&job.inputs, &job.params, &made_by),
            Some(source) => CacheKey::of_export(&job.inputs, &job.params, &made_by, source.sha256),
        })
    }

    /// Removes what a store that was given up may have kept under these names. Waits for nothing: the disk may hang.
    pub(crate) fn abandon(&self, names: Vec<String>) {
        let Lease { job, attempt, .. } = self.claim.lease;
        let blobs = self.shared.blobs.clone();
        tokio::spawn(async move {
            let key = |name: String| BlobKey::artifact(job, attempt, &name);
            let keys: Vec<BlobKey> = names
                .into_iter()
                .filter(|name| is_plain_name(name))
                .map(key)
                .collect();
            // What stays goes with the job's other blobs.
            let _ = blobs.delete(&keys).await;
        });
    }

    /// Removes what was stored for a result that is of no use.
    pub(crate) async fn discard(&self, outcome: &Outcome) {
        let files = outcome.artifacts.iter().map(|file| file.key.clone());
        let keys: Vec<BlobKey> = files
            .chain(outcome.statement.iter().map(|stated| stated.key.clone()))
            .chain(outcome.latents.iter().map(|latents| latents.key.clone()))
            .collect();
        // What stays goes with the job's other blobs.
        let _ = self.shared.blobs.delete(&keys).await;
    }
}
