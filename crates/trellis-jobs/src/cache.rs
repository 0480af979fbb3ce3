//! Results kept for later jobs that ask the same of the same program.
//!
//! An entry has links of its own to the blobs, so it outlives the job that it was made for. Its row is
//! written before its blobs and is not `ready` until they are all there; it stops being `ready` before they
//! are removed. So a process killed in between leaves rows from which the rest is removed later, and never
//! an entry that is half there. A blob that is missing or damaged makes a miss.

mod key;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tracing::{debug, info, warn};
use trellis_core::{Artifact, JobId, Provenance, Sha256, StatementFile};

pub use key::CacheKey;

use crate::{BlobError, BlobKey, BlobStore, Delivered, DeliveredStatement, Outcome, StoreError};

/// Entries that are not ready are left alone for so long: their blobs may be on their way.
const GRACE: SignedDuration = SignedDuration::from_hours(1);

/// A kept result: everything but the bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptResult {
    /// Which backend made it.
    pub made_by: String,
    /// The files.
    pub artifacts: Vec<Artifact>,
    /// What a person should know of it.
    pub notes: Vec<String>,
    /// What made it.
    pub provenance: Option<Provenance>,
    /// The statement about it.
    pub statement: Option<StatementFile>,
}

impl KeptResult {
    fn of(outcome: &Outcome) -> Self {
        Self {
            made_by: outcome.made_by.clone(),
            artifacts: outcome
                .artifacts
                .iter()
                .map(|file| file.artifact.clone())
                .collect(),
            notes: outcome.notes.clone(),
            provenance: outcome.provenance.clone(),
            statement: outcome.statement.as_ref().map(|stated| stated.file.clone()),
        }
    }

    /// How much its files take.
    pub(crate) fn size_bytes(&self) -> u64 {
        let files = self.artifacts.iter().map(|artifact| artifact.size_bytes);
        files.sum::<u64>() + self.statement.as_ref().map_or(0, |file| file.size_bytes)
    }

    /// The names of its files.
    fn names(&self) -> impl Iterator<Item = &str> {
        let files = self.artifacts.iter().map(|artifact| artifact.name.as_str());
        files.chain(self.statement.iter().map(|file| file.name.as_str()))
    }
}

/// The number of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EntryId(pub i64);

/// An entry and what it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its number.
    pub id: EntryId,
    /// What it holds.
    pub result: KeptResult,
}

/// The list of kept results. Each call is atomic and on disk when it returns.
#[async_trait::async_trait]
pub trait CacheIndex: Send + Sync + 'static {
    /// Begins an entry, which is not found yet.
    async fn begin(&self, key: &CacheKey, result: KeptResult, now: Timestamp) -> Result<EntryId, StoreError>;

    /// Its blobs are there: from now on it is found, and an earlier one of its key is not. Returns that one.
    async fn finish(&self, entry: EntryId) -> Result<Option<Entry>, StoreError>;

    /// The least recently used are not found any more, until `max_bytes` suffice for the rest. Returns them.
    async fn shrink(&self, max_bytes: u64) -> Result<Vec<Entry>, StoreError>;

    /// The entry of a key, which is thereby used.
    async fn find(&self, key: &CacheKey, now: Timestamp) -> Result<Option<Entry>, StoreError>;

    /// The entry is not found any more; its blobs are to be removed.
    async fn give_up(&self, entry: EntryId) -> Result<(), StoreError>;

    /// The entry's blobs are gone.
    async fn forget(&self, entry: EntryId) -> Result<(), StoreError>;

    /// Entries begun before `before` that are not ready.
    async fn unready(&self, before: Timestamp) -> Result<Vec<Entry>, StoreError>;
}

/// Keeps results and gives them to later jobs.
#[derive(Clone)]
pub struct ResultCache {
    /// What is kept.
    pub index: Arc<dyn CacheIndex>,
    /// Where its bytes are.
    pub blobs: Arc<dyn BlobStore>,
    /// How many bytes may be kept.
    pub max_bytes: u64,
}

/// Why a result is not kept.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The list of kept results.
    #[error(transparent)]
    Index(#[from] StoreError),
    /// Its bytes.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

impl ResultCache {
    /// The kept result of that key, with blobs of the job's own; `None` where there is none that is whole.
    pub async fn recall(&self, key: &CacheKey, job: JobId, now: Timestamp) -> Option<Outcome> {
        let entry = match self.index.find(key, now).await {
            Ok(entry) => entry?,
            Err(error) => {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "kept results cannot be looked at"
                );
                return None;
            }
        };
        match self.copy_out(&entry, job).await {
            Ok(Some(outcome)) => Some(outcome),
            Ok(None) => {
                warn!(entry = entry.id.0, "a kept result is damaged: making it again");
                self.drop_entry(&entry).await;
                None
            }
            Err(BlobError::NotFound { key }) => {
                info!(%key, "a kept result has lost a file: making it again");
                self.drop_entry(&entry).await;
                None
            }
            // A full disk, say: it may be there the next time.
            Err(error) => {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "a kept result cannot be copied: making it again"
                );
                None
            }
        }
    }

    async fn copy_out(&self, entry: &Entry, job: JobId) -> Result<Option<Outcome>, BlobError> {
        let KeptResult {
            made_by,
            artifacts,
            notes,
            provenance,
            statement,
        } = entry.result.clone();
        let mut delivered = Vec::new();
        for artifact in artifacts {
            let to = BlobKey::artifact(job, 0, &artifact.name);
            if !self
                .copy_whole(entry.id, &artifact.name, artifact.sha256, &to)
                .await?
            {
                return Ok(None);
            }
            delivered.push(Delivered { artifact, key: to });
        }
        let mut stated = None;
        if let Some(file) = statement {
            let to = BlobKey::statement(job, 0, &file.name);
            if !self.copy_whole(entry.id, &file.name, file.sha256, &to).await? {
                return Ok(None);
            }
            stated = Some(DeliveredStatement { file, key: to });
        }
        Ok(Some(Outcome {
            made_by,
            artifacts: delivered,
            notes,
            timings: None,
            provenance,
            statement: stated,
        }))
    }

    /// Copies one file and looks at every byte of the copy: what a job lists is true.
    async fn copy_whole(
        &self,
        entry: EntryId,
        name: &str,
        expected: Sha256,
        to: &BlobKey,
    ) -> Result<bool, BlobError> {
        self.blobs.copy(&BlobKey::cached(entry, name), to).await?;
        let bytes = self.blobs.get(to).await?;
        let digest = tokio::task::spawn_blocking(move || Sha256::of(&bytes)).await;
        Ok(digest.is_ok_and(|digest| digest == expected))
    }

    /// Keeps the result of a job that succeeded, in the place of an earlier one of the same key.
    pub async fn keep(&self, key: &CacheKey, outcome: &Outcome, now: Timestamp) -> Result<(), CacheError> {
        let result = KeptResult::of(outcome);
        // A preview is nobody's result, and what is larger than everything would only push the rest out.
        let size_bytes = result.size_bytes();
        if size_bytes > self.max_bytes || result.artifacts.iter().any(|artifact| artifact.preview) {
            debug!(size_bytes, "the result is not kept");
            return Ok(());
        }
        let entry = Entry {
            id: self.index.begin(key, result.clone(), now).await?,
            result,
        };
        let files = outcome.artifacts.iter().map(|file| &file.key);
        let from = files.chain(outcome.statement.iter().map(|stated| &stated.key));
        for (name, from) in entry.result.names().zip(from) {
            if let Err(error) = self.blobs.copy(from, &BlobKey::cached(entry.id, name)).await {
                self.remove(&entry).await?;
                return Err(error.into());
            }
        }
        if let Some(earlier) = self.index.finish(entry.id).await? {
            self.remove(&earlier).await?;
        }
        self.shrink().await?;
        Ok(())
    }

    /// Removes what was cut off long ago and what is too much. Returns how many entries.
    pub async fn sweep(&self, now: Timestamp) -> Result<usize, CacheError> {
        let before = now.checked_sub(GRACE).unwrap_or(Timestamp::MIN);
        let unready = self.index.unready(before).await?;
        for entry in &unready {
            self.remove(entry).await?;
        }
        Ok(unready.len() + self.shrink().await?)
    }

    async fn shrink(&self) -> Result<usize, CacheError> {
        let given_up = self.index.shrink(self.max_bytes).await?;
        for entry in &given_up {
            self.remove(entry).await?;
        }
        Ok(given_up.len())
    }

    async fn drop_entry(&self, entry: &Entry) {
        let dropped = async {
            self.index.give_up(entry.id).await?;
            self.remove(entry).await
        };
        if let Err(error) = dropped.await {
            warn!(
                error = &error as &dyn std::error::Error,
                "a kept result is removed later"
            );
        }
    }

    async fn remove(&self, entry: &Entry) -> Result<(), CacheError> {
        let names = entry.result.names();
        let keys: Vec<BlobKey> = names.map(|name| BlobKey::cached(entry.id, name)).collect();
        self.blobs.delete(&keys).await?;
        Ok(self.index.forget(entry.id).await?)
    }
}
