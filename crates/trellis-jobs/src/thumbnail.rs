//! Names and small pictures that clients give their jobs.
//!
//! A thumbnail's header and structure are looked at as a submitted picture's are; it is never decoded here.

use bytes::Bytes;
use jiff::Timestamp;
use tracing::warn;
use trellis_core::{AssetName, Job, JobId, PictureFormat, Sha256};
use trellis_picture::{PictureError, probe};

use crate::rules::{Command, Edit};
use crate::{BlobKey, Jobs, Owner, StoreError, SubmitError, Thumbnail};

/// The longest side of a thumbnail, pixels.
const MAX_THUMBNAIL_SIDE: u32 = 1024;
/// What browsers write.
const THUMBNAIL_FORMATS: [PictureFormat; 3] = [PictureFormat::Png, PictureFormat::Jpeg, PictureFormat::Webp];

/// Why a thumbnail is not kept.
#[derive(Debug, thiserror::Error)]
pub enum ThumbnailError {
    /// It has another format, or is too large.
    #[error(
        "the thumbnail is not a picture of {} with {MAX_THUMBNAIL_SIDE} pixels along a side or fewer",
        formats()
    )]
    NotOne,
    /// It cannot be taken now, or there is no such job.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

impl ThumbnailError {
    /// The stable name in JSON, metrics, docs and tests.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotOne => "not_a_thumbnail",
            Self::Submit(error) => error.kind(),
        }
    }

    /// What to do about it, one sentence.
    pub fn advice(&self) -> &str {
        match self {
            Self::NotOne => "draw it smaller, and save it as PNG, JPEG or WebP",
            Self::Submit(error) => error.advice(),
        }
    }
}

impl Jobs {
    /// Calls a job otherwise. The files that it has or will have keep the name that its picture gave them.
    pub async fn rename(&self, owner: &Owner, id: JobId, name: AssetName) -> Result<Job, StoreError> {
        self.edit(owner, id, Edit::Name(name)).await?;
        self.get(owner, id).await
    }

    /// Keeps a small picture of a job, in the place of an earlier one. Its caller bounds its bytes.
    pub async fn keep_thumbnail(&self, owner: &Owner, id: JobId, bytes: Bytes) -> Result<(), ThumbnailError> {
        // Before anything is looked at or stored for it.
        self.get(owner, id).await.map_err(SubmitError::from)?;
        let size_bytes = bytes.len() as u64;
        self.accepts(size_bytes).await.map_err(SubmitError::from)?;
        let looked_at = bytes.clone();
        let looked = self.heavy_work.run(size_bytes, move || {
            let most = u64::from(MAX_THUMBNAIL_SIDE).pow(2);
            // A decoder that met something it was not made for.
            std::panic::catch_unwind(|| probe(&looked_at, most)).unwrap_or(Err(PictureError::CutShort))
        });
        let header = looked.await.map_err(SubmitError::from)?;
        let header = header.map_err(|source| match source {
            PictureError::TooLarge { .. } => ThumbnailError::NotOne,
            source => SubmitError::Picture { index: 0, source }.into(),
        })?;
        let fits = header.width.max(header.height) <= MAX_THUMBNAIL_SIDE;
        if !fits || !THUMBNAIL_FORMATS.contains(&header.format) {
            return Err(ThumbnailError::NotOne);
        }
        let thumbnail = Thumbnail {
            format: header.format,
            size_bytes,
            sha256: Sha256::of(&bytes),
            key: BlobKey::thumbnail(id, rand::random()),
        };
        let key = thumbnail.key.clone();
        self.blobs.put(&key, bytes).await.map_err(SubmitError::from)?;
        let edited = self.edit(owner, id, Edit::Thumbnail(thumbnail)).await;
        let unused = match &edited {
            Ok(replaced) => replaced.as_ref().map(|thumbnail| thumbnail.key.clone()),
            Err(error) => (!error.may_be_done()).then_some(key),
        };
        if let Some(key) = unused
            && let Err(error) = self.blobs.delete(&[key]).await
        {
            warn!(job = %id, error = &error as &dyn std::error::Error, "a thumbnail that is not needed stays as long as its job");
        }
        edited.map(drop).map_err(|error| SubmitError::from(error).into())
    }

    /// The small picture of a job.
    pub async fn thumbnail(&self, owner: &Owner, id: JobId) -> Result<Option<Thumbnail>, StoreError> {
        Ok(self.find(owner, id).await?.thumbnail)
    }

    async fn edit(&self, owner: &Owner, id: JobId, edit: Edit) -> Result<Option<Thumbnail>, StoreError> {
        let by = owner.clone();
        let applied = self.store.apply(id, Timestamp::now(), Command::Edit { by, edit });
        Ok(applied.await?.replaced)
    }
}

fn formats() -> String {
    THUMBNAIL_FORMATS.map(PictureFormat::title).join(", ")
}
