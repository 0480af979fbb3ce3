//! Brings one file to its place: transferred (`transfer.rs`), verified, renamed.

use std::path::{Path, PathBuf};

use reqwest::Url;
use reqwest::header::CONTENT_LENGTH;
use serde::Serialize;
use trellis_models::hash;

use crate::client::{Hub, media_type};
use crate::error::FetchError;
use crate::partial::{NOTE_ENDING, Partial, beside, blocking};
use crate::progress::Progress;
use crate::room;
use crate::transfer::{Transfer, content_range, header};

/// What a file must hash to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Digest {
    /// Large files: the sha256 that LFS lists.
    Sha256(String),
    /// Small files: the id of the git blob.
    GitBlob(String),
    /// Nothing is published; the size is all that can be held against it.
    Unknown,
}

impl Digest {
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Sha256(text) | Self::GitBlob(text) => Some(text),
            Self::Unknown => None,
        }
    }

    /// What a file hashes to, in the same way; `None` where nothing is published.
    async fn of(&self, path: &Path) -> std::io::Result<Option<String>> {
        let path = path.to_owned();
        match self {
            Self::Sha256(_) => blocking(move || hash::sha256(&path, &|_| {})).await.map(Some),
            Self::GitBlob(_) => blocking(move || hash::git_blob_id(&path)).await.map(Some),
            Self::Unknown => Ok(None),
        }
    }
}

/// One file to bring.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// What people call it.
    pub(crate) name: String,
    pub(crate) url: Url,
    /// Where it ends up.
    pub(crate) place: PathBuf,
    pub(crate) size: Option<u64>,
    pub(crate) digest: Digest,
}

/// How a file came to be in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It was, and is what it should be.
    AlreadyThere,
    /// All of it came now.
    Downloaded,
    /// An earlier run had begun it.
    Resumed,
}

impl Hub {
    /// Brings a file to its place.
    pub(crate) async fn download(&self, job: &Job, progress: &dyn Progress) -> Result<How, FetchError> {
        let size = match job.size {
            Some(size) => size,
            None => self.size_of(job, progress).await?,
        };
        if self.is_in_place(job, size).await {
            progress.started(&job.name, size, size);
            progress.finished(&job.name);
            return Ok(How::AlreadyThere);
        }
        let had_begun = beside(&job.place, NOTE_ENDING).exists();
        let how = match self.bring(job, size, progress).await {
            // An earlier run's bytes may be to blame (a bad disk, another mirror): once more from nothing.
            Err(FetchError::WrongDigest { .. }) if had_begun => self.bring(job, size, progress).await?,
            other => other?,
        };
        progress.finished(&job.name);
        Ok(how)
    }

    async fn is_in_place(&self, job: &Job, size: u64) -> bool {
        let right_size = std::fs::metadata(&job.place).is_ok_and(|meta| meta.is_file() && meta.len() == size);
        right_size
            && job
                .digest
                .of(&job.place)
                .await
                .is_ok_and(|found| found.as_deref() == job.digest.text())
    }

    async fn bring(&self, job: &Job, size: u64, progress: &dyn Progress) -> Result<How, FetchError> {
        let identity = job.digest.text().unwrap_or(job.url.as_str()).to_owned();
        let partial = Partial::open(&job.place, &identity, size, self.settings.range_bytes)?;
        let already = partial.done_bytes();
        if let Some(folder) = job.place.parent() {
            room::check(folder, size - already)?;
        }
        progress.started(&job.name, size, already);
        let transfer = Transfer {
            hub: self,
            job,
            partial: &partial,
            progress,
        };
        transfer.fill().await?;
        let found = job.digest.of(partial.path()).await;
        let found = found.map_err(|source| room::write_error(partial.path(), 0, source))?;
        if found.as_deref() != job.digest.text() {
            partial.discard()?;
            progress.lost(&job.name, size);
            return Err(FetchError::WrongDigest {
                file: job.name.clone(),
                found: found.unwrap_or_default(),
                expected: job.digest.text().unwrap_or_default().to_owned(),
            });
        }
        partial.promote(&job.place)?;
        Ok(if already > 0 {
            How::Resumed
        } else {
            How::Downloaded
        })
    }

    /// Asks for a file's first byte to learn how many there are.
    async fn size_of(&self, job: &Job, progress: &dyn Progress) -> Result<u64, FetchError> {
        let mut attempts = self.attempts(&job.name, progress);
        loop {
            let permit = self.open.acquire().await;
            let answer = self.send(&job.url, Some((0, 1))).await;
            drop(permit);
            let trouble = match answer {
                Ok(response) => {
                    let whole = content_range(&response).map(|(_, total)| total);
                    let length = || header(&response, &CONTENT_LENGTH)?.parse().ok();
                    return whole.or_else(length).ok_or_else(|| FetchError::NotAHub {
                        place: job.name.clone(),
                        media_type: media_type(response.headers()),
                    });
                }
                Err(trouble) => trouble,
            };
            attempts.pause(trouble).await?;
        }
    }
}
