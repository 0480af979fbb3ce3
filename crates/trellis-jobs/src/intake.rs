//! The one way in: pictures and parameters become a job that is safely on disk.
//!
//! Order: everything is checked, then the pictures are stored, then the row is written. A crash between
//! the two leaves pictures without a row, which the janitor removes; never a row without pictures.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;
use jiff::Timestamp;
use trellis_core::{AssetName, BackendChoice, Input, JobId, ParamError, ParamsPatch, Sha256};
use trellis_picture::{ForeignFile, PictureError, probe};

use crate::{
    BlobError, BlobKey, BlobStore, CacheKey, JobStore, NewJob, Outcome, ResultCache, StoreError, Submitted,
};

/// What a submission may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntakeLimits {
    /// Pixels of one picture.
    pub max_pixels: u64,
    /// Pictures of one job.
    pub max_images: usize,
    /// Jobs that may wait at a time.
    pub queue_limit: u64,
}

/// A job as somebody asks for it.
#[derive(Debug, Clone, Default)]
pub struct Submission {
    /// Encoded pictures; more than one are views of one object.
    pub pictures: Vec<Bytes>,
    /// What the file of the first picture was called, where that came with it.
    pub name: Option<AssetName>,
    /// What is asked; the rest takes its default.
    pub patch: ParamsPatch,
    /// Which backend.
    pub backend: BackendChoice,
    /// The client's `Idempotency-Key` and a digest of the whole request.
    pub idempotency: Option<(String, String)>,
    /// What would make the result, as [`CacheKey::new`] takes it: then a kept one is taken where there is
    /// one. `None`: it is to be made anew.
    pub made_by: Option<String>,
}

/// Why a submission is not taken.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// Nothing to work on.
    #[error("there is no picture")]
    NoPicture,
    /// More views than allowed.
    #[error("there are {count} pictures; the limit is {max_images}")]
    TooManyPictures {
        /// How many came.
        count: usize,
        /// How many may.
        max_images: usize,
    },
    /// One of them cannot be used.
    #[error("picture {} cannot be used", index + 1)]
    Picture {
        /// Which, from 0.
        index: usize,
        /// Why.
        #[source]
        source: PictureError,
    },
    /// A parameter is out of range.
    #[error(transparent)]
    Param(#[from] ParamError),
    /// The row cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A picture cannot be stored.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

impl IntakeError {
    /// The stable name in JSON, metrics, docs and tests.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NoPicture => "no_picture",
            Self::TooManyPictures { .. } => "too_many_pictures",
            Self::Picture { source, .. } => match source {
                PictureError::NotRead { .. } | PictureError::UnreadForm { .. } => "picture_format",
                PictureError::TooLarge { .. } => "picture_too_large",
                PictureError::CutShort | PictureError::Damaged { .. } => "picture_damaged",
            },
            Self::Param(_) => "invalid_parameter",
            Self::Store(error) => error.kind(),
            Self::Blob(error) => error.kind(),
        }
    }

    /// What to do about it, one sentence.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NoPicture => "send at least one picture, for example as PNG or JPEG",
            Self::TooManyPictures { .. } => {
                "send fewer views of the object, or raise `limits.images_per_job`"
            }
            Self::Picture { source, .. } => source.advice(),
            Self::Param(_) => "give a value in the range that is named, or leave the parameter out",
            Self::Store(error) => error.advice(),
            Self::Blob(error) => error.advice(),
        }
    }
}

/// Takes submissions.
#[derive(Clone)]
pub struct Intake {
    /// Where jobs are kept.
    pub store: Arc<dyn JobStore>,
    /// Where pictures are kept.
    pub blobs: Arc<dyn BlobStore>,
    /// What is taken.
    pub limits: IntakeLimits,
    /// Results kept for jobs that ask the same; none: nothing is kept.
    pub cache: Option<ResultCache>,
}

impl Intake {
    /// Accepts a job, or answers with the earlier one of the same idempotency key. Everything is on disk
    /// when this returns; after an error nothing is left.
    pub async fn submit(&self, submission: Submission) -> Result<Submitted, IntakeError> {
        let Submission {
            pictures,
            name,
            patch,
            backend,
            idempotency,
            made_by,
        } = submission;
        let count = pictures.len();
        if count == 0 {
            return Err(IntakeError::NoPicture);
        }
        if count > self.limits.max_images {
            return Err(IntakeError::TooManyPictures {
                count,
                max_images: self.limits.max_images,
            });
        }
        let params = patch.resolve(rand::random())?;
        let now = Timestamp::now();
        let id = JobId::new(now, rand::random());
        let mut inputs = examine(pictures.clone(), self.limits.max_pixels).await?;
        inputs[0].name = name;
        let inputs: Vec<(Input, BlobKey)> = (0u32..)
            .zip(inputs)
            .map(|(index, input)| (input, BlobKey::input(id, index)))
            .collect();
        let mut new = NewJob {
            id,
            now,
            backend,
            params,
            inputs,
            idempotency,
            queue_limit: self.limits.queue_limit,
            recalled: None,
        };
        // A random seed asks for something new.
        if patch.given("seed").is_some() {
            new.recalled = self.recall(&new, made_by.as_deref()).await;
        }
        let done = self.keep(new, pictures).await;
        if !matches!(&done, Ok(submitted) if !submitted.replayed) {
            // What cannot be removed now is an orphan, which the janitor removes later.
            let _ = self.blobs.delete_job(id).await;
        }
        done
    }

    /// The kept result of the same request, copied for this job.
    async fn recall(&self, new: &NewJob, made_by: Option<&str>) -> Option<Outcome> {
        let (cache, made_by) = (self.cache.as_ref()?, made_by?);
        let inputs: Vec<Sha256> = new.inputs.iter().map(|(input, _)| input.sha256).collect();
        let name = new.inputs.first().and_then(|(input, _)| input.name.as_ref());
        let key = CacheKey::new(&inputs, name, &new.params, made_by);
        cache.recall(&key, new.id, new.now).await
    }

    async fn keep(&self, new: NewJob, pictures: Vec<Bytes>) -> Result<Submitted, IntakeError> {
        let puts = new
            .inputs
            .iter()
            .zip(pictures)
            .map(|((_, key), bytes)| self.blobs.put(key, bytes));
        // All are waited for, so that none is still being written when a failed one has the rest removed.
        for put in join_all(puts).await {
            put?;
        }
        Ok(self.store.submit(new).await?)
    }
}

/// Reads headers and digests on a thread that may be busy: 64 MiB take a good part of a second.
async fn examine(pictures: Vec<Bytes>, max_pixels: u64) -> Result<Vec<Input>, IntakeError> {
    let examined = tokio::task::spawn_blocking(move || {
        let pictures = pictures.iter().enumerate();
        pictures
            .map(|(index, bytes)| examine_one(index, bytes, max_pixels))
            .collect()
    });
    match examined.await {
        Ok(inputs) => inputs,
        // The decoder met something that it was not made for: the picture's fault, not the server's end.
        Err(_) => Err(IntakeError::Picture {
            index: 0,
            source: PictureError::NotRead {
                file: ForeignFile::Unknown,
            },
        }),
    }
}

fn examine_one(index: usize, bytes: &Bytes, max_pixels: u64) -> Result<Input, IntakeError> {
    let header = probe(bytes, max_pixels).map_err(|source| IntakeError::Picture { index, source })?;
    Ok(Input {
        format: header.format,
        width: header.width,
        height: header.height,
        size_bytes: bytes.len() as u64,
        sha256: Sha256::of(bytes),
        name: None,
    })
}
