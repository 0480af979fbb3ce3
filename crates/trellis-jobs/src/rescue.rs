//! Makes rows of jobs again from their files, for a database that is new or a copy of yesterday.
//!
//! A job that has ended comes back as it ended, provided that its files are what its docket says; one that had not, or
//! whose result is damaged, is queued again where its pictures are whole. What is in the database stays as it is, and
//! what cannot be rescued stays where it is. For a data folder that no server holds.

use trellis_core::{JobId, JobState, Sha256};

use crate::docket::Docket;
use crate::kinship::join;
use crate::{
    BlobError, BlobKey, BlobStore as _, FolderBlobs, JobStore as _, SqliteStore, StoreError, SweepError,
};

/// What was rescued.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rescued {
    /// Jobs that the database lists again, the oldest first.
    pub jobs: Vec<RescuedJob>,
    /// How many it lists already.
    pub known: u64,
    /// Jobs whose files stay as they are, and why.
    pub left: Vec<(JobId, Left)>,
}

/// A job that is listed again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RescuedJob {
    /// Its name.
    pub id: JobId,
    /// How it is listed.
    pub state: JobState,
    /// The names of its files.
    pub files: Vec<String>,
}

/// Why a job cannot be rescued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Left {
    /// Nothing says what was asked: pictures of a submission that was never accepted, or a job of an earlier version.
    #[error("it has no docket")]
    NoDocket,
    /// The docket cannot be used.
    #[error("its docket cannot be read: {reason}")]
    Docket {
        /// What is wrong with it.
        reason: String,
    },
    /// A file that it needs is not what it was.
    #[error("`{file}` is missing or damaged")]
    Damaged {
        /// Its key.
        file: String,
    },
}

/// Rescues what can be. A dry run only looks.
pub async fn rescue(store: &SqliteStore, blobs: &FolderBlobs, dry_run: bool) -> Result<Rescued, SweepError> {
    let mut jobs = blobs.jobs().await?;
    jobs.extend(blobs.aside().await?);
    jobs.sort_unstable();
    jobs.dedup();
    let deleted = store.deleted().await?;
    let mut rescued = Rescued::default();
    for id in jobs {
        match store.find(id).await {
            Ok(_) => {
                rescued.known += 1;
                continue;
            }
            Err(StoreError::NotFound { .. }) if deleted.contains(&id) => continue,
            Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let docket = match docket_of(blobs, id).await? {
            Ok(docket) => docket,
            Err(left) => {
                rescued.left.push((id, left));
                continue;
            }
        };
        let job = &docket.stored.job;
        rescued.jobs.push(RescuedJob {
            id,
            state: job.state,
            files: job
                .artifacts
                .iter()
                .map(|artifact| artifact.name.clone())
                .collect(),
        });
        if !dry_run {
            blobs.bring_back(id).await?;
            store.restore(docket).await?;
        }
    }
    if !dry_run {
        join(store, blobs).await?;
    }
    Ok(rescued)
}

/// The docket by which the job is listed again.
async fn docket_of(blobs: &FolderBlobs, id: JobId) -> Result<Result<Docket, Left>, BlobError> {
    let mut left = Left::NoDocket;
    for key in [BlobKey::ended(id), BlobKey::accepted(id)] {
        let docket = match blobs.docket(id, &key).await {
            Ok(bytes) => Docket::from_json(id, &bytes).map_err(|error| error.to_string()),
            Err(BlobError::NotFound { .. }) => continue,
            Err(error) => Err(error.to_string()),
        };
        let docket = match docket {
            Ok(docket) => docket,
            Err(reason) => {
                left = Left::Docket { reason };
                continue;
            }
        };
        let ended = docket.stored.job.state.is_final();
        match damaged(blobs, &docket, ended).await {
            None if ended => {
                return Ok(Ok(
                    with_its_key(blobs, with_its_thumbnail(blobs, docket).await).await
                ));
            }
            None => {
                return Ok(Ok(
                    queued_again(blobs, with_its_thumbnail(blobs, docket).await).await?
                ));
            }
            Some(file) => left = Left::Damaged { file },
        }
    }
    Ok(Err(left))
}

/// Without a small picture that is lost: it is not worth the job.
async fn with_its_thumbnail(blobs: &FolderBlobs, mut docket: Docket) -> Docket {
    let stored = &mut docket.stored;
    if let Some(kept) = &stored.thumbnail {
        let found = blobs.digest(stored.job.id, &kept.key).await;
        stored.thumbnail = stored
            .thumbnail
            .take_if(|kept| found.ok() == Some((kept.size_bytes, kept.sha256)));
    }
    docket
}

/// With the idempotency key, which the docket of its acceptance has.
async fn with_its_key(blobs: &FolderBlobs, mut docket: Docket) -> Docket {
    let id = docket.stored.job.id;
    if let Ok(bytes) = blobs.docket(id, &BlobKey::accepted(id)).await
        && let Ok(accepted) = Docket::from_json(id, &bytes)
    {
        docket.idempotency = accepted.idempotency;
    }
    docket
}

/// A file that is not what the docket says: of the result where the job has ended, else of the pictures.
async fn damaged(blobs: &FolderBlobs, docket: &Docket, ended: bool) -> Option<String> {
    let stored = &docket.stored;
    let files: Vec<(&BlobKey, u64, Sha256)> = if ended {
        let artifacts = stored.job.artifacts.iter().zip(&stored.artifacts);
        let statement = stored.job.statement.iter().zip(&stored.statement);
        artifacts
            .map(|(file, key)| (key, file.size_bytes, file.sha256))
            .chain(statement.map(|(file, key)| (key, file.size_bytes, file.sha256)))
            .collect()
    } else {
        let inputs = stored.job.inputs.iter().zip(&stored.inputs);
        inputs
            .map(|(file, key)| (key, file.size_bytes, file.sha256))
            .collect()
    };
    for (key, size_bytes, sha256) in files {
        let found = blobs.digest(stored.job.id, key).await;
        if found.ok() != Some((size_bytes, sha256)) {
            return Some(key.to_string());
        }
    }
    None
}

/// As it was accepted. Its next attempt has a number of its own: files of the earlier ones may be there.
async fn queued_again(blobs: &FolderBlobs, mut docket: Docket) -> Result<Docket, BlobError> {
    docket.stored.job.attempt = blobs.attempts(docket.stored.job.id).await?;
    Ok(docket)
}
