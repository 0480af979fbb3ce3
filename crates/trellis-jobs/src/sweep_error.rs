//! Why a walk through jobs and their files stopped.

use crate::{BlobError, StoreError};

/// Why a walk through jobs and their files stopped.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The job database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The blob store.
    #[error(transparent)]
    Blob(#[from] BlobError),
}
