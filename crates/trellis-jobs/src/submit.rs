//! The one way in: pictures and parameters become a job that is safely on disk.
//!
//! Order: everything is checked, then the pictures are stored, then the row is written. A crash between
//! the two leaves pictures without a row, which the janitor removes; never a row without pictures.

use bytes::Bytes;
use futures::future::join_all;
use jiff::Timestamp;
use trellis_core::{
    AssetName, BackendChoice, Failure, FailureKind, Input, JobId, ParamError, ParamsPatch, Sha256,
};
use trellis_picture::{ForeignFile, PictureError, probe};

use crate::{BlobError, BlobKey, CacheKey, Jobs, NewJob, Owner, StoreError, Submitted};

/// What somebody asks for.
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
}

/// Who asks, and how.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// Whose job it is to be.
    pub owner: Owner,
    /// A name of the request, of the client's choice: sent again, the same request answers with the same job.
    pub idempotency_key: Option<String>,
    /// Have the result made although an earlier job asked the same.
    pub no_cache: bool,
}

/// Why a submission is refused.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
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
    /// No backend here will ever make it.
    #[error(transparent)]
    Unsupported(Box<Failure>),
    /// The row cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A picture cannot be stored.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

impl SubmitError {
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
            Self::Unsupported(failure) => failure.kind.name(),
            Self::Store(error) => error.kind(),
            Self::Blob(error) => error.kind(),
        }
    }

    /// What to do about it, one sentence.
    pub fn advice(&self) -> &str {
        match self {
            Self::NoPicture => "send at least one picture, for example as PNG or JPEG",
            Self::TooManyPictures { .. } => {
                "send fewer views of the object, or raise `limits.images_per_job`"
            }
            Self::Picture { source, .. } => source.advice(),
            Self::Param(_) => "choose a value in that range, or leave the parameter out",
            Self::Unsupported(failure) => &failure.fix,
            Self::Store(error) => error.advice(),
            Self::Blob(error) => error.advice(),
        }
    }
}

impl Jobs {
    /// Accepts a job, or answers with the earlier one of the same idempotency key, or with one that is done at once
    /// where an earlier job asked the same. Everything is on disk when this returns; after an error nothing is
    /// left.
    pub async fn submit(&self, submission: Submission, terms: Terms) -> Result<Submitted, SubmitError> {
        let Submission {
            pictures,
            name,
            patch,
            backend,
        } = submission;
        self.check_count(pictures.len())?;
        let bytes: usize = pictures.iter().map(Bytes::len).sum();
        self.accepts(bytes as u64).await?;
        let params = patch.resolve(rand::random())?;
        let made_by = match self.makers.made_by(backend, &params.formats) {
            Ok(made_by) => made_by,
            // Now, rather than after a wait.
            Err(failure) if failure.kind == FailureKind::Unsupported => {
                return Err(SubmitError::Unsupported(Box::new(failure)));
            }
            Err(_) => None,
        };
        let mut inputs = examine(pictures.clone(), self.limits.max_pixels).await?;
        let digest = digest(&inputs, backend, &patch);
        inputs[0].name = name;
        let now = Timestamp::now();
        let id = JobId::new(now, rand::random());
        // A random seed asks for something new.
        let same = made_by.filter(|_| patch.given("seed").is_some() && !terms.no_cache);
        let recalled = match same.map(|made_by| CacheKey::new(&inputs, &params, &made_by)) {
            Some(key) => self.recall(&terms.owner, &key, id).await,
            None => None,
        };
        let new = NewJob {
            id,
            owner: terms.owner,
            now,
            backend,
            params,
            inputs: (0u32..)
                .zip(inputs)
                .map(|(index, input)| (input, BlobKey::input(id, index)))
                .collect(),
            idempotency: terms.idempotency_key.map(|key| (key, digest)),
            queue_limit: self.limits.queue_limit,
            recalled,
        };
        let done = self.keep(new, pictures).await;
        if !matches!(&done, Ok(submitted) if !submitted.replayed) {
            // What cannot be removed now is an orphan, which the janitor removes later.
            let _ = self.blobs.delete_job(id).await;
        }
        done
    }

    /// Refuses a number of pictures that is not allowed. An edge may ask before it reads them all.
    pub fn check_count(&self, count: usize) -> Result<(), SubmitError> {
        let max_images = self.limits.max_images;
        match count {
            0 => Err(SubmitError::NoPicture),
            _ if count > max_images => Err(SubmitError::TooManyPictures { count, max_images }),
            _ => Ok(()),
        }
    }

    async fn keep(&self, new: NewJob, pictures: Vec<Bytes>) -> Result<Submitted, SubmitError> {
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

/// A digest of what is asked: pictures in order, parameters as given, backend. Not of its encoding: the
/// same request as a form with another boundary or other file names, or as JSON, is the same request.
fn digest(inputs: &[Input], backend: BackendChoice, patch: &ParamsPatch) -> String {
    let pictures: Vec<Sha256> = inputs.iter().map(|input| input.sha256).collect();
    let asked = (pictures, backend, patch);
    let asked = serde_json::to_vec(&asked).expect("texts and numbers are JSON");
    Sha256::of(asked).to_string()
}

/// Reads headers and digests on a thread that may be busy: 64 MiB take a good part of a second.
async fn examine(pictures: Vec<Bytes>, max_pixels: u64) -> Result<Vec<Input>, SubmitError> {
    let examined = tokio::task::spawn_blocking(move || {
        let pictures = pictures.iter().enumerate();
        pictures
            .map(|(index, bytes)| examine_one(index, bytes, max_pixels))
            .collect()
    });
    match examined.await {
        Ok(inputs) => inputs,
        // The decoder met something that it was not made for: the picture's fault, not the server's end.
        Err(_) => Err(SubmitError::Picture {
            index: 0,
            source: PictureError::NotRead {
                file: ForeignFile::Unknown,
            },
        }),
    }
}

fn examine_one(index: usize, bytes: &Bytes, max_pixels: u64) -> Result<Input, SubmitError> {
    let header = probe(bytes, max_pixels).map_err(|source| SubmitError::Picture { index, source })?;
    Ok(Input {
        format: header.format,
        width: header.width,
        height: header.height,
        size_bytes: bytes.len() as u64,
        sha256: Sha256::of(bytes),
        name: None,
    })
}
