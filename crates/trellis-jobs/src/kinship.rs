//! Whether a job database and a blob store belong together: both hold the same identity, made at the first start.
//!
//! A new database beside old files, or a database beside the files of another, knows nothing of the jobs whose files
//! are there. That is said, nothing of them is touched, and `trellis jobs rescue` joins the two.

use crate::{BlobStore, JobStore, StoreError, SweepError};

/// Under which the database keeps its identity.
const MEMO: &str = "identity";

/// How a database and a blob store stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kinship {
    /// They belong together.
    Same,
    /// They do not: there are files of so many jobs that the database does not know.
    Parted {
        /// How many.
        unknown: usize,
    },
}

impl Kinship {
    /// Compares the two. Those that have no identity yet get one, and those whose differ without any harm get that of the
    /// blobs.
    pub async fn of(store: &dyn JobStore, blobs: &dyn BlobStore) -> Result<Self, SweepError> {
        let (ours, theirs) = (store.memo(MEMO).await?, blobs.identity().await?);
        if ours.is_some() && ours == theirs {
            return Ok(Self::Same);
        }
        // Both came to be before there were identities: the database knows all jobs, unless it is new.
        let both_old = ours.is_none() && theirs.is_none() && store.newest().await?.is_some();
        if !both_old {
            let unknown = unknown(store, blobs).await?;
            if unknown > 0 {
                return Ok(Self::Parted { unknown });
            }
        }
        join(store, blobs).await?;
        Ok(Self::Same)
    }
}

/// Whether the database belongs to some files and these belong to no database: the mount that it should be is not there,
/// say.
pub async fn is_elsewhere(store: &dyn JobStore, blobs: &dyn BlobStore) -> Result<bool, SweepError> {
    Ok(store.memo(MEMO).await?.is_some() && blobs.identity().await?.is_none())
}

/// Has the database belong to these files from now on.
pub(crate) async fn join(store: &dyn JobStore, blobs: &dyn BlobStore) -> Result<(), SweepError> {
    if let Some(theirs) = blobs.identity().await? {
        return Ok(store.keep_memo(MEMO, &theirs).await?);
    }
    let ours = store.memo(MEMO).await?;
    let identity = ours.unwrap_or_else(|| format!("{:032x}", rand::random::<u128>()));
    blobs.keep_identity(&identity).await?;
    Ok(store.keep_memo(MEMO, &identity).await?)
}

/// How many jobs have files here that the database neither knows nor has deleted.
async fn unknown(store: &dyn JobStore, blobs: &dyn BlobStore) -> Result<usize, SweepError> {
    let deleted = store.deleted().await?;
    let mut unknown = 0;
    for id in blobs.jobs().await? {
        match store.find(id).await {
            Ok(_) => {}
            Err(StoreError::NotFound { .. }) if deleted.contains(&id) => {}
            Err(StoreError::NotFound { .. }) => unknown += 1,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(unknown)
}
