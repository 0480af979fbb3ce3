//! From what a backend gave to a result: its files, what made them, and the statement about them, where
//! there is to be one.

use std::path::Path;

use jiff::Timestamp;
use tracing::warn;
use trellis_backend::{Backend, Output, Pictures};
use trellis_core::{AssetName, Failure, FailureKind, Provenance, Sha256, StatementFile};
use trellis_jobs::{BlobKey, CacheKey, Claim, Delivered, DeliveredStatement, Outcome};
use trellis_provenance::{Run, Subject};

use crate::runner::Shared;
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
        self.check(&output)?;
        let origin = &self.shared.results.origin;
        let params = &self.claim.job.params;
        let from = Pictures {
            sha256: self.inputs(),
            name: self.name().cloned(),
        };
        let provenance = origin.provenance(self.backend, from, params, &output.made_with);
        let mut outcome = Outcome {
            made_by: self.backend.capabilities().name.to_owned(),
            artifacts: Vec::new(),
            notes: output.notes.clone(),
            timings: Some(output.timings.clone()),
            provenance: Some(provenance.clone()),
            statement: None,
        };
        match self.fill(&mut outcome, folder, output, &provenance).await {
            Ok(()) => Ok(outcome),
            Err(failure) => {
                self.discard(&outcome).await;
                Err(failure)
            }
        }
    }

    async fn fill(
        &self,
        outcome: &mut Outcome,
        folder: &Path,
        output: Output,
        provenance: &Provenance,
    ) -> Result<(), Failure> {
        let place = Place {
            blobs: self.shared.blobs.as_ref(),
            job: self.claim.lease.job,
            attempt: self.claim.lease.attempt,
            scratch: folder,
        };
        for made in output.files {
            let (file, note) = place.store(made, provenance).await?;
            outcome.artifacts.push(file);
            outcome.notes.extend(note);
        }
        outcome.statement = self.state(&outcome.artifacts, provenance).await?;
        Ok(())
    }

    async fn state(
        &self,
        files: &[Delivered],
        provenance: &Provenance,
    ) -> Result<Option<DeliveredStatement>, Failure> {
        let lease = &self.claim.lease;
        let subjects: Vec<Subject> = files
            .iter()
            .map(|file| Subject {
                name: file.artifact.name.clone(),
                sha256: file.artifact.sha256,
                media_type: file.artifact.media_type.clone(),
            })
            .collect();
        let run = Run {
            id: lease.job.to_string(),
            started_at: self.began_at,
            finished_at: Timestamp::now(),
        };
        let Some(text) = self.shared.results.origin.statement(&subjects, provenance, &run) else {
            return Ok(None);
        };
        let first = subjects.first().map_or("result", |file| file.name.as_str());
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
        Ok(Some(DeliveredStatement { file, key }))
    }

    fn inputs(&self) -> Vec<Sha256> {
        let inputs = self.claim.job.inputs.iter();
        inputs.map(|input| input.sha256).collect()
    }

    fn name(&self) -> Option<&AssetName> {
        self.claim.job.inputs.first()?.name.as_ref()
    }

    fn check(&self, output: &Output) -> Result<(), Failure> {
        let has = |format| output.files.iter().any(|file| file.format == format);
        let missing = self.claim.job.params.formats.iter().find(|format| !has(**format));
        let twice = output.files.iter().enumerate().find(|(index, file)| {
            output.files[..*index]
                .iter()
                .any(|earlier| earlier.name == file.name)
        });
        let defect = match (missing, twice) {
            (Some(format), _) => format!("the backend left out `{format}`"),
            (_, Some((_, file))) => format!("the backend made `{}` twice", file.name.escape_debug()),
            (None, None) => return Ok(()),
        };
        Err(Failure::new(FailureKind::Internal, defect))
    }

    /// Keeps the result for jobs that ask the same, where it is known what that is.
    pub(crate) async fn keep(&self, outcome: &Outcome) {
        let results = &self.shared.results;
        let (Some(cache), Some(made_by)) = (&results.cache, results.origin.identity(self.backend)) else {
            return;
        };
        let key = CacheKey::new(&self.inputs(), self.name(), &self.claim.job.params, &made_by);
        if let Err(error) = cache.keep(&key, outcome, Timestamp::now()).await {
            // The job has its result all the same.
            warn!(
                error = &error as &dyn std::error::Error,
                "the result is not kept for later jobs"
            );
        }
    }

    /// Removes what was stored for a result that is of no use.
    pub(crate) async fn discard(&self, outcome: &Outcome) {
        let files = outcome.artifacts.iter().map(|file| file.key.clone());
        let keys: Vec<BlobKey> = files
            .chain(outcome.statement.iter().map(|stated| stated.key.clone()))
            .collect();
        // What stays goes with the job's other blobs.
        let _ = self.shared.blobs.delete(&keys).await;
    }
}
